"""Kernels for the structural facts of a message: what its header looks like, never what it says.

Header texts leak and age: list tags, gateways, hosts and dates tell sources apart, not spam. What stays true is how a
header is made: which fields are there, how the addresses, the message id and the date are shaped, how the subject is
written. A fact is a number (see :data:`TITLES`) and a value; both are hashed into one bucket.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

b = peer("lithify.features.bytestrings")
m = peer("lithify.features.message")

MAX_FACTS = 96
TITLES = (
    *(f"has {name}" for name in m.NAMES[:-1]),
    "quoting of From", "top-level domain of From", "digits in the From address",
    "addresses in To", "To is undisclosed", "quoting of To", "To contains From", "Reply-To against From",
    "shape of Message-ID", "length of Message-ID", "brackets of Message-ID", "Message-ID host against From",
    "dots in the Message-ID host",
    "Content-Type", "charset", "charset in quotes", "shape of the boundary", "Content-Transfer-Encoding",
    "X-Priority", "Importance", "shape of Date",
    "Re: or [tag] in Subject", "exclamation marks in Subject", "question marks in Subject", "dollar in Subject",
    "capitals in Subject", "length of Subject", "number at the end of Subject", "foreign characters in Subject",
    "last character of Subject",
    "unknown or forged sender host", "bare addresses in Received", "protocols in Received",
)  # fmt: skip
"""What each fact is, by its number."""

(
    FROM_QUOTES, FROM_TLD, FROM_DIGITS, TO_COUNT, TO_UNDISCLOSED, TO_QUOTES, TO_FROM, REPLY, ID_SHAPE, ID_LENGTH,
    ID_BRACKETS, ID_HOST, ID_DOTS, TYPE, CHARSET, CHARSET_QUOTES, BOUNDARY_SHAPE, ENCODING, PRIORITY, IMPORTANCE,
    DATE_SHAPE, SUBJECT_PREFIX, SUBJECT_BANG, SUBJECT_QUESTION, SUBJECT_DOLLAR, SUBJECT_CAPITALS, SUBJECT_LENGTH,
    SUBJECT_NUMBER, SUBJECT_FOREIGN, SUBJECT_LAST, ROUTE_DOUBT, ROUTE_BARE, ROUTE_PROTOCOLS,
) = range(m.FIELDS - 1, len(TITLES))  # fmt: skip

_UNDISCLOSED, _CHARSET, _BOUNDARY, _ENCODED = (b.pattern(s) for s in ("undisclosed", "charset=", "boundary=", "=?"))


@kernel
def collect(data: Any, start: Any, stop: Any, route: Any, which: Any, value: Any) -> int:
    """Writes all facts of a header read by ``read_header`` into ``which`` and ``value``; returns how many."""
    n = 0
    for field in range(m.FIELDS - 1):
        n = _put(which, value, n, field, 1 if start[field] >= 0 else 0)
    sender = np.empty(3, dtype=np.int64)
    _address(data, start[m.FROM], stop[m.FROM], sender)
    n = _from(data, start, stop, sender, which, value, n)
    n = _to(data, start, stop, sender, which, value, n)
    n = _reply(data, start, stop, sender, which, value, n)
    n = _message_id(data, start, stop, sender, which, value, n)
    n = _type(data, start, stop, which, value, n)
    n = _subject(data, start, stop, which, value, n)
    n = _put(which, value, n, ROUTE_DOUBT, route[1] * 2 + route[2])
    n = _put(which, value, n, ROUTE_BARE, min(3, route[3]))
    return _put(which, value, n, ROUTE_PROTOCOLS, route[4])


@kernel
def _put(which: Any, value: Any, n: int, fact: int, number: int) -> int:
    which[n] = fact
    value[n] = np.uint64(number)
    return n + 1


@kernel
def _put_hash(which: Any, value: Any, n: int, fact: int, hashed: Any) -> int:
    which[n] = fact
    value[n] = hashed
    return n + 1


@kernel
def _address(data: Any, at: int, end: int, out: Any) -> None:
    """The last address of a field: where it starts, its ``@`` and its end; all -1 where there is none."""
    out[:] = -1
    if at < 0:
        return
    i = end - 1
    while i >= at and data[i] != 64:
        i -= 1
    if i < at:
        return
    first = i
    while first > at and data[first - 1] > 32 and _inside(data[first - 1]):
        first -= 1
    last = i + 1
    while last < end and _host(b.LOWER[data[last]]):
        last += 1
    out[0], out[1], out[2] = first, i, last


@kernel
def _inside(byte: int) -> bool:
    return byte != 60 and byte != 34 and byte != 44 and byte != 58 and byte != 40


@kernel
def _host(byte: int) -> bool:
    return 97 <= byte <= 122 or 48 <= byte <= 57 or byte == 46 or byte == 45


@kernel
def _from(data: Any, start: Any, stop: Any, sender: Any, which: Any, value: Any, n: int) -> int:
    quotes, digits, trailing = 0, 0, 0
    at, end = start[m.FROM], stop[m.FROM]
    if at >= 0:
        for i in range(at, end):
            if data[i] == 34:
                quotes = 2
                break
            if data[i] == 60 and i > at:
                quotes = 1
    if sender[0] >= 0:
        for i in range(sender[0], sender[1]):
            if 48 <= data[i] <= 57:
                digits += 1
                trailing += 1
            else:
                trailing = 0
        dot = sender[2]
        while dot > sender[1] and data[dot - 1] != 46 and data[dot - 1] != 64:
            dot -= 1
        n = _put_hash(which, value, n, FROM_TLD, b.fold_hash(data, dot, min(sender[2], dot + 12)))
    n = _put(which, value, n, FROM_QUOTES, quotes)
    return _put(which, value, n, FROM_DIGITS, min(3, digits) * 2 + (1 if trailing >= 2 else 0))


@kernel
def _to(data: Any, start: Any, stop: Any, sender: Any, which: Any, value: Any, n: int) -> int:
    addresses, quotes, undisclosed, contains = 0, 0, 0, 0
    at, end = start[m.TO], min(stop[m.TO], start[m.TO] + 400)
    if at >= 0:
        if b.find(data, at, min(end, at + 60), _UNDISCLOSED) >= 0:
            undisclosed = 1
        length = sender[2] - sender[0]
        for i in range(at, end):
            if data[i] == 64:
                addresses += 1
            elif data[i] == 60:
                quotes |= 2
            elif data[i] == 34:
                quotes |= 1
            if sender[0] >= 0 and i + length <= end and b.same(data, i, i + length, sender[0], sender[2]):
                contains = 1
    n = _put(which, value, n, TO_COUNT, min(4, addresses))
    n = _put(which, value, n, TO_UNDISCLOSED, undisclosed)
    n = _put(which, value, n, TO_QUOTES, quotes)
    return _put(which, value, n, TO_FROM, contains)


@kernel
def _reply(data: Any, start: Any, stop: Any, sender: Any, which: Any, value: Any, n: int) -> int:
    """0 no address, 1 the sender's, 2 another of the same host, 3 elsewhere."""
    reply = np.empty(3, dtype=np.int64)
    _address(data, start[m.REPLY_TO], stop[m.REPLY_TO], reply)
    relation = 0
    if reply[0] >= 0:
        relation = 3
        if sender[0] >= 0:
            if b.same(data, reply[0], reply[2], sender[0], sender[2]):
                relation = 1
            elif b.same(data, reply[1], reply[2], sender[1], sender[2]):
                relation = 2
    return _put(which, value, n, REPLY, relation)


