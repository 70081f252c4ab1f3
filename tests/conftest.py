"""What all tests share: an environment of their own, and helpers that lie beside the tests."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n`, one process runs the tests of a file, which share kernels, servers and recorded runs of programs.

    All tests in JupyterLab share a server and a browser, and count as one file; they come first. What
    `--dist=loadgroup` is for; that of xdist 3.8 lets the groups fall apart under pytest 9.2.
    """
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "lab" if nodeid.startswith("tests/lab/") else nodeid.partition("::")[0]

    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No AWS setting, profile or proxy of the machine reaches a test, nor a program that a test starts.

    Nor does a width, which would outweigh that of a terminal: pytest-xdist hands its own on to its workers.
    """
    home = tmp_path_factory.mktemp("home")
    kept = dict(os.environ)
    for name in kept:
        if name.startswith(("AWS_", "LMFUNCTION_", "XDG_")) or name in ("COLUMNS", "LINES") or name.lower() in _PROXIES:
            del os.environ[name]
    os.environ.update(
        HOME=str(home),
        AWS_CONFIG_FILE=str(home / "config"),
        AWS_SHARED_CREDENTIALS_FILE=str(home / "credentials"),
        AWS_EC2_METADATA_DISABLED="true",
    )
    yield
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works() -> Iterator[None]:
    """Ctrl-C is Python's own, also where the tests were started in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _restored_environment(_clean_environment: None) -> Iterator[None]:
    """What a test changes in the environment ends with it."""
    kept = dict(os.environ)
    yield
    if dict(os.environ) != kept:
        os.environ.clear()
        os.environ.update(kept)


def _hush_moto() -> None:
    handlers = sys.modules.get("botocore.handlers")
    if handlers is not None:
        handlers.BUILTIN_HANDLERS[:] = [each for each in handlers.BUILTIN_HANDLERS if each[0] != "before-send"]


@pytest.fixture(scope="session", autouse=True)
def _moto_is_hushed() -> None:
    """Moto serves some tests from a process or a thread; to be imported is enough for it to listen to all of boto3."""
    _hush_moto()


@pytest.fixture(autouse=True)
def _moto_stays_hushed(_moto_is_hushed: None) -> Iterator[None]:
    """Also where a test has imported it."""
    yield
    _hush_moto()


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    """The module `faults.py`: a server whose answers go wrong. (Importlib mode puts no folder on the path.)"""
    spec = importlib.util.spec_from_file_location("faults", Path(__file__).with_name("faults.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["faults"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
