"""What a line can refer to, and the object behind a `$path` or a `$(expression)` in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction._paths import Expression, Path
from lmfunction._text import did_you_mean
from lmfunction.errors import ParameterError

CONSTANTS: Final = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Scope:
    """What a line can refer to: the variables, the environment, and at the terminal the standard input."""

    names: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stdin: Callable[[int], bytes] | None = None

    def evaluate(self, source: str) -> Any:
        """The value of a Python expression over the variables."""
        namespace = self.names if isinstance(self.names, dict) else dict(self.names)
        return eval(source, namespace)  # noqa: S307 - the line's author is the kernel's user; `$(...)` asks for it


def resolve(part: Path | Expression, scope: Scope) -> Any:
    """The object behind `$path` or `$(expression)`. Raises KeyError when the name itself is not defined."""
    if isinstance(part, Expression):
        try:
            return scope.evaluate(part.source)
        except Exception as error:
            raise ParameterError(f"$({part.source}) failed: {type(error).__name__}: {error}.") from error
    if part.environment:
        return scope.environ[part.name]
    if part.name.casefold() in CONSTANTS and not part.steps:
        return CONSTANTS[part.name.casefold()]
    found = scope.names[part.name]
    for is_attribute, step in part.steps:
        found = _step(found, is_attribute, step, part)
    return found


def _step(found: Any, is_attribute: bool, step: str | int, path: Path) -> Any:
    try:
        if not is_attribute:
            return found[step]
        return found[step] if isinstance(found, Mapping) and step in found else getattr(found, str(step))
    except (AttributeError, KeyError, IndexError, TypeError):
        what = f"no attribute or key '{step}'" if is_attribute else f"no item [{step!r}]"
        known = list(found) if isinstance(found, Mapping) else dir(found)
        hint = did_you_mean(str(step), [k for k in known if isinstance(k, str)]) if isinstance(step, str) else ""
        raise ParameterError(f"${path.name}: {type(found).__name__} has {what}.{hint}") from None
