"""What the checks of learners and of features share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data.batches import Block, Blocks, Hashed, Pixels
from lithify.data.state import State
from lithify.store import container

Check = tuple[str, Callable[[], None]]
HOSTILE = (b"", b"\n", b" \n" * 9, b"\0", b"\xff" * 300, b"=?x?b?", b": :\n\n", bytes(range(256)) * 4)
"""Rows that come up in the wild; nothing may raise on them."""


def spoiled(state: State) -> list[tuple[State, str]]:
    """States that a file might hold instead of this one."""
    wrong: list[tuple[State, str]] = [(State({**state.arrays, "extra": np.zeros(3, np.int8)}, state.facts), "one more")]
    for name, array in state.arrays.items():
        others = {key: other for key, other in state.arrays.items() if key != name}
        if len(array):
            wrong.append((State({**others, name: array[:-1]}, state.facts), f"{name} cut short"))
        wrong.append((State({**others, name: array[None]}, state.facts), f"{name} of another rank"))
        other = np.zeros(array.shape, np.int8 if array.dtype != np.int8 else np.int16)
        wrong.append((State({**others, name: other}, state.facts), f"{name} of another dtype"))
    if state.arrays:
        wrong.append((State({}, state.facts), "no arrays"))
    return wrong


def through_a_file(state: State) -> State:
    """What a checkpoint or a model gives back."""
    opened = container.unpack(container.pack("state", {"facts": state.facts}, state.arrays))
    return State(dict(opened.tensors), opened.meta["facts"])


def digest(state: State) -> str:
    """Of all its arrays and facts."""
    return canon.digest(container.pack("state", {"facts": state.facts}, state.arrays))


def block_digest(blocks: Blocks) -> str:
    """Of all arrays of all blocks."""
    return canon.digest_of({name: [canon.digest(array.tobytes()) for array in arrays(b)] for name, b in blocks.items()})


def arrays(block: Block) -> list[NDArray[Any]]:
    """The arrays of a block."""
    if isinstance(block, Pixels):
        return [block.take(np.arange(len(block)))]
    return [block.start, block.index] if isinstance(block, Hashed) else [block.values]


def frozen_state(state: State) -> State:
    """A copy whose arrays refuse to be written."""
    copies = {name: array.copy() for name, array in state.arrays.items()}
    for array in copies.values():
        array.flags.writeable = False
    return State(copies, state.facts)


def some(count: int) -> list[int]:
    """First, second, middle and last of so many."""
    return sorted({number for number in (0, 1, count // 2, count - 1) if 0 <= number < count})


def refuses(error: type[Exception], what: str, call: Callable[..., Any], *arguments: Any) -> None:
    """Raises ``AssertionError`` unless the call raises that error."""
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"Broken promise: {what} must be refused with {error.__name__}")


def demand(holds: bool, promise: str) -> None:
    """Raises ``AssertionError`` with the promise unless it holds."""
    if not holds:
        raise AssertionError(f"Broken promise: {promise}")
