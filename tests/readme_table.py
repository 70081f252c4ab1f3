"""Writes the parameter tables of the README from the parameter table: `python tests/readme_table.py`."""

from __future__ import annotations

import re
from pathlib import Path

from lmfunction._help import markdown_table
from lmfunction._table import CMDLETS

README = Path(__file__).parent.parent / "README.md"


def with_tables(text: str) -> str:
    """`text` with each cmdlet's table between its markers made anew."""
    for cmdlet in CMDLETS:
        marker = re.compile(rf"(<!-- parameters of {cmdlet.name}:[^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
        table = markdown_table(cmdlet)
        text = marker.sub(lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
