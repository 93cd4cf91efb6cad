"""Images for the stack, made from this machine's own programs: no registry is asked.

An image is a folder with the program, the libraries `ldd` names, busybox for health checks, and little else. Tags
carry a hash of what went in, so an unchanged image is not imported twice.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.parts.catalogue import program
from tests.parts.engine import Engine

APP = Path(__file__).parent / "app" / "app.py"
REPOSITORY = "autoscaler-tests"
APPLETS = ("sh", "cat", "sleep", "wget", "nslookup", "kill", "ls", "ps")
LEAVE_OUT = {"__pycache__", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "pydoc_data"}


@dataclass(frozen=True)
class LabImages:
    """The tags of the stack's images on the engine."""

    app: str
    haproxy: str
    prometheus: str

    @property
    def env(self) -> dict[str, str]:
        """The variables the stack's compose file takes them from."""
        return {"APP_IMAGE": self.app, "HAPROXY_IMAGE": self.haproxy, "PROMETHEUS_IMAGE": self.prometheus}


@dataclass(frozen=True)
class Recipe:
    """What goes into one image, and what it runs."""

    name: str
    binary: Path
    command: Sequence[str]
    extra: Callable[[Path], None] | None = None
    sources: Sequence[Path] = ()

    def tag(self) -> str:
        """The repository and a hash of all that the image is made from."""
        mark = hashlib.sha256(Path(__file__).read_bytes())
        for source in self.sources:
            mark.update(source.read_bytes())
        for file in (self.binary, program("busybox")):
            about = file.resolve().stat()
            mark.update(f"{file} {about.st_size} {about.st_mtime_ns}".encode())
        mark.update(" ".join(self.command).encode())
        return f"{REPOSITORY}/{self.name}:{mark.hexdigest()[:12]}"


def app_recipe() -> Recipe:
    """The application that the tests scale."""
    python = Path("/usr/bin/python3").resolve()  # Debian's, whose libraries lie where the image expects them
    return Recipe("app", python, ["python3", "-u", "/app/app.py"], lambda root: _python(root, python), [APP])


def pause_recipe() -> Recipe:
    """What holds a pod's network namespace, and does nothing."""
    return Recipe("pause", program("busybox"), ["busybox", "sleep", "2147483647"])


def lab_images(engine: Engine) -> LabImages:
    """Import those of the three images the engine lacks (about a second each)."""
    haproxy = Recipe("haproxy", program("haproxy"), ["haproxy", "-W", "-db", "-f", "/etc/haproxy.cfg"])
    options = ["--config.file=/etc/prometheus.yml", "--storage.tsdb.path=/tmp/tsdb", "--log.level=warn"]
    prometheus = Recipe("prometheus", program("prometheus"), ["prometheus", *options])
    return LabImages(*(ensure(engine, recipe) for recipe in (app_recipe(), haproxy, prometheus)))


def ensure(engine: Engine, recipe: Recipe) -> str:
    """The recipe's tag, imported if the engine does not have it."""
    tag = recipe.tag()
    if engine.docker("image", "ls", "--quiet", tag):
        return tag
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _base(root)
        _with_libraries(root, recipe.binary)
        if recipe.extra:
            recipe.extra(root)
        import_folder(engine, root, tag, command=recipe.command)
    return tag


def import_folder(engine: Engine, root: Path, tag: str, *, command: Sequence[str]) -> None:
    """Import a folder as an image that runs `command`."""
    entry = "[" + ", ".join(f'"{word}"' for word in command) + "]"
    changes = ["ENV PATH=/usr/sbin:/usr/bin:/bin", f"ENTRYPOINT {entry}"]
    options = [word for change in changes for word in ("--change", change)]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(root, arcname=".")
    engine.docker("import", *options, "-", tag, stdin=archive.getvalue(), within=120.0)


def _base(root: Path) -> None:
    root.chmod(0o755)
    for folder in ("bin", "etc", "run", "usr/bin", "usr/sbin"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    shutil.copy(program("busybox"), root / "bin/busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")


def _with_libraries(root: Path, binary: Path) -> None:
    """Copy a program to its own place in the image, and every library it is linked against."""
    _copy(binary.resolve(), root / str(binary).lstrip("/"))
    linked = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"/\S+", linked):
        _copy(Path(library).resolve(), root / library.lstrip("/"))


def _copy(source: Path, place: Path) -> None:
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)


def _python(root: Path, binary: Path) -> None:
    """Python's standard library without what no server needs, and the application."""

    def unwanted(_: str, names: list[str]) -> list[str]:
        return [name for name in names if name in LEAVE_OUT or name.startswith("config-")]

    library = Path("usr/lib", binary.name)
    shutil.copytree(Path("/", library), root / library, ignore=unwanted, dirs_exist_ok=True)
    (root / "usr/bin/python3").symlink_to(binary.name)
    (root / "app").mkdir()
    shutil.copy(APP, root / "app/app.py")
