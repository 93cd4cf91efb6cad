"""What a clean-up takes away: plain data in, a list with reasons out. Nothing of another project is ever in it.

A thing is a project's own when compose's label on it says so (containers, and images compose built), or when the
daemon saw containers of this project have it and nobody else's (images, anonymous volumes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoscaler.decide.explain import span
from autoscaler.model.cleanup import Ended, Image, Item, Sightings, Stock, Sweep, Use, Volume, What, Why
from autoscaler.model.policy import Cleanup


def sighted(before: Sightings, uses: Sequence[Use]) -> Sightings:
    """What is known of uses after one more look; the same object where that added nothing."""
    images, volumes, made = dict(before.images), dict(before.volumes), set(before.made)
    for use in uses:
        images[use.image] = _joined(images.get(use.image, ()), use.project)
        for each in use.volumes:
            volumes[each.name] = _joined(volumes.get(each.name, ()), use.project)
            if each.made:
                made.add(each.name)
    after = Sightings(images, volumes, frozenset(made))
    return before if after == before else after


def remaining(before: Sightings, stock: Stock) -> Sightings:
    """What is known of those images and volumes that are still there."""
    images = {each.id for each in stock.images} | stock.used_images
    volumes = {each.name for each in stock.volumes} | stock.used_volumes
    return Sightings(
        {id: projects for id, projects in before.images.items() if id in images},
        {name: projects for name, projects in before.volumes.items() if name in volumes},
        before.made & volumes,
    )


def sweep(cleanup: Cleanup, stock: Stock, seen: Sightings, spent: Sequence[float], now: float) -> Sweep:
    """What goes now and what stays, and why. `spent` are the times of the removals of before."""
    found = [*_containers(cleanup, stock, now), *_images(cleanup, stock, seen), *_volumes(cleanup, stock, seen)]
    due = [item for item, goes in found if goes]
    room = max(0, cleanup.budget.count - len(within(spent, cleanup.budget.per, now)))
    said = f"the budget is {cleanup.budget.count} removals per {span(cleanup.budget.per)}"
    over = [Item(each.what, each.id, each.name, Why.CLEANUP_BUDGET, said, each.size) for each in due[room:]]
    return Sweep(tuple(due[:room]), (*(item for item, goes in found if not goes), *over))


def within(spent: Sequence[float], per_s: float, now: float) -> tuple[float, ...]:
    """The removals that the budget still counts. A time ahead of the clock counts: the clock was set back."""
    return tuple(at for at in spent if at > now - per_s)


Found = Iterator[tuple[Item, bool]]  # what, and whether it goes


def _containers(cleanup: Cleanup, stock: Stock, now: float) -> Found:
    if cleanup.exited_after is None:
        return
    for each in sorted(stock.ended, key=lambda each: (each.finished, each.id)):
        age = now - each.finished
        if each.project != cleanup.project or age < cleanup.exited_after:
            continue
        held = _held(each)
        if held is not None:
            yield Item(What.CONTAINER, each.id, each.name, *held, each.size), False
        else:
            text = f"ended {span(age)} ago with exit code {each.exit_code}"
            yield Item(What.CONTAINER, each.id, each.name, Why.EXITED, text, each.size), True


def _held(each: Ended) -> tuple[Why, str] | None:
    if each.by_hand or each.kept_running:
        how = "somebody stopped it" if each.by_hand else "its restart policy keeps it running, so somebody stopped it"
        return Why.STOPPED_BY_HAND, how
    if each.lends:
        return Why.LENDS_NETWORK, "another container lives in its network"
    if each.marked:
        return Why.UNDER_WAY, "it is being replaced or removed already"
    return None


def _images(cleanup: Cleanup, stock: Stock, seen: Sightings) -> Found:
    unnamed = [each for each in stock.images if not each.names]
    if cleanup.dangling_images:
        for each in _oldest(unnamed):
            yield from _image(cleanup, each, stock, seen, Why.DANGLING_IMAGE, "no name stands for it any more")
    if cleanup.keep_images is None:
        return
    mine = [each for each in stock.images if each.names and _concerns(each, cleanup.project, seen)]
    kept: set[str] = set()
    for repository in {_repository(name) for each in mine for name in each.names}:
        ours = [each for each in mine if repository in map(_repository, each.names)]
        newest = sorted(ours, key=lambda each: (-each.created, each.id))
        kept |= {each.id for each in newest[: cleanup.keep_images]}
    text = f"not among the newest {cleanup.keep_images} of its name"
    for each in _oldest([each for each in mine if each.id not in kept]):
        yield from _image(cleanup, each, stock, seen, Why.OLD_IMAGE, text)


def _image(cleanup: Cleanup, each: Image, stock: Stock, seen: Sightings, why: Why, text: str) -> Found:
    if each.id in stock.used_images or not _concerns(each, cleanup.project, seen):
        return
    name = each.names[0] if each.names else each.id.removeprefix("sha256:")[:12]
    elsewhere = [user for user in seen.images.get(each.id, ()) if user != cleanup.project]
    if elsewhere:
        said = f"{_whose(elsewhere)} had it too"
        yield Item(What.IMAGE, each.id, name, Why.USED_ELSEWHERE, said, each.size), False
    elif len(each.names) > 1:
        said = f"it has several names: {', '.join(each.names)}"
        yield Item(What.IMAGE, each.id, name, Why.SEVERAL_NAMES, said, each.size), False
    else:
        yield Item(What.IMAGE, each.id, name, why, text, each.size), True


def _concerns(each: Image, project: str, seen: Sightings) -> bool:
    """True where compose built it for this project, or a container of it had the image; no other project's build."""
    return each.project == project or (not each.project and project in seen.images.get(each.id, ()))


