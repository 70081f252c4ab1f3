"""The only place that talks to Lambda: one request, one answer.

Lower errors are translated here, once, into what is known: provably not sent, sent and lost, or unknown.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lmfunction import _boto, _wire
from lmfunction._auth import Credential
from lmfunction._boto import Connection, make_client
from lmfunction._credential_faults import credential_fault, is_credential_error, no_credentials
from lmfunction._http_answer import AnswerReader
from lmfunction._line import Line, line_of
from lmfunction._request import InvokeRequest
from lmfunction._retry import classify
from lmfunction._text import one_line
from lmfunction.errors import LMError, Phase, ProfileError, ServiceError, TransportError

# An answer can be 6,291,556 bytes; more than this comes from something that is not Lambda.
RESPONSE_CAP: Final = 4 * _wire.SYNC_RESPONSE_LIMIT


class Reply(NamedTuple):
    """An answer as received: header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is told when nobody can know whether a call was carried out; `harmless` when that does not matter."""

    what: str = "Unknown whether the function ran"
    advice: str = "It was not sent again; look into its log before you repeat it."
    harmless: bool = False


_INVOKED: Final = Doubt()
ANSWERED: Final = "AWS answered"  # how the words of a refusal begin
_HARMLESS: Final = Doubt("The credentials could not be got", "Nothing was sent.", harmless=True)
_READING: Final = Doubt("No answer came", "Reading changes nothing, so it can be repeated.", harmless=True)


class Transport:
    """One client's way to Lambda. Safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._line: Line | str | None = None
        with _a_client_to_make(connection):
            self.client = make_client(connection)

    @property
    def endpoint_url(self) -> str:
        """The URL that is called."""
        return str(self.client.meta.endpoint_url)

    def credential(self) -> Credential:
        """What the next request is signed with. Raises ProfileError when there is nothing, or it cannot be got."""
        from botocore.exceptions import NoCredentialsError

        try:
            found = _boto.credential_of(self.client)
            if found is None:
                raise NoCredentialsError
        except Exception as error:
            raise credential_fault(error, self.connection) from error
        return found

    def ready(self) -> None:
        """Gets the credentials, or renews them: what is wrong with them is known before anything is sent.

        Raises ProfileError; TransportError where whoever gives them could not be reached.
        """
        if self.connection.signed:
            self.credential()

    def send(self, request: InvokeRequest) -> Reply:
        """Sends `request` once. Raises ServiceError for a refusal, TransportError when there is no whole answer."""
        try:
            answer = self.client.invoke(**request.members())
        except LMError:
            raise  # a hook's, which knows what it means
        except Exception as error:
            raise translate(error) from error
        metadata = answer["ResponseMetadata"]
        headers: Mapping[str, str] = metadata["HTTPHeaders"]
        try:
            body = _read_body(answer, headers, metadata["HTTPStatusCode"])
        except BaseException:
            answer["Payload"].close()  # else its connection would stay open, as long as the error lives
            raise
        return Reply(metadata["HTTPStatusCode"], headers, body)

    def read(self, target: str) -> bytes:
        """The answer to a GET of `target`, a path of an embedded Lambda's own, signed as a call is.

        Raises ServiceError for a refusal, TransportError when there is no whole answer.
        """
        from botocore.exceptions import ClientError

        try:
            reply = _boto.get(self.client, target)
        except Exception as error:
            raise translate(error, _READING) from error
        if reply.status_code == 200:
            return bytes(reply.content)
        try:
            message = json.loads(reply.content)
        except ValueError:
            message = {}
        details = {
            "Code": reply.headers.get("x-amzn-errortype", ""),
            "Message": message.get("message") or message.get("Message") or "",
        }
        metadata = {"HTTPStatusCode": reply.status_code, "HTTPHeaders": dict(reply.headers)}
        raise translate(ClientError({"Error": details, "ResponseMetadata": metadata}, "GET"), _READING)

    def line(self) -> Line | str:
        """What a sender of its own needs to know to send as this client does; text says why only boto3 can send."""
        if self._line is None:
            self._line = line_of(self.client, self.connection)
        return self._line

    def close(self) -> None:
        """Closes the client's connections, and those left open by senders of their own."""
        self.client.close()
        if isinstance(self._line, Line):
            self._line.idle.close()


