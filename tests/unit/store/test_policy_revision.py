"""Policies as they were at a git revision: by any of its names, without a work tree, and what cannot be had is said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from autoscaler.errors import UsageError
from autoscaler.store.policy_revision import read_at

OLD, NEW = "name: web\n", "name: web\nmode: observe\n"


def git(folder: Path, *words: str) -> str:
    """Run git there, by nobody's configuration."""
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(folder)}
    author = {f"GIT_{role}_{what}": "a@b.example" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env={**os.environ, **nobody, **author}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with policies in a folder, tagged v1, and changed since."""
    git(tmp_path, "init", "-q", "-b", "main")
    folder = tmp_path / "policies"
    (folder / "more" / ".hidden").mkdir(parents=True)
    (folder / "web.yaml").write_text(OLD)
    (folder / "more" / "defaults.yml").write_text("kind: defaults\n")
    for other in ("web.test.yaml", "README.md", "more/.hidden/x.yaml"):
        (folder / other).write_text("nothing of ours\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "tag", "-a", "v1", "-m", "v1")
    (folder / "web.yaml").write_text(NEW)
    git(tmp_path, "commit", "-qam", "second")
    (folder / "web.yaml").write_text("name: not committed\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("revision", ["v1", "HEAD~1", "main~1", "main@{1}"])
def test_a_revision_goes_by_any_of_its_names(home: Path, revision: str) -> None:
    assert read_at(Path("policies/web.yaml"), revision) == [(f"{revision}:policies/web.yaml", OLD)]
    assert read_at(Path("policies/web.yaml"), git(home, "rev-parse", "main")[:8])[0][1] == NEW


@pytest.mark.parametrize("place", ["policies", "policies/", "./policies", "."])
def test_of_a_folder_the_same_files_count_as_today(home: Path, place: str) -> None:
    names = [name.rpartition("policies/")[2] for name, _ in read_at(Path(place), "v1")]
    assert names == ["more/defaults.yml", "web.yaml"]


def test_a_place_is_found_from_anywhere_and_after_it_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home / "policies" / "more")
    assert read_at(Path("../web.yaml"), "v1")[0][1] == OLD
    monkeypatch.chdir("/")
    for each in sorted((home / "policies").rglob("*"), reverse=True):
        each.unlink() if each.is_file() else each.rmdir()
    (home / "policies").rmdir()
    assert [text for _, text in read_at(home / "policies", "v1")] == ["kind: defaults\n", OLD]


def test_no_filter_of_the_repository_runs(home: Path) -> None:
    (home / ".gitattributes").write_text("*.yaml filter=loud\n")
    git(home, "config", "filter.loud.smudge", "touch ran; cat")
    git(home, "config", "core.fsmonitor", "touch ran")
    assert read_at(Path("policies/web.yaml"), "v1")[0][1] == OLD
    assert not (home / "ran").exists()
    assert (home / "policies" / "web.yaml").read_text() == "name: not committed\n"


WRONG = {
    "unknown": ("policies", "v2", "v2: no such revision in this repository"),
    "an option": ("policies", "--help", "--help: no such revision in this repository"),
    "not there then": ("policies/api.yaml", "v1", "policies/api.yaml: not in revision v1"),
    "no policies": ("policies/more/.hidden", "v1", None),
    "a folder without": ("empty", "main", "empty: not in revision main"),
    "no repository": ("/", "v1", "/: not in a git repository"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_had_is_one_sentence_with_a_way_out(home: Path, case: str) -> None:
    place, revision, said = WRONG[case]
    if said is None:
        assert [text for _, text in read_at(Path(place), revision)] == ["nothing of ours\n"], "hidden, but named"
        return
    with pytest.raises(UsageError) as told:
        read_at(Path(place), revision)
    assert told.value.message.startswith(said)
    assert told.value.hint


def test_a_link_is_not_followed(home: Path) -> None:
    (home / "policies" / "link.yaml").symlink_to("web.yaml")
    git(home, "add", "policies/link.yaml")
    git(home, "commit", "-qm", "third")
    with pytest.raises(UsageError, match="is a link in revision main"):
        read_at(Path("policies"), "main")


def test_without_git_it_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="git is not installed"):
        read_at(Path("policies"), "main")
