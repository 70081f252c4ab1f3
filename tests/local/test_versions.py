"""Versions and aliases: what is published stays as it was, and an alias leads to what it names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lmfunction.local._aliases import Alias
from lmfunction.local._functions import Configuration, Function, Functions

ONE = "def handler(event, context):\n    return 1\n"
TWO = "def handler(event, context):\n    return 2\n"
TOLD = (
    "import os\ndef handler(event, context):\n"
    "    return [context.invoked_function_arn.split(':')[7:], context.function_version,"
    " os.environ['AWS_LAMBDA_FUNCTION_VERSION']]\n"
)


def invoke(client: Any, name: str, qualifier: str | None = None) -> tuple[bytes, str]:
    more = {} if qualifier is None else {"Qualifier": qualifier}
    answer = client.invoke(FunctionName=name, **more)
    return answer["Payload"].read(), answer["ExecutedVersion"]


def body_of(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_a_version_never_changes(client: Any, deploy: Any, zip_of: Any) -> None:
    """Code and configuration of a version survive every update of $LATEST."""
    name = deploy(ONE, Timeout=5, Environment={"Variables": {"AB": "1"}})
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    before = client.get_function_configuration(FunctionName=name)
    made = client.publish_version(FunctionName=name, Description="first")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["Version"], made["FunctionArn"], made["Description"]) == ("1", f"{arn}:1", "first")
    assert made["RevisionId"] != before["RevisionId"]
    client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1")
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": TWO}))
    client.update_function_configuration(FunctionName=name, Timeout=9, Environment={"Variables": {}})
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert invoke(client, name) == (b"2", "$LATEST")
    assert invoke(client, name, "1") == (b"1", "1")
    assert invoke(client, f"{arn}:1") == (b"1", "1")
    for read in (client.get_function_configuration(FunctionName=name, Qualifier="1"),
                 client.get_function(FunctionName=f"{name}:1")["Configuration"]):  # fmt: skip
        assert body_of(read) == body_of(made)
    second = client.publish_version(FunctionName=name)
    assert (second["Version"], second["Timeout"], second["Description"]) == ("2", 9, "")
    listed = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [v["FunctionArn"] for v in listed] == [f"{arn}:$LATEST", f"{arn}:1", f"{arn}:2"]
    assert "State" not in listed[0]


def test_the_same_is_published_once(client: Any, deploy: Any, zip_of: Any) -> None:
    """Without a change since, the last version is the answer; numbers are not used again."""
    name = deploy(ONE)
    first = client.publish_version(FunctionName=name)
    assert client.publish_version(FunctionName=name, Description="other")["RevisionId"] == first["RevisionId"]
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": ONE}))
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    client.update_function_configuration(FunctionName=name, Description="changed")
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    client.delete_function(FunctionName=name, Qualifier="2")
    assert client.publish_version(FunctionName=name)["Version"] == "3"
    assert [v["Version"] for v in client.list_versions_by_function(FunctionName=name)["Versions"]] == [
        "$LATEST", "1", "3",
    ]  # fmt: skip
    pages = client.get_paginator("list_versions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    assert [v["Version"] for page in pages for v in page["Versions"]] == ["$LATEST", "1", "3"]


def test_publish_with_code(client: Any, deploy: Any, zip_of: Any) -> None:
    """Publish on create and on update: the answer is the version; DryRun changes nothing."""
    name = deploy(ONE, Publish=True)
    assert client.get_function(FunctionName=name, Qualifier="1")["Configuration"]["Version"] == "1"
    new = zip_of({"app.py": TWO})
    tried = client.update_function_code(FunctionName=name, ZipFile=new, DryRun=True, Publish=True)
    assert tried["Version"] == "$LATEST"
    done = client.update_function_code(FunctionName=name, ZipFile=new, Publish=True, Architectures=["arm64"])
    assert (done["Version"], done["CodeSha256"], done["Architectures"]) == ("2", tried["CodeSha256"], ["arm64"])
    assert done["FunctionArn"].endswith(f":{name}:2")
    assert [invoke(client, name, q)[0] for q in ("1", "2")] == [b"1", b"2"]
    every = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2})
    arns = [f["FunctionArn"].split(":", 6)[6] for page in every for f in page["Functions"]]
    assert [a for a in arns if a.startswith(f"{name}:")] == [f"{name}:$LATEST", f"{name}:1", f"{name}:2"]
    assert len(arns) == len(set(arns))


def test_publish_from_a_folder_copies_it(client: Any, tmp_path: Any, zip_of: Any) -> None:
    """A version of code that runs from the user's own folder keeps the code as it was."""
    (tmp_path / "app.py").write_text(ONE)
    client.create_function(
        FunctionName="own-folder", Runtime="python3.12", Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler", Code={"S3Bucket": "hot-reload", "S3Key": str(tmp_path)}, Publish=True,
    )  # fmt: skip
    (tmp_path / "app.py").write_text(TWO.replace("return 2", "return 22"))
    assert invoke(client, "own-folder", "1") == (b"1", "1")
    assert invoke(client, "own-folder") == (b"22", "$LATEST")
    client.delete_function(FunctionName="own-folder")
    assert (tmp_path / "app.py").exists()


def test_code_that_nobody_needs_is_removed(client: Any, deploy: Any, zip_of: Any) -> None:
    """The folder of replaced code goes, unless a version has it; a deleted function leaves none."""
    from pathlib import Path
    from urllib.parse import urlsplit

    def folder(qualifier: str = "$LATEST") -> Path:
        location = client.get_function(FunctionName=name, Qualifier=qualifier)["Code"]["Location"]
        return Path(urlsplit(location).path)

    name = deploy(ONE)
    first = folder()
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": TWO}))
    assert not first.exists()
    client.publish_version(FunctionName=name)
    kept = folder("1")
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": ONE}))
    assert kept.exists()
    latest = folder()
    client.delete_function(FunctionName=name)
    assert not kept.exists()
    assert not latest.exists()


