"""A request made of checked arguments: whatever AWS would refuse and can be known here is refused here.

Limits count encoded bytes (API page of Invoke, Lambda quotas; recorded answers for the exact numbers).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction import _json, _wire
from lmfunction._files import read_file
from lmfunction._names import (
    FunctionName,
    check_execution_name,
    check_qualifier,
    check_tenant_id,
    parse_function_name,
    partition_of,
)
from lmfunction._references import Secret, Slot, looks_like_reference, slots_of, whole
from lmfunction._request import InvokeRequest, Target
from lmfunction.errors import ParameterError

Warn = Callable[[str], None]


def build_request(
    arguments: Mapping[str, Any], target: Target, *, warn: Warn, given: frozenset[str] | None = None
) -> InvokeRequest:
    """The request for `arguments` (Python names, converted already), going to `target`.

    `given` names the arguments that the user gave for this call: one that comes from defaults and has no meaning for
    the invocation type is left out silently instead of being refused. Raises ParameterError.
    """
    function = parse_function_name(arguments.get("function_name"))
    check_place(function, target.region)
    invocation_type = arguments.get("invocation_type", "RequestResponse")
    waits = invocation_type == "RequestResponse"
    context = _client_context(arguments)
    log_type = arguments.get("log_type", "None")
    if not waits:
        context = None if _only_default("client_context", "client_context_base64", given=given) else context
        if context is not None:
            raise ParameterError(
                f"ClientContext does not reach a function with InvocationType {invocation_type}: leave it out.",
                parameter="ClientContext",
            )
        if log_type == "Tail":
            log_type = "None"
            if not _only_default("log_type", given=given):
                warn(f"LogType Tail brings no log with InvocationType {invocation_type}.")
    qualifier, tenant, execution = (arguments.get(n) for n in ("qualifier", "tenant_id", "durable_execution_name"))
    if function.qualifier is not None and _only_default("qualifier", given=given):
        qualifier = None
    payload, payload_slots = payload_of(arguments, invocation_type, warn)
    context, context_slots = _context_slots(context, arguments)
    return InvokeRequest(
        function_name=function.text,
        payload=payload,
        invocation_type=invocation_type,
        log_type=log_type,
        client_context=context,
        qualifier=None if qualifier is None else check_qualifier(qualifier, function),
        tenant_id=None if tenant is None else check_tenant_id(tenant),
        durable_execution_name=None if execution is None else check_execution_name(execution),
        target=target,
        payload_slots=payload_slots,
        context_slots=context_slots,
    )


def _only_default(*names: str, given: frozenset[str] | None) -> bool:
    return given is not None and not given.intersection(names)


def check_place(function: FunctionName, region: str) -> None:
    """Refuses an ARN of another region or partition than the client's: AWS would answer 404 for either."""
    if function.region and region and function.region != region:
        raise ParameterError(
            f"FunctionName is in region {function.region}, the call goes to {region}: give -Region {function.region} "
            "or the function's name alone.",
            parameter="FunctionName",
        )
    if function.partition and region and function.partition != partition_of(region):
        raise ParameterError(
            f"FunctionName is in partition {function.partition}, region {region} is in {partition_of(region)}.",
            parameter="FunctionName",
        )


def payload_of(arguments: Mapping[str, Any], invocation_type: str, warn: Warn) -> tuple[bytes, tuple[Slot, ...]]:
    """The bytes of the payload, and where secrets stand in them that are looked up later. Raises ParameterError."""
    if isinstance(arguments.get("payload"), _json.CheckedJson):
        return bytes(arguments["payload"]), ()
    if isinstance(arguments.get("payload"), Secret):
        return whole(arguments["payload"])
    content, slots = slots_of(_payload_bytes(arguments, invocation_type, warn))
    if looks_like_reference(content) and not slots:
        warn(
            "Payload holds a text that looks like a reference to a secret, but came as data: it is sent as it is. "
            "Wrap it to have it looked up: lm.Secret(...)."
        )
    return content, slots


def plain_payload(value: dict[Any, Any], invocation_type: str) -> bytes | None:
    """The bytes of a payload in which there is nothing to look up, to warn of or to refuse; None for any other."""
    content = _json.quick(value)
    if content is None or len(content) >= _limit_of(invocation_type) or looks_like_reference(content):
        return None
    return None if slots_of(content)[1] else content


def _limit_of(invocation_type: str) -> int:
    return _wire.EVENT_REQUEST_LIMIT if invocation_type == "Event" else _wire.SYNC_REQUEST_LIMIT


