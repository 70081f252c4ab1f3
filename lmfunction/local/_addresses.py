"""Which requests come from a program on this machine that means us, and not from a web page.

A page can send a request to 127.0.0.1, by its number or through a name of its own that resolves to it (DNS rebinding).
A browser then sends Origin, Referer or Sec-Fetch-Site, or a Host that is not ours; programs send none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_BROWSER_HEADERS: Final = ("origin", "referer")


def hosts_of(port: int) -> frozenset[str]:
    """The Host headers that name our own listener."""
    return frozenset({f"{LOOPBACK}:{port}", f"localhost:{port}", f"[::1]:{port}"})


def foreign_fault(headers: Mapping[str, str], hosts: frozenset[str]) -> str | None:
    """Why these headers are not those of a local program; None when they are."""
    if headers.get("host") not in hosts:
        return "The Host header does not name this endpoint."
    for name in _BROWSER_HEADERS:
        if name in headers:
            return f"Requests with the header {name.title()} are refused: they come from web pages."
    if headers.get("sec-fetch-site", "none") != "none":
        return "Requests with the header Sec-Fetch-Site are refused: they come from web pages."
    return None
