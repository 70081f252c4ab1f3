"""The AWS CLI's dialect: `aws lambda invoke ...` taken as it was pasted, printed as the AWS CLI prints it.

Below the words it is Invoke-LMFunction: profiles, checks, guards, one command one invocation. What the AWS CLI does
not do: `-` as outfile is the standard output; nothing is sent when the outfile cannot be written, and it is never left
half written; no limit of 60 s; --cli-input-json, --cli-input-yaml, --generate-cli-skeleton, --fail-on-function-error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lmfunction import _cmdlets
from lmfunction._awscli_input import choices_of, parameter_of, read_members
from lmfunction._awscli_options import MEMBERS, OUTPUTS, CommandLine, read_command_line
from lmfunction._awscli_outfile import check_outfile, is_standard_output, write_outfile
from lmfunction._awscli_output import formatted
from lmfunction._client import Connections
from lmfunction._connection import ambient_output
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._model import InvokeResult
from lmfunction._select import compile_expression
from lmfunction._table import INVOKE
from lmfunction._text import ascii_only, shorten, visible
from lmfunction._transport import Transport
from lmfunction.errors import LMError, ParameterError, ProfileError, ServiceError

_NO_LIMIT: Final = 86_400  # seconds; a function runs 900 at most
# What the AWS CLI prints of an answer, in its order: the API model's.
_SHOWN: Final[Mapping[str, str]] = {
    "StatusCode": "status_code",
    "FunctionError": "function_error",
    "LogResult": "log_result",
    "ExecutedVersion": "executed_version",
    "DurableExecutionArn": "durable_execution_arn",
}
_OPTION_OF: Final = {
    **{parameter_of(member): option for option, member in MEMBERS.items()},
    "ClientContext": "--client-context",
    "ProfileName": "--profile",
    "Region": "--region",
    "EndpointUrl": "--endpoint-url",
    "TimeoutSec": "--cli-read-timeout",
}
_PARAMETER: Final = re.compile(rf"(?<![\w-])-?({'|'.join(_OPTION_OF)})(?![\w-])")


@dataclass(frozen=True)
class Screen:
    """Where the standard output goes. `write_bytes` None: to a person, who gets control characters as escapes."""

    write: Callable[[str], None]
    write_bytes: Callable[[bytes], None] | None = None
    color: bool = False
    width: int = 80

    def write_payload(self, content: bytes, *, alone: bool) -> None:
        """Writes an answer: byte for byte, and on a line of its own where a person or something else follows."""
        ended = content.endswith(b"\n") or not content
        if self.write_bytes is None:
            self.write(visible(content.decode("utf-8", "backslashreplace")) + ("" if ended else "\n"))
        else:
            self.write_bytes(content if alone or ended else content + b"\n")


def split_line(line: str) -> list[str]:
    """The words after `aws` of a line as it is pasted into a notebook, quoted as a POSIX shell quotes.

    The line is what stands after `aws lambda invoke`, or has these words too. `~/` that begins a word is the home
    folder; nothing else is expanded.
    """
    try:
        words = [_at_home(word) for word in shlex.split(line.replace("\\\n", " "))]
    except ValueError as error:
        raise ParameterError(f"The line cannot be read as a shell reads it: {str(error).lower()}.") from None
    if words[:1] == ["aws"] and "lambda" in words:
        return words[1:]
    return words if words[:2] == ["lambda", "invoke"] else ["lambda", "invoke", *words]


def _at_home(word: str) -> str:
    return os.path.expanduser(word) if word.startswith("~/") else word  # noqa: PTH111 - it need not be a path


def run_aws(
    words: Sequence[str], engine: Engine, door: Door, screen: Screen, defaults: Mapping[str, Any] | None = None
) -> None:
    """Runs the words after `aws` and prints what the AWS CLI prints. `defaults` are the door's, by parameter name.

    Raises LMError: ParameterError and ProfileError before anything is sent, FunctionError only when
    --fail-on-function-error (or a profile's ErrorAction) asks for it.
    """
    line = read_command_line(words)
    if line.wants is not None:
        screen.write(_VERSION if line.wants == "version" else HELP)
        return
    if line.skeleton in ("input", "yaml-input"):
        screen.write(_skeleton(as_yaml=line.skeleton == "yaml-input"))
        return
    silent = dataclasses.replace(door, progress=tuple)  # as the AWS CLI is while it waits
    try:
        _run(line, engine, silent, screen, defaults or {})
    except (ParameterError, ProfileError) as error:
        if str(getattr(error, "parameter", "")).startswith("--"):
            raise  # it speaks of an option already
        error.args = (_PARAMETER.sub(lambda m: _OPTION_OF[m[1]], str(error.args[0])),)
        raise


def error_text(error: LMError, words: Sequence[str]) -> str:
    """The error as --cli-error-format in `words` wants it; a few lines when it wants nothing special."""
    try:
        wanted = read_command_line(words).error_format
    except ParameterError:
        wanted = "legacy"
    if wanted not in OUTPUTS:
        return f"{type(error).__name__}: {error}"
    code = error.code if isinstance(error, ServiceError) and error.code else type(error).__name__
    return formatted({"Code": code, "Message": str(error)}, wanted, title="Error").rstrip("\n")


def _run(line: CommandLine, engine: Engine, door: Door, screen: Screen, defaults: Mapping[str, Any]) -> None:
    members = read_members(line, door.scope)
    values = {**defaults, **members, **_settings(line)}
    _check(line)
    output = line.output or _ambient_output(values, engine, door)
    query = compile_expression(line.query, None, parameter="--query") if line.query is not None else None

    def show(found: Mapping[str, Any]) -> None:
        value = query.search(found) if query is not None else found
        color = line.color == "on" or (line.color == "auto" and screen.color)
        screen.write(formatted(value, output, color=color, width=screen.width))

    if line.skeleton == "output":
        planning = dataclasses.replace(door, what_if=True, show=lambda _: None)
        _cmdlets.invoke(values, dataclasses.replace(engine, audits=None), planning, lambda _: None)
        show({name: 0 if name == "StatusCode" else name for name in _SHOWN})
        return

    def deliver(result: InvokeResult) -> None:
        assert line.outfile is not None
        to_screen = is_standard_output(line.outfile)
        quiet = line.outfile == "-" and line.query is None and line.output is None
        if to_screen:
            screen.write_payload(result.raw_payload, alone=quiet or line.outfile != "-")
        else:
            write_outfile(line.outfile, result.raw_payload, request_id=result.request_id)
        _tell_answer(line, result, door)
        if not quiet:
            show(_metadata(result, safe=screen.write_bytes is None))

    _tell_line(line, members, door)
    action = "Stop" if line.fail_on_function_error else "SilentlyContinue"
    changes = _changes(line)
    if not changes:
        _cmdlets.invoke(values, engine, dataclasses.replace(door, error_action=action), deliver)
        return
    connections = _Altered(changes)
    try:
        altered = dataclasses.replace(engine, connections=connections)
        _cmdlets.invoke(values, altered, dataclasses.replace(door, error_action=action), deliver)
    finally:
        connections.close()


class _Altered(Connections):
    """Connections that differ in how they trust and sign, for one command."""

    def __init__(self, changes: Mapping[str, Any]) -> None:
        super().__init__()
        self._changes = changes

    def transport(self, place: Any) -> Transport:
        connection = dataclasses.replace(place.connection, **self._changes)
        return super().transport(dataclasses.replace(place, connection=connection))


def _changes(line: CommandLine) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not line.verify_ssl:
        found["verify"] = False
    elif line.ca_bundle is not None:
        found["verify"] = line.ca_bundle
    if not line.sign_request:
        found["signed"] = False
    return found


def _settings(line: CommandLine) -> dict[str, Any]:
    """The line's global options by parameter of Invoke-LMFunction."""
    read = line.read_timeout
    given = {
        "ProfileName": line.profile,
        "Region": line.region,
        "EndpointUrl": line.endpoint_url,
        "TimeoutSec": _NO_LIMIT if read == 0 else read,
        "ClientConfig": None if line.connect_timeout is None else {"connect_timeout": line.connect_timeout or None},
        "Debug": line.debug or None,
        "AllowDuplicateKeys": True,  # the payload is the line's, as it stands
    }
    return {name: value for name, value in given.items() if value is not None}


def _check(line: CommandLine) -> None:
    if line.outfile is not None:
        check_outfile(line.outfile)
    if line.verify_ssl and line.ca_bundle is not None and not Path(line.ca_bundle).exists():
        raise ParameterError(f"--ca-bundle: there is no file {ascii_only(shorten(line.ca_bundle, 80))}.")


def _ambient_output(values: Mapping[str, Any], engine: Engine, door: Door) -> str:
    """The output format of the environment, else that of the AWS profile in use, else JSON."""
    output = door.scope.environ.get("AWS_DEFAULT_OUTPUT")
    if not output:
        gathered = gather(INVOKE, values, engine)
        of_ours = gathered.profile.name and gathered.aws_profile is None
        output = (None if of_ours else ambient_output(gathered.aws_profile)) or "json"
    if output not in OUTPUTS:
        raise ProfileError(
            f"The configured output '{ascii_only(shorten(output, 40))}' is not one of {', '.join(OUTPUTS)}."
        )
    return output


def _metadata(result: InvokeResult, *, safe: bool) -> dict[str, Any]:
    found = {name: getattr(result, attribute) for name, attribute in _SHOWN.items()}
    return {
        name: visible(value, one_line=True) if safe and isinstance(value, str) else value
        for name, value in found.items()
        if value is not None
    }


def _tell_line(line: CommandLine, members: Mapping[str, Any], door: Door) -> None:
    """For --debug: what was read, without a value of it. For --v2-debug: what version 2 would read otherwise."""
    if line.debug:
        names = [option for option, member in MEMBERS.items() if parameter_of(member) in members]
        payload = members.get("Payload", b"")
        door.tell("verbose", f"options: {' '.join(names)}; --payload has {len(payload)} characters or bytes")
    text = line.members.get("Payload", "")
    if line.v2_debug and text and not text.startswith("fileb://") and line.binary_format != "base64":
        door.tell(
            "warning",
            "Version 2 of the AWS CLI reads this --payload as base64, unless --cli-binary-format raw-in-base64-out "
            "or fileb:// is given.",
        )


def _tell_answer(line: CommandLine, result: InvokeResult, door: Door) -> None:
    if line.debug:
        door.tell(
            "verbose",
            f"answer: {result.status_code}, {len(result.raw_payload)} bytes, {result.elapsed_ms:.0f} ms, "
            f"RequestId {result.request_id}",
        )


def _skeleton(*, as_yaml: bool) -> str:
    """An input to fill in, which as it stands asks for what is asked for without it."""
    values = {member: next(iter(_default_first(member)), "") for member in MEMBERS.values()}
    if not as_yaml:
        return json.dumps(values, indent=4) + "\n"
    lines = []
    for member, value in values.items():
        parameter = INVOKE.by_name[parameter_of(member)]
        required = "[REQUIRED] " if member == "FunctionName" else ""
        choices = f" Valid values are: {', '.join(choices_of(member))}." if choices_of(member) else ""
        shown = json.dumps(value) if value in ("", "None") else value
        lines.append(f"{member}: {shown}  # {required}{parameter.help}{choices}\n")
    return "".join(lines)


def _default_first(member: str) -> list[str]:
    choices = choices_of(member)
    default = INVOKE.by_name[parameter_of(member)].default
    return [default] if choices and default else list(choices)


_VERSION: Final = "lmfunction (reads the lines of aws-cli 1 and 2: aws lambda invoke)\n"
HELP: Final = """\
usage: lmfunction aws [options] lambda invoke --function-name NAME [options] OUTFILE
       %aws_lambda_invoke --function-name NAME [options] OUTFILE          in IPython and Jupyter

An `aws lambda invoke` line as it is: the answer goes to OUTFILE (- is standard output), the rest to stdout.

  --function-name  --payload  --invocation-type  --log-type  --client-context (base64)  --qualifier
  --tenant-id  --durable-execution-name           values: text, file://TEXT-FILE, fileb://FILE
  --cli-input-json, --cli-input-yaml              all of these at once, as text or file://
  --generate-cli-skeleton [input|yaml-input|output]
  --query JMESPATH  --output json|text|table|yaml|yaml-stream|off  --color on|off|auto
  --profile (a YAML profile of lmfunction, such as `local`, else one of ~/.aws)  --region  --endpoint-url
  --cli-read-timeout, --cli-connect-timeout SECONDS   (default 930 and 5; 0 is no limit)
  --cli-binary-format base64|raw-in-base64-out    (default: the payload as it is written)
  --no-sign-request  --no-verify-ssl  --ca-bundle FILE  --debug (without payloads and secrets)
  --fail-on-function-error                        exit code 1 when the function failed

exit codes: 0 ok, 1 function failed (--fail-on-function-error), 252 usage, 253 configuration, 254 AWS refused,
            255 could not complete, 130 interrupted
"""
