"""Two models on the same rows: their figures side by side, what changes for whom, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.evaluation.comparison import cost, flips, parting, reading
from lithify.evaluation.comparison.comparison import Comparison, Flip
from lithify.evaluation.comparison.findings import find
from lithify.evaluation.comparison.gates import Gates
from lithify.evaluation.comparison.paired import Difference, of_shares
from lithify.evaluation.comparison.rows import ROLES, Chosen, Generation, choose
from lithify.evaluation.faces import Model, Snapshot
from lithify.evaluation.facts import counts_of
from lithify.metrics import Measured, Metric, Sample, Values
from lithify.progress import Reporter, Update, silent

Pair = tuple[Model, Model]


def compare(
    champion: Model,
    challenger: Model,
    snapshot: Snapshot,
    *,
    split: str = "test",
    generation: Generation = "newest",
    gates: Gates | None = None,
    trained: Mapping[str, Snapshot] | None = None,
    looks: int | None = None,
    report: Reporter = silent,
) -> Comparison:
    """Compares two models on rows that neither has learned from.

    Parameters
    ----------
    champion, challenger : Model
        What is served, and what may take its place.
    snapshot : Snapshot
    split : "test", "validation", "train" or "all"
    generation : int, "newest" or "all"
    gates : Gates, optional
        What the challenger must pass.
    trained : mapping of digest to Snapshot, optional
        What the models were trained on, as far as it is at hand; rows that either learned from are left out.
    looks : int, optional
        How often that split has been looked at, this time included.
    report : callable, optional

    Raises
    ------
    UsageError
        Both are one model; a split or generation that does not exist.
    TooFewRows
        No rows are left that neither model has learned from.
    DataError
        Task, kind, labels or fields of the models and the rows do not go together.
    """
    gates, pair = gates or Gates(), (champion, challenger)
    reading.check(champion, challenger, snapshot)
    chosen = choose(pair, snapshot, split, generation, trained)
    reads = reading.readers(pair, snapshot)
    raw = reading.predict(pair, reads, snapshot, chosen.rows, lambda n, of: report(Update("judging rows", n, of)))
    report(Update("timing both models"))
    timed = chosen.rows[: cost.MOST_ROWS]
    latency = cost.latency(pair, reads, snapshot.content(timed))
    size = cost.Cost(*(float(len(_bytes(model))) for model in pair))
    report(Update("comparing"))
    labels = reading.positive_last(champion)
    samples = _samples(pair, snapshot, chosen.rows, raw, labels)
    y = samples[0].y
    measured = metrics.of_kind(snapshot.kind)
    findings = find(
        *samples,
        parting.parting(snapshot, chosen.rows, y, labels),
        gates,
        deciding=reading.aim(challenger)[0],
        measured=measured,
        labels=labels,
        more=_of_mail(pair, samples, labels),
        times={"latency": latency.times, "size": size.times},
    )
    worst, best = _moved(samples) if findings.flips is None else (findings.flips.worst, findings.flips.best)
    return Comparison(
        champion=champion,
        challenger=challenger,
        snapshot=snapshot,
        split=split,
        task=snapshot.task,
        labels=labels,
        rows=len(chosen.rows),
        counts=counts_of(y, labels) if labels else {},
        generations=chosen.generations,
        seen=chosen.seen,
        looks=looks,
        gates=gates,
        findings=findings,
        worst=_listed(snapshot, chosen.rows, samples, labels, worst),
        best=_listed(snapshot, chosen.rows, samples, labels, best),
        latency=latency,
        size=size,
        timed=len(timed),
        figures={role: _figures(sample, measured, labels) for role, sample in zip(ROLES, samples, strict=True)},
        y=y,
        champion_output=_output(samples[0]),
        challenger_output=_output(samples[1]),
        keys=snapshot.table.key[chosen.rows],
        notes=tuple(_notes(chosen, snapshot, split, samples[0], labels)),
    )


def _samples(
    pair: Pair,
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    raw: tuple[NDArray[np.float64], ...],
    labels: tuple[str, ...],
) -> tuple[Any, Any]:
    """Both models' predictions as the metrics see them."""
    if not labels:
        y, level = snapshot.table.value[rows], reading.aim(pair[0])[1]
        a, b = (Values.of(y, model.draft.values(each), level) for model, each in zip(pair, raw, strict=True))
        return a, b
    codes = np.array([labels.index(label) for label in snapshot.labels], dtype=np.int64)[snapshot.table.label[rows]]
    first, second = (
        Sample.of(codes, model.draft.probabilities(each)[:, reading.order_of(model, labels)])
        for model, each in zip(pair, raw, strict=True)
    )
    return first, second


