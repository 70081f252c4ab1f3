"""What the tables of completion can look at: variables, and a result. Run by tests, in a shell and in a kernel."""

import os  # noqa: F401 - a module, which is not offered

from lmfunction._bulk_result import BulkResult
from lmfunction._model import InvokeResult
from lmfunction._record import Record
from lmfunction._request import InvokeRequest


class Person:
    def __init__(self):
        self.name = "Ada"
        self.address = {"city": "London", "zip code": "E1"}
        self._secret = "s"

    @property
    def born(self):
        raise AssertionError("a property was run")

    def __getattr__(self, name):
        raise AssertionError("__getattr__ was run")

    def __dir__(self):
        raise AssertionError("__dir__ was run")

    def greet(self):
        raise AssertionError("a method was run")


class Slotted:
    __slots__ = ("empty", "full")

    def __init__(self):
        self.full = {"deep": {"er": 1}}


items = [1]
order = {"Qualifier": "1", "customer": {"name": "Ada", "first order": True}, "lines": [{"sku": "a"}]}
orders = [{"id": 1, "status": "failed", "total": 2.5, "customer": {"city": "Paris"}}, {"id": 2, "note-2": "x"}]
shout = str.upper
_hidden = 1
person = Person()
slotted = Slotted()
record = Record("FunctionConfiguration", {"FunctionName": "orders", "Timeout": 3})
text = "not-a-secret"
result = InvokeResult(
    InvokeRequest("orders"),
    200,
    b'{"orders": [{"id": 1, "status": "failed", "odd-key": 1, "customer": {"name": "Ada"}}], "count": 1}',
    request_id="r-1",
)
run = BulkResult()