def _payload_bytes(arguments: Mapping[str, Any], invocation_type: str, warn: Warn) -> bytes:
    repeated = bool(arguments.get("allow_duplicate_keys"))
    if "payload_stream" in arguments:
        content = _stream_bytes(arguments["payload_stream"])
        _check_size(content, invocation_type, warn, "PayloadStream")
        return _json.check(content, parameter="PayloadStream", allow_duplicate_keys=repeated)
    if "payload" not in arguments:
        return b"{}"
    value = arguments["payload"]
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if isinstance(value, str | bytes):
        _check_size(value, invocation_type, warn, "Payload")
        return _json.check(value, allow_duplicate_keys=repeated)
    content = _json.encode(value, secrets=True)
    _check_size(content, invocation_type, warn, "Payload")
    return content


def _check_size(content: str | bytes, invocation_type: str, warn: Warn, parameter: str) -> None:
    limit = _limit_of(invocation_type)
    if len(content) * (4 if isinstance(content, str) else 1) < limit:
        return  # below the limit whatever the encoding
    count = len(content.encode("utf-8", "surrogatepass")) if isinstance(content, str) else len(content)
    if count > limit:
        raise ParameterError(
            f"{parameter} has {count:,} bytes; {invocation_type} takes {limit:,}. Put the data into S3, send its key.",
            parameter=parameter,
        )
    if count == limit and invocation_type != "Event":
        warn(f"{parameter} has exactly {limit:,} bytes; AWS says that a request must be smaller than that.")


def _stream_bytes(source: Any) -> bytes:
    """The bytes behind a PayloadStream, which must hold JSON as a whole."""
    limit = _wire.SYNC_REQUEST_LIMIT
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str):
        return source.encode("utf-8", "surrogatepass")
    if isinstance(source, pathlib.PurePath | os.PathLike):
        return read_file(source, limit=limit, parameter="PayloadStream")
    if callable(getattr(source, "read", None)):
        content = source.read(limit + 1)
        return content.encode("utf-8", "surrogatepass") if isinstance(content, str) else bytes(content)
    if isinstance(source, list | tuple) and all(isinstance(line, str) for line in source):
        return "".join(f"{line}\n" for line in source).encode("utf-8", "surrogatepass")
    raise ParameterError(
        f"PayloadStream is {type(source).__name__}; it must be bytes, an open file, a Path or a list of lines.",
        parameter="PayloadStream",
    )


_CONTEXT_RULE: Final = "it must be a JSON object"


def _client_context(arguments: Mapping[str, Any]) -> str | None:
    if "client_context_base64" in arguments:
        return _checked_base64(arguments["client_context_base64"])
    if "client_context" not in arguments:
        return None
    value = arguments["client_context"]
    if isinstance(value, Secret):
        return base64.b64encode(value.mark.encode()).decode()
    if isinstance(value, str | bytes):
        raw = _json.check(value, parameter="ClientContext")
        if raw.lstrip()[:1] != b"{":
            raise ParameterError(f"ClientContext is JSON, but {_CONTEXT_RULE}.", parameter="ClientContext")
    elif isinstance(value, Mapping):
        raw = _json.encode(value, parameter="ClientContext", secrets=True)
    else:
        raise ParameterError(f"ClientContext is {type(value).__name__}; {_CONTEXT_RULE}.", parameter="ClientContext")
    return _within_limit(base64.b64encode(raw).decode(), "ClientContext")


def _context_slots(context: str | None, arguments: Mapping[str, Any]) -> tuple[str | None, tuple[Slot, ...]]:
    """The encoded client context with labels for the marks in it, and where they stand in the decoded one."""
    if context is None or "client_context" not in arguments:
        return context, ()
    value = arguments["client_context"]
    shown, slots = whole(value) if isinstance(value, Secret) else slots_of(base64.b64decode(context))
    return (base64.b64encode(shown).decode(), slots) if slots else (context, ())


def _checked_base64(value: Any) -> str:
    name = "ClientContextBase64"
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise ParameterError(f"{name} is {type(value).__name__}; it must be base64 text.", parameter=name)
    try:
        decoded = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        what = "not base64" if isinstance(error, binascii.Error) or not text.isascii() else "base64, but not of JSON"
        raise ParameterError(f"{name} is {what}: {_CONTEXT_RULE}, encoded.", parameter=name) from None
    if not isinstance(decoded, dict):
        raise ParameterError(f"{name} is base64 of JSON, but {_CONTEXT_RULE}.", parameter=name)
    return _within_limit(text, name)


def _within_limit(text: str, parameter: str) -> str:
    if len(text) > _wire.CLIENT_CONTEXT_LIMIT:
        raise ParameterError(
            f"{parameter} has {len(text):,} base64 bytes; AWS takes {_wire.CLIENT_CONTEXT_LIMIT:,}.",
            parameter=parameter,
        )
    return text
