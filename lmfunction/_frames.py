"""Rows as a data frame of pandas, which is an extra."""

from __future__ import annotations

from typing import Any

from lmfunction.errors import LMError


def frame_of(rows: Any) -> Any:
    """A pandas DataFrame of `rows` (mappings, or columns by name). Raises LMError where pandas is missing."""
    try:
        import pandas as pd
    except ImportError as error:
        raise LMError("to_frame() needs pandas: pip install 'lmfunction[frame]'.") from error
    return pd.DataFrame(rows)
