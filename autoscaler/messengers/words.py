"""A message in words."""

from __future__ import annotations

from autoscaler.model.notice import Kind, Message, Problem, Status

TITLES = {
    Kind.STATE_MISSING: "state not known",
    Kind.STUCK: "what is wanted cannot be had",
    Kind.SHORT_AT_MAX: "short at max",
    Kind.CAPPED_AT_QUOTA: "held by a quota",
    Kind.CONTESTED: "contested",
    Kind.PAUSE_UNREADABLE: "a pause that cannot be read",
    Kind.FLEET_BRAKE: "the fleet's brake holds",
    Kind.GIVEN_UP: "replacements given up",
    Kind.BREAKER_OPEN: "the breaker is open",
    Kind.POLICIES_REJECTED: "policies rejected",
    Kind.LEADER_FLAPPING: "the leader changes too often",
    Kind.STORE_FAILING: "the store fails",
    Kind.DATA_MISSING: "data missing",
    Kind.NEVER_READY: "replacements never become ready",
}
SAID = {Status.PROBLEM: "", Status.RESOLVED: "over: ", Status.STILL: "still: "}


def title(message: Message) -> str:
    """One line."""
    first, more = message.problems[0], message.count - 1
    about = f": {first.workload or 'autoscaler'}{f' and {more} more' if more else ''}"
    return f"{SAID[message.status]}{TITLES[message.kind]}{about}"


def body(message: Message) -> str:
    """A line for each problem, and one for those that are not told of."""
    rest = message.count - len(message.problems)
    return "\n".join([*map(_line, message.problems), *([f"and {rest} more"] if rest else [])])


def _line(problem: Problem) -> str:
    policy = f" (policy {problem.policy})" if problem.policy else ""
    return f"{problem.workload}{policy}: {problem.text}" if problem.workload else problem.text