def _of_mail(pair: Pair, samples: tuple[Any, Any], labels: tuple[str, ...]) -> dict[str, Difference]:
    """What each model's own sealed cut-off does to the mail, where both have one."""
    cutoffs = [model.cutoffs for model in pair]
    if cutoffs[0] is None or cutoffs[1] is None or len(labels) != 2:
        return {}
    called = [
        sample.p[:, 1] >= float(cutoff["spam"])
        for sample, cutoff in zip(samples, cutoffs, strict=True)
        if cutoff is not None
    ]
    spam, made = samples[0].y == 1, {}
    if not spam.all():
        title = f"{labels[0]} lost at its cut-off"
        made["ham_lost"] = of_shares(called[0][~spam], called[1][~spam], "lower", _capital(title))
    if spam.any():
        title = f"{labels[1]} caught at its cut-off"
        made["spam_caught"] = of_shares(called[0][spam], called[1][spam], "higher", _capital(title))
    return made


def _moved(samples: tuple[Any, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """In regression the rows whose error grew most, and those whose error shrank most."""
    a, b = samples
    return flips.further_off(a.y, a.predicted, b.predicted), flips.further_off(a.y, b.predicted, a.predicted)


def _listed(
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    samples: tuple[Any, Any],
    labels: tuple[str, ...],
    which: NDArray[np.int64],
) -> tuple[Flip, ...]:
    keys, made = snapshot.table.key, []
    for at in which.tolist():
        truth, first, second = samples[0].y[at], samples[0].predicted[at], samples[1].predicted[at]
        shares = [
            float(sample.p[at, code]) if labels else None for sample, code in zip(samples, (first, second), strict=True)
        ]
        told = [labels[code] if labels else float(code) for code in (truth, first, second)]
        made.append(Flip(int(rows[at]), keys[rows[at]].tobytes().hex(), *told, *shares))
    return tuple(made)


def _figures(sample: Any, measured: tuple[Metric, ...], labels: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, Measured] = metrics.intervals.measure_all(sample, measured)
    return {
        metric.name: found[metric.name]._asdict()
        | {"direction": metric.direction, "title": metric.titled(labels), "unit": metric.unit}
        for metric in measured
        if metric.name in found
    }


def _notes(chosen: Chosen, snapshot: Snapshot, split: str, sample: Any, labels: tuple[str, ...]) -> list[str]:
    notes = list(chosen.notes)
    both = max(chosen.seen.values(), default=0)
    if both:
        each = " and ".join(f"{rows:,} that the {role} learned from" for role, rows in chosen.seen.items() if rows)
        notes.append(f"Left out: {each}.")
    if labels:
        missing = [label for code, label in enumerate(labels) if code not in sample.labels]
        if missing:
            notes.append(f"No row is labelled {', '.join(missing)}: figures that need it are left out.")
    if len(chosen.rows) > parting.MOST_CELLS and snapshot.kind == "table":
        notes.append(f"Slices by field are of {parting.MOST_CELLS:,} rows.")
    return notes


def _output(sample: Any) -> NDArray[np.float64]:
    result: NDArray[np.float64] = sample.p if isinstance(sample, Sample) else sample.predicted
    return result


def _bytes(model: Any) -> memoryview | bytes:
    data: memoryview | bytes = model.data
    return data


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
