"""Turns a PyTorch module into a graph and arrays.

The module is traced symbolically (``torch.fx``) in evaluation mode, with the shapes of example inputs, and each call in
the trace is translated by the tables of :mod:`lithify.learners.network.graph.modules` and
:mod:`lithify.learners.network.graph.functions`. What has no counterpart there is refused by name: nothing is guessed.
Whoever seals the graph compares what it computes with what the module does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import fx

from lithify.errors import Unsupported
from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.fold import fold
from lithify.learners.network.graph.functions import FUNCTIONS, METHODS
from lithify.learners.network.graph.graph import Graph, Value
from lithify.learners.network.graph.modules import MODULES
from lithify.learners.network.graph.scene import Ref, Scene

RAW, EMBEDDING = "raw", "embedding"


def trace(
    module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str] = (RAW, EMBEDDING)
) -> tuple[Graph, dict[str, NDArray[Any]]]:
    """A module as a graph.

    Parameters
    ----------
    module : Module
        In evaluation mode while it is traced, and back in its own mode afterwards. With methods ``embed(inputs...)``
        and ``head(embedding)`` the embedding is what ``embed`` gives; otherwise the logits are the embedding too.
    inputs : mapping of str to Tensor
        Example inputs by the names that the graph's inputs shall have, in the order of the module's arguments. Their
        dtypes and shapes are those of the graph.
    outputs : sequence of str
        ``raw`` alone, or ``raw`` and ``embedding``.

    Returns
    -------
    Graph, dict of str to ndarray
        Audited. Arrays go by the names of the parameters they are made of; batch normalisation is folded into the
        convolution or the linear layer before it.

    Raises
    ------
    Unsupported
        The module, or something it does, has no counterpart; the message names it.
    """
    was = module.training
    module.eval()
    try:
        with torch.no_grad():
            return _traced(module, inputs, outputs)
    finally:
        module.train(was)


def _traced(
    module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str]
) -> tuple[Graph, dict[str, NDArray[Any]]]:
    build = Builder([_value(name, tensor) for name, tensor in inputs.items()])
    given = [(name, tensor) for name, tensor in inputs.items()]
    if splits(module):
        embedding = _call(build, module, "embed", given)
        raw, logits = _call(build, module, "head", [embedding])
        _check_split(module, list(inputs.values()), logits)
        ends = {RAW: raw, EMBEDDING: embedding[0]}
    else:
        raw = _call(build, module, "forward", given)[0]
        ends = {RAW: raw, EMBEDDING: raw}
    return fold(*build.finish({name: ends[name] for name in outputs}))


def _check_split(module: torch.nn.Module, inputs: Sequence[torch.Tensor], logits: torch.Tensor) -> None:
    if not torch.allclose(module(*inputs), logits, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise Unsupported(
            f"{type(module).__name__} gives other logits than its head does of its embedding.",
            expected="forward(x) that is head(embed(x))",
        )


def splits(module: torch.nn.Module) -> bool:
    """Whether a module gives an embedding apart: by a method ``embed`` and a method or module ``head``."""
    embed = getattr(module, "embed", None)
    return callable(embed) and not isinstance(embed, torch.nn.Module) and callable(getattr(module, "head", None))


def _value(name: str, tensor: torch.Tensor) -> Value:
    return Value(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))


def _call(
    build: Builder, root: torch.nn.Module, method: str, given: Sequence[tuple[str, torch.Tensor]]
) -> tuple[str, torch.Tensor]:
    """Traces one method of a module, or one module that is an attribute of it, for values of the graph."""
    inner = getattr(root, method)
    layer = inner if isinstance(inner, torch.nn.Module) else root if type(root) in MODULES else None
    wrapped: torch.nn.Module = root if layer is None else _Chain(layer)
    tracer = _Tracer("forward" if wrapped is not root else method)
    try:
        traced = tracer.trace(wrapped)
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(
            f"{type(root).__name__}.{method} cannot be traced.",
            found=f"{type(error).__name__}: {error}"[:300],
            hint="What a network does may depend on the shapes of its inputs but not on their values.",
        ) from error
    names = method if layer is inner else ""
    return _Walk(build, wrapped, traced, names).walk(given)


class _Chain(torch.nn.Module):
    """A module that calls another one, so that a single layer can be traced too."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Calls it."""
        result: torch.Tensor = self.inner(x)
        return result


