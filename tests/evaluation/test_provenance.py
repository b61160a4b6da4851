"""Provenance and bill of materials: valid after their standards, the same every time, and without anything private."""

from __future__ import annotations

import getpass
import json
import re
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import lithify as lf
from lithify import canon
from lithify.evaluation.provenance import bill, statement
from lithify.model.model import Model, open_model
from lithify.store.comparisons import Comparisons
from lithify.store.home import Home, open_home

from ..cli.conftest import rows

HEX = re.compile(r"[0-9a-f]{64}")
CANARY = "Wolpertinger"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(CANARY)


@pytest.fixture(scope="module")
def home(folder: Path) -> Iterator[Home]:
    opened = open_home(folder / "home")
    yield opened
    opened.catalog.close()


@pytest.fixture(scope="module")
def model(home: Home) -> Model:
    """Trained on the child of a snapshot, one field of which holds a secret, and evaluated twice."""
    parts = [[row | {"note": f"{CANARY}{row['id']}"} for row in rows(count)] for count in (300, 400)]
    old, new = parts
    parent = lf.snapshot(old, label="buys", fields={"note": "identifier", "spent": "identifier"}, home=home)
    child = lf.snapshot(new, parent=parent, home=home)
    trained = lf.train(child, learner="tree", home=home)
    lf.evaluate(trained, child, home=home)
    lf.evaluate(trained, child, home=home)
    return trained


@pytest.fixture(scope="module")
def boosted(home: Home) -> Model:
    """Depends on a library, and was asked for with a budget."""
    snapshot = lf.snapshot(rows(200), label="spent", fields={"buys": "identifier"}, home=home)
    return lf.train(snapshot, learner="boosting", budget="2s", home=home)


def valid(found: dict[str, Any]) -> None:
    """After the in-toto attestation framework, Statement v1, and SLSA v1.0, Provenance: what must be and may be."""
    assert set(found) == {"_type", "subject", "predicateType", "predicate"}
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    assert found["subject"]
    for each in found["subject"]:
        descriptor(each)
        assert each["digest"]
    build, run = found["predicate"].pop("buildDefinition"), found["predicate"].pop("runDetails")
    assert found["predicate"] == {}
    assert set(build) == {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    assert re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", build["buildType"])
    assert isinstance(build["externalParameters"], dict)
    assert isinstance(build["internalParameters"], dict)
    assert set(run) <= {"builder", "metadata", "byproducts"}
    assert re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", run["builder"]["id"])
    assert all(isinstance(each, str) for each in run["builder"]["version"].values())
    metadata = run.get("metadata", {})
    assert set(metadata) <= {"invocationId", "startedOn", "finishedOn"}
    for name in set(metadata) - {"invocationId"}:
        datetime.strptime(metadata[name], "%Y-%m-%dT%H:%M:%SZ")
    for each in (*build["resolvedDependencies"], *run.get("byproducts", ())):
        descriptor(each)


def descriptor(found: dict[str, Any]) -> None:
    """An in-toto resource descriptor."""
    assert set(found) <= {"name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"}
    assert {"uri", "digest", "content"} & set(found)
    assert all(name == "sha256" and HEX.fullmatch(value) for name, value in found.get("digest", {}).items())


def test_the_statement_is_valid_and_names_the_model(home: Home, model: Model) -> None:
    found = statement(home, model)
    assert found["subject"] == [{"name": f"{model.digest[7:19]}.lith", "digest": {"sha256": model.digest[7:]}}]
    json.dumps(found, allow_nan=False)
    valid(found)


def test_the_statement_says_what_went_in(home: Home, model: Model) -> None:
    build = statement(home, model)["predicate"]["buildDefinition"]
    row = home.catalog.model(model.digest)
    assert row.snapshot is not None
    parent = home.catalog.snapshot(row.snapshot).parent
    assert parent is not None
    assert build["externalParameters"] == {"snapshot": row.snapshot, "recipe": model.card["recipe"]}
    assert build["internalParameters"] == {"recipe": model.card["recipe"], "engine": model.card["engine"]}
    assert build["resolvedDependencies"] == [
        {"name": "snapshot", "digest": {"sha256": row.snapshot[7:]}},
        {"name": "parent", "digest": {"sha256": parent[7:]}},
    ]


def test_a_recipe_is_given_as_it_was_asked_for_and_libraries_by_version(home: Home, boosted: Model) -> None:
    build = statement(home, boosted)["predicate"]["buildDefinition"]
    assert build["externalParameters"]["recipe"]["budget"] == 2
    assert "budget" not in build["internalParameters"]["recipe"]
    library = {"name": "lightgbm", "uri": f"pkg:pypi/lightgbm@{boosted.card['engine']['lightgbm']}"}
    assert build["resolvedDependencies"][1:] == [library]


def test_the_statement_says_when_and_what_came_of_it(home: Home, model: Model) -> None:
    run = statement(home, model)["predicate"]["runDetails"]
    row = home.catalog.model(model.digest)
    assert run["metadata"]["invocationId"] == row.run
    assert run["metadata"]["startedOn"] <= run["metadata"]["finishedOn"]
    (evaluation,) = run["byproducts"]  # the second one found the same
    assert evaluation["digest"]["sha256"] == home.catalog.evaluations(model.digest)[0].digest[7:]
    assert evaluation["annotations"] == {"snapshot": row.snapshot, "split": "test"}


def test_comparisons_are_named(home: Home, model: Model, boosted: Model) -> None:
    document = home.blobs.put(b'{"comparison":1}')
    snapshot = home.catalog.model(model.digest).snapshot
    assert snapshot is not None
    Comparisons(home.catalog).add(boosted.digest, model.digest, snapshot, "better", document)
    found = statement(home, boosted)["predicate"]["runDetails"]["byproducts"][-1]
    assert found["digest"] == {"sha256": document[7:]}
    assert found["annotations"] == {"champion": boosted.digest, "challenger": model.digest, "verdict": "better"}
    valid(statement(home, boosted))


def test_of_a_model_from_elsewhere_only_what_it_says_itself(model: Model, tmp_path: Path) -> None:
    found = statement(open_home(tmp_path / "home"), open_model(bytes(model.data)))
    assert set(found["predicate"]["runDetails"]) == {"builder"}
    assert len(found["predicate"]["buildDefinition"]["resolvedDependencies"]) == 1
    valid(found)


def test_nothing_private_is_in_them(home: Home, folder: Path, model: Model) -> None:
    for found in (statement(home, model), bill(model)):
        text = json.dumps(found)
        assert CANARY not in text
        assert str(folder) not in text
        assert "/" + getpass.getuser() not in text
        assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)


