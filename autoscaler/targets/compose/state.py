"""Containers of a service → how the service stands. Compose keeps no desired count, so neither does this."""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping, Sequence

from autoscaler.model.target import Instance, TargetState, WorkloadRef
from autoscaler.targets.compose.container import Container

SAME_S = 2.0  # an end by lack of memory is an event and is on the container's record
OOMS_KEPT = 100
ROLLOUT_S = 10.0  # other hands' creates and destroys this close together are a rollout
MIXED_S = 600.0  # and as long as hashes or images are mixed, this long after the last of them


class Known:
    """What can only be known by having watched: since when a container is ready or not, and who stopped it."""

    def __init__(self) -> None:
        self.since: dict[str, tuple[bool, float]] = {}
        self.healthy: set[str] = set()
        self.stopped: set[str] = set()  # by somebody's stop, not ours
        self.ooms: dict[str, tuple[float, ...]] = {}  # when a container ran out of memory

    def look(self, each: Container, now: float) -> None:
        """Remember what this look adds."""
        if each.ready or each.healthy_once:  # the log of its health forgets; what was once seen in it stays true
            self.healthy.add(each.id)
        if each.oom_killed and each.finished:
            self.oom(each.id, each.finished)
        before = self.since.get(each.id)
        if before is None or before[0] is not each.ready:
            self.since[each.id] = each.ready, _since(each, now if before is not None else 0.0) or now

    def oom(self, id: str, at: float) -> None:
        """A container ran out of memory; the same end told twice is one."""
        known = self.ooms.get(id, ())
        if all(abs(at - each) > SAME_S for each in known):
            self.ooms[id] = (*known, at)[-OOMS_KEPT:]

    def forget(self, id: str) -> None:
        """Drop what is known of a container that is gone."""
        self.since.pop(id, None)
        self.healthy.discard(id)
        self.stopped.discard(id)
        self.ooms.pop(id, None)


def _since(each: Container, seen_turning: float) -> float:
    """When it became what it is, by its own records; those of the health check go back five probes."""
    if each.ready:
        return seen_turning or each.started
    if each.state == "running":
        return each.failing_since or seen_turning or each.started
    return each.finished or seen_turning or each.created


def counted(containers: Sequence[Container], known: Known) -> list[Container]:
    """The containers that are the service's count.

    Not counted are those on their way out, those that stand in beside the one they will replace, those that finished
    their job, and those a person stopped.
    """
    there = [each for each in containers if not (each.draining or each.state == "removing" or _at_rest(each, known))]
    ids = {each.id[:12] for each in there}
    return [each for each in there if each.replaces not in ids]


def _at_rest(each: Container, known: Known) -> bool:
    if each.state not in ("exited", "dead") or each.leaving:
        return False
    if each.id in known.stopped or each.kept_running:
        return True  # the engine would have started it again: somebody stopped it
    return each.exit_code == 0


def state(
    ref: WorkloadRef,
    containers: Sequence[Container],
    known: Known,
    *,
    now: float,
    foreign_at: float | None,
    making: Collection[str] = (),
    images: Mapping[str, str] = {},
) -> TargetState:
    """How a service stands.

    `foreign_at` is when other hands created or destroyed a container of it last; at zero it is when they destroyed any
    container of the project. `making` are operations of ours that are open: what they made is no sign of a rollout.
    `images` tells what images' names mean by now.
    """
    count = counted(containers, known)
    rollout = _rollout([e for e in count if not (e.operation in making or _renewed(e, images))], now, foreign_at)
    usual = _usual(count)
    newest = max(count, key=lambda each: each.origin, default=None)
    config = newest.config_hash if newest is not None else ""
    shown = count + [each for each in containers if each.draining]
    return TargetState(
        ref=ref,
        desired=None,
        existing=len(count),
        ready=sum(each.ready for each in count),
        at=now,
        instances=tuple(
            _instance(each, known, usual, config, images.get(each.tag) or each.image)
            for each in sorted(shown, key=lambda each: (each.number, each.created))
        ),
        rollout=rollout,
        version=usual[0],
        off_by_owner=not count,
        foreign_at=foreign_at,
    )


def _renewed(each: Container, images: Mapping[str, str]) -> bool:
    """True for one of ours that has what its image's name means by now: beside old ones that is no deployment."""
    return bool(each.operation) and images.get(each.tag) == each.image


def _rollout(count: Sequence[Container], now: float, foreign_at: float | None) -> bool:
    if foreign_at is None:
        return False
    mixed = len({(each.config_hash, each.image) for each in count}) > 1
    return now - foreign_at < (MIXED_S if mixed else ROLLOUT_S)


def _usual(count: Sequence[Container]) -> tuple[str, str]:
    """The config hash and image that most are made from; of as many the newest's."""
    made = collections.Counter((each.config_hash, each.image) for each in count)
    newest = {(each.config_hash, each.image): each.created for each in sorted(count, key=lambda each: each.created)}
    return max(made, key=lambda each: (made[each], newest[each]), default=("", ""))


def _instance(each: Container, known: Known, usual: tuple[str, str], config: str, image: str) -> Instance:
    ready, since = known.since.get(each.id, (each.ready, each.created))
    return Instance(
        id=each.id,
        name=each.final_name,
        created=each.created,
        ready=ready and not each.draining,
        since=since,
        was_ready=each.id in known.healthy,
        draining=each.draining,
        running=each.state == "running",
        restarts=each.restarts,
        exit_code=each.exit_code if each.state in ("exited", "dead") else None,
        ooms=known.ooms.get(each.id, ()),
        image=each.image,
        config_hash=each.config_hash,
        drifted=(each.config_hash, each.image) != usual,
        newer_image=image if image != each.image else "",
        newer_config=config if config != each.config_hash else "",
        address=each.address,
    )
