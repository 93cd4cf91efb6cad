"""Containers of a service → how the service stands. Compose keeps no desired count, so neither does this."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from autoscaler.model.target import Instance, TargetState, WorkloadRef
from autoscaler.targets.compose.container import Container

ROLLOUT_S = 10.0  # other hands' creates and destroys this close together are a rollout
MIXED_S = 600.0  # and as long as hashes or images are mixed, this long after the last of them


class Known:
    """What can only be known by having watched: since when a container is ready or not, and who stopped it."""

    def __init__(self) -> None:
        self.since: dict[str, tuple[bool, float]] = {}
        self.healthy: set[str] = set()
        self.stopped: set[str] = set()  # by somebody's stop, not ours

    def look(self, each: Container, now: float) -> None:
        """Remember what this look adds."""
        if each.ready or each.healthy_once:  # the log of its health forgets; what was once seen in it stays true
            self.healthy.add(each.id)
        before = self.since.get(each.id)
        if before is None or before[0] is not each.ready:
            self.since[each.id] = each.ready, _since(each, now if before is not None else 0.0) or now

    def forget(self, present: set[str]) -> None:
        """Drop what is known of containers that are gone."""
        self.since = {id: known for id, known in self.since.items() if id in present}
        self.healthy &= present
        self.stopped &= present


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
    ids = {each.id[:12]: each for each in containers}
    return [
        each
        for each in containers
        if not (each.draining or each.state == "removing" or _beside(each, ids) or _at_rest(each, known))
    ]


def _beside(each: Container, ids: dict[str, Container]) -> bool:
    old = ids.get(each.replaces) if each.replaces else None
    return old is not None and not old.draining


def _at_rest(each: Container, known: Known) -> bool:
    if each.state not in ("exited", "dead"):
        return False
    if each.id in known.stopped or each.restart_policy in ("always", "unless-stopped"):
        return True  # the engine would have started it again: somebody stopped it
    return each.exit_code == 0


def state(
    ref: WorkloadRef, containers: Sequence[Container], known: Known, *, now: float, foreign_at: float | None
) -> TargetState:
    """How a service stands. `foreign_at` is when other hands created or destroyed a container of it last."""
    count = counted(containers, known)
    shown = count + [each for each in containers if each.draining]
    return TargetState(
        ref=ref,
        desired=None,
        existing=len(count),
        ready=sum(each.ready for each in count),
        at=now,
        instances=tuple(_instance(each, known) for each in sorted(shown, key=lambda each: (each.number, each.created))),
        rollout=_rollout(count, now, foreign_at),
        version=_usual(count),
        off_by_owner=not count,
    )


def _rollout(count: Sequence[Container], now: float, foreign_at: float | None) -> bool:
    if foreign_at is None:
        return False
    mixed = len({(each.config_hash, each.image) for each in count}) > 1
    return now - foreign_at < (MIXED_S if mixed else ROLLOUT_S)


def _usual(count: Sequence[Container]) -> str:
    hashes = collections.Counter(each.config_hash for each in count)
    return hashes.most_common(1)[0][0] if hashes else ""


def _instance(each: Container, known: Known) -> Instance:
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
        oom_kills=int(each.oom_killed),
        image=each.image,
        config_hash=each.config_hash,
        address=each.address,
    )
