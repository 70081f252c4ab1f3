"""The AWS CLI's two files: where they stand, which profiles they hold, a profile's credentials written or removed.

`~/.aws/credentials` holds keys under `[NAME]`, `~/.aws/config` everything else under `[profile NAME]`. A file named by
-ProfileLocation takes the place of the first, and holds all of a profile. Every byte that is not of the profile's
credentials stays as it is.
"""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lmfunction import _ini
from lmfunction._text import ascii_only, shorten
from lmfunction._user_files import make_private_folder, write_atomically
from lmfunction.errors import ParameterError, ProfileError

Store = Literal["SharedCredentialsFile", "SharedConfigFile"]
Version = tuple[int, int] | None

KEYS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
# Whatever else boto3 would take credentials from: left beside new keys, it would win over them.
_OTHER_SOURCES: Final = (
    "aws_security_token",
    "aws_account_id",
    "role_arn",
    "source_profile",
    "credential_source",
    "external_id",
    "mfa_serial",
    "role_session_name",
    "duration_seconds",
    "web_identity_token_file",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "sso_region",
    "sso_account_id",
    "sso_role_name",
    "sso_registration_scopes",
    "login_session",
)
_NAME: Final = re.compile(r"(?!\s)[^\[\]\"'\\\x00-\x1f\x7f]{1,128}(?<!\s)")
_lock: Final = threading.Lock()


@dataclass(frozen=True)
class AwsFiles:
    """The two files. `location` is that of -ProfileLocation, else None."""

    credentials: pathlib.Path
    config: pathlib.Path
    location: str | None = None


def aws_files(environ: Mapping[str, str] = os.environ, location: str | None = None) -> AwsFiles:
    """The files that `environ` and -ProfileLocation name, as boto3 finds them."""
    return AwsFiles(pathlib.Path(location or aws_places(environ)[1]), pathlib.Path(aws_places(environ)[0]), location)


def aws_location(location: str | None) -> str | None:
    """The file of AWS profiles that -ProfileLocation names; None where it names a folder or a YAML file."""
    if location is None or location.endswith((".yaml", ".yml")):
        return None
    path = os.path.expanduser(location)  # noqa: PTH111 - a plain path for botocore
    return path if os.path.isfile(path) else None  # noqa: PTH113


def versions(places: tuple[str, str], location: str | None = None) -> tuple[Version, ...]:
    """When each file was last written, and its size: whoever edits ~/.aws needs no new kernel."""
    return tuple(map(_version, (*places, location) if location else places))


