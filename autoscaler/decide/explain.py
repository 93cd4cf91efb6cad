"""Steps and decisions in words. One sentence per reason code; every face (CLI, API, log, demo) uses these."""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.model.decision import Beside, Decision, Fact, Reason, Stage, Step

_COMBINE, _SIGNAL = Stage.COMBINE, Stage.SIGNAL  # looking them up takes longer than comparing them


def number(value: Fact) -> str:
    """A number as people write it: at most four significant places, no exponent for everyday sizes.

    >>> [number(v) for v in (550, 0.65, 12.3456, 1234567.0, None)]
    ['550', '0.65', '12.35', '1234567', 'unknown']
    """
    if value is None:
        return "unknown"
    if isinstance(value, float):
        if value == int(value) and abs(value) < 1e15:
            return str(int(value))
        return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.4g}"
    return str(value)


def span(seconds: Fact) -> str:
    """A span as policies write it.

    >>> [span(s) for s in (0.25, 15, 300, 5400, 90)]
    ['250ms', '15s', '5m', '1h30m', '1m30s']
    """
    if not isinstance(seconds, int | float):
        return number(seconds)
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    whole = round(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    return "".join(f"{n}{unit}" for n, unit in parts if n)[:8] or "0s"


_EXPECTS = (
    "{signal}: expects at most {expected}{per} within {within} ({times} of 100 times), needs {needs}; "
    "the plain rule says {plain}"
)
_DUE: Mapping[Reason, str] = {
    Reason.UNHEALTHY: "has been unhealthy for {for}",
    Reason.NEVER_READY: "is {for} old and was never ready",
    Reason.EXITED: "ended with exit code {exit_code} and nobody starts it again",
    Reason.OOM_KILLS: "ran out of memory {times} times in {per}",
    Reason.RESTARTS: "was restarted {times} times in {per}",
    Reason.OUTLIER: "has been at {value} for {for}, more than {limit_times} times the median of {among}, {median}",
    Reason.MEMORY_GROWTH: "grew from {from} to {to} of memory in {per}, steadily",
    Reason.CONFIG_CHANGED: "is made from a configuration that was changed",
    Reason.IMAGE_CHANGED: "is made from an image whose tag means another one by now",
    Reason.TOO_OLD: "is {for} old, {limit} are allowed",
}
_SENTENCES: Mapping[Reason, str] = {
    Reason.ABOVE_TARGET: "{signal}: {measured}, so it asks for {after}",
    Reason.BELOW_TARGET: "{signal}: {measured}, so {after} are enough",
    Reason.WITHIN_TOLERANCE: "{signal}: {measured}, within tolerance of the target, {after} stay",
    Reason.ON_TARGET: "{signal}: {measured}, exactly what {after} carry",
    Reason.ON_STEP: "{signal}: load {load} stands on the rung of {after}",
    Reason.AT_MOST: "{signal}: {measured}, which asks for {asked}; at_most allows this signal {after}",
    Reason.SIGNAL_MISSING: "{signal}: no data ({why}: {detail})",
    Reason.SIGNAL_WAIVED: "{signal}: no opinion, {because}",
    Reason.LAST_GOOD: "{signal}: no data ({why}: {detail}); its last good value {load}, {age} old, asks for {after}",
    Reason.EXPECTS_MORE: _EXPECTS,
    Reason.EXPECTS_LESS: f"{_EXPECTS}: {{after}} are enough",
    Reason.EXPECTS_SAME: f"{_EXPECTS}: {{after}} stay",
    Reason.UNPROVEN: (
        "{signal}: more came than was expected {over} of 100 times of late, so not below the plain rule: {after}"
    ),
    Reason.LEARNING: "{signal}: the plain rule decides for another {rest}, then adaptive does ({because})",
    Reason.CAPACITY_UNKNOWN: "{signal}: without its capacity the plain rule decides",
    Reason.CAPACITY_LEARNING: "{signal}: the plain rule decides until its capacity is learned ({because})",
    Reason.CAPACITY_LEARNED: "{signal}: one carries {capacity}, learned from {source}: known to {within} %",
    Reason.CAPACITY_SEEN: "{signal}: one carries {capacity}, seen {looks} times when all were busy",
    Reason.CAPACITY_LOWERED: "{signal}: all were busy when each served {capacity}, so not the {said} of capacity",
    Reason.OBJECTIVE_COSTS: (
        "{signal}: {good} of 100 requests were good of late, {aim} are wanted: that takes {needs}, "
        "capacity alone {bare}"
    ),
    Reason.OBJECTIVE_UNMET: (
        "{signal}: {good} of 100 requests were good of late, {aim} are wanted, which {needs} cannot do: {because}"
    ),
    Reason.WAKE_QUIET: "{signal}: {load} is not above {limit}, it does not wake",
    Reason.WAKE_ABOVE: "{signal}: {load} is above {limit}, it wakes",
    Reason.WAKE_UNREAD: "{signal}: cannot be read ({detail}), so it does not let anything go idle",
    Reason.LARGEST_WISH: "of {votes} signals {winner} asks for the most: {after}",
    Reason.ALL_ASK_FOR_MORE: "all {votes} readable signals ask for more, the least of them for {after}",
    Reason.ALL_ASK_FOR_LESS: "all {votes} readable signals ask for less, the most of them for {after}",
    Reason.NOT_ALL_AGREE: "the signals ask for {least} to {most} and must all agree on a direction: {after} stay",
    Reason.LAST_WISH: "fewer run than the last cycle asked for: back to {after} at once",
    Reason.AWAITING_CYCLE: "woken between two cycles: nothing grows until the signals are read again",
    Reason.NO_OPINION: "no signal has an opinion, so {after} stay",
    Reason.NO_SIGNALS: "no signals: the count is left alone",
    Reason.STABILIZED_DOWN: "{before} would be enough now, but within the last {window} {after} were asked for",
    Reason.STABILIZED_UP: "{before} are asked for now, but within the last {window} {after} were enough",
    Reason.RATE_LIMITED_UP: "growing to {before} at once is faster than behavior.up allows, {after} for now",
    Reason.RATE_LIMITED_DOWN: "shrinking to {before} at once is faster than behavior.down allows, {after} for now",
    Reason.CAPPED_AT_MAXIMUM: "{before} are asked for, no more than {after} are allowed{during}",
    Reason.CAPPED_AT_QUOTA: "{before} are asked for, {quota} leaves room for {after}",
    Reason.RAISED_TO_MINIMUM: "{before} would be enough, the minimum is {after}{during}",
    Reason.ABOVE_MAXIMUM: "{before} run, replicas.max allows {limit}: {after} now",
    Reason.BELOW_MINIMUM: "{running} run, replicas.min asks for {after}",
    Reason.WINDOW_FLOOR: "{running} run, the window {window} asks for at least {after} for another {rest}",
    Reason.WINDOW_CEILING: "{before} run, the window {window} allows {limit} for another {rest}: {after} now",
    Reason.AT_LEAST: "{signal} has no data and says `at_least`: {after} instead of {before}",
    Reason.IDLE: "nothing that can be read asks for more: idle at {after}",
    Reason.IDLE_SOON: "nothing is asked for; idle at {idle} in {rest} if it stays so",
    Reason.WOKEN: "{signal} wakes it from idle: {after} at once",
    Reason.WOKEN_ON_DOUBT: "{signals}: not to be read for {for}, and on_doubt says wake: {after}",
    Reason.DOUBT: "data is missing for {missing}, so nothing shrinks on doubt: {after} instead of {before}",
    Reason.RESEEDED: "the past is not known well enough ({because}): not below {after} for another {rest}",
    Reason.SETTLING: "the last raise is still settling ({rest} to go): {after} stay",
    Reason.ROLLOUT: "a rollout is in progress: not below {after}",
    Reason.ROLLOUT_SURPLUS: "a rollout runs {surplus} instances too many, which ask for {before}: without them {after}",
    Reason.NONE_READY: "no instance is ready, which says nothing about demand: not below {after}",
    Reason.FLAPPING: "the direction changed {turns} times of late, which is the budget: {after} stay for {rest}",
    Reason.CONTESTED: "somebody else{writer} keeps changing the count ({times} times of late): {after} for now{remedy}",
    Reason.CLAIMED_TWICE: "the policies {others} would steer it as well: {after} stay until one of them goes",
    Reason.FLEET_BRAKE: "too many workloads want to shrink at once, which looks like bad data: {after} stay",
    Reason.STATE_MISSING: "the state of the workload is not known ({why}: {detail}): nothing is done",
    Reason.STALE_STATE: "the state of the workload is too old ({age}): nothing is done",
    Reason.FOREIGN_COUNT: "somebody else{writer} changed the count from {before} to {after}{remedy}",
    Reason.HELD_ZERO_BY_OWNER: "switched off by its owner: it stays at 0 until the count rises or `resume`",
    Reason.RESUMED: "somebody said `resume`: its zero is over",
    Reason.RELEASED: "no policy steers it any more: back to its minimum of {after}",
    Reason.PAUSED: "paused{by} {for_how_long}: nothing is done",
    Reason.OTHER_AUTOSCALER: "{other} sets this count: it is left alone until that one is gone",
    Reason.ADOPTING: "{other} sets this count, and the policy says adopt: it is put away first",
    Reason.PAUSED_BY_ANNOTATION: "paused by an annotation of its own for another {rest}: nothing is done",
    Reason.PAUSE_UNREADABLE: "{fault}: nothing is done until it is mended",
    Reason.OVERRIDE: "set to {after}{by} for another {rest}",
    Reason.OBSERVED: "mode is observe: {after} would be set, nothing is changed",
    Reason.BUSY: "an earlier change to {after} is still being carried out",
    **{reason: f"{{instance}} {said}: a new one takes its place" for reason, said in _DUE.items()},
    Reason.RECYCLE_UNREAD: "{cause_unread}: no data ({why}: {detail}), so nobody is due by it",
    Reason.RECYCLE_BUDGET: "{instance} {is_due}, but the budget of {count} in {per} is spent; next in {rest}",
    Reason.RECYCLE_UNAVAILABLE: (
        "{instance} {is_due}, but {out} are out of service or being replaced, which is all that {unavailable} allows"
    ),
    Reason.RECYCLE_WINDOW: "{instance} {is_due}, but no window for replacing what serves is open",
    Reason.RECYCLE_BREAKER: (
        "{instance} {is_due}, but {sick} are sick, more than {percent} %: one is replaced first, to see if that helps"
    ),
    Reason.RECYCLE_FLEET: "{instance} {is_due}, but the whole fleet has begun enough replacements in this minute",
    Reason.RECYCLE_WAITS: "{instance} {is_due}, but replacing waits for {on}",
    Reason.RECYCLE_BACKOFF: "{instance} {is_due}; replacements that did not last, in a row: {failures}; next in {rest}",
    Reason.RECYCLE_GIVEN_UP: (
        "{instance} {is_due}, and {tries} replacements in a row did not last: given up until `resume` or another "
        "image or configuration"
    ),
}


def template(reason: Reason) -> str:
    """The sentence of a reason; words in braces stand for its numbers and names."""
    return _SENTENCES[reason]


def _measured(facts: Mapping[str, Fact]) -> str:
    goal = facts.get("goal")
    load, target = number(facts.get("load")), number(facts.get("target"))
    if goal == "per_replica":
        return f"load {load}, {target} per replica"
    if goal == "steps":
        return f"load {load}"
    if goal == "utilization":
        return f"utilization {load} % of {target} % on {number(facts.get('ready'))} ready"
    return f"value {load}, target {target} on {number(facts.get('ready'))} ready"


def _load(value: Fact) -> str:
    """A load that is an estimate: three places are more than is known of it.

    >>> [_load(value) for value in (619.6, 1332.1, 6.197, 0.0)]
    ['620', '1330', '6.2', '0']
    """
    if not isinstance(value, float | int) or not value:
        return number(value)
    return number(float(f"{value:.3g}"))


def sentence(step: Step) -> str:
    """One step in words, with its numbers.

    >>> from autoscaler.model.decision import Stage
    >>> sentence(Step(Stage.BOUND, 6, 5, Reason.CAPPED_AT_MAXIMUM))
    '6 are asked for, no more than 5 are allowed'
    """
    words: dict[str, str] = {"before": str(step.before), "after": str(step.after)}
    for key, value in step.facts.items():
        if key.endswith("_bytes"):
            words[key.removesuffix("_bytes")] = f"{float(value or 0) / 2**20:.0f} MiB"
        else:
            words[key.removesuffix("_s")] = span(value) if key.endswith("_s") else number(value)
    if "expected" in step.facts:
        words["expected"], words["per"] = _load(step.facts["expected"]), words.get("per", "")
        words["within"] = f"{number(step.facts.get('within_s'))} s"
    words["measured"] = _measured(step.facts)
    words["by"] = f" by {words['by']}" if words.get("by") else ""
    words["writer"] = f" ({words['writer']})" if words.get("writer") else ""
    words["remedy"] = f" (to keep it from that: {words['remedy']})" if words.get("remedy") else ""
    words["during"] = f" while the window {words['window']} is open" if "window" in words else ""
    words["for_how_long"] = "until resumed" if step.facts.get("rest_s") is None else f"for another {words['rest']}"
    if "cause" in step.facts:
        words["is_due"] = _DUE[Reason(step.facts["cause"])].format_map(_Forgiving(words))
    text = _SENTENCES[step.reason].format_map(_Forgiving(words))
    unread = step.facts.get("unread")
    return f"{text} ({unread} instances could not be read: counted as loaded to the target)" if unread else text


class _Forgiving(dict[str, str]):
    """A word that a step does not carry reads as unknown: an explanation never fails."""

    def __missing__(self, key: str) -> str:
        return "unknown"


def headline(decision: Decision) -> str:
    """The decision in one line: `2 -> 6  above_target`, and whether it is carried out."""
    arrow = f"{decision.current} -> {decision.desired}" if decision.changes else f"{decision.current} stays"
    return f"{arrow}  {decision.reason.value}" + ("" if decision.act or not decision.changes else "  (not acted on)")


def why(decision: Decision) -> str:
    """The sentence of the step that settled the decision; before it, who else has just changed the count."""
    foreign = [sentence(step) for step in decision.steps if step.reason is Reason.FOREIGN_COUNT]
    settled = next((sentence(step) for step in reversed(decision.steps) if step.reason is decision.reason), "")
    return "; ".join([*foreign, settled or headline(decision)])


def asked_for(decision: Decision) -> int:
    """The count the signals ask for before speed, guards and bounds; the count to have where none asks.

    >>> from autoscaler.model.decision import Decision, Stage
    >>> from autoscaler.model.target import WorkloadRef
    >>> wish = Step(Stage.SIGNAL, 5, 17, Reason.ABOVE_TARGET, {"signal": "requests"})
    >>> cap = Step(Stage.BOUND, 17, 12, Reason.CAPPED_AT_MAXIMUM)
    >>> ref = WorkloadRef("compose", "shop", "service", "web")
    >>> asked_for(Decision(ref=ref, policy="web", at=0.0, current=5, desired=12, reason=cap.reason, steps=(wish, cap)))
    17
    """
    combined: int | None = None
    most: int | None = None
    for step in decision.steps:
        if step.stage is _COMBINE:
            combined = step.after
        elif step.stage is _SIGNAL and (most is None or step.after > most):
            most = step.after
    if combined is not None:
        return combined
    return decision.desired if most is None else most


def explain(decision: Decision) -> list[str]:
    """The whole chain in words, one line per step, the headline first."""
    lines = [headline(decision), *map(_line, decision.steps)]
    other = decision.beside
    if other is not None:
        lines += [f"in the shadow, never acted on: {would_have(other)}", *map(_line, other.steps)]
    return lines


def would_have(other: Beside) -> str:
    """What the other algorithm would have, in a few words.

    >>> would_have(Beside("hpa", 11, 12, Reason.ABOVE_TARGET))
    'hpa would go from 11 to 12 (above_target)'
    """
    would = (
        f"stay at {other.desired}" if other.desired == other.current else f"go from {other.current} to {other.desired}"
    )
    return f"{other.algorithm} would {would} ({other.reason.value})"


def _line(step: Step) -> str:
    move = f"{step.before} -> {step.after}" if step.before != step.after else f"{step.after}"
    return f"  {step.stage.value:<9} {move:<10} {step.reason.value:<18} {sentence(step)}"
