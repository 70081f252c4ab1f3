"""xonsh's door: `xontrib load lmfunction` gives every cmdlet as a command, and `lm` for whole pipelines.

`invoke_lm f r'{"a": 1}'` takes arguments as xonsh reads them, `invoke_lm! f {"a": 1} | select Payload` the line as it
stands. A person gets cards, a pipe or a file JSON lines, `$(@lm invoke_lm f)` the objects.

Loading costs the parameter table's names; what runs a command is imported by the first one.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from xonsh.procs.specs import DecoratorAlias

from lmfunction._common_rows import ACTIONS
from lmfunction._params import Cmdlet
from lmfunction._table import CMDLETS, find_cmdlet

_LM: Final = "lm"
_COMPLETER: Final = "lmfunction"
_EVENT: Final = "on_post_spec_run_lmfunction"
# A command's name where one may stand: at the start, after | ; & ( [ { or a word that begins a block; @decorators go
# before it. With ! the rest of the line is its own, whatever it holds.
_COMMAND: Final = re.compile(
    r"(?:^|[|;&(\[{:]|\b(?:and|or|not)\b)\s*(?:@\w+\s+)*(?P<name>%?[A-Za-z_][\w-]*)(?P<macro>!?)(?=[ \t])"
)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")


class Command:
    """One alias: a cmdlet, or `lm`. Objects of it are called by xonsh with what it knows of the command."""

    # xonsh fires an event of this name when it has started the command.
    __name__ = "lmfunction"

    def __init__(self, xsh: Any, name: str, about: str) -> None:
        self.xsh = xsh
        self.name = name
        self.__doc__ = about

    def __call__(
        self, args: list[Any], stdin: Any = None, stdout: Any = None, stderr: Any = None, spec: Any = None
    ) -> int:
        """Runs the command and gives its exit code."""
        from lmfunction._xonsh import XonshDoor

        wanted = getattr(spec, "output_format", None)
        taken = spec is not None and spec.last_in_pipeline and spec.captured in ("stdout", "object")
        door = XonshDoor(
            stdout=stdout or sys.stdout,
            stderr=stderr or sys.stderr,
            names=self.xsh.ctx,
            environment=self.xsh.env,
            piped=stdin,
            watched=_is_watched(spec, self.xsh.env),
            errors_watched=_errors_are_watched(spec),
            foreground=not _is_background(spec),
            interrupted=_interruption_of_others(self.xsh) if spec is not None and not spec.last_in_pipeline else None,
            collect=wanted.append if taken and isinstance(wanted, Collector) else None,
        )
        return door.run(self.name, args)

    def xonsh_complete(self, command: Any, **_: Any) -> Iterator[Any]:
        """The completions that xonsh's completer for aliases asks for, where ours is not registered."""
        return _completions(self.xsh, f"{command.words_before_cursor} {command.raw_prefix}")

    def __repr__(self) -> str:
        return f"<lmfunction {self.name}>"


class Collector(list[Any]):
    """Takes a command's objects past the pipe; xonsh calls it with the lines that came through."""

    def __call__(self, lines: list[str]) -> Any:
        """The one object, a list of several, or None; of another command's lines those that are JSON, read."""
        found = list(self) or [_read(line) for line in lines if line.strip()]
        return found[0] if len(found) == 1 else found or None


class ObjectsDecorator(DecoratorAlias):
    """`@lm`: makes `$(@lm invoke_lm f)` give the objects themselves."""

    descr = "Gives the objects that a command of lmfunction emits: one as it is, several as a list."
    name = "@lm"
    __doc__ = descr

    def decorate_spec(self, spec: Any) -> None:
        """Gives the command a collector of its own."""
        spec.output_format = Collector()


