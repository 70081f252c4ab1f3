"""Lines of the AWS CLI, run by the AWS CLI and by lmfunction against one Lambda: the same bytes, or a reason."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from lmfunction import _session
from lmfunction._terminal import Terminal
from lmfunction.local._child import Embedded, start_embedded

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "lines.yaml").read_text("utf-8"))
PROGRAMS = [case for case in CASES if case.get("process")]
_HANDLERS = {
    "context": "def handler(event, context):\n    return context.client_context.custom\n",
}
# What differs between two runs of one line: request ids, and the figures of a log.
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOG = re.compile(rb"[A-Za-z0-9+/]{80,}={0,2}")
_FIGURE = re.compile(rb"[0-9.]+ (?:ms|MB)")
_COLD = re.compile(rb"\tInit Duration: [^\t]*")


@dataclass
class Seen:
    """What one line did."""

    code: int
    out: bytes
    err: str
    files: dict[str, bytes] = field(default_factory=dict)


def masked(content: bytes) -> bytes:
    """`content` without what no two runs have in common; a log is decoded for it."""

    def log(match: re.Match[bytes]) -> bytes:
        text = base64.b64decode(match.group())
        return b"<" + _FIGURE.sub(b"N", _COLD.sub(b"", _ID.sub(b"ID", text))) + b">"

    return _ID.sub(b"ID", _LOG.sub(log, content))


def prepared(case: Mapping[str, Any], folder: Path) -> Path:
    """A folder of its own with the row's files."""
    folder.mkdir(parents=True)
    for name, content in case.get("files", {}).items():
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def files_made(case: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """The files that a line left, but for those that were there and are as they were."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    kept = {n: c if isinstance(c, bytes) else c.encode() for n, c in case.get("files", {}).items()}
    return {name: content for name, content in found.items() if kept.get(name) != content}


def environ_of(case: Mapping[str, Any]) -> dict[str, str]:
    """The row's variables."""
    return {name: str(value) for name, value in case.get("environ", {}).items()}


def number(case: Mapping[str, Any]) -> str:
    """The row's own folder name."""
    return f"case{CASES.index(case)}"  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server() -> Iterator[Embedded]:
    """One embedded Lambda, with a function that gives its client context back."""
    with start_embedded() as embedded:
        client = boto3.client(
            "lambda",
            endpoint_url=embedded.url,
            region_name=embedded.region,
            aws_access_key_id=embedded.access_key,
            aws_secret_access_key=embedded.secret_key,
        )
        for name, source in _HANDLERS.items():
            client.create_function(
                FunctionName=name,
                Runtime=f"python3.{sys.version_info[1]}",
                Role="arn:aws:iam::000000000000:role/any",
                Handler="app.handler",
                Code={"ZipFile": _zipped(source)},
            )
        client.close()
        yield embedded
        assert embedded.errors == ""


def _zipped(source: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("app.py", source)
    return stream.getvalue()


@pytest.fixture(scope="module")
def surroundings(server: Embedded) -> dict[str, str]:
    """The variables that lead both programs to the one Lambda."""
    return {
        "AWS_ENDPOINT_URL_LAMBDA": server.url,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": server.region,
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1])]),
    }


