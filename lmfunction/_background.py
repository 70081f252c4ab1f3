"""-AsJob: what a command does after its guards is done by a job, behind a door at which nobody stands."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

from lmfunction._door import Door, Level
from lmfunction._engine import Engine
from lmfunction._interrupts import patient
from lmfunction._jobs import Job
from lmfunction._mask import told_command
from lmfunction._params import Cmdlet
from lmfunction._progress import Progress, Viewers
from lmfunction._waiting import TICK
from lmfunction.errors import ParameterError


def check_job(arguments: Mapping[str, Any], door: Door) -> None:
    """Refuses -AsJob where the process, and the job with it, ends with the line. Raises ParameterError."""
    if arguments.get("as_job") and not door.lasts:
        raise ParameterError(
            "AsJob: a job ends with its process, and this one ends with the line: nobody could receive the result. "
            "Leave it out, or use it in IPython, Jupyter, xonsh or Python.",
            parameter="AsJob",
        )


def apart(door: Door) -> Door:
    """The door of a line's stages, which a job may run: then what they tell stays with the job."""

    def tell(level: Level, text: str) -> None:
        stage = _STAGE.get()
        (door if stage is None else stage.door).tell(level, text)

    def show(shown: Any) -> None:
        stage = _STAGE.get()
        (door if stage is None else stage.door).show(shown)

    def progress() -> Viewers:
        return door.progress() if _STAGE.get() is None else ()

    return replace(door, tell=tell, show=show, progress=progress)


class Backstage:
    """The begin of one job: its `door` keeps what is told, asks nobody and shows nothing."""

    def __init__(self, door: Door) -> None:
        self.messages: list[tuple[Level, str]] = []
        self._front = door
        self.door = replace(
            door,
            tell=self._tell,
            show=_nothing,
            show_error=None,
            ask=_nothing,
            ask_secret=_nothing,
            assign=None if door.assign is None else _nothing,
            progress=tuple,
            live=Door.live,
            live_log=False,
            streams=False,
            shows_failures=False,
        )

    def begin(
        self,
        cmdlet: Cmdlet,
        values: Mapping[str, Any],
        arguments: Mapping[str, Any],
        engine: Engine,
        work: Callable[[Engine], Any],
        progress: Callable[[float], Progress],
        partial: Any = None,
    ) -> Job:
        """The job that does `work`, given the engine for its thread. The line is `cmdlet` with `values`."""
        context = contextvars.copy_context()
        context.run(TICK.set, None)  # the line that begins it does not wait for it
        context.run(_STAGE.set, self)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._front.around_a_job())
            inside = stack.pop_all()
        return engine.jobs.begin(
            told_command(cmdlet, values),
            lambda: context.run(lambda: work(patient(engine))),
            progress,
            inside,
            partial=partial,
            line=arguments,
            messages=self.messages,
        )

    def _tell(self, level: Level, text: str) -> None:
        if level != "notice":
            self.messages.append((level, text))


_STAGE: Final[ContextVar[Backstage | None]] = ContextVar("stage", default=None)  # of the job that runs here


def _nothing(*_: Any) -> None:
    return None
