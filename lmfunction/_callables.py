"""Which right side of a `|` is a plain function."""

from __future__ import annotations

from typing import Any


def is_function(value: Any) -> bool:
    """Whether `value` can be called and has no say of its own about `|`.

    An object of another library's pipes (`pipe`, `sspipe`) is often callable too, but its `__ror__` is what the user
    means. A class has one as well, which only makes unions of types.
    """
    return callable(value) and not any("__ror__" in vars(cls) for cls in type(value).__mro__ if cls is not type)
