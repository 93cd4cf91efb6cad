"""Reports: the page needs nothing else and nothing in it can break out, pictures and sparklines keep peaks and gaps."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest

from autoscaler.backtest import recording
from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Backtest, Candidate, backtest
from autoscaler.backtest.curve import Curve, coarser
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.replay import acting
from autoscaler.backtest.report import words
from autoscaler.backtest.report.page import page
from autoscaler.backtest.report.svg import picture
from autoscaler.loop.foresee import asks_of
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from tests.support import nouns

EVIL = '</script><b onload="x">&'


@pytest.fixture(scope="module")
def told() -> Backtest:
    """Two trials of one workload, with a gap, and a name that would like to be markup."""
    plan = acting(nouns.ref(), nouns.policy())
    readings: list[Reading] = [Series((Point(400 + 300 * math.sin(beat / 50)),), 1.0) for beat in range(1000)]
    readings[400:450] = [Missing(MissingWhy.EMPTY, "no series")] * 50
    (ask,) = asks_of(plan)
    past = Recording(start=1e9, every_s=15.0, beats=1000, columns=(recording.column(ask, "web", readings),))
    candidates = [Candidate("web (old)", plan), Candidate(EVIL, plan)]
    return backtest(candidates, past, "web.rec", Asked(), lambda done, of: None, 1000)


def test_the_page_asks_nobody_for_anything(told: Backtest) -> None:
    text = page(told)
    assert re.findall(r"""(?:src|href|action)\s*=|url\(|@import|fetch\(|XMLHttp|WebSocket|import\(""", text) == []
    addresses = set(re.findall(r"https?://[^\s\"'<>\\]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of SVG, which nobody asks for"
    assert "default-src 'none'" in text


def test_no_word_of_a_policy_becomes_markup(told: Backtest) -> None:
    text = page(told)
    assert "<b onload" not in text
    assert text.count("</script>") == 2, "of the figures and of the script"


def test_the_figures_in_the_page_are_those_of_the_backtest(told: Backtest) -> None:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page(told), re.DOTALL)
    assert found is not None
    figures = json.loads(found[1])
    assert figures["trials"] == json.loads(
        msgspec.json.encode([{"name": t.name, "curve": t.curve} for t in told.trials])
    )
    assert figures["trials"][1]["name"] == EVIL


def test_the_page_is_light_and_dark_and_still_without_a_script(told: Backtest) -> None:
    text = page(told)
    assert "prefers-color-scheme: dark" in text
    assert "<noscript><svg" in text


def test_the_best_of_several_is_marked_and_equals_are_not(told: Backtest) -> None:
    assert "class=best" not in page(told)
    card = msgspec.structs.replace(told.trials[1].card, replica_hours=1.0)
    better = msgspec.structs.replace(told.trials[1], card=card)
    text = page(msgspec.structs.replace(told, trials=(told.trials[0], better)))
    assert re.findall(r"<td class=best>([^<]*)", text) == ["1.0"]


def test_the_picture_is_sound_xml_with_a_line_per_trial(told: Backtest) -> None:
    text = picture(told)
    root = ET.fromstring(text)
    names = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"web (old)", EVIL, "Load per second"} <= set(names)
    assert text.count('class="s0"') == text.count('class="s1"') == 1
    assert "nan" not in text


def test_a_gap_breaks_the_line_of_the_load(told: Backtest) -> None:
    load = next(line for line in picture(told).splitlines() if 'class="l"' in line)
    assert load.count("M") == 2


def test_coarser_curves_keep_peaks_lows_and_gaps() -> None:
    fine = Curve(
        start=0.0, step_s=15.0, load=(1.0, 9.0, None, None, 2.0), needed=(1, 3, None, None, 1), ready=(2, 1, 2, 2, 2),
        desired=(2, 2, 5, 2, 2), over=(0.0, 1.0, 2.0, 0.0, 4.0),
    )  # fmt: skip
    assert coarser(fine, 3) == Curve(
        start=0.0, step_s=30.0, load=(9.0, None, 2.0), needed=(3, None, 1), ready=(1, 2, 2), desired=(2, 5, 2),
        over=(1.0, 2.0, 4.0),
    )  # fmt: skip
    assert coarser(fine, 5) == fine


def test_the_worst_moment_is_told_with_its_steps(told: Backtest) -> None:
    lines = words.worst(told.trials[0])
    assert re.match(
        r"worst at 2001-09-09T.*Z: \d+ requests took too long within ten minutes; \d+ of \d+ ready", lines[0]
    )
    assert any("requests: load" in line for line in lines[1:])
    calm = msgspec.structs.replace(told.trials[0], worst=None)
    assert words.worst(calm) == ["no request took longer than the objective"]
