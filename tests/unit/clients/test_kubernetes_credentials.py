"""A kubeconfig that cannot be used, each in one clear sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Partial, Resource
from autoscaler.clock import SystemClock
from autoscaler.errors import Refused

STAGING = {
    "contexts": [{"name": "staging", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "staging",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "sesame"}}],
}


@pytest.mark.parametrize(("text", "context", "said", "hint"), [
    (None, None, "there is no such file", "name a kubeconfig file"),
    ("", None, "it is not a kubeconfig", "a context that is in it"),
    ("{:::", None, "while parsing", "a context that is in it"),
    (json.dumps(STAGING), "prod", "it has no context prod", "its contexts are: staging"),
])  # fmt: skip
async def test_a_kubeconfig_that_cannot_be_used_is_one_clear_sentence(
    tmp_path: Path, text: str | None, context: str | None, said: str, hint: str
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    api = KubernetesApi(SystemClock(), kubeconfig=str(path), context=context)
    with pytest.raises(Refused) as refused:
        await api.get(Resource("v1", "pods"), "shop", "web", Partial)
    assert f"no usable cluster configuration in {path}: {said}" in refused.value.message
    assert hint in refused.value.hint
