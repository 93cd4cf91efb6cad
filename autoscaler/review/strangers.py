"""Words of strangers made harmless: policy names, values, file names and texts of a pull request."""

from __future__ import annotations

import re
from html import escape

from autoscaler import unseen

LONGEST = 200
_PLAIN = re.compile(r"[^A-Za-z0-9 _/()-]+")


def visible(text: str, longest: int = LONGEST) -> str:
    r"""A text in one line in which everything can be seen: nothing in it steers a terminal or turns words around.

    >>> visible("web\x1b[2J\n::error::x"), visible("a" * 9, 5)
    ('web\\x1b[2J\\x0a::error::x', 'aaaa…')
    """
    return unseen.visible(text if len(text) <= longest else f"{text[: longest - 1]}…")


def lines(text: str) -> list[str]:
    """The same for a text of several lines, our own line ends kept."""
    return [visible(each) for each in text.split("\n")]


def code(text: str) -> str:
    """A text as code in a line or a table cell of Markdown, whatever stands in it.

    All that could be markup, a mention, a link or a reference is written as a character reference, which Markdown shows
    and never reads as markup; and GitHub looks for no mentions and references in code.

    >>> code("a|b @you")
    '<code>a&#124;b &#64;you</code>'
    """
    return f"<code>{''.join(c if c.isalnum() or c in ' /,=…→' else f'&#{ord(c)};' for c in visible(text))}</code>"


def pre(text: list[str]) -> str:
    """Lines as a block of their own; no line of it can end the block, and blank ones do not."""
    return f"<pre>{escape(chr(10).join(visible(each) for each in text))}</pre>"


def chart(text: str) -> str:
    """What may stand between quotes in a Mermaid chart: it refuses a title that holds a quote.

    >>> chart('web"]; click x')
    'web click x'
    """
    return _PLAIN.sub("", text)[:60].strip()


def command_data(text: str) -> str:
    """The message of a workflow command: our line ends kept, everything else of one line.

    >>> command_data("50%\\n::error::x ##[error]y")
    '50%25%0A::error::x # #[error]y'
    """
    shown = _unspoken("\n".join(lines(text)))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """The value of a property of a workflow command.

    >>> command_property("a,b:c")
    'a%2Cb%3Ac'
    """
    return _unspoken(visible(text, 1000)).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def _unspoken(text: str) -> str:
    """A runner reads the older form of its commands anywhere in a line."""
    return text.replace("##[", "# #[")
