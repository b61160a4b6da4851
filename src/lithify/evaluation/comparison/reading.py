"""The same rows as each of two models reads them, and what each predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.cells import decode, layout
from lithify.data.encoding import NO_STRING
from lithify.data.schema import Field
from lithify.errors import DataError, UsageError
from lithify.evaluation.comparison.rows import ROLES
from lithify.evaluation.faces import Model, Snapshot

Reader = Callable[[Sequence[bytes]], Sequence[bytes]]


def check_two(champion: Model, challenger: Model) -> None:
    """Raises ``UsageError`` where both are the same model."""
    if champion.digest == challenger.digest:
        raise UsageError(
            "Both are the same model.", found=champion.digest[:19], hint="Compare a model with another one."
        )


def check(champion: Model, challenger: Model, snapshot: Snapshot) -> None:
    """Raises ``UsageError`` or ``DataError`` unless two models answer the question that the snapshot asks."""
    check_two(champion, challenger)
    for role, model in zip(ROLES, (champion, challenger), strict=True):
        kind = model.card["data"]["kind"]
        if (kind, model.task) != (snapshot.kind, snapshot.task):
            raise DataError(
                f"The {role} is for other rows than these.",
                expected=f"{kind}, {model.task}",
                found=f"{snapshot.kind}, {snapshot.task}",
            )
        unknown = [label for label in snapshot.labels if label not in model.labels]
        if unknown:
            raise DataError(
                f"The {role} does not know every label of the rows.",
                expected=", ".join(model.labels),
                found=", ".join(unknown),
                hint="Models can be compared where both know all labels; promote this one with --force if you must.",
            )
    if set(champion.labels) != set(challenger.labels):
        apart = sorted(set(champion.labels) ^ set(challenger.labels))
        raise DataError(
            "The two models do not tell the same labels apart.",
            expected=", ".join(champion.labels),
            found=f"{', '.join(apart)} known to one of them alone",
        )
    aims = [aim(model) for model in (champion, challenger)]
    if (aims[0][0] == "pinball_loss" or aims[1][0] == "pinball_loss") and aims[0] != aims[1]:
        raise DataError(
            "The two models do not predict the same: one or both predict a quantile.",
            expected=_aimed(aims[0]),
            found=_aimed(aims[1]),
        )


def aim(model: Model) -> tuple[str, float | None]:
    """The metric that says how well a model does what it was trained for, and the level of a learned quantile."""
    if model.task == "classification":
        return "accuracy", None
    params: Mapping[str, Any] = model.card["recipe"].get("params", {})
    if params.get("objective") == "quantile":
        return "pinball_loss", float(params["quantile"])
    return ("mae" if params.get("objective") == "absolute" else "rmse"), None


def order_of(model: Model, labels: Sequence[str]) -> list[int]:
    """Which column of a model's scores belongs to each label."""
    return [model.labels.index(label) for label in labels]


def positive_last(model: Model) -> tuple[str, ...]:
    """The labels; of two, the positive one last."""
    return model.labels[::-1] if len(model.labels) == 2 and model.spam == model.labels[0] else model.labels


def readers(models: tuple[Model, Model], snapshot: Snapshot) -> tuple[Reader, Reader]:
    """For each model what turns contents of the snapshot into those that it reads.

    A table's content is encoded by the snapshot's fields. A model trained on some of them, or on the same ones, gets
    its own cells; one that needs others is refused with ``DataError``.
    """
    champion, challenger = (_reader(role, model, snapshot) for role, model in zip(ROLES, models, strict=True))
    return champion, challenger


def predict(
    models: tuple[Model, Model],
    reads: tuple[Reader, Reader],
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[NDArray[np.float64], ...]:
    """Raw scores of both models on the same rows, each by the model's own prediction code: (n, outputs) each."""
    found: tuple[list[NDArray[np.float64]], ...] = ([], [])
    done = 0
    for some, contents in snapshot.batches(rows):
        for model, read, raw in zip(models, reads, found, strict=True):
            raw.append(model.draft.raw(read(contents)))
        done += len(some)
        tell(done, len(rows))
    return tuple(np.concatenate(raw) for raw in found)


def translate(have: Sequence[Field], want: Sequence[Field], contents: Sequence[bytes]) -> list[bytes]:
    r"""Contents of a table with only the fields that are wanted, which must be among those that there are.

    >>> have = (Field("age", "number", "input"), Field("job", "category", "input"))
    >>> row = b"\0\0\0\0\0\0\0\0" + b"\x02\0\0\0" + b"it"
    >>> translate(have, have[1:], [row])
    [b'\x02\x00\x00\x00it']
    """
    cells, mine, theirs = decode(have, contents), layout(have), layout(want)
    numbers, strings = ([one.name for one in part] for part in (mine.numbers, mine.strings))
    kept = np.ascontiguousarray(cells.numbers[:, [numbers.index(one.name) for one in theirs.numbers]], dtype="<f8")
    texts = [cells.strings.raw(strings.index(one.name)) for one in theirs.strings]
    lengths = np.array([[NO_STRING if cell is None else len(cell) for cell in column] for column in texts], dtype="<u4")
    tails = zip(*texts, strict=True) if texts else [()] * len(contents)
    heads = zip(kept, lengths.T if texts else [lengths] * len(contents), strict=True)
    return [
        number.tobytes() + length.tobytes() + b"".join(cell or b"" for cell in tail)
        for (number, length), tail in zip(heads, tails, strict=True)
    ]


def _reader(role: str, model: Model, snapshot: Snapshot) -> Reader:
    if snapshot.kind != "table":
        return lambda contents: contents
    have = tuple(Field(**field) for field in snapshot.manifest["fields"] if field["role"] == "input")
    want = model.fields
    if [(one.name, one.kind) for one in have] == [(one.name, one.kind) for one in want]:
        return lambda contents: contents
    kinds = {one.name: one.kind for one in have}
    lacking = [one.name for one in want if one.name not in kinds]
    other = [f"{one.name} is {kinds[one.name]}" for one in want if kinds.get(one.name, one.kind) != one.kind]
    if lacking or other:
        raise DataError(
            f"The {role} cannot read these rows: they were frozen with other fields.",
            expected=", ".join(f"{one.name} ({one.kind})" for one in want if one.name in lacking or other),
            found="; ".join([*other, *([f"no {', '.join(lacking)}"] if lacking else [])]),
            hint="Give data that has the fields of both models: lithify compare CHAMPION CHALLENGER DATA.",
        )
    return lambda contents: translate(have, want, contents)


def _aimed(aimed: tuple[str, float | None]) -> str:
    return "a mean or a median" if aimed[1] is None else f"the {100 * aimed[1]:g} % quantile"
