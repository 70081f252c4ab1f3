"""Lambda called as paws (R) and boto3 call it: the API's names, a plain dict back, a failed function no exception.

The call itself is the same as everywhere: checked before it is sent, and sent again only when it provably did not run.

What Lambda did not send, boto3 leaves out and paws gives as `character(0)`. Here it is left out, so that
`"FunctionError" in response` and `response.get("FunctionError")` mean what they mean with boto3.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import Any, Final, Self

from lmfunction import _cmdlets
from lmfunction._auth import Credential, as_credential
from lmfunction._engine import Engine
from lmfunction._session import default_session, python_door
from lmfunction._table import INVOKE
from lmfunction._text import did_you_mean
from lmfunction.errors import GuardError, ParameterError

_MEMBERS: Final = {
    "StatusCode": "status_code",
    "FunctionError": "function_error",
    "LogResult": "log_result",
    "Payload": "raw_payload",
    "ExecutedVersion": "executed_version",
    "DurableExecutionArn": "durable_execution_arn",
}
_SETTINGS: Final = ("credentials", "profile", "region", "endpoint", "connect_timeout", "read_timeout", "max_retries")
# Settings of paws that cannot be had, or need not.
_UNUSED: Final = {
    "close_connection": "connections are kept and reused; close() of lm.client() closes them",
    "sts_regional_endpoint": "set it in ~/.aws/config",
    "signature_version": "Lambda takes Signature Version 4 only",
    "s3_force_path_style": "it is S3's",
}
_KEYS: Final = ("access_key_id", "secret_access_key", "session_token")


class Body(bytes):
    """The answer's bytes, which can also be read as the stream that boto3 gives: whole, or piece by piece, once."""

    def read(self, amt: int | None = None) -> bytes:
        """The next `amt` bytes, or all that are left."""
        stream: io.BytesIO | None = self.__dict__.get("stream")
        if stream is None:
            stream = self.__dict__["stream"] = io.BytesIO(self)
        return stream.read(-1 if amt is None else amt)

    def close(self) -> None:
        """Does nothing: there is no connection behind it."""

    def __reduce__(self) -> Any:
        return Body, (bytes(self),)


def lambda_invoke(
    FunctionName: str,  # noqa: N803 - the API's names
    InvocationType: str | None = None,  # noqa: N803
    LogType: str | None = None,  # noqa: N803
    ClientContext: str | Mapping[str, Any] | None = None,  # noqa: N803
    DurableExecutionName: str | None = None,  # noqa: N803
    Payload: Any = None,  # noqa: N803
    Qualifier: str | None = None,  # noqa: N803
    TenantId: str | None = None,  # noqa: N803
    *,
    credentials: Any = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint: str | None = None,
    connect_timeout: float | None = None,
    read_timeout: float | None = None,
    max_retries: int | None = None,
    config: Any = None,
) -> dict[str, Any]:
    """Invokes a Lambda function once and gives the API's answer as a plain dict, its members as Lambda sent them.

    `StatusCode` (int), `Payload` (the body's bytes, which can be `read()` too), and where Lambda sent them
    `FunctionError`, `LogResult` (base64), `ExecutedVersion`, `DurableExecutionArn`. A function that failed raises
    nothing: look for `FunctionError`.

    `Payload` as text or bytes is sent as it is (it must be JSON); a dict or list is written as JSON; an open file is
    read. `ClientContext` is base64 text as for boto3, or a dict. Timeouts are in seconds; `max_retries` counts what
    comes after the first send, and only a call that provably did not run is sent again. `credentials` is an
    `lm.Credential`, a boto3 session, or paws's `{"creds": {"access_key_id", "secret_access_key", "session_token"}}`
    or `{"profile"}`. `config` is a mapping of the keywords above, as in paws, or a botocore `Config`.

    Raises what `invoke_lm` raises: ParameterError and ProfileError before anything is sent, ServiceError when AWS
    refuses, TransportError when no whole answer came.
    """
    members = {name: value for name, value in locals().items() if name in INVOKE.by_name}
    settings = {name: value for name, value in locals().items() if name in _SETTINGS}
    return _invoke(members, _merged(settings, config), default_session().engine)


class LambdaClient:
    """What `client` gives: `invoke` with settings and connections of its own. A context manager, or `close()` it."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._engine = Engine()
        _values(settings)  # a wrong setting is told now, not by the first call

    def invoke(
        self,
        FunctionName: str,  # noqa: N803 - the API's names
        InvocationType: str | None = None,  # noqa: N803
        LogType: str | None = None,  # noqa: N803
        ClientContext: str | Mapping[str, Any] | None = None,  # noqa: N803
        DurableExecutionName: str | None = None,  # noqa: N803
        Payload: Any = None,  # noqa: N803
        Qualifier: str | None = None,  # noqa: N803
        TenantId: str | None = None,  # noqa: N803
        *,
        credentials: Any = None,
        profile: str | None = None,
        region: str | None = None,
        endpoint: str | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        max_retries: int | None = None,
        config: Any = None,
    ) -> dict[str, Any]:
        """As `lambda_invoke`; a setting given here goes before the client's own."""
        members = {name: value for name, value in locals().items() if name in INVOKE.by_name}
        settings = {name: value for name, value in locals().items() if name in _SETTINGS}
        return _invoke(members, {**self._settings, **_merged(settings, config)}, self._engine)

    def close(self) -> None:
        """Closes the connections; the next call opens new ones."""
        self._engine.connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        shown = (f"{k}={'***' if k == 'credentials' else repr(v)}" for k, v in self._settings.items())
        return f"<LambdaClient {', '.join(shown) or 'of the defaults'}>"


