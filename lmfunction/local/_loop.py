"""The Python runtime of the embedded Lambda: `python _loop.py FD CALLS`, inside an execution environment.

A script on its own that imports nothing of lmfunction. It polls the Runtime API for events and runs the handler with
them; payloads, errors and log lines are those of AWS's own runtime client (awslambdaric 4.2), to which it hands over
when the second word is `awslambdaric`. FD is the reading end of a pipe that ends with the server, and with it this
process and its children; CALLS is a socket on which the server answers as on the port of AWS_LAMBDA_RUNTIME_API.

The answer to one event and the request for the next go out together: that saves a wake-up on each side.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import logging
import marshal
import os
import signal
import socket
import sys
import time
import traceback

TYPE_CHECKING = False  # as type checkers know it; importing typing would take a twentieth of a cold start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_API = os.environ["AWS_LAMBDA_RUNTIME_API"]
_BASE = "/2018-06-01/runtime"
_NEXT = f"GET {_BASE}/invocation/next HTTP/1.1\r\nHost: {_API}\r\n\r\n".encode()
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
_LARGE = 262_144  # bytes
_F_SETSIG = 10  # fcntl.h of Linux; Python has no name for it
# Since Python 3.12, AWS's runtime writes characters as they are.
_ENSURE_ASCII = os.environ.get("AWS_EXECUTION_ENV", "") in {f"AWS_Lambda_python3.{n}" for n in range(12)}
_JSON_LOG = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
_DECIMAL_MARK = os.urandom(12).hex()
_NO_BREAK_SPACE = "\u00a0"
_UNHANDLED_AT_INIT = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. However, in rare "
    "cases, a Lambda runtime update can cause unexpected function behavior. For functions using managed runtimes, "
    "runtime updates can be triggered by a function change, or can be applied automatically. To determine if the "
    "runtime has been updated, check the runtime version in the INIT_START log entry. If this error correlates with a "
    "change in the runtime version, you may be able to mitigate this error by temporarily rolling back to the previous "
    "runtime version. For more information, see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)

_OWN_FILE = (lambda: 0).__code__.co_filename  # not `__file__`, which is elsewhere when this runs compiled
_current_request = ""
_current_tenant: str | None = None


class Fault(Exception):  # noqa: N818 - the word of Lambda's own runtime
    """An error that the runtime itself reports, with a type of its own."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace


# -- the server's end is our end


def die_with_server(fd: int) -> None:
    """Has this process and its children killed when the pipe `fd` ends."""
    if sys.platform == "linux":
        import fcntl

        # The kernel sends the signal itself, so that a handler which blocks everything still ends.
        fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(fd, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        try:
            if not os.read(fd, 1):
                os._exit(1)  # it ended before we listened
        except BlockingIOError:
            pass
    else:
        import threading

        threading.Thread(target=_die_at_end, args=(fd,), daemon=True).start()


def _die_at_end(fd: int) -> None:
    os.read(fd, 1)
    os.killpg(0, signal.SIGKILL)


# -- the context object


class Named:
    """Attributes from a JSON object, None where it has none."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, values: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        shown = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{shown}])"


class CognitoIdentity(Named):
    """Who the caller is, for calls through the mobile SDK."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Named):
    """The caller's app, for calls through the mobile SDK."""

    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")


class ClientContext(Named):
    """What the caller told about itself: `custom`, `env` and `client`."""

    __slots__ = ("client", "custom", "env")

    client: Any

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.client = Client(self.client) if self.client is not None else None


_W3C = ("traceparent", "tracestate", "baggage")


class LambdaContext:
    """What a handler is told about its invocation."""

    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")

    def __init__(self, headers: dict[str, str]) -> None:
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self._deadline_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))
        context = _json_header(headers.get("lambda-runtime-client-context"), "Client Context")
        trace = context.pop("w3c", None) if isinstance(context, dict) else None
        self._w3c = {k: v for k, v in trace.items() if k in _W3C and isinstance(v, str)} if trace else {}
        self.client_context = ClientContext(context) if context is not None else None
        identity = _json_header(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity") or {}
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": identity.get("cognitoIdentityId"),
                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
            }
        )

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left until the function is stopped."""
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def w3c(self) -> dict[str, str]:
        """The caller's W3C trace context, from `w3c` of the client context."""
        return dict(self._w3c)

    def log(self, message: object) -> None:
        """Writes `message` to the log as an entry of its own."""
        _write(str(message))

    def __repr__(self) -> str:
        names = ["aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb"]
        names += ["function_version", "invoked_function_arn", "client_context", "identity", "tenant_id"]
        return f"LambdaContext([{','.join(f'{name}={getattr(self, name)}' for name in names)}])"


