"""boto3 clients whose every setting is given: what one client is made of, and the making of it.

boto3's own retries are off, and nothing that an environment variable or a new SDK default could change is left to them,
so that one call is one request.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import socket
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lmfunction._auth import Credential
from lmfunction._aws_files import Version, aws_places, versions
from lmfunction._aws_session import open_session
from lmfunction._discreet_log import keep_discreet
from lmfunction._endpoint import is_loopback
from lmfunction._waiting import read_in_steps

CONNECT_TIMEOUT: Final = 5.0
# NAT gateways and load balancers forget an idle connection after 350 s and less; a function may run 900 s. Linux
# itself probes only after 7,200 s, and boto3's tcp_keepalive leaves that as it is.
KEEPALIVE_IDLE: Final = 45
KEEPALIVE_INTERVAL: Final = 15
KEEPALIVE_PROBES: Final = 4
# What the call under way wants done to its HTTP request; clients are shared, so that it is not registered with one.
BEFORE_SIGNING: Final[ContextVar[Callable[[Any], None] | None]] = ContextVar("before_signing", default=None)

_VARIABLES: Final = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CA_BUNDLE",
    "HTTPS_PROXY",
)


class Environment(NamedTuple):
    """What a client is made of beside its parameters, as it stood at one moment."""

    variables: tuple[str | int | None, ...] = ()
    files: tuple[Version, ...] = ()


def environment_of(environ: Mapping[str, str] = os.environ, credentials_file: str | None = None) -> Environment:
    """The variables and files that decide what a client is, as they stand now; no secret can be read from it."""
    # To compare the whole of os.environ's own dict is a tenth of the cost of asking it for each name, and this is done
    # for each call. Where Python keeps it elsewhere, the names are asked for.
    held = getattr(environ, "_data", None)
    if held is not None and _SEEN and held == _SEEN[0][0]:
        _, variables, places = _SEEN[0]
    else:
        # Another secret of the same key is another client; Python salts the hash anew in each process.
        secrets = hash((environ.get("AWS_SECRET_ACCESS_KEY"), environ.get("AWS_SESSION_TOKEN")))
        variables, places = (*map(environ.get, _VARIABLES), secrets), aws_places(environ)
        _SEEN[:] = [(dict(held), variables, places)] if held is not None else []
    return Environment(variables, versions(places, credentials_file))


_SEEN: Final[list[tuple[dict[Any, Any], tuple[str | int | None, ...], tuple[str, str]]]] = []


_NOTHING: Final = Environment()


@dataclass(frozen=True)
class Connection:
    """Where calls go and how: what one client is made of. `endpoint_url` None is AWS's own for the region."""

    region: str
    endpoint_url: str | None = None
    aws_profile: str | None = None
    credential: Credential | None = None
    options: tuple[tuple[str, Any], ...] = ()  # of botocore's Config
    read_timeout: float = 930.0
    attempts: int = 1  # more than one only for what changes nothing: botocore's standard mode then repeats it
    verify: bool | str | None = None  # False: certificates are not checked; text: a bundle of authorities to trust
    signed: bool = True  # False: no credentials are looked for, and no request is signed
    credentials_file: str | None = None  # in place of ~/.aws/credentials
    # What the environment and ~/.aws add to it, so that a changed variable or file makes another client; None: they may
    # add nothing, for the embedded Lambda.
    environment: Environment | None = _NOTHING


def make_client(connection: Connection) -> Any:
    """A boto3 Lambda client for `connection`. Raises botocore's own errors."""
    client = _client(connection, {})
    if is_loopback(client.meta.endpoint_url):
        # A proxy from the environment must not get what is meant for this machine.
        client.close()
        client = _client(connection, {"proxies": {}})
    _set_keepalive(client)
    _let_wait_in_steps(client)
    keep_discreet(client)
    client.meta.events.register("before-sign.lambda.Invoke", _before_sign)
    return client


def sibling_client(service: str, connection: Connection) -> Any:
    """A boto3 client of another service (`sts`, `ssm` ...) with the same credentials, region and proxies.

    An emulator on this machine is asked for the other service too, unless the environment or ~/.aws names an endpoint
    for that one; any other endpoint is Lambda's alone. What it asks changes nothing, so that it may be repeated.
    """
    lambda_url = endpoint_of(connection)
    session = _session(connection)
    options = {
        "connect_timeout": min(CONNECT_TIMEOUT, connection.read_timeout),
        "read_timeout": _SIBLING_TIMEOUT,
        "retries": {"mode": "standard", "total_max_attempts": 3},
        "ignore_configured_endpoint_urls": True if connection.environment is None else None,
        **({"proxies": {}} if is_loopback(lambda_url) else {}),
        **{name: value for name, value in connection.options if name in ("proxies", "user_agent_extra", "client_cert")},
    }
    from botocore.config import Config

    def made(endpoint_url: str | None) -> Any:
        return session.client(
            service,
            region_name=connection.region,
            endpoint_url=endpoint_url,
            verify=connection.verify,
            config=Config(**options),
        )

    client = made(None)
    if is_loopback(lambda_url) and client.meta.endpoint_url.endswith(_AWS_HOSTS):
        client.close()
        client = made(lambda_url)
    keep_discreet(client)
    return client


