"""Sound requests for the models of :mod:`tests.deployment.routed`, as they are on the wire."""

from __future__ import annotations

import base64
import io
import json
import struct
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from tests import imaging
from tests.conftest import message
from tests.deployment.routed import PERSON


@dataclass
class Case:
    """A request on the wire.

    Attributes
    ----------
    raw : bytes
    method, path : str
        As they stand in the request line.
    whole : bool
        Whether exactly one answer must come, on a connection that stays open unless the answer says otherwise.
    """

    raw: bytes
    method: str = "POST"
    path: str = "/"
    whole: bool = True


@dataclass
class Sound:
    """A request that is answered with 200."""

    path: str
    media: str
    body: bytes
    headers: list[str] = field(default_factory=list)

    def case(self, method: str = "POST") -> Case:
        """It, on the wire."""
        lines = [f"{method} {self.path} HTTP/1.1", "Host: localhost"]
        lines += [f"Content-Type: {self.media}"] if self.media else []
        lines += [*self.headers, f"Content-Length: {len(self.body)}", "", ""]
        return Case("\r\n".join(lines).encode("latin-1") + self.body, method, self.path)


def picture(label: str = "red", form: str = "PNG") -> bytes:
    """A small image, encoded."""
    file = io.BytesIO()
    Image.fromarray(imaging.picture(label, 900)).save(file, form)
    return file.getvalue()


def _form(*files: tuple[str, str, bytes]) -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\nContent-Type: {media}\r\n\r\n'.encode()
        + data
        for name, media, data in files
    ]
    return b"\r\n".join(parts) + b"\r\n--x--\r\n"


def _binary(path: str, name: str, elements: list[bytes]) -> Sound:
    data = b"".join(struct.pack("<I", len(each)) + each for each in elements)
    tensor = {
        "name": name,
        "shape": [len(elements)],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(data)},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    return Sound(path, "application/octet-stream", head + data, [f"Inference-Header-Content-Length: {len(head)}"])


def sound() -> list[Sound]:
    """Requests of every form for the models people, inbox, topics and colours of :mod:`tests.deployment.routed`."""
    row, png, js, form = json.dumps(PERSON).encode(), picture(), "application/json", "multipart/form-data; boundary=x"
    mail, table = message("spam", 5), b"age,job,married,since,note\n39,clerk,true,2020-01-31,red\n20,baker,,,\n" * 2
    pixels = np.asarray(imaging.picture("blue", 7)).tolist()
    infer = "/v2/models/{}/infer".format
    columns = [
        {"name": "age", "shape": [2], "datatype": "FP64", "data": [39, 22]},
        {"name": "job", "shape": [2, 1], "datatype": "BYTES", "data": [["clerk"], ["smith"]]},
    ]
    shaped = {"name": "pixels", "shape": [1, 20, 20, 3], "datatype": "UINT8", "data": [pixels]}
    given = [
        ("/v1/people/predict", js, row), ("/v1/people/predict", js, json.dumps([PERSON] * 3).encode()),
        ("/v1/people/predict", "application/x-ndjson", (row + b"\n") * 3), ("/v1/people/predict", "text/csv", table),
        ("/v1/people/predict", form, _form(("a.csv", "text/csv", table), ("b.json", js, row))),
        ("/v1/people/explain", js, row), (infer("people"), js, json.dumps({"inputs": columns, "id": "7"}).encode()),
        ("/v1/inbox/predict", "message/rfc822", mail), ("/v1/inbox/predict", form, _form(("a.eml", "", mail))),
        ("/v1/inbox/explain", "message/rfc822", mail), ("/v1/topics/predict", "text/plain", b"football goal weather"),
        ("/v1/topics/predict", js, b'[{"text": "offer free"}, "kernel patch"]'), ("/v1/topics/explain", js,
        b'"soup rain"'),
        ("/v1/colours/predict", "image/png", png), ("/v1/colours/predict", "image/jpeg", picture("green", "JPEG")),
        ("/v1/colours/predict", js, json.dumps({"image": base64.b64encode(png).decode()}).encode()),
        ("/v1/colours/predict", form, _form(("a.png", "image/png", png), ("b", "", picture("blue", "GIF")))),
        ("/v1/colours/explain", "image/png", png), (infer("colours"), js, json.dumps({"inputs": [shaped]}).encode()),
    ]  # fmt: skip
    return [
        *(Sound(*each) for each in given),
        _binary(infer("colours"), "content", [png, picture("blue", "WEBP")]),
        _binary(infer("people"), "rows", [row, b'{"age": 3}']),
        _binary(infer("inbox"), "content", [mail] * 2),
    ]


SOUND = sound()
