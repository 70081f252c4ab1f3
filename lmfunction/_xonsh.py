"""What a xonsh command runs: its arguments or its one raw line, between the pipes that xonsh lays.

Without `!` xonsh has done the quoting and each argument is a value; `$name` and `@name` that it left as they stand are
the shell's variables, then the environment's. After `invoke_lm!` the rest of the line comes as one argument, which our
own grammar reads, object pipes and all.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

from lmfunction._blank import Surroundings
from lmfunction._catalog import Catalog
from lmfunction._commands import run_arguments, run_line, run_pipeline
from lmfunction._common_rows import ACTIONS
from lmfunction._door import Door, what_if_set
from lmfunction._help import overview
from lmfunction._interrupts import patient
from lmfunction._json_lines import read_objects
from lmfunction._scope import Scope
from lmfunction._session import default_session
from lmfunction._table import find_cmdlet
from lmfunction._text import did_you_mean
from lmfunction._text_door import INCOMPLETE, INTERRUPTED, TextDoor, objects_of
from lmfunction._thread_interrupts import interruptible
from lmfunction._unseen import ask_unseen
from lmfunction.errors import LMError, ParameterError

_DEFAULTS: Final = {"ProfileName": "LMFUNCTION_PROFILE", "Region": "LMFUNCTION_REGION"}
_SETTINGS: Final = ("AWS_", "LMFUNCTION_")
_PROXIES: Final = frozenset(["http_proxy", "https_proxy", "all_proxy", "no_proxy"])


@dataclass
class XonshDoor(TextDoor):
    """One command. `names` are the shell's variables, `environment` is xonsh's `Env`.

    `piped` is what comes through a pipe or a `<`. `watched` and `errors_watched` say whether a person sees the two
    outputs, which are pipes to xonsh in any case. Ctrl-C is for a command in the `foreground`; one that others follow
    asks `interrupted` whether it went to them. `collect` takes the objects when they are wanted as they are.
    """

    names: MutableMapping[str, Any]
    environment: Any
    piped: TextIO | None = None
    watched: bool = False
    errors_watched: bool = False
    foreground: bool = True
    interrupted: Callable[[], bool] | None = None
    collect: Callable[[Any], None] | None = None

    @property
    def is_watched(self) -> bool:
        """Whether a person sees what is written to stdout."""
        return self.watched

    @property
    def screen(self) -> TextIO:
        """The shell's own terminal."""
        return sys.__stdout__ or self.stdout

    @property
    def error_screen(self) -> TextIO:
        """The shell's own terminal, when messages go there."""
        return sys.__stderr__ if self.errors_watched and sys.__stderr__ else self.stderr

    def note(self, result: Any) -> None:
        """Takes note of an invocation's result, for the exit code and for completion."""
        super().note(result)
        _last[:] = [result]

    def run(self, name: str, arguments: Sequence[Any]) -> int:
        """Runs the command that goes by `name` and gives its exit code."""
        code = INTERRUPTED
        try:
            with interruptible(self.interrupted) if self.foreground else contextlib.nullcontext():
                code = self.guarded(lambda: self._run(name, [str(a) for a in arguments]))
        except KeyboardInterrupt:  # it came when everything had been said
            return code
        except BrokenPipeError:  # the reader went away (`| head`)
            return INCOMPLETE
        return code

    def _run(self, name: str, arguments: list[str]) -> int:
        if name == "lm" and (not arguments or arguments == ["-?"]):
            self.put(overview())
            return 0
        with settings_of(self.environment):
            emitted = self._emitted(name, arguments)
            if self.collect is None:
                return self.write_all(emitted)
        for one in objects_of(emitted, apart=False):
            self.collect(one)
        return self.outcome(emitted)

    def _emitted(self, name: str, arguments: list[str]) -> Any:
        engine, door, defaults = patient(default_session().engine), self._door(), self._defaults()
        objects = read_objects(self.piped) if self.piped is not None else None
        if name != "lm" and len(arguments) == 1:
            cmdlet = find_cmdlet(name)
            assert cmdlet is not None
            return run_line(cmdlet, arguments[0], None, engine, door, defaults, self.note, objects)
        if name == "lm" and len(arguments) == 1:
            return run_pipeline(arguments[0], engine, door, defaults, self.note, objects)
        words = arguments if name == "lm" else [name, *arguments]
        return run_arguments(words, engine, door, self.note, defaults, objects, variables=True)

    def _defaults(self) -> dict[str, Any]:
        found = {parameter: self.environment.get(name) for parameter, name in _DEFAULTS.items()}
        return {parameter: str(value) for parameter, value in found.items() if value}

    def _door(self) -> Door:
        return Door(
            scope=Scope(Names(self.names, self.environment), environ=self.environment.detype(), stdin=self._read),
            error_action=action_named(self.environment.get("LMFUNCTION_ERROR_ACTION") or "Stop"),
            tell=self.tell,
            show=self.show,
            ask=_ask,
            ask_secret=_ask_secret,
            assign=self.names.__setitem__,
            what_if=what_if_set(self.environment),
            progress=self.viewers if self.foreground else tuple,
            live=self.live if self.foreground else Door.live,
            around_a_job=lambda: settings_of(self.environment),
            progress_action="Continue" if self.environment.get("LMFUNCTION_PROGRESS", True) else "SilentlyContinue",
        )

    def _read(self, limit: int) -> bytes:
        stream: Any = self.piped if self.piped is not None else sys.__stdin__
        content: bytes = stream.buffer.read(limit)
        return content


