"""Credentials handed over by the user: shown masked, never pickled."""

from __future__ import annotations

from typing import Any, NoReturn

from lmfunction.errors import ParameterError


class Credential:
    """An access key, its secret and perhaps a session token, for `-Credential $variable`.

    Its repr shows the last four characters of the access key id and nothing else; it refuses to be pickled.
    """

    __slots__ = ("access_key", "secret_key", "session_token")

    def __init__(self, access_key: str, secret_key: str, session_token: str | None = None) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.session_token = session_token

    def __repr__(self) -> str:
        return f"<Credential …{self.access_key[-4:]}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credential):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Credential is not pickled: it would write the secret into a file")

    def _parts(self) -> tuple[str, str, str | None]:
        return self.access_key, self.secret_key, self.session_token


def as_credential(found: Any) -> Credential:
    """`found` as a Credential: one already, credentials of botocore, or a boto3 session.

    Credentials that refresh themselves are taken as they are at this moment.
    """
    if isinstance(found, Credential):
        return found
    if callable(getattr(found, "get_credentials", None)):
        found = found.get_credentials()
    if callable(getattr(found, "get_frozen_credentials", None)):
        found = found.get_frozen_credentials()
    access_key, secret_key = getattr(found, "access_key", None), getattr(found, "secret_key", None)
    if not isinstance(access_key, str) or not isinstance(secret_key, str):
        raise ParameterError(
            f"Credential is {type(found).__name__}; it must be an lm.Credential or a boto3 session.",
            parameter="Credential",
        )
    return Credential(access_key, secret_key, getattr(found, "token", None))


def from_keys(access_key: str | None, secret_key: str | None, session_token: str | None) -> Credential | None:
    """The credential that -AccessKey, -SecretKey and -SessionToken make; None when none of them is given."""
    if access_key is None and secret_key is None and session_token is None:
        return None
    if access_key is None or secret_key is None:
        missing = "AccessKey" if access_key is None else "SecretKey"
        raise ParameterError(f"{missing} is missing: -AccessKey and -SecretKey go together.", parameter=missing)
    return Credential(access_key, secret_key, session_token)
