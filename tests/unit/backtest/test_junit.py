"""JUnit XML: what a CI system reads back is what was found."""

from __future__ import annotations

from xml.etree import ElementTree

from autoscaler.backtest.differences import Difference, Verdict
from autoscaler.backtest.junit import junit
from autoscaler.backtest.scenario import Verdicts


def verdict(name: str, *, file: str = "a.test.yaml", got: str = "") -> Verdict:
    wrong = Difference(
        key="replicas", first=2, last=3, after="15s", until="30s", expected="2", got=got, reason="idle", because="<&>"
    )
    return Verdict(
        file=file, line=3, name=name, policy="web", passed=not got, cycles=4, replicas="2x4", reasons="idlex4",
        differences=(wrong,) if got else (),
    )  # fmt: skip


def document(*tests: Verdict) -> ElementTree.Element:
    return ElementTree.fromstring(junit(Verdicts(tests=tests, failed=sum(not each.passed for each in tests))))


def test_a_file_is_a_suite_and_a_test_is_a_case() -> None:
    top = document(verdict("one"), verdict("two", got="3"), verdict("three", file="b.test.yaml"))
    assert top.tag == "testsuites"
    assert (top.attrib["tests"], top.attrib["failures"], top.attrib["errors"]) == ("3", "1", "0")
    suites = [(each.attrib["name"], each.attrib["tests"], each.attrib["failures"]) for each in top]
    assert suites == [("a.test.yaml", "2", "1"), ("b.test.yaml", "1", "0")]
    cases = [(each.attrib["classname"], each.attrib["name"], len(each)) for each in top.iter("testcase")]
    assert cases == [("web", "one", 0), ("web", "two", 1), ("web", "three", 0)]


def test_a_failure_says_what_differs_and_what_came_out() -> None:
    (failure,) = document(verdict("two", got="3")).iter("failure")
    assert failure.attrib["message"] == "replicas, cycles 2 to 3 (15s to 30s): expected 2, got 3\n  idle: <&>"
    assert failure.text is not None
    assert failure.text.endswith("what came out:\nreplicas: 2x4\nreasons: idlex4")


def test_what_xml_cannot_carry_is_replaced() -> None:
    (case,) = document(verdict('tab\tbell\x07 "quoted" <b> ü')).iter("testcase")
    assert case.attrib["name"] == 'tab\tbell� "quoted" <b> ü'


def test_the_same_verdicts_make_the_same_bytes() -> None:
    told = Verdicts(tests=(verdict("one"), verdict("two", got="3")), failed=1)
    assert junit(told) == junit(told)
    assert junit(told).startswith(b"<?xml version='1.0' encoding='utf-8'?>\n<testsuites")
