"""Parameters of a component: a frozen dataclass whose fields carry their bounds, read strictly from plain values.

Recipes and sealed models hold parameters as JSON or TOML values. They are read by hand, so that opening a model loads
nothing but NumPy: no unknown key, no value of another type, every bound held, before anything is built from them.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

T = TypeVar("T")
_BOUNDS: dict[type, tuple[str, str, Callable[[Any, Any], bool]]] = {
    Ge: ("ge", ">=", operator.ge),
    Gt: ("gt", ">", operator.gt),
    Le: ("le", "<=", operator.le),
    Lt: ("lt", "<", operator.lt),
}
_SAFE = 2**53 - 1


class Misfit(ValueError):
    """A value that its field cannot hold.

    Attributes
    ----------
    key : str
        Name of the field.
    expected, found : str
        What it holds and what was given. ``expected`` is empty where the key is unknown.
    """

    def __init__(self, key: str, expected: str, found: str) -> None:
        super().__init__(f"{key}: expected {expected or 'no such key'}, found {found}")
        self.key, self.expected, self.found = key, expected, found


def read(schema: type[T], values: Mapping[str, Any]) -> T:
    """An instance of a dataclass from plain values; keys left out take their defaults.

    Fields may be ``bool``, ``int``, ``float``, ``str``, ``Literal``, ``tuple[X, ...]``, ``tuple[X, Y]``, ``Mapping``,
    one of these or None, and ``Annotated`` with the bounds of ``annotated_types``. A whole number is good for a
    ``float``; nothing else is converted. Numbers are finite and at most 2**53 - 1, as JSON carries them.

    Raises
    ------
    Misfit
        Unknown key, wrong type, or out of bounds.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Params:
    ...     steps: Annotated[int, Ge(1)] = 10
    >>> read(Params, {"steps": 3})
    Params(steps=3)
    >>> read(Params, {"steps": 0})
    Traceback (most recent call last):
    lithify.data.params.Misfit: steps: expected a whole number >= 1, found 0
    """
    component: Any = schema
    fields: Mapping[str, Any] = _fields(component)
    for key in values:
        if key not in fields:
            raise Misfit(str(key), "", repr(values[key])[:80])
    return schema(**{key: _value(key, fields[key], value) for key, value in values.items()})


def plain(params: Any) -> dict[str, Any]:
    """An instance as the JSON document that :func:`read` takes."""
    return {key: _listed(value) for key, value in dataclasses.asdict(params).items()}


def _listed(value: Any) -> Any:
    """Tuples as lists, as JSON gives them back."""
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


@functools.cache
def _fields(schema: Any) -> dict[str, Any]:
    """Type of each field, bounds included."""
    hints = get_type_hints(schema, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(schema)}


def _value(key: str, hint: Any, value: Any) -> Any:
    bounds: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        bounds = tuple(extras)
    says = _says(hint, bounds)
    found = _typed(key, hint, value, says)
    for name, _, holds, bound in _limits(bounds):
        if found is not None and not holds(found, getattr(bound, name)):
            raise Misfit(key, says, repr(value)[:80])
    return found


def _limits(bounds: tuple[Any, ...]) -> list[tuple[str, str, Callable[[Any, Any], bool], Any]]:
    return [(*_BOUNDS[type(bound)], bound) for bound in bounds if type(bound) in _BOUNDS]


def _typed(key: str, hint: Any, value: Any, says: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _value(key, next(a for a in inner if a is not type(None)), value)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = (inner[0],) * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            return tuple(_value(key, kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is Literal and any(type(value) is type(choice) and value == choice for choice in inner):
        return value
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return value
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint is int and type(value) is int and abs(value) <= _SAFE:
        return value
    if hint in (bool, str) and type(value) is hint:
        return value
    raise Misfit(key, says, repr(value)[:80])


def _says(hint: Any, bounds: tuple[Any, ...]) -> str:
    """What a field holds, in words."""
    origin, inner = get_origin(hint), get_args(hint)
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if origin is Literal:
        word = " or ".join(repr(choice) for choice in inner)
    elif origin is tuple:
        word = "a list"
    elif origin in (Union, types.UnionType):
        word = _says(next(a for a in inner if a is not type(None)), ())
    else:
        word = names.get(hint, "a table")
    limits = [f"{sign} {getattr(bound, name):g}" for name, sign, _, bound in _limits(bounds)]
    return " ".join([word, " and ".join(limits)]).strip()
