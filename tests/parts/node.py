"""A real node for a control plane: containerd and kubelet with folders, cgroups and a bridge of their own.

Everything of it lies in two folders and one cgroup, so that `clean` finds what a killed run left as well. Some paths
are fixed whatever one asks for (see `_clean_fixed_paths`), and the kubelet sets a few of the machine's kernel settings:
they are kept in a file first, and put back.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.parts.cache import cache_root
from tests.parts.catalogue import CNI, control_plane, program
from tests.parts.engine import unmount
from tests.parts.namespace import ip
from tests.parts.node_images import NodeImages
from tests.parts.process import Process, free_port, quiet_env, tail
from tests.support.wait import until

NAME = "node1"
ADDRESS = "10.244.0.1"  # of the node, on its bridge; pods are beside it
PODS = "10.244.0.0/24"
BRIDGE = "node0"
CGROUPS = Path("/sys/fs/cgroup")
SETTINGS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")
SETTINGS += ("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
CONTAINERD = """\
version = 2
root = "{home}/containerd"
state = "{state}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{state}/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_tcp_service = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{home}/cni"
"""


class Node:
    """One node of the machine: nobody else may have one at the same time with the same cache folder."""

    def __init__(self) -> None:
        self.home = cache_root() / "node"
        self.mark = f"autoscaler-node-{hashlib.sha256(bytes(self.home)).hexdigest()[:8]}"
        self.state = Path("/run", self.mark)  # sockets: their paths are limited to 107 bytes
        self._kept = cache_root() / "node-settings.json"
        self._containerd: Process | None = None
        self._kubelet: Process | None = None

    def prepare(self) -> None:
        """Remove what a killed run left, and make the folders, the cgroups and the bridge."""
        self.clean()
        for folder in (self.home / "cni", self.state):
            folder.mkdir(parents=True)
        self._kept.write_text(json.dumps({name: Path("/proc/sys", name).read_text() for name in SETTINGS}))
        for controller in _controllers():
            (controller / self.mark).mkdir()
        if (cpusets := CGROUPS / "cpuset").exists():  # of version 1, where an empty one takes no process
            for name in ("cpuset.cpus", "cpuset.mems"):
                (cpusets / self.mark / name).write_text((cpusets / name).read_text())
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{ADDRESS}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")

    def start_containerd(self, images: NodeImages) -> None:
        """Start it with these images (some seconds)."""
        config = self.home / "containerd.toml"
        config.write_text(CONTAINERD.format(home=self.home, state=self.state, pause=images.pause, cni=CNI))
        network = {
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": str(self.home / "addresses"),
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        networks = {"cniVersion": "1.0.0", "name": self.mark, "plugins": [network]}
        (self.home / "cni" / "10-pods.conflist").write_text(json.dumps(networks))
        env = quiet_env(PATH=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")  # for runc
        argv = [program("containerd"), "--config", config]
        self._containerd = Process("containerd", argv, log=self.home / "containerd.log", env=env)
        self._containerd.start()
        ctr = [str(program("ctr")), "--address", f"{self.state}/c.sock", "--namespace", "k8s.io"]
        until(lambda: subprocess.run([*ctr, "version"], capture_output=True).returncode == 0, "containerd answers")
        subprocess.run([*ctr, "images", "import", str(images.archive)], check=True, stdout=subprocess.DEVNULL)

    def start_kubelet(self, kubeconfig: Path, certificates: Path) -> None:
        """Start it; `certificates` holds ca.crt, kubelet.crt and kubelet.key."""
        config = self.home / "kubelet.json"
        config.write_text(json.dumps(self._kubelet_config(certificates)))
        flags = {
            "config": config,
            "kubeconfig": kubeconfig,
            "root-dir": self.home / "kubelet",
            "cert-dir": self.home / "kubelet-certificates",
            "hostname-override": NAME,
            "node-ip": ADDRESS,
        }
        argv = [control_plane(), "kubelet", *(f"--{name}={value}" for name, value in flags.items())]
        self._kubelet = Process("kubelet", argv, log=self.home / "kubelet.log")
        self._kubelet.start()

    def clean(self) -> None:
        """End everything of this node, of this run or of one that was killed, and leave nothing."""
        if self._kubelet is not None:
            self._kubelet.stop()  # first, or it would start again what ends
        until(lambda: not self._end_containers(), "no container is left", within=20.0)
        if self._containerd is not None:
            self._containerd.stop()
        for pid in self._shims():
            _kill(pid)
        until(lambda: not self._shims(), "nothing watches over containers any more")
        for folder in (self.home, self.state):
            unmount(folder)
            shutil.rmtree(folder, ignore_errors=True)
        until(self._remove_cgroups, "the kernel lets go of the cgroups")
        self._clean_fixed_paths()
        if self._kept.exists():
            for name, value in json.loads(self._kept.read_text()).items():
                Path("/proc/sys", name).write_text(value)
            self._kept.unlink()

    def logs(self) -> dict[str, str]:
        """What the programs said last."""
        return {each.name: tail(each.log) for each in (self._containerd, self._kubelet) if each is not None}

    def _kubelet_config(self, certificates: Path) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "port": free_port(),
            "healthzPort": 0,
            "containerRuntimeEndpoint": f"unix://{self.state}/c.sock",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.mark}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "makeIPTablesUtilChains": False,
            "oomScoreAdj": 0,
            "resolvConf": "",
            "tlsCertFile": str(certificates / "kubelet.crt"),
            "tlsPrivateKeyFile": str(certificates / "kubelet.key"),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(certificates / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
            "nodeStatusUpdateFrequency": "2s",
            "podLogsDir": str(self.home / "logs"),
            "volumePluginDir": str(self.home / "plugins"),
        }

    def _end_containers(self) -> list[int]:
        """Kill every process in our cgroups; whom we killed."""
        found = {
            int(pid)
            for controller in _controllers()
            for file in (controller / self.mark).rglob("cgroup.procs")
            for pid in _read(file).split()
        }
        for pid in found:
            _kill(pid)
        return sorted(found)

    def _remove_cgroups(self) -> bool:
        for controller in _controllers():
            ours = controller / self.mark
            for folder in sorted(ours.rglob("*/"), reverse=True):
                folder.rmdir()
            if ours.exists():
                ours.rmdir()
        return True

    def _shims(self) -> list[int]:
        """The processes that watch over our containers: they live on without their containerd."""
        return [
            int(file.parent.name)
            for file in Path("/proc").glob("[0-9]*/cmdline")
            if "containerd-shim" in (words := _read(file)) and f"{self.state}/c.sock" in words
        ]

    def _clean_fixed_paths(self) -> None:
        for link in Path("/var/log/containers").glob("*.log"):
            if link.is_symlink() and str(link.readlink()).startswith(str(self.home)):
                link.unlink()
        results = Path("/var/lib/cni/results")
        for file in results.glob(f"{self.mark}-*"):
            container = file.name.removeprefix(f"{self.mark}-").rsplit("-", 1)[0]
            file.unlink()
            (results / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
        devices = Path("/var/lib/kubelet/device-plugins")
        if [each.name for each in devices.parent.glob("*")] == [devices.name]:  # no kubelet of the machine's own
            shutil.rmtree(devices.parent)


def _controllers() -> list[Path]:
    """Where a group is made: in every hierarchy of version 1, in the only one of version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [each for each in CGROUPS.iterdir() if each.is_dir() and not each.is_symlink()]


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:  # the process has ended
        return ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
