"""Log records as the JSON that Lambda's Python runtime writes; loaded by `_loop` when a function asks for that format.

A script on its own, like `_loop`. Members and their order are those of awslambdaric 4.2.
"""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any

# What every record has, and Lambda does not repeat: any other attribute came through `extra`, but for the task's name.
_OWN = frozenset(vars(logging.makeLogRecord({}))) - {"taskName"} | {"aws_request_id", "tenant_id"}
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


class JsonFormatter(logging.Formatter):
    """One JSON object for each record, without the members that are None."""

    def __init__(self) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        """The record in one line."""
        level = min(50, max(0, record.levelno)) // 10 * 10  # a level of one's own is shown as the one below it
        kind, error, trace = record.exc_info or (None, None, None)
        shown: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": logging.getLevelName(level),
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if record.exc_info else None,
            "errorType": kind.__name__ if kind is not None else None,
            "errorMessage": str(error) if record.exc_info else None,
            "requestId": getattr(record, "aws_request_id", None),
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if record.exc_info else None,
            "tenantId": getattr(record, "tenant_id", None),
        }
        shown.update((key, value) for key, value in vars(record).items() if key not in _OWN and key not in shown)
        return _ENCODER.encode({key: value for key, value in shown.items() if value is not None})