class Names(Mapping[str, Any]):
    """What `$name` means in a line: the shell's variable, else the environment's. Iterated, the variables alone."""

    def __init__(self, variables: Mapping[str, Any], environment: Any) -> None:
        self._variables = variables
        self._environment = environment

    def __getitem__(self, name: str) -> Any:
        if name in self._variables:
            return self._variables[name]
        found = self._environment[name]
        if found is None or isinstance(found, str | int | float | list | tuple | dict):
            return found
        return self._environment.detype().get(name, found)  # a path list, say, as other programs get it

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._variables))

    def __len__(self) -> int:
        return len(self._variables)


def surroundings(xsh: Any, *, piped: bool) -> Surroundings:
    """What completion looks at in a session of xonsh: its variables and settings, the last result, Lambda's names."""
    environment = xsh.env.detype()
    asks = xsh.env.get("LMFUNCTION_COMPLETE_FUNCTIONS", True)
    return Surroundings(
        Names(xsh.ctx, xsh.env),
        environ=environment,
        last=next(iter(_last), None),
        defaults={p: str(xsh.env[name]) for p, name in _DEFAULTS.items() if xsh.env.get(name)},
        catalog=_catalog_of(xsh) if asks else None,
        piped=piped,
    )


_last: Final[list[Any]] = []
_catalogs: Final[dict[int, Catalog]] = {}


def _catalog_of(xsh: Any) -> Catalog:
    """The names that Lambda has where this session's settings lead to."""
    if id(xsh) not in _catalogs:
        _catalogs[id(xsh)] = Catalog(
            lambda: default_session().engine,
            environ=lambda: xsh.env.detype(),
            settings=lambda: settings_of(xsh.env),
        )
    return _catalogs[id(xsh)]


def forget(xsh: Any) -> None:
    """Closes what completion of this session opened."""
    catalog = _catalogs.pop(id(xsh), None)
    if catalog is not None:
        catalog.close()


def action_named(text: str) -> str:
    """The ErrorAction that `text` names in any case. Raises ParameterError."""
    found = next((action for action in ACTIONS if action.casefold() == str(text).casefold()), None)
    if found is None:
        raise ParameterError(
            f"$LMFUNCTION_ERROR_ACTION must be one of {', '.join(ACTIONS)}.{did_you_mean(str(text), ACTIONS)}"
        )
    return found


_lock: Final = threading.Lock()
_in_force: Final[list[dict[str, str]]] = []  # one entry for each command under way
_before: Final[list[dict[str, str]]] = []  # what the process had before the first of them


@contextlib.contextmanager
def settings_of(environment: Any) -> Iterator[None]:
    """Lets boto3 see xonsh's AWS settings: it reads the process's environment, where xonsh puts nothing by itself.

    Raises LMError when another command is under way that has other settings: one of the two would reach a wrong place.
    """
    wanted = {
        name: value
        for name, value in environment.detype().items()
        if name.startswith(_SETTINGS) or name.casefold() in _PROXIES
    }
    with _lock:
        if _in_force and _in_force[0] != wanted:
            raise LMError(
                "Another command is under way with other AWS settings, and a process has them only once. "
                "Nothing was sent; use -ProfileName and -Region in place of variables."
            )
        if not _in_force:
            _before.append(_replace_settings(wanted))
        _in_force.append(wanted)
    try:
        yield
    finally:
        with _lock:
            _in_force.pop()
            if not _in_force:
                _replace_settings(_before.pop())


def _replace_settings(wanted: Mapping[str, str]) -> dict[str, str]:
    """Makes the settings of the process's environment these, and gives those before."""
    before = {n: v for n, v in os.environ.items() if n.startswith(_SETTINGS) or n.casefold() in _PROXIES}
    for name in before.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
    return before


def _ask_secret(question: str) -> str | None:
    watched = sys.__stdin__ is not None and sys.__stdin__.isatty()
    return ask_unseen(question) if watched else None


def _ask(question: str) -> str | None:
    """The answer of who sits at the shell's terminal. Not through xonsh's pipes, which keep a line until it ends."""
    stdin, stderr = sys.__stdin__, sys.__stderr__
    if stdin is None or stderr is None or not (stdin.isatty() and stderr.isatty()):
        return None
    stderr.write(question)
    stderr.flush()
    return stdin.readline().rstrip("\n")
