"""What is counted, and how it is told to Prometheus (text-based exposition format 0.0.4).

Counting is adding to plain dicts, because it happens once for every request; whatever is dearer happens when the
numbers are saved or told. A key is the name of a family and the values of its labels, in the order of :data:`FAMILIES`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TOGETHER = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)

Key = tuple[str | int, ...]


class Family(NamedTuple):
    """One metric: its type, its labels, the upper bounds of its buckets where it is a histogram, and what it means."""

    type: str
    labels: tuple[str, ...]
    help: str
    bounds: tuple[float, ...] = ()


FAMILIES: dict[str, Family] = {
    "lithify_requests_total": Family("counter", ("route", "alias", "status"), "Requests that were answered."),
    "lithify_request_seconds": Family(
        "histogram", ("route",), "Time from the first byte of a request to the last of its answer.", SECONDS
    ),
    "lithify_errors_total": Family("counter", ("code",), "Requests that were refused or failed, by code."),
    "lithify_rows_total": Family("counter", ("alias",), "Rows that were judged."),
    "lithify_decisions_total": Family("counter", ("alias", "decision"), "Rows by verdict, or by label."),
    "lithify_unsure_total": Family("counter", ("alias",), "Rows judged unsure, or given not exactly one label."),
    "lithify_batch_requests": Family("histogram", (), "Requests that were answered together.", TOGETHER),
    "lithify_waiting_requests": Family("gauge", ("worker",), "Requests that wait for an answer."),
    "lithify_model_info": Family("gauge", ("alias", "digest"), "1 for each model that is served now."),
    "lithify_model_workers": Family("gauge", ("alias", "digest"), "Processes that serve the model."),
    "lithify_model_since_seconds": Family("gauge", ("alias", "digest"), "When it was first served, since 1970."),
    "lithify_swaps_total": Family("counter", ("alias",), "Changes to another model, counted by every process."),
    "lithify_swap_refused_total": Family("counter", ("alias",), "Models not taken over, counted by every process."),
    "lithify_workers": Family("gauge", (), "Processes that answer."),
    "lithify_worker_starts_total": Family("counter", (), "Processes started so far."),
    "lithify_log_lines_lost_total": Family("counter", (), "Lines of the access log that could not be written."),
    "process_cpu_seconds_total": Family("counter", ("worker",), "Processor time, of the processes before it too."),
    "process_resident_memory_bytes": Family("gauge", ("worker",), "Memory, that shared with other processes too."),
    "process_start_time_seconds": Family("gauge", ("worker",), "When the process started, since 1970."),
}
_MERGED = {"lithify_model_info": max, "lithify_model_since_seconds": min}
"""How gauges of several processes become one; others are added."""


@dataclass
class Numbers:
    """Counters, histograms and gauges by key.

    A histogram is a list: how many values fell into each bucket (the last one has no upper bound), then their sum.
    Each key may be added to by one thread at a time; :meth:`copy` may be called by another one meanwhile.

    >>> numbers = Numbers()
    >>> numbers.counters["lithify_errors_total", "data"] += 2
    >>> numbers.put(SECONDS, ("lithify_request_seconds", "predict"), 0.004)
    >>> "".join(render(numbers)).splitlines()[1:3]
    ['# TYPE lithify_request_seconds histogram', 'lithify_request_seconds_bucket{route="predict",le="0.0005"} 0']
    """

    counters: defaultdict[Key, float] = field(default_factory=lambda: defaultdict(int))
    histograms: dict[Key, list[float]] = field(default_factory=dict)
    gauges: dict[Key, float] = field(default_factory=dict)

    def put(self, bounds: Sequence[float], key: Key, value: float) -> None:
        """Adds a value to a histogram."""
        row = self.histograms.get(key)
        if row is None:
            row = self.histograms[key] = [0] * (len(bounds) + 2)
        row[bisect_left(bounds, value)] += 1
        row[-1] += value

    def copy(self) -> Numbers:
        """What was counted up to now; copying a dict or a list is one step for all other threads."""
        histograms = {key: row.copy() for key, row in self.histograms.copy().items()}
        return Numbers(self.counters.copy(), histograms, self.gauges.copy())

    def add(self, other: Numbers, gauges: bool = True) -> None:
        """Adds the numbers of another process; its gauges only while it lives."""
        for key, value in other.counters.items():
            self.counters[key] += value
        for key, row in other.histograms.items():
            mine = self.histograms.get(key, [0] * len(row))
            self.histograms[key] = [a + b for a, b in zip(mine, row, strict=True)]
        for key, value in other.gauges.items() if gauges else ():
            merge = _MERGED.get(str(key[0]))
            mine_or_none = self.gauges.get(key)
            both = (value if mine_or_none is None else mine_or_none), value
            self.gauges[key] = merge(both) if merge else (mine_or_none or 0) + value

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {name: [[list(key), value] for key, value in held.items()] for name, held in vars(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Numbers:
        """The numbers of :meth:`to_json`; families that this version does not have, or has otherwise, are left out."""
        made = cls()
        for name, held in vars(made).items():
            held.update((tuple(key), value) for key, value in document[name] if _fits(key, value))
        return made


def _fits(key: Sequence[str | int], value: Any) -> bool:
    family = FAMILIES.get(str(key[0]))
    if family is None or len(family.labels) != len(key) - 1:
        return False
    return family.type != "histogram" or len(value) == len(family.bounds) + 2


def render(numbers: Numbers) -> Iterable[str]:
    """The lines of the exposition, each with its line break; families without a value are left out."""
    held: dict[str, list[tuple[Key, Any]]] = defaultdict(list)
    for each in (numbers.counters, numbers.gauges, numbers.histograms):
        for key, value in each.items():
            held[str(key[0])].append((key[1:], value))
    for name, family in FAMILIES.items():
        if name not in held:
            continue
        yield f"# HELP {name} {family.help}\n# TYPE {name} {family.type}\n"
        for labels, value in sorted(held[name], key=lambda item: [str(part) for part in item[0]]):
            pairs = list(zip(family.labels, map(str, labels), strict=True))
            if family.type == "histogram":
                yield from _histogram(name, family.bounds, pairs, value)
            else:
                yield f"{name}{_labels(pairs)} {value}\n"


def _histogram(name: str, bounds: Sequence[float], pairs: list[tuple[str, str]], row: Sequence[float]) -> Iterable[str]:
    below: float = 0
    for bound, count in zip([*(f"{bound:g}" for bound in bounds), "+Inf"], row[:-1], strict=True):
        below += count
        yield f"{name}_bucket{_labels([*pairs, ('le', bound)])} {below}\n"
    yield f"{name}_sum{_labels(pairs)} {row[-1]}\n{name}_count{_labels(pairs)} {below}\n"


def _labels(pairs: Sequence[tuple[str, str]]) -> str:
    r"""Labels in braces, with backslash, quote and line break escaped.

    >>> print(_labels([("alias", 'a"b\n')]))
    {alias="a\"b\n"}
    """
    if not pairs:
        return ""
    escaped = (value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for _, value in pairs)
    return "{" + ",".join(f'{name}="{value}"' for (name, _), value in zip(pairs, escaped, strict=True)) + "}"
