"""Hand-made mails, one for each branch of the reading, as (name, canonical bytes)."""

from __future__ import annotations

import base64

MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n"


def _mixed(*lines: str, kind: str = "multipart/mixed; boundary=b") -> bytes:
    return f"Content-Type: {kind}\n\n".encode() + "\n".join(lines).encode("latin-1")


def _encoded(encoding: str, body: bytes) -> bytes:
    return f"Content-Transfer-Encoding: {encoding}\n\n".encode() + body


def _typed(value: str, body: bytes = b"body\n") -> bytes:
    return b"Content-Type: " + value.encode("latin-1") + b"\n\n" + body


SHAPES = {
    "empty": b"",
    "one line end": b"\n",
    "header only": b"Subject: hi",
    "header only, ended": b"Subject: hi\n",
    "header and empty line": b"Subject: hi\n\n",
    "body only": b"just text\nmore\n",
    "body after empty line": b"\nbody\n",
    "plain": b"Subject: hi\nTo: you\n\nbody\n\nmore",
    "no line end": b"Subject: hi\n\nbody",
    "broken header line": b"Subject: hi\nno colon here\nTo: you\n\nbody\n",
    "space before colon": b"Subject: hi\nContent-Type : text/html\n\nbody\n",
    "colon first": b": x\nContent-Type: text/html\n\nbody\n",
    "continuation first": b" x\nContent-Type: text/html\n\nbody\n",
    "blank line of spaces": b"A: b\n   \nContent-Type: text/html\n\nbody\n",
    "stray From in the middle": b"A: b\nFrom x\nContent-Type: text/html\n\nbody\n",
    "stray From last": b"A: b\nFrom x\n\nbody\n",
    "stray From last, body at once": b"A: b\nFrom x\nbody line\n",
    "stray From last, end": b"A: b\nFrom x",
    "stray From, end in a multipart": _mixed("--b", "A: b", "From x", "", "text", "--b--"),
    "lower-case from": b"A: b\nfrom x\nContent-Type: text/html\n\nbody\n",
    "8 bit header name": b"A\xe9: b\nContent-Type: text/html\n\nbody\n",
    "NULs": b"Subject: a\0b\nContent-Type: text/plain\0; charset=\0\n\nbo\0dy\n",
    "NUL in name": b"A\0: b\n\nbody\n",
    "repeated Content-Type": b"Content-Type: text/html\nContent-Type: text/plain\n\nbody\n",
    "long line": b"Subject: x\n\n" + b"y" * 70_000 + b"\n",
    "long header line": b"Subject: " + b"y" * 70_000 + b"\n\nbody\n",
    "long name": b"y" * 70_000 + b": x\n\nbody\n",
}

TYPES = {
    f"type {value!r}": _typed(value)
    for value in (
        "",
        "text",
        "text/html/x",
        "TEXT/HTML",
        " text/html ; charset = UTF-8 ",
        "text/html;charset=\"utf-8\"",
        "text/html;charset=<utf-8>",
        "text/html;charset='utf-8'",
        "text/html; charset=\"a\\\"b\"",
        "text/html; charset=\"a;b\"; x=y",
        "text/html; x=\"a;b\\\";c\"; charset=d",
        "text/html; x=\"open; charset=d",
        "text/html; charset",
        "text/html; charset=",
        "text/html; charset=a; charset=b",
        "charset=a",
        "; charset=a",
        "text/html;;; =; charset=a",
        "text/html;\n\tcharset=a",
        "text/html; charset=caf\xe9",
        "text/\xe9; charset=a",
        "text/html; charset*=us-ascii'en'utf%2D8",
        "text/html; charset*=us-ascii''caf%E9",
        "text/html; charset*=no-such''utf-8",
        "text/html; charset*=utf-8",
        "text/html; charset*0=utf; charset*1=-8",
        "text/html; charset*1=-8; charset*0*=''utf; x*=y",
        "text/html; charset*=''a; charset=b",
        "\ttext/html\x0c",
        "a/b; charset=x\x1c",
    )
}  # fmt: skip

