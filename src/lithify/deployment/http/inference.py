"""The Open Inference Protocol v2, ``/v2``: https://github.com/kserve/open-inference-protocol, its REST half.

A model is known by the name in the plain routes, a version by the first 12 hexadecimal digits of its digest. Inputs of
a table are one tensor for each field, ``[n]`` or ``[n, 1]``, or one of ``BYTES`` called ``rows`` with a JSON object in
each element; of mail, texts and images one of ``BYTES`` called ``content``; images may also come as ``UINT8`` pixels
``[n, h, w, c]`` called ``pixels``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version as version_of
from typing import Any, Final

import numpy as np

from lithify import conformal
from lithify.data.cells import encode_row
from lithify.data.schema import Field
from lithify.deployment.http import bodies, items, tensors
from lithify.deployment.http.judging import Judged, Task
from lithify.deployment.http.message import Request, Response
from lithify.deployment.http.plain import decisions, dump
from lithify.deployment.http.tensors import Tensor
from lithify.deployment.service import Deployed
from lithify.errors import DataError, NotFound, ServiceError, TooLarge
from lithify.model.model import Model
from lithify.model.prediction import Prediction, predictions

LENGTH: Final = "Inference-Header-Content-Length"
"""Header that says how many bytes of a body are JSON; the others are tensors."""
ROWS, CONTENT, PIXELS = "rows", "content", "pixels"
_DATATYPES: Final = {"number": "FP64", "boolean": "BOOL", "category": "BYTES", "text": "BYTES", "time": "BYTES"}
_DIGITS = 12


def server() -> Response:
    """``GET /v2``."""
    document = {"name": "lithify", "version": version_of("lithify"), "extensions": ["binary_tensor_data"]}
    return Response(body=dump(document))


def version(deployed: Deployed) -> str:
    """What this version of the model is called: the first digits of its digest."""
    return deployed.digest.removeprefix("sha256:")[:_DIGITS]


def check_version(deployed: Deployed, asked: str | None) -> None:
    """``NotFound`` unless the version that is served is the one asked for; the whole digest is good as well."""
    if asked is None or asked in (version(deployed), deployed.digest, deployed.digest.removeprefix("sha256:")):
        return
    raise NotFound(
        f"Version {asked[:80]!r} of {deployed.name} is not served.", found=version(deployed), hint="Leave it out."
    )


def metadata(deployed: Deployed) -> Response:
    """``GET /v2/models/{model}``: its inputs and outputs."""
    document = {
        "name": deployed.name,
        "versions": [version(deployed)],
        "platform": "lithify",
        "inputs": inputs(deployed.model),
        "outputs": [{"name": name, "datatype": kind, "shape": shape} for name, kind, shape in outputs(deployed.model)],
        "parameters": {"model": deployed.digest},
    }
    return Response(body=dump(document), alias=deployed.alias, model=deployed.digest)


def ready(deployed: Deployed) -> Response:
    """``GET /v2/models/{model}/ready``: what is served is ready."""
    return Response(body=dump({"name": deployed.name, "ready": True}), alias=deployed.alias, model=deployed.digest)


def inputs(model: Model) -> list[dict[str, Any]]:
    """The tensors that a model reads, as the protocol's metadata says them."""
    if model.kind == "table":
        return [{"name": one.name, "datatype": _DATATYPES[one.kind], "shape": [-1]} for one in model.fields]
    return [{"name": CONTENT, "datatype": "BYTES", "shape": [-1]}]


def outputs(model: Model) -> list[tuple[str, str, list[int]]]:
    """Name, datatype and shape of the tensors that a model gives."""
    if model.task == "regression":
        value = [("value", "FP64", [-1])]
        return value + ([("interval", "FP64", [-1, 2])] if model.conformal else [])
    labels = len(model.labels)
    found: list[tuple[str, str, list[int]]] = [("label", "BYTES", [-1]), ("probabilities", "FP64", [-1, labels])]
    if model.cutoffs is not None:
        found.append(("verdict", "BYTES", [-1]))
    if model.conformal is not None:
        found.append(("labels", "BOOL", [-1, labels]))
    if model.novelty is not None:
        found.append(("novelty", "FP64", [-1]))
    return found


