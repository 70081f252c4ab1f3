"""Secrets looked up at the last moment: from the environment, Systems Manager or Secrets Manager."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction import _json, _wire
from lmfunction._boto import environment_of, sibling_client
from lmfunction._connection import Place, ambient_region
from lmfunction._references import Secret, Slot, fill
from lmfunction._request import InvokeRequest
from lmfunction._transport import Doubt, translate
from lmfunction.errors import LMError, ParameterError, ServiceError, TransportError

Known = tuple[tuple[str, str], ...]  # (a secret's text, what is shown for it)
# Shorter texts stand everywhere by chance; hiding them would tear holes into what has nothing to do with them.
_SHORTEST: Final = 4
_ENOUGH_FOR_A_RUN: Final = 300.0  # seconds
_HARMLESS: Final = Doubt("The secret could not be looked up", "Nothing was invoked.", harmless=True)


@dataclass
class SecretValues:
    """Looks secrets up and keeps each for five minutes, so that many calls of one run ask once."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.monotonic
    _kept: dict[tuple[Any, ...], tuple[float, str]] = field(default_factory=dict, repr=False)

    def filled(self, request: InvokeRequest, place: Place) -> tuple[InvokeRequest, Known]:
        """`request` with its secrets in their places, and what must not be shown afterwards.

        Raises ParameterError for a secret that is not there or does not fit, ServiceError when AWS refuses it,
        TransportError when no answer came. Nothing of the invocation is sent before.
        """
        if not request.payload_slots and not request.context_slots:
            return request, ()
        known: list[tuple[str, str]] = []
        payload = self._fill("Payload", request.payload, request.payload_slots, place, known)
        _check_payload(payload, request)
        context = request.client_context
        if context is not None and request.context_slots:
            decoded = base64.b64decode(context)
            context = base64.b64encode(
                self._fill("ClientContext", decoded, request.context_slots, place, known)
            ).decode()
            _check_context(context)
        made = dataclasses.replace(request, payload=payload, client_context=context, payload_slots=(), context_slots=())
        return made, tuple(dict.fromkeys(known))

    def find(self, secret: Secret, place: Place) -> str:
        """The secret's text."""
        scheme, name, member = secret.parts
        if scheme == "env":
            if name not in self.environ:
                raise ParameterError(f"{secret.label}: the environment has no variable {name}; nothing was sent.")
            return self.environ[name]
        connection = place.connection
        key = (scheme, name, connection.region, connection.endpoint_url, connection.aws_profile, connection.credential)
        kept = self._kept.get(key)
        if kept is None or self.clock() - kept[0] > _ENOUGH_FOR_A_RUN:
            kept = self._kept[key] = (self.clock(), _asked(secret, place))
        return kept[1] if member is None else _member(kept[1], member, secret)

    def _fill(
        self, parameter: str, content: bytes, slots: tuple[Slot, ...], place: Place, known: list[tuple[str, str]]
    ) -> bytes:
        values = {}
        for slot in slots:
            text = self.find(slot.secret, place)
            known += _shown_as(text, slot)
            values[slot.secret] = _whole(text, slot.secret, parameter) if slot.whole else _inside_a_string(text)
        return fill(content, slots, values)


def _asked(secret: Secret, place: Place) -> str:
    """What Systems Manager or Secrets Manager answers, asked with the call's own credentials, region and endpoint.

    The embedded Lambda has no such neighbours, so that for it boto3's own chain decides.
    """
    scheme, name, _ = secret.parts
    connection = place.connection
    if place.embedded:
        region = ambient_region(connection.aws_profile) or connection.region
        connection = dataclasses.replace(connection, region=region, environment=environment_of())
    try:
        client = sibling_client(scheme, connection)
        try:
            if scheme == "ssm":
                return str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
            answer = client.get_secret_value(SecretId=name)
        finally:
            client.close()
    except Exception as error:
        raise _refused(translate(error, _HARMLESS), secret) from error
    if "SecretString" not in answer:
        raise ParameterError(f"{secret.label} is binary; a payload takes text. Nothing was sent.")
    return str(answer["SecretString"])


def _refused(error: LMError, secret: Secret) -> LMError:
    """The error, which says of which secret it speaks, and that nothing was invoked."""
    error.args = (f"{secret.label}, so that nothing was invoked: {error.args[0]}",)
    if isinstance(error, TransportError):
        return TransportError(str(error.args[0]), sent=False, outcome="NOT_SENT")
    if isinstance(error, ServiceError):
        error.outcome = "REJECTED"
    return error


def _member(text: str, member: str, secret: Secret) -> str:
    try:
        found = json.loads(text)[member]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise ParameterError(f"{secret.label} is no JSON object with that member; nothing was sent.") from None
    return found if isinstance(found, str) else json.dumps(found)


def _inside_a_string(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


def _whole(text: str, secret: Secret, parameter: str) -> bytes:
    try:
        return _json.check(text, parameter=parameter)
    except ParameterError:  # whose text would show the secret's keys
        raise ParameterError(
            f"{parameter}: {secret.label} is not JSON, so it cannot be the whole {parameter}: nothing was sent.",
            parameter=parameter,
        ) from None


def _shown_as(text: str, slot: Slot) -> Iterator[tuple[str, str]]:
    """The texts by which the secret could come back in an answer or a log, each with its label."""
    texts = [text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]]
    if slot.whole or text.lstrip()[:1] in ("{", "["):
        texts += _leaves(text)
    for found in dict.fromkeys(texts):
        if len(found) >= _SHORTEST:
            yield found, slot.secret.label


def _leaves(text: str) -> list[str]:
    """The strings in JSON text, as far as they are long enough to be a secret of their own."""
    try:
        pending = [json.loads(text)]
    except (ValueError, RecursionError):
        return []
    found: list[str] = []
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return found


def _check_payload(payload: bytes, request: InvokeRequest) -> None:
    limit = _wire.EVENT_REQUEST_LIMIT if request.invocation_type == "Event" else _wire.SYNC_REQUEST_LIMIT
    if len(payload) > limit:
        raise ParameterError(
            f"Payload has {len(payload):,} bytes with its secrets; {request.invocation_type} takes {limit:,}.",
            parameter="Payload",
        )


def _check_context(context: str) -> None:
    if not base64.b64decode(context).lstrip().startswith(b"{"):
        raise ParameterError("ClientContext is no JSON object with its secret in it.", parameter="ClientContext")
    if len(context) > _wire.CLIENT_CONTEXT_LIMIT:
        raise ParameterError(
            f"ClientContext has {len(context):,} base64 bytes with its secrets; AWS takes "
            f"{_wire.CLIENT_CONTEXT_LIMIT:,}.",
            parameter="ClientContext",
        )


def hide(error: BaseException, known: Known, hidden: Callable[[str], str]) -> None:
    """Takes the secrets out of an error's text, in place."""
    if known and error.args and isinstance(error.args[0], str):
        error.args = (hidden(error.args[0]), *error.args[1:])
