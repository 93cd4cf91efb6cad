"""What every map of a policy file has in common, and the units its texts may carry.

The loader turns text into these types by the marker in `extra`; nothing else knows the keys. In this package
annotations are evaluated where they stand: as text they would be compiled at every start, a tenth of a quick command.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

DURATION = {"unit": "duration"}  # text: 250ms 15s 5m 2h 1d; held as seconds
PERCENT = {"unit": "percent"}  # text: 70%; held as a fraction
NUMBER = {"unit": "number"}  # a plain number, or a duration: 300ms; held as seconds
QUANTITY = {"unit": "quantity"}  # a plain number; beside `resource` also a Kubernetes quantity: 500m, 256Mi
SEEN = {"seen": True}  # text in one line without characters that nobody sees

Name = Annotated[str, Meta(min_length=1, max_length=253, extra=SEEN)]
Seconds = Annotated[float, Meta(ge=0, extra=DURATION)]


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A map in a policy file."""
