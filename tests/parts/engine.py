"""A Docker engine of the tests' own: one per machine, shared by the test runs that use it at the same time.

Its images stay in the cache between runs. A run that finds itself alone with it removes what a killed run left, and
the last run to end stops it. With AUTOSCALER_TEST_DOCKER_HOST set, that engine is used and left running instead.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.parts.cache import cache_root, locked
from tests.parts.catalogue import program
from tests.parts.process import quiet_env, tail
from tests.parts.require import lacking
from tests.support.wait import until

HOST_VARIABLE = "AUTOSCALER_TEST_DOCKER_HOST"
MACHINE_SOCKET = Path("/var/run/docker.sock")
# Away from the ranges engines and clouds use by default; each project's network takes one of 256.
BRIDGE = "10.231.0.1/24"
NETWORKS = "base=10.232.0.0/16,size=24"


class Engine:
    """A running Docker engine: `host` for clients, `env` for child processes, `docker` to ask it."""

    def __init__(self, host: str) -> None:
        self.host = host
        config = cache_root() / "docker-config"  # no credentials, contexts or plugins of the person running the tests
        config.mkdir(exist_ok=True)
        self.env = quiet_env(DOCKER_HOST=host, DOCKER_CONFIG=str(config))

    def docker(self, *words: str, check: bool = True, within: float = 60.0, stdin: bytes | None = None) -> str:
        """What `docker …` prints, stripped; raises AssertionError with its complaint if it fails and `check`."""
        done = subprocess.run(
            [str(program("docker")), *words], env=self.env, input=stdin or b"", capture_output=True, timeout=within
        )
        if check and done.returncode:
            complaint = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise AssertionError(f"docker {' '.join(words)}: exit {done.returncode}: {complaint}")
        return done.stdout.decode(errors="replace").strip()

    def answers(self) -> bool:
        """Whether the engine answers a ping."""
        connection = http.client.HTTPConnection("localhost", timeout=2.0)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(2.0)
        try:
            connection.sock.connect(self.host.removeprefix("unix://"))
            connection.request("GET", "/_ping")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def logs(self) -> dict[str, str]:
        """The end of the engine's own log, where it is ours."""
        return {}

    def close(self) -> None:
        """This run needs the engine no more."""


class OwnEngine(Engine):
    """The tests' own engine. Who uses it holds a shared lock, which the kernel drops even for a killed run."""

    def __init__(self) -> None:
        self._home = cache_root() / "docker-engine"
        self._home.mkdir(exist_ok=True)
        # Socket paths are limited to 107 bytes, so they cannot live under an arbitrary cache folder.
        self._run = Path("/run", f"autoscaler-tests-{hashlib.sha256(bytes(self._home)).hexdigest()[:8]}")
        super().__init__(f"unix://{self._run}/docker.sock")
        self._users = (self._home / "users.lock").open("w")

    def open(self) -> None:
        """Join the engine, starting it or clearing it of leavings first if nobody else uses it."""
        with locked("docker-engine"):
            alone = self._alone()
            if not self.answers():
                self._start()
            if alone:
                self._clear()
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def close(self) -> None:
        """Leave the engine; the last one out stops it."""
        with locked("docker-engine"):
            if self._alone():
                self._stop()
            self._users.close()

    def restart(self) -> None:
        """Stop the engine and start it again, as an upgrade would; containers go with it, images stay."""
        with locked("docker-engine"):
            self._stop()
            self._start()

    def logs(self) -> dict[str, str]:
        return {"dockerd": tail(self._log)}

    @property
    def _log(self) -> Path:
        return self._home / "dockerd.log"

    @property
    def _pidfile(self) -> Path:
        return self._run / "dockerd.pid"

    def _alone(self) -> bool:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _start(self) -> None:
        self._stop()  # one that hangs and answers nobody
        unmount(self._run)  # network namespaces of an engine that was killed with all its processes
        shutil.rmtree(self._run, ignore_errors=True)
        self._run.mkdir(parents=True)
        command = [
            f"--host={self.host}",
            f"--pidfile={self._pidfile}",
            f"--exec-root={self._run}/exec",
            f"--data-root={self._home}/data",
            f"--bip={BRIDGE}",
            f"--default-address-pool={NETWORKS}",
            "--config-file=",
            "--log-level=warn",
        ]
        with self._log.open("wb") as output:
            # Not tied to this process's life: other runs may still use it when we end.
            daemon = subprocess.Popen(
                [str(program("dockerd")), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=quiet_env(PATH=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"),
                start_new_session=True,
            )
        until(lambda: self.answers() or daemon.poll() is not None, "the Docker engine answers", within=40.0)
        assert daemon.poll() is None, f"dockerd ended with {daemon.poll()}:\n{tail(self._log)}"

    def _stop(self) -> None:
        try:
            pid = int(self._pidfile.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        if str(self._pidfile).encode() not in command:  # the id has passed to a stranger
            return
        os.kill(pid, signal.SIGTERM)
        try:
            until(lambda: _ended(pid), "dockerd has ended", within=20.0)
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            until(lambda: _ended(pid), "dockerd has ended", within=5.0)

    def _clear(self) -> None:
        """Remove containers, networks and volumes a killed run left; images are what the cache is for."""
        left = self.docker("ps", "--all", "--quiet").split()
        for some in (left[at : at + 3] for at in range(0, len(left), 3)):  # more at once can leave phantom endpoints
            self.docker("rm", "--force", "--volumes", *some, check=False)
        for kind in ("network", "volume"):
            self.docker(kind, "prune", "--force", check=False)


def unmount(folder: Path) -> None:
    """Let go of what is still mounted below a folder: mounts outlive processes, and keep the folder from removal."""
    mounted = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    for point in [each for each in mounted if each.startswith(f"{folder}/")]:
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def _ended(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # reap it if it was ours, or it stays as a zombie
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def open_engine() -> Engine:
    """The engine tests are to use, running; skips (in CI: fails) where there can be none."""
    given = os.environ.get(HOST_VARIABLE)
    if given:
        engine = Engine(given)
        assert engine.docker("version", "--format", "{{.Server.Version}}"), f"{given} does not answer"
        return engine
    if os.geteuid() != 0:
        lacking(f"a Docker engine of the tests' own needs root; or set {HOST_VARIABLE}")
    if Engine(f"unix://{MACHINE_SOCKET}").answers():
        lacking(f"this machine runs a Docker engine; stop it or set {HOST_VARIABLE}=unix://{MACHINE_SOCKET} to use it")
    own = OwnEngine()
    own.open()
    return own
