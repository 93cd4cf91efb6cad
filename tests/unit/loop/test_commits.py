"""Policies that are commits: what is refused stays out, what is in force is kept, people's words reach the source."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autoscaler.errors import PolicyError, UsageError
from autoscaler.loop.commit_words import Commits
from autoscaler.loop.desk import Word
from autoscaler.model.commits import Origin, Said
from autoscaler.model.policy import PolicySet
from autoscaler.ports import Revision
from autoscaler.store.memory import MemoryStore
from tests.support.virtual import run
from tests.unit.loop.house import POLICY, WEB, House, Texts

A, B = "a" * 40, "b" * 40
ORIGIN = Origin(url="https://git.example/shop.git", ref="main", path="")


class Pushed(Texts):
    """A repository that a test pushes to."""

    def __init__(self) -> None:
        super().__init__(POLICY)
        self._waiting.get_nowait()
        self.kept: list[str] = []
        self.said: list[Said] = []

    def push(self, commit: str, text: str = POLICY, **more: tuple[str, ...]) -> None:
        """Offer this commit next."""
        tests = tuple((f"{each}.test.yaml", each) for each in more.pop("tests", ()))
        self._waiting.put_nowait(Revision(commit, (("policies/web.yaml", text),), tests, **more))

    def heed(self, said: Said) -> None:
        self.said.append(said)

    async def keep(self, revision: str) -> None:
        self.kept.append(revision)


async def prove(loaded: PolicySet, tests: Sequence[tuple[str, str]]) -> None:
    if any(text == "fails" for _, text in tests):
        raise PolicyError(("web.test.yaml:3:1: this test fails: quiet nights",))


def housed(pushed: Pushed, store: MemoryStore | None = None, *, shared: bool = False) -> House:
    found = House(texts=pushed, repository=pushed, prove=prove, store=store, shared=shared)
    found.board.comes_from(ORIGIN)
    return found


def test_only_what_loads_and_passes_its_tests_is_in_force_and_kept() -> None:
    async def main() -> None:
        pushed = Pushed()
        house = housed(pushed)
        async with house.running():
            pushed.push(A, tests=("passes",))
            await house.clock.sleep(20)
            assert (house.board.revision, pushed.kept) == (A, [A])
            for commit, more in (
                ("1" * 40, {"tests": ("fails",)}),
                ("2" * 40, {"problems": ("policies/x.yaml:1:1: a link",)}),
                ("3" * 40, {"text": "name: ["}),
            ):
                pushed.push(commit, **more)  # type: ignore[arg-type]
                await house.clock.sleep(20)
                assert (house.board.revision, house.board.rejected_revision, pushed.kept) == (A, commit, [A])
                assert house.board.problems[0].partition(":")[0].endswith(".yaml")
            pushed.push(B)
            await house.clock.sleep(20)
            assert (house.board.revision, house.board.rejected_revision, pushed.kept) == (B, "", [A, B])

    run(main())


def test_every_decision_on_record_names_the_commit_and_the_place_of_its_policy() -> None:
    async def main() -> None:
        pushed = Pushed()
        house = housed(pushed)
        async with house.running():
            house.dial.values["load"] = 450.0
            pushed.push(A)
            await house.clock.sleep(20)
            told = await house.desk.explain("web")
            assert (told.revision, told.place) == (A, "policies/web.yaml:2")
            pushed.push(B, POLICY.replace("max: 10", "max: 20").lstrip())
            await house.clock.sleep(20)
            told = await house.desk.explain("web")
            assert (told.revision, told.place) == (B, "policies/web.yaml:1")
            lines = (await house.desk.history("web")).lines
            assert {(each.revision, each.place) for each in lines if each.reason == "above_target"} == {
                (A, "policies/web.yaml:2")
            }

    run(main())


def test_a_rollback_reaches_the_source_with_its_reason_also_after_a_restart() -> None:
    async def main() -> None:
        pushed, store = Pushed(), MemoryStore()
        house = housed(pushed, store)
        async with house.running():
            commits = Commits(house.desk)
            pushed.push(A)
            await house.clock.sleep(20)
            with pytest.raises(UsageError, match="no other commit was in force yet"):
                await commits.roll_back("", for_s=60.0, word=Word("ann", "noise"))
            pushed.push(B)
            await house.clock.sleep(20)
            with pytest.raises(UsageError, match="needs a reason"):
                await commits.roll_back("", for_s=60.0)
            with pytest.raises(UsageError, match="may mean several"):
                await commits.roll_back("aaaa", for_s=60.0, word=Word("ann", "noise"))
            with pytest.raises(UsageError, match="must last"):
                await commits.roll_back("", for_s=0.0, word=Word("ann", "noise"))
            done = await commits.roll_back("aaaaaaa", for_s=3600.0, word=Word("ann", "noise"))
            assert done.rollback is not None
            assert (done.rollback.commit, done.rollback.by, done.rollback.why) == (A, "ann", "noise")
            assert pushed.said[-1].rollback == done.rollback
            await house.desk.pause(WEB.key)
            await house.desk.resume(WEB.key)
            assert pushed.said[-1].rollback == done.rollback, "words about a workload leave it alone"
            line = (await house.desk.history(None, limit=3)).lines[-1]
            assert (line.reason, line.by, line.workload) == ("rollback", "ann", "")
        again = Pushed()
        house = housed(again, store)
        async with house.running():
            await house.clock.sleep(1)
            assert again.said[-1].rollback == done.rollback
            await Commits(house.desk).go_on()
            assert again.said[-1].rollback is None

    run(main())


def test_a_commit_that_never_was_in_force_cannot_be_gone_back_to_also_by_its_whole_name() -> None:
    async def main() -> None:
        pushed = Pushed()
        house = housed(pushed)
        async with house.running():
            commits, word = Commits(house.desk), Word("ann", "mine")
            for commit, more in ((A, {}), ("c" * 40, {"problems": ("x.yaml:1:1: a link",)}), (B, {})):
                pushed.push(commit, **more)  # type: ignore[arg-type]
                await house.clock.sleep(20)
            for never in ("c" * 40, "d" * 40, "d" * 7):
                with pytest.raises(UsageError, match="on record as having been in force") as told:
                    await commits.roll_back(never, for_s=60.0, word=word)
                assert "git.pin" in told.value.hint
            assert pushed.said[-1].rollback is None
            for once in (A, B):
                done = await commits.roll_back(once, for_s=60.0, word=word)
                assert done.rollback is not None
                assert done.rollback.commit == once

    run(main())


def test_where_pods_act_by_turns_a_rollback_names_its_commit() -> None:
    async def main() -> None:
        pushed = Pushed()
        house = housed(pushed, shared=True)
        async with house.running():
            commits, word = Commits(house.desk), Word("ann", "noise")
            for commit in (A, B):
                pushed.push(commit)
                await house.clock.sleep(20)
            with pytest.raises(UsageError, match="another pod may have acted") as told:
                await commits.roll_back("", for_s=60.0, word=word)
            assert told.value.hint == "--to COMMIT"
            with pytest.raises(UsageError, match="by what this pod did itself"):
                await commits.roll_back("d" * 40, for_s=60.0, word=word)
            done = await commits.roll_back(A, for_s=60.0, word=word)
            assert done.rollback is not None

    run(main())


def test_only_the_commit_that_is_held_back_can_be_accepted() -> None:
    async def main() -> None:
        pushed = Pushed()
        house = housed(pushed)
        async with house.running():
            commits = Commits(house.desk)
            house.board.comes_from(Origin(url="u", ref="main", path="", held=B))
            for wrong in (A, "bbbb"):
                with pytest.raises(UsageError, match="is not held back"):
                    await commits.sync(wrong)
            await commits.sync("b" * 7)
            assert pushed.said[-1].accepted == B
            looks = len(pushed.said)
            await commits.sync("")
            assert len(pushed.said) > looks

    run(main())


def test_without_a_repository_there_is_nothing_to_roll_back() -> None:
    async def main() -> None:
        house = House()
        async with house.running():
            await house.clock.sleep(20)
            for word in (Commits(house.desk).sync(""), Commits(house.desk).roll_back("", for_s=60.0)):
                with pytest.raises(UsageError, match="not from git"):
                    await word

    run(main())
