"""`lmfunction CMDLET ARGS...` and `python -m lmfunction CMDLET ARGS...`."""

from __future__ import annotations

import sys

from lmfunction._terminal import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
