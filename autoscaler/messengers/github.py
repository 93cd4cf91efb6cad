"""Which commit is live in which environment, as GitHub's Deployments or commit statuses; written only on change."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from autoscaler.clients.github import GitHub
from autoscaler.clients.github_login import Purpose
from autoscaler.errors import GitHubBusy, GitHubError
from autoscaler.ports import Live

TASK = "autoscaler-policy"
LONGEST = 140  # characters of a description
_DEPLOYED = {Live.ACTIVE: "success", Live.REJECTED: "failure"}


class GitHubForge:
    """The repository of policies at GitHub. `report` is `deployments`, `statuses` or `off`."""

    def __init__(self, github: GitHub, report: str, environment: str) -> None:
        self._github, self._report, self._environment = github, report, environment

    @property
    def remaining(self) -> int | None:
        """How many requests are left of this hour, as far as GitHub told."""
        return self._github.governor.remaining

    async def report(self, commit: str, live: Live, text: str) -> None:
        """Say how a commit fares. Raises GitHubError."""
        text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        if self._report == "deployments":
            await self._deploy(commit, _DEPLOYED[live], text)
        elif self._report == "statuses":
            await self._mark(commit, _DEPLOYED[live], text)

    async def pull_of(self, commit: str) -> int | None:
        """The number of the pull request that brought a commit. Raises GitHubBusy."""
        try:
            answer = await self._github.get(self._github.at(f"/commits/{quote(commit)}/pulls"), purpose=Purpose.PULLS)
        except GitHubBusy:
            raise
        except GitHubError:
            return None  # without the permission, or with a commit that was never pushed there
        found = [each.get("number") for each in answer.body or () if isinstance(each, dict)]
        return next((each for each in found if isinstance(each, int)), None)

    async def _deploy(self, commit: str, state: str, text: str) -> None:
        """One Deployment for each commit and environment, found again by them; one of before is ended."""
        path = self._github.at("/deployments")
        mine = {"environment": self._environment, "task": TASK}
        answer = await self._github.get(path, purpose=Purpose.DEPLOYMENTS, params={**mine, "per_page": 30})
        known: list[dict[str, Any]] = [each for each in answer.body or () if isinstance(each, dict)]
        own = next((each for each in known if each.get("sha") == commit), None)
        if own is None:
            listed = await self._github.get(path, purpose=Purpose.DEPLOYMENTS, params={**mine, "sha": commit})
            own = next(iter(listed.body or ()), None)
        if own is None:
            wanted = {
                "ref": commit, "auto_merge": False, "required_contexts": [], "transient_environment": False,
                "description": "scaling policies", **mine,
            }  # fmt: skip
            own = (await self._github.post(path, wanted, purpose=Purpose.DEPLOYMENTS)).body
        await self._put(own["id"], state, text)
        if state == "success":
            for each in known:
                if each.get("sha") != commit and await self._state(each["id"]) == ("success",):
                    await self._put(each["id"], "inactive", "other policies are in force")
                    break  # one at most is active

    async def _put(self, deployment: int, state: str, text: str) -> None:
        if not _says(await self._latest(deployment), state, text):
            told = {"state": state, "description": text, "environment": self._environment, "auto_inactive": False}
            path = self._github.at(f"/deployments/{deployment}/statuses")
            await self._github.post(path, told, purpose=Purpose.DEPLOYMENTS)

    async def _state(self, deployment: int) -> tuple[str, ...]:
        return (await self._latest(deployment))[:1]

    async def _latest(self, deployment: int) -> tuple[str, ...]:
        """State and description of the newest status; nothing where there is none."""
        path = self._github.at(f"/deployments/{deployment}/statuses")
        answer = await self._github.get(path, purpose=Purpose.DEPLOYMENTS, params={"per_page": 1})
        newest = next(iter(answer.body or ()), None)
        return (str(newest.get("state")), str(newest.get("description"))) if isinstance(newest, dict) else ()

    async def _mark(self, commit: str, state: str, text: str) -> None:
        """A commit status, whose context names the environment: several daemons do not overwrite each other's."""
        context = f"autoscaler/{self._environment}"
        path = self._github.at(f"/commits/{commit}/status")
        answer = await self._github.get(path, purpose=Purpose.STATUSES, params={"per_page": 100})
        listed = answer.body.get("statuses", ()) if isinstance(answer.body, dict) else ()
        for each in listed:
            if each.get("context") == context and _says((each.get("state"), each.get("description")), state, text):
                return
        told = {"state": state, "description": text, "context": context}
        await self._github.post(self._github.at(f"/statuses/{commit}"), told, purpose=Purpose.STATUSES)


def _says(latest: tuple[str, ...], state: str, text: str) -> bool:
    """Whether that is said already. A success that is said again starts workflows again, whatever its words."""
    return latest[:1] == (state,) and (state != "failure" or latest == (state, text))
