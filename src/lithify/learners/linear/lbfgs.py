"""L-BFGS as a sequence of states: each step takes one evaluation of loss and gradient, and chooses the next point.

The two-loop recursion (Liu, Nocedal 1989, doi:10.1007/BF01589116) over the last pairs of differences; the line search
halves until the loss falls enough. A state holds ``weights``, the best point, and ``trial``, the point whose loss and
gradient are wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.kernels import compiled

_KERNELS = "lithify.learners.linear.kernels"
_SUFFICIENT = 1e-4
_CURVATURE = 1e-12
_SMALLEST_RATE = 2.0**-20
_MEASURED = ("loss", "length", "first_length")


def begin(size: int) -> State:
    """All weights zero, no evaluation yet."""
    zeros = np.zeros(size)
    return State({"weights": zeros, "trial": zeros}, {"pairs": 0, "rate": 1.0, "evaluations": 0})


def advance(state: State, loss: float, gradient: NDArray[np.float64], memory: int) -> State:
    """Takes the trial point, or halves the way to it, and chooses the next.

    Parameters
    ----------
    state : State
    loss, gradient : float and (size,) float64
        At ``state.arrays["trial"]``.
    memory : int
        Pairs of differences that are kept.
    """
    facts = dict(state.facts, evaluations=state.facts["evaluations"] + 1)
    if "loss" not in facts:
        return _accept(state, facts, loss, gradient, memory)
    slope = compiled(_KERNELS).dot(state.arrays["gradient"], state.arrays["direction"])
    if not loss <= facts["loss"] + _SUFFICIENT * facts["rate"] * slope:
        facts["rate"] = facts["rate"] * 0.5
        return _propose(state, facts)
    return _accept(state, facts, loss, gradient, memory)


def converged(state: State, tolerance: float) -> bool:
    """Whether the gradient has all but vanished, or no step along it lowers the loss any more."""
    facts = state.facts
    if facts["rate"] < _SMALLEST_RATE and facts["pairs"]:
        return True
    return "length" in facts and bool(facts["length"] <= tolerance * facts["first_length"])


def admit(state: State, memory: int) -> None:
    """After the first evaluation there is all that the next ones look at, and nothing else; ``MalformedContainer``."""
    begun = "loss" in state.facts
    facts = {"pairs", "rate", "evaluations", *(_MEASURED if begun else ())}
    slots = range(min(state.facts["pairs"], memory))
    arrays = {"weights", "trial", *(("gradient", "direction") if begun else ())}
    arrays |= {f"{name}/{slot}" for name in ("moved", "turned") for slot in slots}
    numbers = all(type(fact) in (int, float) for fact in state.facts.values())
    if state.arrays.keys() != arrays or state.facts.keys() != facts or not numbers:
        raise MalformedContainer("The state in the checkpoint is not one of a linear training.")


def _accept(state: State, facts: dict[str, Any], loss: float, gradient: NDArray[np.float64], memory: int) -> State:
    """The trial point becomes the point; remembers the pair of differences and turns the gradient by them."""
    kernels = compiled(_KERNELS)
    arrays = dict(state.arrays)
    if "gradient" in arrays:
        moved, turned = arrays["trial"] - arrays["weights"], gradient - arrays["gradient"]
        if kernels.dot(moved, turned) > _CURVATURE:
            slot = facts["pairs"] % memory
            arrays[f"moved/{slot}"], arrays[f"turned/{slot}"] = moved, turned
            facts["pairs"] += 1
    length = float(np.sqrt(kernels.dot(gradient, gradient)))
    facts |= {"loss": loss, "length": length, "first_length": facts.get("first_length", length)}
    arrays |= {"weights": arrays["trial"], "gradient": gradient}
    arrays["direction"] = _direction(arrays, facts["pairs"], memory)
    facts["rate"] = 1.0 if facts["pairs"] else 1.0 / max(length, 2.0**-60)
    return _propose(State(arrays, facts), facts)


def _propose(state: State, facts: dict[str, Any]) -> State:
    trial = state.arrays["weights"].copy()
    compiled(_KERNELS).add_scaled(trial, facts["rate"], state.arrays["direction"])
    return State({**state.arrays, "trial": trial}, facts)


def _direction(arrays: Mapping[str, NDArray[Any]], pairs: int, memory: int) -> NDArray[np.float64]:
    """The two-loop recursion over the remembered pairs, oldest to newest."""
    kernels = compiled(_KERNELS)
    direction: NDArray[np.float64] = -arrays["gradient"]
    recent = range(max(0, pairs - memory), pairs)
    known = [(arrays[f"moved/{i % memory}"], arrays[f"turned/{i % memory}"]) for i in recent]
    inverse = [1.0 / kernels.dot(moved, turned) for moved, turned in known]
    shares = []
    for (moved, turned), rho in zip(reversed(known), reversed(inverse), strict=True):
        shares.append(rho * kernels.dot(moved, direction))
        kernels.add_scaled(direction, -shares[-1], turned)
    if known:
        direction *= 1.0 / (inverse[-1] * kernels.dot(known[-1][1], known[-1][1]))
    for (moved, turned), rho, share in zip(known, inverse, reversed(shares), strict=True):
        kernels.add_scaled(direction, share - rho * kernels.dot(turned, direction), moved)
    return direction
