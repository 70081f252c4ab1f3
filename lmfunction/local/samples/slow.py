"""Takes its time: {"seconds": 2} sleeps two seconds (one when not told) and returns how long it slept."""

import time
from typing import Any


def handler(event: Any, context: Any) -> Any:
    seconds = event.get("seconds", 1) if isinstance(event, dict) else 1
    time.sleep(seconds)
    return {"slept": seconds}
