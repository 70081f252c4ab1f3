"""Signature Version 4, verified: only who knows the keys made at start may call.

A captured request that is sent again as it is is refused: every SDK sends an `amz-sdk-invocation-id` that is new for
each call, and an `amz-sdk-request` that counts its attempts, so the same signature with the same two is a replay.

What that cannot stop: botocore (1.44, `endpoint.py`) adds both headers after signing, and signs nothing else that is
new for each call, so two identical calls within one second carry the same signature and must both pass. Who captures
such a request and gives it another id can repeat this one call, unaltered, for five minutes. The SDKs for Go and Rust
sign the id; a signer that sends none has no check but the five minutes. Capturing takes root on this machine.
"""

from __future__ import annotations

import calendar
import functools
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_plus

from lmfunction._text import one_line
from lmfunction._user_files import write_atomically
from lmfunction.errors import JournalError
from lmfunction.local._answers import refusal
from lmfunction.local._http import Answer, Request

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_FIELDS: Final = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request,\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_WINDOW_SECONDS: Final = 300  # AWS: five minutes either way
_REMEMBERED: Final = 100_000  # calls; about 9 MB when full
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_UNIQUE_HEADER: Final = "amz-sdk-invocation-id"
_CALL_HEADERS: Final = (_UNIQUE_HEADER, "amz-sdk-request")
_BLANKS: Final = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret. The secret stays out of the repr."""

    access_key: str
    secret_key: str = field(repr=False)

    @classmethod
    def random(cls) -> Keys:
        """Keys spelled like AWS's own, valid for one server only."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        return cls("AKIA" + "".join(secrets.choice(alphabet) for _ in range(16)), secrets.token_urlsafe(30))


def kept_keys(path: Path) -> Keys:
    """The keys that stand in the file at `path`, which is made with new ones where there is none.

    Only its owner may read it. Raises JournalError when it holds no keys.
    """
    try:
        kept = json.loads(path.read_bytes())
        return Keys(str(kept["access_key"]), str(kept["secret_key"]))
    except FileNotFoundError:
        keys = Keys.random()
        content = {"access_key": keys.access_key, "secret_key": keys.secret_key}
        write_atomically(path, json.dumps(content).encode() + b"\n")
        return keys
    except (ValueError, LookupError, TypeError) as error:
        text = f"{one_line(str(path), 300)} holds no access keys. Remove it, and new ones are made."
        raise JournalError(text) from error


@dataclass(frozen=True, slots=True)
class _Authorization:
    """The Authorization header taken apart. `signed_headers` is as it stands there: names joined by semicolons."""

    key: str
    day: str
    region: str
    service: str
    signed_headers: str
    signature: str


@functools.lru_cache(maxsize=256)  # both looks at a request need it, and so do identical calls in one second
def _authorization(text: str) -> _Authorization | None:
    found = _FIELDS.fullmatch(text)
    return None if found is None else _Authorization(*found.groups())


class _SeenCalls:
    """The calls met lately, each a number, by the second they were signed.

    What was signed up to second `floor` may have been met by a server before this one, whose keys these were.
    Memory is bounded: when too many are kept, the oldest second is forgotten and requests signed up to it are
    refused from then on, so that forgetting never opens the door to a replay.
    """

    def __init__(self, limit: int = _REMEMBERED, *, floor: int = 0) -> None:
        self._limit = limit
        self._count = 0
        self._by_second: dict[int, set[int]] = {}
        self.floor = floor

    def first_time(self, mark: int, signed_at: int, now: float) -> bool:
        """Notes a call; False when it was met before, or is too old to tell."""
        marks = self._by_second.get(signed_at)
        if marks is None or self._count >= self._limit:
            self._forget(now)
            marks = self._by_second.setdefault(signed_at, set())
        if mark in marks or signed_at <= self.floor:
            return False
        marks.add(mark)
        self._count += 1
        return True

    def _forget(self, now: float) -> None:
        for second in sorted(self._by_second):
            if second >= now - _WINDOW_SECONDS and self._count < self._limit:
                return
            self._count -= len(self._by_second.pop(second))
            self.floor = second


