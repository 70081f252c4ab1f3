"""`lmfunction local start`: the embedded Lambda for other tools, in the foreground.

Standard output gets four `export NAME=value` lines once it listens, for `eval`; standard error gets a line for each
invocation. SIGINT and SIGTERM end it with status 0.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from lmfunction._names import check_region, parse_function_name
from lmfunction._text import duration, one_line
from lmfunction.errors import JournalError, ParameterError
from lmfunction.local._installed import missing
from lmfunction.local._invocation import Invocation, Outcome
from lmfunction.local._settings import OWN_LOOP, PYTHON_LOOPS, LocalFunction, Settings

EXIT_OK: Final = 0
EXIT_USAGE: Final = 252  # the AWS CLI's status for a line it cannot use
EXIT_FAILED: Final = 255
_LONGEST_DELAY: Final = 21_600.0  # no event is kept longer
_HANDLERS: Final = ("handler", "lambda_handler")


def run_local(argv: Sequence[str]) -> int:
    """Runs `lmfunction local` with the words after `local`; the exit status."""
    try:
        arguments = _parser().parse_args(list(argv))
        settings = _settings(arguments)
    except ParameterError as e:
        _say(f"lmfunction local: {e}")
        return EXIT_USAGE
    except SystemExit:  # argparse has printed the help that was asked for
        return EXIT_OK
    if os.name != "posix":
        _say("lmfunction local: the embedded Lambda runs on Linux and macOS.")
        return EXIT_FAILED
    try:
        asyncio.run(_serve(settings))
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
        "--function",
        action="append",
        default=[],
        metavar="NAME=FILE.py[:HANDLER]",
        help="a function from a file; may be repeated (default handler: handler, or lambda_handler if it has that)",
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


def _settings(arguments: argparse.Namespace) -> Settings:
    if not 0 <= arguments.port <= 65_535:
        raise ParameterError(f"--port {arguments.port} is no port: write 0 to 65535.")
    if not 1 <= arguments.concurrency <= 1_000:
        raise ParameterError(f"--concurrency {arguments.concurrency} is out of range: write 1 to 1000.")
    if arguments.keep_keys and not arguments.state:
        raise ParameterError("--keep-keys keeps the keys in the state folder: give --state DIR as well.")
    settings = Settings(
        region=check_region(arguments.region, parameter="--region"),
        port=arguments.port,
        concurrency=arguments.concurrency,
        retry_delays=_retry_delays(arguments.retry_delays),
        state="" if arguments.state is None else str(Path(arguments.state).expanduser().absolute()),
        keep_keys=arguments.keep_keys,
        python_loop=arguments.python_loop,
        enforce_memory=arguments.enforce_memory,
        functions=tuple(_local_function(text) for text in arguments.function),
    )
    reason = missing(settings)
    if reason is not None:
        raise ParameterError(reason)
    return settings


def _retry_delays(text: str) -> tuple[float, ...]:
    """The seconds in `60,120`; one number stands for both."""
    try:
        delays = tuple(float(part) for part in text.split(","))
    except ValueError:
        delays = ()
    if not (1 <= len(delays) <= 2 and all(0 <= delay <= _LONGEST_DELAY for delay in delays)):
        raise ParameterError(f"--retry-delays {one_line(text, 80)}: write one or two numbers of seconds, as in 60,120.")
    return delays


def _local_function(text: str) -> LocalFunction:
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
    return LocalFunction(name, str(file.parent), f"{file.stem}.{handler[1:] or _default_handler(file)}")


def _default_handler(file: Path) -> str:
    """The usual handler name that `file` defines; found by reading, since importing would run it here."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # the function's own error will say it, when it is invoked
        return _HANDLERS[0]
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return next((name for name in _HANDLERS if name in defined), _HANDLERS[0])


async def _serve(settings: Settings) -> None:
    from lmfunction.local._server import Server, raise_file_limit  # here: `--help` needs none of it

    raise_file_limit()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Server(settings, told=_tell, say=_say) as server:
        exports = {
            "AWS_ENDPOINT_URL_LAMBDA": server.url,
            "AWS_ACCESS_KEY_ID": server.keys.access_key,
            "AWS_SECRET_ACCESS_KEY": server.keys.secret_key,
            "AWS_DEFAULT_REGION": settings.region,
        }
        # All values are made of letters, digits and :/._- and need no quotes.
        sys.stdout.write("".join(f"export {name}={value}\n" for name, value in exports.items()))
        sys.stdout.flush()
        await stopped.wait()


def _tell(invocation: Invocation, kind: str, outcome: Outcome) -> None:
    """One line for one attempt; the payload is not shown."""
    ended = "ok" if outcome.error is None else "failed"
    now = time.strftime("%H:%M:%S")
    name = invocation.configuration.name
    _say(f"{now} {name} {kind} {ended} {duration(outcome.duration_ms)} {invocation.request_id}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