def _load_xontrib_(xsh: Any, **_: Any) -> dict[str, Any]:
    """Adds commands, settings, completion and the decorator to the session `xsh`."""
    for name, about in _commands():
        xsh.aliases[name] = Command(xsh, name.removeprefix("%"), about)
    xsh.aliases["@lm"] = ObjectsDecorator()
    for name, settings in _VARIABLES.items():
        given = xsh.env.get(name)
        xsh.env.register(name, **settings)
        if isinstance(given, str):
            xsh.env[name] = given  # it came from the environment as text, before it had a type
    # In a script nobody completes, and xonsh's completers take as long to import as all of this.
    if xsh.env.get("XONSH_INTERACTIVE") or "xonsh.completers.init" in sys.modules:
        _add_completer(xsh)
    getattr(xsh.builtins.events, _EVENT)(_forward_interrupts)
    return {}


def _unload_xontrib_(xsh: Any, **_: Any) -> dict[str, Any]:
    """Takes away what loading added. A setting's value that the user gave stays: it is the user's, and plain text."""
    for name in [*(name for name, _ in _commands()), "@lm"]:
        # `aliases.get` would resolve it, not give what was put there.
        if name in xsh.aliases and isinstance(xsh.aliases[name], Command | ObjectsDecorator):
            del xsh.aliases[name]
    for name in _VARIABLES:
        xsh.env.deregister(name)
    if "xonsh.completers.init" in sys.modules:
        xsh.completers.pop(_COMPLETER, None)
    if "lmfunction._xonsh" in sys.modules:
        sys.modules["lmfunction._xonsh"].forget(xsh)
    getattr(xsh.builtins.events, _EVENT).discard(_forward_interrupts)
    return {}


def _commands() -> Iterator[tuple[str, str]]:
    """Every command's name and what it is, each also with the % that it has in a notebook."""
    named = [(name, cmdlet.name) for cmdlet in CMDLETS for name in cmdlet.names]
    for name, what in named:
        yield name, f"{what}: `{name} -?` shows its parameters."
        yield f"%{name}", f"{what}, as in a notebook."
    for name in (_LM, f"%{_LM}"):
        yield name, "A whole pipeline of lmfunction: lm! $orders | where status -eq failed | invoke_lm retry"


def _is_watched(spec: Any, env: Any) -> bool:
    """Whether a person sees a command's output: it is the last of its line, goes to no variable or file, and the shell
    writes to a terminal. What the command itself writes to is a pipe in any case, which xonsh reads.
    """
    if spec is None or not _is_terminal(sys.__stdout__):
        return False
    if not spec.last_in_pipeline or spec.captured not in ("hiddenobject", False):
        return False
    if spec.stdout is not None and spec.captured_stdout is None:
        return False  # redirected
    inside_an_alias = any(spec.alias_stack)
    return not (inside_an_alias and env.get("XONSH_CAPTURE_ALWAYS"))  # set where the outer one is captured or piped


def _errors_are_watched(spec: Any) -> bool:
    """Whether a person sees a command's messages."""
    if spec is None or spec.captured == "object" or not _is_terminal(sys.__stderr__):
        return False
    return spec.stderr is None or spec.captured_stderr is not None


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:  # closed
        return False


