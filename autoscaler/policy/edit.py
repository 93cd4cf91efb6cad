"""One value of a policy file changed or added where it stands; comments, order and layout of the file stay as they are.

Nothing here knows what a key means: who calls loads the edited text and looks at what has changed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from autoscaler.policy.nodes import Node
from autoscaler.policy.words import Path

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"'[^']*'|\"[^\"\\]*\"|[^\s,\[\]{}#'\"&*!|>][^\n,\[\]{}#]*")


def edited(text: str, nodes: Mapping[Path, Node], path: Path, value: str) -> str | None:
    """The text with the value at a path replaced or, where it was not written there, added; None where it cannot be.

    `nodes` are those of the policy as the loader keeps them. What a document of defaults says is not touched: the
    policy gets a line of its own over it.
    """
    lines = _LINES.findall(text)
    own = {key: node for key, node in nodes.items() if node.origin == nodes[()].origin}
    if path in own:
        return _replaced(lines, own[path], value)
    above = path[:-1]
    while above not in own or not isinstance(own[above].value, dict):
        above = above[:-1]
    rest = path[len(above) :]
    if any(isinstance(part, int) for part in rest):
        return None  # an item of a list that stands in the defaults
    for part in reversed(rest[1:]):
        value = f"{{{part}: {value}}}"
    return _added(lines, own, above, f"{rest[0]}: {value}")


def patch(name: str, before: str, after: str) -> str:
    """The change as a unified diff of the file `name`, for `patch -p1` and `git apply`.

    >>> print(patch("web.yaml", "a: 1\\nb: 2", "a: 1\\nb: 3"), end="")
    --- a/web.yaml
    +++ b/web.yaml
    @@ -1,2 +1,2 @@
     a: 1
    -b: 2
    \\ No newline at end of file
    +b: 3
    \\ No newline at end of file
    """
    end = "\t" if " " in name else ""  # how patch knows where a name with spaces ends
    told = difflib.unified_diff(
        _LINES.findall(before), _LINES.findall(after), f"a/{name}{end}", f"b/{name}{end}", lineterm="\n"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in told)


def _replaced(lines: list[str], node: Node, value: str) -> str | None:
    """The word that stands at the node, replaced; None where it is not one word."""
    if isinstance(node.value, (dict, tuple)):
        return None
    line = lines[node.line - 1]
    found = _WORD.match(line, node.column - 1)
    if found is None or found[0].strip().strip("'\"") != node.text:
        return None
    word = found[0].rstrip()
    quote = word[0] if word[0] in "'\"" else ""
    changed = f"{line[: node.column - 1]}{quote}{value}{quote}{line[node.column - 1 + len(word) :]}"
    return "".join([*lines[: node.line - 1], changed, *lines[node.line :]])


def _added(lines: list[str], own: Mapping[Path, Node], above: Path, entry: str) -> str:
    """One more key in the map at `above`: first in a map in braces, else a line of its own under the last key."""
    node = own[above]
    line = lines[node.line - 1]
    if line[node.column - 1 : node.column] == "{":
        rest = line[node.column :]
        comma = "" if rest.lstrip().startswith("}") else ", "
        changed = f"{line[: node.column]}{entry}{comma}{rest}"
        return "".join([*lines[: node.line - 1], changed, *lines[node.line :]])
    last = _last(own, above)
    ending = "\r\n" if line.endswith("\r\n") else "\n"
    before = lines[:last]
    if not before[-1].endswith("\n"):
        before[-1] += ending
    return "".join([*before, " " * (node.column - 1), entry, ending, *lines[last:]])


def _last(own: Mapping[Path, Node], above: Path) -> int:
    """The line after which one more key of this map may stand: under one that ends on its last value's line.

    In a whole policy that is under its bounds or its target, not under the queries.
    """
    keys = [key for key in ("behavior", "replicas", "target") if (key,) in own] if not above else []
    start = (*above, keys[0]) if keys else above
    return max(node.line for key, node in own.items() if key[: len(start)] == start)