@kernel
def _message_id(data: Any, start: Any, stop: Any, sender: Any, which: Any, value: Any, n: int) -> int:
    brackets, relation, dots = 0, 0, 0
    at, end = start[m.MESSAGE_ID], stop[m.MESSAGE_ID]
    if at >= 0:
        if end > at + 1 and data[at] == 60 and data[end - 1] == 62:
            brackets = 1
        while at < end and data[at] == 60:
            at += 1
        while end > at and data[end - 1] == 62:
            end -= 1
        sign = at
        while sign < end and data[sign] != 64:
            sign += 1
        n = _put_hash(which, value, n, ID_SHAPE, b.shape_hash(data, at, sign, 40))
        n = _put(which, value, n, ID_LENGTH, (sign - at) // 4)
        if sign < end:
            relation = 3
            for i in range(sign, end):
                if data[i] == 46:
                    dots += 1
            if sender[0] >= 0:
                if b.same(data, sign, end, sender[1], sender[2]):
                    relation = 1
                elif b.same(data, _domain(data, sign, end), end, _domain(data, sender[1], sender[2]), sender[2]):
                    relation = 2
    n = _put(which, value, n, ID_BRACKETS, brackets)
    n = _put(which, value, n, ID_HOST, relation)
    return _put(which, value, n, ID_DOTS, min(3, dots))


@kernel
def _domain(data: Any, at: int, end: int) -> int:
    """Where the last two labels of the host after an ``@`` at ``at`` begin."""
    dots, i = 0, end
    while i > at + 1:
        if data[i - 1] == 46:
            dots += 1
            if dots == 2:
                break
        i -= 1
    return i


@kernel
def _type(data: Any, start: Any, stop: Any, which: Any, value: Any, n: int) -> int:
    at, end = start[m.CONTENT_TYPE], stop[m.CONTENT_TYPE]
    if at >= 0:
        last = at
        while last < end and data[last] > 32 and data[last] != 59:
            last += 1
        n = _put_hash(which, value, n, TYPE, b.fold_hash(data, at, min(last, at + 40)))
        first, last, quoted = m.parameter(data, at, end, _CHARSET)
        if first >= 0:
            n = _put_hash(which, value, n, CHARSET, b.fold_hash(data, first, min(last, first + 24)))
            n = _put(which, value, n, CHARSET_QUOTES, quoted)
        first, last, quoted = m.parameter(data, at, end, _BOUNDARY)
        if first >= 0:
            n = _put_hash(which, value, n, BOUNDARY_SHAPE, b.shape_hash(data, first, last, 20))
    n = _value(data, start, stop, m.ENCODING, ENCODING, 16, which, value, n)
    n = _value(data, start, stop, m.PRIORITY, PRIORITY, 3, which, value, n)
    n = _value(data, start, stop, m.IMPORTANCE, IMPORTANCE, 6, which, value, n)
    if start[m.DATE] >= 0:
        n = _put_hash(which, value, n, DATE_SHAPE, b.shape_hash(data, start[m.DATE], stop[m.DATE], 40))
    return n


@kernel
def _value(data: Any, start: Any, stop: Any, field: int, fact: int, limit: int, which: Any, value: Any, n: int) -> int:
    at = start[field]
    if at < 0:
        return n
    return _put_hash(which, value, n, fact, b.fold_hash(data, at, min(stop[field], at + limit)))


@kernel
def _subject(data: Any, start: Any, stop: Any, which: Any, value: Any, n: int) -> int:
    if start[m.SUBJECT] < 0:
        return n
    end = stop[m.SUBJECT]
    at, prefix = skip_prefixes(data, start[m.SUBJECT], end)
    bangs, questions, dollar, upper, letters, high = 0, 0, 0, 0, 0, 0
    for i in range(at, end):
        byte = data[i]
        if byte == 33:
            bangs += 1
        elif byte == 63:
            questions += 1
        elif byte == 36:
            dollar = 1
        elif byte >= 128:
            high = 1
        elif 65 <= byte <= 90:
            upper += 1
            letters += 1
        elif 97 <= byte <= 122:
            letters += 1
    encoded = 1 if b.find(data, at, end, _ENCODED) >= 0 else 0
    n = _put(which, value, n, SUBJECT_PREFIX, prefix)
    n = _put(which, value, n, SUBJECT_BANG, min(bangs, 7))
    n = _put(which, value, n, SUBJECT_QUESTION, min(questions, 2))
    n = _put(which, value, n, SUBJECT_DOLLAR, dollar)
    n = _put(which, value, n, SUBJECT_CAPITALS, (4 * upper) // letters if letters > 0 else 9)
    n = _put(which, value, n, SUBJECT_LENGTH, min(9, (end - at) // 8))
    n = _put(which, value, n, SUBJECT_NUMBER, _number_at_end(data, at, end))
    n = _put(which, value, n, SUBJECT_FOREIGN, high * 2 + encoded)
    return _put(which, value, n, SUBJECT_LAST, _last_kind(data, at, end))


@kernel
def skip_prefixes(data: Any, at: int, end: int) -> Any:
    """Goes past ``Re:``, ``Fw:``, ``Fwd:`` and one ``[tag]``; says which were there (2 for Re:, 1 for a tag)."""
    answer, tag = 0, 0
    for _ in range(8):
        while at < end and data[at] <= 32:
            at += 1
        first = b.LOWER[data[at]] if at < end else 0
        second = b.LOWER[data[at + 1]] if at + 1 < end else 0
        third = b.LOWER[data[at + 2]] if at + 2 < end else 0
        if first == 114 and second == 101 and third == 58:
            answer = 2
            at += 3
        elif first == 102 and second == 119 and third == 58:
            at += 3
        elif first == 102 and second == 119 and third == 100 and at + 3 < end and data[at + 3] == 58:
            at += 4
        elif first == 91 and tag == 0:
            close = at
            while close < end and close < at + 32 and data[close] != 93:
                close += 1
            if close >= end or data[close] != 93:
                break
            tag = 1
            at = close + 1
        else:
            break
    return at, answer + tag


@kernel
def _number_at_end(data: Any, at: int, end: int) -> int:
    """Whether the subject ends in a number or in a word set far off, as tracking codes are."""
    word = end
    while word > at and data[word - 1] > 32:
        word -= 1
    gap = word
    while gap > at and data[gap - 1] <= 32:
        gap -= 1
    digits = end
    while digits > at and 48 <= data[digits - 1] <= 57:
        digits -= 1
    return 1 if word - gap >= 4 or end - digits >= 3 else 0


@kernel
def _last_kind(data: Any, at: int, end: int) -> int:
    if end <= at:
        return 0
    byte = int(b.LOWER[data[end - 1]])
    if 97 <= byte <= 122:
        return 97
    if 48 <= byte <= 57:
        return 48
    return byte