def infer(deployed: Deployed, request: Request, most: int) -> Task:
    """``POST /v2/models/{model}/infer``.

    Raises
    ------
    ServiceError
        The request is none of the protocol, or names inputs or outputs that the model does not have; ``TooLarge`` for
        more than ``most`` rows; ``DataError`` for something that it cannot judge.
    """
    document, rest = _split(request)
    if type(document) is not dict or type(document.get("inputs")) is not list:
        raise ServiceError("An inference request has a list of inputs.", expected='{"inputs": […]}')
    identifier = document.get("id")
    if identifier is not None and type(identifier) is not str:
        raise ServiceError("The id of a request is a string.")
    wanted = _wanted(deployed.model, document)
    given: dict[str, Tensor] = {}
    for each in document["inputs"]:
        tensor, rest = tensors.parse(each, rest, most)
        if tensor.name in given:
            raise ServiceError(f"Input {tensor.name[:100]!r} is there twice.")
        given[tensor.name] = tensor
    if len(rest):
        raise ServiceError("There are bytes behind the last tensor.", found=f"{len(rest):,}")
    contents = _contents(deployed.model, given, most)

    def tell(task: Task, judged: Judged) -> Response:
        return _inferred(task, judged, wanted, identifier)

    return Task(deployed, bodies.Given(contents=contents), tell)


def _split(request: Request) -> tuple[Any, memoryview]:
    """The JSON of a request and the bytes behind it."""
    said, body = request.head.headers.get(LENGTH.lower()), request.body
    if said is None:
        return items.parse(body), memoryview(b"")
    if not (said.isascii() and said.isdecimal() and len(said) < 16 and int(said) <= len(body)):
        raise ServiceError(f"{LENGTH} is no length within the body.", found=said[:100])
    return items.parse(body[: int(said)]), memoryview(body)[int(said) :]


def _wanted(model: Model, document: Mapping[str, Any]) -> dict[str, bool]:
    """The outputs that are asked for, and whether as bytes; all of them where none are."""
    whole = tensors.flag(document.get("parameters"), "binary_data_output", False)
    there = [name for name, _, _ in outputs(model)]
    asked = document.get("outputs")
    if not asked and type(asked) in (list, type(None)):
        return dict.fromkeys(there, whole)
    if type(asked) is not list:
        raise ServiceError("The outputs of a request are a list.")
    found = {}
    for each in asked:
        name = each.get("name") if type(each) is dict else None
        if name not in there:
            raise ServiceError("There is no such output.", expected=", ".join(there), found=str(name)[:100])
        parameters = each.get("parameters")
        if isinstance(parameters, dict) and {"classification", "shared_memory_region"} & parameters.keys():
            raise ServiceError("Only binary_data may be asked of an output.", found=", ".join(parameters)[:100])
        found[name] = tensors.flag(parameters, "binary_data", whole)
    return found


# Inputs


def _contents(model: Model, given: Mapping[str, Tensor], most: int) -> list[bytes]:
    known = {one.name for one in model.fields} if model.kind == "table" else {CONTENT}
    known |= {PIXELS} if model.kind == "image" else set()
    if model.kind == "table" and given.keys() == {ROWS} and ROWS not in known:
        return _rows(model, given[ROWS], most)
    for name in given:
        if name not in known:
            expected = ", ".join(sorted(known)[:20]) + (f", or {ROWS}" if model.kind == "table" else "")
            raise ServiceError(f"There is no input {name[:100]!r}.", expected=expected)
    if not given:
        raise ServiceError("There are no inputs.", expected=", ".join(sorted(known)[:20]))
    if model.kind == "table":
        return _fields(model.fields, given, most)
    if len(given) > 1:
        raise ServiceError("Images come as content or as pixels, not both.")
    tensor = next(iter(given.values()))
    return _pictures(tensor, most) if tensor.name == PIXELS else _single(model, tensor, most)


def _count(tensor: Tensor, most: int) -> int:
    """Rows of a tensor [n] or [n, 1]."""
    if len(tensor.shape) > 2 or tensor.shape[1:] not in ((), (1,)):
        raise ServiceError(
            f"Input {tensor.name!r} has another shape.", expected="[n] or [n, 1]", found=str([*tensor.shape])
        )
    return _checked(tensor.shape[0], most)


def _checked(rows: int, most: int) -> int:
    if rows > most:
        raise TooLarge("There are too many rows in one request.", expected=f"at most {most:,}", found=f"{rows:,}")
    if not rows:
        raise ServiceError("There are no rows.", expected="at least one")
    return rows


