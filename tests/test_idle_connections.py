"""Connections that a run leaves open are the next one's; of what the system lets a process open no more are wanted."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import pytest
from counting import Served, counting_lambda, make_certificate

import lmfunction as lm
from lmfunction._idle_connections import IDLE, IdleConnections

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")


def session_at(url: str) -> lm.Session:
    """A session whose calls reach the server."""
    return lm.Session(region="us-east-1", endpoint_url=url, credential=KEYS)


def invoke_many(session: lm.Session, count: int) -> None:
    """A run all of whose calls are answered."""
    run = session.invoke_lm("f", input_object=[{"n": n} for n in range(count)], throttle_limit=4)
    assert run.ok, run


@pytest.fixture(scope="module", params=["http", "https"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    certificate = make_certificate(tmp_path_factory.mktemp("tls")) if request.param == "https" else None
    with pytest.MonkeyPatch.context() as patch, counting_lambda(certificate) as found:
        if certificate:
            patch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
        yield found


def new_connections(served: Served, before: int) -> int:
    """How many were opened since there were `before`, without that which asks."""
    return int(served.counts()["connections"]) - before - 1


def test_the_next_run_opens_none(served: Served) -> None:
    """Each of three runs uses the four connections of the first; another session has its own."""
    served.reset()
    before = served.counts()["connections"]
    with session_at(served.url) as session:
        for _ in range(3):
            invoke_many(session, 40)
        assert new_connections(served, before) <= 4
        before = served.counts()["connections"]
        with session_at(served.url) as other:
            invoke_many(other, 40)
        assert 1 <= new_connections(served, before) <= 4


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    mine, others = socket.socketpair()
    with mine, others:
        yield mine, others


def test_what_the_other_end_closed_is_not_used() -> None:
    """Nor what it said something on that nobody asked for."""
    idle = IdleConnections()
    with pair() as (closed, other), pair() as (speaking, speaker), pair() as (good, _):
        idle.keep([(1.0, closed), (1.0, speaking), (1.0, good)], 10)
        other.close()
        speaker.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert idle.take(2.0) == [(1.0, good)]
        assert (closed.fileno(), speaking.fileno()) == (-1, -1)
        assert idle.take(2.0) == []


def test_what_nobody_used_for_long_is_closed() -> None:
    """Lambda closes it about then; a call that meets that moment would be lost."""
    idle = IdleConnections()
    with pair() as (old, _), pair() as (young, _):
        idle.keep([(0.0, old), (1.0, young)], 10)
        assert idle.take(IDLE + 0.5) == [(1.0, young)]
        assert old.fileno() == -1


def test_only_so_many_are_kept() -> None:
    """The others are closed."""
    idle = IdleConnections()
    with pair() as (first, _), pair() as (second, _):
        idle.keep([(0.0, first), (0.0, second)], 1)
        assert second.fileno() == -1
        idle.close()
        assert first.fileno() == -1


def test_what_comes_after_the_end_is_closed() -> None:
    """A run may outlive its session."""
    idle = IdleConnections()
    idle.close()
    with pair() as (late, _):
        idle.keep([(0.0, late)], 10)
        assert late.fileno() == -1


def open_connections(served: Served, expected: int) -> int:
    """How many the server has, without that which asks; it may take a moment until it sees that some were closed."""
    until = time.monotonic() + 5
    while True:
        gc.collect()
        found = int(served.counts()["open"]) - 1
        if found <= expected or time.monotonic() > until:
            return found


def test_a_session_that_is_closed_or_forgotten_leaves_none(served: Served) -> None:
    """While it is open, it has those of its last run."""
    assert open_connections(served, 0) == 0
    with session_at(served.url) as session:
        invoke_many(session, 40)
        assert 1 <= open_connections(served, 4) <= 4
    assert open_connections(served, 0) == 0
    forgotten = session_at(served.url)
    invoke_many(forgotten, 40)
    assert 1 <= open_connections(served, 4) <= 4
    del forgotten, session
    assert open_connections(served, 0) == 0


def in_a_process(code: str, *arguments: str) -> Any:
    """What a Python of its own prints; its errors are the test's."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_leaves_its_parents_connections_alone(served: Served) -> None:
    """Child and parent call on; neither reads the other's answers."""
    code = """
        import os, sys
        import lmfunction as lm
        session = lm.Session(region="us-east-1", endpoint_url=sys.argv[1], credential=lm.Credential("AKIDEXAMPLE", "x"))

        def calls(who):
            run = session.invoke_lm("f", input_object=[{"who": who, "n": n} for n in range(40)], throttle_limit=4)
            assert run.ok and [r.payload for r in run] == [{"who": who, "n": n} for n in range(40)], run

        calls("before")
        child = os.fork()
        calls("child" if not child else "parent")
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        calls("after")
        print("good")
    """
    served.reset()
    ran = in_a_process(code, served.url)
    assert ran.stdout == "good\n", ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(("hard", "told"), [(400, False), (100, True)])
def test_a_low_limit_of_open_files_costs_no_call(served: Served, hard: int, told: bool) -> None:
    """It is raised where that is allowed; else fewer calls go at a time, and people are told."""
    code = """
        import resource, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, int(sys.argv[2])))
        import lmfunction as lm
        session = lm.Session(region="us-east-1", endpoint_url=sys.argv[1], credential=lm.Credential("AKIDEXAMPLE", "x"))
        run = session.invoke_lm("f", input_object=[{"n": n} for n in range(400)], throttle_limit=120)
        assert run.ok, run
        print("good")
    """
    served.reset()
    served.change(delay=0.05)
    ran = in_a_process(code, served.url, str(hard))
    assert ran.stdout == "good\n", ran.stderr
    assert ("ThrottleLimit 120 is more than" in ran.stderr) is told, ran.stderr
    most = served.counts()["most"]
    assert (60 < most <= 120) if not told else most <= 50
