"""Promote, roll back, history: the only verbs that change what is served, and the record of who did, when and why."""

from __future__ import annotations

import difflib
import getpass
import os
import re
import shlex
import socket
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify import api, canon, things, writing
from lithify.errors import IntegrityError, NotFound, PromotionRefused, UsageError
from lithify.model import bundle
from lithify.store.aliases import canonical, moved
from lithify.store.comparisons import Comparisons
from lithify.store.history import Entry, served_before

if TYPE_CHECKING:
    from lithify.model.model import Model
    from lithify.store.home import Home
    from lithify.things import Place

PASSING = ("better", "not worse")
"""Verdicts of a comparison with which a model may take an alias."""
NOTHING = "none"
"""What stands for an alias that serves nothing yet, where a digest is expected."""

_BEGINNING = re.compile(r"(sha256:)?[0-9a-f]{8,64}")
_JUDGES = {"mail": "mail", "text": "texts", "table": "rows of tables", "image": "images"}
_FEW = 5
"""Labels and models that a message names."""


def promote(
    model: Model | Path | str,
    alias: str,
    *,
    expect: str | None = None,
    force: str | None = None,
    why: str = "",
    by: str | None = None,
    home: Place = None,
) -> Entry:
    """Points an alias at a model that was compared with what is served now, and writes that down.

    Either both happen or neither, however many try at once: one of them moves the alias, the others are told.

    Parameters
    ----------
    model : Model or path or THING
        Stored in the home, with the signature beside it, when it is not there yet. Its golden predictions are checked.
    alias : str
        ``NAME`` or ``NAME@STAGE``; ``spam`` means ``spam@production``.
    expect : str, optional
        The digest that must be served now, or at least 8 hex digits of it; ``"none"`` for nothing yet.
    force : str, optional
        The reason to promote it without a passing comparison; written down.
    why, by : str, optional
        Written down; by whom is ``user@host`` if not given.
    home : path, optional

    Returns
    -------
    Entry
        What was written; the last entry when the alias points at this model already.

    Raises
    ------
    PromotionRefused
        There is no comparison with the model served now, or its verdict is neither ``better`` nor ``not worse``.
    AliasMoved
        The alias does not point where it was expected to, or somebody moved it meanwhile.
    GoldenMismatch
        The model does not predict what it did when it was sealed.
    """
    opened, name = things.open_home(home), canonical(alias)
    if force is not None and not force.strip():
        raise UsageError("Forcing needs a reason.", hint="Say it: --force 'the old one lets a new scam through'.")
    served = opened.aliases.get(name)
    if served is None:
        _check_new(model, alias)
    _check_expected(name, expect, served)
    sealed = api.open(model, home=opened) if isinstance(model, (str, Path)) else model
    sealed.verify()
    evidence = _evidence(opened, sealed.digest, served)
    allowed = served in (None, sealed.digest) or evidence["verdict"] in PASSING
    if not allowed and force is None:
        asked = model if isinstance(model, (str, Path)) else sealed.digest[7:19]
        _check_alike(alias, str(asked), api.open(str(served), home=opened), sealed)
        raise _refused(name, sealed.digest, str(served), evidence, _compare(name, asked, home))
    return opened.aliases.move(
        name,
        adopt(opened, sealed),
        action="promote",
        who=by or whoami(),
        why="; ".join(filter(None, (force, why))),
        forced=not allowed,
        evidence=evidence,
        expect=served,
    )


