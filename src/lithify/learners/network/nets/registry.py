"""Networks by name; none is imported before it is asked for.

Other packages add theirs as entry points of the group ``lithify.networks``: a callable that takes
:class:`~lithify.learners.network.inputs.Inputs` and the number of scores, and returns a ``torch.nn.Module``. It is
given images as (n, channels, side, side) float32 of mean 0 and spread 1, other rows as (n, ``inputs.width``) float32,
and returns scores (n, outputs). Where it has methods ``embed`` and ``head``, ``head(embed(x))`` are the scores, and the
embedding is kept beside them.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lithify.errors import RecipeError, Unsupported
from lithify.learners.network.inputs import Inputs

if TYPE_CHECKING:
    from torch import nn

BUILT_IN = {
    "deep": "lithify.learners.network.nets.deep",
    "mlp": "lithify.learners.network.nets.mlp",
    "residual": "lithify.learners.network.nets.residual",
    "small": "lithify.learners.network.nets.small",
}
GROUP = "lithify.networks"
_SMALL, _DEEP = 40, 112


def names() -> list[str]:
    """All networks that can be asked for, sorted.

    >>> "mlp" in names()
    True
    """
    return sorted({*BUILT_IN, *_added()})


def fitting(side: int) -> str:
    """The network for images of that side; for rows that are none, side 0, the fully connected one.

    >>> [fitting(side) for side in (0, 32, 64, 224)]
    ['mlp', 'small', 'deep', 'residual']
    """
    return "mlp" if side == 0 else "small" if side <= _SMALL else "deep" if side <= _DEEP else "residual"


def check(name: str) -> None:
    """``RecipeError`` with the nearest name if there is no such network."""
    if name not in BUILT_IN and name not in _added():
        near = difflib.get_close_matches(name, names(), n=1)
        raise RecipeError(
            f"There is no network {name!r}.",
            expected=", ".join(names()),
            hint=f"Did you mean {near[0]!r}?" if near else None,
        )


def build(name: str, inputs: Inputs, outputs: int, params: Any) -> nn.Module:
    """A network, its weights not yet drawn unless it came from another package.

    Parameters
    ----------
    name : str
    inputs : Inputs
    outputs : int
        How many scores.
    params : NetworkParams
        Settled.
    """
    if name in BUILT_IN:
        if (name == "mlp") == (inputs.kind == "pixels"):
            raise RecipeError(f"The network {name!r} does not read this.", found=inputs.kind)
        how = {"dropout": params.dropout} if name == "mlp" else {}
        module: nn.Module = import_module(BUILT_IN[name]).build(inputs, outputs, params.width, params.depth, **how)
        return module
    check(name)
    package, _, attribute = _added()[name].partition(":")
    made = getattr(import_module(package), attribute)(inputs, outputs)
    return _keyed(made, name)


def _keyed(module: Any, name: str) -> nn.Module:
    """Someone's module with our dropout in the place of torch's, whose draws depend on who drew before."""
    from torch import nn

    from lithify.learners.network.nets.drop import Drop

    if not isinstance(module, nn.Module):
        raise Unsupported(f"The network {name!r} is no torch.nn.Module.", found=type(module).__name__)
    random = (nn.modules.dropout._DropoutNd, nn.RReLU)
    for path, child in list(module.named_modules()):
        if type(child) is nn.Dropout and path:
            parent, _, last = path.rpartition(".")
            setattr(module.get_submodule(parent), last, Drop(child.p))
        elif isinstance(child, random):
            raise Unsupported(f"A layer of the network {name!r} draws at random.", found=type(child).__name__)
    return module


def _added() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=GROUP)}