def _rows(model: Model, tensor: Tensor, most: int) -> list[bytes]:
    _of_bytes(tensor)
    _count(tensor, most)
    return [items.row(model, items.parse(_bytes(each)), f"Row {at}: ") for at, each in enumerate(tensor.elements)]


def _fields(fields: tuple[Field, ...], given: Mapping[str, Tensor], most: int) -> list[bytes]:
    """Rows of one tensor for each field; a field without one is missing in every row."""
    rows = {name: _count(tensor, most) for name, tensor in given.items()}
    count = next(iter(rows.values()))
    if odd := next((name for name, found in rows.items() if found != count), None):
        raise ServiceError("The inputs are of different lengths.", found=f"{count:,}, and {rows[odd]:,} of {odd!r}")
    columns = [(name, _cells(tensor)) for name, tensor in given.items()]
    contents = []
    for at in range(count):
        content, misfits = encode_row(fields, {name: cells[at] for name, cells in columns})
        if misfits:
            kind = next(one.kind for one in fields if one.name in misfits)
            raise DataError(f"Row {at} of input {next(iter(misfits))!r} cannot be read.", expected=f"a {kind}")
        contents.append(content)
    return contents


def _cells(tensor: Tensor) -> list[Any]:
    """Plain values; bytes are UTF-8."""
    if tensor.datatype != "BYTES":
        return tensor.values()
    try:
        return [each.decode() if type(each) is bytes else each for each in tensor.elements]
    except UnicodeDecodeError:
        raise ServiceError(f"Input {tensor.name!r} is not UTF-8.") from None


def _single(model: Model, tensor: Tensor, most: int) -> list[bytes]:
    """Messages, texts or encoded images."""
    _of_bytes(tensor)
    _count(tensor, most)
    return [items.raw(model, _bytes(each), f"Element {at}") for at, each in enumerate(tensor.elements)]


def _of_bytes(tensor: Tensor) -> None:
    if tensor.datatype != "BYTES":
        raise ServiceError(f"Input {tensor.name!r} is of another type.", expected="BYTES", found=tensor.datatype)


def _bytes(element: str | bytes | None) -> bytes:
    return element.encode() if isinstance(element, str) else element or b""


def _pictures(tensor: Tensor, most: int) -> list[bytes]:
    from lithify.data.image_inputs import read_images

    if tensor.datatype != "UINT8" or len(tensor.shape) != 4 or tensor.shape[3] not in (1, 3, 4) or 0 in tensor.shape:
        found = f"{tensor.datatype} {[*tensor.shape]}"
        raise ServiceError("Pixels have another type or shape.", expected="UINT8 [n, h, w, 1, 3 or 4]", found=found)
    _checked(tensor.shape[0], most)
    return read_images(np.asarray(tensor.numbers()).reshape(tensor.shape))[1]


# Outputs


def _inferred(task: Task, judged: Judged, wanted: Mapping[str, bool], identifier: str | None) -> Response:
    deployed, draft = task.deployed, task.deployed.model.draft
    names = [""] * len(task.given.contents)
    found = list(predictions(draft, deployed.digest, names, *judged))
    document: dict[str, Any] = {"model_name": deployed.name, "model_version": version(deployed)}
    if identifier is not None:
        document["id"] = identifier
    parts = [tensors.rendered(name, _OUTPUTS[name](deployed.model, found), binary) for name, binary in wanted.items()]
    document |= {"parameters": {"model": deployed.digest}, "outputs": [output for output, _ in parts]}
    head = dump(document)
    response = Response(
        body=head, alias=deployed.alias, model=deployed.digest, rows=len(found), decisions=decisions(found)
    )
    if any(wanted.values()):
        response.body = head + b"".join([data for _, data in parts])
        response.media, response.headers = "application/octet-stream", ((LENGTH, str(len(head))),)
    return response


def _held(model: Model, found: list[Prediction]) -> Any:
    shares = np.array([list(each.probabilities.values()) for each in found])
    return conformal.apply_sets(model.conformal or {}, shares)


_OUTPUTS: Final[Mapping[str, Callable[[Model, list[Prediction]], Any]]] = {
    "label": lambda model, found: [each.label for each in found],
    "probabilities": lambda model, found: np.array([list(each.probabilities.values()) for each in found]),
    "verdict": lambda model, found: [each.verdict for each in found],
    "labels": _held,
    "novelty": lambda model, found: np.array([each.novelty for each in found]),
    "value": lambda model, found: np.array([each.value for each in found]),
    "interval": lambda model, found: np.array([each.interval for each in found]),
}