_SIBLING_TIMEOUT: Final = 15.0
_AWS_HOSTS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def credential_of(client: Any) -> Credential | None:
    """The credentials that the client's next request is signed with, refreshed if need be; None when it has none.

    botocore has no public way there. A second session would not do: of an assumed role it gets other keys.
    """
    held = client._request_signer._credentials
    if held is None:
        return None
    frozen = held.get_frozen_credentials()
    return Credential(frozen.access_key, frozen.secret_key, frozen.token)


def get(client: Any, target: str) -> Any:
    """Botocore's answer to a GET of `target` at the client's endpoint, signed with its credentials, sent once."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest("GET", client.meta.endpoint_url.rstrip("/") + target)
    SigV4Auth(client._request_signer._credentials, "lambda", client.meta.region_name).add_auth(request)
    return client._endpoint.http_session.send(request.prepare())


@functools.cache
def service_model() -> Any:
    """Botocore's model of Lambda's API."""
    import botocore.session
    from botocore.model import ServiceModel

    loader = botocore.session.get_session().get_component("data_loader")
    return ServiceModel(loader.load_service_model("lambda", "service-2"), "lambda")


def keepalive_options() -> list[tuple[int, int, int]]:
    """The options of a socket that probes an idle connection often enough to outlive a NAT's memory."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    for names, value in (
        (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), KEEPALIVE_IDLE),
        (("TCP_KEEPINTVL",), KEEPALIVE_INTERVAL),
        (("TCP_KEEPCNT",), KEEPALIVE_PROBES),
    ):
        number = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
        if number is not None:
            options.append((socket.IPPROTO_TCP, number, value))
    return options


def _before_sign(request: Any, **_: Any) -> None:
    hook = BEFORE_SIGNING.get()
    if hook is not None:
        hook(request)


@functools.lru_cache(maxsize=64)
def endpoint_of(connection: Connection) -> str:
    """The URL that `connection` would call: its own, the environment's or profile's, else AWS's for the region.

    Asked of botocore by a client that has no real keys, so that nothing is contacted to find any.
    """
    client = _client(dataclasses.replace(connection, credential=_NO_KEYS), {})
    try:
        return str(client.meta.endpoint_url)
    finally:
        client.close()


def asks_for_credentials(aws_profile: str | None) -> bool:
    """Whether the credentials of `aws_profile` (None: the environment's) come of an MFA code or of another program.

    Only who wants a call made may be asked for a code, or have a program run.
    """
    import botocore.session

    session = botocore.session.Session(profile=aws_profile)
    profiles = session.full_config.get("profiles", {})
    name, seen = session.profile or "default", set[str]()
    while isinstance(name, str) and name not in seen:
        seen.add(name)
        settings = profiles.get(name, {})
        if "mfa_serial" in settings or "credential_process" in settings:
            return True
        name = settings.get("source_profile")
    return False


_NO_KEYS: Final = Credential("none", "none")


def _client(connection: Connection, extra: dict[str, Any]) -> Any:
    from botocore.config import Config

    from lmfunction import __version__

    options = {
        "connect_timeout": min(CONNECT_TIMEOUT, connection.read_timeout),
        "read_timeout": connection.read_timeout,
        "max_pool_connections": 50,
        "user_agent_extra": f"lmfunction/{__version__}",
        **dict(connection.options),
        **extra,
        # One command is one request; and requests are checked already, with better errors.
        "retries": {"mode": "standard", "total_max_attempts": connection.attempts},
        "tcp_keepalive": True,
        "parameter_validation": False,
    }
    if not connection.signed:
        from botocore import UNSIGNED

        options["signature_version"] = UNSIGNED
    session = _session(connection)
    return session.client(
        "lambda",
        region_name=connection.region,
        endpoint_url=connection.endpoint_url,
        verify=connection.verify,
        config=Config(**options),
    )


def _session(connection: Connection) -> Any:
    return open_session(
        aws_profile=connection.aws_profile,
        credential=connection.credential if connection.signed else None,
        credentials_file=connection.credentials_file,
        region=connection.region,
        isolated=connection.environment is None,
    )


def _let_wait_in_steps(client: Any) -> None:
    """Makes the client's waiting visible where somebody wants to see it; with another botocore inside it stays hidden.

    The classes by scheme are shared by the connections to AWS and those to a proxy. A test sees the ticks come.
    """
    try:
        pools = client._endpoint.http_session._pool_classes_by_scheme
    except AttributeError:
        return
    read_in_steps(pools)


def _set_keepalive(client: Any) -> None:
    """Gives the client's sockets `keepalive_options`.

    botocore offers no public way; where its inside has changed, its own tcp_keepalive remains. A test reads the options
    back from a live socket.
    """
    options = keepalive_options()
    try:
        session = client._endpoint.http_session
        session._socket_options = options
        session._manager.connection_pool_kw["socket_options"] = options
    except AttributeError:
        return
