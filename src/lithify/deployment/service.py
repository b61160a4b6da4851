"""The models that are served: opened, checked, and replaced when their alias moves, while requests go on.

Nothing moves by itself: a model is replaced because somebody promoted or rolled back its alias. The new one is opened
beside the one that serves, checked and warmed, and takes over in one assignment; requests that are under way finish
with the one they began with, which is gone when the last of them is. A new model that is not what its digest, its
golden predictions or its signature say is refused, and the old one stays.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from lithify.deployment.accepted import Accepted
from lithify.deployment.opening import Place, locate, opened
from lithify.deployment.ticker import Ticker
from lithify.errors import LithifyError, NotFound, StoreError, UsageError, as_store_error
from lithify.model.model import Model
from lithify.store.home import Home

_log = logging.getLogger("lithify.serve")

Tell = Callable[[str, str], None]
"""Told ``("swap", alias)`` and ``("refused", alias)``."""


@dataclass(frozen=True)
class Deployed:
    """A model under the name it is served by.

    Attributes
    ----------
    alias : str
        Canonical, such as ``spam@production``; the name itself where a file or a digest is served.
    name : str
        As it stands in addresses: ``spam`` for ``spam@production``, else the alias.
    model : Model
    digest : str
        Of the model.
    since : float
        Seconds since 1970 when this process began to serve it.
    """

    alias: str
    name: str
    model: Model
    digest: str
    since: float


def warm(model: Model) -> None:
    """Scores made-up rows, so that the first request waits for nothing.

    Many at a time first: that loads the compiled kernels, and once they are loaded a single row goes through them too,
    some hundred times as fast as plain Python. Then one at a time, as requests come.
    """
    contents = model.draft.golden_inputs()
    for some in (contents * 2, *([content] for content in contents)):
        list(model.predictions([""] * len(some), some))


class Service:
    """Models by alias.

    Parameters
    ----------
    home : Home or None
        Where aliases and digests are looked up; None where only files are served.
    things : sequence of str
        Aliases, digests of models in the home, or paths of model files.
    key : Path, optional
        A public key: every model must be signed by it.
    folder : Path, optional
        Private to the processes of one server. They note there which model they accepted last for an alias, so that one
        that is started anew has it when the alias points to a model that is refused.
    warm : callable
        Does to a model what requests will do.
    tell : callable
        Told of what happened, for metrics.

    Raises
    ------
    LithifyError
        A model cannot be served: ``NotFound``, ``IntegrityError``, ``GoldenMismatch``, ``SignatureError``,
        ``NewerFormat``; ``UsageError`` when two things would go by one name.
    """

    def __init__(
        self,
        home: Home | None,
        things: Sequence[str],
        *,
        key: Path | None = None,
        folder: Path | None = None,
        warm: Callable[[Model], None] = warm,
        tell: Tell = lambda what, alias: None,
    ) -> None:
        self._home, self._key, self._warm, self._tell = home, key, warm, tell
        self._folder, self._accepted = folder, Accepted(folder)
        self._lock = threading.Lock()
        self._file = None if home is None else _identity(home)
        self._serial = None if home is None else home.aliases.serial()  # before the aliases: what moves now is seen
        self._places = _distinct([locate(home, thing) for thing in things])
        self._seen = {place.alias: place.entry for place in self._places}
        self._troubled = False
        self._ticker: Ticker | None = None
        self._served: dict[str, Deployed] = {}
        for place in self._places:
            self._serve(place, self._first(place))

    def get(self, alias: str) -> Deployed:
        """What is served under an alias, ``spam`` and ``spam@production`` being the same.

        Hold on to it for the whole of a request: asked again, another model may be there.
        """
        try:
            return self._served[alias]
        except KeyError:
            names = [place.name for place in self._places]
            near = get_close_matches(alias[:100], names, n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Served here: {', '.join(sorted(names)[:10])}."
            raise NotFound(f"No model is served as {alias[:100]!r}.", hint=hint) from None

    def all(self) -> list[Deployed]:
        """All that is served, in the order it was asked for."""
        served = self._served
        return [served[place.alias] for place in self._places]

    def ready(self) -> bool:
        """Whether every model is there and warm; true as soon as the service is made."""
        return all(place.alias in self._served for place in self._places)

    # Following the aliases

    def watch(self, interval: float = 0.2, also: Callable[[], None] = lambda: None) -> None:
        """Calls :meth:`refresh`, and ``also``, every so many seconds in a thread of its own, until :meth:`stop`."""

        def both() -> None:
            self.refresh()
            also()

        self.stop()
        self._ticker = Ticker("watch", interval, both)

    def stop(self) -> None:
        """Ends the watch; what is served stays."""
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None

    def refresh(self) -> None:
        """Looks once whether an alias moved, and follows it; never raises a ``LithifyError``.

        While the home cannot be read all stays as it is.
        """
        if self._home is None:
            return
        with self._lock:
            try:
                self._look(self._home)
            except (LithifyError, OSError) as error:
                self._trouble(error)
            else:
                self._troubled = False

    def _look(self, home: Home) -> None:
        self._reconnect(home)
        serial = home.aliases.serial()
        if serial == self._serial:
            return
        for place in self._places:
            if place.follows:
                self._follow(home, place)
        self._serial = serial

    def _reconnect(self, home: Home) -> None:
        """Opens the catalog anew where another file took its place, as when a home is restored from a backup."""
        file = _identity(home)
        if file != self._file:
            home.catalog.close()
            self._file, self._serial = file, None

    def _follow(self, home: Home, place: Place) -> None:
        """Serves what the last entry of an alias says, unless it was served or refused before."""
        last = home.aliases.last(place.alias)
        if last is None or last.digest == self._seen[place.alias]:
            return
        now = self._served[place.alias]
        try:
            new = now if last.model == now.digest else self._open(place, last.model)
        except StoreError:  # the disk, not the model: looked at again
            raise
        except Exception as error:
            self._refuse(place, last.model, error)
        else:
            if new is not now:
                _compare(now, new)
                self._serve(place, new)
                self._tell("swap", place.alias)
        self._seen[place.alias] = last.digest

    def _refuse(self, place: Place, digest: str, error: Exception) -> None:
        code = error.code if isinstance(error, LithifyError) else LithifyError.code
        said = error if isinstance(error, LithifyError) else f"It failed in an unforeseen way ({type(error).__name__})."
        _log.error(
            "%s now points to model %s, which is refused (%s); the one before stays. %s",
            place.alias, digest[7:19], code, said,
        )  # fmt: skip
        self._tell("refused", place.alias)

    def _trouble(self, error: LithifyError | OSError) -> None:
        """Said once, until the home can be read again."""
        if not self._troubled:
            said = error if isinstance(error, LithifyError) else as_store_error(error, "reading the home")
            _log.error("The home cannot be read (%s); the models that are served stay. %s", said.code, said)
        self._troubled = True

    # Opening

    def _first(self, place: Place) -> Deployed:
        """What to begin with: what the place leads to, or, where that is refused, what other processes accepted."""
        try:
            return self._open(place, place.digest)
        except Exception as error:
            accepted = self._accepted.get(place.alias) if place.follows else None
            if accepted is None or accepted == place.digest:
                raise
            self._refuse(place, place.digest, error)
            return self._open(place, accepted)

    def _open(self, place: Place, digest: str) -> Deployed:
        model = opened(self._home, place, digest, self._key, self._folder)
        self._warm(model)
        model.verify()  # last, so that it is the compiled kernels that are verified
        return Deployed(place.alias, place.name, model, model.digest, time.time())

    def _serve(self, place: Place, deployed: Deployed) -> None:
        self._served = self._served | dict.fromkeys((place.alias, place.name), deployed)
        _log.info("%s serves model %s.", place.alias, deployed.digest[7:19])
        if place.follows:
            self._accepted.put(place.alias, deployed.digest)


def _distinct(places: Sequence[Place]) -> list[Place]:
    """The places, those asked for twice once."""
    found: dict[str, Place] = {}
    for place in places:
        if found.setdefault(place.name, place) != place:
            raise UsageError("Two models would be served under one name.", found=place.name, hint="Rename a file.")
    return list(found.values())


def _identity(home: Home) -> tuple[int, int]:
    """Of the catalog's file; ``OSError`` when it is not there."""
    found = (home.path / "catalog.sqlite").stat()
    return found.st_dev, found.st_ino


def _compare(old: Deployed, new: Deployed) -> None:
    """Says when callers may notice more than other scores."""
    other = [
        what for what in ("kind", "task", "fields", "labels") if getattr(old.model, what) != getattr(new.model, what)
    ]
    if other:
        _log.warning(
            "%s: model %s has another %s than model %s before it; requests made for that one may fail.",
            new.alias, new.digest[7:19], ", ".join(other), old.digest[7:19],
        )  # fmt: skip