def test_the_bill_is_valid(model: Model, boosted: Model) -> None:
    for each in (model, boosted):
        problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill(each)))
        assert problem is None, problem
    spoiled = bill(model) | {"serialNumber": "none"}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(spoiled)) is not None


def test_the_bill_says_what_the_card_says(model: Model) -> None:
    found = bill(model)
    component = found["metadata"]["component"]
    assert component["type"] == "machine-learning-model"
    assert component["hashes"] == [{"alg": "SHA-256", "content": model.digest[7:]}]
    card = component["modelCard"]
    assert card["modelParameters"]["task"] == "classification"
    assert card["modelParameters"]["architectureFamily"] == "tree"
    assert card["considerations"]["technicalLimitations"] == model.card["limits"]
    sealed = model.card["test"]["metrics"]
    shown = {
        each["type"]: [float(each["value"]), *(float(bound) for bound in each["confidenceInterval"].values())]
        for each in card["quantitativeAnalysis"]["performanceMetrics"]
    }
    assert shown == {name: [one["value"], one["low"], one["high"]] for name, one in sealed.items()}
    (data,) = found["components"]
    assert data["hashes"][0]["content"] == model.card["data"]["snapshot"][7:]
    assert {each["ref"] for each in card["modelParameters"]["datasets"]} == {data["bom-ref"]}


def test_the_bill_lists_libraries_and_hangs_together(boosted: Model) -> None:
    found = bill(boosted)
    version = boosted.card["engine"]["lightgbm"]
    library = {"type": "library", "name": "lightgbm", "version": version, "purl": f"pkg:pypi/lightgbm@{version}"}
    assert found["components"][1] == library | {"bom-ref": library["purl"]}
    known = {boosted.digest} | {each["bom-ref"] for each in found["components"]}
    assert {each["ref"] for each in found["dependencies"]} == known
    assert {ref for each in found["dependencies"] for ref in each.get("dependsOn", ())} == known - {boosted.digest}
    card = found["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["outputs"] == [{"format": "a value with an interval"}]


def test_equal_models_have_equal_bills(model: Model, boosted: Model) -> None:
    again = open_model(bytes(model.data))
    assert canon.dumps(bill(again)) == canon.dumps(bill(model))
    assert bill(boosted)["serialNumber"] != bill(model)["serialNumber"]