ENCODINGS = {
    "base64": _encoded("base64", base64.encodebytes(bytes(range(256)))),
    "base64, upper case": _encoded("BASE64", b"aGVsbG8=\n"),
    "base64, no padding": _encoded("base64", b"aGVsbG8\n"),
    "base64, half a padding": _encoded("base64", b"aGVsbG9v\nYQ=\n"),
    "base64, one too many": _encoded("base64", b"aGVsb\n"),
    "base64, garbage": _encoded("base64", b"aG!V*s\nbG8=\n"),
    "base64, garbage and no padding": _encoded("base64", b"aG!V*s\nbG8\n"),
    "base64, garbage and one too many": _encoded("base64", b"aG!V*s\nbG8=\nx"),
    "base64, padding in the middle": _encoded("base64", b"aGVs\nbG8=\naGVs\n"),
    "base64, padding first": _encoded("base64", b"=aGVsbG8=\n"),
    "base64, 8 bit": _encoded("base64", b"\xe9\xff\n"),
    "base64, empty": _encoded("base64", b""),
    "base64, text after it": _encoded("base64", b"aGVsbG8=\n\n-- \nThis list is run by volunteers\n"),
    "quoted-printable": _encoded("quoted-printable", b"a=3Db =\nc=\n\n=C3=A9\n"),
    "quoted-printable, broken": _encoded("Quoted-Printable", b"a=\nb=ZZ=4=\t \nc \n="),
    "quoted-printable, 8 bit": _encoded("quoted-printable", b"caf\xe9 =E9"),
    "uuencode": _encoded("x-uuencode", b"text\nbegin 644 x\n#86)C\n \nend\nmore\n"),
    "uuencode, empty line": _encoded("uuencode", b"begin 644 x\n#86)C\n\nend\n"),
    "uuencode, no begin": _encoded("uue", b"#86)C\nend\n"),
    "uuencode, wrong mode": _encoded("x-uue", b"begin abc x\nbegin 644 x\n#86)C\nend\n"),
    "uuencode, no end": _encoded("uuencode", b"begin 644 x\n#86)C\n"),
    "uuencode, padded lines": _encoded("uuencode", b"begin 644 x\n#86)CXYZ\nend\n"),
    "uuencode, garbage": _encoded("uuencode", b"begin 644 x\n#\xe9\xe9\xe9\nend\n"),
    "unknown encoding": _encoded("rot13", b"uryyb\n"),
    "empty encoding": _encoded("", b"hello\n"),
    "8 bit encoding": _encoded("8bit\xe9", b"hello\n"),
    "repeated encoding": b"Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\naGVsbG8=\n",
    "repeated disposition": b"Content-Disposition: attachment\nContent-Disposition: inline\n\nhello\n",
    "folded encoding": b"Content-Transfer-Encoding:\n\t7bit\n\nhello\n",
}

