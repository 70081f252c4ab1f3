"""What is hidden of what is shown, and what stays."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lmfunction._redact import Redaction, parsed_path, typed_secret

CASES = yaml.safe_load(Path(__file__).with_name("redact_cases.yaml").read_text("utf-8"))


def _redaction(given: dict[str, Any]) -> Redaction:
    return Redaction(
        **{name: tuple(tuple(v) if isinstance(v, list) else v for v in values) for name, values in given.items()}
    )


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_table(case: dict[str, Any]) -> None:
    """Each row: what is left of data or text."""
    redaction = _redaction(case.get("redaction", {}))
    if "text" in case:
        assert redaction.text(case["text"]) == case["shown"]
    else:
        assert redaction.value(case["data"], ("Payload",)) == case["shown"]


@pytest.mark.parametrize("case", [c for c in CASES if "data" in c], ids=lambda case: case["id"])
def test_the_data_itself_stays_whole(case: dict[str, Any]) -> None:
    """Redaction makes a copy: what is in memory is not changed."""
    before = pickle.dumps(case["data"])
    _redaction(case.get("redaction", {})).value(case["data"], ("Payload",))
    assert pickle.dumps(case["data"]) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.text(alphabet="abcdefghij", min_size=8, max_size=20))
def test_a_known_secret_is_found_nowhere(data: Any, secret: str) -> None:
    """Wherever a known secret stands in data, nothing that is shown holds it."""
    redaction = Redaction(secrets=((secret, "«secret»"),))
    shown = redaction.value({"a": data, "b": [secret, f"x{secret}y"], secret: 1}, ("Payload",))
    assert secret not in repr(shown)


@given(st.text(max_size=300))
def test_redaction_is_done_once(text: str) -> None:
    """What was redacted already does not change when it is redacted again."""
    once = Redaction().text(text)
    assert Redaction().text(once) == once


@pytest.mark.parametrize("text", ["", ".a", "a..b", "a[", "a[x]", "[0].a", "a b", "a."])
def test_what_is_no_path(text: str) -> None:
    """A path that cannot be meant is refused, so that it does not hide nothing in silence."""
    with pytest.raises(ValueError, match="path"):
        parsed_path(text)


TYPED = [
    ('{"password": "hunter2"}', True),
    ("{'api_key': 'zzz'}", True),
    ("password: hunter2", True),
    ("name: x\n  api_key: zzz\n", True),
    ("AKIAIOSFODNN7EXAMPLE", True),
    ("https://user:pass@example.com/", True),
    ('{"password": "ssm:/db/password"}', False),
    ('{"password": "env:DB_PASSWORD"}', False),
    ('{"password": $password}', False),
    ("password: $password", False),
    ('{"nextToken": "abc"}', False),
    ('{"note": "my password"}', False),
    ("orders", False),
]


@pytest.mark.parametrize(("text", "secret"), TYPED, ids=[repr(text) for text, _ in TYPED])
def test_what_is_typed_and_looks_like_a_secret(text: str, secret: bool) -> None:
    """A secret written out is noticed; a variable and a reference are what should stand there."""
    assert (typed_secret(text) is not None) == secret