def endpoint_of(connection: Connection) -> str:
    """The URL that `connection` would call; nothing is contacted. Raises ProfileError where no client can be made."""
    with _a_client_to_make(connection):
        return _boto.endpoint_of(connection)


@contextlib.contextmanager
def _a_client_to_make(connection: Connection) -> Iterator[None]:
    """Makes of a client's refusal to be made a ProfileError. Some credentials are got by then, others later."""
    from botocore.exceptions import BotoCoreError, CredentialRetrievalError

    try:
        yield
    except (CredentialRetrievalError, OSError) as error:
        raise credential_fault(error, connection) from error
    except BotoCoreError as error:
        translated = translate(error)
        raise translated if isinstance(translated, ProfileError) else ProfileError(f"{_plain(error)}.") from error
    except ValueError as error:
        raise ProfileError(f"{_plain(error)}.") from error


def translate(error: Exception, doubt: Doubt = _INVOKED) -> LMError:
    """The lmfunction error that says what `error`, raised by boto3 before a whole answer's head was read, means."""
    from botocore import exceptions as boto
    from urllib3.exceptions import HTTPError

    if isinstance(error, boto.ClientError):
        return _refusal(error.response, doubt)
    if isinstance(error, boto.NoRegionError):
        return ProfileError("No region: give -Region, or `region:` in a profile, or set AWS_DEFAULT_REGION.")
    if is_credential_error(error):
        return no_credentials(error)
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError | boto.ProxyConnectionError):
        return TransportError(f"Nothing was sent: {_plain(error)}.", sent=False, outcome="NOT_SENT", retryable=True)
    if isinstance(error, boto.SSLError) and isinstance(_root(error), ssl.SSLCertVerificationError):
        return TransportError(
            f"Nothing was sent: the server's certificate is not trusted ({_plain(_root(error))}).",
            sent=False,
            outcome="NOT_SENT",
        )
    if isinstance(error, boto.ReadTimeoutError):
        return _unknown("no answer came in time", doubt, phase="wait")
    if isinstance(error, boto.BotoCoreError | HTTPError | http.client.HTTPException | OSError):
        return _unknown(f"the connection broke before a whole answer came ({type(error).__name__})", doubt)
    return TransportError(
        f"The call failed inside boto3: {type(error).__name__}: {one_line(str(error), 200)}.", sent=None
    )


def _unknown(why: str, doubt: Doubt = _INVOKED, *, phase: Phase = "dispatch") -> TransportError:
    return TransportError(f"{doubt.what}: {why}. {doubt.advice}", sent=None, outcome="UNKNOWN", phase=phase)


def reply_of(answer: AnswerReader, cut: Exception | None = None) -> Reply:
    """The reply that a sender of its own has read; `cut` says why there is no more of it.

    Raises what `Transport.send` raises for the same bytes.
    """
    status, headers = answer.status, answer.headers
    if not status:
        raise translate(cut or ConnectionError()) from cut
    if status >= 300:
        raise _refusal(_parsed(status, headers, answer.body), _INVOKED)
    request_id = _check_head(headers, status)
    if answer.over:
        raise _lost("it has more bytes than any answer of Lambda", request_id)
    if cut is not None:
        raise _lost(f"it was cut ({type(cut).__name__})", request_id) from cut
    return Reply(status, headers, answer.body)


