"""What only a table can be asked: which fields count, which way, and where the model is worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation.dependence import FIELDS, Dependence, dependence, sample
from lithify.evaluation.faces import Model, Snapshot
from lithify.evaluation.fields import FieldCells, cells_of, complete
from lithify.evaluation.slices import Slices, slices

_BATCH = 100_000
"""Rows whose cells are held as texts at once are at most so many: of more, as good as drawn."""


@dataclass(frozen=True)
class Insights:
    """What evaluation finds out field by field.

    Attributes
    ----------
    importances : tuple of (field, share)
        The most first, summing to one, without fields that count for nothing; empty where the learner gives none.
    dependence : tuple of Dependence
        Of the fields that count most.
    slices : Slices
    complete : tuple of str
        Names of fields without a missing cell in any evaluated row; looked for only where the model is one tree, which
        is then drawn without them.
    """

    importances: tuple[tuple[str, float], ...]
    dependence: tuple[Dependence, ...]
    slices: Slices
    complete: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values that canonical JSON can carry."""
        return {
            "importances": [{"field": name, "share": share} for name, share in self.importances],
            "dependence": [
                {
                    "field": one.field,
                    "values": list(one.names),
                    "means": {name or "value": list(curve) for name, curve in one.curves},
                    "rows": one.rows,
                }
                for one in self.dependence
            ],
            "slices": asdict(self.slices) | {"worst": [asdict(one) for one in self.slices.worst]},
        }


def insights_of(
    model: Model,
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    missed: NDArray[np.float64],
    order: Sequence[int],
    labels: tuple[str, ...],
) -> Insights | None:
    """What a table's rows show; None for mail and text.

    Parameters
    ----------
    rows : (n,) int64
        The evaluated rows.
    missed : (n,) float64
        1 for a row with the wrong label, else 0; in regression true minus predicted value.
    order : sequence of int
        Of the model's columns of probabilities, so that they are in the order of ``labels``.
    """
    if snapshot.kind != "table":
        return None
    keys = snapshot.table.key[rows]
    some = sample(keys, _BATCH)
    columns = cells_of(model.fields, snapshot.content(rows[some]))
    shares = tuple((str(name), float(share)) for name, share in model.draft.importances() or () if share > 0)
    contents = snapshot.content(rows[sample(keys)])
    batches = (each for _, each in snapshot.batches(rows))
    return Insights(
        importances=shares,
        dependence=tuple(_dependence(model, contents, columns, [name for name, _ in shares], order, labels)),
        slices=slices(columns, missed[some], "share" if labels else "value"),
        complete=() if model.draft.tree() is None else complete(model.fields, batches),
    )


def _dependence(
    model: Model,
    contents: Sequence[bytes],
    columns: Sequence[FieldCells],
    names: Sequence[str],
    order: Sequence[int],
    labels: tuple[str, ...],
) -> list[Dependence]:
    """The curves of the fields that count most; with two labels of the positive one alone."""

    def predict(changed: Sequence[bytes]) -> NDArray[np.float64]:
        raw = model.draft.raw(changed)
        return model.draft.probabilities(raw)[:, list(order)] if labels else model.draft.values(raw)[:, None]

    outputs = labels[1:] if len(labels) == 2 else labels or ("",)
    by_name = {cells.field.name: cells for cells in columns}
    found: list[Dependence] = []
    for name in names:
        if len(found) == FIELDS or name not in by_name:
            continue
        curve = dependence(model.fields, contents, by_name[name], predict, outputs, bool(labels))
        found += [curve] if curve is not None else []
    return found