def _volumes(cleanup: Cleanup, stock: Stock, seen: Sightings) -> Found:
    if cleanup.orphan_volumes is None:
        return
    for each in sorted(stock.volumes, key=lambda each: (each.created, each.name)):
        users = seen.volumes.get(each.name, ())
        if not each.plain or each.name in stock.used_volumes or cleanup.project not in users:
            continue
        yield _volume(cleanup, each, users, made=each.name in seen.made)


def _volume(cleanup: Cleanup, each: Volume, users: Sequence[str], *, made: bool) -> tuple[Item, bool]:
    elsewhere = [user for user in users if user != cleanup.project]
    name = each.name[:12]
    if elsewhere:
        return Item(
            What.VOLUME, each.name, name, Why.USED_ELSEWHERE, f"{_whose(elsewhere)} had it too", each.size
        ), False
    if not made:
        said = "it was not seen when the engine made it, so somebody may have named it"
        return Item(What.VOLUME, each.name, name, Why.NOT_SEEN, said, each.size), False
    text = "anonymous, and no container has it any more"
    return Item(What.VOLUME, each.name, name, Why.ORPHAN_VOLUME, text, each.size), True


def _joined(users: tuple[str, ...], project: str) -> tuple[str, ...]:
    return users if project in users else tuple(sorted((*users, project)))


def _oldest(images: Sequence[Image]) -> list[Image]:
    return sorted(images, key=lambda each: (each.created, each.id))


def _repository(name: str) -> str:
    """An image's name without its tag.

    >>> _repository("localhost:5000/shop/web:2"), _repository("web:1")
    ('localhost:5000/shop/web', 'web')
    """
    head, _, tag = name.rpartition(":")
    return head if head and "/" not in tag else name


def _whose(projects: Sequence[str]) -> str:
    return " and ".join(f"project {each}" if each else "a container of no project" for each in projects)


def goes(item: Item) -> str:
    """One thing that goes, in words."""
    return f"{item.what.value} {item.name} ({item.why.value}, {amount(item.size)}): {item.text}"


def stays(item: Item) -> str:
    """One thing that stays, and what holds it back."""
    return f"{item.what.value} {item.name} ({item.why.value}): {item.text}"


def amount(size: int) -> str:
    """Bytes for people.

    >>> amount(0), amount(999), amount(12_345), amount(3_400_000_000)
    ('0 B', '999 B', '12.3 kB', '3.4 GB')
    """
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} B"
