"""How many environments there are: pools that grow, limits that hold, and environments that are ready beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lmfunction.local._child import start_embedded
from lmfunction.local._settings import Settings

# Says which process and version it is, and waits until a file appears.
WAITING = """
import os, time
STARTED = os.getpid()
def handler(event, context):
    open(event["mark"] + "-" + str(STARTED), "w").close()
    while not os.path.exists(event["until"]):
        time.sleep(0.005)
    return [STARTED, context.function_version, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], NUMBER]
NUMBER = 1
"""
TYPE = """
import os
def handler(event, context):
    if event == "exit":
        os._exit(1)
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


@pytest.fixture
def small(client_of: Any) -> Iterator[Any]:
    """A client for a server with room for three invocations."""
    with start_embedded(settings=Settings(concurrency=3)) as server:
        yield client_of(server)


class Running:
    """Invocations that go on until they are let go."""

    def __init__(self, client: Any, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.client, self.folder, self.pool = client, folder, pool
        self.until = folder / "until"
        self.count = 0

    def start(self, name: str, **more: Any) -> Future[Any]:
        """Starts one, and returns when its handler runs."""
        import json

        self.count += 1
        mark = self.folder / f"mark-{self.count}"
        event = json.dumps({"mark": str(mark), "until": str(self.until)})
        future = self.pool.submit(
            lambda: json.loads(self.client.invoke(FunctionName=name, Payload=event, **more)["Payload"].read())
        )
        wait_for(lambda: [*self.folder.glob(f"mark-{self.count}-*")] or future.done())
        return future

    def let_go(self) -> None:
        self.until.touch()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[Any], Running]]:
    """Makes a `Running` for a client."""
    made: list[Running] = []
    with ThreadPoolExecutor(8) as pool:

        def make(client: Any) -> Running:
            made.append(Running(client, tmp_path, pool))
            return made[-1]

        yield make
        for each in made:
            each.let_go()


def wait_for(what: Callable[[], Any], seconds: float = 10.0) -> None:
    """Another process's doings are no event of ours, so this has to look again."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def throttled(client: Any, name: str) -> tuple[int, str, str, str]:
    with pytest.raises(ClientError) as raised:
        client.invoke(FunctionName=name, Payload=b'{"mark": "/dev/null", "until": "/"}')
    response = raised.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return status, response["Error"]["Code"], response["message"], response["Reason"]


def throttled_for(reason: str) -> tuple[int, str, str, str]:
    return 429, "TooManyRequestsException", "Rate Exceeded.", reason


def deployed(client: Any, zip_of: Any, name: str, source: str = WAITING, **more: Any) -> str:
    client.create_function(
        FunctionName=name, Runtime="python3.12", Role="arn:aws:iam::000000000000:role/any", Handler="app.handler",
        Code={"ZipFile": zip_of({"app.py": source})}, Timeout=30, **more,
    )  # fmt: skip
    return name


def test_limits(small: Any, running: Any, zip_of: Any) -> None:
    """The reserved share is a function's own, above and below; what is left is for all others together."""
    a, b = deployed(small, zip_of, "a"), deployed(small, zip_of, "b")
    small.put_function_concurrency(FunctionName=a, ReservedConcurrentExecutions=1)
    calls = running(small)
    calls.start(a)
    assert throttled(small, a) == throttled_for("ReservedFunctionConcurrentInvocationLimitExceeded")
    calls.start(b)
    calls.start(b)
    assert throttled(small, b) == throttled_for("ConcurrentInvocationLimitExceeded")
    small.put_function_concurrency(FunctionName=b, ReservedConcurrentExecutions=0)
    assert throttled(small, b) == throttled_for("ReservedFunctionConcurrentInvocationLimitExceeded")
    settings = small.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 3
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 2
    assert settings["AccountUsage"]["FunctionCount"] == 6


def test_pool_grows_and_is_used_again(client: Any, running: Any, zip_of: Any) -> None:
    """As many environments as there are invocations at once, each version its own; afterwards they are used again."""
    name = deployed(client, zip_of, "grows", Publish=True)
    calls = running(client)
    futures = [calls.start(name), calls.start(name), calls.start(name, Qualifier="1")]
    calls.let_go()
    pids = [future.result()[0] for future in futures]
    assert len(set(pids)) == 3
    assert calls.start(name).result()[0] in pids[:2]
    assert calls.start(name, Qualifier="1").result()[:2] == [pids[2], "1"]


def test_a_running_invocation_finishes_on_the_old_code(client: Any, running: Any, zip_of: Any) -> None:
    """An update holds from the next invocation on; what runs is not disturbed."""
    name = deployed(client, zip_of, "old-code")
    calls = running(client)
    old = calls.start(name)
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": WAITING.replace("= 1", "= 2")}))
    client.update_function_configuration(FunctionName=name, Timeout=29)
    new = calls.start(name)
    calls.let_go()
    assert (old.result()[3], new.result()[3]) == (1, 2)
    assert calls.start(name).result()[0] == new.result()[0]


