"""Reading what an error shows."""

from __future__ import annotations


def without_place(message: str) -> str:
    """The message but for the line that tells where the function failed: its file may lie anywhere."""
    return "\n".join(line for line in message.splitlines() if not line.startswith("  at "))
