"""Objects looked at without running any of their code, whatever they are."""

from __future__ import annotations

import collections
import types
from typing import Any, ClassVar

import pytest

from lmfunction._bulk_result import BulkResult
from lmfunction._model import InvokeResult
from lmfunction._peek import UNKNOWN, attributes, keys, plain, step
from lmfunction._request import InvokeRequest


class Trap:
    """Everything that can be run fails the test."""

    data: ClassVar[dict[str, int]] = {"k": 1}

    def __init__(self) -> None:
        object.__setattr__(self, "own", 1)

    def _trap(self, *_: Any) -> Any:
        pytest.fail("its code was run")

    __getattribute__ = __getattr__ = __dir__ = __getitem__ = __len__ = __iter__ = __bool__ = __eq__ = _trap
    __hash__ = None  # type: ignore[assignment]
    property_ = property(_trap)
    __class__ = property(_trap)  # type: ignore[assignment]


class Lazy(dict[str, Any]):
    """A dict that would load what is missing."""

    def __missing__(self, key: str) -> Any:
        pytest.fail("__missing__ was run")

    def __getitem__(self, key: str) -> Any:
        pytest.fail("__getitem__ was run")

    def __iter__(self) -> Any:
        pytest.fail("__iter__ was run")

    def keys(self) -> Any:
        pytest.fail("keys() was run")

    items = get = keys  # type: ignore[assignment]


class Strange(collections.abc.Mapping[str, Any]):
    """A mapping of which only its own code knows the keys."""

    def __getitem__(self, key: str) -> Any:
        pytest.fail("__getitem__ was run")

    def __iter__(self) -> Any:
        pytest.fail("__iter__ was run")

    def __len__(self) -> int:
        pytest.fail("__len__ was run")


def test_nothing_of_an_object_is_run() -> None:
    """An object that would do harm at every touch tells its own attributes and its class's, and nothing is run."""
    trap = Trap()
    assert {"own", "data", "property_"} <= set(attributes(trap))
    assert attributes(trap)["own"] == 1
    assert step(trap, "own", is_attribute=True) == 1
    assert step(trap, "data", is_attribute=True) == {"k": 1}
    assert step(trap, "property_", is_attribute=True) is UNKNOWN
    assert step(trap, "nothing", is_attribute=True) is UNKNOWN
    assert step(trap, 0, is_attribute=False) is UNKNOWN
    assert keys(trap) == {}
    assert plain(trap) is None
    assert plain([trap, {"a": trap}]) == [None, {"a": None}]


def test_a_metaclass_is_not_asked() -> None:
    """A class of classes with ideas of its own about its members is not asked for them."""

    class Meta(type):
        @property
        def __mro__(cls) -> Any:
            pytest.fail("the metaclass was asked")

        def __getattribute__(cls, name: str) -> Any:
            pytest.fail("the metaclass was asked")

    class OfMeta(metaclass=Meta):
        pass

    assert attributes(OfMeta()) == {}


def test_dicts_by_dict_s_own_methods() -> None:
    """A dict's keys are seen though its class has other ideas; of a foreign mapping nothing is known."""
    lazy = Lazy({"a": {"b": 1}})
    assert keys(lazy) == {"a": {"b": 1}}
    assert attributes(lazy) == {"a": {"b": 1}}
    assert step(lazy, "a", is_attribute=False) == {"b": 1}
    assert step(lazy, "missing", is_attribute=False) is UNKNOWN
    assert plain(lazy) == {"a": {"b": 1}}
    strange = Strange()
    assert keys(strange) == attributes(strange) == plain(strange) == {}
    assert step(strange, "a", is_attribute=False) is UNKNOWN
    assert keys(collections.defaultdict(list, {"x": [1]})) == {"x": [1]}
    assert keys(types.MappingProxyType({"x": 1})) == {"x": 1}


def test_lists_and_records() -> None:
    """Elements by their index; named tuples, slots and modules by their members."""
    assert step([1, 2], -1, is_attribute=False) == 2
    assert step([1, 2], 5, is_attribute=False) is UNKNOWN
    point = collections.namedtuple("Point", "x y")(1, 2)
    assert {"x", "y"} <= set(attributes(point))
    assert step(types.SimpleNamespace(a=types.SimpleNamespace(b=1)), "a", is_attribute=True).b == 1
    assert [*attributes(types.SimpleNamespace(z=1, a=2))][:2] == ["z", "a"]


def test_results_are_read_and_runs_are_not() -> None:
    """A result's members are there; of a run of thousands, or of a job that may wait, only the names are told."""
    result = InvokeResult(InvokeRequest("f"), 200, b'{"a": {"b": 1}}')
    assert step(result, "payload", is_attribute=True) == {"a": {"b": 1}}
    assert step(result, "Payload", is_attribute=False) == {"a": {"b": 1}}
    assert {"StatusCode", "Payload"} <= set(keys(result))
    assert plain(result)["Payload"] == {"a": {"b": 1}}
    run = BulkResult()
    assert {"succeeded", "summary", "payloads"} <= set(attributes(run))
    assert step(run, "succeeded", is_attribute=True) is UNKNOWN
    assert plain(run) is None


def test_data_comes_before_methods() -> None:
    """Data first: what a line means is seldom a method."""

    class Order:
        kind = "order"

        def __init__(self) -> None:
            self.id = 1

        def cancel(self) -> None:
            pytest.fail("a method was run")

    assert [*attributes(Order())] == ["id", "kind", "cancel"]
    assert "_x" in attributes(types.SimpleNamespace(_x=1), hidden=True)
    assert "_x" not in attributes(types.SimpleNamespace(_x=1))
