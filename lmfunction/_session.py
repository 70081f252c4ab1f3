"""Python's own door: `Session`, and the functions of the module, with one keyword for each parameter of the table."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Self

from lmfunction import _runners
from lmfunction._auth import Credential
from lmfunction._defaults import Defaults
from lmfunction._door import NOTHING, Door, Level, what_if_set
from lmfunction._engine import Engine
from lmfunction._gathered import refuse_exclusive
from lmfunction._help import cmdlet_help
from lmfunction._params import Cmdlet
from lmfunction._progress import LOG_EVERY, Progress, Viewer, Viewers
from lmfunction._progress_lines import StatusLine, is_terminal, log_line
from lmfunction._record import Records
from lmfunction._retry import RetryPolicy
from lmfunction._table import CMDLETS, INVOKE, PUBLISH, find_cmdlet
from lmfunction._text import did_you_mean
from lmfunction._unseen import ask_unseen
from lmfunction._unset import UNSET
from lmfunction.errors import LMWarning, ParameterError


def _tell(level: Level, text: str) -> None:
    if level == "warning":
        warnings.warn(text, LMWarning, stacklevel=_caller_level())
    else:
        told = text if level == "notice" else f"{level.upper()}: {text}"
        print(told, file=sys.stderr)  # noqa: T201 - the caller asked with verbose=True, or pressed Ctrl-C


def _caller_level() -> int:
    """The stack level of the first frame outside this package, for a warning that points at the user's line."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("lmfunction."):
        level, frame = level + 1, frame.f_back
    return level - 1


def _ask(question: str) -> str | None:
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        return input(question)
    except EOFError:
        return ""


def _ask_secret(question: str) -> str | None:
    return ask_unseen(question) if sys.stdin is not None and sys.stdin.isatty() else None


class _PlanCatcher:
    """Catches what `-WhatIf` shows: in Python the plan is the value."""

    def __init__(self) -> None:
        self.plan: Any = None

    def __call__(self, shown: Any) -> None:
        self.plan = shown


def python_door(show: Callable[[Any], None], error_action: str = "Continue") -> Door:
    """Python's door: warnings are warnings, a person at a terminal can be asked, and a failed function is a result."""
    return Door(
        error_action=error_action,
        tell=_tell,
        ask=_ask,
        ask_secret=_ask_secret,
        show=show,
        shows_failures=False,
        what_if=what_if_set(os.environ),
        progress=_viewers,
        progress_action="SilentlyContinue",
    )


def _viewers() -> Viewers:
    """Who sees how a wait goes on when the caller asks for that: a terminal's line, or one in the log now and then."""
    if sys.stderr is None or threading.current_thread() is not threading.main_thread():
        return ()
    if is_terminal(sys.stderr):
        return (Viewer(StatusLine(sys.stderr).draw),)
    return (Viewer(_log, LOG_EVERY, LOG_EVERY),)


def _log(progress: Progress) -> None:
    print(log_line(progress), file=sys.stderr, flush=True)  # noqa: T201 - the caller asked for it


def call(cmdlet: Cmdlet, engine: Engine, keywords: Mapping[str, Any]) -> Any:
    """What `cmdlet` emits for Python `keywords` (names of the table in snake_case); the plan for `what_if=True`."""
    values = {cmdlet.by_keyword[name].name: value for name, value in keywords.items() if value is not UNSET}
    refuse_exclusive(cmdlet, values)
    shown = _PlanCatcher()
    door = dataclasses.replace(python_door(shown), streams=True)
    emitted = _runners.run(cmdlet, values, engine, door, lambda _: None)
    if emitted is NOTHING:
        return shown.plan
    return emitted


