"""What the tests of runs on other machines share: a Lambda that counts, and runs of which a part is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import counting
import pytest


@pytest.fixture(scope="module")
def served() -> Iterator[counting.Served]:
    """One counting Lambda for the tests of a file: each uses numbers of its own."""
    with counting.counting_lambda() as found:
        yield found


@pytest.fixture
def place(served: counting.Served, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parameters that lead to it, with credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    return {"endpoint_url": served.url, "region": "eu-west-1"}
