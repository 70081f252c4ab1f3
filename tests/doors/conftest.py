"""What the tests of the doors share: a Lambda to call, a clean environment, and one way to compare what was seen."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import lmfunction
from lmfunction import _session
from lmfunction.local._child import Embedded, start_embedded

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "lines.yaml").read_text("utf-8"))
BAD_TEXT: dict[str, str] = yaml.safe_load((HERE.parent / "render" / "bad_text.yaml").read_text("utf-8"))
# What no screen may get raw: C0 and C1 controls but tab and newline, bidirectional and zero-width characters.
RAW_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with one of these arguments gets each row of lines.yaml that is of this kind."""
    kinds: dict[str, Callable[[dict[str, Any]], bool]] = {
        "case": lambda _: True,
        "failing": lambda case: "error" in case,
        "argv_case": lambda case: "argv" in case,
        "quoted": lambda case: not {"names", "body"} & case.keys(),
    }
    for name in kinds.keys() & set(metafunc.fixturenames):
        rows = [case for case in CASES if kinds[name](case)]
        metafunc.parametrize(name, rows, ids=[case["id"] for case in rows])


@dataclass
class Seen:
    """What one line did, whatever the door. `value` is what it emitted as plain data, ABSENT when nothing was."""

    value: Any = None
    emitted: bool = False
    error: str = ""
    message: str = ""
    text: str = ""  # everything a person sees as text
    markup: str = ""  # everything a person sees as HTML
    code: int | None = None
    more: dict[str, Any] = field(default_factory=dict)


def plain(value: Any) -> Any:
    """A value as plain data: a result as its `to_dict()`."""
    return value.to_dict() if callable(getattr(value, "to_dict", None)) else value


def check(case: Mapping[str, Any], seen: Seen) -> None:
    """Compares what was seen with what the row expects; a failure shows input, expected and actual."""
    faults = [*_faults(case, seen)]
    if faults:
        shown = yaml.safe_dump(
            {
                "input": {k: case[k] for k in ("line", "argv", "body", "names") if k in case},
                "expected": {k: v for k, v in case.items() if k not in ("id", "line", "argv", "body", "names")},
                "actual": {k: v for k, v in vars(seen).items() if v not in ("", {}, None)},
                "faults": faults,
            },
            allow_unicode=True,
            sort_keys=False,
            width=160,
        )
        pytest.fail(shown, pytrace=False)


def _faults(case: Mapping[str, Any], seen: Seen) -> Iterator[str]:
    if seen.error != case.get("error", ""):
        yield f"the error is {seen.error or 'none'}"
    if seen.code is not None and seen.code != case.get("code", 0):
        yield f"the exit code is {seen.code}"
    yield from _value_faults(case, seen)
    for fragment in case.get("says", ()):
        if fragment not in seen.message:
            yield f"the message lacks {fragment!r}"
    if "points" in case and not _pointed(seen.message).startswith(case["points"]):
        yield f"the caret points at {_pointed(seen.message)!r}"
    for fragment in case.get("shows", ()):
        if fragment not in seen.text:
            yield f"the text lacks {fragment!r}"
        if seen.markup and fragment not in html.unescape(re.sub(r"<[^>]*>", "", seen.markup)):
            yield f"the HTML lacks {fragment!r}"
    for fragment in case.get("never", ()):
        if any(fragment in where for where in (seen.text, seen.markup, seen.message)):
            yield f"{fragment!r} is shown"


def _value_faults(case: Mapping[str, Any], seen: Seen) -> Iterator[str]:
    emits = {"payload", "status", "value", "failed"} & case.keys()
    if seen.emitted != bool(emits):
        yield "something was emitted" if seen.emitted else "nothing was emitted"
        return
    if "value" in case and seen.value != case["value"]:
        yield f"the value is {seen.value!r}"
    result = seen.value if isinstance(seen.value, dict) else {}
    if "payload" in case and (result.get("Payload") != case["payload"] or result.get("StatusCode") != 200):
        yield f"the payload is {result.get('Payload')!r}"
    if "status" in case and (result.get("StatusCode") != case["status"] or "Payload" in result):
        yield f"the result is {seen.value!r}"
    if "failed" in case and result.get("Error", {}).get("Type") != case["failed"]:
        yield f"the failure is {result.get('Error')!r}"


