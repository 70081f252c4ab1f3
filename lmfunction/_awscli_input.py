"""What the values of an `aws lambda invoke` line mean: files, base64, and a whole input as JSON or YAML.

As in the AWS CLI `file://` is a text file and `fileb://` bytes, with `~` and `$VARIABLES` in their names. A payload is
sent as written, as version 1 does it; base64, version 2's default, is read only when --cli-binary-format asks for it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from lmfunction import _json, _wire
from lmfunction._awscli_options import MEMBERS, CommandLine
from lmfunction._files import read_file
from lmfunction._params import Kind
from lmfunction._scope import Scope
from lmfunction._table import INVOKE
from lmfunction._text import ascii_only, did_you_mean, shorten, size
from lmfunction.errors import ParameterError

_OPTIONS: Final = {member: option for option, member in MEMBERS.items()}
_TEXT_LIMIT: Final = 64 * 1024
_STANDARD_INPUT: Final = frozenset(["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])


def read_members(line: CommandLine, scope: Scope) -> dict[str, Any]:
    """The line's values by parameter of Invoke-LMFunction; what is typed beats --cli-input-json and -yaml.

    Raises ParameterError for an unreadable file, what is not base64, a missing name, a member of a wrong kind.
    """
    members: dict[str, Any] = {**_document(line, scope)}
    for name, text in line.members.items():
        members[name] = _typed(name, text, scope)
    if "FunctionName" not in members:
        raise ParameterError("--function-name is missing: name the function to run.", parameter="FunctionName")
    for name in ("InvocationType", "LogType"):
        _check_choice(name, members.get(name))
    payload = _payload(members.pop("Payload", b""), line.binary_format)
    if payload:  # an empty one is what the AWS CLI sends for none: Lambda reads it as {}
        members["Payload"] = payload
    if "ClientContext" in members:
        members["ClientContextBase64"] = members.pop("ClientContext")
    return members


def parameter_of(member: str) -> str:
    """The parameter of Invoke-LMFunction that takes the API's `member` as the AWS CLI gives it."""
    return "ClientContextBase64" if member == "ClientContext" else member


def choices_of(member: str) -> tuple[str, ...]:
    """The values that the API's `member` allows; empty when there is no list of them."""
    parameter = INVOKE.by_name[parameter_of(member)]
    return tuple(parameter.choices) if parameter.kind is Kind.CHOICE else ()


def _typed(name: str, text: str, scope: Scope) -> str | bytes:
    option = _OPTIONS[name]
    limit = 2 * _wire.SYNC_REQUEST_LIMIT if name == "Payload" else _TEXT_LIMIT
    if text.startswith("fileb://"):
        if name != "Payload":
            raise ParameterError(f"{option} is text: use file://, not fileb://.", parameter=name)
        return _read(text.removeprefix("fileb://"), option, limit, scope)
    if text.startswith("file://"):
        found = _read_text(text.removeprefix("file://"), option, limit, scope)
        return found if name == "Payload" else found.rstrip("\n")
    return text


