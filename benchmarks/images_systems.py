"""What ``images`` runs: ours at several budgets, and the peers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class System:
    """One way to learn, the function that does it and what it is told; ``limit`` seconds end it."""

    function: str
    settings: dict[str, Any] = field(default_factory=dict)
    limit: int = 3600

    @property
    def ours(self) -> bool:
        """Whether it is Lithify."""
        return self.function == "lithify"


SYSTEMS = {
    "Lithify 150 s": System("lithify", {"quality": "good", "budget": "150s"}),
    "Lithify 300 s": System("lithify", {"quality": "good", "budget": "300s"}),
    "Lithify 360 s": System("lithify", {"quality": "good", "budget": "360s"}),
    "Lithify best": System("lithify", {"quality": "best", "budget": None}, limit=7200),
    "PyTorch tutorial 300 s": System("pytorch", {"seconds": 300.0}),
    "Keras tutorial 300 s": System("keras", {"seconds": 300.0}),
    "scikit-learn on HOG": System("hog", {"seconds": 0.0}),
}
