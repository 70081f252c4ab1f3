"""The words of an `aws lambda invoke` line: the AWS CLI's own options, read by the AWS CLI's own rules.

The AWS CLI reads a line three times with argparse: global options up to the service, then the operation, then the
operation's options; each time an option may be shortened or written `--option=value`. So does this module. The options
are those of version 1; what only version 2 or only lmfunction has must be written in full, so that each abbreviation of
version 1 keeps its meaning.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from lmfunction._text import did_you_mean, one_line
from lmfunction.errors import ParameterError

OUTPUTS: Final = ("json", "text", "table", "yaml", "yaml-stream", "off")
# Option -> the member of the API; in the order of the API model, which a skeleton follows.
MEMBERS: Final[Mapping[str, str]] = {
    "--function-name": "FunctionName",
    "--invocation-type": "InvocationType",
    "--log-type": "LogType",
    "--client-context": "ClientContext",
    "--durable-execution-name": "DurableExecutionName",
    "--payload": "Payload",
    "--qualifier": "Qualifier",
    "--tenant-id": "TenantId",
}
# Options that version 1 of the AWS CLI does not have for this command: never meant by an abbreviation.
_IN_FULL: Final = frozenset(
    [
        "--cli-binary-format",
        "--no-cli-pager",
        "--cli-auto-prompt",
        "--no-cli-auto-prompt",
        "--cli-error-format",
        "--cli-input-json",
        "--cli-input-yaml",
        "--generate-cli-skeleton",
        "--fail-on-function-error",
    ]
)
_SHELL_WORDS: Final = frozenset(["|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1", "&>", "#"])


@dataclass(frozen=True)
class CommandLine:
    """One line, read but not interpreted: `members` are the API's, as text; options that were not given are None."""

    members: Mapping[str, str] = field(default_factory=dict)
    outfile: str | None = None
    query: str | None = None
    output: str | None = None
    color: str = "auto"
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    verify_ssl: bool = True
    ca_bundle: str | None = None
    sign_request: bool = True
    read_timeout: int | None = None
    connect_timeout: int | None = None
    binary_format: str = "raw-in-base64-out"
    error_format: str = "enhanced"
    input_json: str | None = None
    input_yaml: str | None = None
    skeleton: str | None = None
    fail_on_function_error: bool = False
    debug: bool = False
    v2_debug: bool = False
    wants: str | None = None  # "help" or "version" instead of a call


def read_command_line(words: Sequence[str]) -> CommandLine:
    """What the words after `aws` ask for. Raises ParameterError for what the AWS CLI would not take either."""
    try:
        shared, rest = _global_parser().parse_known_args(words)
        if shared.command == "help":
            raise _Asked("help")
        named, rest = _command_parser("operation", "invoke").parse_known_args(rest)
        if named.operation == "help" or rest == ["help"]:
            raise _Asked("help")
        own, unknown = _operation_parser(rest).parse_known_args(rest)
    except _Asked as asked:
        return CommandLine(wants=asked.what)
    unknown += [] if own.surplus is None else [own.surplus]
    if unknown:
        raise _unknown(unknown)
    if shared.cli_auto_prompt:
        raise ParameterError(
            "--cli-auto-prompt: nothing prompts here; leave it out. %invoke_lm completes names in IPython.",
            parameter="--cli-auto-prompt",
        )
    given = {member: getattr(own, member) for member in MEMBERS.values()}
    return CommandLine(
        members={name: value for name, value in given.items() if value is not None},
        outfile=own.outfile,
        query=shared.query,
        output=shared.output,
        color=shared.color,
        profile=shared.profile or None,
        region=shared.region or None,
        endpoint_url=_endpoint_url(shared.endpoint_url),
        verify_ssl=shared.verify_ssl,
        ca_bundle=shared.ca_bundle,
        sign_request=shared.sign_request,
        read_timeout=_seconds("--cli-read-timeout", shared.read_timeout),
        connect_timeout=_seconds("--cli-connect-timeout", shared.connect_timeout),
        binary_format=shared.cli_binary_format,
        error_format=shared.cli_error_format,
        input_json=own.cli_input_json,
        input_yaml=own.cli_input_yaml,
        skeleton=own.generate_cli_skeleton,
        fail_on_function_error=own.fail_on_function_error,
        debug=shared.debug,
        v2_debug=shared.v2_debug,
    )


