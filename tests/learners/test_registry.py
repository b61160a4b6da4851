"""Learners by name."""

from __future__ import annotations

import importlib.metadata

import pytest

from lithify.errors import RecipeError
from lithify.learners import registry
from lithify.learners.linear.linear import Linear


def test_built_in() -> None:
    assert registry.learner("linear") is Linear


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'linear'"):
        registry.learner("linaer")


def test_another_package_adds_one(monkeypatch) -> None:
    point = importlib.metadata.EntryPoint("mine", "lithify.learners.linear.linear:Linear", registry.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == registry.GROUP else [])
    assert registry.names() == sorted([*registry.BUILT_IN, "mine"])
    assert registry.learner("mine") is Linear
