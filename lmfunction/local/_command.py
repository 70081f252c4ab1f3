"""`lmfunction local start`: the embedded Lambda for other tools, in the foreground.

Standard output gets four `export NAME=value` lines once it listens, for `eval`; standard error gets what is served,
and a line for each invocation. SIGINT and SIGTERM end it with status 0.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from lmfunction._names import check_region, parse_function_name
from lmfunction._text import duration, one_line
from lmfunction.errors import JournalError, ParameterError
from lmfunction.local._definition import Code, Definition
from lmfunction.local._folder import FOLDER_TIMEOUT, HANDLERS, default_handler, read_folder
from lmfunction.local._functions import OWN_RUNTIME
from lmfunction.local._installed import missing
from lmfunction.local._invocation import Invocation, Outcome
from lmfunction.local._settings import OWN_LOOP, PYTHON_LOOPS, Settings

EXIT_OK: Final = 0
EXIT_USAGE: Final = 252  # the AWS CLI's status for a line it cannot use
EXIT_FAILED: Final = 255
_LONGEST_DELAY: Final = 21_600.0  # no event is kept longer
_OLDEST_MINOR: Final = 11


def run_local(argv: Sequence[str]) -> int:
    """Runs `lmfunction local` with the words after `local`; the exit status."""
    try:
        arguments = _parser().parse_args(list(argv))
        settings, runtime = _settings(arguments)
        definitions, notices = _definitions(arguments, runtime)
    except ParameterError as e:
        _say(f"lmfunction local: {e}")
        return EXIT_USAGE
    except SystemExit:  # argparse has printed the help that was asked for
        return EXIT_OK
    if os.name != "posix":
        _say("lmfunction local: the embedded Lambda runs on Linux and macOS.")
        return EXIT_FAILED
    try:
        asyncio.run(_serve(settings, definitions, notices))
    except JournalError as e:
        _say(f"lmfunction local: {e}")
        return EXIT_FAILED
    except OSError as e:
        _say(f"lmfunction local: cannot listen on port {settings.port}: {e.strerror}.")
        return EXIT_FAILED
    return EXIT_OK


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are raised, so that there is one place that says them."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(f"{message[:1].upper()}{message[1:]}. `lmfunction local --help` shows the usage.")


def _parser() -> _Parser:
    parser = _Parser(prog="lmfunction local", add_help=False, description="The embedded Lambda for other tools.")
    _add_help(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="start")
    start = commands.add_parser(
        "start",
        add_help=False,
        help="serve until Ctrl-C",
        description="Prints the environment variables for SDKs and the AWS CLI, then serves until SIGINT or SIGTERM.",
    )
    _add_help(start)
    start.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)")
    start.add_argument("--region", default="us-east-1", metavar="R", help="region it answers for (default: us-east-1)")
    start.add_argument(
        "--concurrency", type=int, default=100, metavar="N", help="invocations that run at once (default: 100)"
    )
    start.add_argument(
        "--python-loop",
        choices=PYTHON_LOOPS,
        default=OWN_LOOP,
        help="what runs Python functions: our own loop, or AWS's client, which must be installed (default: own)",
    )
    start.add_argument(
        "--enforce-memory",
        action="store_true",
        help="kill a function that takes more memory than it has, as AWS does (Linux)",
    )
    start.add_argument(
        "--template",
        metavar="FILE",
        help="the functions of a SAM or CloudFormation template, run from their sources",
    )
    start.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; may be repeated (default: the template's own)",
    )
    start.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="DIR",
        help="a function's folder, or a folder of such folders and .py files; may be repeated",
    )
    start.add_argument(
        "--function",
        action="append",
        default=[],
        metavar="NAME=FILE.py[:HANDLER]",
        help="a function from a file; may be repeated (default handler: handler, or lambda_handler if it has that)",
    )
    start.add_argument(
        "--python",
        metavar="PATH",
        help="the interpreter, or its virtual environment, that has what the functions import (default: this one)",
    )
    start.add_argument(
        "--retry-delays",
        default="60,120",
        metavar="S[,S]",
        help="seconds before the further attempts of an asynchronous invocation (default: 60,120 as on AWS)",
    )
    start.add_argument(
        "--state",
        metavar="DIR",
        help="a folder in which functions and accepted events outlive the server (default: they end with it)",
    )
    start.add_argument(
        "--keep-keys", action="store_true", help="with --state: the same access keys at every start (default: new ones)"
    )
    return parser


def _add_help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-?", "-h", "--help", action="help", help="show this and stop")


def _settings(arguments: argparse.Namespace) -> tuple[Settings, str]:
    """The settings, and the runtime of their interpreter."""
    if not 0 <= arguments.port <= 65_535:
        raise ParameterError(f"--port {arguments.port} is no port: write 0 to 65535.")
    if not 1 <= arguments.concurrency <= 1_000:
        raise ParameterError(f"--concurrency {arguments.concurrency} is out of range: write 1 to 1000.")
    if arguments.keep_keys and not arguments.state:
        raise ParameterError("--keep-keys keeps the keys in the state folder: give --state DIR as well.")
    python, runtime = _interpreter(arguments.python)
    settings = Settings(
        region=check_region(arguments.region, parameter="--region"),
        port=arguments.port,
        concurrency=arguments.concurrency,
        retry_delays=_retry_delays(arguments.retry_delays),
        state="" if arguments.state is None else str(Path(arguments.state).expanduser().absolute()),
        keep_keys=arguments.keep_keys,
        python=python,
        python_loop=arguments.python_loop,
        enforce_memory=arguments.enforce_memory,
    )
    reason = missing(settings)
    if reason is not None:
        raise ParameterError(reason)
    return settings, runtime


def _retry_delays(text: str) -> tuple[float, ...]:
    """The seconds in `60,120`; one number stands for both."""
    try:
        delays = tuple(float(part) for part in text.split(","))
    except ValueError:
        delays = ()
    if not (1 <= len(delays) <= 2 and all(0 <= delay <= _LONGEST_DELAY for delay in delays)):
        raise ParameterError(f"--retry-delays {one_line(text, 80)}: write one or two numbers of seconds, as in 60,120.")
    return delays


def _local_function(text: str, python_runtime: str) -> Definition:
    """The function that `NAME=path/to/file.py[:handler]` describes."""
    name, equals, place = text.partition("=")
    start, dot_py, handler = place.rpartition(".py")
    if not (equals and dot_py and start) or (handler and not handler.startswith(":")):
        raise ParameterError(
            f"--function {one_line(text, 80)}: write NAME=path/to/file.py or NAME=path/to/file.py:HANDLER."
        )
    parsed = parse_function_name(name, parameter="--function NAME")
    if parsed.text != parsed.name:
        raise ParameterError(f"--function {one_line(text, 80)}: the name must be a bare name.")
    file = Path(f"{start}.py").resolve()
    if not file.is_file():
        raise ParameterError(f"--function {name}: there is no file {one_line(str(file), 200)}.")
    if "." in file.stem:
        raise ParameterError(f"--function {name}: a module's file name has no further dots, as in my_file.py.")
    members = {
        "Handler": f"{file.stem}.{handler[1:] or default_handler(file) or HANDLERS[0]}",
        "Runtime": python_runtime,
        "Timeout": FOLDER_TIMEOUT,
    }
    return Definition(name, str(file), Code(folder=file.parent), members)


def _definitions(arguments: argparse.Namespace, python_runtime: str) -> tuple[tuple[Definition, ...], tuple[str, ...]]:
    """The functions of all options, and what of the template was not read. The same name twice is an error."""
    parameters = dict(_parameter(text) for text in arguments.parameter)
    if parameters and not arguments.template:
        raise ParameterError("--parameter is for a template: give --template FILE as well.")
    found: list[Definition] = []
    notices: tuple[str, ...] = ()
    if arguments.template:
        from lmfunction.local._template import read_template  # here: most starts need no YAML

        file = Path(arguments.template).expanduser()
        template = read_template(file, parameters, region=arguments.region)
        found += template.definitions
        notices = template.notices
    for folder in arguments.folder:
        found += read_folder(Path(folder), python_runtime=python_runtime)
    found += [_local_function(text, python_runtime) for text in arguments.function]
    places: dict[str, Definition] = {}
    for definition in found:
        other = places.setdefault(definition.name, definition)
        if other is not definition:
            raise ParameterError(f"Two functions are called {definition.name}: {other.place} and {definition.place}.")
    return tuple(found), notices


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ParameterError(f"--parameter {one_line(text, 80)}: write NAME=VALUE.")
    return name, value


def _interpreter(text: str | None) -> tuple[str, str]:
    """The interpreter that `--python` names, or a virtual environment's, and the runtime it is: `python3.12`."""
    if text is None:
        return sys.executable, OWN_RUNTIME
    given = Path(text).expanduser()
    program = str(given / "bin" / "python") if given.is_dir() else shutil.which(str(given)) or str(given)
    question = "import sys; print('python%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that the user chose
            [program, "-c", question], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        done = None
    runtime = done.stdout.strip() if done is not None and done.returncode == 0 else ""
    minor = runtime.removeprefix("python3.")
    if not (minor.isdecimal() and runtime.startswith("python3.") and int(minor) >= _OLDEST_MINOR):
        shown = one_line(program, 200)
        raise ParameterError(f"--python: {shown} is no Python 3.{_OLDEST_MINOR} or later{_found(runtime)}.")
    return os.path.abspath(program), runtime  # noqa: PTH100 - a link to an interpreter is its virtual environment


