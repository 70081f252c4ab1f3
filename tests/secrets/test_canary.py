"""A canary put through every door, every error and every file: afterwards it is found nowhere.

Four canaries: a secret key and a session token (a `Credential` and `$variables`), a looked-up secret in payload and
client context, and a value that the profile redacts. They come from the environment, so that no source holds them.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

KEY = "canaryKEY4f1c9dWJalrXUtnFEMIK7MDENGbPxRf"
TOKEN = "canaryTOKENb83e0a72FwoGZXIvYXdzEJr"
LOOKED_UP = 'canary"LOOKEDUP"55aa\\é'
PRIVATE = "canaryPRIVATE-91d4@example.com"
CANARIES = {"CANARY_KEY": KEY, "CANARY_TOKEN": TOKEN, "CANARY_LOOKED_UP": LOOKED_UP, "CANARY_PRIVATE": PRIVATE}

PROFILE = """\
endpoint: {endpoint}
region: us-east-1
redact: {{keys: [mail]}}
audit: {{file: audit.jsonl, required: true}}
"""
SET_UP = """\
import logging, os, pickle, sys, traceback
logging.basicConfig(level=0, filename="debug.log", force=True)
import lmfunction as lm
key, token, private = os.environ["CANARY_KEY"], os.environ["CANARY_TOKEN"], os.environ["CANARY_PRIVATE"]
credential = lm.Credential("AKIDEXAMPLE", key, token)
looked_up = lm.Secret("env:CANARY_LOOKED_UP")
"""
CELLS = [
    SET_UP,
    "%load_ext lmfunction",
    '%invoke_lm echo {"p": "env:CANARY_LOOKED_UP", "mail": $private} -LogType Tail -ProfileName here -Verbose',
    '%%invoke_lm echo -ProfileName here -OnceKey canary -ClientContext {"custom": {"k": "env:CANARY_LOOKED_UP"}}\n'
    "p: $looked_up\nmail: $private",
    '%invoke_lm fail {"order": $looked_up} -LogType Tail -ProfileName here -ErrorAction Continue',
    '%invoke_lm fail {"order": $looked_up} -LogType Tail -ProfileName here',
    '%invoke_lm echo {"p": "env:CANARY_LOOKED_UP"} -ProfileName here -WhatIf',
    '%invoke_lm nothing {"p": "env:CANARY_LOOKED_UP", "mail": $private} -ProfileName here',
    "%invoke_lm f {} -AccessKey AKIDEXAMPLE -SecretKey $key -SessionToken $token -ProfileName away",
    "%invoke_lm f {} -AccessKey $('AKIDEXAMPLE') -SecretKey $key -SessionToken $token -ProfileName away -Verbose",
    "%invoke_lm f {} -Credential $credential -ProfileName away",
    "%invoke_lm f -SecretKey $(1/0 or key) -AccessKey $credential.access_key -ProfileName away",
    "%xmode Verbose",
    "%invoke_lm f {} -Credential $credential -ProfileName away",
    '%invoke_lm fail {"order": $looked_up} -LogType Tail -ProfileName here',
    "%config LMFunction.traceback = 'full'",
    "%invoke_lm f {} -Credential $credential -ProfileName away",
    '%invoke_lm fail {"order": $looked_up} -LogType Tail -ProfileName here',
    "%tb",
    "%set_aws_credential -Credential $credential",
    "%get_aws_credential",
    "%invoke_lm f {} -EndpointUrl http://127.0.0.1:1 -Region us-east-1",
    "%clear_aws_credential",
    "%new_aws_credential -AccessKey $credential.access_key -SecretKey $key -SessionToken $token",
    "%get_aws_history",
    "%get_lm_audit -ProfileName here",
    "%get_lm_once_key",
    "lm.Session(credential=credential, region='us-east-1')",
    "r = lm.invoke_lm('echo', {'p': looked_up, 'mail': private}, profile_name='here')\nr, r.request, repr(r), [r]",
    "r = lm.invoke_lm('echo', {'p': looked_up}, profile_name='here')",
    "print(r.request.to_aws_cli())\nprint(r.request.to_boto3())",
    "pickle.dump(credential, open('credential.pickle', 'wb'))",
    "run = lm.pipe([1, 2]) | lm.Invoke('echo').profile_name('here').client_context({'custom': {'k': looked_up}})\nrun",
    "lm.invoke_lm('fail', {'order': looked_up}, profile_name='here').raise_for_error()",
    "%invoke_lm?",
    "%config LMFunction",
    "print(open('debug.log').read()[-3000:])",
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that is home, working directory and state, with two profiles: the embedded Lambda, and nobody."""
    (tmp_path / "here.yaml").write_text(PROFILE.format(endpoint="embedded"))
    (tmp_path / "away.yaml").write_text(PROFILE.format(endpoint="http://127.0.0.1:1"))
    return tmp_path


def _environment(place: Path) -> dict[str, str]:
    folders = {name: str(place) for name in ("HOME", "IPYTHONDIR", "LMFUNCTION_PROFILES")}
    return {**os.environ, **CANARIES, **folders, "XDG_STATE_HOME": str(place / "state"), "PYTHONWARNINGS": "ignore"}


def _spellings(canary: str) -> list[bytes]:
    """The ways in which a text could stand in a file: plain, JSON, repr, URL and base64 at each offset."""
    found = [canary, json.dumps(canary)[1:-1], json.dumps(canary, ensure_ascii=False)[1:-1], repr(canary)[1:-1]]
    found.append(urllib.parse.quote(canary, safe=""))
    raw = [text.encode() for text in dict.fromkeys(found)]
    for text in list(raw):
        for offset in range(3):
            encoded = base64.b64encode(b"\x00" * offset + text)
            raw.append(encoded[4 if offset else 0 : -4])
    return raw


