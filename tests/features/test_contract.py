"""Features keep every promise, and what is broken is found out."""

from __future__ import annotations

import itertools

import pytest

from lithify.checks import feature_checks
from lithify.checks.common import HOSTILE
from lithify.features.base import Span
from lithify.features.mail import Mail, MailParams
from lithify.features.text import Text, TextParams

MAILS = [
    b"From: a@example.com\nTo: b@example.com\nSubject: =?utf-8?q?caf=C3=A9?=\n"
    b"Date: Mon, 2 Feb 2015 10:00:00 +0000\n\nHello there, a kernel patch.\n",
    b"Content-Type: text/html\n\n<html><body><p>Buy   NOW!!! http://example.com/x</p></body></html>\n",
    b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n"
    b"Content-Transfer-Encoding: base64\n\naGVsbG8gd29ybGQgaGVsbG8=\n--b\nContent-Type: text/html\n"
    b"Content-Transfer-Encoding: quoted-printable\n\n<b>caf=C3=A9=\n au lait</b>\n--b--\n",
    b"no header at all",
    b"Subject: nothing but space\n\n" + b" \n" * 9,
    b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\n\x00\xff\n",
]
TEXTS = ["Hello world", "a", "ab cd", "caf\u00e9 \u20ac \U0001f600 " * 20, "x" * 40000, "  spaced   out  "]
MADE = {
    "mail": (Mail(MailParams(body_bits=10, shape_bits=9, header_bits=8, read=500)), MAILS),
    "mail as it comes": (Mail(MailParams()), MAILS[:3]),
    "text": (Text(TextParams(body_bits=10, shape_bits=9, read=1000)), [text.encode() for text in TEXTS]),
    "text as it comes": (Text(TextParams()), [text.encode() for text in TEXTS[:3]]),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on, (features, rows) in MADE.items()
        for name, check in feature_checks(features, rows)
    ],
)
def test_contract(check) -> None:
    check()


@pytest.mark.parametrize("on", sorted(MADE))
def test_spans_lie_where_they_say(on) -> None:
    """The text of a span is what stands there, and the spans of one channel do not overlap."""
    features, rows = MADE[on]
    for row in [*rows, *HOSTILE]:
        spans = [s for s in features.spans(features.fit([[row]]), row) if s.channel in ("text", "body")]
        for before, after in itertools.pairwise(spans):
            assert before.end <= after.start
        if on.startswith("text"):
            for span in spans:
                assert row[span.start : span.end].decode("utf-8", "replace") == span.text


class Sloppy(Text):
    """Forgets some spans, and looks at the other rows."""

    def spans(self, state, content):
        return super().spans(state, content)[1:]

    def transform(self, state, contents):
        return super().transform(state, [bytes([len(contents) % 250]) + content for content in contents])


@pytest.mark.parametrize("promise", ["spans_cover_the_features", "a_row_alone_equals_the_row_in_a_batch"])
def test_a_broken_promise_is_found(promise) -> None:
    checks = dict(feature_checks(Sloppy(TextParams(body_bits=8)), [b"hello world again"]))
    with pytest.raises(AssertionError, match="Broken promise"):
        checks[promise]()


def test_words_of_a_text() -> None:
    spans = Text(TextParams()).spans(Text(TextParams()).fit([]), b"hello wide world")
    assert [(span.text, span.start, span.end) for span in spans] == [
        ("hello", 0, 5),
        ("wide", 6, 10),
        ("world", 11, 16),
    ]
    assert isinstance(spans[0], Span)
    assert spans[0].features.dtype.str == "<i8"