def rollback(alias: str, *, to: str | None = None, why: str = "", by: str | None = None, home: Place = None) -> Entry:
    """Points an alias at the model it served before, whose bytes are checked against its digest first.

    A promotion adds a model, rolling back takes it off again: a second roll back goes one further back.

    Parameters
    ----------
    alias : str
    to : str, optional
        The digest to go to, or at least 8 hex digits of it; the alias must have served it before.
    why, by : str, optional
        As for :func:`promote`.

    Raises
    ------
    UsageError
        Nothing was served before.
    AliasMoved
        Somebody moved the alias meanwhile.
    HistoryBroken, IntegrityError
        The history, or the model, is not what it was.
    """
    opened = things.open_home(home, create=False)
    entries = history(alias, home=opened)
    target = _before(entries) if to is None else _among(entries, to)
    opened.blobs.verified(target)
    return opened.aliases.move(
        alias,
        target,
        action="rollback",
        who=by or whoami(),
        why=why,
        evidence={"evaluations": _evaluations(opened, target), "comparison": None, "verdict": None, "gates": None},
        expect=entries[-1].model,
    )


def history(alias: str, *, home: Place = None) -> list[Entry]:
    """Every move of an alias, oldest first, checked from the first to the last.

    Raises ``NotFound`` when there is no such alias, ``HistoryBroken`` when something was changed or taken out.
    """
    opened = things.open_home(home, create=False)
    entries = opened.aliases.history(alias)
    if not entries:
        known = {name.removesuffix("@production"): name for name in opened.aliases.all()}
        near = difflib.get_close_matches(alias, [*known, *known.values()], 1)
        hint = f"Did you mean {near[0]}?" if near else f"Nothing was promoted to it: lithify promote MODEL {alias}"
        raise NotFound(f"There is no alias {canonical(alias)} in the home {opened.path}.", hint=hint)
    return entries


def adopt(home: Home, model: Model) -> str:
    """Stores a model in the home, with the signature beside its file where there is one; returns the digest.

    Again changes nothing.
    """
    from lithify.store.signatures import Signatures

    if home.blobs.put(bytes(model.data)) != model.digest:
        raise IntegrityError(
            "The model's file changed while it was read.",
            expected=model.digest,
            hint="Leave it in peace, and try again.",
        )
    frozen = model.card["data"]["snapshot"]
    known = frozen in {row.digest for row in home.catalog.snapshots()}
    home.catalog.add_model(model.digest, snapshot=frozen if known else None)
    signature = _signature_beside(model.path)
    if signature is not None:
        Signatures(home.catalog).add(model.digest, home.blobs.put(signature))
    return model.digest


