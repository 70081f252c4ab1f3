"""Nobody waits long for a machine's role outside EC2: the metadata service takes calls here and never answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3.util.connection

import lmfunction as lm
from lmfunction import _aws_session
from lmfunction._aws_session import METADATA_TIMEOUT, in_ec2

SERVICE = ("169.254.169.254", 80)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[float]]:
    """How long each call of the metadata service may take to connect; it goes to a hole on this machine."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    hole = socket.create_server(("127.0.0.1", 0))
    seen: list[float] = []
    connect = urllib3.util.connection.create_connection

    def into_the_hole(address: Any, timeout: Any, *args: Any, **keywords: Any) -> Any:
        assert address == SERVICE
        seen.append(timeout)
        return connect(hole.getsockname(), timeout, *args, **keywords)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", into_the_hole)
    yield seen
    hole.close()


def fail_to_call(**parameters: Any) -> str:
    with lm.Session() as session, pytest.raises(lm.ProfileError) as caught:
        session.invoke_lm("f", **parameters)
    return str(caught.value)


def test_without_credentials_the_answer_comes_soon(patience: list[float]) -> None:
    """Twice a quarter of a second, then an error that says what to do; botocore alone waits twice a second."""
    start = time.monotonic()
    assert fail_to_call(region="eu-west-1").startswith("No credentials: give -ProfileName")
    assert patience == [METADATA_TIMEOUT, METADATA_TIMEOUT]
    assert time.monotonic() - start < 30  # the sum of the patience above; this only catches a hang


def test_without_a_region_nobody_is_asked(patience: list[float]) -> None:
    """The metadata service is no part of the region's order, so that the error comes at once."""
    assert fail_to_call().startswith("No region: give -Region")
    with lm.Session() as session:
        assert session.get_default_aws_region() is None
    assert patience == []


def test_what_if_asks_nobody(patience: list[float]) -> None:
    """Nor does a plan, which needs no credentials."""
    with lm.Session(region="eu-west-1") as session:
        assert "eu-west-1" in repr(session.invoke_lm("f", what_if=True))
    assert patience == []


def test_with_keys_nobody_is_asked(patience: list[float], faults: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in memory need no look around."""
    monkeypatch.undo()
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    with faults.FaultServer() as server, lm.Session(region="eu-west-1", endpoint_url=server.url) as session:
        session.set_aws_credential(access_key="AKIDX", secret_key="s")
        assert session.invoke_lm("f").ok
    assert patience == []


def test_in_ec2_botocore_is_as_patient_as_ever(patience: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """There the service may be slow, and it is the place where credentials come from."""
    monkeypatch.setattr(_aws_session, "in_ec2", lambda: True)
    fail_to_call(region="eu-west-1")
    assert patience == [1, 1]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_METADATA_SERVICE_TIMEOUT": "2"}, [2, 2]),
        ({"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2"}, [METADATA_TIMEOUT] * 3),
        ({"AWS_EC2_METADATA_DISABLED": "true"}, []),
        ({"AWS_EC2_METADATA_DISABLED": "TRUE"}, []),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://169.254.169.254/"}, [1, 1]),
    ],
    ids=str,
)
def test_the_users_own_settings_count(
    variables: dict[str, str], expected: list[float], patience: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore's variables mean what they mean at boto3; a service somewhere else is waited for as there."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    fail_to_call(region="eu-west-1")
    assert patience == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"class/dmi/id/sys_vendor": "Amazon EC2\n"}, True),
        ({"class/dmi/id/sys_vendor": "Xen\n", "class/dmi/id/bios_version": "4.11.amazon\n"}, True),
        ({"hypervisor/uuid": "ec2e1916-9099-7caf-fd21-012345abcdef\n"}, True),
        ({"class/dmi/id/sys_vendor": "LENOVO\n", "class/dmi/id/bios_version": "N2CET52W\n"}, False),
        ({"class/dmi/id/sys_vendor": "QEMU\n", "hypervisor/uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0\n"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_machine_of_ec2_says_so(files: dict[str, str], expected: bool, tmp_path: Path) -> None:
    """Under Nitro, under Xen in both ways; another machine, and one that does not tell, is none."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert in_ec2(tmp_path) is expected
