"""How a function's log is written: the LoggingConfig of the API as a value.

Source: the API page of LoggingConfig. The levels only count for the format JSON; their default is INFO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lmfunction.local._answers import enum_fault

TEXT: Final = "Text"
JSON: Final = "JSON"
_FORMATS: Final = (TEXT, JSON)
_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SYSTEM_LEVELS: Final = ("DEBUG", "INFO", "WARN")
_DEFAULT_LEVEL: Final = "INFO"


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """Format, levels and group of a log. Without a group it is `/aws/lambda/NAME`."""

    format: str = TEXT
    level: str = _DEFAULT_LEVEL
    system_level: str = _DEFAULT_LEVEL
    group: str = ""

    @property
    def is_json(self) -> bool:
        """Whether log entries are JSON objects."""
        return self.format == JSON

    def group_of(self, function_name: str) -> str:
        """The log group of that function."""
        return self.group or f"/aws/lambda/{function_name}"

    def to_api(self, function_name: str) -> dict[str, str]:
        """The LoggingConfig of an answer."""
        shown = {"LogFormat": self.format, "LogGroup": self.group_of(function_name)}
        if self.is_json:
            shown |= {"ApplicationLogLevel": self.level, "SystemLogLevel": self.system_level}
        return shown

    def variables(self) -> dict[str, str]:
        """The environment variables that tell the runtime of it; none for plain text."""
        return {"AWS_LAMBDA_LOG_FORMAT": JSON, "AWS_LAMBDA_LOG_LEVEL": self.level} if self.is_json else {}


def logging_config(wanted: dict[str, Any], faults: list[str]) -> LoggingConfig:
    """The value of a request's LoggingConfig; what is wrong with it is added to `faults`."""
    log_format = wanted.get("LogFormat", TEXT)
    level = wanted.get("ApplicationLogLevel", _DEFAULT_LEVEL)
    system_level = wanted.get("SystemLogLevel", _DEFAULT_LEVEL)
    for value, member, allowed in (
        (log_format, "logFormat", _FORMATS),
        (level, "applicationLogLevel", _LEVELS),
        (system_level, "systemLogLevel", _SYSTEM_LEVELS),
    ):
        if value not in allowed:
            faults.append(enum_fault(value, f"loggingConfig.{member}", allowed))
    return LoggingConfig(log_format, level, system_level, str(wanted.get("LogGroup") or ""))


TEXT_LOG: Final = LoggingConfig()
