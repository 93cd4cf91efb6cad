"""What parts there are, whether each is here, and how it gets here."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.parts import debian
from tests.parts.cache import cached, drop_older, locked, whole

KUBERNETES = "v1.37.2"
METRICS_SERVER = "v0.9.0"
HELM = "v3.22.0"
AXE = "4.14.1"
NEWER_DEBIAN = "trixie"  # bookworm has compose v1 only; trixie's v2 is one static program and runs here
CNI = Path("/usr/lib/cni")
DEBIAN = "bookworm"  # what the daemon's image is built on
GO_SOURCE = Path(__file__).parent / "controlplane"
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@dataclass(frozen=True)
class Part:
    """One part: what it is for, where its program is once installed, and how to install it."""

    name: str
    about: str
    programs: Callable[[], Sequence[Path]]
    install: Callable[[], None]

    def here(self) -> bool:
        """Whether all of the part's programs are on this machine."""
        return all(os.access(program, os.X_OK) for program in self.programs())


def program(name: str) -> Path:
    """Where a program is, or would be; root's folders are searched although a user's PATH may lack them."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return Path(shutil.which(name, path=path) or f"/usr/bin/{name}")


def compose_v2() -> Path:
    """The compose v2 program, unpacked beside the machine's own compose."""
    return cached("compose-v2", NEWER_DEBIAN) / "usr/libexec/docker/cli-plugins/docker-compose"