class _Asked(Exception):  # noqa: N818 - it ends the reading as argparse's own exit does, and is no error
    """The line asks for help or the version, and for nothing else."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class _Version(argparse.Action):
    """`--version` wherever it stands: what follows it is not read any more."""

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise _Asked("version")


class _Parser(argparse.ArgumentParser):
    """argparse as the AWS CLI sets it up; it raises ParameterError and never prints or exits."""

    def __init__(self) -> None:
        super().__init__(prog="aws", add_help=False)

    def error(self, message: str) -> NoReturn:
        raise ParameterError(_explained(one_line(message, 300)))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        shown = one_line(str(value), 40)
        if not action.option_strings:
            raise ParameterError(
                f"'{shown}' is not understood here: of the AWS CLI's commands lmfunction knows `aws lambda invoke`."
            )
        name, choices = action.option_strings[0], list(map(str, action.choices))
        raise ParameterError(
            f"{name} is '{shown}'; it must be one of {', '.join(choices)}.{did_you_mean(str(value), choices)}",
            parameter=name,
        )

    def _get_option_tuples(self, option_string: str) -> Any:
        return [found for found in super()._get_option_tuples(option_string) if found[1] not in _IN_FULL]


def _command_parser(destination: str, command: str) -> _Parser:
    parser = _Parser()
    parser.add_argument(destination, choices=(command, "help"))
    return parser


def _global_parser() -> _Parser:
    parser = _command_parser("command", "lambda")
    for name in ("--endpoint-url", "--query", "--profile", "--region", "--ca-bundle"):
        parser.add_argument(name)
    # --no-paginate and --no-cli-pager ask for what is so here anyhow: Invoke has one page, and nothing pages.
    for name in ("--debug", "--v2-debug", "--no-cli-pager", "--cli-auto-prompt", "--no-cli-auto-prompt"):
        parser.add_argument(name, action="store_true")
    for name in ("verify-ssl", "paginate", "sign-request"):
        parser.add_argument(f"--no-{name}", action="store_false", dest=name.replace("-", "_"))
    parser.add_argument("--version", action=_Version, nargs=0)
    parser.add_argument("--output", choices=OUTPUTS)
    parser.add_argument("--color", choices=("on", "off", "auto"), default="auto")
    parser.add_argument("--cli-read-timeout", dest="read_timeout")
    parser.add_argument("--cli-connect-timeout", dest="connect_timeout")
    raw = "raw-in-base64-out"
    parser.add_argument("--cli-binary-format", choices=("base64", raw), default=raw)
    formats = ("legacy", "json", "yaml", "text", "table", "enhanced")
    parser.add_argument("--cli-error-format", choices=formats, default="enhanced")
    return parser


def _operation_parser(words: Sequence[str]) -> _Parser:
    """The parser of what follows `invoke`: what other words in the line replace is not required."""
    names = {word.partition("=")[0] for word in words}
    skeleton_alone = "--generate-cli-skeleton" in names and not _asks_for_output(words)
    from_document = bool(names & {"--cli-input-json", "--cli-input-yaml"})
    parser = _Parser()
    for option, member in MEMBERS.items():
        required = option == "--function-name" and not (skeleton_alone or from_document)
        parser.add_argument(option, dest=member, required=required)
    parser.add_argument("outfile", nargs="?" if skeleton_alone else None)
    parser.add_argument("surplus", nargs="?")  # where the AWS CLI expects `help`
    parser.add_argument("--cli-input-json")
    parser.add_argument("--cli-input-yaml")
    kinds = ("input", "yaml-input", "output")
    parser.add_argument("--generate-cli-skeleton", nargs="?", const="input", choices=kinds)
    parser.add_argument("--fail-on-function-error", action="store_true")
    return parser


def _asks_for_output(words: Sequence[str]) -> bool:
    """Whether the skeleton is that of the output, which needs a whole line: the AWS CLI then checks it too."""
    option = "--generate-cli-skeleton"
    follower = dict(itertools.pairwise(words)).get(option)
    return follower == "output" or f"{option}=output" in words


def _explained(message: str) -> str:
    """The message of argparse without a value in it (`--q=SECRET`), and with what it leaves out."""
    message = re.sub(r"(?s)^(ambiguous option: [^=]*?)=.* could match", r"\1 could match", message)
    if "required: " in message and "outfile" in message:
        message += " (outfile takes what the function answers; - is standard output)"
    return f"{message[:1].upper()}{message[1:]}."


def _unknown(words: Sequence[str]) -> ParameterError:
    shell = [word for word in words if word in _SHELL_WORDS]
    if shell:
        return ParameterError(
            f"'{shell[0]}' is the shell's word, and no shell reads this line: it takes one `aws lambda invoke` alone."
        )
    # A value that nothing claimed may be a payload: only the options are repeated.
    options = [one_line(word.partition("=")[0], 40) for word in words if word.startswith("-")]
    if options:
        hint = did_you_mean(options[0], [*MEMBERS, *_IN_FULL])
        return ParameterError(f"Unknown options: {', '.join(options)}.{hint}")
    number = len(words)
    return ParameterError(
        f"{number} {'word' if number == 1 else 'words'} too many after the outfile: is a quote missing?"
    )


def _seconds(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"\s*\+?\d{1,9}\s*", text, re.ASCII):
        raise ParameterError(
            f"{option} is '{one_line(text, 40)}'; it must be a whole number of seconds, 0 for no limit.",
            parameter=option,
        )
    return int(text)


def _endpoint_url(text: str | None) -> str | None:
    if text is not None and ":" not in text and text != "embedded":
        raise ParameterError(
            f"--endpoint-url '{one_line(text, 80)}' has no scheme: write https://HOST/ (or `embedded`).",
            parameter="--endpoint-url",
        )
    return text
