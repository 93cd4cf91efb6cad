"""The log's lines: what strangers wrote steers no terminal, and what is secret is not in them."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from autoscaler.log import JsonLines, TextLines, redact


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


def test_a_line_of_json_means_the_same_and_shows_what_nobody_sees() -> None:
    said = "a\u202eb\u2066c\u2069\u200b\x9b1m\n주문 🚀 \U000e0041"
    line = JsonLines().format(record("scaled", policy=said))
    assert line.isprintable()
    assert "주문 🚀" in line
    assert json.loads(line)["policy"] == said


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("X-Api-Key: k3y", "X-Api-Key: [redacted]"),
        ("?api-key=k3y&x=1", "?api-key=[redacted]&x=1"),
        ("{'X-API-Key': 'k3y', 'a': 'b'}", "{'X-API-Key': '[redacted]', 'a': 'b'}"),
        ("Authorization: token ghp_k3y, then", "Authorization: [redacted], then"),
        ("Authorization: k3y", "Authorization: [redacted]"),
        ("Authorization: Bearer abcdef123456", "Authorization: [redacted]"),
        ("said ghs_0123456789abcdef, and more", "said [redacted], and more"),
        ("said github_pat_11ABCDEFG0_0123456789", "said [redacted]"),
        ("JWT eyJhbGciOiJSUzI1NiJ9.eyJpYXQiOjE3MDB9fQ.c2lnbmF0dXJl here", "JWT [redacted] here"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----.", "[redacted]."),
        ("-----BEGIN PRIVATE KEY----- MIIE", "[redacted]"),
        ("at https://u:p/w@host/x", "at https://[redacted]@host/x"),
        ("at https://u:9w/p/w@host:80", "at https://[redacted]@host:80"),
        ("at https://u:p@w@host/x", "at https://[redacted]@host/x"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, told: str) -> None:
    assert redact(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "https://host/@scope/x@1.2",
        "https://host:8080/@scope/x@1.2",
        "http://[::1]:9090/a@b",
        "http://host/a:b@c",
        "http://host:9090?who=a:b",
        "http://host:9090: refused, ask ann@example.com",
        "api keys are not known here",
    ],
)
def test_what_only_has_the_shape_of_one_stays(text: str) -> None:
    assert redact(text) == text
