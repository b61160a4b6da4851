"""Columns of words: which words are kept, what they are called, where they stand, and every promise of features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.checks import feature_checks
from lithify.data.batches import Dense
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features import words as module
from lithify.features.base import Features
from lithify.features.words import MailWords, TextWords, WordParams

HEAD = b"From: a <a%d@example.com>\nTo: b@example.org\nSubject: %s\nDate: Mon, 2 Feb 2015 10:00:00 +0000\n\n"
TEXTS = [b"red apple %d" % number if number % 2 else b"Green apple, 2 x 300 \xc3\xbcber" for number in range(24)]
MAILS = [
    HEAD % (number, b"Re: hello" if number % 3 else b"=?utf-8?q?Caf=C3=A9_now!!?=") + t
    for number, t in enumerate(TEXTS)
]
CASES: dict[str, tuple[Features, list[bytes]]] = {
    "text": (TextWords(WordParams()), TEXTS),
    "mail": (MailWords(WordParams()), MAILS),
    "none": (TextWords(WordParams(words=0)), TEXTS),
}


@pytest.mark.parametrize(
    "check",
    [pytest.param(check, id=f"{on}-{name}") for on, case in CASES.items() for name, check in feature_checks(*case)],
)
def test_features(check) -> None:
    check()


def dense(features: Features, fitted: State, contents: list[bytes], block: str) -> np.ndarray:
    found = features.transform(fitted, contents)[block]
    assert isinstance(found, Dense)
    return found.values


def test_words_in_too_few_or_too_many_rows_are_left_out() -> None:
    rows = [b"often seldom"] * 9 + [b"often some"] * 10 + [b"other"] * 11
    features = TextWords(WordParams())
    assert features.fit([rows]).facts == {"words": ["other", "some"]}
    assert TextWords(WordParams(most_share=1.0)).fit([rows]).facts == {"words": ["often", "other", "some"]}
    assert TextWords(WordParams(words=1)).fit([rows]).facts == {"words": ["other"]}
    assert TextWords(WordParams(least_share=0.35)).fit([rows]).facts == {"words": ["other"]}


def test_words_are_counted_once_a_row_and_rows_not_words_decide() -> None:
    assert TextWords(WordParams()).fit([[b"again again again"] * 9 + [b"else"] * 20]).facts == {"words": []}


def test_memory_is_bounded_without_losing_a_word_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [b"common%s w%s" % (b"" if n % 4 == 0 else b"no%d" % n, chr(97 + n % 26).encode() * 5) for n in range(2000)]
    whole = TextWords(WordParams()).fit([rows])
    monkeypatch.setattr(module, "_ROUND", 100)
    assert TextWords(WordParams()).fit([rows]) == whole
    counts, seen = module._count((set(TextWords(WordParams())._words(row)) for row in rows), None, 0.2)
    assert seen == 2000
    assert len(counts) < 200


def test_what_is_a_word() -> None:
    found = TextWords(WordParams())._words("I'm 42 years_old, B2B \u0130stanbul 2015-01-02 co-op x".encode())
    assert found == ["years", "old", "b2b", "istanbul", "co", "op"]


def test_blocks_and_columns_of_mail() -> None:
    features = MailWords(WordParams(most_share=1.0))
    fitted = features.fit([MAILS])
    columns = features.columns(fitted)
    numbers, words = (dense(features, fitted, MAILS, block) for block in ("numbers", "words"))
    assert (numbers.dtype, words.dtype) == (np.float64, np.float32)
    assert numbers.shape[1] == sum(column.block == "numbers" for column in columns)
    assert words.shape[1] == sum(column.block == "words" for column in columns)
    names = [column.name for column in columns if column.block == "words"]
    assert len(set(names)) == len(names)
    held = dict(zip(names, words[1].tolist(), strict=True))
    for name in ("hello", "subject: hello", "red", "apple", "has subject", "Subject begins with Re:"):
        assert held[name] == 1.0
    for name in ("green", "Subject is encoded", "has cc"):
        assert held[name] == 0.0
    level = dict(zip([c.name for c in columns if c.block == "numbers"], numbers[1].tolist(), strict=True))
    assert level["addresses in To"] == 1.0
    assert level["length of Message-ID"] == -1.0
    assert level["words in the text"] == 4.0


def test_spans_say_where_a_word_stands_and_what_is_not_there() -> None:
    features = MailWords(WordParams(most_share=1.0))
    fitted = features.fit([MAILS])
    spans = features.spans(fitted, HEAD % (1, b"hello there") + b"a red apple, hello")
    hello = [(span.channel, span.start, span.end) for span in spans if span.text == "hello"]
    assert hello == [("body", 0, 5), ("body", 25, 30), ("subject", 0, 5)]
    assert {'no "green"', "no cc", "has to"} <= {span.text for span in spans if span.channel == "fact"}


@pytest.mark.parametrize(
    "facts",
    [{}, {"words": "ab"}, {"words": [1]}, {"words": ["b2", "ab"]}, {"words": ["ab", "ab"]}, {"words": ["A b"]},
     {"words": ["ab"], "more": 1}, {"words": ["42"]}, {"words": [f"w{n}" for n in range(100, 120)]}],
)  # fmt: skip
def test_damaged_states_are_refused(facts: dict[str, object]) -> None:
    with pytest.raises(MalformedContainer):
        TextWords(WordParams(words=10)).audit(State({}, facts))


@given(st.lists(st.text(), max_size=3), st.binary(max_size=300))
def test_nothing_raises_and_states_are_sound(texts: list[str], junk: bytes) -> None:
    for features in (TextWords(WordParams(most_share=1.0)), MailWords(WordParams(most_share=1.0))):
        rows = [text.encode("utf-8", "replace") for text in texts] + [junk]
        fitted = features.fit([rows * 10])
        features.audit(fitted)
        words = dense(features, fitted, rows, "numbers")
        assert np.isfinite(words).all()
        for row in rows:
            for span in features.spans(fitted, row):
                assert span.channel == "fact" or span.end > span.start


@pytest.mark.parametrize("kind", [TextWords, MailWords])
def test_words_of_a_few_groups_are_not_kept(kind: type[TextWords]) -> None:
    head = b"Subject: x\n\n" if kind is MailWords else b""
    rows = [head + (b"newsletter everyone" if n % 2 else b"everyone") for n in range(60)]
    group = np.array([1 if n % 2 else n for n in range(60)])
    features = kind(WordParams(most_share=1.0))
    names = {column.name for column in features.columns(features.fit([rows], group))}
    assert "everyone" in names
    assert "newsletter" not in names
    assert "newsletter" in {column.name for column in features.columns(features.fit([rows]))}