def aws_places(environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The paths of the config and of the credentials file that `environ` names."""
    return (
        _expanded(environ.get("AWS_CONFIG_FILE") or "~/.aws/config"),
        _expanded(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"),
    )


def _expanded(path: str) -> str:
    return os.path.expanduser(os.path.expandvars(path))  # noqa: PTH111 - as botocore does, before each call


def _version(path: str) -> Version:
    try:
        found = os.stat(path)  # noqa: PTH116 - a tenth of what pathlib takes
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def check_name(name: str, parameter: str = "StoreAs") -> str:
    """`name`, which can be the name of a profile in both files. Raises ParameterError."""
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"{parameter} '{ascii_only(shorten(name, 40))}' cannot name a profile: "
            "1 to 128 characters without quotes, brackets and backslashes.",
            parameter=parameter,
        )
    return name


def stored_profiles(files: AwsFiles) -> Iterator[tuple[str, Store, pathlib.Path]]:
    """The name, the kind of file and the file of each profile; a name that both files have comes twice.

    Raises ProfileError for a file that cannot be read.
    """
    for name in _ini_of(files.credentials, _read(files.credentials)):
        yield name, "SharedCredentialsFile", files.credentials
    for section in _ini_of(files.config, _read(files.config)):
        found = _name_in_config(section)
        if found is not None:
            yield found, "SharedConfigFile", files.config


def stored_settings(files: AwsFiles, name: str) -> dict[str, str] | None:
    """What the files say about the credentials of profile `name`; None when neither has it. Raises ProfileError."""
    whole: dict[str, str] | None = None
    for path, is_section in ((files.config, _in_config(name)), (files.credentials, _exactly(name))):
        for section, options in _ini_of(path, _read(path)).items():
            if is_section(section):
                known = {n: v for n, v in options.items() if n in (*KEYS, *_OTHER_SOURCES)}
                whole = {**(whole or {}), **known}
    return whole


def store(files: AwsFiles, name: str, settings: Mapping[str, str], *, region: str | None = None) -> list[pathlib.Path]:
    """Writes `settings`, and nothing else, as the credentials of profile `name`; gives the files that changed.

    `region` is written too if given. Raises ProfileError, and nothing is written, where a file cannot be edited.
    """
    keys = {n: v for n, v in settings.items() if n in KEYS}
    others = {n: v for n, v in settings.items() if n not in KEYS}
    nothing = dict.fromkeys((*KEYS, *_OTHER_SOURCES))
    here = {**nothing, **keys, **(others if files.location else {})}
    there: dict[str, str | None] = {**nothing, **({} if files.location else others)}
    if region is not None:
        (here if files.location else there)["region"] = region
    header = name if name == "default" else f"profile {_quoted(name)}"
    edits = {
        files.credentials: lambda text: _ini.with_values(text, name, here, _exactly(name)),
        files.config: lambda text: _ini.with_values(text, header, there, _in_config(name)),
    }
    return _write_all(files, edits)


def forget(files: AwsFiles, names: tuple[str, ...]) -> list[pathlib.Path]:
    """Removes the profiles from both files; gives the files that changed. Raises ProfileError."""

    def without(text: str, matching: Callable[[str], _ini.IsSection]) -> str:
        for name in names:
            text = _ini.without_section(text, matching(name))
        return text

    edits = {
        files.credentials: lambda text: without(text, _exactly),
        files.config: lambda text: without(text, _in_config),
    }
    return _write_all(files, edits)


def _write_all(files: AwsFiles, edits: Mapping[pathlib.Path, Callable[[str], str]]) -> list[pathlib.Path]:
    """Makes every edit before the first file is written; the credentials are their owner's alone afterwards."""
    with _lock:
        changed: dict[pathlib.Path, str] = {}
        for path, edit in edits.items():
            text = _read(path)
            try:
                new = edit(text)
            except _ini.IniError as error:
                raise ProfileError(f"Nothing was written: {error}.", file=str(path)) from None
            if new != text:
                changed[path] = new
        for path, new in changed.items():
            mode = 0o600 if path == files.credentials else _mode(path)
            try:
                make_private_folder(path.resolve().parent)
                write_atomically(path, new.encode("utf-8"), mode=mode)
            except OSError as error:
                raise ProfileError(f"It cannot be written: {error.strerror}.", file=str(path)) from None
    return list(changed)


def _mode(path: pathlib.Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0o600


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise ProfileError("It is not UTF-8 text, so that boto3 cannot read it either.", file=str(path)) from None
    except OSError as error:
        raise ProfileError(f"It cannot be read: {error.strerror}.", file=str(path)) from None


def _ini_of(path: pathlib.Path, text: str) -> _ini.Sections:
    try:
        return _ini.parsed(text)
    except _ini.IniError as error:
        raise ProfileError(f"It cannot be understood: {error}.", file=str(path)) from None


def _exactly(name: str) -> _ini.IsSection:
    return lambda section: section == name


def _in_config(name: str) -> _ini.IsSection:
    return lambda section: _name_in_config(section) == name


def _name_in_config(section: str) -> str | None:
    """The profile whose section this is in ~/.aws/config, as botocore takes it."""
    if section == "default":
        return section
    if not section.startswith("profile"):
        return None
    try:
        parts = shlex.split(section)
    except ValueError:
        return None
    return parts[1] if len(parts) == 2 else None


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"[^\w.@+-]", name) else name