def _found(runtime: str) -> str:
    return f", but {runtime}" if runtime.startswith("python") else ""


async def _serve(settings: Settings, definitions: Sequence[Definition], notices: Sequence[str]) -> None:
    # Here: `--help` needs none of it.
    from lmfunction._open_files import FILES_OF_A_SERVER, let_open
    from lmfunction.local._server import Server, collect_less_often

    let_open(FILES_OF_A_SERVER)
    collect_less_often()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    for notice in notices:
        _say(notice)
    async with Server(settings, told=_tell, say=_say, definitions=definitions) as server:
        exports = {
            "AWS_ENDPOINT_URL_LAMBDA": server.url,
            "AWS_ACCESS_KEY_ID": server.keys.access_key,
            "AWS_SECRET_ACCESS_KEY": server.keys.secret_key,
            "AWS_DEFAULT_REGION": settings.region,
        }
        _say("\n".join(_introduction(server.url, server.served)))
        # All values are made of letters, digits and :/._- and need no quotes.
        sys.stdout.write("".join(f"export {name}={value}\n" for name, value in exports.items()))
        sys.stdout.flush()
        await stopped.wait()


def _introduction(url: str, served: Sequence[Definition]) -> list[str]:
    """What a person is told at the start: each function with handler, runtime and source."""
    samples = "the samples hello, echo, fail and slow"
    lines = [f"Serving at {url}: {'' if not served else f'{len(served)} of your functions, and '}{samples}"]
    lines += [f"  {definition.described}" for definition in served]
    return [*lines, f"For their logs: export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS={url}"]


def _tell(invocation: Invocation, kind: str, outcome: Outcome) -> None:
    """One line for one attempt; the payload is not shown."""
    ended = "ok" if outcome.error is None else "failed"
    now = time.strftime("%H:%M:%S")
    name = invocation.configuration.name
    cold = "warm" if outcome.init_ms is None else f"cold ({duration(outcome.init_ms)})"
    figures = f"{duration(outcome.duration_ms)} {cold} {outcome.memory_mb} MB"
    _say(f"{now} {name} {kind} {ended} {figures} {invocation.request_id}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