def _read(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line.rstrip("\n")


def _forward_interrupts(spec: Any = None, proc: Any = None, **_: Any) -> None:
    """Once a command of ours runs in its thread: Ctrl-C is for it, and it tells what is known.

    xonsh notes a Ctrl-C for the thread and gives up reading what it writes. That handler stays the one for when there
    is nothing to interrupt; it also puts back the handler before it.
    """
    if not isinstance(proc, threading.Thread) or threading.current_thread() is not threading.main_thread():
        return
    if _is_background(spec):
        return
    usual: Any = signal.getsignal(signal.SIGINT)

    def forward(number: int, frame: Any) -> None:
        from lmfunction._thread_interrupts import interrupt_all

        if not interrupt_all() and callable(usual):
            usual(number, frame)

    signal.signal(signal.SIGINT, forward)


def _interruption_of_others(xsh: Any) -> Callable[[], bool]:
    """Whether Ctrl-C ended another process of this thread's pipeline: at a terminal it goes to those, not to xonsh."""
    thread = threading.current_thread()

    def interrupted() -> bool:
        processes = getattr(getattr(xsh, "lastcmd", None), "procs", None) or ()
        return thread in processes and any(
            getattr(process, "returncode", None) == -signal.SIGINT for process in processes
        )

    return interrupted


def _is_background(spec: Any) -> bool:
    return bool(getattr(spec, "background", False)) and getattr(spec, "captured", False) != "object"


def _add_completer(xsh: Any) -> None:
    """Registers completion before xonsh's own; it has to see the line as it stands, for `!` and the pipes after it."""
    from xonsh.completers.completer import add_one_completer

    def complete_lmfunction(prefix: str, line: str, begin: int, end: int, ctx: Any) -> Any:
        """Parameters, values, variables and verbs of lmfunction's commands."""
        found = [*_completions(xsh, line[:end], line[end:])]
        return (found, len(prefix)) if found else None

    xsh.completers.pop(_COMPLETER, None)
    add_one_completer(_COMPLETER, complete_lmfunction, "start")


def _completions(xsh: Any, line: str, after: str = "") -> Iterator[Any]:
    """The completions at the end of `line`, when a command of ours stands before it; `after` follows the cursor."""
    found = _command_in(line)
    if found is None:
        return
    from xonsh.completers.tools import RichCompletion

    from lmfunction._completion import complete
    from lmfunction._xonsh import surroundings

    cmdlet, text = found
    for one in complete(text, cmdlet, surroundings(xsh, piped=cmdlet is None), after=after):
        yield RichCompletion(
            one.text,
            prefix_len=len(text) - one.start,
            description=one.about,
            append_space=one.what not in ("variable", "key") and not one.text.endswith("/"),
            provider="lmfunction",
        )


def _command_in(line: str) -> tuple[Cmdlet | None, str] | None:
    """The last command of `line`, when it is one of ours (None for `lm`), and the text that follows its name."""
    found = None
    for match in _COMMAND.finditer(line):
        name = match["name"].removeprefix("%")
        cmdlet = find_cmdlet(name)
        found = (cmdlet, line[match.end() :]) if cmdlet is not None or name == _LM else None
        if found is not None and match["macro"]:
            return found
    if found is not None and re.search(r"[|;&]", _QUOTED.sub("", found[1])):
        return None  # another command has begun
    return found


def _action(text: Any) -> str:
    for action in ACTIONS:
        if str(text).casefold() == action.casefold():
            return action
    raise ValueError(f"$LMFUNCTION_ERROR_ACTION must be one of {', '.join(ACTIONS)}.")


_VARIABLES: Final[dict[str, dict[str, Any]]] = {
    "LMFUNCTION_PROFILE": {"type": "str", "doc": "The profile of lmfunction's commands that name none."},
    "LMFUNCTION_REGION": {"type": "str", "doc": "The region of lmfunction's commands that name none."},
    "LMFUNCTION_ERROR_ACTION": {
        "default": "Stop",
        "validate": ACTIONS.__contains__,
        "convert": _action,
        "doc": f"What a failed function does to lmfunction's commands: {', '.join(ACTIONS)}.",
    },
    "LMFUNCTION_COMPLETE_FUNCTIONS": {
        "type": "bool",
        "default": True,
        "doc": "Whether completion asks Lambda for the names of functions, aliases and versions.",
    },
    "LMFUNCTION_WHAT_IF": {
        "type": "bool",
        "default": False,
        "doc": "Whether lmfunction's commands show what they would send and send nothing.",
    },
    "LMFUNCTION_PROGRESS": {
        "type": "bool",
        "default": True,
        "doc": "Whether lmfunction's commands show how a wait of more than a second goes on.",
    },
}
