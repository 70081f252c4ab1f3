"""The API's cmdlets at the doors: magics with help made when asked, the terminal's JSON lines, publishing."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from answering import Requests

import lmfunction as lm
from lmfunction._help import markdown_table
from lmfunction._session import default_session
from lmfunction._table import CMDLETS, PUBLISH
from lmfunction._terminal import Terminal

PROGRAM = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "lmfunction")
def heavy():
    return [m for m in ("boto3", "botocore") if m in sys.modules]
told = {"magics": sorted(shell.magics_manager.magics["line"]), "heavy": heavy()}
def shown(source):
    with capture_output() as captured:
        done = shell.run_cell(source)
    assert done.success, done.error_in_exec
    return captured.stdout + "".join(o.data["text/plain"] for o in captured.outputs)
told["docstring"] = shell.magics_manager.magics["line"]["Get-LMAlias"].__doc__
told["question"] = shown("%get_lm_alias?")
told["dashed"] = shown("Get-LMAlias?")
told["dash"] = shown("%get_lm_alias -?")
told["heavy afterwards"] = heavy()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What a fresh IPython has after loading the extension and asking for help."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_cmdlet_is_a_magic_and_boto3_is_not_loaded(told: dict[str, Any]) -> None:
    """About 170 names, without the model that their parameters come from."""
    names = {name for cmdlet in CMDLETS for name in cmdlet.names}
    assert len(names) > 170
    assert names <= set(told["magics"])
    assert told["heavy"] == []


@pytest.mark.parametrize("asked", ["question", "dashed", "dash"])
def test_help_is_made_when_asked(told: dict[str, Any], asked: str) -> None:
    """`%name?`, `Name-Dashed?` and `-?` show the parameters that boto3's model has."""
    assert "-FunctionVersion" not in told["docstring"]
    assert "Get-LMAlias [-FunctionName] <text> -Name <text>" in told[asked]
    assert "The name of the alias." in told[asked]
    assert told["heavy afterwards"]


def terminal(*arguments: str, url: str) -> tuple[int, list[Any], str]:
    """The exit code, the JSON lines on stdout and the text on stderr of one command."""
    out, err = io.StringIO(), io.StringIO()
    code = Terminal(stdin=io.StringIO(), stdout=out, stderr=err).run(
        [*arguments, "-EndpointUrl", url, "-Region", "us-east-1"]
    )
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