class _Keyed:
    """HMAC-SHA256 (RFC 2104) with one key, made ready: to begin with the key each time takes three times as long."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def hexdigest(self, text: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.hexdigest()


class SignatureCheck:
    """Verifies requests against one pair of keys and one region."""

    def __init__(self, keys: Keys, region: str, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._region = region
        self._clock = clock
        self._seen = _SeenCalls(floor=int(clock()) - 1)
        self._by_day: dict[tuple[str, str], _Keyed] = {}

    def early_refusal(self, headers: dict[str, str]) -> Answer | None:
        """What can be refused before the body is read: no signature, or somebody else's key."""
        text = headers.get("authorization")
        if text is None:
            return refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        given = _authorization(text)
        if given is None:
            text = f"Authorization header requires '{_ALGORITHM}' with Credential, SignedHeaders and Signature."
            return refusal(403, "IncompleteSignatureException", text)
        if not hmac.compare_digest(given.key.encode(), self._keys.access_key.encode()):
            text = "The security token included in the request is invalid."
            return refusal(403, "UnrecognizedClientException", text)
        return None

    def refusal(self, request: Request, service: str = "lambda") -> Answer | None:
        """Why `request` is not authentic as one to `service`; None when it is."""
        given = _authorization(request.headers.get("authorization", ""))
        if given is None or given.key != self._keys.access_key:
            return self.early_refusal(request.headers)
        date = request.headers.get("x-amz-date", "")
        signed_at = _seconds(date)
        problem = self._scope_fault(given, service) or self._date_fault(date, signed_at, given.day)
        if problem is None and not self._signature_matches(request, given, date):
            problem = "The request signature we calculated does not match the signature you provided."
        if problem is None and _UNIQUE_HEADER in request.headers:
            problem = self._replay_fault(request, given, signed_at)
        return None if problem is None else refusal(403, "InvalidSignatureException", problem)

    def _scope_fault(self, given: _Authorization, service: str) -> str | None:
        if given.service != service:
            return f"Credential should be scoped to correct service: '{service}'."
        if given.region != self._region:
            return f"Credential should be scoped to a valid region, not '{given.region[:32]}'."
        signed = given.signed_headers.split(";")
        if "host" not in signed or "x-amz-date" not in signed:
            return "'Host' and 'X-Amz-Date' must be signed headers."
        return None

    def _date_fault(self, date: str, signed_at: int, day: str) -> str | None:
        if not signed_at or date[:8] != day:
            return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
        now = self._clock()
        if abs(now - signed_at) <= _WINDOW_SECONDS:
            return None
        shown = time.strftime(_DATE_FORMAT, time.gmtime(now))
        if signed_at < now:
            return f"Signature expired: {date} is now earlier than {shown} - 5 min."
        return f"Signature not yet current: {date} is still later than {shown} + 5 min."

    def _replay_fault(self, request: Request, given: _Authorization, signed_at: int) -> str | None:
        unsigned = () if _UNIQUE_HEADER in given.signed_headers else map(request.headers.get, _CALL_HEADERS)
        if self._seen.first_time(hash((given.signature, *unsigned)), signed_at, self._clock()):
            return None
        return "The signature has been used before, or is too old to tell: sign each request anew."

    def _signature_matches(self, request: Request, given: _Authorization, date: str) -> bool:
        body_hash = sha256(request.body).hexdigest()
        if request.headers.get("x-amz-content-sha256", body_hash) != body_hash:
            return False
        canonical = canonical_request(request, given.signed_headers, body_hash)
        scope = f"{given.day}/{given.region}/{given.service}/aws4_request"
        text = f"{_ALGORITHM}\n{date}\n{scope}\n{sha256(canonical.encode('latin-1')).hexdigest()}"
        signature = self._keyed(given.day, given.service).hexdigest(text.encode())
        return hmac.compare_digest(signature, given.signature)

    def _keyed(self, day: str, service: str) -> _Keyed:
        """What signs for a service on one day."""
        keyed = self._by_day.get((day, service))
        if keyed is None:
            key = f"AWS4{self._keys.secret_key}".encode()
            for part in (day, self._region, service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            keyed = _Keyed(key)
            self._by_day = {**{k: v for k, v in self._by_day.items() if k[0] == day}, (day, service): keyed}
        return keyed


def canonical_request(request: Request, signed_headers: str, body_hash: str) -> str:
    """The canonical request of Signature Version 4: the path is encoded once more, as for every service but S3."""
    path, _, query = request.target.partition("?")
    headers = request.headers
    lines = "".join([f"{name}:{_folded(headers.get(name, ''))}\n" for name in signed_headers.split(";")])
    return (
        f"{request.method}\n{_canonical_path(path)}\n{_canonical_query(query)}\n{lines}\n{signed_headers}\n{body_hash}"
    )


def _folded(value: str) -> str:
    return _BLANKS.sub(" ", value) if "  " in value else value


@functools.lru_cache(maxsize=256)
def _canonical_path(path: str) -> str:
    return quote(path, safe="/~")


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = [part.partition("=")[::2] for part in query.split("&")]
    # A plus sign in a query arrives as %2B from every SDK; a bare one can only have meant itself.
    encoded = [tuple(quote(unquote_plus(p.replace("+", "%2B")), safe="-_.~") for p in pair) for pair in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


@functools.lru_cache(maxsize=64)
def _seconds(date: str) -> int:
    """Seconds since 1970 of an `X-Amz-Date`; 0 when it is not one. Remembered, since requests come many a second."""
    found = _DATE.fullmatch(date)
    if found is None:
        return 0
    year, month, day, hour, minute, second = map(int, found.groups())
    return calendar.timegm((year, month, day, hour, minute, second)) if year > 1970 and 1 <= month <= 12 else 0
