"""Comparing a challenger with the champion it may replace, and keeping what was found as evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify import api, canon, freezing, things
from lithify.errors import LithifyError, NotFound
from lithify.progress import Reporter, silent

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.comparison.comparison import Comparison
    from lithify.evaluation.comparison.gates import Gates
    from lithify.evaluation.comparison.rows import Generation
    from lithify.model.model import Model
    from lithify.store.home import Home


def compare(
    champion: Model | Path | str,
    challenger: Model | Path | str,
    data: Any = None,
    *,
    gates: Gates | Path | str | None = None,
    split: str = "test",
    generation: Generation = "newest",
    home: things.Place = None,
    report: Reporter = silent,
    **asked: Any,
) -> Comparison:
    """Compares two models on rows that neither has learned from, and keeps the result as evidence for a promotion.

    Rows that either model was trained on are left out, as far as the snapshot it was trained on is in the home. The
    look at the split is counted for both models; both get an evaluation, and the comparison is kept whole.

    Parameters
    ----------
    champion, challenger : Model or path or THING
        What is served, and what may take its place; an alias will do.
    data : Snapshot or path or THING, optional
        Where the rows come from; else the snapshot that the challenger was trained on. Data is made a snapshot first,
        and a table is read with the fields of both models.
    gates : Gates, or path of a TOML file, optional
        What the challenger must pass; see :class:`lithify.evaluation.comparison.gates.Gates`.
    split : "test", "validation", "train" or "all"
        ``all`` suits data that is new to both models.
    generation : int, "newest" or "all"

    Raises
    ------
    UsageError
        Both are the same model, or an option does not fit.
    NotFound
        A model, or the challenger's own snapshot, is not there.
    DataError
        The models and the rows do not go together, or no row is left that neither has learned from.
    """
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.comparison import compare as comparing
    from lithify.evaluation.comparison.gates import Gates
    from lithify.evaluation.comparison.reading import check_two

    rules = Gates.read(Path(gates).expanduser()) if isinstance(gates, (str, Path)) else gates or Gates()
    rules.check()
    place = data.home if isinstance(data, Snapshot) and home is None else home
    first, second = (api.open(each, home=place) if isinstance(each, (str, Path)) else each
                     for each in (champion, challenger))  # fmt: skip
    check_two(first, second)  # before any data is read
    opened = things.open_home(place)
    frozen = _rows(opened, data, first, second, report, asked)
    looked = "test" if split == "all" else split
    looks = opened.catalog.looks(frozen.digest, looked) + 2  # one for each model
    found = comparing.compare(
        first,
        second,
        frozen,
        split=split,
        generation=generation,
        gates=rules,
        trained=_trained(opened, first, second),
        looks=looks,
        report=report,
    )
    _keep(opened, found, looked)
    return found


def _rows(
    home: Home, data: Any, champion: Model, challenger: Model, report: Reporter, asked: dict[str, Any]
) -> Snapshot:
    """The snapshot to compare on."""
    if data is not None:
        return freezing.find_or_make(home, data, report=report, **(asked | _read_as(champion, challenger)))
    digest = challenger.card["data"]["snapshot"]
    try:
        return things.find_snapshot(home, digest)
    except NotFound:
        raise NotFound(
            f"Snapshot {digest[7:19]}, which the challenger was trained on, is not in this home.",
            hint="Say what to compare on: lithify compare CHAMPION CHALLENGER DATA.",
        ) from None


def _read_as(champion: Model, challenger: Model) -> dict[str, Any]:
    """The options that read a table with the fields of both models; the challenger's win."""
    asked = freezing.read_as(challenger)
    if not asked:
        return {}
    names = {field.name for field in asked["like"]}
    inputs = [field for field in freezing.read_as(champion).get("like", ()) if field.role == "input"]
    more = [field for field in inputs if field.name not in names]
    return asked | {"like": tuple(sorted((*asked["like"], *more), key=lambda field: field.name))}


def _trained(home: Home, *models: Model) -> dict[str, Snapshot]:
    """What the models were trained on, as far as it is in the home and whole."""
    found = {}
    for digest in {str(model.card["data"]["snapshot"]) for model in models}:
        try:
            found[digest] = things.find_snapshot(home, digest)
        except LithifyError:  # said in the notes of the comparison
            continue
    return found


def _keep(home: Home, found: Comparison, looked: str) -> None:
    """Counts the look of both models, keeps their figures and the comparison."""
    from lithify.store.comparisons import Comparisons

    generation = next(iter(found.generations)) if len(found.generations) == 1 else 0
    digest = home.blobs.put(canon.dumps(found.to_json()))
    catalog = home.catalog
    with catalog.transaction():
        for role, model in (("champion", found.champion), ("challenger", found.challenger)):
            catalog.look(found.snapshot.digest, looked, model.digest, generation)
            catalog.add_evaluation(model.digest, found.snapshot.digest, found.split, found.figures[role])
        Comparisons(catalog).add(
            found.champion.digest, found.challenger.digest, found.snapshot.digest, found.verdict, digest
        )
