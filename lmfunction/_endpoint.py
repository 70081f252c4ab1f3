"""Endpoint URLs: which are allowed, and which stay on this machine."""

from __future__ import annotations

import functools
import re
from urllib.parse import urlsplit

from lmfunction._text import ascii_only, shorten

_LOOPBACK = frozenset(["127.0.0.1", "localhost", "::1"])
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,61}[a-z0-9]|\[::1\]|[\d.]+"
)


def is_loopback(url: str | None) -> bool:
    """Whether `url` names this machine by 127.0.0.1, localhost or ::1, written just so."""
    return url is not None and urlsplit(url).hostname in _LOOPBACK


@functools.lru_cache(maxsize=64)
def fault_of(url: str) -> str | None:
    """Why `url` may not be called, or None when it may: https to a host name or literal IPv4, http to loopback only.

    Everything that makes a URL look like another one is refused: user info, a trailing dot, numbers as hosts, a path.
    """
    shown = f"'{ascii_only(shorten(url, 80))}'"
    if not url.isascii() or not url.isprintable() or " " in url:
        return f"{shown} holds characters that no endpoint URL has"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"{shown} is not a URL with a port of 1 to 65535"
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if parts.scheme not in ("http", "https"):
        return f"{shown} must begin with https:// (or http:// on loopback), or be 'embedded'"
    if "@" in parts.netloc or not _HOST.fullmatch(host.lower()) or port == 0:
        return f"{shown} does not name a host plainly"
    if re.fullmatch(r"[\d.]+", host) and not re.fullmatch(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|\Z)){4}", host):
        return f"{shown} does not name a host plainly"
    if host.startswith("169.254."):
        return f"{shown} is the instance metadata service, not Lambda"
    if parts.query or parts.fragment or parts.path not in ("", "/"):
        return f"{shown} must be a host alone, without a path or query"
    if parts.scheme == "http" and not is_loopback(url):
        return f"{shown} would send the payload and the signature unencrypted: use https://"
    return None
