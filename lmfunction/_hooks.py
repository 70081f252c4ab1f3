"""Functions that a user hangs into a call: they see or change it on its way, and cannot make it run twice.

`map_request` comes before the call is confirmed, once. The functions before signing come with every send, and a call is
sent again only when it provably did not run, as ever. A hook that fails before the answer stops the call, so that
nothing is sent; one that fails afterwards is told as a warning, for the answer must not be lost.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lmfunction._arguments import convert
from lmfunction._boto import BEFORE_SIGNING
from lmfunction._prepare import Warn, build_request
from lmfunction._request import InvokeRequest
from lmfunction._table import INVOKE
from lmfunction._text import one_line
from lmfunction.errors import GuardError, InvocationInterrupted, LMError, ParameterError, TransportError

if TYPE_CHECKING:
    from lmfunction._model import InvokeResult


@dataclass(frozen=True)
class Hooks:
    """The hooks of one call, each kind in the order in which they were given."""

    map_request: tuple[Callable[[InvokeRequest], InvokeRequest], ...] = ()
    mutate_request: tuple[Callable[[HttpRequest], object], ...] = ()
    interceptors: tuple[Any, ...] = ()

    def mapped(self, request: InvokeRequest, warn: Warn) -> InvokeRequest:
        """What the `map_request` functions make of `request`, checked like any other.

        Raises ParameterError for what cannot be sent, TransportError when a function fails.
        """
        for function in self.map_request:
            name = f"map_request({_name(function)})"
            found = _run(name, function, request)
            if not isinstance(found, InvokeRequest):
                raise ParameterError(
                    f"{name} gave {type(found).__name__}; it must give an InvokeRequest, as dataclasses.replace() does."
                )
            if found.target != request.target:
                raise ParameterError(f"{name} changed the target; use config_override(region=..., endpoint_url=...).")
            request = found if found == request else _checked(found, request, name, warn)
        return request

    def around(self, request: InvokeRequest, send: Callable[[], InvokeResult], warn: Warn) -> InvokeResult:
        """What `send` gives, the interceptors told before and after it. Raises what `send` raises."""
        try:
            for interceptor in self.interceptors:
                _intercept(interceptor, "read_before_execution", request)
            with _in_context(self._before_signing):
                result = send()
        except (LMError, InvocationInterrupted) as error:
            self._tell(request, error, warn)
            raise
        self._tell(request, result, warn)
        return result

    def _before_signing(self, boto: Any) -> None:
        request = HttpRequest(boto)
        with _in_context(None):  # an invocation by a hook is a call of its own
            for interceptor in self.interceptors:
                _intercept(interceptor, "modify_before_signing", request)
            for function in self.mutate_request:
                _run(f"mutate_request({_name(function)})", function, request)

    def _tell(self, request: InvokeRequest, found: InvokeResult | BaseException, warn: Warn) -> None:
        for interceptor in self.interceptors:
            try:
                _intercept(interceptor, "read_after_execution", request, found)
            except LMError as error:
                warn(f"{str(error).removeprefix(_UNSENT)} The call itself had ended before.")


class HttpRequest:
    """The HTTP request of one send, before it is signed.

    `headers` is a mapping to change; `body` is set to other bytes; `url` may get another query, for where the request
    goes has been checked and confirmed. `method` can only be read.
    """

    def __init__(self, boto: Any) -> None:
        self._boto = boto
        self.headers: MutableMapping[str, str] = Headers(boto.headers)

    @property
    def method(self) -> str:
        """`POST`."""
        return str(self._boto.method)

    @property
    def url(self) -> str:
        """The whole URL."""
        return str(self._boto.url)

    @url.setter
    def url(self, url: str) -> None:
        if urlsplit(url)[:3] != urlsplit(self.url)[:3]:
            raise ValueError("only the query can be changed; use the builder's endpoint_url() or function_name()")
        self._boto.url = url

    @property
    def body(self) -> bytes:
        """The payload."""
        return bytes(self._boto.data)

    @body.setter
    def body(self, body: bytes) -> None:
        if not isinstance(body, bytes | bytearray):
            raise TypeError(f"body must be bytes, not {type(body).__name__}")
        self._boto.data = bytes(body)

    def __repr__(self) -> str:
        return f"<HttpRequest {self.method} {self.url} {len(self.body)} bytes>"


class Headers(MutableMapping[str, str]):
    """The headers of an HTTP request by name, in any case. Setting one replaces it."""

    def __init__(self, message: Any) -> None:
        self._message = message  # of the email package, where setting a header adds another one

    def __getitem__(self, name: str) -> str:
        found = self._message.get(name)
        if found is None:
            raise KeyError(name)
        return found.decode("latin-1") if isinstance(found, bytes) else str(found)

    def __setitem__(self, name: str, value: str) -> None:
        for text in (name, value):
            if not isinstance(text, str) or not (text.isascii() and text.isprintable()):
                raise ValueError(f"the header {name!r} must be printable ASCII text")
        del self._message[name]
        self._message[name] = value

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._message[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._message.keys())

    def __len__(self) -> int:
        return len(self._message)

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self)}>"


_UNSENT: Final = "Nothing was sent: "
METHODS: Final = ("read_before_execution", "modify_before_signing", "read_after_execution")


def _intercept(interceptor: Any, method: str, *arguments: Any) -> None:
    """Calls the interceptor's method, when it has it."""
    function = getattr(interceptor, method, None)
    if function is not None:
        _run(f"{type(interceptor).__name__}.{method}", function, *arguments)


def _run(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What the hook gives. A GuardError of its own says why the call must not be made; any other failure is named."""
    try:
        return function(*arguments)
    except GuardError:
        raise
    except Exception as error:
        what = one_line(f"{type(error).__name__}: {error}", 200)
        raise TransportError(f"{_UNSENT}the hook {name} failed: {what}.", sent=False, outcome="NOT_SENT") from error


@contextlib.contextmanager
def _in_context(before_signing: Callable[[Any], None] | None) -> Iterator[None]:
    token = BEFORE_SIGNING.set(before_signing)
    try:
        yield
    finally:
        BEFORE_SIGNING.reset(token)


def _checked(found: InvokeRequest, before: InvokeRequest, name: str, warn: Warn) -> InvokeRequest:
    """`found`, made once more by the rules that every request is made by."""
    values = {
        "FunctionName": found.function_name,
        "Payload": found.payload,
        "InvocationType": found.invocation_type,
        "LogType": found.log_type,
        "ClientContextBase64": found.client_context,
        "Qualifier": found.qualifier,
        "TenantId": found.tenant_id,
        "DurableExecutionName": found.durable_execution_name,
        "AllowDuplicateKeys": found.payload == before.payload,  # it was checked as the caller wanted
    }
    try:
        return build_request(convert(INVOKE, values), found.target, warn=warn)
    except ParameterError as error:
        raise ParameterError(f"{name} gave what cannot be sent: {error.args[0]}", parameter=error.parameter) from None


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__)).rpartition("<locals>.")[2]


def add_interceptor(hooks: Hooks, interceptor: Any) -> Hooks:
    """`hooks` with `interceptor`. Raises TypeError when it has none of the methods of an interceptor."""
    if not any(callable(getattr(interceptor, method, None)) for method in METHODS):
        raise TypeError(f"{type(interceptor).__name__} is no interceptor: it has none of {', '.join(METHODS)}.")
    return dataclasses.replace(hooks, interceptors=(*hooks.interceptors, interceptor))
