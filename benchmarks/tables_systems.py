"""The systems of ``tables`` by name; imports none of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class System:
    """One system and its settings.

    Attributes
    ----------
    function : str
        Which function of the runners trains it.
    gets : str
        How it gets categorical columns.
    settings : dict
        What that function gets beside the rows.
    limit : int
        Seconds after which its process is ended.
    """

    function: str
    gets: str
    settings: dict[str, Any] = field(default_factory=dict)
    limit: int = 1800

    @property
    def ours(self) -> bool:
        """Whether it is Lithify, which runs in this environment and from the file."""
        return self.function == "lithify"


def _autogluon(preset: str, seconds: int) -> System:
    return System("autogluon", "category dtype", {"preset": preset, "seconds": seconds}, 3 * seconds + 600)


def _lithify(quality: str, budget: str | None = None) -> System:
    return System("lithify", "the CSV file", {"quality": quality, "budget": budget})


SYSTEMS = {
    "LightGBM": System("lightgbm", "category dtype"),
    "XGBoost": System("xgboost", "category dtype, enable_categorical"),
    "HistGB": System("histgb", "category dtype"),
    "CatBoost": System("catboost", "cat_features, as strings"),
    "AutoGluon medium 60 s": _autogluon("medium_quality", 60),
    "AutoGluon best 300 s": _autogluon("best_quality", 300),
    "Lithify fast": _lithify("fast"),
    "Lithify good": _lithify("good"),
    "Lithify best 60 s": _lithify("best", "60s"),
    "Lithify best 300 s": _lithify("best", "5m"),
}