@pytest.fixture(scope="module")
def theirs(server: Embedded, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What the AWS CLI does for every row, by id."""
    root = tmp_path_factory.mktemp("theirs")
    requests = []
    for case in CASES:
        folder = prepared(with_keys(case, server), root / number(case))
        requests.append(
            {
                "words": shlex.split(case["line"]),
                "folder": str(folder),
                "environ": environ_of(case),
                "stdin": case.get("stdin", ""),
            }
        )
    run = subprocess.run(
        [sys.executable, str(HERE / "oracle.py")],
        input=json.dumps(requests),
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = {}
    for case, request, answer in zip(CASES, requests, json.loads(run.stdout), strict=True):
        made = files_made(with_keys(case, server), Path(request["folder"]))
        found[case["id"]] = Seen(answer["code"], base64.b64decode(answer["out"]), answer["err"], made)
    return found


def with_keys(case: Mapping[str, Any], server: Embedded) -> dict[str, Any]:
    """The row with the Lambda's own keys where its files say KEY and SECRET."""
    files = {
        name: content.replace("= KEY", f"= {server.access_key}").replace("= SECRET", f"= {server.secret_key}")
        if isinstance(content, str)
        else content
        for name, content in case.get("files", {}).items()
    }
    return {**case, "files": files}


class _Streams:
    """Standard streams over bytes, not at a terminal."""

    def __init__(self, stdin: str = "") -> None:
        self.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        self.out = io.BytesIO()
        self.stdout = io.TextIOWrapper(self.out, "utf-8", write_through=True)
        self.stderr = io.StringIO()


@pytest.fixture(scope="module")
def _closed_afterwards() -> Iterator[None]:
    """Connections are shared by the rows, as in a notebook, and closed in the end."""
    yield
    _session.default_session().close()


@pytest.fixture
def ours(
    server: Embedded,
    surroundings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _closed_afterwards: None,
) -> Any:
    """Runs a row through lmfunction, in this process."""
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)

    def run(case: Mapping[str, Any]) -> Seen:
        case = with_keys(case, server)
        folder = prepared(case, tmp_path / "ours")
        for name, value in environ_of(case).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        streams = _Streams(case.get("stdin", ""))
        terminal = Terminal(stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr)
        code = terminal.run(["aws", *shlex.split(case["line"])])
        return Seen(code, streams.out.getvalue(), streams.stderr.getvalue(), files_made(case, folder))

    return run


def expect(case: Mapping[str, Any], we: Seen, they: Seen) -> None:
    """The row's rule; a failure shows the line and what both did."""
    told = yaml.safe_dump(
        {"line": case["line"], "expected": {k: v for k, v in case.items() if k not in ("id", "line", "files")}}
        | {"ours": vars(we), "theirs": vars(they)},
        allow_unicode=True,
        sort_keys=False,
        width=160,
    )
    code = case.get("code", 0)
    assert we.code == code, told
    assert they.code == case.get("cli", code), told
    for fragment in case.get("says", ()):
        assert fragment in we.err, told
    for fragment in case.get("never", ()):
        assert fragment not in we.err, told
    same = (masked(we.out), _masked_files(we)) == (masked(they.out), _masked_files(they))
    if "differs" not in case:
        assert same, told
        return
    assert not (same and we.code == they.code), f"nothing differs any more\n{told}"
    assert we.out == case.get("out", "").encode(), told
    if "made" in case:
        assert we.files == {name: content.encode() for name, content in case["made"].items()}, told


def _masked_files(seen: Seen) -> dict[str, bytes]:
    return {name: masked(content) for name, content in seen.files.items()}


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_line_does_what_the_aws_cli_does(case: dict[str, Any], ours: Any, theirs: dict[str, Seen]) -> None:
    """Standard output and files are byte for byte the AWS CLI's, the exit codes those of the row."""
    expect(case, ours(case), theirs[case["id"]])


@pytest.mark.parametrize("case", PROGRAMS, ids=[case["id"] for case in PROGRAMS])
def test_a_program_does_what_the_aws_cli_does(
    case: dict[str, Any], server: Embedded, surroundings: dict[str, str], tmp_path: Path
) -> None:
    """Both as real programs with real pipes: the same rules."""
    case = with_keys(case, server)
    seen = []
    for name in ("lmfunction", "awscli"):
        folder = prepared(case, tmp_path / name)
        words = shlex.split(case["line"])
        program = ["lmfunction", "aws"] if name == "lmfunction" else ["awscli"]
        run = subprocess.run(
            [sys.executable, "-m", *program, *words],
            env={**os.environ, **surroundings, **environ_of(case)},
            cwd=folder,
            capture_output=True,
            input=case.get("stdin", "").encode(),
            timeout=60,
            check=False,
        )
        seen.append(Seen(run.returncode, run.stdout, run.stderr.decode(), files_made(case, folder)))
    expect(case, *seen)
