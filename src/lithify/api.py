"""The verbs, as plain functions: what ``import lithify`` offers and what every command calls.

A THING is an existing path, a digest or at least 8 hex digits of one, or a name. The rooms that a verb needs load when
it is called, so that reading a single model stays quick.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lithify.errors import GoldenMismatch, MalformedContainer, NotFound, StoreError, StoreFull, UsageError
from lithify.parsing import assignments, field_kinds, make_recipe, make_settings
from lithify.progress import Reporter, Update, silent

if TYPE_CHECKING:
    from lithify.data.schema import Field
    from lithify.data.snapshot import Difference, Snapshot
    from lithify.data.source import Source
    from lithify.data.withdraw import Withdrawal
    from lithify.evaluation.audit.finding import Audit
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.export import Export
    from lithify.model.model import Model
    from lithify.recipe import Recipe
    from lithify.store.home import Home
    from lithify.training.run import Outcome, Settings

    Place: TypeAlias = Home | Path | str | None
    Data: TypeAlias = Snapshot | Path | str | Any

SUFFIX = ".lith"


def open_home(home: Place = None, *, create: bool = True) -> Home:
    """A home that is open already, or the one in that folder; without one, ``LITHIFY_HOME`` or the platform's.

    One that is not there is made, or ``NotFound`` where ``create`` is false.
    """
    from lithify.store import home as homes

    return home if isinstance(home, homes.Home) else homes.open_home(home, create)


def home_if_there(home: Place = None) -> Home | None:
    """The home, where there is one that can be used: files are signed and checked without it, too."""
    try:
        return open_home(home, create=False)
    except (NotFound, StoreError):
        return None


def snapshot(
    data: Any,
    *,
    name: str | None = None,
    parent: Data | None = None,
    split: str | None = None,
    strict: bool = False,
    kind: str | None = None,
    label: str | None = None,
    text: str | None = None,
    time: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    fields: Mapping[str, str] | Iterable[str] | None = None,
    task: str | None = None,
    query: str | None = None,
    sheet: str | None = None,
    home: Place = None,
    report: Reporter = silent,
) -> Snapshot:
    """Freezes data into a snapshot: read, grouped, split, named by its content.

    Parameters
    ----------
    data : path, or an object with columns
        A maildir, an mbox, a folder of mail, texts or images with one sub-folder per label, files with an index, an
        archive of any of these; a CSV, TSV, JSON lines, Parquet, Arrow or Excel file, a folder of such files, or an
        SQLite database; IDX and CIFAR files; a pandas or Polars frame, an Arrow table, a dict of columns, a list of
        dicts, a NumPy array, a pair (X, y) of arrays, or a ``datasets`` object.
    name : str, optional
        A name for it in the home.
    parent : Snapshot or THING, optional
        Its rows and their sides are kept; what it lacks becomes a new generation. A table is read with its fields.
    split : str, optional
        ``time``, ``hash``, ``group:FIELD`` or ``given:FIELD``; by time where that can be, if not given.
    strict : bool
        Whether one quarantined row is an error.
    kind : "mail", "text", "table" or "image", optional
        What the rows are, where that cannot be seen.
    label, text, time, group, weight : str, optional
        Columns of a table; ``label`` also labels a collection that has no labels, ``group`` also names a header field.
    fields : mapping of str to str, or iterable of "name=kind", optional
        Kinds of columns, in place of those that would be inferred: ``number``, ``category``, ``boolean``, ``time``,
        ``text`` or ``identifier``.
    task : "classification" or "regression", optional
        What is learned from a table; told by the label if not given.
    query, sheet : str, optional
        Which rows of an SQLite database; which sheet of a workbook, or table of a database.
    home : path, optional
    report : callable, optional
        Told how far the work is; see :mod:`lithify.progress`.

    Examples
    --------
    >>> import tempfile
    >>> rows = {
    ...     "age": [20 + n % 40 for n in range(60)],
    ...     "job": ["clerk", "smith"] * 30,
    ...     "target": ["no", "no", "yes"] * 20,
    ... }
    >>> with tempfile.TemporaryDirectory() as place:
    ...     made = snapshot(rows, label="target", home=place)
    ...     len(made), made.labels, [field.name for field in made.inputs]
    (60, ('no', 'yes'), ['age', 'job'])
    """
    opened = open_home(home)
    asked: dict[str, Any] = {"kind": kind, "label": label, "text": text, "time": time, "group": group}
    asked |= {"weight": weight, "fields": fields, "task": task, "query": query, "sheet": sheet}
    source = open_data(opened, data, parent=parent, split=split, **asked)
    return freeze(opened, source, name=name, parent=parent, split=split, strict=strict, report=report)


def freeze(
    home: Home,
    source: Source,
    *,
    name: str | None = None,
    parent: Data | None = None,
    split: str | None = None,
    strict: bool = False,
    report: Reporter = silent,
) -> Snapshot:
    """:func:`snapshot` of what was opened already."""
    from lithify.data import snapshotting

    rule = _rule(split)[0]
    older = None if parent is None else find_snapshot(home, parent)
    before = home.catalog.names().get(name) if name else None
    made = snapshotting.snapshot(source, home, name=name, parent=older, rule=rule, strict=strict, report=report)
    if before not in (None, made.digest):
        stood = f"The name {name} stood for the snapshot {str(before).removeprefix('sha256:')[:12]} before."
        report(Update("finished", note=stood))
    return made


def open_data(
    home: Home,
    data: Any,
    *,
    parent: Data | None = None,
    split: str | None = None,
    group: str | None = None,
    fields: Mapping[str, str] | Iterable[str] | None = None,
    like: tuple[Field, ...] = (),
    task: str | None = None,
    **asked: Any,
) -> Source:
    """What :func:`snapshot` reads from, with the options of that; says what was recognised before it is read.

    A table is read with the fields of the parent, or with ``like``, unless kinds are given; else they are inferred.
    """
    from lithify.data.inputs import as_columns
    from lithify.data.open import open_source

    if isinstance(data, (str, Path)) and str(data) == "-":
        raise UsageError("A snapshot needs a place, not standard input.", hint="Save it to a file, and give that.")
    rule, field = _rule(split)
    if rule == "group":
        if group not in (None, field):
            raise UsageError("--group and --split name two different fields.", found=f"{group} and {field}")
        group = field
    kinds = field_kinds(fields)
    if parent is not None and not kinds:
        older = find_snapshot(home, parent)
        like, task = older.fields, task or (older.task if older.fields else None)
    if like and not kinds:
        asked |= {"kind": asked.get("kind") or "table", "like": like}
    asked |= {"group": group, "side": field if rule == "given" else None, "fields": kinds, "task": task}
    return open_source(as_columns(data), **asked)


def _rule(split: str | None) -> tuple[str, str]:
    """The rule of a split and the field it names, where it has to name one."""
    rule, _, field = (split or "auto").partition(":")
    if rule not in ("auto", "time", "hash", "group", "given"):
        raise UsageError("Unknown split.", expected="time, hash, group:FIELD or given:FIELD", found=rule)
    if bool(field) != (rule in ("group", "given")):
        raise UsageError(
            f"The split {rule!r} {'takes no' if field else 'needs a'} field.",
            expected=rule if field else f"{rule}:FIELD, such as {'group:List-Id' if rule == 'group' else 'given:side'}",
        )
    return rule, field


def diff(old: Data, new: Data, *, home: Place = None) -> Difference:
    """Rows added, removed, relabelled and moved to another side between two snapshots."""
    from lithify.data import snapshot as snapshots

    opened = open_home(home, create=False)
    return snapshots.diff(find_snapshot(opened, old), find_snapshot(opened, new))


def withdraw(
    snapshot: Data, keys: Iterable[str], *, erase: bool = False, home: Place = None, report: Reporter = silent
) -> Withdrawal:
    """Makes a snapshot without some rows, and lists the models that were trained on them.

    Parameters
    ----------
    snapshot : Snapshot or THING
    keys : iterable of str
        Keys of rows, or at least 8 hex digits of each.
    erase : bool
        Whether to erase the content of the rows from the home, for good; models trained on them stay, and can no
        longer be rebuilt.
    """
    from lithify.data import withdraw as withdrawals

    opened = open_home(home, create=False)
    return withdrawals.withdraw(opened, find_snapshot(opened, snapshot), list(keys), erase=erase, report=report)


def audit(
    data: Data,
    *,
    test_labels: bool = False,
    show_content: bool = False,
    home: Place = None,
    report: Reporter = silent,
    **asked: Any,
) -> Audit:
    """Looks for what is wrong with a dataset: leaks, wrong labels, copies, useless fields.

    Parameters
    ----------
    data : Snapshot or THING or path
        Data is made a snapshot first, with the options of :func:`snapshot`.
    test_labels : bool
        Whether test rows are searched for wrong labels too; that is counted as a look at the test.
    show_content : bool
        Whether suspect rows are shown, and not only named by their keys.
    """
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.audit import audit as audits

    opened = data.home if isinstance(data, Snapshot) and home is None else open_home(home)
    frozen = find_or_make(opened, data, report=report, **asked)
    return audits.audit(frozen, test_labels=test_labels, show_content=show_content, report=report)


def train(
    data: Data,
    *,
    recipe: Recipe | Mapping[str, Any] | Path | str | None = None,
    learner: str | None = None,
    quality: str | None = None,
    budget: str | float | None = None,
    set: Mapping[str, Any] | Iterable[str] = (),
    session: str | float | None = None,
    checkpoint_every: int | None = None,
    threads: int | None = None,
    processes: int | None = None,
    cache_limit: str | int | None = None,
    new: bool = False,
    out: Path | str | None = None,
    home: Place = None,
    report: Reporter = silent,
    **asked: Any,
) -> Model:
    """Trains a model, goes on with an unfinished run of the same, or returns the model that was trained.

    Parameters
    ----------
    data : Snapshot or THING or path, or an object with columns
        Data is made a snapshot first, with the options of :func:`snapshot` (``label=``, ``name=``, ``split=`` ...).
    recipe : path of a TOML file, mapping or Recipe, optional
    learner, quality, budget : optional
        Win over the recipe. ``budget`` is the time to aim for, such as ``"10m"``.
    set : mapping or iterable of "key=value"
        Single values; win over all else.
    session : str or float, optional
        Time after which to stop cleanly.
    checkpoint_every : int, optional
        Steps between checkpoints, instead of by time.
    threads, processes : int, optional
        Threads of each process, and processes that share the work (one, if not given); neither changes a bit.
    cache_limit : str or int, optional
        Bytes that decoded images may take on the disk, such as ``"5G"``.
    new : bool
        Leave an unfinished run of the same data that differs, and start another.
    out : path, optional
        Where to write the model file too; it is in the home in any case.

    Raises
    ------
    SessionEnded
        The session ended before the run; call again to go on.
    RunChanged
        Data, recipe or engine changed under an unfinished run.

    Examples
    --------
    >>> import tempfile
    >>> rows = {"size": [n % 50 for n in range(300)], "colour": ["red", "blue", "blue"] * 100}
    >>> rows["target"] = ["big" if size > 24 else "small" for size in rows["size"]]
    >>> with tempfile.TemporaryDirectory() as place:
    ...     model = train(rows, learner="tree", home=place)
    >>> model.predict({"size": 40, "colour": "red"})[0].label
    'big'
    >>> model.predict_proba([{"size": 40}, {"size": 3}]).argmax(axis=1).tolist(), model.labels
    ([0, 1], ('big', 'small'))
    """
    wanted = make_recipe(recipe, learner=learner, quality=quality, budget=budget, assignments=assignments(set))
    if out is not None:
        check_out(Path(out))
    opened = open_home(home)
    frozen = find_or_make(opened, data, report=report, **asked)
    settings = make_settings(threads, session, checkpoint_every, processes, cache_limit)
    source = source_name(opened, data if isinstance(data, (str, Path)) else frozen)
    model = run(opened, frozen, wanted, source, settings, new=new, report=report).model
    return model if out is None else write_model(model, Path(out))


def run(
    home: Home, snapshot: Snapshot, recipe: Recipe, source: str, settings: Settings, *, new: bool, report: Reporter
) -> Outcome:
    """:func:`train`, with everything found out already; says more than the model."""
    from lithify.training import run as runs

    return runs.train(home, snapshot, recipe, source=source, settings=settings, new=new, report=report)


def open(thing: Path | str, *, verify: bool = False, home: Place = None) -> Model:
    """Opens a sealed model; runs no code from it.

    Parameters
    ----------
    thing : path or THING
        The file, or the digest of a model in the home.
    verify : bool
        Whether to score the golden inputs too.

    Raises
    ------
    LithifyError
        When anything is wrong: ``NotFound``, ``MalformedContainer``, ``IntegrityError``, ``NewerFormat``,
        ``GoldenMismatch``.
    """
    from lithify.model.model import open_model

    if Path(thing).expanduser().is_file() or str(thing).endswith(SUFFIX):
        try:
            return open_model(Path(thing).expanduser(), verify=verify)
        except MalformedContainer as error:
            error.hint = (
                error.hint or "Give a model file, as training by this version writes it; a damaged one, fetch again."
            )
            raise
    opened = open_home(home, create=False)
    return open_model(opened.blobs.verified(opened.catalog.resolve(str(thing), "model")), verify=verify)


def evaluate(
    model: Model | Path | str,
    data: Data,
    split: str = "test",
    *,
    home: Place = None,
    report: Reporter = silent,
    **asked: Any,
) -> Evaluation:
    """Measures a model on one split of a snapshot, and counts the look.

    Data that is made a snapshot for it is read with the fields of the model.

    Parameters
    ----------
    model : Model or path or THING
    data : Snapshot or path or THING
    split : "test", "validation" or "train"
    """
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation import evaluate as evaluation

    place = data.home if isinstance(data, Snapshot) and home is None else home
    sealed = open(model, home=place) if isinstance(model, (str, Path)) else model  # none there: no home is made
    opened = open_home(place)
    frozen = find_or_make(opened, data, report=report, **(asked | read_as(sealed)))
    looks = opened.catalog.looks(frozen.digest, split) + 1
    found = evaluation.evaluate(sealed, frozen, split, looks=looks)
    opened.catalog.look(frozen.digest, split, sealed.digest)
    opened.catalog.add_evaluation(sealed.digest, frozen.digest, split, found.metrics)
    return found


def verify(model: Model | Path | str, *, rebuild: bool = False, home: Place = None, report: Reporter = silent) -> Model:
    """Checks a model's seal, structure and golden predictions; with ``rebuild`` trains it again and compares the bytes.

    Raises ``GoldenMismatch`` when it is not what it says, and whatever :func:`open` raises.
    """
    sealed = open(model, home=home) if isinstance(model, (str, Path)) else model
    sealed.verify()
    if rebuild:
        from lithify import canon
        from lithify.training import run as runs

        again = canon.digest(runs.rebuild(open_home(home, create=False), sealed, report=report))
        if again != sealed.digest:
            raise GoldenMismatch(
                "Training again from the snapshot and the recipe gave another model.",
                expected=sealed.digest,
                found=again,
                hint="The file was not made from that data by that recipe, or this machine computes other bits.",
            )
    return sealed


def export(
    model: Model | Path | str,
    *,
    onnx: Path | str,
    data: Data | None = None,
    home: Place = None,
    report: Reporter = silent,
    **asked: Any,
) -> Export:
    """Writes a model of images as one self-contained ONNX file, if that gives every row the label that the model does.

    Parameters
    ----------
    model : Model or path or THING
    onnx : path
        The file: pixels in, calibrated probabilities out; see :func:`lithify.model.export.export_onnx`.
    data : Snapshot or path or THING, optional
        Test rows of it are compared too, beside made-up inputs. Their labels are not read, so it is no look at the
        test.

    Raises
    ------
    Unsupported
        The model is not a network that classifies images.
    GoldenMismatch
        A row would get another label; nothing is written.
    """
    from lithify.data.snapshot import Snapshot
    from lithify.model import export as exports

    path = check_out(Path(onnx))
    if path.suffix == SUFFIX:
        raise UsageError(f"{path.name} would be a model by its name.", expected="a file that ends in .onnx")
    opened = data.home if isinstance(data, Snapshot) and home is None else None
    sealed = open(model, home=home) if isinstance(model, (str, Path)) else model
    if data is None:
        return exports.export_onnx(sealed, path)
    frozen = find_or_make(opened or open_home(home), data, report=report, **(asked | read_as(sealed)))
    if frozen.kind != sealed.kind:
        raise UsageError(
            "The rows to compare are of another kind than the model.", expected=sealed.kind, found=frozen.kind
        )
    report(Update("comparing"))
    return exports.export_onnx(sealed, path, frozen)


def is_snapshot(thing: str, home: Place = None) -> bool:
    """Whether a THING is a snapshot of the home; a path that exists never is, and what is unknown is not."""
    if Path(thing).exists():
        return False
    try:
        return open_home(home, create=False).catalog.find(thing, "model", "snapshot").kind == "snapshot"
    except NotFound:
        return False


def find_snapshot(home: Home, thing: Data) -> Snapshot:
    """A snapshot as it is, or by digest or name."""
    from lithify.data import snapshot as snapshots

    return thing if isinstance(thing, snapshots.Snapshot) else snapshots.open_snapshot(home, str(thing))


def read_as(model: Model) -> dict[str, Any]:
    """The options of :func:`open_data` that read a table as a model does; none for models of mail and text."""
    from lithify.data.schema import Field

    if model.kind != "table":
        return {}
    return {"like": tuple(Field(**field) for field in model.card["data"]["fields"]), "task": model.task}


def find_or_make(home: Home, data: Data, *, report: Reporter = silent, **asked: Any) -> Snapshot:
    """A snapshot as it is, of data, or by digest or name; a path wins over a name."""
    like = {name: asked.pop(name) for name in ("like", "task") if name in asked} if "like" in asked else {}
    found = find(home, data, **asked)
    if found is not None:
        return found
    how: dict[str, Any] = {name: asked.pop(name, None) for name in ("name", "parent", "split")}
    strict = bool(asked.pop("strict", False))
    source = open_data(home, data, parent=how["parent"], split=how["split"], **(asked | like))
    return freeze(home, source, strict=strict, report=report, **how)


def find(home: Home, data: Data, **asked: Any) -> Snapshot | None:
    """A snapshot as it is, or by digest or name; None for data, be it a path or an object.

    Raises ``NotFound`` where there is neither, and ``UsageError`` for options that a snapshot cannot take.
    """
    from lithify.data.snapshot import Snapshot

    if isinstance(data, Snapshot):
        return data
    if not isinstance(data, str) or data == "-" or Path(data).expanduser().exists():
        return None
    try:
        found = find_snapshot(home, data)
    except NotFound as error:
        raise NotFound(f"There is no path and no snapshot {data!r}.", hint=_near(data) or error.hint) from None
    if given := sorted(name for name, value in asked.items() if value):
        raise UsageError(
            f"{data} is a snapshot: how it was read and split is settled.",
            found=", ".join("--field" if name == "fields" else f"--{name}" for name in given),
            hint="Leave these options out, or give the data itself.",
        )
    return found


def _near(data: str) -> str | None:
    """What lies beside a path that is not there under nearly the same name."""
    from lithify.data.open import open_source

    if "/" in data or "." in data:
        with contextlib.suppress(UsageError):
            try:
                open_source(data)
            except NotFound as error:
                return error.hint
    return None


def source_name(home: Home, data: Data) -> str:
    """What an unfinished run is remembered by: the place of the data, the name or the digest of the snapshot."""
    from lithify.data.snapshot import Snapshot

    if isinstance(data, Snapshot):
        return data.digest
    if isinstance(data, Path) or Path(data).expanduser().exists():
        return str(Path(data).expanduser().resolve())
    return data if data in home.catalog.names() else home.catalog.resolve(data, "snapshot")


def write_model(model: Model, out: Path) -> Model:
    """Writes a model's bytes to a file, whole or not at all, and opens that."""
    from lithify.model.model import open_model
    from lithify.store.blobs import write_atomic

    path = check_out(out)
    if not (path.exists() and path.read_bytes() == model.data):
        write_atomic(path, bytes(model.data), 0o644)
    return open_model(path)


def check_out(out: Path) -> Path:
    """The place of a file to be written; ``NotFound``, ``UsageError`` or ``StoreFull`` when it cannot be one."""
    path = out.expanduser().absolute()
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {path.parent} to write to.", hint="Make it first.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", expected="the name of a file")
    if not os.access(path.parent, os.W_OK):
        raise StoreFull(
            f"Not allowed to write to the folder {path.parent}.", hint="Choose another folder for the file."
        )
    return path