class Session:
    """Connections, credentials and defaults that calls share.

    The keywords are those parameters of `Invoke-LMFunction` that say where calls go; each call can override them.
    With `what_if` whatever changes something is shown and not sent; what only reads is sent.
    Use it as a context manager, or `close()` it, to close its connections.
    """

    def __init__(
        self,
        *,
        profile_name: str | None = None,
        profile_location: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        credential: Credential | Any = None,
        client_config: Mapping[str, Any] | None = None,
        timeout_sec: float | None = None,
        retry_policy: RetryPolicy | None = None,
        what_if: bool = False,
    ) -> None:
        given = {
            "ProfileName": profile_name,
            "ProfileLocation": profile_location,
            "Region": region,
            "EndpointUrl": endpoint_url,
            "Credential": credential,
            "ClientConfig": client_config,
            "TimeoutSec": timeout_sec,
        }
        self.engine = Engine(
            policy=retry_policy or RetryPolicy(),
            fixed={name: value for name, value in given.items() if value is not None},
            what_if=what_if,
        )

    @property
    def defaults(self) -> Defaults:
        """Defaults by `CMDLET:PARAMETER`, such as `session.defaults["*-LM*:Region"] = "eu-west-1"`."""
        return self.engine.defaults

    @property
    def history(self) -> Records:
        """The last calls, the newest last: when, what, where and how each ended. No payloads and no secrets."""
        return self.engine.history.records()

    def invoke_lm(self, function_name: Any = UNSET, payload: Any = UNSET, **parameters: Any) -> Any:
        """Invokes a function with this session; takes what `lmfunction.invoke_lm` takes."""
        return call(INVOKE, self.engine, checked(INVOKE, parameters, function_name=function_name, payload=payload))

    def publish_lm_function(self, function_name: Any = UNSET, code: Any = UNSET, **parameters: Any) -> Any:
        """Creates or updates a function with this session; takes what `lmfunction.publish_lm_function` takes."""
        return call(PUBLISH, self.engine, checked(PUBLISH, parameters, function_name=function_name, code=code))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        cmdlet = None if name.startswith("_") else find_cmdlet(name)
        if cmdlet is None:
            raise AttributeError(f"Session has no attribute {name!r}.{did_you_mean(name, function_names())}")
        return function_of(cmdlet, lambda: self.engine)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *function_names()})

    def close(self) -> None:
        """Stops the jobs that run, with a warning for each, and closes the connections.

        The session opens new ones when it is used again.
        """
        self.engine.jobs.close()
        self.engine.connections.close()
        if self.engine.audits is not None:
            self.engine.audits.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        fixed = ", ".join(f"{k}={v!r}" for k, v in self.engine.fixed.items())
        return f"<Session {fixed or 'of the defaults'}>"


def checked(cmdlet: Cmdlet, parameters: Mapping[str, Any], **named: Any) -> dict[str, Any]:
    """Keywords for `call`: those named and the others. Raises TypeError for one that is unknown or given twice."""
    given = {name for name, value in named.items() if value is not UNSET}
    for name in parameters:
        parameter = cmdlet.by_keyword.get(name)
        if parameter is None:
            hint = did_you_mean(name, cmdlet.by_target)
            raise TypeError(f"{cmdlet.python_names[0]}() got an unexpected keyword argument {name!r}.{hint}")
        if parameter.target in given:
            raise TypeError(f"{cmdlet.python_names[0]}() got {parameter.target!r} twice.")
        given.add(parameter.target)
    return {**named, **parameters}


def function_names() -> list[str]:
    """The Python names of every cmdlet."""
    return [name for cmdlet in CMDLETS for name in cmdlet.python_names if name.isidentifier()]


def function_of(cmdlet: Cmdlet, engine: Callable[[], Engine]) -> Callable[..., Any]:
    """The Python function of `cmdlet`: its positions and one keyword for each parameter; help is its docstring."""

    def function(*arguments: Any, **keywords: Any) -> Any:
        targets = [parameter.target for parameter in cmdlet.positional]
        if len(arguments) > len(targets):
            raise TypeError(f"{name}() takes {len(targets)} positional arguments, {len(arguments)} were given.")
        named = dict(zip(targets, arguments, strict=False))
        return call(cmdlet, engine(), checked(cmdlet, keywords, **named))

    name = function.__name__ = function.__qualname__ = cmdlet.python_names[0]
    function.__module__ = "lmfunction"
    try:
        function.__doc__ = cmdlet_help(cmdlet)
        function.__signature__ = _signature(cmdlet)  # type: ignore[attr-defined]
    except ParameterError as error:  # this boto3 does not know the operation: who calls it is told the same
        function.__doc__ = str(error)
    return function


def _signature(cmdlet: Cmdlet) -> Any:
    import inspect

    positional = set(cmdlet.positional)
    shown = [*cmdlet.positional, *(p for p in cmdlet.parameters if p not in positional and not p.refused)]
    return inspect.Signature(
        [
            inspect.Parameter(
                p.target,
                inspect.Parameter.POSITIONAL_OR_KEYWORD if p in positional else inspect.Parameter.KEYWORD_ONLY,
                default=UNSET,
            )
            for p in shown
        ]
    )


_default: list[Session] = []


def default_session() -> Session:
    """The session that the module's functions and the doors use; made at first use."""
    if not _default:
        _default.append(Session())
    return _default[0]