def client(
    service_name: str = "lambda",
    *,
    credentials: Any = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint: str | None = None,
    connect_timeout: float | None = None,
    read_timeout: float | None = None,
    max_retries: int | None = None,
    config: Any = None,
) -> LambdaClient:
    """A client as `paws::lambda()` and `boto3.client("lambda")` give it: `client().invoke(FunctionName="f")`.

    The settings are those of `lambda_invoke`, for every call. Nothing is contacted. Raises ParameterError for a setting
    of the wrong kind, and for another service than Lambda.
    """
    settings = {name: value for name, value in locals().items() if name in _SETTINGS}
    if service_name != "lambda":
        raise ParameterError(f"There is only a client for lambda, not for {service_name!r}; use boto3.")
    return LambdaClient(_merged(settings, config))


def _invoke(members: Mapping[str, Any], settings: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
    values = {**_payload(members), **_values(settings)}
    retries = settings.get("max_retries")
    if retries is not None:
        engine = dataclasses.replace(engine, policy=dataclasses.replace(engine.policy, max_attempts=_attempts(retries)))
    call = _cmdlets.prepare(values, engine, python_door(lambda _: None))
    if call is None:
        raise GuardError("WhatIf is set by the defaults, so nothing was sent; lm.invoke_lm() gives the plan.")
    result = call.send(engine)
    found = {name: getattr(result, attribute) for name, attribute in _MEMBERS.items()}
    return {name: Body(v) if name == "Payload" else v for name, v in found.items() if v is not None}


def _payload(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members under the names of the parameters that take them as the API does."""
    values = {name: value for name, value in members.items() if value is not None or name == "FunctionName"}
    payload, context = values.get("Payload"), values.get("ClientContext")
    if isinstance(payload, str | bytes | bytearray) and not payload:
        del values["Payload"]  # an empty body, which boto3 and paws send and Lambda takes for {}
    elif callable(getattr(payload, "read", None)):
        values["PayloadStream"] = values.pop("Payload")
    elif not isinstance(payload, str | bytes | bytearray | memoryview | dict | list | tuple | Mapping | None):
        raise ParameterError(
            f"Payload is {type(payload).__name__}; it must be text, bytes, an open file, a dict or a list.",
            parameter="Payload",
        )
    if isinstance(context, str | bytes):
        values["ClientContextBase64"] = values.pop("ClientContext")
    return values


def _merged(settings: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """The settings given as keywords, and those of `config` that no keyword replaces."""
    given = {name: value for name, value in settings.items() if value is not None}
    return {**_config(config), **given}


def _config(config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    options = getattr(config, "_user_provided_options", None)  # of a botocore Config: those that are not defaults
    if options is not None:
        return _of_botocore(options)
    if not isinstance(config, Mapping):
        raise ParameterError(f"config is {type(config).__name__}; it must be a mapping or a botocore Config.")
    found = {"read_timeout" if name == "timeout" else name: value for name, value in config.items()}
    for name in found:
        if name in _UNUSED:
            raise ParameterError(f"config: {name} is not taken: {_UNUSED[name]}.")
        if name not in _SETTINGS:
            raise ParameterError(f"config has no setting {name!r}.{did_you_mean(str(name), _SETTINGS)}")
    return {name: value for name, value in found.items() if value is not None}


def _of_botocore(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a botocore Config spells, and the rest of it as `client_config`."""
    rest = {name: value for name, value in options.items() if value is not None and name != "tcp_keepalive"}
    retries = rest.pop("retries", {})
    attempts = retries.get("total_max_attempts")
    found = {
        "region": rest.pop("region_name", None),
        "connect_timeout": rest.pop("connect_timeout", None),
        "read_timeout": rest.pop("read_timeout", None),
        "max_retries": retries.get("max_attempts") if attempts is None else attempts - 1,
        "client_config": rest or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _values(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, by name, that the settings stand for. Raises ParameterError for a setting that cannot be used."""
    credential, profile = _credentials(settings.get("credentials"))
    options = dict(settings.get("client_config", {}))
    if "connect_timeout" in settings:
        options["connect_timeout"] = _positive(settings["connect_timeout"], "connect_timeout")
    if "max_retries" in settings:
        _attempts(settings["max_retries"])
    found = {
        "ProfileName": settings.get("profile", profile),
        "Credential": credential,
        "Region": settings.get("region"),
        "EndpointUrl": settings.get("endpoint"),
        "TimeoutSec": settings.get("read_timeout"),
        "ClientConfig": options or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _credentials(given: Any) -> tuple[Credential | None, str | None]:
    """The credential and the profile's name that `credentials` holds, in paws's shape or as Python's objects."""
    if not isinstance(given, Mapping):
        return (None if given is None else as_credential(given)), None
    if given.get("anonymous"):
        raise ParameterError("credentials: Lambda refuses calls that are not signed; leave anonymous out.")
    keys = given.get("creds", {name: value for name, value in given.items() if name in _KEYS})
    known = (*_KEYS, "creds", "profile", "anonymous")
    for name in (*given, *keys):
        if name not in known:
            raise ParameterError(f"credentials has no member {name!r}.{did_you_mean(str(name), known)}")
    access_key, secret_key, token = (keys.get(name) or None for name in _KEYS)
    if access_key is None and secret_key is None and token is None:
        return None, given.get("profile")
    if not isinstance(access_key, str) or not isinstance(secret_key, str):
        raise ParameterError("credentials needs access_key_id and secret_access_key, as text.")
    return Credential(access_key, secret_key, token), given.get("profile")


def _attempts(retries: Any) -> int:
    if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= 100:
        raise ParameterError("max_retries must be a whole number from 0 to 100.")
    return retries + 1


def _positive(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:
        raise ParameterError(f"{name} must be a number of seconds above 0.")
    return float(value)
