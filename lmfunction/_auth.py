"""Credentials handed over by the user: shown masked, never pickled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from lmfunction.errors import ParameterError


class Credential:
    """An access key, its secret and perhaps a session token, for `-Credential $variable`.

    Its repr shows the last four characters of the access key id and nothing else; it refuses to be pickled.
    """

    __slots__ = ("_access_key", "_secret_key", "_session_token")

    def __init__(self, access_key: str, secret_key: str, session_token: str | None = None) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._session_token = session_token

    @property
    def access_key(self) -> str:
        """The access key id."""
        return self._access_key

    @property
    def secret_key(self) -> str:
        """The secret access key."""
        return self._secret_key

    @property
    def session_token(self) -> str | None:
        """The session token of temporary credentials, else None."""
        return self._session_token

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

    def _parts(self) -> tuple[object, ...]:
        return self._access_key, self._secret_key, self._session_token


class RefreshingCredential(Credential):
    """Credentials that renew themselves: of a profile, an assumed role, a boto3 session.

    `load` gives botocore's object for a region (None: any), which a client signs with and which renews itself. `label`
    says for people whose they are, `profile` is the AWS profile behind them. The keys read here are those of the
    moment; reading them may contact AWS, the repr does not.
    """

    __slots__ = ("_identity", "_loaded", "label", "load", "profile")

    def __init__(
        self, load: Callable[[str | None], Any], label: str, identity: object = None, *, profile: str | None = None
    ) -> None:
        self.load = load
        self.label = label
        self.profile = profile
        self._identity = self if identity is None else identity
        self._loaded: Any = None

    @property
    def access_key(self) -> str:
        """The access key id of the moment."""
        return str(self._now().access_key)

    @property
    def secret_key(self) -> str:
        """The secret access key of the moment."""
        return str(self._now().secret_key)

    @property
    def session_token(self) -> str | None:
        """The session token of the moment."""
        token: str | None = self._now().token
        return token

    def frozen(self) -> Credential:
        """The keys of this moment, all of the same renewal."""
        now = self._now()
        return Credential(now.access_key, now.secret_key, now.token)

    def _now(self) -> Any:
        if self._loaded is None:
            self._loaded = self.load(None)
        return self._loaded.get_frozen_credentials()

    def __repr__(self) -> str:
        return f"<Credential of {self.label}>"

    def _parts(self) -> tuple[object, ...]:
        return (id(self._identity),)  # which is kept alive by it


def as_credential(found: Any) -> Credential:
    """`found` as a Credential: one already, credentials of botocore, or a boto3 session.

    Credentials that renew themselves go on doing so.
    """
    if isinstance(found, Credential):
        return found
    whose = "a boto3 session"
    if callable(getattr(found, "get_credentials", None)):
        found = found.get_credentials()
    if callable(getattr(found, "refresh_needed", None)) and callable(getattr(found, "get_frozen_credentials", None)):
        return RefreshingCredential(lambda _: found, whose, found)
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
