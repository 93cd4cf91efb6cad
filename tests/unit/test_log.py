"""The log's lines: what strangers wrote steers no terminal, and what is secret is not in them."""

from __future__ import annotations

import logging
import sys

from autoscaler.log import JsonLines, TextLines


def record(name: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("autoscaler", logging.INFO, "", 0, name, None, None)
    made.fields = fields
    return made


def test_no_control_character_gets_into_a_line_of_text() -> None:
    line = TextLines().format(
        record("scaled", policy="web\x1b[2J", where="a\u202e b\x9b1m", text="one\ntwo\r\x1b]0;x\x07")
    )
    assert line.isprintable()
    assert r"policy=web\x1b[2J" in line
    assert r"· one two\x0d\x1b]0;x\x07" in line


def test_text_of_any_language_stays_as_it_is() -> None:
    assert TextLines().format(record("scaled", policy="주문", text="Größe 🚀")).endswith("policy=주문 · Größe 🚀")


def test_a_traceback_keeps_its_lines_and_steers_nothing() -> None:
    made = record("fault")
    try:
        raise ValueError("bad\x1b[2J")
    except ValueError:
        made.exc_info = sys.exc_info()
    lines = TextLines().format(made).split("\n")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == r"ValueError: bad\x1b[2J"
    assert "\\u001b" in JsonLines().format(made)
