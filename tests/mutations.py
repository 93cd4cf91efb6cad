"""Breaks each guard of `autoscaler/decide` on purpose, tells which test notices: `python -m tests.mutations [WORD…]`.

Run by hand. Each break is made in a copy of the tree, never in the tree itself; the scenario tests run first, then the
properties. The last line counts the breaks that nobody noticed; with WORDs only breaks whose line holds one are made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCENARIOS = "tests/scenarios"
PROPERTIES = ["tests/unit/decide", "-k", "not hundred_thousand and not vectors"]
HASTY = {"EXAMPLES": "30", "HASTY": "1", "PYTHONDONTWRITEBYTECODE": "1"}
LIKELY = {
    "guards.py": ("guards", "missing_data", "foreign_counts", "behavior", "rollout"),
    "memory.py": ("foreign_counts", "stories"),
    "controls.py": ("precedence", "foreign_counts", "idle"),
    "bounds.py": ("schedule", "missing_data", "foreign_counts"),
    "idle.py": ("idle",),
    "brake.py": ("brake", "idle"),
    "signals.py": ("missing_data", "schedule", "guards", "brake"),
    "combine.py": ("combine",),
    "votes.py": ("missing_data", "combine"),
    "step.py": ("precedence", "foreign_counts", "brake"),
    "calendar.py": ("schedule",),
    "carrying.py": ("capacity",),
    "adaptive/capacity.py": ("capacity",),
    "adaptive/waiting.py": ("capacity",),
    "plan.py": ("capacity",),
}  # which stories are likely to notice, to be asked first

# file in autoscaler/decide, what stands there, what stands there instead
BREAKS: list[tuple[str, str, str]] = [
    ("carrying.py", "self.carrier.count(need / self.scale)", "self.carrier.count(need)"),
    ("adaptive/capacity.py", "        if most <= start:", "        if most <= 0:"),
    ("adaptive/capacity.py", "if wrong > 0 or not look.most:", "if True:"),
    ("adaptive/waiting.py", "or found < known.carried", ""),
    ("adaptive/waiting.py", "if spread > WIDEST**2:", "if False:"),
    ("adaptive/waiting.py", "    steady = alike and", "    steady = "),
    ("plan.py", 'not in ("wake_above", "told")', 'not in ("wake_above",)'),
    ("guards.py", "    if not turn.missing:\n        return", "    return"),
    ("guards.py", "max(turn.current, ours), Reason.DOUBT", "turn.current, Reason.DOUBT"),
    ("guards.py", "min(stands, turn.high)", "stands"),
    ("controls.py", "idle=None, quiet=None, stands=None)", "idle=None, quiet=None)"),
    ("controls.py", "return msgspec.structs.replace(memory, stands=None)", "return memory"),
    ("guards.py", "seed is None or turn.now", "True or turn.now"),
    ("guards.py", "turn.now >= seed.until or", "turn.now > seed.until or"),
    ("guards.py", "min(seed.count, turn.current)", "seed.count"),
    ("guards.py", "    if raised is None:\n        return", "    return"),
    ("guards.py", "+ 2 * turn.cycle_s - turn.now", "- turn.now"),
    ("guards.py", "ready + turn.policy.lifecycle.warm_up", "ready"),
    ("guards.py", "    if turn.state.rollout:\n", "    if False:\n"),
    ("guards.py", "    if turn.state.ready == 0:", "    if False:"),
    ("guards.py", "if budget is None or turn.memory.heading < 0:", "if True:"),
    ("guards.py", "if budget is None or turn.memory.heading < 0:", "if budget is None:"),
    ("guards.py", "if len(recent) >= budget.count:", "if len(recent) > budget.count:"),
    ("guards.py", "    if turn.plan.claimed_by:", "    if False:"),
    ("guards.py", "_floor(turn, turn.current, Reason.CONTESTED", "_floor(turn, 0, Reason.CONTESTED"),
    ("guards.py", "spaced(turn, turn.memory.raised)", "pass"),
    ("guards.py", "2.0 ** min(memory.pushes, PUSHES)", "1.0"),
    ("guards.py", "PUSHES), CONFLICT_S)", "PUSHES), 6000.0)"),
    ("guards.py", "not turn.plan.strict and (", "("),
    ("guards.py", "    if turn.count > turn.high:", "    if False:"),
    ("memory.py", "if len(recent) + 1 >= CONFLICTS", "if len(recent) >= CONFLICTS"),
    ("memory.py", "now - self.conflicts[-1] < CONFLICT_S", "True"),
    ("memory.py", "(memory.contested(now) or pushed)", "memory.contested(now)"),
    ("memory.py", 'reseed="a restart", known=None, quiet=None', "known=None, quiet=None"),
    ("memory.py", 'reseed="a restart", known=None, quiet=None', 'reseed="a restart", quiet=None'),
    ("memory.py", 'reseed="a restart", known=None, quiet=None', 'reseed="a restart", known=None'),
    ("memory.py", "known=order.count", "known=order.before"),
    ("memory.py", "turns[-reversals:] if reversals else ()", "turns"),
    ("memory.py", "memory.conflicts[1 - CONFLICTS_KEPT :]", "memory.conflicts"),
    ("memory.py", "zero=None if order.count else memory.zero", "zero=memory.zero"),
    ("memory.py", "seed is not None and now < seed.until", "False"),
    ("controls.py", "if memory.paused and turn.plan.workload.override is None:", "if False:"),
    ("controls.py", "    memory = conflicted(memory, turn.now)\n", ""),
    ("controls.py", "    if turn.current > known:\n", "    if False:\n"),
    ("controls.py", "max(turn.plan.behavior.down.stabilization_s, FOREIGN_HOLD_S)", "FOREIGN_HOLD_S"),
    ("controls.py", "    if known == 0:\n", "    if False:\n"),
    ("controls.py", "and not turn.seen.busy", ""),
    ("controls.py", "(said.pause.until is None or turn.now < said.pause.until)", "True"),
    ("controls.py", "and turn.now < said.override.until", ""),
    ("controls.py", "            spaced(turn, memory.applied)", "            pass"),
    ("controls.py", "paused=True, idle=None, quiet=None", "paused=False, idle=None, quiet=None"),
    ("controls.py", "paused=True, idle=None, quiet=None", "paused=True, idle=None"),
    ("controls.py", "freed = said.override.count", "pass"),
    ("controls.py", "if not turn.state.off_by_owner or turn.current != 0:", "if True:"),
    ("controls.py", "and (foreign is None or foreign <= applied.at)", ""),
    ("controls.py", "ours and turn.plan.ref.platform != TELLS_WRITERS", "ours"),
    ("controls.py", "zero is not None and resumed >= zero", "zero is not None"),
    ("bounds.py", "min(max(low, self.floor.window.min or 0), high)", "max(low, self.floor.window.min or 0)"),
    ("bounds.py", "max(min(high, self.ceiling.window.max or high), low)", "min(high, self.ceiling.window.max or high)"),
    ("bounds.py", "low = min(max(low, self.least[1]), high)", "low = max(low, self.least[1])"),
    ("bounds.py", "return max(floors, key", "return min(floors, key"),
    ("bounds.py", "return min(ceilings, key", "return max(ceilings, key"),
    ("bounds.py", "return max(found, key", "return min(found, key"),
    ("bounds.py", 'if goal.kind != "wake_above"]\n    found', "]\n    found"),
    ("bounds.py", "turn.plan.strict:\n        turn.move(turn.high", "False:\n        turn.move(turn.high"),
    ("bounds.py", "    elif turn.state.rollout:", "    elif False:"),
    ("bounds.py", "rest > 0 and memory.applied is None and not memory.conflicts", "False"),
    ("bounds.py", "memory.applied is None and not memory.conflicts", "memory.applied is None"),
    ("bounds.py", "max(turn.high, min(allowed, turn.current))", "turn.high"),
    ("bounds.py", "if down.select is hpa.Select.DISABLED:", "if False:"),
    ("bounds.py", "        flapping(turn)\n", ""),
    ("bounds.py", "    for guard in ALWAYS:\n        guard(turn)\n", ""),
    ("idle.py", "if asleep and not floor:", "if asleep:"),
    ("idle.py", "or wakes.unread or _asking", "or _asking"),
    ("idle.py", "or turn.missing or wakes.above", "or wakes.above"),
    ("idle.py", "or wakes.above or wakes.unread", "or wakes.unread"),
    ("idle.py", "or wakes.unread or _asking(turn, votes):", "or wakes.unread:"),
    ("idle.py", "asleep or floor or turn.missing", "asleep or turn.missing"),
    ("idle.py", "turn.now - memory.quiet_at <= turn.gap_s", "True"),
    ("idle.py", "    if rest > 0:", "    if False:"),
    ("idle.py", "    turn.by_load = True\n", ""),
    ("idle.py", "by = wakes.above or [", "by = [] or ["),
    ("idle.py", "min(max([turn.low, *wishes]), turn.high)", "turn.low"),
    ("idle.py", "_long_unread(turn) and _may_wake(turn, brake)", "_long_unread(turn)"),
    ("idle.py", "all(turn.now - since >= UNREAD_S", "any(turn.now - since >= UNREAD_S"),
    ("idle.py", "turn.now - since >= UNREAD_S", "True"),
    ("idle.py", "idle.on_doubt is OnDoubt.WAKE and", ""),
    ("idle.py", "turn.policy.mode is Mode.OBSERVE or", ""),
    ("idle.py", "load > limit else self.quiet", "load >= limit else self.quiet"),
    ("brake.py", "self.wanting > 2 * self._fleet.allowed", "self.wanting > 3 * self._fleet.allowed"),
    ("brake.py", "and not self._vouched", ""),
    ("brake.py", "if self.latched is not None:\n            return True", "if False:\n            return True"),
    ("brake.py", "if key not in self.shrunk and len(", "if len("),
    ("brake.py", "if now - at < PERIOD_S}", "}"),
    ("brake.py", "now - latched >= LATCH_S", "False"),
    ("brake.py", "max(AT_LEAST, math.floor", "max(0, math.floor"),
    ("brake.py", "DOUBT_SHARE * self.idle", "DOUBT_SHARE * self._fleet.size"),
    ("brake.py", "return self.cycle == now", "return False"),
    ("signals.py", "wish >= turn.current or not turn.missing", "True"),
    ("signals.py", "        elif wish < turn.current and strict:", "        elif False:"),
    ("signals.py", "if not (strict and 0 < turn.current < turn.low):", "if True:"),
    ("signals.py", "    if turn.current < turn.low:\n        raised", "    if False:\n        raised"),
    ("signals.py", "    guarded(turn)\n    turn.by_load = True", "    turn.by_load = True"),
    ("signals.py", "    turn.by_load = True", "    pass"),
    ("signals.py", "and turn.current <= before", ""),
    ("signals.py", 'freed=before, reseed="a floor\'s end"', "freed=before"),
    ("signals.py", 'freed=before, reseed="a floor\'s end"', 'reseed="a floor\'s end"'),
    ("signals.py", 'reseed="a pause or an override that ended"', 'reseed=""'),
    ("signals.py", 'reseed="signals that changed"', 'reseed=""'),
    ("signals.py", "            freed=turn.current,\n", ""),
    ("signals.py", "            good={},\n", ""),
    ("signals.py", "            covered=(),\n", ""),
    ("signals.py", "freed=memory.freed if wish < turn.current else 0", "freed=memory.freed"),
    ("signals.py", "turn.now - memory.accepted > turn.gap_s:\n        because", "False:\n        because"),
    ("signals.py", "max(turn.plan.behavior.down.stabilization_s, memory.lead + 2 * turn.cycle_s)", "60.0"),
    ("signals.py", "max(turn.plan.behavior.down.stabilization_s, memory.lead + 2 * turn.cycle_s)",
     "turn.plan.behavior.down.stabilization_s"),
    ("signals.py", "if past.recommendations is None else past)", "if False else past)"),
    ("signals.py", "        wish=result.replicas,", "        wish=wish,"),
    ("signals.py", "turn.now - memory.accepted <= turn.gap_s else None", "True else None"),
    ("signals.py", "wish <= turn.current < stands", "False"),
    ("signals.py", "if state.rollout and state.existing > turn.current", "if False and state.existing > turn.current"),
    ("signals.py", "max(turn.current, together(cast(turn, settled)", "min(turn.current, together(cast(turn, settled)"),
    ("signals.py", "is Combine.ALL and len(votes) > 1", "is Combine.ALL"),
    ("signals.py", "turn.plan.strict and turn.memory.history.recommendations is None", "False"),
    ("combine.py", "if min(wishes) > current:", "if max(wishes) > current:"),
    ("combine.py", "min(wishes), Reason.ALL", "max(wishes), Reason.ALL"),
    ("combine.py", "if max(wishes) < current", "if min(wishes) < current"),
    ("votes.py", "if signal.from_instances and ballot.state.existing == 0:", "if False:"),
    ("votes.py", "    if implausible is not None:", "    if False:"),
    ("votes.py", "    if uncovered is None:", "    if True:"),
    ("votes.py", "return Vote(counted.count, step, missing=True)", "return Vote(counted.count, step)"),
    ("votes.py", "Reason.SIGNAL_MISSING, facts), missing=True)", "Reason.SIGNAL_MISSING, facts))"),
    ("votes.py", "Reason.LAST_GOOD, facts), missing=True)", "Reason.LAST_GOOD, facts))"),
    ("votes.py", "if age <= failed.last_good:", "if True:"),
    ("votes.py", "isinstance(ballot.vouchers.get(signal.name), Series) else None", "True else None"),
    ("votes.py", "goal.signal not in ballot.memory.covered", "True"),
    ("votes.py", "if share >= wanted:", "if share > wanted:"),
    ("votes.py", "if at_most is not None and asked > at_most:", "if False:"),
    ("votes.py", "if reading.unread and asked < current and", "if False and"),
    ("votes.py", "    elif reading.unread and asked < current:", "    elif False:"),
    ("step.py", "age > 3 * cycle_s", "age > 3 * turn.cycle_s"),
    ("step.py", "    if age > LONGEST_STALE_S and", "    if False and"),
    ("step.py", "brake, look=False)", "brake)"),
    ("step.py", "not (controls.controlled(turn) or controls.off_by_owner(turn))",
     "not (controls.off_by_owner(turn) or controls.controlled(turn))"),
    ("step.py", "    if turn.current > turn.high:\n        bounds", "    if False:\n        bounds"),
    ("step.py", "if asleep or turn.current > turn.high:", "if asleep:"),
    ("step.py", "if asleep or turn.current > turn.high:", "if turn.current > turn.high:"),
    ("step.py", "turn.current > turn.memory.freed", "True"),
    ("step.py", "shrinks = act and turn.by_load", "shrinks = act"),
    ("step.py", "shrinks = act and", "shrinks ="),
    ("step.py", "if look and not busy and", "if look and"),
    ("step.py", "if busy and turn.count != turn.current:", "if False:"),
    ("step.py", 'return memory.held(counted(look.state), hold, now, "first sight")', "return memory"),
    ("step.py", "idled = reason == Reason.IDLE.value", "idled = False"),
    ("calendar.py", "% 7 for offset", "% 8 for offset"),
    ("calendar.py", "_weekday(first)\n", "(_weekday(first) + 1) % 7\n"),
    ("calendar.py", "if local.date().isoformat() not in window.excepted", "if True"),
    ("calendar.py", "if hourly and second > first:", "if second > first:"),
    ("calendar.py", "if hourly and second > first:", "if hourly:"),
    ("calendar.py", "if start <= now < end:", "if start <= now <= end:"),
    ("calendar.py", "start - window.lasts, start + DAY_S", "start, start + DAY_S"),
    ("recycle.py", "if desired < current or seen.removing:", "if seen.removing:"),
]  # fmt: skip


def broken(copy: Path, file: str, old: str, new: str) -> str | None:
    """The name of the first test that fails with this break; None where none does."""
    path = copy / "autoscaler" / "decide" / file
    whole = path.read_text()
    if old not in whole:
        return "(not there any more: mend this list)"
    path.write_text(whole.replace(old, new, 1))
    try:
        likely = [f"{SCENARIOS}/test_{name}.py" for name in LIKELY.get(file, ())]
        for suite in ([*likely, SCENARIOS], PROPERTIES):
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *suite],
                cwd=copy,
                env={**os.environ, **HASTY, "PYTHONPATH": str(copy)},
                capture_output=True,
                text=True,
                check=False,
            )
            found = re.search(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)
            if ran.returncode:
                return found.group(1).split("/")[-1] if found else "(does not run)"
    finally:
        path.write_text(whole)
    return None


def main() -> int:
    """Make every break, one after the other; 1 if any went unnoticed."""
    words = sys.argv[1:] or [""]
    unnoticed = made = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("autoscaler", "tests", "benchmarks"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for file, old, new in BREAKS:
            line = f"{file}: {' '.join(old.split())} -> {' '.join(new.split()) or 'nothing'}"
            if not any(word in line for word in words):
                continue
            noticed = broken(copy, file, old, new)
            made += 1
            unnoticed += noticed is None
            print(f"{line}\n    {noticed or 'NOBODY NOTICED'}", flush=True)
    print(f"{made} breaks, {unnoticed} unnoticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
