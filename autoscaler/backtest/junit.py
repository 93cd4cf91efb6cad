"""Verdicts → JUnit XML, as CI systems read it: a suite per file, a case per test."""

from __future__ import annotations

import itertools
import operator
import re
from xml.etree import ElementTree

from autoscaler.backtest.differences import report
from autoscaler.backtest.scenario import Verdicts

_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML cannot carry


def junit(verdicts: Verdicts) -> bytes:
    """The document; nothing in it depends on when or where it was made."""
    total = {"tests": str(len(verdicts.tests)), "failures": str(verdicts.failed), "errors": "0"}
    top = ElementTree.Element("testsuites", {"name": "autoscaler test", **total})
    for file, group in itertools.groupby(verdicts.tests, key=operator.attrgetter("file")):
        tests = list(group)
        failed = sum(not each.passed for each in tests)
        counts = {"tests": str(len(tests)), "failures": str(failed), "errors": "0", "skipped": "0"}
        suite = ElementTree.SubElement(top, "testsuite", {"name": _said(file), **counts})
        for each in tests:
            names = {"classname": _said(each.policy), "name": _said(each.name)}
            place = {"file": _said(each.file), "line": str(each.line)}
            case = ElementTree.SubElement(suite, "testcase", names | place)
            if not each.passed:
                first = report(each)[0]
                failure = ElementTree.SubElement(case, "failure", {"message": _said(first), "type": "difference"})
                failure.text = _said("\n".join(report(each)))
    ElementTree.indent(top)
    return bytes(ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)) + b"\n"


def _said(text: str) -> str:
    return _CONTROL.sub("�", text)
