"""boto3's own DEBUG log without what is secret in it, for the calls that are ours.

botocore logs request and answer: payload, client context, session token, a secret's text as Secrets Manager answered
it. While one of our clients is at work, records of its loggers keep their text and lose what was filled into it, but
for numbers and short texts. A program's other boto3 clients log as they did.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any, Final

from lmfunction._redact import NONE

_AT_WORK: Final[ContextVar[bool]] = ContextVar("client_at_work", default=False)
_LOGGERS: Final = (
    "botocore.auth",
    "botocore.awsrequest",
    "botocore.client",
    "botocore.endpoint",
    "botocore.handlers",
    "botocore.hooks",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.regions",
    "botocore.response",
    "botocore.retryhandler",
    "botocore.retries.special",
    "botocore.retries.standard",
    "botocore.utils",
    "botocore.waiter",
)
_LONGEST: Final = 120  # characters; a canonical request and a body are longer


def keep_discreet(client: Any) -> None:
    """Makes the log of what `client` does discreet."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)  # the same one is added once
    client.meta.events.register_first("provide-client-params", _begin)
    for event in ("after-call", "after-call-error"):
        client.meta.events.register_last(event, _end)


def _begin(**_: Any) -> None:
    _AT_WORK.set(True)


def _end(**_: Any) -> None:
    _AT_WORK.set(False)


class _Discreet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if _AT_WORK.get():
            record.msg = NONE.text(str(record.msg))
            args = record.args if isinstance(record.args, tuple) else (record.args,) if record.args else ()
            record.args = tuple(map(_told, args))
            record.exc_info = record.exc_text = None  # an error's arguments can hold the request
        return True


_FILTER: Final = _Discreet()


def _told(argument: Any) -> Any:
    if argument is None or isinstance(argument, bool | int | float):
        return argument
    if isinstance(argument, str) and len(argument) <= _LONGEST and "\n" not in argument:
        return NONE.text(argument)
    return f"<{type(argument).__name__}, not shown>"
