"""One of many who promote at the same time; the other end of ``race.py``.

Reads a line of JSON for each try and answers with ``won NUMBER`` or ``lost``. With ``whole`` it opens and checks the
model and stores it, as a person's command does; else it only moves the alias.
"""

from __future__ import annotations

import json
import sys

from lithify.errors import AliasMoved
from lithify.store.home import Home, open_home


def main() -> None:
    home = open_home(sys.argv[1])
    promote = whole if sys.argv[2:] == ["whole"] else move
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        try:
            said = f"won {promote(home, **json.loads(line))}"
        except AliasMoved:
            said = "lost"
        sys.stdout.write(said + "\n")
        sys.stdout.flush()


def whole(home: Home, model: str, expect: str | None, token: str) -> int:
    from lithify.workflow.promoting import promote

    return promote(model, "spam", expect=expect or "none", force="a race", by=token, home=home).number


def move(home: Home, model: str, expect: str | None, token: str) -> int:
    return home.aliases.move("spam", model, action="promote", who=token, why="", expect=expect).number


if __name__ == "__main__":
    main()
