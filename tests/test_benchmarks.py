"""The benchmarks run and measure what they say, on data made here; no figure of theirs is looked at."""

from __future__ import annotations

import doctest
import io
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import __main__ as command
from benchmarks import bogofilter, corpus, cuts, judging, mail_speed, ours, peers, table
from benchmarks.options import Options, find_archive

HAM = (
    "meeting",
    "report",
    "patch",
    "server",
    "lunch",
    "review",
    "branch",
    "merge",
    "release",
    "draft",
    "agenda",
    "notes",
)
SPAM = ("offer", "free", "money", "click", "winner", "prize", "cheap", "credit", "pills", "deal", "urgent", "guarantee")


def _message(number: int, spam: bool) -> bytes:
    words = [(SPAM if spam else HAM)[(number * 7 + i * i) % 12] + str(number * i % 9) for i in range(40)]
    day, hour = 1 + number % 28, number % 24
    date = f"{day} {('Jan', 'Feb', 'Mar', 'Apr')[number // 28 % 4]} 2002 {hour:02}:00:00 +0000"
    head = f"From: a{number}@example.org\nDate: {date}\nSubject: {words[0]} {number}\n"
    return f"{head}\n{' '.join(words)}\n".encode()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "mail.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(112):
            label = ("ham", "spam")[number % 2]
            data = _message(number, label == "spam")
            info = tarfile.TarInfo(f"{label}/{number:03}.txt")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def mail(archive: Path) -> corpus.Corpus:
    return corpus.read(archive)


def test_the_corpus_is_whole_and_its_order_comes_from_the_contents(mail: corpus.Corpus) -> None:
    assert len(mail) == 112
    assert mail.spam.sum() == 56
    assert mail.key == sorted(mail.key)
    assert [any(word.encode() in c for word in SPAM) for c in mail.content] == mail.spam.astype(bool).tolist()


def test_near_duplicates_are_grouped_and_others_are_not(mail: corpus.Corpus) -> None:
    text = b" ".join(b"word%d" % i for i in range(100))
    contents = [b"Subject: a\n\n" + text, b"Subject: a\n\n" + text + b" more", mail.content[0], mail.content[1]]
    few = corpus.Corpus(contents, np.zeros(4, np.int64), np.zeros(4, np.int64), [bytes([i]) for i in range(4)])
    assert corpus.groups(few).tolist() == [0, 0, 2, 3]


def test_splits_take_every_row_once_and_keep_their_word(mail: corpus.Corpus) -> None:
    group = np.arange(len(mail))
    group[1] = 0
    for cut in cuts.all_cuts(mail, group):
        for part in cut.parts:
            assert sorted([*part.train, *part.test]) == list(range(len(mail)))
    grouped = cuts.grouped(mail, group)
    assert sorted(grouped.test) == list(range(len(mail)))
    assert all(np.isin([0, 1], part.test).sum() in (0, 2) for part in grouped.parts)
    (part,) = cuts.by_time(mail, 0.6).parts
    assert mail.time[part.train].max() <= mail.time[part.test].min()
    (part,) = cuts.by_time_per_label(mail, 0.6).parts
    for label in (0, 1):
        train, test = (rows[mail.spam[rows] == label] for rows in (part.train, part.test))
        assert len(train) == 33
        assert mail.time[train].max() <= mail.time[test].min()


def test_copies_of_training_rows_can_be_left_out() -> None:
    part = cuts.Part(np.array([0, 1]), np.array([2, 3]))
    assert cuts.without_copies(part, np.array([0, 1, 1, 3])).tolist() == [False, True]


def test_a_peer_trained_on_shared_counts_scores_as_a_pipeline_of_its_own(mail: corpus.Corpus) -> None:
    (part,) = cuts.by_time(mail, 0.6).parts
    for kind in (peers.Words, peers.CharactersOfSubject):
        peer = kind()
        pipeline = peer.pipeline([mail.content[row] for row in part.train], mail.spam[part.train])
        alone = pipeline.decision_function([peer.text(mail.content[row]) for row in part.test])
        np.testing.assert_allclose(peer.score(mail, part).value, alone, atol=2e-3)


def test_peers_see_decoded_text() -> None:
    letter = peers.read(
        b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nContent-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: base64\n\nw6TDtsO8\n"
    )
    assert letter == peers.Letter("grüße", "äöü", "äöü")
    marked = peers.read(b"Content-Type: text/html\n\n<b>bold</b>")
    assert (marked.body, marked.plain.strip()) == ("<b>bold</b>", "bold")
    assert peers.read(b"Content-Type: text/plain; charset=nonsense\n\n\xe4").body == "ä"


@pytest.mark.skipif(shutil.which("bogofilter") is None, reason="bogofilter is not installed")
def test_bogofilter_learns_and_its_scores_are_probabilities(mail: corpus.Corpus) -> None:
    (part,) = cuts.random(mail, 0.6).parts
    scores = bogofilter.score(mail, part)
    assert scores.value[mail.spam[part.test] == 1].min() > scores.value[mail.spam[part.test] == 0].max()
    assert scores.value.min() >= 0.0
    assert scores.value.max() <= 1.0


def test_ours_is_the_product_on_the_given_split(mail: corpus.Corpus) -> None:
    (part,) = cuts.by_time(mail, 0.6).parts
    scores = ours.score(mail, part)
    assert len(scores.value) == len(part.test)
    assert judging.judge(mail.spam[part.test], scores)["one_minus_roca_percent"].value < 1.0


def test_judging_knows_who_is_better() -> None:
    spam = np.array([0, 1] * 40)
    right = np.linspace(0.0, 0.4, 80) + 0.5 * spam
    good = judging.Scores(right, right > 0.45, right > 0.95)
    bad = judging.Scores(-right, right < 0.45, right < 0.45)
    assert judging.judge(spam, good)["accuracy"].value == 1.0
    assert judging.judge(spam, bad)["one_minus_roca_percent"].value == 100.0
    assert judging.ahead(spam, good, bad) == (1.0, 1.0)
    assert judging.ahead(spam, good, good) == (0.5, 0.5)
    assert judging.at_own_cutoff(spam, bad) == (1.0, 1.0)


def test_the_accuracy_table_is_made(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cuts, "all_cuts", lambda data, group: [cuts.by_time(data, 0.6), cuts.grouped(data, group)])
    monkeypatch.setattr(cuts, "FOLDS", 2)
    monkeypatch.setattr(peers, "PEERS", (peers.Words,))
    assert command.main(["mail_accuracy", "--data", str(archive)]) == 0
    printed = capsys.readouterr().out
    for word in ("by time 60/40, no copies", "grouped, 2 folds, mean", "Lithify", "logistic regression", "Versions:"):
        assert word in printed


def test_the_speed_table_is_made(archive: Path) -> None:
    made = str(mail_speed.run(Options(archive, quick=True)))
    for word in ("archive to sealed model", "training the model", "one at a time, p50", "checkpoints", "Before: load"):
        assert word in made


def test_tables_are_aligned() -> None:
    assert doctest.testmod(table).failed == 0
    with pytest.raises(ValueError, match="2 columns, but 1 cells"):
        table.Table("t", ("a", "b")).add("1")


def test_the_archive_is_looked_for_where_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LITHIFY_BENCH_DATA", str(tmp_path))
    assert find_archive(None) == tmp_path / "mail" / "spamassassin.tar.xz"
    assert command.main(["mail_accuracy"]) == 66
    assert "There is no archive of mail" in capsys.readouterr().err