def _pointed(message: str) -> str:
    """The text above the caret of an error's last line."""
    lines = message.rstrip("\n").split("\n")
    return lines[-2][lines[-1].index("^") :] if len(lines) > 2 and lines[-1].strip() == "^" else ""


@pytest.fixture(scope="session")
def the_lambda() -> Iterator[Embedded]:
    """The Lambda that lines reach when they name no profile: the environment points at it, as `local start` says."""
    with start_embedded() as server:
        yield server
        assert server.errors == ""


@pytest.fixture(scope="session")
def surroundings(the_lambda: Embedded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The whole environment of a door: nothing of the developer's own AWS settings, profiles or notebooks."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR", "COVERAGE_RUN")}
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": str(Path(lmfunction.__file__).parents[1]),
        "AWS_CONFIG_FILE": str(home / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_LAMBDA": the_lambda.url,
        "AWS_ACCESS_KEY_ID": the_lambda.access_key,
        "AWS_SECRET_ACCESS_KEY": the_lambda.secret_key,
        "AWS_DEFAULT_REGION": the_lambda.region,
        "LMTEST_STAGE": "blue",
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


@pytest.fixture(autouse=True)
def in_these_surroundings(
    surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_connections: None
) -> None:
    """Every test runs in `surroundings`, in an empty folder."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "LMFUNCTION_", "LMTEST_")) or name == "VIRTUAL_ENV":
            monkeypatch.delenv(name)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def own_connections() -> Iterator[None]:
    """Connections that other tests opened in other surroundings are closed before, and ours afterwards."""
    session = _session.default_session()
    session.close()
    yield
    session.close()


@pytest.fixture(scope="session")
def every_case() -> list[dict[str, Any]]:
    """All rows of lines.yaml."""
    return CASES


@pytest.fixture(scope="session", name="check")
def _check() -> Any:
    """Compares what was seen with a row of lines.yaml."""
    return check


@pytest.fixture(scope="session", name="Seen")
def _seen() -> type[Seen]:
    """What one line did."""
    return Seen


@pytest.fixture(scope="session", name="plain")
def _plain() -> Any:
    """A value as plain data."""
    return plain


@pytest.fixture(scope="session")
def bad_text() -> dict[str, str]:
    """Text that must come out inert everywhere."""
    return BAD_TEXT


@pytest.fixture(scope="session")
def bad_handler() -> str:
    """A handler that prints, returns or raises the bad text it is sent."""
    return (
        "def handler(event, context):\n"
        "    for text in event['texts']:\n"
        "        print(text)\n"
        "    if event['what'] == 'return':\n"
        "        return {'value': event['texts'], 'keys': {text: 1 for text in event['texts']}}\n"
        "    raise type(event['texts'][0].replace(chr(0), ''), (Exception,), {})('\\n'.join(event['texts']))\n"
    )


@pytest.fixture(scope="session")
def inert() -> Any:
    """Asserts that text holds no raw control character and HTML no tag, attribute or style that is not a card's own."""
    return _inert


def _inert(text: str, markup: str | None = None) -> None:
    found = RAW_CONTROL.search(text)
    assert found is None, f"{found.group()!a} in {text!a}"
    if markup is None:
        return
    found = RAW_CONTROL.search(markup)
    assert found is None, f"{found.group()!a} in {markup!a}"
    tags = re.findall(r"<[^>]*>?", markup)
    for tag in tags:
        # A card's own tags: attributes style, class and open alone, in single quotes, without active content.
        assert re.fullmatch(r"</?[a-z]+(?: (?:style|class)='[^'<>&\"]*'| open)*>", tag), tag
        name = re.match(r"</?(\w+)", tag)
        assert name is not None
        assert name[1] in _TAGS, tag
        assert not re.search(r"url\(|javascript|position|expression", tag), tag


_TAGS = {"div", "span", "code", "pre", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
