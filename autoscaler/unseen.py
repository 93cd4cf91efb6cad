"""Characters that nobody sees: they steer a terminal, turn words around, or make one name look like another."""

from __future__ import annotations

import json
import unicodedata

KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, marks of direction, what nobody has defined

LAYOUT = "\n\t"  # of them, what only lays a text out


def unseen(text: str) -> bool:
    """Whether there are any.

    >>> unseen("web\\x1b[2J"), unseen("주문 🚀 a\u00a0b")
    (True, False)
    """
    return not text.isprintable() and any(unicodedata.category(each) in KINDS for each in text)


def visible(text: str, keep: str = "") -> str:
    r"""The text with each of them written out, but those of `keep`.

    >>> visible("주문 🚀\n\x1b[2J\u202e", keep="\n")
    '주문 🚀\n\\x1b[2J\\x202e'
    """
    if text.isprintable():
        return text
    return "".join(
        f"\\x{ord(each):02x}" if unicodedata.category(each) in KINDS and each not in keep else each for each in text
    )


def in_json(text: str) -> str:
    r"""JSON with each of them escaped: it means the same.

    >>> in_json('{"name": "a\u202eb 주문"}')
    '{"name": "a\\u202eb 주문"}'
    """
    if text.isprintable():
        return text
    return "".join(
        json.dumps(each)[1:-1] if unicodedata.category(each) in KINDS and each not in LAYOUT else each for each in text
    )