def _json_header(text: str | None, name: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except Exception as e:
        raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {e}") from e


# -- logging


class _RequestFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = _current_request
        record.tenant_id = _current_tenant
        return True


class _LogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _write(self.format(record))


def _write(entry: str) -> None:
    sys.stdout.write(entry if entry.endswith("\n") else entry + "\n")


def set_up_logging() -> None:
    """Gives the root logger the handler that Lambda gives it, and the level that the function is configured with."""
    logging.Formatter.converter = time.gmtime
    handler = _LogHandler()
    if _JSON_LOG:
        from _json_log import JsonFormatter  # type: ignore[import-not-found]  # beside this script when it runs

        handler.setFormatter(JsonFormatter())
    else:
        text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        handler.setFormatter(logging.Formatter(text, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(_RequestFilter())
    root = logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    if isinstance(logging.getLevelName(level), int):
        root.setLevel(level)
    root.addHandler(handler)


def log_error(error: dict[str, Any]) -> None:
    """Writes an error as Lambda writes it: as JSON, or as text with its indentation in no-break spaces."""
    if _JSON_LOG:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        _write(_ENCODER.encode({"timestamp": now, "level": "ERROR", **error}))
        return
    first = ": ".join(part for part in ("[ERROR] " + error["errorType"], error["errorMessage"]) if part)
    lines = [first, "Traceback (most recent call last):"]
    for entry in error["stackTrace"]:
        for line in entry.splitlines() or [""]:
            text = line.lstrip(" ")
            lines.append(_NO_BREAK_SPACE * (len(line) - len(text)) + text)
    _write("\n".join(lines))


# -- the handler and its results


def load_handler(name: str) -> Callable[[Any, LambdaContext], Any]:
    """The handler function called `module.function`; raises Fault when it cannot be had."""
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {e}") from e
    if module_name.split(".")[0] in sys.builtin_module_names:
        text = f"Cannot use built-in module {module_name} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", text)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {e}") from e
    except SyntaxError as e:
        trace = [f'  File "{e.filename}" Line {e.lineno}\n    {e.text}']
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {e}", trace) from e
    try:
        handler: Callable[[Any, LambdaContext], Any] = getattr(module, function_name)
    except AttributeError as e:
        text = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", text) from e
    return handler


def error_of(exception: Exception, request_id: str) -> dict[str, Any]:
    """The error object that Lambda answers for `exception`; our own frames are left out."""
    if isinstance(exception, Fault):
        kind, trace = exception.kind, exception.trace or []
    else:
        frames = traceback.extract_tb(exception.__traceback__)
        first = next((i for i, frame in enumerate(frames) if frame.filename != _OWN_FILE), 0)
        # Without columns, like AWS's: no carets under the part of a line that failed.
        shown = [traceback.FrameSummary(f.filename, f.lineno, f.name, line=f.line) for f in frames[first:]]
        kind, trace = type(exception).__name__, traceback.format_list(shown)
    return {"errorMessage": str(exception), "errorType": kind, "requestId": request_id, "stackTrace": trace}


def _default(value: Any) -> Any:
    """What AWS's encoder writes for values that the json module refuses."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    decimal = sys.modules.get("decimal")  # a value can only be a Decimal when the handler has loaded that module
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float("nan") if value.is_nan() else f"{_DECIMAL_MARK}{value}{_DECIMAL_MARK}"
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_ENCODER = json.JSONEncoder(ensure_ascii=_ENSURE_ASCII, default=_default)


def encode(result: Any) -> str | bytes:
    """The payload for what the handler returned; raises Fault when it is not JSON."""
    if isinstance(result, bytes):
        return result
    try:
        text = _encoded(result)
    except Exception as e:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {e}") from e
    if _DECIMAL_MARK in text:  # AWS writes a Decimal with all its digits
        text = text.replace(f'"{_DECIMAL_MARK}', "").replace(f'{_DECIMAL_MARK}"', "")
    return text


def _encoded(value: Any) -> str:
    try:
        return _ENCODER.encode(_with_plain_tuples(value))
    except TypeError:  # perhaps for keys that are bytes, which AWS's encoder takes; else it comes again
        return _ENCODER.encode(_converted(value))


class _Key(str):
    """A key that was bytes: written as text, and none of the keys that are text already."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _with_plain_tuples(value: Any) -> Any:
    """`value`, with named tuples as objects, which is how AWS's encoder writes them."""
    try:
        marshal.dumps(value)  # takes no subclass of anything, and is faster than the encoder that follows
    except ValueError:
        pass
    else:
        return value
    try:
        return _converted(value) if _has_named_tuple(value) else value
    except RecursionError:  # circular: the encoder says so better
        return value


def _has_named_tuple(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_named_tuple(v) for v in value.values() if isinstance(v, (dict, list, tuple)))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return True
    if isinstance(value, (list, tuple)):
        return any(_has_named_tuple(v) for v in value if isinstance(v, (dict, list, tuple)))
    return False


def _converted(value: Any) -> Any:
    if isinstance(value, dict):
        return {_Key(k, "utf-8") if isinstance(k, bytes) else k: _converted(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _converted(value._asdict())
    if isinstance(value, (list, tuple)):
        return [_converted(v) for v in value]
    return value


# -- the Runtime API


class RuntimeApi:
    """Our connection to the server, the socket `fd`."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # what the handler starts has no business with it
        self._socket = socket.socket(fileno=fd)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Sends requests."""
        self._socket.sendall(data)

    def receive(self) -> tuple[dict[str, str], bytes | bytearray]:
        """One answer: its headers, names in lower case, and its body."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        # The server writes "Name: value" and nothing else: that can be split without looking at each header twice.
        headers = {name.lower(): value for name, value in [line.split(": ", 1) for line in lines[1:]]}
        start = end + 4
        stop = start + int(headers.get("content-length", "0"))
        if len(self._buffer) < stop:
            return headers, self._receive_rest(start, stop)
        body, self._buffer = self._buffer[start:stop], self._buffer[stop:]
        return headers, body

    def confirm(self) -> None:
        """The server's word that it has taken an answer."""
        if not self._buffer:
            self._fill()
        if self._buffer.startswith(_ACCEPTED):
            self._buffer = self._buffer[len(_ACCEPTED) :]
        else:
            self.receive()

    def _fill(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            os._exit(1)  # the server is gone
        self._buffer += data

    def _receive_rest(self, start: int, stop: int) -> bytearray:
        """A long body: what is there of it, from `start` on, and the rest."""
        body = bytearray(stop - start)
        have = len(self._buffer) - start
        body[:have] = self._buffer[start:]
        self._buffer = b""
        with memoryview(body) as view:
            while have < len(body):
                count = self._socket.recv_into(view[have:])
                if not count:
                    os._exit(1)
                have += count
        return body


def post(path: str, body: bytes) -> bytes:
    """A POST request as bytes."""
    head = f"POST {_BASE}/{path} HTTP/1.1\r\nHost: {_API}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _load_large(body: bytes | bytearray) -> Any:
    """The event in a large body; without the collector, which would look at every new object again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return json.loads(body)
    finally:
        if collects:
            gc.enable()


def handle(handler: Callable[[Any, LambdaContext], Any], headers: dict[str, str], body: bytes | bytearray) -> bytes:
    """Runs the handler with one event; the request that answers it."""
    request_id = headers["lambda-runtime-aws-request-id"]
    try:
        context = LambdaContext(headers)
        try:
            event = json.loads(body) if len(body) < _LARGE else _load_large(body)
        except Exception as e:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {e}") from e
        result = encode(handler(event, context))
    except Exception as e:
        error = error_of(e, request_id)
    else:
        # A lone surrogate cannot be written; as with AWS's runtime, that is the end of the process.
        return post(f"invocation/{request_id}/response", result if isinstance(result, bytes) else result.encode())
    log_error(error)
    return post(f"invocation/{request_id}/error", _ENCODER.encode(error).encode("utf-8", "backslashreplace"))


def run_awslambdaric() -> NoReturn:
    """Runs AWS's own runtime client in our place.

    Its log frames go down the same pipe as what is printed, so that both stay in order.
    """
    run = importlib.import_module("awslambdaric.__main__").main

    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(os.dup(1))
    run(["awslambdaric", os.environ["_HANDLER"]])
    sys.exit(1)  # it never returns


def main() -> NoReturn:
    """Handles invocations until its server ends it."""
    global _current_request, _current_tenant
    die_with_server(int(sys.argv[1]))
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.argv[2:] == ["awslambdaric"]:
        run_awslambdaric()
    set_up_logging()
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    api = RuntimeApi(int(sys.argv[2]))
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as e:
        error = error_of(e, "")
        logging.warning(_UNHANDLED_AT_INIT)
        log_error(error)
        api.send(post("init/error", json.dumps(error).encode()))
        api.receive()
        sys.exit(1)
    answer = b""
    while True:
        api.send(answer + _NEXT)
        if answer:
            api.confirm()
        headers, body = api.receive()
        _current_request = headers["lambda-runtime-aws-request-id"]
        _current_tenant = headers.get("lambda-runtime-aws-tenant-id")
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
        answer = handle(handler, headers, body)
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    main()
