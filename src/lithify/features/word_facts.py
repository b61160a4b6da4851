"""Structural facts of mail as columns with names that a person understands: yes or no, or a number.

Of the facts in :mod:`lithify.features.facts` those with a magnitude or an answer; the others are hashes, which mean
nothing to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify.features import facts as f
from lithify.features import message as m
from lithify.kernels import fitting

KERNELS = "lithify.features.word_kernels"

_YES = (
    *((f.TITLES[fact], fact, 1) for fact in range(m.FIELDS - 1)),
    ("undisclosed recipients", f.TO_UNDISCLOSED, 1),
    ("To contains the From address", f.TO_FROM, 1),
    ("From address ends in digits", f.FROM_DIGITS, 1),
    ("Message-ID in angle brackets", f.ID_BRACKETS, 1),
    ("charset in quotes", f.CHARSET_QUOTES, 1),
    ("Subject begins with Re:", f.SUBJECT_PREFIX, 2),
    ("Subject begins with a [tag]", f.SUBJECT_PREFIX, 1),
    ("dollar in Subject", f.SUBJECT_DOLLAR, 1),
    ("number at the end of Subject", f.SUBJECT_NUMBER, 1),
    ("bytes beyond ASCII in Subject", f.SUBJECT_FOREIGN, 2),
    ("Subject is encoded", f.SUBJECT_FOREIGN, 1),
    ("a Received field says unknown", f.ROUTE_DOUBT, 2),
    ("a Received field says forged", f.ROUTE_DOUBT, 1),
)
"""Answers: name, fact, and the bit of it that is set for yes."""

_HOW_MANY = (
    ("addresses in To", f.TO_COUNT, 0, 1.0, 4),
    ("digits in the From address", f.FROM_DIGITS, 1, 1.0, 3),
    ("exclamation marks in Subject", f.SUBJECT_BANG, 0, 1.0, 7),
    ("question marks in Subject", f.SUBJECT_QUESTION, 0, 1.0, 2),
    ("share of capitals in Subject", f.SUBJECT_CAPITALS, 0, 0.25, 4),
    ("length of Subject", f.SUBJECT_LENGTH, 0, 8.0, 9),
    ("length of Message-ID", f.ID_LENGTH, 0, 4.0, 1 << 20),
    ("dots in the Message-ID host", f.ID_DOTS, 0, 1.0, 3),
    ("bare addresses in Received", f.ROUTE_BARE, 0, 1.0, 3),
)
"""Magnitudes: name, fact, bits that are shifted out, what one counts for, and the largest that is a magnitude.

Facts are coarse: lengths are counted in eights and fours, and no counting goes beyond the largest.
"""

ANSWERS = tuple(name for name, *_ in _YES)
MAGNITUDES = tuple(name for name, *_ in _HOW_MANY)


def read(contents: Sequence[bytes]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    r"""Answers (n, a) of 0 and 1, and magnitudes (n, m), -1 where a message has none.

    >>> answers, magnitudes = read([b"Subject: Re: win $$$ now!!\nTo: a@b.c\n\nhello"])
    >>> [name for name, yes in zip(ANSWERS, answers[0].tolist()) if yes]
    ['has to', 'has subject', 'Subject begins with Re:', 'dollar in Subject']
    >>> magnitudes[0, MAGNITUDES.index("exclamation marks in Subject")].item()
    2.0
    """
    offsets = np.zeros(len(contents) + 1, dtype=np.int64)
    np.cumsum([len(content) for content in contents], out=offsets[1:])
    data = np.frombuffer(b"".join(contents) or b"\0", dtype=np.uint8)
    with np.errstate(over="ignore"):
        value = fitting(KERNELS, len(contents)).fact_rows(data, offsets)
    answers = np.empty((len(contents), len(_YES)), dtype=np.float32)
    for at, (_, fact, bit) in enumerate(_YES):
        answers[:, at] = (value[:, fact] != f.ABSENT) & (value[:, fact] & np.uint64(bit) != 0)
    magnitudes = np.empty((len(contents), len(_HOW_MANY)))
    for at, (_, fact, shift, one, most) in enumerate(_HOW_MANY):
        level = value[:, fact] >> np.uint64(shift)
        magnitudes[:, at] = np.where(level <= np.uint64(most), level.astype(np.float64) * one, -1.0)
    return answers, magnitudes
