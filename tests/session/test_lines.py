"""Lines about the session, from the text to what they leave: its defaults, files, what was shown and asked."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import lmfunction as lm
from lmfunction._commands import run_pipeline
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._scope import Scope

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "lines.yaml").read_text("utf-8"))
SECRETS = (
    "typed-secret",
    "typed-token",
    "object-secret",
    "ops-secret",
    "hidden-answer",
    "wJalrXUtnFEMI",
    "FwoGZXIvYXdz",
)
CREDENTIALS = (
    "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = default-secret\n"
    "[ops]\naws_access_key_id = AKIDOPS\naws_secret_access_key = ops-secret\n"
)
CONFIG = "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = ops\n"
KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


@dataclass
class Seen:
    """What a row's lines did, as a person sees it and as the files and the session tell it."""

    emits: Any = None
    error: str = ""
    kind: str = ""
    shell: str | None = None
    region: str | None = None
    told: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    credentials: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ~/.aws with the profiles default, ops and role."""
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def run(case: Mapping[str, Any], home: Path) -> Seen:
    """What the lines of a row do in a session of their own."""
    seen, engine, answers = Seen(), Engine(), list(case.get("asked", []))
    names: dict[str, Any] = {
        "id": "AKIDTYPED",
        "secret": "typed-secret",
        "token": "typed-token",
        "object": lm.Credential("AKIDOBJECT", "object-secret"),
        "profile": ["ops"],
        "more": str(home / "more"),
    }

    def ask(question: str) -> str | None:
        seen.asked.append(question)
        return answers.pop(0) if answers and not answers[0].startswith("*") else None

    def ask_secret(question: str) -> str | None:
        seen.asked.append(question)
        return answers.pop(0)[1:] if answers and answers[0].startswith("*") else None

    door = Door(
        Scope(names),
        tell=lambda level, text: seen.told.append(f"{level}: {text}"),
        show=lambda shown: seen.shown.append(repr(shown)),
        ask=ask,
        ask_secret=ask_secret,
        assign=names.__setitem__,
    )
    try:
        for line in case["lines"]:
            emitted = run_pipeline(line, engine, door, {})
            seen.emits = None if emitted is NOTHING else plain(emitted)
    except lm.LMError as error:
        seen.error, seen.kind = str(error), type(error).__name__
    held = engine.shell.credential
    seen.shell, seen.region = repr(held) if held is not None else None, engine.shell.region
    for name in ("credentials", "config", "more"):
        setattr(seen, name, sections(home / name))
    assert not answers or seen.error, "every answer was asked for"
    return seen


def plain(emitted: Any) -> Any:
    if isinstance(emitted, lm.Credential):
        return repr(emitted)
    if callable(getattr(emitted, "to_dict", None)):
        return emitted.to_dict()
    return [plain(one) for one in emitted] if isinstance(emitted, list) else emitted


def sections(path: Path) -> dict[str, Any]:
    """A file's sections; keys alone as a list in their order."""
    reader = configparser.RawConfigParser()
    reader.read(path)
    found: dict[str, Any] = {}
    for name in reader.sections():
        options = dict(reader.items(name))
        found[name] = list(options.values()) if options and set(options) <= set(KEYS) else options
    return found


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_line_does_what_the_table_says(case: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is emitted, told, asked, stored and remembered; no secret is in anything that is shown."""
    for name, value in case.get("env", {}).items():
        monkeypatch.setenv(name, value)
    seen = run(case, home)
    shown = yaml.safe_dump({"input": case, "actual": vars(seen)}, allow_unicode=True, sort_keys=False, width=160)
    assert case.get("error", "") in seen.error, shown
    assert bool(seen.error) == ("error" in case), shown
    assert seen.kind == case.get("kind", "ParameterError" if "error" in case else ""), shown
    assert seen.emits == case.get("emits"), shown
    assert (seen.shell, seen.region) == (case.get("shell"), case.get("region")), shown
    assert [text for text in seen.told if case.get("warns", "\0") not in text] == [], shown
    assert bool(seen.told) == ("warns" in case), shown
    assert [text for text in seen.shown if case.get("shows", "\0") in text] == seen.shown, shown
    assert bool(seen.shown) == ("shows" in case), shown
    for name in ("credentials", "config", "more"):
        assert {n: getattr(seen, name).get(n) for n in case.get(name, {})} == case.get(name, {}), shown
    assert case.get("lacks") not in seen.credentials, shown
    assert case.get("holds", "ops") in seen.credentials or case.get("lacks") == "ops", shown
    for text in (seen.error, repr(seen.emits), seen.shell or "", *seen.told, *seen.shown, *seen.asked):
        assert not any(secret in text for secret in SECRETS), shown


def test_a_literal_secret_is_not_echoed_by_any_caret(home: Path) -> None:
    """The line in the error is blanked where the secret stands, whatever stands around it."""
    seen = run({"lines": ["Set-AWSCredential -StoreAs x -AccessKey $id -SecretKey wJalrXUtnFEMI -Scope Global"]}, home)
    assert re.search(r"-SecretKey ·+ -Scope Global\n +\^", seen.error)
    assert "wJalr" not in seen.error


@pytest.mark.parametrize("name", ["set_aws_credential", "new_aws_credential", "initialize_aws_default_configuration"])
def test_python_takes_keys_as_values_and_asks_for_none(name: str, home: Path) -> None:
    """In Python a value is a variable; where one is missing and nobody is there, the error says which."""
    with lm.Session() as session:
        with pytest.raises(lm.ParameterError, match="SecretKey is missing, and nobody is there"):
            getattr(session, name)(access_key="AKIDPYTHON")
        with pytest.raises(lm.ParameterError, match="must be printable text"):
            getattr(session, name)(access_key="AKIDPYTHON", secret_key="with\nnewline")
        with pytest.raises(TypeError, match="Did you mean profile_name"):
            getattr(session, name)(profle_name="x")


def test_the_modules_functions_are_of_the_default_session(home: Path) -> None:
    """`lm.set_default_aws_region` is what `lm.invoke_lm` goes by; another session knows nothing of it."""
    lm.set_default_aws_region("eu-west-1")
    lm.set_aws_credential("ops")
    try:
        plan = lm.invoke_lm("f", what_if=True)
        assert (plan.place.connection.region, plan.place.connection.aws_profile) == ("eu-west-1", "ops")
        assert lm.get_default_aws_region().is_shell_default
        assert lm.Session().get_default_aws_region() is None
    finally:
        lm.clear_aws_default_configuration(skip_profile_store=True)
    assert lm.get_default_aws_region() is None
    assert lm.get_aws_credential() is None


def test_the_embedded_lambda_gets_none_of_the_sessions_keys(home: Path) -> None:
    """It makes its own, however it is named; the session's credentials are for everything else."""
    with lm.Session() as session:
        session.set_aws_credential(access_key="AKIDSHELL", secret_key="s")
        for given in ({"profile_name": "local"}, {"endpoint_url": "embedded"}):
            assert session.invoke_lm("hello", **given).ok
        plan = session.invoke_lm("hello", region="eu-west-1", what_if=True)
        assert plan.place.connection.credential.access_key == "AKIDSHELL"


def test_a_sessions_credentials_say_where_a_function_is_published(home: Path) -> None:
    """Into AWS, as they would for PowerShell; without them, and with a region alone, into the embedded Lambda."""
    code = "def handler(event, context):\n    return 1\n"
    with lm.Session() as session:
        session.set_default_aws_region("eu-west-1")
        assert "in the embedded Lambda" in session.publish_lm_function("f", code, what_if=True)
        session.set_aws_credential("ops")
        assert "in AWS, region eu-west-1" in session.publish_lm_function("f", code, what_if=True)
