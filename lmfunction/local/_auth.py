"""Signature Version 4, verified: only who knows the keys made at start may call.

A captured request that is sent again is refused when its signature covers `amz-sdk-invocation-id`, as the SDKs for Go
and Rust do: that id is new for each call, so the same signature twice is a replay. botocore
(1.44, `endpoint.py`) adds the header after signing. It signs Host and X-Amz-Date only, so two identical calls within
one second carry the same signature and must both pass; for such signers there is no replay check but the five minutes.
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
_REMEMBERED: Final = 200_000  # signatures; about 20 MB when full
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_UNIQUE_HEADER: Final = "amz-sdk-invocation-id"
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


class _SeenSignatures:
    """The signatures met lately, by the second they were signed.

    Memory is bounded: when too many are kept, the oldest second is forgotten and requests signed up to it are
    refused from then on, so that forgetting never opens the door to a replay.
    """

    def __init__(self, limit: int = _REMEMBERED) -> None:
        self._limit = limit
        self._count = 0
        self._by_second: dict[int, set[int]] = {}
        self.floor = 0

    def first_time(self, signature: str, signed_at: int, now: float) -> bool:
        mark = int(signature[:16], 16)
        marks = self._by_second.get(signed_at)
        if marks is None:
            self._forget(now)
            marks = self._by_second[signed_at] = set()
        if mark in marks:
            return False
        marks.add(mark)
        self._count += 1
        return True

    def _forget(self, now: float) -> None:
        for second in sorted(self._by_second):
            if second >= now - _WINDOW_SECONDS and self._count <= self._limit:
                return
            self._count -= len(self._by_second.pop(second))
            self.floor = second


class SignatureCheck:
    """Verifies requests against one pair of keys and one region."""

    def __init__(self, keys: Keys, region: str, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._region = region
        self._clock = clock
        self._seen = _SeenSignatures()
        self._signing_keys: dict[tuple[str, str], bytes] = {}

    def early_refusal(self, headers: dict[str, str]) -> Answer | None:
        """What can be refused before the body is read: no signature, or somebody else's key."""
        authorization = headers.get("authorization")
        if authorization is None:
            return refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        fields = _FIELDS.fullmatch(authorization)
        if fields is None:
            text = f"Authorization header requires '{_ALGORITHM}' with Credential, SignedHeaders and Signature."
            return refusal(403, "IncompleteSignatureException", text)
        if not hmac.compare_digest(fields["key"].encode(), self._keys.access_key.encode()):
            text = "The security token included in the request is invalid."
            return refusal(403, "UnrecognizedClientException", text)
        return None

    def refusal(self, request: Request, service: str = "lambda") -> Answer | None:
        """Why `request` is not authentic as one to `service`; None when it is."""
        fields = _FIELDS.fullmatch(request.headers.get("authorization", ""))
        if fields is None or fields["key"] != self._keys.access_key:
            return self.early_refusal(request.headers)
        date = request.headers.get("x-amz-date", "")
        signed_at = _seconds(date)
        problem = self._scope_fault(fields, service) or self._date_fault(date, signed_at, fields["day"])
        if problem is None and not self._signature_matches(request, fields, date):
            problem = "The request signature we calculated does not match the signature you provided."
        if problem is None and _UNIQUE_HEADER in fields["headers"]:
            problem = self._replay_fault(fields["signature"], signed_at)
        return None if problem is None else refusal(403, "InvalidSignatureException", problem)

    def _scope_fault(self, fields: re.Match[str], service: str) -> str | None:
        if fields["service"] != service:
            return f"Credential should be scoped to correct service: '{service}'."
        if fields["region"] != self._region:
            return f"Credential should be scoped to a valid region, not '{fields['region'][:32]}'."
        signed = fields["headers"].split(";")
        if "host" not in signed or "x-amz-date" not in signed:
            return "'Host' and 'X-Amz-Date' must be signed headers."
        return None

    def _date_fault(self, date: str, signed_at: int, day: str) -> str | None:
        now = self._clock()
        if not signed_at or date[:8] != day:
            return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
        shown = time.strftime(_DATE_FORMAT, time.gmtime(now))
        if signed_at < now - _WINDOW_SECONDS:
            return f"Signature expired: {date} is now earlier than {shown} - 5 min."
        if signed_at > now + _WINDOW_SECONDS:
            return f"Signature not yet current: {date} is still later than {shown} + 5 min."
        return None

    def _replay_fault(self, signature: str, signed_at: int) -> str | None:
        if signed_at <= self._seen.floor:
            return "The signature is too old to tell whether it was used before."
        if not self._seen.first_time(signature, signed_at, self._clock()):
            return "The signature has been used before: sign each request anew."
        return None

    def _signature_matches(self, request: Request, fields: re.Match[str], date: str) -> bool:
        body_hash = sha256(request.body).hexdigest()
        if request.headers.get("x-amz-content-sha256", body_hash) != body_hash:
            return False
        canonical = canonical_request(request, fields["headers"], body_hash)
        scope = f"{fields['day']}/{fields['region']}/{fields['service']}/aws4_request"
        text = f"{_ALGORITHM}\n{date}\n{scope}\n{sha256(canonical.encode('latin-1')).hexdigest()}"
        key = self._signing_key(fields["day"], fields["service"])
        return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), fields["signature"])

    def _signing_key(self, day: str, service: str) -> bytes:
        key = self._signing_keys.get((day, service))
        if key is None:
            key = f"AWS4{self._keys.secret_key}".encode()
            for part in (day, self._region, service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._signing_keys = {**{k: v for k, v in self._signing_keys.items() if k[0] == day}, (day, service): key}
        return key


def canonical_request(request: Request, signed_headers: str, body_hash: str) -> str:
    """The canonical request of Signature Version 4: the path is encoded once more, as for every service but S3."""
    path, _, query = request.target.partition("?")
    headers = request.headers
    lines = "".join(f"{name}:{_BLANKS.sub(' ', headers.get(name, ''))}\n" for name in signed_headers.split(";"))
    return (
        f"{request.method}\n{quote(path, safe='/~')}\n{_canonical_query(query)}\n{lines}\n{signed_headers}\n{body_hash}"
    )


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
