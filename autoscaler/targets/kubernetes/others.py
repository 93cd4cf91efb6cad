"""Other autoscalers in a namespace or in all: HorizontalPodAutoscalers and ScaledObjects, and whose count they set.

Where a right or a CustomResourceDefinition is missing, there are none as far as anybody can tell. ScaledObjects that
the server fails to list are waited for, but not for ever: an HPA that KEDA has made is seen all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_watch import Listing, Reflector
from autoscaler.clients.kubernetes_wire import Meta, Resource, Steerer
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.aside import aside
from autoscaler.targets.kubernetes.kinds import Kind
from autoscaler.targets.kubernetes.workloads import Place

SCALED_OBJECT = "ScaledObject"
RESOURCES = {
    "HorizontalPodAutoscaler": Resource("autoscaling/v2", "horizontalpodautoscalers"),
    SCALED_OBJECT: Resource("keda.sh/v1alpha1", "scaledobjects"),
}

BROKEN_S = 120.0  # a foreign kind that cannot be listed for so long, while HPAs are: we go on without it

Aim = tuple[str, str, str]  # namespace, kind and name


class Others:
    """Who else sets whose count, kept current by two watches."""

    def __init__(self, api: KubernetesApi, clock: Clock, namespace: str, said: Callable[[str], None]) -> None:
        self._known: dict[str, tuple[str, Steerer]] = {}  # by uid, with the kind
        self._by_aim: dict[Aim, set[str]] = {}
        self._clock = clock
        self._said = said
        self._waits: float | None = None  # since when only ScaledObjects are not listed, monotonic
        self._goes_on = False
        self.watches: list[Reflector[Steerer]] = [
            aside(
                api, clock, Listing(resource=resource, namespace=namespace, of=Steerer), partial(self.seen, kind),
                lost=partial(self._lost, kind), said=said,
                without=f"whether a {kind} sets the same counts cannot be told",
            )
            for kind, resource in RESOURCES.items()
        ]  # fmt: skip

    def of(self, kind: Kind, place: Place) -> str:
        """Who else sets the count of a workload, in words; empty where nobody is known to."""
        return " and ".join(sorted(_words(name, meta) for name, meta in self.steering(kind, place)))

    def steering(self, kind: Kind, place: Place) -> list[tuple[str, Meta]]:
        """Who else sets the count of a workload: their kinds and metadata.

        An HPA that KEDA has made is not named beside the ScaledObject that it was made for.
        """
        found = self._by_aim.get((place[0], kind.name.partition(".")[0], place[1]), ())
        there = [self._known[uid] for uid in found]
        there = [each for each in there if _group(each[1]) in ("", kind.resource.group)]
        scaled = {each.metadata.uid for name, each in there if name == SCALED_OBJECT}
        return [
            (name, each.metadata)
            for name, each in there
            if each.metadata.controller is None or each.metadata.controller.uid not in scaled
        ]

    def unread(self) -> str:
        """Why nobody can say yet who else sets counts; empty where that is known, not knowable, or waited for in vain.

        What was known of ScaledObjects before they could not be listed any more is kept.
        """
        waiting = {kind: each for kind, each in zip(RESOURCES, self.watches, strict=True) if each.readable is None}
        if set(waiting) != {SCALED_OBJECT}:
            self._waits, self._goes_on = None, False
        elif self._in_vain(waiting[SCALED_OBJECT].fault):
            return ""
        return next(
            (
                f"whether another autoscaler sets it is not known yet: {each.fault or f'no {kind} was listed so far'}"
                for kind, each in waiting.items()
            ),
            "",
        )

    def _in_vain(self, fault: str) -> bool:
        """Whether ScaledObjects were waited for long enough; said once when that is so."""
        now = self._clock.monotonic()
        self._waits = now if self._waits is None else self._waits
        if not self._goes_on and fault and now - self._waits >= BROKEN_S:
            self._goes_on = True
            self._said(
                f"whether a {SCALED_OBJECT} sets the same counts cannot be told: {fault}; we go on without after "
                f"{BROKEN_S:.0f} s, and stand back from HPAs, those that KEDA makes too"
            )
        return self._goes_on

    def seen(self, kind: str, uid: str, record: Steerer | None) -> None:
        """What a watch has told. A ScaledObject that is paused leaves its workload alone."""
        old = self._known.pop(uid, None)
        if old is not None:
            self._by_aim[_aim(old[1])].discard(uid)
            if not self._by_aim[_aim(old[1])]:
                del self._by_aim[_aim(old[1])]
        if record is not None and not (kind == SCALED_OBJECT and record.metadata.annotations.paused == "true"):
            self._known[uid] = kind, record
            self._by_aim.setdefault(_aim(record), set()).add(uid)

    def _lost(self, kind: str) -> None:
        for uid in [uid for uid, (name, _) in self._known.items() if name == kind]:
            self.seen(kind, uid, None)


def _aim(record: Steerer) -> Aim:
    target = record.spec.scale_target_ref
    return record.metadata.namespace, target.kind, target.name


def _group(record: Steerer) -> str:
    return record.spec.scale_target_ref.api_version.rpartition("/")[0]


def _words(kind: str, meta: Meta) -> str:
    owner = meta.controller
    return f"{kind} {meta.name}" + (f" of {owner.kind} {owner.name}" if owner is not None else "")
