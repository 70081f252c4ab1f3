"""Always raises, to show what a failed function looks like."""

from typing import Any


class OrderNotFoundError(Exception):
    pass


def handler(event: Any, context: Any) -> Any:
    order = event.get("order", "unknown") if isinstance(event, dict) else "unknown"
    print(f"Looking for order {order}")
    raise OrderNotFoundError(f"There is no order {order!r}: this sample function always fails, whatever it is asked.")