MULTIPARTS = {
    "two parts": _mixed("preamble", "--b", "", "one", "--b", "Content-Type: text/html", "", "two", "", "--b--",
                        "after"),
    "no closing boundary": _mixed("--b", "", "one", "--b", "", "two", ""),
    "no boundary line": _mixed("one", "two", ""),
    "closing boundary only": _mixed("one", "--b--", "two"),
    "no boundary parameter": _mixed("--b", "", "one", "--b--", kind="multipart/mixed"),
    "empty boundary": _mixed("--", "", "one", "--", "", "two", "----", kind='multipart/mixed; boundary=""'),
    "boundary with blanks": _mixed("--a b", "", "one", "--a b--", kind='multipart/mixed; boundary="a b  "'),
    "boundary in angles": _mixed("--<b>", "", "one", "--b", "", "two", kind='multipart/mixed; boundary="<b>"'),
    "boundary, 8 bit": _mixed("--\xe9", "", "one", "--\xe9--", kind="multipart/mixed; boundary=\xe9"),
    "boundary, folded": _mixed("--a", " b", "", "one", kind='multipart/mixed; boundary="a\n b"'),
    "boundary that matches no line": _mixed("--", "", "one", "--", "", "two", kind="multipart/mixed; boundary=\xe9"),
    "boundary of a pattern": _mixed("--.*", "", "one", "--x", "", "--.*--", kind='multipart/mixed; boundary=".*"'),
    "boundary in pieces": _mixed("--ab", "", "one", "--ab--", kind="multipart/x; boundary*0=a; boundary*1=b"),
    "boundary, encoded": _mixed("--ab", "", "one", "--ab--", kind="multipart/x; boundary*=us-ascii''a%62"),
    "boundary, unknown charset": _mixed("--ab", "", "one", "--ab--", kind="multipart/x; boundary*=nope''a%62"),
    "boundary, no charset": _mixed("--ab", "", "one", "--ab--", kind="multipart/x; boundary*=a%62"),
    "trailing blanks": _mixed("--b \t", "", "one", "--b-- ", "x"),
    "longer lines": _mixed("--b", "", "one", "--bb", "--b--b", "--b --", "two", "--b--"),
    "boundary within a line": _mixed("--b", "", "one --b", " --b", "two", "--b--"),
    "repeated boundaries": _mixed("--b", "--b", "--b--", "", "one", "--b", "--b"),
    "boundary last": _mixed("--b", "", "one", "--b"),
    "boundary in a header": _mixed("--b", "Content-Type: text/html", "--b", "A: b"),
    "header-only parts": _mixed("--b", "Content-Type: text/html", "--b", "Content-Type: text/html", "", "--b--"),
    "transfer encoding": _mixed("--b", "Content-Transfer-Encoding: base64", "", "aGVsbG8=", "--b--"),
    "attachment": _mixed("--b", "Content-Disposition: Attachment; filename=x", "", "one", "--b",
                         "Content-Disposition: inline", "", "two", "--b--"),
    "nested": _mixed("--b", "Content-Type: multipart/alternative; boundary=c", "", "--c", "", "one", "--c--", "", "--b",
                     "", "two", "--b--"),
    "nested, inner open": _mixed("--b", "Content-Type: multipart/x; boundary=c", "", "--c", "", "one", "", "--b--"),
    "nested, same boundary": _mixed("--b", "Content-Type: multipart/x; boundary=b", "", "--b", "", "one", "--b--"),
    "nested, prefix boundary": _mixed("--b", "Content-Type: multipart/x; boundary=b1", "", "--b1", "", "one", "--b1--",
                                      "--b", "", "two", "--b--"),
    "nested, no inner line": _mixed("--b", "Content-Type: multipart/x; boundary=c", "", "one", "", "--b--"),
    "digest": _mixed("--b", "", "Subject: inner", "", "one", "--b", "Content-Type: text/html", "", "two", "--b--",
                     kind="multipart/digest; boundary=b"),
    "message": _mixed("--b", "Content-Type: message/rfc822", "", "Content-Type: text/html", "", "one", "", "--b--"),
    "message of a multipart": _mixed("--b", "Content-Type: message/rfc822", "", "Content-Type: multipart/x; boundary=c",
                                     "", "--c", "", "one", "--c--", "end", "", "--b--"),
    "message, encoded": _mixed("--b", "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "",
                               "U3ViamVjdDogeA==", "--b--"),
    "message with From": _mixed("From x", "Content-Type: text/html", "", "one", kind="message/rfc822"),
    "message, empty": _typed("message/rfc822", b""),
    "message/partial": _typed("message/partial; id=x", b"Subject: x\n\ny\n"),
    "status": _mixed("Reporting-MTA: x", "", "Action: failed", "Content-Type: text/html", "",
                     kind="message/delivery-status"),
    "status, more blanks": _mixed("", "A: b", "", "", "C: d", "", "", "", kind="message/delivery-status"),
    "status, text": _mixed("not a field", "A: b", "", "C: d", kind="message/delivery-status"),
    "status, empty": _typed("message/delivery-status", b""),
    "status in a report": _mixed("--b", "Content-Type: message/delivery-status", "", "text", "", "--b",
                                 "", "x", "--b--"),
    "multipart of nothing": _typed("multipart/", b"--b\n"),
    "8 bit parts": MIXED + b"--b\n\ncaf\xe9\n--b\nContent-Transfer-Encoding: quoted-printable\n\n=E9\xe9\n--b--\n",
}  # fmt: skip

ALL = SHAPES | TYPES | ENCODINGS | MULTIPARTS
