"""What lies about on an engine, what was seen of its use, and what a clean-up makes of it.

Times are seconds since the epoch, sizes are bytes.
"""

from __future__ import annotations

import enum

import msgspec

OUTSIDE = ""  # the project of containers that belong to none


class What(enum.Enum):
    """What can be taken away."""

    CONTAINER = "container"
    IMAGE = "image"
    VOLUME = "volume"


class Why(enum.Enum):
    """Why something goes, or stays although it looks like it should go. Stable words, as those of decisions."""

    # it goes
    EXITED = "exited"
    DANGLING_IMAGE = "dangling_image"
    OLD_IMAGE = "old_image"
    ORPHAN_VOLUME = "orphan_volume"
    # it stays
    STOPPED_BY_HAND = "stopped_by_hand"
    LENDS_NETWORK = "lends_network"
    UNDER_WAY = "under_way"
    USED_ELSEWHERE = "used_elsewhere"
    SEVERAL_NAMES = "several_names"
    NOT_SEEN = "not_seen"
    CLEANUP_BUDGET = "cleanup_budget"


class Mounted(msgspec.Struct, frozen=True):
    """A volume that a container has; `made` says that the engine made it for this very container, without a name."""

    name: str
    made: bool = False


class Use(msgspec.Struct, frozen=True):
    """What one container, in any state, holds on to."""

    project: str
    image: str
    volumes: tuple[Mounted, ...] = ()


class Sightings(msgspec.Struct, frozen=True):
    """Which projects' containers were seen with each image (by id) and each volume; `made` are anonymous volumes."""

    images: dict[str, tuple[str, ...]] = {}
    volumes: dict[str, tuple[str, ...]] = {}
    made: frozenset[str] = frozenset()


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A container that does not run any more; `marked` where an operation of ours or of compose is about it.

    `kept_running` says that its restart policy would have started it again. `size` includes the volumes that go with
    it; `lends` says that another container lives in its network.
    """

    id: str
    name: str
    project: str
    finished: float
    exit_code: int = 0
    kept_running: bool = False
    by_hand: bool = False
    marked: bool = False
    lends: bool = False
    size: int = 0


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image; `project` is what compose wrote on it when it built it. `size` is what nothing else shares."""

    id: str
    names: tuple[str, ...] = ()
    created: float = 0.0
    project: str = ""
    size: int = 0


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume; `plain` where it has the name, driver and labels that the engine gives to one without a name."""

    name: str
    plain: bool
    created: float = 0.0
    size: int = 0


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine has: containers that ended, images, volumes; and what is in use by any container or memory."""

    ended: tuple[Ended, ...] = ()
    images: tuple[Image, ...] = ()
    volumes: tuple[Volume, ...] = ()
    used_images: frozenset[str] = frozenset()
    used_volumes: frozenset[str] = frozenset()


class Item(msgspec.Struct, frozen=True):
    """One thing, why it goes or stays, and that in words."""

    what: What
    id: str
    name: str
    why: Why
    text: str
    size: int = 0


class Sweep(msgspec.Struct, frozen=True):
    """What a clean-up takes away now, in this order, and what holds back what it leaves."""

    goes: tuple[Item, ...] = ()
    stays: tuple[Item, ...] = ()


class Freed(msgspec.Struct, frozen=True):
    """How taking one thing away ended: `trouble` is empty where it is gone, `size` what that gave back."""

    item: Item
    trouble: str = ""

    @property
    def size(self) -> int:
        """Bytes given back."""
        return 0 if self.trouble else self.item.size
