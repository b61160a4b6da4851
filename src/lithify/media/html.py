"""HTML to the text a person would read."""

from __future__ import annotations

import re
from html import unescape

MAX_LENGTH = 512 * 1024
"""Characters of HTML that are read."""

MAX_TAGS = 4000
MAX_TAG = 2048
"""A parser that follows the HTML standard takes quadratic time in the depth of open elements and in the attributes of
one element. Documents with more tags, or with a longer tag, go through plain tag removal, which is linear."""

_LONG_TAG = re.compile(rf"<[^<>]{{{MAX_TAG}}}")
_BLOCK = re.compile(
    r"<(?=/?(?:p|br|div|t[drh]|table|li|ul|ol|h[1-6r]|center|blockquote|pre|option|title|img|input)\b)", re.IGNORECASE
)
_UNSEEN_TAGS = ("script", "style", "title", "template")
_UNSEEN = re.compile(rf"<({'|'.join(_UNSEEN_TAGS)})\b", re.IGNORECASE)
_CLOSING = {tag: re.compile(f"</{tag}", re.IGNORECASE) for tag in _UNSEEN_TAGS}
_TAG = re.compile(r"<(?:!--|[!/?a-zA-Z])[^<>]*>?")
_HUGE_REFERENCE = re.compile(r"&#[0-9]{8,};?")
_BLANKS = re.compile(r"\s+")


def to_text(html: str) -> str:
    """The visible text of an HTML document or fragment, with single blanks between words.

    Blocks, cells and line breaks separate words; inline tags and comments do not, so ``V<!-- x -->ia<b>gra</b>`` is
    one word, as on the screen.

    Parameters
    ----------
    html : str
        Anything; at most ``MAX_LENGTH`` characters are read.

    Examples
    --------
    >>> to_text("<style>p {}</style><p>One<br>two &amp; <b>thr</b>ee")
    'One two & three'
    """
    html = _BLOCK.sub(" <", html[:MAX_LENGTH].replace("\0", " "))
    hostile = html.count("<") > MAX_TAGS or _LONG_TAG.search(html)
    text = _stripped(html) if hostile else _parsed(html)
    return _BLANKS.sub(" ", text).strip()


def _parsed(html: str) -> str:
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    try:
        tree = LexborHTMLParser(html)
        if _UNSEEN.search(html):
            tree.strip_tags(list(_UNSEEN_TAGS))
        return tree.root.text(deep=True) if tree.root else ""
    except (SelectolaxError, ValueError, RuntimeError):
        return _stripped(html)


def _stripped(html: str) -> str:
    """Tags removed in one linear pass; scripts, styles and the like cut out first."""
    kept = []
    end = 0
    for match in _UNSEEN.finditer(html):
        if match.start() < end:
            continue
        kept.append(html[end : match.start()])
        closing = _CLOSING[match[1].lower()].search(html, match.end())
        if closing is None:
            break
        end = closing.start()
    else:
        kept.append(html[end:])
    return unescape(_HUGE_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", _TAG.sub("", "".join(kept))))
