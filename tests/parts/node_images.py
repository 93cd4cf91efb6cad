"""The images of a real node in one archive: the daemon's, built from the project's Dockerfile, and the tests' own.

The tests' Docker engine builds them; what went in names the archive, so an unchanged tree is not built twice.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.cache import cached, drop_older, locked, whole
from tests.parts.catalogue import image_base, wheels
from tests.parts.engine import Engine, open_engine
from tests.parts.images import REPOSITORY, app_recipe, ensure, pause_recipe

ROOT = Path(__file__).parents[2]
TOLD = ("Dockerfile", "pyproject.toml", "README.md", "LICENSE")  # what the build reads besides the package
BUILD_S = 300.0
PIP = "[global]\nno-index = true\nfind-links = /wheels\n"


@dataclass(frozen=True)
class NodeImages:
    """The archive and the tags in it."""

    archive: Path
    daemon: str
    app: str
    pause: str


def node_images() -> NodeImages:
    """The images of this tree, built unless they are here (about a minute)."""
    mark = _mark()
    daemon, app, pause = f"{REPOSITORY}/daemon:{mark}", app_recipe().tag(), pause_recipe().tag()
    everything = hashlib.sha256(f"{daemon} {app} {pause}".encode()).hexdigest()[:12]
    folder = cached("node-images", everything)
    with locked("node-images"):
        if not folder.exists():
            engine = open_engine()
            try:
                whole(folder, lambda made: _make(engine, daemon, made / "images.tar"))
            finally:
                engine.close()
            drop_older(folder, "node-images")
    return NodeImages(folder / "images.tar", daemon, app, pause)


def of(archive: Path, tag: str) -> tuple[dict[str, Any], set[str]]:
    """An image's configuration, and the paths of all its files (also of those a later layer removes)."""
    with tarfile.open(archive) as tar:
        (entry,) = [each for each in _json(tar, "manifest.json") if tag in each["RepoTags"]]
        paths: set[str] = set()
        for layer in entry["Layers"]:
            with tarfile.open(fileobj=tar.extractfile(layer)) as files:
                paths.update(files.getnames())
        config: dict[str, Any] = _json(tar, entry["Config"])["config"]
    return config, paths


def _make(engine: Engine, daemon: str, archive: Path) -> None:
    with locked("docker-engine"):  # nobody restarts the engine meanwhile
        tags = [daemon, ensure(engine, app_recipe()), ensure(engine, pause_recipe())]
        base, builder, stage = (f"{REPOSITORY}/{name}:latest" for name in ("base", "builder", "daemon-build"))
        with image_base().open("rb") as file:
            engine.docker("import", "-", base, stdin=file.read(), within=BUILD_S)
        try:
            with tempfile.TemporaryDirectory() as context:
                _context_of_builder(Path(context), base)
                _build(engine, Path(context), "--tag", builder)
            with tempfile.TemporaryDirectory() as context:
                _context(Path(context))
                bases = ["--build-arg", f"BASE={base}", "--build-arg", f"BUILDER={builder}"]
                _build(engine, Path(context), *bases, "--target", "build", "--tag", stage)
                _build(engine, Path(context), *bases, "--tag", daemon)
            engine.docker("save", "--output", str(archive), *tags, within=BUILD_S)
        finally:
            engine.docker("image", "rm", "--force", daemon, stage, builder, base, check=False)


def _build(engine: Engine, context: Path, *words: str) -> None:
    # the old builder: it is in every engine, where the newer one needs a plugin, and asks no registry for a local base
    engine.env["DOCKER_BUILDKIT"] = "0"
    engine.docker("build", "--quiet", *words, str(context), within=BUILD_S)


def _context_of_builder(folder: Path, base: str) -> None:
    shutil.copytree(wheels().parent, folder / "wheels")
    (folder / "pip.conf").write_text(PIP)
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY wheels /wheels\nCOPY pip.conf /etc/pip.conf\n")


def _context(folder: Path) -> None:
    for name in TOLD:
        shutil.copy(ROOT / name, folder / name)
    for file in _package():
        place = folder / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)


def _package() -> Iterator[Path]:
    for file in sorted((ROOT / "autoscaler").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def _mark() -> str:
    mark = hashlib.sha256(f"{wheels()} {image_base()}".encode() + Path(__file__).read_bytes())
    for file in [*(ROOT / name for name in TOLD), *_package()]:
        mark.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return mark.hexdigest()[:12]


def _json(tar: tarfile.TarFile, name: str) -> Any:
    file = tar.extractfile(name)
    assert file is not None, name
    return json.load(file)
