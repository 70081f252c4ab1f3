"""How the process of each runtime is started: Python and Node by loops of ours, any other by its own `bootstrap`.

One interpreter runs all versions of a language: the Python of this server, and the `node` that PATH leads to. What a
runtime's version changes in behaviour, the loops read from AWS_EXECUTION_ENV.

Sources: runtime identifiers and wrapper scripts, Lambda developer guide; texts as AWS's own bootstrap scripts and
its open runtime emulator write them.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lmfunction.local._functions import Configuration
from lmfunction.local._settings import AWSLAMBDARIC, OWN_LOOP
from lmfunction.local._variables import Host

NODE_LOOP: Final = Path(__file__).with_name("_node_loop.mjs")
LIFE: Final = "{life}"  # stands in a command for the number of the pipe that ends with the server
CALLS: Final = "{calls}"  # and this for that of a socket which is connected to the Runtime API
WRAPPER: Final = "AWS_LAMBDA_EXEC_WRAPPER"
_TASK_ROOT: Final = "/var/task/"
_NO_BOOTSTRAP: Final = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
_NO_NODE: Final = (
    "the runtime {runtime} needs Node.js, and there is no `node` on the PATH of the embedded Lambda: install it "
    "(https://nodejs.org, `apt install nodejs`, `brew install node`); the next invocation finds it"
)
# Elsewhere than on Linux (see `_process`) a program that knows nothing of us needs a companion that kills its group.
_SHEPHERD: Final = """import os, sys
if os.fork():
    os.execv(sys.argv[2], sys.argv[2:])
life = int(sys.argv[1])
os.closerange(0, life)
os.read(life, 1)
os.killpg(0, 9)"""
_SHEPHERDED: Final = (sys.executable, "-I", "-S", "-c", _SHEPHERD, LIFE)


class StartError(Exception):
    """There is nothing to start; the message is Lambda's, of the type Runtime.InvalidEntrypoint."""


@dataclass(frozen=True, slots=True)
class Command:
    """What starts a runtime. LIFE and CALLS among the `words` are to be replaced. `framed`: it logs in frames."""

    words: tuple[str, ...]
    framed: bool = False


def command_of(configuration: Configuration, host: Host, *, platform: str = sys.platform) -> Command:
    """The command that runs `configuration`. Raises StartError."""
    runtime, folder = configuration.runtime, configuration.folder
    if runtime.startswith("provided"):
        return Command((*(() if platform == "linux" else _SHEPHERDED), _bootstrap(folder)))
    wrapper = configuration.variables.get(WRAPPER)
    before = _wrapped(wrapper, folder) if wrapper else ()
    if runtime.startswith("nodejs"):
        return Command((*before, _node(runtime), str(NODE_LOOP), LIFE))
    client = CALLS if host.python_loop == OWN_LOOP else host.python_loop
    words = (*before, host.python, "-P", "-u", str(host.loop), LIFE, client)
    return Command(words, framed=host.python_loop == AWSLAMBDARIC)


def start_fault(command: Command, folder: Path, error: OSError) -> str:
    """Why the operating system did not start `command`, in the words of Lambda's own supervisor."""
    program = Path(command.words[0])
    if error.filename != command.words[0]:
        return f"the runtime could not be started: {error}"
    shown = f"{_TASK_ROOT}{program.relative_to(folder)}" if program.is_relative_to(folder) else str(program)
    return f"fork/exec {shown}: {os.strerror(error.errno).lower() if error.errno else error}"


def _bootstrap(folder: Path) -> str:
    found = folder / "bootstrap"
    if not found.is_file():
        raise StartError(_NO_BOOTSTRAP)
    return str(found)


def _node(runtime: str) -> str:
    found = shutil.which("node")
    if found is None:
        raise StartError(_NO_NODE.format(runtime=runtime))
    return found


def _wrapped(wrapper: str, folder: Path) -> tuple[str, ...]:
    """What goes before the runtime's own command; a wrapper that is not there says so and ends as AWS's script does."""
    path = folder / (wrapper.removeprefix(_TASK_ROOT) if wrapper.startswith(_TASK_ROOT) else wrapper)
    if not path.is_file():
        return ("/bin/sh", "-c", 'echo "$0: does not exist"; exit 127', wrapper)
    if not os.access(path, os.X_OK):
        return ("/bin/sh", "-c", 'echo "$0: is not an executable"; exit 126', wrapper)
    return (str(path),)
