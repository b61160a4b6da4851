"""Near-duplicates: how similar texts are, and which rows belong together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.data import minhash
from lithify.data.chunks import shown_text
from lithify.data.duplicates import BINS, groups, signature, similarity

words = st.lists(st.sampled_from([f"word{i}" for i in range(3000)]), min_size=200, max_size=400)


def triples(text: list[str]) -> set[tuple[str, ...]]:
    return set(zip(text, text[1:], text[2:], strict=False))


def sign(text: list[str]) -> np.ndarray:
    return signature(" ".join(text).encode())


def words_of(seed: int, n: int) -> list[str]:
    return [f"w{i:x}" for i in np.random.default_rng(seed).integers(0, 1 << 40, n)]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(150, 600), st.floats(0, 1))
def test_the_estimate_is_near_the_true_jaccard_similarity(seed, n, share):
    a = words_of(seed, n)
    b = [*a[: int(share * n)], *words_of(seed + 1, n - int(share * n))]
    true = len(triples(a) & triples(b)) / len(triples(a) | triples(b))
    # five standard errors of 128 draws
    assert abs(similarity(sign(a), sign(b)) - true) < 5 * np.sqrt(max(true * (1 - true), 0.01) / BINS)


@settings(max_examples=20, deadline=None)
@given(words, st.sampled_from([" ", "\n", ", ", "  -- "]))
def test_case_blanks_and_marks_do_not_count(text, mark):
    assert similarity(sign(text), signature(mark.join(text).upper().encode())) == 1


def test_short_texts():
    assert similarity(signature(b""), signature(b"")) == 1
    assert similarity(signature(b"hello"), signature(b"hello you")) < 0.1
    assert similarity(signature(b"hello you there"), signature(b"hello you there")) == 1
    assert similarity(signature(b"one two three four"), signature(b"five six seven eight")) < 0.1


def test_the_plain_kernel_gives_the_same_signature():
    for text in (b"", b"a b", b"one two three four five", " ".join(words_of(3, 500)).encode()):
        with np.errstate(over="ignore"):
            plain = minhash.signature(np.frombuffer(text, dtype=np.uint8))
        assert np.array_equal(plain, signature(text))


def test_groups_are_joined_over_several_steps():
    first = words_of(0, 400)
    chain = [first]
    for step in range(1, 9):
        chain.append([*chain[-1][40:], *words_of(step, 40)])
    assert similarity(sign(chain[0]), sign(chain[8])) < 0.3
    signatures = np.array([sign(text) for text in (words_of(99, 400), *chain, words_of(98, 400))])
    assert groups(signatures).tolist() == [0, *[1] * 9, 10]


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(order):
    texts = []
    for family in range(4):
        base = words_of(family, 200)
        texts += [[*base[: 200 - 10 * i], *words_of(100 + 3 * family + i, 10 * i)] for i in range(3)]
    signatures = np.array([sign(text) for text in texts])

    def parts(group, names):
        return {frozenset(names[i] for i in np.flatnonzero(group == g)) for g in np.unique(group)}

    expected = {frozenset(range(3 * f, 3 * f + 3)) for f in range(4)}
    assert parts(groups(signatures), list(range(12))) == expected
    assert parts(groups(signatures[list(order)]), list(order)) == expected


def test_codes_join_whatever_the_texts_say():
    signatures = np.array([sign(words_of(i, 100)) for i in range(6)])
    none = np.zeros(6, dtype=np.uint64)
    field = np.array([5, 0, 5, 0, 0, 9], dtype=np.uint64)
    old = np.array([0, 1, 1, 0, 0, 2], dtype=np.uint64)
    assert groups(signatures, none).tolist() == [0, 1, 2, 3, 4, 5]
    assert groups(signatures, field, old).tolist() == [0, 0, 0, 3, 4, 5]
    assert groups(np.zeros((0, BINS), dtype=np.uint16), none[:0]).tolist() == []


def test_thousands_of_copies_and_a_stranger_that_shares_a_band_with_them():
    copies = np.repeat(sign(words_of(0, 300))[None], 3000, axis=0)
    stranger = sign(words_of(1, 300))
    stranger[:4] = copies[0, :4]
    twin = stranger.copy()
    twin[-8:] += 1
    signatures = np.concatenate([copies[:1500], stranger[None], copies[1500:], twin[None]])
    found = groups(signatures)
    assert found[1500] == found[-1] == 1500
    assert (np.delete(found, [1500, 3001]) == 0).all()


def test_mail_with_next_to_no_text_is_judged_by_all_of_it():
    pictures = [b"Subject: hi\nContent-Type: image/png\n\n%s\n" % " ".join(words_of(i, 50)).encode() for i in range(2)]
    assert shown_text(pictures[0], "mail") == pictures[0]
    assert similarity(*(signature(shown_text(each, "mail")) for each in pictures)) < 0.2
    assert shown_text(b"Subject: one two\n\nthree", "mail") == b"one two\nthree"
    assert shown_text(b"x", "text") == b"x"