def _leaks(place: Path, *texts: str) -> list[str]:
    """Where one of the canaries stands: files below `place`, and texts."""
    contents = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    kept = {where for where in contents if "/once/" in where}  # results, whole: only their owner can read them
    assert all((place / where).stat().st_mode & 0o077 == 0 for where in kept)
    contents |= {f"text {number}": text.encode() for number, text in enumerate(texts)}
    return [
        f"{name} is in {where}: ...{content[max(0, content.find(spelling) - 120) :][:260]!r}"
        for name, canary in CANARIES.items()
        for spelling in _spellings(canary)
        for where, content in contents.items()
        if spelling in content and not (canary == PRIVATE and where in kept)
    ]


def test_the_search_finds_a_canary(place: Path) -> None:
    """The search itself works: each spelling is found."""
    for number, spelling in enumerate(_spellings(LOOKED_UP)):
        (place / "planted").write_bytes(b"x" * number + spelling + b"y")
        assert _leaks(place), spelling


def test_a_notebook(place: Path) -> None:
    """A kernel with its history, its saved notebook, DEBUG log, audit and once keys; errors short, verbose and full."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    client = NotebookClient(book, timeout=60, kernel_name="python3", allow_errors=True, ipython_hist_file="")
    client.resources = {"metadata": {"path": str(place)}}
    client.execute(env=_environment(place))
    nbformat.write(book, place / "saved.ipynb")
    assert "\n".join(_leaks(place)) == ""
    errors = {o.ename for cell in book.cells for o in cell.get("outputs", []) if o.output_type == "error"}
    assert {"FunctionError", "ServiceError", "ParameterError", "TransportError"} <= errors
    assert (place / "audit.jsonl").read_text().count("\n") > 8
    assert any(place.rglob("history.sqlite"))


TERMINAL: list[list[str]] = [
    ["invoke_lm", "echo", '{"p": "env:CANARY_LOOKED_UP"}', "-ProfileName", "here", "-LogType", "Tail", "-Verbose"],
    ["invoke_lm", "echo", '{"p": "env:CANARY_LOOKED_UP"}', "-ProfileName", "here", "-Select", "Payload"],
    ["invoke_lm", "fail", '{"order": "env:CANARY_LOOKED_UP"}', "-ProfileName", "here", "-LogType", "Tail", "-Debug"],
    ["invoke_lm", "nothing", '{"p": "env:CANARY_LOOKED_UP"}', "-ProfileName", "here"],
    ['invoke_lm echo {"p": "env:CANARY_LOOKED_UP"} -ProfileName here | select Payload | json'],
    ["invoke_lm", "f", "-ProfileName", "away", "-AccessKey", "AKIDEXAMPLE", "-SecretKey", KEY],
    ["invoke_lm", "f", "-ProfileName", "away", f"-SecretKey:{KEY}", "-SessionToken", TOKEN],
    ["invoke_lm", "f", "-ProfileName", "away", "-SecretKye", KEY],
    ["set_aws_credential", "-AccessKey", "AKIDEXAMPLE", "-SecretKey", KEY, "-StoreAs", "x"],
    ["new_aws_credential", "-AccessKey", "AKIDEXAMPLE", "-SecretKey", KEY],
    ["aws", "lambda", "invoke", "--function-name", "f", "--secret-key", KEY, "out.json"],
]


@pytest.mark.parametrize("words", TERMINAL, ids=[" ".join(words)[:60].replace(KEY, "KEY") for words in TERMINAL])
def test_the_terminal(words: list[str], place: Path) -> None:
    """Standard output and error of a command, also where a secret was typed by mistake."""
    done = subprocess.run(
        [sys.executable, "-m", "lmfunction", *words],
        env=_environment(place),
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "\n".join(_leaks(place, done.stdout, done.stderr)) == ""
    assert done.stdout or done.stderr


PROGRAM = f"""\
{SET_UP}
logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))
def attempt(call):
    try:
        print(call())
    except BaseException:
        traceback.print_exc()
attempt(lambda: lm.invoke_lm("f", {{}}, credential=credential, endpoint_url="http://127.0.0.1:1", region="us-east-1"))
attempt(lambda: lm.invoke_lm("echo", {{"p": looked_up}}, log_type="Tail", profile_name="here"))
attempt(lambda: lm.invoke_lm("fail", {{"order": looked_up}}, log_type="Tail", profile_name="here").raise_for_error())
attempt(lambda: lm.invoke_lm("f", {{}}, access_key="AKIDEXAMPLE", secret_key=key, session_token=5))
attempt(lambda: lm.Invoke("f").secret_key(key).access_key("AKIDEXAMPLE").session_token(token))
attempt(lambda: pickle.dumps(credential))
attempt(lambda: lm.invoke_lm("echo", credential, profile_name="here"))
attempt(lambda: lm.invoke_lm("echo", {{"c": credential}}, profile_name="here"))
"""


def test_a_program(place: Path) -> None:
    """A script whose tracebacks and DEBUG log go to a build's output."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=_environment(place), cwd=place, capture_output=True, text=True, timeout=60
    )
    assert "\n".join(_leaks(place, done.stdout, done.stderr)) == ""
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Traceback") >= 5
