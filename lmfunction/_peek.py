"""What is inside the user's objects, looked at without running any of their code: no property, no `__getattr__`.

For completion, which happens while somebody types. What cannot be known so is left out. Results and records of this
package are asked as usual: their properties do nothing but read.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any, Final

UNKNOWN: Final = object()
_MOST: Final = 500  # names of one object
_MOST_ITEMS: Final = 50  # elements of one list: keys are alike in most
_DEEPEST: Final = 12
_SCALARS: Final = (str, int, float, bool)
_METHODS: Final = (
    staticmethod,
    classmethod,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)


def step(value: Any, name: str | int, *, is_attribute: bool) -> Any:
    """What `value.name` or `value[name]` of a line's `$path` is; UNKNOWN where only running code would tell.

    As in a line, `.name` of a mapping is its item when it has one.
    """
    if _is(value, dict) and name in dict.keys(value):
        return dict.__getitem__(value, name)
    if not is_attribute and _is(value, list) and isinstance(name, int):
        return list.__getitem__(value, name) if -len(value) <= name < len(value) else UNKNOWN
    if _only_reads(value):
        return _ours(value, name, is_attribute=is_attribute)
    if not is_attribute or not isinstance(name, str):
        return UNKNOWN
    held = _instance_dict(value)
    if name in held:
        return held[name]
    for cls in _mro(type(value)):
        found = _class_dict(cls).get(name, UNKNOWN)
        if found is not UNKNOWN:
            return _slot(found, value)
    return UNKNOWN


def attributes(value: Any, *, hidden: bool = False) -> dict[str, Any]:
    """The names that can follow `value.` with what each holds, or UNKNOWN: data, then what the class has, methods last.

    Names with an underscore in front only when `hidden`. A mapping's are those of its keys that can be written so.
    """
    if _is(value, Mapping):
        return {key: item for key, item in _pairs(value) if key.isidentifier() and (hidden or key[0] != "_")}
    found = {name: item for name, item in _instance_dict(value).items() if isinstance(name, str)}
    methods: dict[str, Any] = {}
    for cls in _mro(type(value)):
        for name, item in _class_dict(cls).items():
            if name not in found and name not in methods:
                (methods if _is_method(item) else found)[name] = _slot(item, value)
    extra = dict.fromkeys(dir(value), UNKNOWN) if _only_reads(value) else {}
    every = {**found, **{name: UNKNOWN for name in extra if name not in methods}, **methods}
    shown = ((n, item) for n, item in every.items() if not n.startswith("_") or (hidden and not n.startswith("__")))
    return dict(item for item, _ in zip(shown, range(_MOST), strict=False))


def keys(value: Any) -> dict[str, Any]:
    """The text keys that can stand in `value['...']`, with what each holds."""
    if _is(value, Mapping):
        return dict(_pairs(value))
    return dict.fromkeys(value.keys(), UNKNOWN) if _only_reads(value) else {}


def plain(value: Any, depth: int = _DEEPEST) -> Any:
    """`value` as dicts, lists and scalars for looking at its keys: long lists cut, what is no data None."""
    if value is None or type(value) in _SCALARS:
        return value
    if depth == 0:
        return None
    if _is(value, Mapping):
        return {key: plain(item, depth - 1) for key, item in _pairs(value)}
    if _is(value, list, tuple):
        items = (list if _is(value, list) else tuple).__iter__(value)
        return [plain(item, depth - 1) for item, _ in zip(items, range(_MOST_ITEMS), strict=False)]
    if _only_reads(value):
        return plain(value.to_dict(), depth - 1)
    if "__dataclass_fields__" in _class_dict(type(value)):
        return {name: plain(item, depth - 1) for name, item in attributes(value).items() if item is not UNKNOWN}
    return None


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """The items of a mapping that have text for a key: of a dict by dict's own methods, of a foreign mapping none."""
    if _is(value, dict):
        items: Any = dict.items(value)
    elif _only_reads(value) or type(value) is types.MappingProxyType:
        items = value.items()
    else:
        return
    for (key, item), _ in zip(items, range(_MOST), strict=False):
        if isinstance(key, str) and key:
            yield key, item


def _only_reads(value: Any) -> bool:
    """Whether it is a result or a record of this package: a job's properties may wait, a bulk run's may be long."""
    ours = str(_class_dict(type(value)).get("__module__", "")).startswith("lmfunction.")
    return ours and (_is(value, Mapping) or "raw_payload" in _class_dict(type(value)))


def _ours(value: Any, name: str | int, *, is_attribute: bool) -> Any:
    try:
        return getattr(value, str(name)) if is_attribute else value[name]
    except Exception:  # noqa: BLE001 - whatever it is, there is nothing to offer
        return UNKNOWN


def _mro(cls: type) -> tuple[type, ...]:
    found: tuple[type, ...] = type.__dict__["__mro__"].__get__(cls)  # a metaclass may have another idea of it
    return found


def _class_dict(cls: type) -> Mapping[str, Any]:
    found: Mapping[str, Any] = type.__dict__["__dict__"].__get__(cls)
    return found


def _instance_dict(value: Any) -> dict[Any, Any]:
    for cls in _mro(type(value)):
        found = _class_dict(cls).get("__dict__")
        # The interpreter's own; anything else would be run.
        if isinstance(found, types.GetSetDescriptorType | types.MemberDescriptorType):
            held = found.__get__(value)
            return dict(held) if type(held) in (dict, types.MappingProxyType) else {}
    return {}


def _slot(found: Any, value: Any) -> Any:
    """What a class's member is for an instance: a slot's content; a plain value itself; else UNKNOWN."""
    if isinstance(found, types.MemberDescriptorType):
        try:
            return found.__get__(value)
        except AttributeError:  # it is empty
            return UNKNOWN
    return UNKNOWN if any("__get__" in _class_dict(cls) for cls in _mro(type(found))) else found


def _is_method(found: Any) -> bool:
    return type(found) in _METHODS


def _is(value: Any, *kinds: type) -> bool:
    """As isinstance, which would also ask the object what it wants to be taken for."""
    return issubclass(type(value), kinds)
