"""The documentation is held against the code: nothing in it is stale, broken or missing."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from autoscaler import settings
from autoscaler.cli.root import COMMANDS
from autoscaler.decide.explain import template
from autoscaler.model.cleanup import Why
from autoscaler.model.decision import Reason
from autoscaler.model.notice import Kind
from autoscaler.model.operation import OutcomeKind
from autoscaler.policy.importers import hpa, keda
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.report import Turned
from autoscaler.policy.later import LATER
from autoscaler.policy.load import load
from autoscaler.policy.nodes import Problem, plain
from autoscaler.reference import MARK, PARTS, fresh
from autoscaler.store.policy_files import files

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
FENCE = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def examples(kind: str) -> Iterator[tuple[str, str]]:
    """Where each fenced example of a kind begins, and its text."""
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            if found["kind"] == kind:
                yield f"{name(page)}:{text.count(chr(10), 0, found.start()) + 2}", found["text"]


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_the_made_parts_of_a_page_are_not_stale(page: Path) -> None:
    assert page.read_text() == fresh(page.read_text()), "run: python -m autoscaler.reference docs"


def test_every_made_part_stands_on_a_page() -> None:
    written = {found["name"] for page in DOCS for found in MARK.finditer(page.read_text())}
    assert written == set(PARTS)


@pytest.mark.parametrize(("place", "text"), [each for each in examples("yaml") if "\ntarget:" in each[1]])
def test_every_policy_in_the_documentation_loads(place: str, text: str) -> None:
    assert load([(place, text)], "docs").placed


@pytest.mark.parametrize(("place", "text"), [each for each in examples("yaml") if "kind: cleanup" in each[1]])
def test_every_cleanup_in_the_documentation_loads(place: str, text: str) -> None:
    assert load([(place, text)], "docs").cleanups


def test_every_reason_of_a_cleanup_is_documented_in_order() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (goes|stays) \| ", (ROOT / "docs/cleanup.md").read_text(), re.MULTILINE)
    assert [word for word, _ in rows] == [why.value for why in Why]


def test_the_korean_readme_shows_the_same_and_leads_to_the_same() -> None:
    own, korean = (ROOT / "README.md").read_text(), (ROOT / "README.ko.md").read_text()
    assert [each["text"] for each in FENCE.finditer(korean)] == [each["text"] for each in FENCE.finditer(own)]
    links = re.compile(r"\]\(([^)]+)\)")
    assert links.findall(korean) == [each for each in links.findall(own) if each != "README.ko.md"]
    commands = re.compile(r"`(autoscaler [a-z][^`]*)`")
    assert commands.findall(korean) == commands.findall(own)


def test_the_documentation_has_policies() -> None:
    places = [place for place, text in examples("yaml") if "\ntarget:" in text]
    assert sum(place.startswith("README.md") for place in places) == 2
    assert sum(place.startswith("docs/policies.md") for place in places) >= 3


@pytest.mark.parametrize("file", files([ROOT / "policies"]), ids=name)
def test_every_policy_of_the_folder_loads(file: Path) -> None:
    (placed,) = load([(name(file), file.read_text())], "policies").placed
    assert file.read_text().startswith("#"), "it says what it is for"
    assert placed.policy.replicas is not None


@pytest.mark.parametrize(("page", "turn"), [("from-hpa.md", hpa.turn), ("from-keda.md", keda.turn)])
def test_the_manifest_of_a_guide_becomes_the_policy_below_it(page: str, turn: Callable[..., list[Turned]]) -> None:
    text = (ROOT / "docs" / page).read_text()
    manifest, policy = (found["text"] for found in FENCE.finditer(text) if found["kind"] == "yaml")
    queries = dict(re.findall(r"--query '([a-z_]+)=(.+)'$", text, re.MULTILINE))
    problems: list[Problem] = []
    (made,) = turn([(page, manifest)], Wanted(queries=queries), "default", problems)
    assert not problems
    assert (made.policy,) == load([(page, policy)], "docs").policies


def test_every_settings_example_loads(tmp_path: Path) -> None:
    found = [text for _, text in examples("yaml") if text.startswith("# autoscaler.yaml")]
    assert found
    for text in found:
        (tmp_path / "autoscaler.yaml").write_text(text)
        settings.load(tmp_path / "autoscaler.yaml", {})


def test_every_reason_is_documented_with_the_sentence_it_has() -> None:
    rows = [line.split(" | ") for line in (ROOT / "docs/reasons.md").read_text().splitlines() if line.startswith("| `")]
    told = {row[0].strip("| `"): row[1] for row in rows}
    assert told == {reason.value: template(reason) for reason in Reason}
    assert all(len(row) == 3 and len(row[2]) > 20 for row in rows), "each says what it means"


def test_troubleshooting_has_every_reason_once() -> None:
    rows = [line for line in (ROOT / "docs/troubleshooting.md").read_text().splitlines() if line.startswith("| `")]
    told = [word for row in rows for word in re.findall(r"`([a-z_]+)`", row.split(" | ")[0])]
    assert sorted(told) == sorted(reason.value for reason in Reason)


def test_every_page_has_its_place_in_the_site_and_nothing_else_has() -> None:
    site = msgspec.convert(plain((ROOT / "mkdocs.yml").read_text().replace("!!python/object/apply:", "!")), dict)
    pages = [page for room in site["nav"] for entries in room.values() for page in entries]
    named = [page if isinstance(page, str) else next(iter(page.values())) for page in pages]
    assert sorted(named) == [page.name for page in DOCS]


def test_every_kind_of_notification_is_documented_in_order() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ", (ROOT / "docs/notifications.md").read_text(), re.MULTILINE)
    assert rows == [kind.value for kind in Kind]


def test_the_readme_names_every_key_that_does_not_work_yet() -> None:
    _, _, section = (ROOT / "README.md").read_text().partition("## Not yet\n")
    named = {each.rpartition(".")[2] for each in re.findall(r"`([a-z.]+)`", section)}
    assert named == {key for keys in LATER.values() for key in keys}


def test_the_audit_names_every_end_of_an_operation() -> None:
    row = next(each for each in (ROOT / "docs/audit.md").read_text().splitlines() if each.startswith("| `outcome`"))
    assert {kind.value for kind in OutcomeKind} <= set(re.findall(r"`([a-z]+)`", row))


def test_every_command_that_is_shown_exists() -> None:
    for page in PAGES:
        for word in re.findall(r"(?:^|`)autoscaler ([a-z][a-z-]*)", page.read_text(), re.MULTILINE):
            assert word in COMMANDS, f"{name(page)}: autoscaler {word}"


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            file, _, anchor = link.partition("#")
            where = (page.parent / file) if file else page
            assert where.exists(), f"{name(page)}: {link}"
            assert not anchor or anchor in anchors(where.read_text()), f"{name(page)}: {link}"


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_rooms_the_architecture_names_exist() -> None:
    text = FENCE.sub("", (ROOT / "docs/architecture.md").read_text())
    for word in re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)`", text):
        places = [ROOT / "autoscaler", ROOT, *(each for each in (ROOT / "autoscaler").iterdir() if each.is_dir())]
        assert any((place / word).exists() for place in places), f"docs/architecture.md: {word}"


def test_every_room_stands_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    for room in sorted((ROOT / "autoscaler").iterdir()):
        if room.is_dir() and (room / "__init__.py").exists():
            assert f"`{room.name}/`" in text, room.name


GUIDE = ROOT / "docs/is-my-policy-any-good.md"
MAKER = ROOT / "docs/pictures/make.py"


def test_the_guide_shows_what_its_commands_print_and_draw(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make", MAKER)
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    printed = make.main(tmp_path / "shop").splitlines()
    blocks: dict[str, list[str]] = {}
    for found in FENCE.finditer(GUIDE.read_text()):
        blocks.setdefault(found["kind"], []).append(found["text"])
    assert blocks["yaml"] == [make.POLICY]
    assert len(blocks["text"]) == len(make.STEPS)
    for text in [*blocks["text"], *blocks["diff"]]:
        assert [line for line in text.splitlines() if line != "…" and line not in printed] == []
    pictures = sorted(MAKER.parent.glob("*.svg"))
    pictures.remove(MAKER.parent / "demo.svg")  # of a real run, by docs/pictures/demo.py
    assert len(pictures) == 3
    for picture in pictures:
        made = (tmp_path / "shop" / picture.name).read_text()
        assert picture.read_text() == made, "run: python docs/pictures/make.py"
        assert f"pictures/{picture.name}" in GUIDE.read_text()
