"""Greets: {"name": "Ada"} gives {"message": "Hello, Ada!"}."""


def handler(event, context):
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    print(f"Greeting {name}")
    return {"message": f"Hello, {name}!"}