@pytest.fixture
def url(session: lm.Session, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The answering server's URL, for a terminal with keys in its environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    yield session.engine.fixed["EndpointUrl"]
    default_session().close()


def test_the_terminal_gives_one_json_line_for_each_object(requests: Requests, url: str) -> None:
    """Each record is a line with wire names; times are ISO 8601."""
    requests.answer({"EventSourceMappings": [{"UUID": "a", "LastModified": 1769860800.0}, {"UUID": "b"}]})
    code, lines, err = terminal("Get-LMEventSourceMappingList", url=url)
    assert (code, err) == (0, "")
    assert [line["UUID"] for line in lines] == ["a", "b"]
    assert lines[0]["LastModified"].startswith("2026-01-31")


def test_the_terminal_s_exit_codes(requests: Requests, url: str) -> None:
    """A refusal is 254, a bad line 252, nothing emitted is nothing printed."""
    requests.answer({"Message": "no"}, status=404, x_amzn_ErrorType="ResourceNotFoundException")
    code, lines, err = terminal("get_lm_alias", "f", "-Name", "live", url=url)
    assert (code, lines) == (254, [])
    assert "ResourceNotFoundException" in err
    assert terminal("get_lm_alias", "f", url=url)[0] == 252
    requests.answers[:] = []
    requests.answer(status=204)
    assert terminal("Remove-LMAlias", "f", "-Name", "live", url=url) == (0, [], "")


def test_help_at_the_terminal() -> None:
    """`-?` prints the help of any cmdlet."""
    out = io.StringIO()
    assert Terminal(stdin=io.StringIO(), stdout=out, stderr=io.StringIO()).run(["Get-LMPolicy", "-?"]) == 0
    assert "-Qualifier <text>" in out.getvalue()


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"zip_filename": "PACKAGE"}, {"ZipFile"}),
        ({"code_zip_file": b"zip"}, {"ZipFile"}),
        (
            {"s3_bucket": "bucket", "s3_key": "k", "code_s3_object_version": "7"},
            {"S3Bucket", "S3Key", "S3ObjectVersion"},
        ),
        ({"code": {"S3Bucket": "bucket", "S3Key": "k"}}, {"S3Bucket", "S3Key"}),
        ({"code": '{"S3Bucket": "bucket", "S3Key": "k"}'}, {"S3Bucket", "S3Key"}),
        ({"code": "def handler(event, context):\n    return event\n"}, {"ZipFile"}),
    ],
)
def test_where_published_code_may_be(
    session: lm.Session, requests: Requests, package: Path, keywords: dict[str, Any], code: set[str]
) -> None:
    """Source, a file, bytes, an object in S3 by its members or as a mapping: each makes CreateFunction's Code."""
    requests.answer({"FunctionName": "f"}, status=201)
    given = {name: str(package) if value == "PACKAGE" else value for name, value in keywords.items()}
    made = session.publish_lm_function(
        "f",
        **given,
        handler="lambda_function.handler",
        role="arn:aws:iam::123456789012:role/r",
        layer="arn:aws:lambda:us-east-1:123456789012:layer:l:1",
        vpc_config_subnet_id="s1,s2",
        publish=True,
        environment={"Variables": {"STAGE": "test"}},
    )
    assert made.function_name == "f"
    ((method, path, body),) = requests
    assert (method, path) == ("POST", "/2015-03-31/functions")
    sent = json.loads(body)
    assert set(sent["Code"]) == code
    assert sent["Layers"] == ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]
    assert sent["VpcConfig"] == {"SubnetIds": ["s1", "s2"]}
    assert sent["Environment"] == {"Variables": {"STAGE": "test"}}
    assert (sent["Publish"], sent["Timeout"], sent["MemorySize"]) == (True, 3, 128)


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({}, "Code is empty"),
        ({"code": "x = 1", "zip_filename": "a.zip"}, "exclude each other"),
        ({"code": {"S3Bukcet": "b"}}, "has no member S3Bukcet. Did you mean S3Bucket?"),
        ({"code": "{not json"}, "neither Python nor JSON"),
        ({"zip_filename": "missing.zip"}, "cannot be read"),
        ({"code_s3_bucket": "bucket", "code_s3_key": "k", "layers": 5}, "Layers is int"),
        ({"code_s3_bucket": "bucket", "code_s3_key": "k", "select": "FunctionNam"}, "Did you mean FunctionName?"),
    ],
)
def test_what_cannot_be_published(session: lm.Session, requests: Requests, keywords: dict[str, Any], says: str) -> None:
    """A bad package, member or selection is refused before anything is sent."""
    requests.answer()
    with pytest.raises(lm.ParameterError) as caught:
        session.publish_lm_function("f", **keywords, role="arn:aws:iam::123456789012:role/r")
    assert says in str(caught.value)
    assert requests == []


def test_an_existing_function_keeps_what_only_a_new_one_takes(session: lm.Session, requests: Requests) -> None:
    """Tags are CreateFunction's alone: for a function that exists they are refused before its code is changed."""
    requests.answer({"Message": "exists"}, status=409, x_amzn_ErrorType="ResourceConflictException")
    with pytest.raises(lm.ParameterError, match="f exists already, and Tags can only be given to a new function"):
        session.publish_lm_function(
            "f", code_s3_bucket="bucket", code_s3_key="k", tags={"a": "b"}, role="arn:aws:iam::123456789012:role/r"
        )
    assert len(requests) == 1


def test_the_readme_s_table_does_not_hang_on_the_version_of_boto3() -> None:
    """Rows that were read from the model are in the help alone."""
    table = markdown_table(PUBLISH)
    assert "`-Handler`" in table
    assert "`-Layers`" not in table
    assert any(p.name == "Layers" for p in PUBLISH.parameters)
