"""Why credentials cannot be got, and what to type next. Nothing was sent then."""

from __future__ import annotations

from typing import Final

from lmfunction._auth import RefreshingCredential
from lmfunction._aws_session import sign_in_of
from lmfunction._boto import Connection
from lmfunction._redact import NONE
from lmfunction._text import one_line
from lmfunction.errors import LMError, ProfileError, TransportError

_NAMES: Final = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
    "SSOError",
    "TokenRetrievalError",
    "InvalidConfigError",
    "ConfigParseError",
    "ConfigNotFound",
    "MetadataRetrievalError",
    "LoginError",
)
# What botocore's providers raise of a cached sign-in that is damaged, without a word of their own.
_DAMAGED: Final = (KeyError, TypeError, ValueError, AttributeError)


def is_credential_error(error: Exception) -> bool:
    """Whether botocore says by `error` that there are no usable credentials."""
    from botocore import exceptions as boto

    return isinstance(error, tuple(getattr(boto, name) for name in _NAMES if hasattr(boto, name)))


def no_credentials(error: Exception) -> ProfileError:
    """What such an error means, where it is not known whose credentials were looked for."""
    text = _plain(error)
    if "sso" in text.lower():
        return ProfileError(f"{text}. Sign in again: aws sso login --profile NAME.")
    if type(error).__name__ == "NoCredentialsError":
        return ProfileError(
            "No credentials: give -ProfileName or -Credential, or set up ~/.aws with `aws configure`. "
            "-ProfileName local needs none."
        )
    return ProfileError(f"{text}.")


def credential_fault(error: Exception, connection: Connection) -> LMError:
    """What `error`, raised while the credentials of `connection` were got, means: a ProfileError that says what to do.

    A TransportError where whoever gives them could not be reached.
    """
    from botocore import exceptions as boto

    profile, whose = _whose(connection)
    subject = whose[0].upper() + whose[1:]
    if isinstance(error, boto.NoCredentialsError):
        if profile is None:
            return no_credentials(error)
        return ProfileError(
            f"{subject} has no credentials: give it some with `aws configure`, or another -ProfileName."
        )
    if isinstance(error, boto.ClientError):
        details = error.response.get("Error", {})
        return ProfileError(
            f"{subject}: AWS answered {one_line(str(details.get('Code', '')), 80)} to {error.operation_name}: "
            f"{_hidden(details.get('Message') or 'no message')}. Nothing was sent.{_sign_in(profile, connection)}"
        )
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError):
        return TransportError(
            f"Nothing was sent: the credentials of {whose} could not be got: {_plain(error)}.",
            sent=False,
            outcome="NOT_SENT",
        )
    if type(error).__name__ in ("StdinNotImplementedError", "EOFError", "GetPassWarning"):
        return ProfileError(f"{subject} needs an MFA code, and nobody is there to type it. Nothing was sent.")
    sign_in = _sign_in(profile, connection)
    if sign_in and (isinstance(error, _DAMAGED) and not isinstance(error, boto.BotoCoreError)):
        return ProfileError(f"The sign-in of {whose} cannot be read.{sign_in}")
    told = _plain(error) if isinstance(error, boto.BotoCoreError | RuntimeError | OSError) else type(error).__name__
    return ProfileError(f"The credentials of {whose} cannot be got: {told}.{sign_in}")


def _whose(connection: Connection) -> tuple[str | None, str]:
    """The AWS profile, and the credentials' name for people."""
    held = connection.credential
    if isinstance(held, RefreshingCredential):
        return held.profile, held.label
    return (
        connection.aws_profile,
        f"profile {connection.aws_profile}" if connection.aws_profile else "boto3's own chain",
    )


def _sign_in(profile: str | None, connection: Connection) -> str:
    """The command that signs in anew, for profiles of such a kind."""
    try:
        found = sign_in_of(profile, connection.credentials_file)
    except Exception:  # noqa: BLE001 - a hint only; the error itself is told
        return ""
    return f" Sign in again: {found}" if found is not None else ""


def _plain(error: BaseException) -> str:
    return _hidden(one_line(str(error), 300)).rstrip(".")


def _hidden(text: str) -> str:
    return NONE.text(one_line(str(text), 300)).rstrip(".")
