"""What a login at GitHub is worth: by feature, with the clock, what is left of the hour, and the branch's rules."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from autoscaler.clients.github import GitHub
from autoscaler.clients.github_login import AppLogin, Purpose
from autoscaler.decide.explain import span
from autoscaler.doctor.findings import Finding, Verdict, failure, fault, fine, warning
from autoscaler.errors import AutoscalerError, GitHubError

SKEW_S = 30.0  # a clock that is off by more is worth mending
LOW = 0.2  # of the hour's requests
CHECK = "autoscaler / plan"
FEATURES = {
    "policies from git": Purpose.POLICIES,
    "plan in pull requests": Purpose.PLAN,
    "live revision by deployments": Purpose.DEPLOYMENTS,
    "live revision by statuses": Purpose.STATUSES,
    "pull request in explain": Purpose.PULLS,
}
_RANK = {"": 0, "read": 1, "write": 2, "admin": 3}


async def examine_github(github: GitHub, ref: str, used: frozenset[Purpose]) -> list[Finding]:
    """Everything that is to be known. `used` are the features that the settings want: of others it is only said."""
    try:
        found = await _login(github, used)
    except AutoscalerError as error:
        return [fault("login", _clean(github, error))]
    if any(each.about == "login" and each.verdict is Verdict.FAILURE for each in found):
        return found
    return [*found, _clock(github), *await _rules(github, ref), _rate(github)]


async def _login(github: GitHub, used: frozenset[Purpose]) -> list[Finding]:
    login = github.login
    if not isinstance(login, AppLogin):
        return await _by_token(github, used)
    app, installation = await login.app(), await login.installation()
    name = f"{login.name} ({app.get('slug') or app.get('name')})"
    found = [fine("login", f"{name} is installed at {github.repository}")]
    if installation.get("suspended_at"):
        return [failure("login", f"{name} is suspended at {github.repository}", "unsuspend it where it is installed")]
    held = installation.get("permissions")
    held = {str(key): str(value) for key, value in held.items()} if isinstance(held, dict) else {}
    for feature, purpose in FEATURES.items():
        found.append(_feature(feature, purpose, held, wanted=purpose in used))
    needed = {key for purpose in FEATURES.values() for key in purpose.permissions}
    if unused := sorted(set(held) - needed):
        fix = "take away what nothing here uses: on the App's page, Permissions"
        found.append(warning("permissions", f"held and never used here: {', '.join(unused)}", fix))
    return found


def _feature(feature: str, purpose: Purpose, held: dict[str, str], *, wanted: bool) -> Finding:
    missing = {
        key: level for key, level in purpose.permissions.items() if _RANK.get(held.get(key, ""), 0) < _RANK[level]
    }
    if not missing:
        return fine(feature, "every permission is held")
    said = "missing: " + ", ".join(f"{key} {level}" for key, level in missing.items())
    if not wanted:
        return Finding(about=feature, verdict=Verdict.NONE, text=f"{said}; the settings do not want it")
    return failure(feature, said, "add it on the App's page, Permissions, and approve it where the App is installed")


async def _by_token(github: GitHub, used: frozenset[Purpose]) -> list[Finding]:
    """What a token of somebody's can read, tried. What it can write is told by GitHub only once it is done."""
    try:
        told = await github.get(github.at(), purpose=Purpose.RULES)
    except GitHubError as error:
        fix = f"is the token good, and {github.repository} among its repositories?"
        return [fault("login", _clean(github, error), fix)]
    found = [fine("login", f"{github.login.name} reads {told.body.get('full_name')}")]
    asks = {
        "policies from git": ("/commits/HEAD", Purpose.POLICIES),
        "plan in pull requests": ("/pulls", Purpose.PLAN),
        "live revision by deployments": ("/deployments", Purpose.DEPLOYMENTS),
        "live revision by statuses": ("/commits/HEAD/status", Purpose.STATUSES),
    }
    for feature, (path, purpose) in asks.items():
        try:
            await github.get(github.at(path), purpose=purpose, params={"per_page": 1})
        except GitHubError as error:
            unwanted = Finding(about=feature, verdict=Verdict.NONE, text=error.message)
            found.append(fault(feature, _clean(github, error)) if purpose in used else unwanted)
        else:
            writes = [key for key, level in purpose.permissions.items() if level == "write"]
            said = "can be read" + (f"; whether it may write {' and '.join(writes)} shows in use" if writes else "")
            found.append(fine(feature, said))
    return found


def _clock(github: GitHub) -> Finding:
    skew = github.wire.skew_s
    if abs(skew) <= SKEW_S:
        return fine("clock", "agrees with GitHub's")
    behind = "behind" if skew > 0 else "ahead of"
    return warning("clock", f"{span(abs(skew))} {behind} GitHub's", "set it by NTP; tokens are asked for by GitHub's")


def _rate(github: GitHub) -> Finding:
    left, most, reset = github.governor.remaining, github.governor.limit, github.governor.reset
    if left is None or not most:
        return fine("rate", "this GitHub tells no limit")
    said = f"{left} of {most} requests are left of this hour"
    if left >= LOW * most or reset is None:
        return fine("rate", said)
    return warning("rate", said, "who else uses this login? An App has a limit of its own")


async def _rules(github: GitHub, ref: str) -> list[Finding]:
    """Whether somebody has to look at a change before it is in force."""
    about = "branch"
    try:
        if ref == "HEAD":
            told = await github.get(github.at(), purpose=Purpose.RULES)
            ref = str(told.body.get("default_branch") or "main")
        path = github.at(f"/rules/branches/{quote(ref.removeprefix('refs/heads/'), safe='')}")
        listed = [each for each in await github.pages(path, purpose=Purpose.RULES) if isinstance(each, dict)]
    except GitHubError as error:
        return [Finding(about=about, verdict=Verdict.NONE, text=f"its rules cannot be told: {error.message}")]
    reviews = max((_approvals(each) for each in listed if each.get("type") == "pull_request"), default=None)
    checks = {name for each in listed if each.get("type") == "required_status_checks" for name in _contexts(each)}
    found = []
    if reviews:
        found.append(fine(about, f"{ref} takes what {reviews} approved"))
    else:
        said = f"by its rulesets {ref} takes changes that nobody approved, and they are in force within a minute"
        found.append(warning(about, said, "ask for a pull request and an approval: Settings, Rules, Rulesets"))
    if CHECK in checks:
        found.append(fine(about, f"{ref} requires the check {CHECK}"))
    else:
        fix = "add it to the required checks, where you use the action: Settings, Rules, Rulesets"
        found.append(warning(about, f"by its rulesets {ref} does not require the check {CHECK}", fix))
    if not any(each.get("type") == "non_fast_forward" for each in listed):
        fix = "block force pushes; until then one is held back and needs `autoscaler sync --accept`"
        found.append(warning(about, f"by its rulesets {ref} may be forced to another history", fix))
    return found


def _approvals(rule: dict[str, Any]) -> int:
    number = (rule.get("parameters") or {}).get("required_approving_review_count")
    return number if isinstance(number, int) else 0


def _contexts(rule: dict[str, Any]) -> list[str]:
    listed = (rule.get("parameters") or {}).get("required_status_checks") or ()
    return [str(each.get("context")) for each in listed if isinstance(each, dict)]


def _clean(github: GitHub, error: AutoscalerError) -> AutoscalerError:
    return AutoscalerError(github.redact(error.message), hint=error.hint)
