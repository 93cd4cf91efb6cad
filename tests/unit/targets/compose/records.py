"""What inspecting a container of compose tells, as short as a test wants it."""

from __future__ import annotations

from typing import Any

P = "com.docker.compose."
FIRST = "a" * 12 + "1" * 52
IMAGE = "sha256:" + "b" * 64
ANONYMOUS = "c" * 64
NEVER = "0001-01-01T00:00:00Z"
START = 1_000_000_000.0  # 2001-09-09T01:46:40Z


def record(
    *,
    id: str = FIRST,
    name: str = "shop-web-1",
    number: str = "1",
    labels: dict[str, str] | None = None,
    state: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    host: dict[str, Any] | None = None,
    networks: dict[str, dict[str, Any]] | None = None,
    mounts: list[dict[str, Any]] | None = None,
    restarts: int = 0,
) -> dict[str, Any]:
    """A running container of `shop`'s service `web`, made by compose v2 on the project's own network."""
    own = {
        f"{P}project": "shop",
        f"{P}service": "web",
        f"{P}container-number": number,
        f"{P}oneoff": "False",
        f"{P}config-hash": "hash",
        f"{P}image": IMAGE,
        f"{P}version": "2.26.1",
    }
    standing = {
        "Status": "running",
        "StartedAt": "2001-09-09T01:46:40Z",
        "FinishedAt": NEVER,
        "ExitCode": 0,
        "OOMKilled": False,
    }
    network = {"NetworkID": "n" * 64, "Aliases": [name, "web", id[:12]], "IPAddress": "10.0.0.2"}
    return {
        "Id": id,
        "Name": f"/{name}",
        "Created": "2001-09-09T01:46:39Z",
        "Image": IMAGE,
        "RestartCount": restarts,
        "State": {**standing, **(state or {})},
        "Config": {
            "Hostname": id[:12],
            "Image": "shop/web:1",
            "Env": ["GREETING=two words"],
            "Labels": {**own, **(labels or {})},
            **(config or {}),
        },
        "HostConfig": {"NetworkMode": "shop_default", "Binds": [], **(host or {})},
        "NetworkSettings": {"Networks": {"shop_default": network} if networks is None else networks},
        "Mounts": mounts or [],
    }
