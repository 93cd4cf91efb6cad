"""The daemon dies without notice, again and again, while the load goes on: what stands never becomes less."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.workers import Workers, workers
from tests.support.wait import never, until

pytestmark = pytest.mark.e2e

KILLS = 20


class Watch:
    """The fewest and the most workers seen while it looks on."""

    def __init__(self) -> None:
        self.fewest, self.most = 1000, 0

    def saw(self, count: int) -> None:
        self.fewest, self.most = min(self.fewest, count), max(self.most, count)


@contextmanager
def looking_on(shop: Workers) -> Iterator[Watch]:
    """Count the workers all the time, in a thread."""
    watch, ended = Watch(), threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            watch.saw(len(shop.pids()))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join(10)


def test_twenty_kills_in_a_row_under_load_cost_no_worker(tmp_path: Path) -> None:
    with workers(tmp_path, cycle="500ms") as shop:
        shop.load(45)
        shop.start()
        until(lambda: shop.ready() == 5, "five ready workers", within=30)
        before = shop.pids()
        with looking_on(shop) as watch:
            for _ in range(KILLS):
                shop.kill()
                shop.start()
            assert watch.fewest == 5
            assert watch.most == 5, "nor is one started twice"
            assert shop.pids() == before
            shop.load(58)
            until(lambda: shop.ready() == 6, "six for more load: it steers on", within=30)
            assert watch.fewest == 5


def test_load_that_rises_while_the_daemon_keeps_dying_is_followed_and_nothing_falls(tmp_path: Path) -> None:
    with workers(tmp_path, cycle="200ms") as shop:
        shop.load(15)
        shop.start()
        until(lambda: shop.ready() == 2, "two ready workers", within=30)
        for load in (25, 35, 45, 60):
            _dies_while_it_grows(shop, load, len(shop.pids()))
        until(lambda: shop.ready() == 6, "six ready workers", within=30)


def _dies_while_it_grows(shop: Workers, load: float, stood: int) -> None:
    with looking_on(shop) as watch:
        shop.load(load)
        shop.kill()
        shop.start()
        until(lambda: watch.most > stood, "it grows between two deaths", within=30)
        assert watch.fewest >= stood


def test_killed_between_its_order_and_the_next_cycle_it_ends_where_the_order_meant(tmp_path: Path) -> None:
    with workers(tmp_path, cycle="3s") as shop:
        shop.start()
        until(lambda: shop.ready() == 1, "one ready worker", within=40)
        shop.load(35)
        with looking_on(shop) as watch:
            until(lambda: shop.workload()["desired"] == 4, "it is ordered", within=60, every=0.02)
            shop.kill()
            shop.start()
            until(lambda: shop.ready() == 4, "the count that was ordered", within=30)
            never(lambda: len(shop.pids()) != 4, "a second order", for_s=4)
        assert (watch.fewest, watch.most) == (1, 4)


def test_killed_right_after_ordering_fewer_it_takes_no_more_than_it_meant_to(tmp_path: Path) -> None:
    with workers(tmp_path, cycle="500ms") as shop:
        shop.load(50)
        shop.start()
        until(lambda: shop.ready() == 5, "five ready workers", within=40)
        shop.load(25)
        with looking_on(shop) as watch:
            until(lambda: shop.workload()["desired"] == 3, "it is ordered", within=60, every=0.02)
            shop.kill()
            shop.start()
            never(lambda: len(shop.pids()) < 3, "one too few", for_s=5)
        assert (watch.fewest >= 3, watch.most) == (True, 5)
