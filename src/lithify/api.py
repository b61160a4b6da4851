"""The verbs, as plain functions: what ``import lithify`` offers and what every command calls.

A THING is an existing path, a digest or at least 8 hex digits of one, or a name. The rooms that a verb needs load when
it is called, so that reading a single model stays quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify.errors import GoldenMismatch, MalformedContainer, UsageError
from lithify.freezing import find_or_make, freeze, open_data, read_as
from lithify.parsing import assignments, make_recipe, make_settings
from lithify.progress import Reporter, Update, silent
from lithify.things import find_snapshot, open_home, source_name
from lithify.writing import SUFFIX, check_out, write_model

if TYPE_CHECKING:
    from lithify.data.snapshot import Difference, Snapshot
    from lithify.data.withdraw import Withdrawal
    from lithify.evaluation.audit.finding import Audit
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.export import Export
    from lithify.model.model import Model
    from lithify.recipe import Recipe
    from lithify.store.home import Home
    from lithify.things import Data, Place
    from lithify.training.run import Outcome, Settings


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