def test_an_alias_leads_to_its_version(client: Any, deploy: Any, zip_of: Any) -> None:
    """The executed version is the number; the ARN in the context keeps the alias; updates move it."""
    name = deploy(TOLD)
    client.publish_version(FunctionName=name)
    made = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="d")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}:live"
    assert body_of(made) == {
        "AliasArn": arn, "Name": "live", "FunctionVersion": "1", "Description": "d", "RevisionId": made["RevisionId"],
    }  # fmt: skip
    for address in (
        {"FunctionName": name, "Qualifier": "live"},
        {"FunctionName": f"{name}:live"},
        {"FunctionName": arn},
    ):
        answer = client.invoke(**address)
        assert (answer["Payload"].read(), answer["ExecutedVersion"]) == (b'[["live"], "1", "1"]', "1")
    shown = client.get_function(FunctionName=name, Qualifier="live")["Configuration"]
    assert (shown["FunctionArn"], shown["Version"]) == (arn, "1")
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": TWO}), Publish=True)
    moved = client.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RevisionId=made["RevisionId"])
    assert moved["RevisionId"] != made["RevisionId"]
    assert moved["Description"] == "d"
    assert invoke(client, name, "live") == (b"2", "2")
    client.create_alias(FunctionName=name, Name="newest", FunctionVersion="$LATEST")
    assert invoke(client, name, "newest") == (b"2", "$LATEST")
    assert body_of(client.get_alias(FunctionName=name, Name="live")) == body_of(moved)
    pages = client.get_paginator("list_aliases").paginate(FunctionName=name, PaginationConfig={"PageSize": 1})
    assert [a["Name"] for page in pages for a in page["Aliases"]] == ["live", "newest"]
    only = client.list_aliases(FunctionName=name, FunctionVersion="2")["Aliases"]
    assert [a["Name"] for a in only] == ["live"]
    client.delete_alias(FunctionName=name, Name="live")
    assert client.delete_alias(FunctionName=name, Name="live")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert [a["Name"] for a in client.list_aliases(FunctionName=name)["Aliases"]] == ["newest"]


def test_weights(client: Any, deploy: Any, zip_of: Any) -> None:
    """Invocations of an alias of two versions go to both; an empty routing ends that."""
    name = deploy(ONE, Publish=True)
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": TWO}), Publish=True)
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    made = client.create_alias(FunctionName=name, Name="both", FunctionVersion="1", RoutingConfig=routing)
    assert made["RoutingConfig"] == routing
    answers = Counter(invoke(client, name, "both") for _ in range(40))
    assert set(answers) == {(b"1", "1"), (b"2", "2")}
    client.update_alias(FunctionName=name, Name="both", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
    assert {invoke(client, name, "both") for _ in range(5)} == {(b"2", "2")}
    ended = client.update_alias(FunctionName=name, Name="both", RoutingConfig={})
    assert "RoutingConfig" not in ended
    assert {invoke(client, name, "both") for _ in range(5)} == {(b"1", "1")}


@pytest.mark.parametrize(("chance", "version"), [(0.0, "2"), (0.249, "2"), (0.25, "1"), (0.99, "1")])
def test_picking(chance: float, version: str) -> None:
    """A random number below the weight means the second version."""
    latest = Configuration("f", "arn", __file__, "a.b")  # type: ignore[arg-type]
    versions = {n: latest.published(n, latest.folder, None) for n in ("1", "2")}
    function = Function(latest, versions=versions, aliases={"live": Alias("live", "arn", "1", weights={"2": 0.25})})
    functions = Functions("us-east-1", "000000000000", chance=lambda: chance)
    assert functions.pick(function, "live") is versions[version]
    assert functions.pick(function, "2") is versions["2"]
    assert functions.pick(function, None) is latest
    assert functions.pick(function, "other") is None


def test_state_is_complete() -> None:
    """A function comes out of its state as it went in, through JSON."""
    import json
    from pathlib import Path

    from lmfunction.local._event_config import EventInvokeConfig
    from lmfunction.local._functions import Layer, Provisioned
    from lmfunction.local._logging_config import LoggingConfig

    latest = Configuration(
        "f", "arn:aws:lambda:us-east-1:000000000000:function:f", Path("/code"), "a.b",
        variables={"A": "b"}, settings={"EphemeralStorage": {"Size": 600}},
        layers=(Layer("arn:l", Path("/layer"), True, 3),), logging=LoggingConfig("JSON"),
    )  # fmt: skip
    function = Function(
        latest,
        reserved=3,
        versions={"1": latest.published("1", Path("/other"), "one")},
        last_version=1,
        aliases={"live": Alias("live", "arn", "1", weights={"2": 0.5})},
        event_configs={"live": EventInvokeConfig(1, 60, "", "arn:q", 5.0)},
        published_from=latest.fingerprint(),
        provisioned={"live": Provisioned(2)},
        policies={"$LATEST": [{"Sid": "s"}]},
        tags={"a": "b"},
    )
    assert Function.from_state(json.loads(json.dumps(function.to_state()))) == function


def test_changes_are_told() -> None:
    """Whoever listens hears of each function that was put or removed."""
    functions, heard = Functions("us-east-1", "000000000000"), list[str]()
    functions.on_change = heard.append
    functions.put(Function(Configuration("f", "arn", __file__, "a.b")))  # type: ignore[arg-type]
    functions.remove("f")
    functions.remove("f")
    assert heard == ["f", "f"]
