"""Greets: {"name": "Ada"} gives {"message": "Hello, Ada!"}."""

from typing import Any


def handler(event: Any, context: Any) -> Any:
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    print(f"Greeting {name}")
    return {"message": f"Hello, {name}!"}
