"""What a snapshot says of itself, and its entry into the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lithify import canon
from lithify.data import split
from lithify.data.growth import reasons
from lithify.data.schema import Problem
from lithify.data.snapshot import FORMAT, Snapshot
from lithify.data.source import Source
from lithify.data.table import RowTable
from lithify.store.home import Home


def make_manifest(
    source: Source,
    labels: Sequence[str],
    table: RowTable,
    decided: split.Split,
    counted: dict[str, int],
    problems: Sequence[Problem],
    parent: Snapshot | None,
) -> dict[str, Any]:
    """The manifest of a new snapshot; ``counted`` is how many rows were copies, were cut short, changed their label."""
    return {
        "format": FORMAT,
        "kind": source.kind,
        "task": source.task,
        "fields": [
            {"name": field.name, "kind": field.kind, "role": field.role, "form": field.form} for field in source.fields
        ],
        "parent": parent.digest if parent else None,
        "quarantine": reasons(problems),
        **counted,
        **table_facts(
            table,
            labels,
            decided.rule,
            decided.reason,
            len(parent.manifest["generations"]) if parent else 1,
            source.kind,
        ),
    }


def table_facts(
    table: RowTable, labels: Sequence[str], rule: str, reason: str, generations: int = 1, kind: str = "mail"
) -> dict[str, Any]:
    """What a manifest says of its rows; ``generations`` is how many there are at least, empty ones included."""
    sizes = np.bincount(table.group, minlength=1)
    timed = table.time[table.time != split.TIME_MISSING]
    return {
        "labels": list(labels),
        "rows": {"count": len(table), "digest": table.digest()},
        "split": {"rule": rule, "reason": reason, "counts": split.counts(table.side, table.label, labels)},
        "groups": {"near_duplicate_groups": int((sizes > 1).sum()), "rows_in_them": int(sizes[sizes > 1].sum())},
        "generations": np.bincount(table.generation, minlength=generations).tolist(),
        "period": [int(timed.min()), int(timed.max())] if len(timed) else None,
        **({"images": image_facts(table)} if kind == "image" else {}),
    }


def image_facts(table: RowTable) -> dict[str, int]:
    """What a manifest says of images.

    ``side`` is the median of the shorter sides in pixels, the lower of two, and ``channels`` is 1 where all images are
    grey, else 3, both of training rows alone, since a model is made for them; ``smallest`` and ``largest`` are the
    shortest and the longest side of any image.
    """
    from lithify.data import pictures

    width, height, channels = pictures.sizes(table.signature)
    train = table.side == split.TRAIN
    if not train.any():
        train = np.ones(len(table), dtype=bool)
    short = np.sort(np.minimum(width, height)[train])
    return {
        "side": int(short[(len(short) - 1) // 2]),
        "channels": int(channels[train].max()),
        "smallest": int(np.minimum(width, height).min()),
        "largest": int(np.maximum(width, height).max()),
    }


def publish(
    home: Home,
    manifest: dict[str, Any],
    layout: dict[str, Any],
    problems: Sequence[Problem],
    name: str | None,
) -> str:
    """Stores manifest, layout and quarantine list, and enters the snapshot into the catalog; returns its digest."""
    digest = home.blobs.put(canon.dumps(manifest))
    listed = [
        {"origin": p.origin, "reason": p.reason, "detail": p.detail, "key": (p.key or b"").hex()} for p in problems
    ]
    quarantine = home.blobs.put(canon.dumps(listed)) if listed else None
    where = home.blobs.put(canon.dumps(layout))
    with home.catalog.transaction():
        home.catalog.add_snapshot(
            digest,
            manifest["kind"],
            manifest["rows"]["count"],
            layout=where,
            parent=manifest["parent"],
            quarantine=quarantine,
        )
        if name is not None:
            home.catalog.name(name, digest, move=True)
    return digest