def _read_text(name: str, option: str, limit: int, scope: Scope) -> str:
    content = _read(name, option, limit, scope)
    encoding = scope.environ.get("AWS_CLI_FILE_ENCODING") or "utf-8-sig"
    try:
        text = content.decode(encoding)
    except LookupError:
        raise ParameterError(f"AWS_CLI_FILE_ENCODING: Python knows no encoding '{ascii_only(encoding)}'.") from None
    except UnicodeDecodeError:
        raise ParameterError(
            f"{option}: file {ascii_only(name)} is not {encoding.removesuffix('-sig').upper()} text: "
            "use fileb:// for bytes, or set AWS_CLI_FILE_ENCODING.",
            parameter=option,
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(name: str, option: str, limit: int, scope: Scope) -> bytes:
    """The bytes of a file; a pipe or a device, such as the shell's `<(...)`, is read to its end."""
    path = os.path.expandvars(os.path.expanduser(name))  # noqa: PTH111 - as the AWS CLI: the user first, then variables
    if path in _STANDARD_INPUT and scope.stdin is not None:
        content = scope.stdin(limit + 1)
    elif not _is_stream(path):
        return read_file(path, limit=limit, parameter=option)
    else:
        with open(path, "rb") as file:  # noqa: PTH123 - /dev/fd/N
            content = file.read(limit + 1)
    if len(content) > limit:
        raise ParameterError(f"{option}: {ascii_only(name)} has more than {size(limit)}.", parameter=option)
    return content


def _is_stream(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _payload(value: str | bytes, binary_format: str) -> str | bytes:
    if isinstance(value, bytes):
        return value
    if binary_format == "base64":
        decoded = _decoded(value)
        if decoded is None:
            raise ParameterError(
                "--payload is not base64, which --cli-binary-format base64 asks for: leave the option out to send "
                "the text as it is.",
                parameter="Payload",
            )
        return decoded
    if value and not _json.is_json(value) and _json_in(_decoded(value)):
        raise ParameterError(
            "--payload is base64 of JSON, as version 2 of the AWS CLI reads it: add --cli-binary-format base64.",
            parameter="Payload",
        )
    return value


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _json_in(content: bytes | None) -> bool:
    try:
        return bool(content) and json.loads(content or b"") is not None
    except (ValueError, RecursionError):
        return False


def _document(line: CommandLine, scope: Scope) -> dict[str, Any]:
    """The members that --cli-input-json or --cli-input-yaml gives."""
    if line.input_json is not None and line.input_yaml is not None:
        raise ParameterError("--cli-input-json and --cli-input-yaml exclude each other: give one of them.")
    if line.input_json is not None:
        option, text = "--cli-input-json", _whole(line.input_json, "--cli-input-json", scope)
        found = json.loads(_json.check(text, parameter=option))
    elif line.input_yaml is not None:
        option, text = "--cli-input-yaml", _whole(line.input_yaml, "--cli-input-yaml", scope)
        found = _from_yaml(text, option)
    else:
        return {}
    if not isinstance(found, dict):
        raise ParameterError(f"{option} must hold an object with the members of Invoke.", parameter=option)
    # "" is what a skeleton holds where nothing was filled in.
    return {name: _checked_member(name, value, option) for name, value in found.items() if value != ""}


def _whole(text: str, option: str, scope: Scope) -> str:
    if text.startswith(("file://", "fileb://")):
        return _read_text(text.partition("://")[2], option, 2 * _wire.SYNC_REQUEST_LIMIT, scope)
    return text


def _from_yaml(text: str, option: str) -> Any:
    from lmfunction import _yaml

    try:
        return _yaml.plain_value(_yaml.parse(text, max_bytes=2 * _wire.SYNC_REQUEST_LIMIT), lambda scalar: scalar.text)
    except _yaml.YamlError as error:
        raise ParameterError(
            f"{option} is not YAML: {error} (line {error.line}, column {error.column}).", parameter=option
        ) from None


def _checked_member(name: str, value: Any, option: str) -> str | bytes:
    """The text of one member; a payload may also be the JSON value itself."""
    if name not in _OPTIONS:
        shown = ascii_only(shorten(name, 40))
        raise ParameterError(
            f"{option}: Invoke has no member '{shown}'.{did_you_mean(name, _OPTIONS)}", parameter=option
        )
    if isinstance(value, str):
        return value
    if name == "Payload":
        return _json.encode(value)
    if name == "Qualifier" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # YAML's version number
    raise ParameterError(f"{option}: {name} must be text, not {_kind_of(value)}.", parameter=option)


def _kind_of(value: Any) -> str:
    kinds: Mapping[type, str] = {dict: "an object", list: "an array", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _check_choice(name: str, value: Any) -> None:
    """Refuses a misspelt choice. In the very case, as AWS: the line is to work in the AWS CLI too."""
    choices = choices_of(name)
    if value is not None and value not in choices:
        shown, hint = ascii_only(shorten(str(value), 40)), did_you_mean(str(value), choices)
        raise ParameterError(
            f"{_OPTIONS[name]} is '{shown}'; it must be one of {', '.join(choices)}.{hint}", parameter=name
        )