def _parsed(status: int, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """What botocore makes of a refusal: as its client does it, for what a refusal means is botocore's model to say."""
    from botocore.parsers import create_parser

    raw = {"status_code": status, "headers": headers, "body": body, "context": {"operation_name": "Invoke"}}
    model = _boto.service_model()
    parser = create_parser(model.metadata["protocol"])
    found: dict[str, Any] = parser.parse(raw, model.operation_model("Invoke").output_shape)
    shape = model.shape_for_error_code(found.get("Error", {}).get("Code", ""))
    if shape is not None:
        found.update(parser.parse(raw, shape))
    return found


def _refusal(answer: Mapping[str, Any], doubt: Doubt) -> ServiceError:
    metadata = answer.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    headers = metadata.get("HTTPHeaders", {})
    details = answer.get("Error", {})
    code = str(details.get("Code", ""))
    outcome = classify(code, status)
    request_id = metadata.get("RequestId") or headers.get("x-amzn-requestid")
    message = one_line(str(details.get("Message") or answer.get("message") or "no message"), 400)
    if outcome == "UNKNOWN" and not doubt.harmless:
        message = f"{message.rstrip('.')}. {doubt.what}; it was not sent again."
    reason = answer.get("Reason")
    return ServiceError(
        f"{ANSWERED} {status} {one_line(code, 80)}{f' ({one_line(str(reason), 80)})' if reason else ''}: "
        f"{message}\n  RequestId: {request_id or 'none'}",
        code=code,
        status=status,
        request_id=request_id,
        retry_after=_retry_after(headers),
        reason=reason,
        outcome=outcome.value,
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that AWS asks to wait: `Retry-After` in seconds, or `x-amz-retry-after` in ms."""
    for name, unit in (("retry-after", 1.0), ("x-amz-retry-after", 1000.0)):
        try:
            asked = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(asked):
            return min(max(asked, 0.0), 3600.0)
    return None


def _plain(error: BaseException) -> str:
    return one_line(str(error), 300).rstrip(".")


def _root(error: BaseException) -> BaseException:
    """The innermost of the errors that `error` was made from."""
    seen = [error]
    while (below := _below(seen[-1])) is not None and below not in seen:
        seen.append(below)
    return seen[-1]


def _below(error: BaseException) -> BaseException | None:
    inner = [a for a in error.args if isinstance(a, BaseException)]
    reason = getattr(error, "kwargs", {}).get("error") or getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        inner.append(reason)
    return next(iter(inner), None) or error.__cause__ or error.__context__


def _read_body(answer: Mapping[str, Any], headers: Mapping[str, str], status: int) -> bytes:
    """The whole body, or a TransportError: an answer whose head or body was cut is never a success."""
    request_id = _check_head(headers, status)
    body = answer["Payload"]
    length = headers.get("content-length")
    try:
        content: bytes = body.read() if length is not None else body.read(RESPONSE_CAP + 1)
    except Exception as error:
        raise _lost(f"it was cut ({type(error).__name__})", request_id) from error
    if len(content) > RESPONSE_CAP:
        raise _lost("it has more bytes than any answer of Lambda", request_id)
    return content


def _check_head(headers: Mapping[str, str], status: int) -> str:
    """The request id. Raises TransportError for a head that was cut, or does not say how long the answer is."""
    request_id = headers.get("x-amzn-requestid")
    if not request_id:
        raise _unknown(
            f"an answer {status} came without Lambda's request id, so its head was cut or it is not Lambda's",
            phase="response",
        )
    length = headers.get("content-length")
    if status == 200 and length is None and "transfer-encoding" not in headers:
        raise _lost("its length is not told, so nobody can see whether it is whole", request_id)
    if length is not None and length.isdecimal() and int(length) > RESPONSE_CAP:
        raise _lost(f"it has {int(length):,} bytes, more than any answer of Lambda", request_id)
    return request_id


def _lost(why: str, request_id: str) -> TransportError:
    return TransportError(
        f"The function ran, but its answer is lost: {why}. It was not sent again.\n"
        f"  RequestId: {one_line(request_id, 80)}",
        sent=True,
        outcome="RESULT_LOST",
        request_id=request_id,
    )
