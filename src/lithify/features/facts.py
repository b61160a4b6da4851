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

ABSENT = np.uint64(0xFFFFFFFFFFFFFFFF)
"""The value of a fact that a message does not have."""

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
FACTS = len(TITLES)

_VALUES = np.array([[m.ENCODING, ENCODING, 16], [m.PRIORITY, PRIORITY, 3], [m.IMPORTANCE, IMPORTANCE, 6]])
"""Fields whose value is a fact as it stands: field, fact, how many bytes of it."""

_UNDISCLOSED, _CHARSET, _BOUNDARY, _ENCODED = (b.pattern(s) for s in ("undisclosed", "charset=", "boundary=", "=?"))


@kernel
def collect(data: Any, start: Any, stop: Any, route: Any, value: Any) -> None:
    """Writes the facts of a header read by ``read_header`` into ``value``, :data:`ABSENT` where there is none."""
    value[:] = ABSENT
    for field in range(m.FIELDS - 1):
        value[field] = np.uint64(start[field] >= 0)
    sender = np.empty(3, dtype=np.int64)
    _address(data, start[m.FROM], stop[m.FROM], sender)
    _from(data, start, stop, sender, value)
    _to(data, start, stop, sender, value)
    _reply(data, start, stop, sender, value)
    _message_id(data, start, stop, sender, value)
    _type(data, start, stop, value)
    _subject(data, start, stop, value)
    value[ROUTE_DOUBT] = np.uint64(route[1] * 2 + route[2])
    value[ROUTE_BARE] = np.uint64(min(3, route[3]))
    value[ROUTE_PROTOCOLS] = np.uint64(route[4])


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
def _from(data: Any, start: Any, stop: Any, sender: Any, value: Any) -> None:
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
        value[FROM_TLD] = b.fold_hash(data, dot, min(sender[2], dot + 12))
    value[FROM_QUOTES] = np.uint64(quotes)
    value[FROM_DIGITS] = np.uint64(min(3, digits) * 2 + (1 if trailing >= 2 else 0))


@kernel
def _to(data: Any, start: Any, stop: Any, sender: Any, value: Any) -> None:
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
    value[TO_COUNT] = np.uint64(min(4, addresses))
    value[TO_UNDISCLOSED] = np.uint64(undisclosed)
    value[TO_QUOTES] = np.uint64(quotes)
    value[TO_FROM] = np.uint64(contains)


@kernel
def _reply(data: Any, start: Any, stop: Any, sender: Any, value: Any) -> None:
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
    value[REPLY] = np.uint64(relation)


@kernel
def _message_id(data: Any, start: Any, stop: Any, sender: Any, value: Any) -> None:
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
        value[ID_SHAPE] = b.shape_hash(data, at, sign, 40)
        value[ID_LENGTH] = np.uint64((sign - at) // 4)
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
    value[ID_BRACKETS] = np.uint64(brackets)
    value[ID_HOST] = np.uint64(relation)
    value[ID_DOTS] = np.uint64(min(3, dots))


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
def _type(data: Any, start: Any, stop: Any, value: Any) -> None:
    at, end = start[m.CONTENT_TYPE], stop[m.CONTENT_TYPE]
    if at >= 0:
        last = at
        while last < end and data[last] > 32 and data[last] != 59:
            last += 1
        value[TYPE] = b.fold_hash(data, at, min(last, at + 40))
        first, last, quoted = m.parameter(data, at, end, _CHARSET)
        if first >= 0:
            value[CHARSET] = b.fold_hash(data, first, min(last, first + 24))
            value[CHARSET_QUOTES] = np.uint64(quoted)
        first, last, quoted = m.parameter(data, at, end, _BOUNDARY)
        if first >= 0:
            value[BOUNDARY_SHAPE] = b.shape_hash(data, first, last, 20)
    for field, fact, limit in _VALUES:
        if start[field] >= 0:
            value[fact] = b.fold_hash(data, start[field], min(stop[field], start[field] + limit))
    if start[m.DATE] >= 0:
        value[DATE_SHAPE] = b.shape_hash(data, start[m.DATE], stop[m.DATE], 40)


@kernel
def _subject(data: Any, start: Any, stop: Any, value: Any) -> None:
    if start[m.SUBJECT] < 0:
        return
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
    value[SUBJECT_PREFIX] = np.uint64(prefix)
    value[SUBJECT_BANG] = np.uint64(min(bangs, 7))
    value[SUBJECT_QUESTION] = np.uint64(min(questions, 2))
    value[SUBJECT_DOLLAR] = np.uint64(dollar)
    value[SUBJECT_CAPITALS] = np.uint64((4 * upper) // letters if letters > 0 else 9)
    value[SUBJECT_LENGTH] = np.uint64(min(9, (end - at) // 8))
    value[SUBJECT_NUMBER] = np.uint64(_number_at_end(data, at, end))
    value[SUBJECT_FOREIGN] = np.uint64(high * 2 + encoded)
    value[SUBJECT_LAST] = np.uint64(_last_kind(data, at, end))


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
