"""Whose key signs a call, and for which region: a table, read from the signature that arrives at a server."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
import yaml

import lmfunction as lm

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "precedence.yaml").read_text("utf-8"))
ARN = "arn:aws:lambda:eu-north-1:123456789012:function:f"
SECRET = "not-a-secret-but-forty-characters-long-x"

CONFIG = """\
[default]
region = sa-east-1
[profile ops]
region = ca-central-1
[profile bare]
output = json
[profile both]
region = eu-south-1
[profile process]
region = il-central-1
credential_process = {process}
"""
YAML_PROFILES = {
    "through": "aws_profile: ops\n",
    "placed": "aws_profile: ops\nregion: eu-west-3\n",
    "regional": "region: eu-west-2\n",
    "both": "aws_profile: bare\nregion: ap-south-1\n",
    "lost": "aws_profile: gone\n",
}


def keys_of(*names: str) -> str:
    """The credentials file's sections: `[ops]` holds AKIDOPS."""
    return "".join(
        f"[{name}]\naws_access_key_id = AKID{name.upper()}\naws_secret_access_key = {SECRET}\n" for name in names
    )


@pytest.fixture(scope="module")
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ~/.aws, a folder of YAML profiles, a further file of AWS profiles."""
    program = tmp_path / "program.json"
    program.write_text(json.dumps({"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": SECRET}))
    process = f"{sys.executable} -c \"print(open('{program}').read())\""
    (tmp_path / "config").write_text(CONFIG.format(process=process))
    (tmp_path / "credentials").write_text(keys_of("default", "ops", "bare", "only", "both"))
    more = keys_of("else") + "region = me-south-1\n" + keys_of("ops").replace("AKIDOPS", "AKIDMORE")
    (tmp_path / "more").write_text(more)
    (tmp_path / "profiles").mkdir()
    for name, text in YAML_PROFILES.items():
        (tmp_path / "profiles" / f"{name}.yaml").write_text(text)
    monkeypatch.setenv("LMFUNCTION_PROFILES", str(tmp_path / "profiles"))
    return tmp_path


def prepare(case: Mapping[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the files and variables of a case."""
    kind = case.get("files", "full")
    for variable, name, kinds in (
        ("AWS_CONFIG_FILE", "config", ("full",)),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", ("full", "keys")),
    ):
        monkeypatch.setenv(variable, str(home / (name if kind in kinds else "nowhere")))
    for variable, value in case.get("env", {}).items():
        if variable == "KEYS":
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"AKID{value}")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        else:
            monkeypatch.setenv(variable, value)


def keywords(given: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """A case's parameters as Python's: KEYS, objects, files and the ARN filled in."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name == "keys":
            found |= {"access_key": f"AKID{value}", "secret_key": SECRET}
        elif name == "credential":
            found["credential"] = lm.Credential(f"AKID{value}", SECRET)
        elif name == "boto3_session":
            found["credential"] = boto3.Session(f"AKID{value}", SECRET)
        elif name == "credential_of":
            found["credential"] = lm.Session().get_aws_credential(value)
        elif name == "profile_location":
            found[name] = str(home / value)
        else:
            found[name] = ARN if value == "ARN" else value
    return found


def signer(server: Any) -> str:
    """The access key id and the region of the last request's signature."""
    found = re.search(r"Credential=(\w+)/\d+/([\w-]+)/lambda", server.requests[-1].headers["authorization"])
    assert found is not None
    return f"{found[1]} {found[2]}"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_first_that_says_something_decides(
    case: dict[str, Any], server: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, -ProfileName, Set-AWSCredential, boto3's chain; -Region, Set-DefaultAWSRegion, profile, chain, ARN."""
    prepare(case, home, monkeypatch)
    asked, error, warned = len(server.requests), "", []
    session = lm.Session(endpoint_url=server.url, **case.get("session", {}))
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            for key, value in case.get("defaults", {}).items():
                session.defaults[key] = value
            if "set" in case:
                session.set_aws_credential(**keywords(case["set"], home))
            if "region" in case:
                session.set_default_aws_region(case["region"])
            if case.get("clear"):
                session.clear_aws_credential()
                session.clear_default_aws_region()
        session.invoke_lm(**{"function_name": "f", **keywords(case.get("call", {}), home)})
    except lm.LMError as caught:
        error = str(caught)
        assert isinstance(caught, ValueError), "a usage or configuration error"
    finally:
        session.close()
    seen = signer(server) if len(server.requests) > asked else ""
    told = {"input": case, "actual": {"signer": seen, "error": error, "warnings": [str(w.message) for w in warned]}}
    shown = yaml.safe_dump(told, sort_keys=False, width=160)
    assert seen == case.get("expect", ""), shown
    assert case.get("error", "") in error, shown
    assert bool(error) == ("error" in case), shown
    assert [w for w in warned if case.get("warns", "\0") not in str(w.message)] == [], shown
    assert bool(warned) == ("warns" in case), shown
    assert SECRET not in shown


@pytest.mark.parametrize("case", [c for c in CASES if "boto3" in c], ids=[c["id"] for c in CASES if "boto3" in c])
def test_boto3_alone_does_the_same(
    case: dict[str, Any], server: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its chain decides, a boto3 session of its own signs with the same key for the same region."""
    prepare(case, home, monkeypatch)
    client = boto3.Session(**case["boto3"]).client("lambda", endpoint_url=server.url)
    try:
        client.invoke(FunctionName="f")["Payload"].read()
    finally:
        client.close()
    assert signer(server) == case["expect"]


def test_the_table_is_whole() -> None:
    """At least eighty cases, each once; every kind of place stands against every other."""
    assert len(CASES) >= 80
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert sum("boto3" in case for case in CASES) >= 25
