"""``python -m lithify`` is ``lithify``."""

from __future__ import annotations

import sys

from lithify.cli import main

if __name__ == "__main__":
    sys.exit(main())