def test_tags_do_not_cost_the_warm_environment(client: Any, running: Any, zip_of: Any) -> None:
    """What changes the revision and not the function leaves its environments alone."""
    name = deployed(client, zip_of, "warm")
    calls = running(client)
    calls.let_go()
    pid = calls.start(name).result()[0]
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"a": "b"})
    client.publish_version(FunctionName=name)
    assert calls.start(name).result()[0] == pid


def provisioned(client: Any, name: str, qualifier: str) -> dict[str, Any]:
    shown: dict[str, Any] = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
    return shown


def when_ready(client: Any, name: str, qualifier: str) -> dict[str, Any]:
    wait_for(lambda: provisioned(client, name, qualifier)["Status"] == "READY")
    return provisioned(client, name, qualifier)


def test_provisioned_environments_are_ready(client: Any, running: Any, zip_of: Any) -> None:
    """So many are initialised before anything is invoked; more than that is on demand; less ends them."""
    name = deployed(client, zip_of, "ready", Publish=True)
    put = client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (put["Status"], put["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    shown = when_ready(client, name, "1")
    assert (shown["AvailableProvisionedConcurrentExecutions"], shown["AllocatedProvisionedConcurrentExecutions"]) == (
        2,
        2,
    )
    listed = client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    assert [(c["FunctionArn"].rpartition(":")[2], c["Status"]) for c in listed] == [("1", "READY")]
    calls = running(client)
    futures = [calls.start(name, Qualifier="1") for _ in range(3)]
    calls.let_go()
    kinds = [future.result()[2] for future in futures]
    assert kinds == ["provisioned-concurrency", "provisioned-concurrency", "on-demand"]
    assert calls.start(name).result()[2] == "on-demand"
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    with pytest.raises(ClientError, match="should not be greater than the reservedConcurrentExecution"):
        client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=3)
    with pytest.raises(ClientError, match="should not be lower than function's total provisioned concurrency"):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    assert client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []
    assert calls.start(name, Qualifier="1").result()[2] == "on-demand"
    client.delete_function(FunctionName=name)


def test_provisioned_environments_come_back(client: Any, zip_of: Any) -> None:
    """After a crash there is a new process without anybody asking; moving the alias moves them."""
    name = deployed(client, zip_of, "comes-back", TYPE, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1)
    when_ready(client, name, "live")
    crashed = client.invoke(FunctionName=name, Qualifier="live", Payload=b'"exit"')
    assert crashed["FunctionError"] == "Unhandled"
    when_ready(client, name, "live")
    answer = client.invoke(FunctionName=name, Qualifier="live")["Payload"].read()
    assert answer == b'"provisioned-concurrency"'
    with pytest.raises(ClientError, match="Version is pointed by a Provisioned Concurrency alias"):
        client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    client.update_function_configuration(FunctionName=name, Description="2")
    client.publish_version(FunctionName=name)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    when_ready(client, name, "live")
    for qualifier, kind in (("1", b'"on-demand"'), ("2", b'"provisioned-concurrency"')):
        assert client.invoke(FunctionName=name, Qualifier=qualifier)["Payload"].read() == kind
    client.delete_alias(FunctionName=name, Name="live")
    client.delete_function(FunctionName=name)


def test_provisioned_code_that_does_not_load(client: Any, zip_of: Any, wire: Any) -> None:
    """The configuration says that initialisation failed, and nothing hangs, now or later."""
    name = deployed(client, zip_of, "does-not-load", "raise ValueError('no')\n", Publish=True)
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    wait_for(lambda: provisioned(client, name, "1")["Status"] == "FAILED")
    shown = provisioned(client, name, "1")
    assert (shown["StatusReason"], shown["AvailableProvisionedConcurrentExecutions"]) == (
        "FUNCTION_ERROR_INIT_FAILURE",
        0,
    )
    assert b"ValueError" in client.invoke(FunctionName=name, Qualifier="1")["Payload"].read()
    client.delete_function(FunctionName=name)
    # It was deleted while it was starting anew: new connections get the numbers of the sockets that went with it.
    assert [wire.request().status for _ in range(5)] == [200] * 5


def test_what_is_ready_is_ready_again_after_a_restart(client_of: Any, zip_of: Any, tmp_path: Path) -> None:
    """With a state folder versions, aliases and what is kept ready for them outlive the server."""
    settings = Settings(state=str(tmp_path / "state"))
    with start_embedded(settings=settings) as server:
        client = client_of(server)
        name = deployed(client, zip_of, "stays", TYPE, Publish=True, Tags={"a": "b"})
        client.update_function_configuration(FunctionName=name, Description="2")
        client.publish_version(FunctionName=name)
        routing = {"AdditionalVersionWeights": {"2": 0.5}}
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=routing)
        client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2
        )
        before = client.get_alias(FunctionName=name, Name="live")
    with start_embedded(settings=settings) as server:
        client = client_of(server)
        when_ready(client, name, "live")
        kinds = {client.invoke(FunctionName=name, Qualifier=q)["Payload"].read() for q in ("1", "2", "live")}
        assert kinds == {b'"provisioned-concurrency"'}
        after = client.get_alias(FunctionName=name, Name="live")
        del before["ResponseMetadata"], after["ResponseMetadata"]
        assert after == before
        assert client.publish_version(FunctionName=name)["Version"] == "2"
        assert client.get_function(FunctionName=name)["Tags"] == {"a": "b"}
