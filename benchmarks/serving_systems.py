"""The servers of ``serving``: how each is started and asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = ("age", "fnlwgt", "education_num", "capgain", "caploss", "hours")
"""The numbers of the census; peers have no coding of categories of their own."""
ENVIRONMENTS = {"MLServer": "mls", "MLflow": "mlf", "BentoML": "bento"}
"""The folder of each peer's environment, below the folder that ``--servers`` names."""


@dataclass(frozen=True)
class Started:
    """A server that was started: its process, and one request that it answers."""

    process: subprocess.Popen[bytes]
    url: str
    media: str
    body: bytes


def start_peer(name: str, python: Path, told: dict[str, Any], log: Path) -> Started:
    """Trains the model in the peer's environment and starts the peer's server as its documentation says."""
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment |= {"PATH": f"{python.parent}:{environment['PATH']}", "BENTOML_DO_NOT_TRACK": "true"}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    with log.open("wb") as out:
        subprocess.run(
            [python, Path(__file__).with_name("serving_train.py")], input=json.dumps(told).encode(), stdout=out,
            stderr=out, env=environment, check=True,
        )  # fmt: skip
        command, path = _command(name, python, told)
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, cwd=told["folder"], start_new_session=True
        )
    url = f"http://127.0.0.1:{told['ports'][0]}{path}"
    return Started(process, url, "application/json", json.dumps(_body(name, told)).encode())


def _command(name: str, python: Path, told: dict[str, Any]) -> tuple[list[str], str]:
    """The command line and the path of the route that predicts."""
    at, port, folder = python.parent, str(told["ports"][0]), told["folder"]
    if name == "MLServer":
        return [f"{at}/mlserver", "start", folder], "/v2/models/m/infer"
    if name == "MLflow":
        options = ["--env-manager", "local", "--host", "127.0.0.1", "--port", port, "--workers", str(told["workers"])]
        return [f"{at}/mlflow", "models", "serve", "-m", f"{folder}/model", *options], "/invocations"
    return [f"{at}/bentoml", "serve", "service:Served", "--host", "127.0.0.1", "--port", port], "/predict"


def _body(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """One row, as the server's documentation has it."""
    row = told["row"]
    text = told["learner"] == "text"
    if name == "MLflow":
        return {"inputs": [row["text"]] if text else [list(row.values())]}
    if name == "BentoML":
        return {"x": [row["text"]] if text else [list(row.values())]}
    tensor: dict[str, Any] = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": list(row.values())}
    if text:
        tensor = {"name": "x", "shape": [1], "datatype": "BYTES", "data": [row["text"]]}
        tensor |= {"parameters": {"content_type": "str"}}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


def start_ours(model: Path, told: dict[str, Any], home: Path, log: Path) -> Started:
    """Serves a sealed model."""
    port = told["ports"][0]
    command = [sys.executable, "-m", "lithify", "serve", str(model), "--http", f"127.0.0.1:{port}"]
    command += ["--workers", str(told["workers"]), "--home", str(home), "--log", str(log.with_suffix(".access"))]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    url = f"http://127.0.0.1:{port}/v1/{model.stem}/predict"
    if told["learner"] == "text":
        return Started(process, url, "text/plain", told["row"]["text"].encode())
    return Started(process, url, "application/json", json.dumps(told["row"]).encode())
