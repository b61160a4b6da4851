"""The verb `retrain`: a new generation, the same recipe, a new run, a comparison. It never promotes.

Every part of it is found again when it is called again: the snapshot and the run by their content, so a call that was
killed goes on where it was, and one that is finished trains nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify import api, things, writing
from lithify.errors import DataError, LithifyError, RunChanged, SessionEnded, TooFewRows
from lithify.parsing import assignments, make_recipe, make_settings
from lithify.progress import Reporter, Update, silent
from lithify.workflow import same_recipe
from lithify.workflow.growing import grown, parent_of
from lithify.workflow.retrained import Retrained

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.comparison.comparison import Comparison
    from lithify.evaluation.comparison.gates import Gates
    from lithify.model.model import Model
    from lithify.recipe import Recipe
    from lithify.store.home import Home
    from lithify.training.run import Outcome, Settings

NOTHING = "The data holds nothing that the model was not made from, so there is nothing to train."
NO_TEST = "The newest generation has no test rows, so there is nothing to compare the two models on."


def retrain(
    model: Model | Path | str,
    data: Any,
    *,
    replace: bool = False,
    parent: things.Data | None = None,
    recipe: Recipe | Mapping[str, Any] | Path | str | None = None,
    set: Mapping[str, Any] | Iterable[str] = (),
    name: str | None = None,
    strict: bool = False,
    session: str | float | None = None,
    checkpoint_every: int | None = None,
    threads: int | None = None,
    processes: int | None = None,
    cache_limit: str | int | None = None,
    new: bool = False,
    gates: Gates | Path | str | None = None,
    out: Path | str | None = None,
    home: things.Place = None,
    report: Reporter = silent,
    **asked: Any,
) -> Retrained:
    """Trains a model anew on its rows and on new ones, by its own recipe, and compares the two.

    The rows of the snapshot that the model was trained on keep their sides; what the data holds besides becomes a new
    generation, cut into training, validation and test rows within itself. Both models are compared on the newest
    generation's test rows, which neither has seen. What is served is not changed.

    Parameters
    ----------
    model : Model or path or THING
        An alias, or a model; the champion.
    data : Snapshot or THING or path, or an object with columns
        With new rows; those that are known already are skipped, so it may be the whole dataset of today. A snapshot
        must be a child of the model's.
    replace : bool
        Whether the data stands alone, in the place of all rows that the model was trained on.
    parent : Snapshot or THING, optional
        The snapshot to join in the place of the model's; such as one without rows that were withdrawn.
    recipe : path of a TOML file, mapping or Recipe, optional
        A recipe in the place of the model's.
    set : mapping or iterable of "key=value"
        Single values, in the place of the model's.
    name : str, optional
        A name for the new snapshot.
    strict : bool
        Whether one quarantined row is an error.
    session, checkpoint_every, threads, processes, cache_limit, new : optional
        As :func:`lithify.train` takes them; none changes a bit of the model.
    gates : Gates or path of a TOML file, optional
        What the new model has to pass.
    out : path, optional
        Where to write the model file too.
    asked
        How to read the data, as :func:`lithify.snapshot` takes it (``label=``, ``split=``, ...). A table is read with
        the fields of the parent, and data is split as the parent was where that was asked for.

    Raises
    ------
    NotFound
        The model's snapshot is not in this home.
    DataError
        There are labels that the model does not know.
    SessionEnded
        The session ended before the run; call again to go on.
    RunChanged
        Data, recipe or engine changed under an unfinished run of the same data.

    Examples
    --------
    >>> import tempfile
    >>> def rows(first, count):
    ...     size = [n * 37 % 100 + n / 1000 for n in range(first, first + count)]
    ...     return {"size": size, "target": ["big" if n > 50 else "small" for n in size]}
    >>> with tempfile.TemporaryDirectory() as place:
    ...     old = api.train(rows(0, 300), learner="tree", home=place)
    ...     found = retrain(old, rows(300, 300), home=place)
    ...     again = retrain(old, rows(0, 10), home=place)
    >>> found.growth.added, found.generation, found.changes, found.snapshot.manifest["generations"]
    (300, 1, {}, [300, 300])
    >>> again.verdict, again.growth.known, again.growth.removed
    ('none', 10, 290)
    """
    from lithify.data.snapshot import Snapshot
    from lithify.recipe import subject
    from lithify.training.run import resolved

    opened = data.home if isinstance(data, Snapshot) and home is None else things.open_home(home)
    settings = make_settings(threads, session, checkpoint_every, processes, cache_limit)
    rules, words = _gates(gates), assignments(set)
    make_recipe(recipe, assignments=words)  # what can never be is refused before the data is read
    if out is not None:
        writing.check_out(Path(out))
    champion, alias = find_champion(opened, model)
    older = parent_of(opened, champion, parent, replace)
    snapshot, growth = grown(opened, data, champion, older, replace, asked, name=name, strict=strict, report=report)
    _check_labels(champion, snapshot, replace)
    card = champion.card
    wanted = same_recipe.asked(card["recipe"], subject(snapshot), recipe, words)
    changes = same_recipe.changes(card["recipe"], resolved(opened, snapshot, wanted, settings))
    base = card["data"]["snapshot"] if older is None else older.digest
    found = Retrained(champion, alias, base, snapshot, growth, replace, changes)
    if snapshot.digest == card["data"]["snapshot"] and not (changes and (recipe is not None or words)):
        return dataclasses.replace(found, changes={}, reasons=(NOTHING,))
    _tell(found, report)
    source = things.source_name(opened, data if isinstance(data, (str, Path)) else snapshot)
    source = f"{source} (retrain of {alias or champion.digest[7:19]})"
    outcome = _trained(opened, snapshot, wanted, source, settings, new, report)
    if out is not None:
        writing.write_model(outcome.model, Path(out))
    return compared(opened, dataclasses.replace(found, outcome=outcome), rules, report)


def find_champion(home: Home, thing: Model | Path | str) -> tuple[Model, str | None]:
    """The model that an alias, a path or a digest stands for, and the alias; else the first alias that serves it.

    A folder is never a model, so that an alias may bear the name of a folder that is here.
    """
    if isinstance(thing, (str, Path)) and Path(thing).expanduser().is_dir():
        model = api.open(home.catalog.resolve(str(thing), "model"), home=home)
    else:
        model = api.open(thing, home=home) if isinstance(thing, (str, Path)) else thing
    serving = [alias for alias, digest in home.aliases.all().items() if digest == model.digest]
    meant = [alias for alias in serving if str(thing) in (alias, alias.removesuffix("@production"))]
    return model, next(iter(meant or serving), None)


def _gates(gates: Gates | Path | str | None) -> Gates:
    """The gates, read before any work is done."""
    from lithify.evaluation.comparison.gates import Gates

    return Gates.read(Path(gates)) if isinstance(gates, (str, Path)) else gates or Gates()


def _check_labels(champion: Model, snapshot: Snapshot, replace: bool) -> None:
    """Refuses labels that the champion does not know, before the long work: the two could not be compared."""
    new = [label for label in snapshot.labels if label not in champion.labels]
    if not new or replace or champion.task != "classification":
        return
    raise DataError(
        f"The data has labels that the champion does not know: {_some(new)}.",
        expected=_some(champion.labels),
        hint="Rename them in the data. If they are meant, say with --replace that the data stands alone, or train a "
        "model of its own and promote it under another alias.",
    )


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (f" and {len(labels) - 8:,} more" if len(labels) > 8 else "")


def _tell(found: Retrained, report: Reporter) -> None:
    """What is about to be trained, before the long work."""
    growth = found.growth
    if growth is not None:
        counted = f"{growth.added:,} added, {growth.relabelled:,} relabelled, {growth.known:,} known already"
        report(Update("reading", note=f"Rows beside those of snapshot {found.parent[7:19]}: {counted}."))
    values = "1 value" if len(found.changes) == 1 else f"{len(found.changes)} values"
    changed = f"{values} of the recipe changed." if found.changes else "The recipe is the same."
    report(Update("reading", note=changed))


def _trained(
    home: Home, snapshot: Snapshot, wanted: Recipe, source: str, settings: Settings, new: bool, report: Reporter
) -> Outcome:
    """The finished run; the errors of one that is not say how to go on with this verb."""
    try:
        return api.run(home, snapshot, wanted, source, settings, new=new, report=report)
    except SessionEnded as error:
        raise SessionEnded(error.run, error.message, hint="Go on with the same command.") from None
    except RunChanged as error:
        error.hint = re.sub(r"--resume \w+", r"`lithify train \g<0>`", error.hint or "")
        raise


def compared(home: Home, found: Retrained, gates: Gates, report: Reporter) -> Retrained:
    """With the comparison on the newest generation's test rows, and those on the older ones apart.

    Where the two cannot be compared the verdict is ``undecided``: what was trained is not lost.
    """
    from lithify.workflow import comparing

    assert found.model is not None
    snapshot, pair = found.snapshot, (found.champion, found.model)
    newest = len(snapshot.manifest["generations"]) - 1
    tested = set(snapshot.table.generation[snapshot.rows("test")].tolist())
    found = dataclasses.replace(found, generation=newest)
    try:
        if newest not in tested:
            raise TooFewRows(NO_TEST, hint="Collect more rows, and retrain with all that came since.")
        made = comparing.compare(*pair, snapshot, gates=gates, generation=newest, home=home, report=report)
        found = dataclasses.replace(found, comparison=made, verdict=made.verdict, reasons=tuple(made.reasons))
    except DataError as error:
        found = dataclasses.replace(found, verdict="undecided", reasons=(str(error),))
    older, trained = {}, _trained_on(home, found.champion)
    for number in sorted(tested - {newest}, reverse=True):
        with contextlib.suppress(DataError):
            older[number] = _on_older(home, *pair, snapshot, number, gates, trained)
    return dataclasses.replace(found, older=older)


def _trained_on(home: Home, champion: Model) -> dict[str, Snapshot]:
    """What the champion has learned from, by digest; nothing where it is not in this home."""
    digest = champion.card["data"]["snapshot"]
    try:
        return {digest: things.find_snapshot(home, digest)}
    except LithifyError:  # said in the notes of the comparison
        return {}


def _on_older(
    home: Home,
    champion: Model,
    challenger: Model,
    snapshot: Snapshot,
    generation: int,
    gates: Gates,
    trained: Mapping[str, Snapshot],
) -> Comparison:
    """On test rows that were looked at before: counted as looks, and no evidence for a promotion."""
    from lithify.evaluation.comparison.compare import compare

    made = compare(champion, challenger, snapshot, generation=generation, gates=gates, trained=trained)
    for model in (champion, challenger):
        home.catalog.look(snapshot.digest, "test", model.digest, generation)
    return made
