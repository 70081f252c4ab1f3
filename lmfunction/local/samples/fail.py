"""Always raises, to show what a failed function looks like."""


class OrderNotFound(Exception):
    pass


def handler(event, context):
    order = event.get("order", "unknown") if isinstance(event, dict) else "unknown"
    print(f"Looking for order {order}")
    raise OrderNotFound(f"There is no order {order!r}: this sample function always fails, whatever it is asked.")
