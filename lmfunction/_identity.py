"""Whose credentials a call is signed with: STS is asked once for each access key, and only when somebody wants to know.

`GetCallerIdentity` needs no permission and changes nothing. It is asked with exactly the key that signs the call.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._auth import Credential
from lmfunction._boto import Connection, sibling_client
from lmfunction._client import Connections
from lmfunction._connection import EMBEDDED_ACCOUNT, Place
from lmfunction._endpoint import is_loopback
from lmfunction._text import ascii_only, shorten
from lmfunction._transport import Doubt, endpoint_of, translate
from lmfunction.errors import GuardError, LMError, ProfileError

_HARMLESS: Final = Doubt("STS brought no answer", "Nothing was sent.", harmless=True)


@dataclass(frozen=True)
class Identity:
    """An account, the caller's ARN, and the id of the access key that was asked for."""

    account: str
    arn: str
    access_key: str = ""

    @property
    def principal(self) -> str:
        """The user or role: credentials that were renewed may name another session of the same role."""
        head, kind, rest = self.arn.partition(":assumed-role/")
        return head + kind + rest.partition("/")[0] if kind else self.arn


_EMBEDDED: Final = Identity(EMBEDDED_ACCOUNT, "the embedded Lambda's own keys")


class Identities:
    """The callers known so far. Safe to use from several threads."""

    def __init__(self, ask: Callable[[Connection, Credential], Identity] | None = None) -> None:
        self._ask = ask or ask_sts
        self._lock = threading.Lock()
        self._by_key: dict[tuple[str | None, str], Identity] = {}
        self._last: dict[tuple[Any, ...], Identity] = {}

    def of(self, place: Place, connections: Connections) -> Identity:
        """Who signs a call at `place` now. STS is asked when the key in use is not known yet.

        Raises ProfileError when there are no credentials, GuardError when STS does not tell.
        """
        if place.embedded:
            return _EMBEDDED
        transport = connections.transport(place)
        if not transport.connection.signed:
            raise GuardError("A request that is not signed has no identity to check, so nothing was sent.")
        credential = transport.credential()
        url = transport.endpoint_url
        key = (url if is_loopback(url) else None, credential.access_key)
        found = self._by_key.get(key)
        if found is None:
            with self._lock:
                found = self._by_key.get(key)
                if found is None:
                    found = self._by_key[key] = self._ask(transport.connection, credential)
        self._last[_source(place)] = found
        return found

    def remembered(self, place: Place) -> Identity | None:
        """Who signed the last call from where this one's credentials come from; nothing is asked or loaded."""
        return _EMBEDDED if place.embedded else self._last.get(_source(place))


def ask_sts(connection: Connection, credential: Credential) -> Identity:
    """Who holds `credential`. Raises ProfileError for credentials that cannot be used, GuardError for the rest."""
    try:
        client = sibling_client("sts", dataclasses.replace(connection, credential=credential))
        url = str(client.meta.endpoint_url)
        try:
            answer = client.get_caller_identity()
        finally:
            client.close()
    except Exception as error:
        raise _untold(translate(error, _HARMLESS), connection) from error
    account, arn = answer.get("Account"), answer.get("Arn")
    if not isinstance(account, str) or not re.fullmatch(r"\d{12}", account) or not isinstance(arn, str):
        raise GuardError(f"What answered at {ascii_only(shorten(url, 80))} is not STS. Nothing was sent.")
    return Identity(account, arn, credential.access_key)


def _untold(error: LMError, connection: Connection) -> LMError:
    if isinstance(error, ProfileError):
        return error
    why = str(error.args[0]).removeprefix("Nothing was sent: ").partition("\n")[0].rstrip(".")
    told = f"STS could not be asked whose credentials these are: {why}. Nothing was sent"
    if is_loopback(endpoint_of(connection)):
        return GuardError(f"{told}; when this endpoint has no STS, name one in AWS_ENDPOINT_URL_STS.")
    return GuardError(f"{told}; sign in again when the credentials have expired, or repeat it later.")


def _source(place: Place) -> tuple[Any, ...]:
    """What decides which credentials are found, whatever else differs."""
    connection = place.connection
    return connection.endpoint_url, connection.aws_profile, connection.credential, connection.environment
