"""What a person reads, of a message and of HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.media import html, mime


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain &lt; text", "plain < text"),
        ("<p>one</p><p>two</p>", "one two"),
        ("V<!-- x -->ia<b>gra</b>", "Viagra"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b c"),
        ("a<br>b<BR/>c<hr>d", "a b c d"),
        ("<title>t</title><style>x{}</style><script>y()</script>z", "z"),
        ("a <script>unclosed", "a"),
        ("a\0b", "a b"),
        ("&nbsp;a\n\n b ", "a b"),
        ("<p", ""),
        ("caf&eacute; &#233; &#xe9;", "café é é"),
    ],
)
def test_html_text(source: str, text: str) -> None:
    assert html.to_text(source) == text


@pytest.mark.parametrize(
    "source", ["<p>one</p><p>two", "a<b>b</b>c &amp; d", "x<style>p{}</style>y<script>z</script>w"]
)
def test_tag_removal_gives_the_same_text(source: str) -> None:
    hostile = "<i>" * html.MAX_TAGS + source
    assert html.to_text(hostile) == html.to_text(source)


@given(st.text(max_size=80) | st.text("<>/!-= \"'&;#x0pscripttabledv", max_size=80))
def test_html_never_raises(source: str) -> None:
    assert isinstance(html.to_text(source), str)
    assert isinstance(html._stripped(source), str)


def test_text_of_a_message() -> None:
    content = (
        b"Subject: =?iso-8859-1?q?caf=E9?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nplain\n--b\n"
        b"Content-Type: text/html; charset=utf-8\n\n<p>html \xc3\xa9<p>x\n"
        b"--b\nContent-Type: image/png\n\npixels\n--b--\n"
    )
    assert mime.text(content) == "café\nplain\nhtml é x"


def test_text_of_odd_messages() -> None:
    assert mime.text(b"") == ""
    assert mime.text(b"just a body\n") == "just a body"
    assert mime.text(b"Subject: only\n") == "only"
    assert mime.text(b"Content-Type: multipart/mixed\n\nno boundary\n") == "no boundary"
    assert mime.text(b"Subject: a\n\n" + b"x" * 100, limit=22) == "a\n" + "x" * 10