def whoami() -> str:
    """The user and the machine, as ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _check_new(model: Model | Path | str, alias: str) -> None:
    """A new alias that names a file is a model in the wrong place."""
    if alias.endswith(writing.SUFFIX) or Path(alias).is_file():
        asked = model if isinstance(model, str) else "ALIAS"
        raise UsageError(
            f"{alias} is a file, and cannot be an alias." if Path(alias).is_file() else f"{alias} cannot be an alias.",
            hint=f"The arguments are swapped? {shlex.join(['lithify', 'promote', alias, asked])}",
        )


def _check_alike(alias: str, name: str, champion: Model, challenger: Model) -> None:
    """What judges other things, or says other labels, can be no successor: there is nothing to compare."""
    alias, name = alias.removesuffix("@production"), Path(name).name
    if champion.kind != challenger.kind:
        said = f"{alias} judges {_JUDGES[champion.kind]}, {name} {_JUDGES[challenger.kind]}."
    elif champion.task != challenger.task:
        said = f"{alias} is for {champion.task}, {name} for {challenger.task}."
    elif set(champion.labels) != set(challenger.labels):
        said = f"{alias} has the labels {_some(champion.labels)}; {name} has {_some(challenger.labels)}."
    else:
        return
    raise PromotionRefused(said, hint="Choose another alias, or give --force REASON, which is written down.")


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:_FEW]) + (f" and {len(labels) - _FEW:,} more" if len(labels) > _FEW else "")


def _check_expected(name: str, expect: str | None, served: str | None) -> None:
    if expect is None or (expect == NOTHING and served is None):
        return
    if expect != NOTHING and not _BEGINNING.fullmatch(expect.lower()):
        raise UsageError(
            "What is expected must be a digest.", expected=f"at least 8 hex digits, or {NOTHING}", found=expect[:80]
        )
    if served is None or not _begins(served, expect):
        raise moved(name, None if expect == NOTHING else expect, served)


def _begins(digest: str, text: str) -> bool:
    return digest.startswith(canon.DIGEST_PREFIX + text.lower().removeprefix(canon.DIGEST_PREFIX))


def _evidence(home: Home, model: str, served: str | None) -> dict[str, Any]:
    found = Comparisons(home.catalog).latest(served, model) if served else None
    return {
        "evaluations": _evaluations(home, model),
        "comparison": found.digest if found else None,
        "verdict": found.verdict if found else "first" if served is None else None,
        "gates": _gates(canon.loads(home.blobs.get(found.digest))) if found else None,
    }


def _gates(document: dict[str, Any]) -> dict[str, Any] | None:
    """The gates of a comparison that are not the default ones; None where all are."""
    from lithify.evaluation.comparison.gates import Gates

    default = Gates().to_json()
    return {name: gate for name, gate in document.get("gates", {}).items() if gate != default.get(name)} or None


def _evaluations(home: Home, model: str) -> list[str]:
    """Each once, oldest first."""
    return list(dict.fromkeys(row.digest for row in home.catalog.evaluations(model)))


def _compare(name: str, model: Path | str, home: Place) -> str:
    where = ["--home", str(home)] if isinstance(home, (str, Path)) else []
    return shlex.join(["lithify", "compare", *where, name, str(model)])


def _refused(name: str, model: str, served: str, evidence: dict[str, Any], command: str) -> PromotionRefused:
    what = f"Model {model[7:19]} was not promoted to {name}"
    force = "To promote it all the same, give --force REASON, which is written down."
    if evidence["comparison"] is None:
        return PromotionRefused(
            f"{what}: it was not compared with what is served now.",
            expected=f"a comparison with {served[7:19]}",
            found="none",
            hint=f"Run `{command}`, then promote again. {force}",
        )
    undecided = evidence["verdict"] == "undecided"
    again = f"More rows may decide it: `{command} DATA`" if undecided else f"See why: `{command}`"
    return PromotionRefused(
        f"{what}: its newest comparison with what is served now did not find it good enough.",
        expected=" or ".join(PASSING),
        found=f"{evidence['verdict']}, in comparison {evidence['comparison'][7:19]} with {served[7:19]}",
        hint=f"{again}. {force}",
    )


def _before(entries: Sequence[Entry]) -> str:
    stack = served_before(entries)
    if len(stack) < 2:
        raise UsageError(
            f"{entries[-1].alias} served nothing before {entries[-1].model[7:19]} to roll back to.",
            expected="--to " + _listed({entry.model for entry in entries}),
            hint=f"See `lithify history {entries[-1].alias}`.",
        )
    return stack[-2]


def _among(entries: Sequence[Entry], to: str) -> str:
    """The model of a history that a digest, or its beginning, means."""
    served = sorted({entry.model for entry in entries})
    fits = [digest for digest in served if _begins(digest, to)] if _BEGINNING.fullmatch(to.lower()) else []
    if len(fits) != 1:
        raise UsageError(
            f"{entries[-1].alias} never served {to[:80]}." if not fits else f"{to[:80]} fits several models.",
            expected=_listed(served),
            hint="Give more of the digest." if fits else "Promote a model that was not served before.",
        )
    return fits[0]


def _listed(models: Collection[str]) -> str:
    """Digests that may be asked for."""
    few = ", ".join(digest[7:19] for digest in sorted(models)[:_FEW])
    return f"one of {few}{' …' if len(models) > _FEW else ''}"


def _signature_beside(path: Path | None) -> bytes | None:
    beside = path.with_name(path.name + ".sig") if path else None
    return bundle.read(beside, "signature beside the model") if beside is not None and beside.is_file() else None