class _Tracer(fx.Tracer):
    """Traces any method; what the tables know is not looked into."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.traced_func_name = method

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is translated as a whole."""
        return type(m) in MODULES or super().is_leaf_module(m, module_qualified_name)


class _Walk(fx.Interpreter):
    """Computes a trace node by node on the example inputs and translates each node beside."""

    def __init__(self, build: Builder, root: torch.nn.Module, traced: fx.Graph, prefix: str) -> None:
        super().__init__(fx.GraphModule(root, traced), garbage_collect_values=True)
        self._scene = Scene(build)
        self._names: dict[Any, str] = {}
        self._prefix = prefix

    def walk(self, given: Sequence[tuple[str, torch.Tensor]]) -> tuple[str, torch.Tensor]:
        """Translates the whole trace; gives the name and the example of what it returns."""
        self._given = list(given)
        places = [node for node in self.module.graph.nodes if node.op == "placeholder"]  # type: ignore[union-attr]
        if len(places) < len(given):
            raise Unsupported("The network takes fewer inputs than there are.", found=str(len(places)))
        for node, (name, _) in zip(places, given, strict=False):
            self._names[node] = name
        result = self.run(*(tensor for _, tensor in given))
        if not isinstance(result, torch.Tensor):
            raise Unsupported("A network returns one tensor.", found=type(result).__name__)
        return self._names[self._end], result

    def run_node(self, n: fx.Node) -> Any:
        """Computes one node, and translates it where it gives a tensor."""
        result = super().run_node(n)
        if n.op == "output":
            self._end = n.args[0]
        elif isinstance(result, torch.Tensor) and n not in self._names:
            self._names[n] = self._translated(n, result)
        elif isinstance(result, tuple | list) and any(isinstance(item, torch.Tensor) for item in result):
            self._parts(n, result)
        return result

    def _translated(self, n: fx.Node, result: torch.Tensor) -> str:
        if n.op == "get_attr":
            return self._scene.array(result, self._prefix_of(str(n.target)))
        what, rule = self._rule(n)
        args, kwargs = (self._mapped(each) for each in (n.args, n.kwargs))
        try:
            if n.op == "call_module":
                layer = self.fetch_attr(str(n.target))
                name = rule(self._scene, layer, self._prefix_of(str(n.target)), *args, **kwargs)
            else:
                name = rule(self._scene, *args, **kwargs)
        except (ValueError, TypeError) as error:
            raise Unsupported(f"{what} is used in a way that has no counterpart.", found=str(error)[:300]) from error
        found = self._scene.build.shape(name)
        if found != tuple(result.shape):
            raise Unsupported(f"{what} gives another shape.", expected=str(tuple(result.shape)), found=str(found))
        return str(name)

    def _rule(self, n: fx.Node) -> tuple[str, Callable[..., str]]:
        """What a node calls, in words, and what translates it."""
        if n.op == "call_module":
            layer = self.fetch_attr(str(n.target))
            what, rule = f"{type(layer).__name__} ({n.target})", MODULES.get(type(layer))
        elif n.op == "call_method":
            what, rule = f"Tensor.{n.target}", METHODS.get(str(n.target))
        else:
            what, rule = f"The function {getattr(n.target, '__name__', n.target)}", FUNCTIONS.get(n.target)
        if rule is None:
            raise Unsupported(
                f"{what} has no counterpart in a sealed network.",
                hint="What has one is listed in lithify.learners.network.graph.modules and functions.",
            )
        return what, rule

    def _parts(self, n: fx.Node, result: Sequence[Any]) -> None:
        """Several tensors, as ``chunk`` and ``split`` give them: each is a slice, made where it is taken."""
        _, rule = self._rule(n)
        args, kwargs = (self._mapped(each) for each in (n.args, n.kwargs))
        names = rule(self._scene, *args, **kwargs)
        for user in n.users:
            if user.target is operator.getitem:
                self._names[user] = names[user.args[1]]  # type: ignore[index]

    def _mapped(self, arguments: Any) -> Any:
        """Arguments with names in place of tensors and values in place of numbers that were computed."""

        def one(node: fx.Node) -> Any:
            return Ref(self._names[node]) if node in self._names else self.env[node]

        return fx.node.map_arg(arguments, one)

    def _prefix_of(self, target: str) -> str:
        return self._prefix + target.removeprefix("inner") if self._prefix else target
