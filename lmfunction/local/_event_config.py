"""What becomes of a function's asynchronous invocations: the value that the event-invoke operations keep."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """How often and how long an event is tried, and the ARNs that hear how it ended; None is Lambda's own default.

    An empty `on_success` or `on_failure` is a destination that was taken away again. `last_modified` is seconds since
    1970.
    """

    maximum_retry_attempts: int | None = None
    maximum_event_age_in_seconds: int | None = None
    on_success: str | None = None
    on_failure: str | None = None
    last_modified: float = field(default_factory=time.time, compare=False)

    def to_api(self, arn: str) -> dict[str, Any]:
        """The FunctionEventInvokeConfig of the API for the qualified `arn`."""
        shown: dict[str, Any] = {"FunctionArn": arn, "LastModified": self.last_modified}
        if self.maximum_retry_attempts is not None:
            shown["MaximumRetryAttempts"] = self.maximum_retry_attempts
        if self.maximum_event_age_in_seconds is not None:
            shown["MaximumEventAgeInSeconds"] = self.maximum_event_age_in_seconds
        destinations = {"OnSuccess": self.on_success, "OnFailure": self.on_failure}
        shown["DestinationConfig"] = {
            name: {"Destination": arn} if arn else {} for name, arn in destinations.items() if arn is not None
        }
        return shown


NO_EVENT_CONFIG: Final = EventInvokeConfig(last_modified=0.0)
