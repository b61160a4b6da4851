"""The command `audit`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from lithify import rng

from .conftest import Place, Run


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """A table in which the field ``paid`` is written down after the fact."""
    draws = rng.uniform(rng.key(0, "leaky"), 0, 1200).reshape(400, 3).round(6).tolist()
    with open(tmp_path / "leaky.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["age", "size", "paid", "left"])
        for i, (age, size, doubt) in enumerate(draws):
            left = age + 0.5 * doubt > 0.7
            rows.writerow([age, size, 100.5 + i % 7 if left else 3.25 + i % 5, "yes" if left else "no"])
    return tmp_path / "leaky.csv"


def test_findings_by_severity_and_a_summary(lithify: Run, leaky: Path) -> None:
    done = lithify("audit", leaky, "--label", "left", "--name", "churn")
    assert done.status == 0, done.err
    assert done.out.startswith("Dangers (1)\n\n  The field paid alone all but tells what is to be predicted.\n")
    assert "Notes (" in done.out
    assert done.out.splitlines()[-1].startswith("1 danger, ")
    assert max(map(len, done.out.splitlines())) <= 80
    assert lithify("audit", "churn", "--quiet").out == done.out


def test_strict_says_by_its_status_that_there_is_a_danger(lithify: Run, leaky: Path) -> None:
    assert lithify("audit", leaky, "--label", "left", "--strict").status == 65
    calm = lithify("audit", leaky, "--label", "left", "--field", "paid=identifier", "--strict")
    assert calm.status == 0
    assert "was taken for an identifier and left out" in calm.out


def test_document(lithify: Run, leaky: Path, tmp_path: Path) -> None:
    done = lithify("audit", leaky, "--label", "left", "--json", "--report", tmp_path / "found.json")
    assert set(done.json) == {"snapshot", "looked_at", "counts", "findings", "remarks"}
    assert done.json["counts"]["danger"] == 1
    assert done.json == json.loads((tmp_path / "found.json").read_text())
    first = done.json["findings"][0]
    assert (first["kind"], first["what"], first["items"][0]["name"]) == ("leak", "fields", "paid")
    assert first["measured_on"].startswith("360 training and validation rows")


def test_mail_by_name_of_its_snapshot(lithify: Run, place: Place) -> None:
    done = lithify("audit", "inbox", "--home", place.home)
    assert done.status == 0, done.err
    assert "no look at the test is spent" in " ".join(done.out.split())
    assert lithify("audit", "inbox", "--home", place.home, "--label", "x").status == 2