def faketime() -> Path:
    """The library that tells one process another time."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), Path("/usr/lib/faketime/libfaketimeMT.so.1"))


def control_plane() -> Path:
    """The program that is etcd, apiserver, controller-manager, scheduler or kubelet by its first argument."""
    source = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(GO_SOURCE.iterdir()) if file.is_file()))
    return cached("kubernetes", f"{KUBERNETES.lstrip('v')}-{source.hexdigest()[:8]}") / "controlplane"


def helm() -> Path:
    """The helm program."""
    return cached("helm", HELM) / "helm"


def metrics_server() -> Path:
    """The program that serves metrics.k8s.io from what kubelets measure."""
    return cached("metrics-server", METRICS_SERVER) / "metrics-server"


def _install_go(place: Path, module: str) -> None:
    """Build a program from the Go module proxy: a minute or two when cold."""
    if not program("go").exists():
        raise debian.NotThisMachine(f"building {place.name} needs Go 1.26 or newer")

    def build(folder: Path) -> None:
        env = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(folder)}
        subprocess.run(["go", "install", "-trimpath", "-ldflags=-s -w", module], env=env, check=True)

    whole(place.parent, build)


def axe() -> Path:
    """The script that checks a page for what keeps people from using it."""
    return cached("axe-core", AXE) / "axe.min.js"


def _install_axe() -> None:
    """From the npm registry, by npm's own client."""
    if not program("npm").exists():
        debian.install(["npm"])

    def unpack(folder: Path) -> None:
        subprocess.run(
            ["npm", "pack", "--silent", f"axe-core@{AXE}"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        with tarfile.open(folder / f"axe-core-{AXE}.tgz") as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script is not None
            (folder / "axe.min.js").write_bytes(script.read())
        (folder / "axe.min.js").chmod(0o755)  # that it is here is told as of a program

    whole(axe().parent, unpack)


def image_base() -> Path:
    """An archive of a small Debian with python3, python3-venv and certificates: a base for images."""
    return cached("image-base", DEBIAN) / "base.tar"


def _install_image_base() -> None:
    """From the machine's own Debian mirror: under a minute."""
    if os.geteuid() != 0:
        raise debian.NotThisMachine("making a Debian of its own needs root")
    debian.install(["mmdebstrap"])
    wanted = ["--variant=essential", "--include=python3,python3-venv,ca-certificates"]
    wanted += [f"--dpkgopt=path-exclude=/usr/share/{nobody_reads}/*" for nobody_reads in ("doc", "man", "locale")]

    def build(folder: Path) -> None:
        command = ["mmdebstrap", "--quiet", *wanted, DEBIAN, str(folder / "base.tar")]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (folder / "base.tar").chmod(0o755)  # that it is here is told as of a program

    whole(image_base().parent, build)


def _requirements() -> list[str]:
    """What the daemon's image installs, and what the project is built with."""
    told = tomllib.loads(PROJECT.read_text())
    extras = told["project"]["optional-dependencies"]
    (every,) = extras["all"]  # autoscaler[kubernetes,docker,…], which the Dockerfile installs
    named = [each for name in re.findall(r"[\w-]+", every)[1:] for each in extras[name]]
    return [*told["build-system"]["requires"], *told["project"]["dependencies"], *named]


def wheels() -> Path:
    """A marker in the folder of the wheels that the daemon's image is built from."""
    mark = hashlib.sha256("\n".join(_requirements()).encode()).hexdigest()
    return cached("wheels", mark[:12]) / "whole"


def _install_wheels() -> None:
    """By this interpreter's pip, which must be of the Python of the image's base."""
    if sys.version_info[:2] != (3, 11):
        raise debian.NotThisMachine(f"the wheels are for the Python 3.11 of Debian {DEBIAN}")

    def build(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--wheel-dir", str(folder), *_requirements()], check=True)
        (folder / "whole").touch(0o755)

    whole(wheels().parent, build)
    drop_older(wheels().parent, "wheels")


def _apt_part(name: str, about: str, packages: Sequence[str], programs: Sequence[str]) -> Part:
    return Part(name, about, lambda: [program(name) for name in programs], lambda: debian.install(packages))


def _install_compose_v2() -> None:
    whole(compose_v2().parents[4], lambda folder: debian.unpack("docker-compose", NEWER_DEBIAN, folder))


def _install_control_plane() -> None:
    """Build from the Go module proxy: some six minutes and a few GB of Go's own cache when cold, seconds when warm."""
    if not program("go").exists():
        raise debian.NotThisMachine("building Kubernetes needs Go 1.26 or newer")
    flags = ["-s", "-w"]
    major, minor, _ = KUBERNETES.lstrip("v").split(".")
    # Unstamped, the version reads v0.0.0 and clients that compare it go wrong.
    stamps = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps["gitCommit"] = "0000000"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        flags += [word for name, value in stamps.items() for word in ("-X", f"{package}.{name}={value}")]

    def build(folder: Path) -> None:
        command = ["go", "build", "-trimpath", f"-ldflags={' '.join(flags)}", "-o", str(folder / "controlplane"), "."]
        subprocess.run(command, cwd=GO_SOURCE, env={**os.environ, "CGO_ENABLED": "0"}, check=True)

    whole(control_plane().parent, build)


DOCKER_PACKAGES = ["docker.io", "iptables", "python3"]
DOCKER_PROGRAMS = ["dockerd", "containerd", "runc", "iptables", "docker", "python3"]

PARTS = {
    part.name: part
    for part in (
        _apt_part("docker", "Docker engine and its command", DOCKER_PACKAGES, DOCKER_PROGRAMS),
        _apt_part("compose-v1", "docker-compose 1.29", ["docker-compose"], ["docker-compose"]),
        Part("compose-v2", f"docker compose of Debian {NEWER_DEBIAN}", lambda: [compose_v2()], _install_compose_v2),
        _apt_part("prometheus", "Prometheus and promtool", ["prometheus"], ["prometheus", "promtool"]),
        _apt_part("haproxy", "load balancer of the stack", ["haproxy"], ["haproxy"]),
        _apt_part("nginx", "TLS and passwords before a Prometheus", ["nginx-light"], ["nginx"]),
        _apt_part("signatures", "who signs commits", ["git", "openssh-client", "gnupg"], ["git", "ssh-keygen", "gpg"]),
        _apt_part("registry", "what images are pulled from", ["docker-registry"], ["docker-registry"]),
        _apt_part("wrk", "load generator", ["wrk"], ["wrk"]),
        _apt_part("busybox", "shell and wget inside images", ["busybox-static"], ["busybox"]),
        _apt_part("iproute2", "network tools", ["iproute2"], ["ip"]),
        _apt_part(
            "chromium",
            "the browser that reports and the dashboard are opened in",
            ["chromium", "fonts-dejavu-core"],
            ["chromium"],
        ),
        Part("axe", f"axe-core {AXE}, which checks pages for accessibility", lambda: [axe()], _install_axe),
        _apt_part("faketime", "a wall clock of its own for one process", ["faketime"], ["faketime"]),
        Part("kubernetes", f"control plane {KUBERNETES}", lambda: [control_plane()], _install_control_plane),
        Part(
            "cni",
            "network plugins of a real node",
            lambda: [CNI / name for name in ("bridge", "host-local", "loopback")],
            lambda: debian.install(["containernetworking-plugins"]),
        ),
        Part("image-base", f"a small Debian {DEBIAN} to build images on", lambda: [image_base()], _install_image_base),
        Part("wheels", "what the daemon's image installs", lambda: [wheels()], _install_wheels),
        Part("helm", f"Helm {HELM}", lambda: [helm()], lambda: _install_go(helm(), f"helm.sh/helm/v3/cmd/helm@{HELM}")),
        Part(
            "metrics-server",
            f"metrics.k8s.io of a real node, {METRICS_SERVER}",
            lambda: [metrics_server()],
            lambda: _install_go(metrics_server(), f"sigs.k8s.io/metrics-server/cmd/metrics-server@{METRICS_SERVER}"),
        ),
    )
}


def install(part: Part) -> bool:
    """Install a part unless it is here; True if there was something to do. Raises InstallError."""
    if part.here():
        return False
    with locked("install"):
        if part.here():  # another process was quicker
            return False
        part.install()
    if not part.here():
        raise debian.InstallError(f"{part.name} is still missing: {', '.join(map(str, part.programs()))}")
    return True
