"""Each real part really starts and answers."""

from __future__ import annotations

import pytest

from tests.parts.fixtures import ComposeStack
from tests.support.wait import until


@pytest.mark.docker
@pytest.mark.parametrize("compose", ["v2", "v1"], indirect=True)
def test_the_stack_serves_and_leaves_nothing(compose_stack: ComposeStack) -> None:
    stack = compose_stack()
    stack.begin(replicas=1)
    assert stack.replicas() == 1
    assert "app" in stack.ps()

    stack.up("--scale", "app=2", "--no-recreate")
    stack.settled(2)
    assert stack.replicas() == 2
    until(lambda: stack.query('sum(http_requests_total{job="app"})') is not None, "counters are scraped")

    stack.down()
    assert stack.leavings() == []
