"""A target before an API server that a test writes, on a clock that it may move on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.targets.kubernetes import KubernetesTarget
from tests.unit.targets.kubernetes.fake_api import FakeApi, Skipping
from tests.unit.targets.kubernetes.records import POLICY


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def clock() -> Skipping:
    return Skipping()


@pytest.fixture
async def target(api: FakeApi, clock: Skipping, tmp_path: Path) -> AsyncIterator[KubernetesTarget]:
    made = KubernetesTarget(KubernetesApi(clock, kubeconfig=str(api.kubeconfig(tmp_path))), clock)
    made.discover([POLICY])
    yield made
    await made.close()
