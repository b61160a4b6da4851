"""Every promise of features; see :mod:`lithify.checks`."""

from __future__ import annotations

import base64
import functools
import json
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from lithify import engines
from lithify.checks.common import HOSTILE, Check, block_digest, demand, digest, refuses, spoiled, through_a_file
from lithify.data import params as parameters
from lithify.data.batches import Block, Codes, Dense, Hashed, Pixels, take
from lithify.errors import MalformedContainer
from lithify.features.base import Features


def check_features(features: Features, contents: Sequence[bytes], hostile: Sequence[bytes] = HOSTILE) -> None:
    """Runs :func:`feature_checks`."""
    for _, check in feature_checks(features, contents, hostile):
        check()


def feature_checks(features: Features, contents: Sequence[bytes], hostile: Sequence[bytes] = HOSTILE) -> list[Check]:
    """Every promise of features.

    Parameters
    ----------
    features : Features
    contents : sequence of bytes
        A few dozen rows of the kind they read.
    hostile : sequence of bytes
        Rows that come up in the wild. Where not all bytes are a row, as with tables, those that are.
    """
    rows = [*contents, *hostile]
    promises = (
        _features_are_strict,
        _fitting_ignores_batches,
        _a_row_alone_equals_the_row_in_a_batch,
        _a_fresh_process_gives_the_same_bits,
        _buckets_are_distinct_and_in_range,
        _columns_name_the_features,
        _spans_cover_the_features,
        _feature_state_is_audited,
    )
    return [(promise.__name__.lstrip("_"), functools.partial(promise, features, rows)) for promise in promises]


def _features_are_strict(features: Features, rows: Sequence[bytes]) -> None:
    schema = type(features).Params
    refuses(parameters.Misfit, "an unknown parameter", parameters.read, schema, {"no_such_parameter": 1})
    demand(parameters.read(schema, parameters.plain(features.params)) == features.params, "parameters come back")
    demand(bool(engines.engine(type(features).engine)), "the engine says what the bits depend on")


def _fitting_ignores_batches(features: Features, rows: Sequence[bytes]) -> None:
    at_once = features.fit([list(rows)])
    one_by_one = features.fit([row] for row in rows)
    demand(digest(at_once) == digest(one_by_one), "how rows are batched does not change what is fitted")


def _a_row_alone_equals_the_row_in_a_batch(features: Features, rows: Sequence[bytes]) -> None:
    fitted = features.fit([list(rows)])
    batch = features.transform(fitted, list(rows) * (1 + 32 // len(rows)))
    for number, row in enumerate(rows):
        alone = block_digest(features.transform(fitted, [row]))
        demand(alone == block_digest(take(batch, np.array([number]))), f"row {number} alone equals it in a batch")


def _a_fresh_process_gives_the_same_bits(features: Features, rows: Sequence[bytes]) -> None:
    """Without numba, and with another seed of Python's hashes: plain kernels and compiled ones agree to the bit."""
    few = [row[:4000] for row in rows[:4]] + list(rows[-len(HOSTILE) :])
    kind = type(features)
    job = {
        "module": kind.__module__,
        "name": kind.__qualname__,
        "params": parameters.plain(features.params),
        "rows": [base64.b64encode(row).decode() for row in few],
        "path": sys.path,
    }
    done = subprocess.run(
        [sys.executable, "-c", _FRESH], input=json.dumps(job), capture_output=True, text=True, check=False
    )
    demand(done.returncode == 0, f"a process without numba can compute them: {done.stderr[-500:]}")
    here = features.transform(features.fit([few]), few * (1 + 32 // len(few)))
    for number, there in enumerate(json.loads(done.stdout)):
        demand(block_digest(take(here, np.array([number]))) == there, f"row {number} has the same bits without numba")


_FRESH = """
import base64, importlib, json, sys
job = json.load(sys.stdin)
sys.path[:] = job["path"]
sys.modules["numba"] = None
from lithify.checks import common
from lithify.data import params
kind = getattr(importlib.import_module(job["module"]), job["name"])
features = kind(params.read(kind.Params, job["params"]))
rows = [base64.b64decode(row) for row in job["rows"]]
fitted = features.fit([rows])
print(json.dumps([common.block_digest(features.transform(fitted, [row])) for row in rows]))
"""


def _buckets_are_distinct_and_in_range(features: Features, rows: Sequence[bytes]) -> None:
    for block in features.transform(features.fit([list(rows)]), list(rows)).values():
        demand(len(block) == len(rows), "a block has every row")
        if isinstance(block, Pixels):
            images = block.take(np.arange(len(block)))
            demand(images.shape == block.shape and images.dtype == np.uint8, "images are of one size, uint8")
            continue
        if isinstance(block, Dense):
            demand(not np.isinf(block.values).any(), "numbers are finite or missing")
            continue
        if isinstance(block, Codes):
            sizes = np.array(block.sizes)
            demand(
                block.values.dtype == np.int32 and len(sizes) == block.values.shape[1], "codes are int32, with sizes"
            )
            demand(bool(((block.values >= 0) & (block.values < sizes)).all()), "codes are in range")
            continue
        demand(int(block.index.max(initial=0)) < block.buckets, "buckets are in range")
        for row in range(len(block)):
            index = block.index[block.start[row] : block.start[row + 1]]
            demand(len(np.unique(index)) == len(index), "the buckets of a row are distinct")


def _columns_name_the_features(features: Features, rows: Sequence[bytes]) -> None:
    """Every column of a block that is not hashed has a name of its own."""
    fitted = features.fit([list(rows)])
    columns = features.columns(fitted)
    names = [(column.block, column.name) for column in columns]
    demand(len(set(names)) == len(names), "no two columns of a block have one name")
    for name, block in features.transform(fitted, list(rows)).items():
        own = [column for column in columns if column.block == name]
        width = 0 if isinstance(block, Hashed | Pixels) else block.values.shape[1]
        demand(len(own) == width, f"the columns of {name} are named")
        if isinstance(block, Codes):
            sizes = tuple(2 + len(column.values) for column in own)
            demand(sizes == block.sizes, "the values of a category are those its codes stand for")


def _spans_cover_the_features(features: Features, rows: Sequence[bytes]) -> None:
    fitted = features.fit([list(rows)])
    for number, row in enumerate(rows):
        blocks, spans = features.transform(fitted, [row]), features.spans(fitted, row)
        for name, block in blocks.items():
            told = {feature for span in spans if span.block == name for feature in span.features.tolist()}
            demand(told == _held(block, len(told)), f"the spans of row {number} cover exactly its features in {name}")
        demand(all(0 <= span.start <= span.end for span in spans), "spans start before they end")


def _held(block: Block, cells: int) -> set[int]:
    """The features of a block of one row; an image has as many cells as its features cut it into."""
    if isinstance(block, Hashed):
        return set(block.index.tolist())
    return set(range(cells if isinstance(block, Pixels) else block.values.shape[1]))


def _feature_state_is_audited(features: Features, rows: Sequence[bytes]) -> None:
    fitted = features.fit([list(rows)])
    features.audit(through_a_file(fitted))
    for wrong, what in spoiled(fitted):
        refuses(MalformedContainer, f"a state with {what}", features.audit, wrong)
