"""Defaults for parameters, as `$PSDefaultParameterValues` holds them: `defaults["*-LM*:Region"] = "eu-west-1"`.

Later wins: built-in, the profile's `defaults:`, these, a splat, what is typed.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from lmfunction._params import Cmdlet
from lmfunction._profile_values import Profile
from lmfunction._table import CMDLETS
from lmfunction._text import did_you_mean
from lmfunction.errors import ParameterError, ProfileError


class Defaults(MutableMapping[str, Any]):
    """Values by `CMDLET:PARAMETER`; the cmdlet may hold `*` and `?`, in any case.

    A pattern goes for those of its cmdlets that have the parameter; one of them must.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        pattern, colon, name = key.partition(":")
        matching = [c for c in CMDLETS if _matches(pattern, c)]
        if not colon or not matching:
            hint = did_you_mean(pattern, [n for c in CMDLETS for n in c.names])
            raise ParameterError(f"A default's key is CMDLET:PARAMETER, such as 'Invoke-LMFunction:LogType'.{hint}")
        if not any(_has(cmdlet, name) for cmdlet in matching):
            matching[0].find(name)  # which says what is wrong with the name
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Defaults({self._values!r})"

    def values_for(self, cmdlet: Cmdlet) -> dict[str, Any]:
        """The defaults of `cmdlet` by parameter name; the one set last wins."""
        if not self._values:
            return {}
        found = {}
        for key, value in self._values.items():
            pattern, _, name = key.partition(":")
            if _matches(pattern, cmdlet) and _has(cmdlet, name):
                found[cmdlet.find(name).name] = value
        return found


def add_defaults(cmdlet: Cmdlet, values: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Adds to `values` those `defaults` (both by parameter name) that `cmdlet` has and nothing given replaces."""
    for name, value in defaults.items():
        known = name in cmdlet.by_name and name not in values
        if known and not any(other in values for other in cmdlet.by_name[name].excludes):
            values[name] = value


def profile_defaults(cmdlet: Cmdlet, profile: Profile) -> dict[str, Any]:
    """The profile's `defaults:` that `cmdlet` has a parameter for, by name. Raises ProfileError for a misspelt one.

    They are meant for invocations: no member of another request is filled by one, so that `Qualifier: live` does not
    turn the removal of a function into that of its alias.
    """
    found: dict[str, Any] = {}
    for key, value in profile.defaults.items():
        try:
            parameter = cmdlet.find(key)
        except ParameterError as error:
            if not any(_has(other, key) for other in CMDLETS):
                raise ProfileError(f"defaults: {error}", file=profile.file) from None
            continue
        if parameter.name in found:
            raise ProfileError(f"defaults: {key} and another name are the same -{parameter.name}.", file=profile.file)
        if not parameter.generated:
            found[parameter.name] = value
    return found


def _has(cmdlet: Cmdlet, key: str) -> bool:
    try:
        cmdlet.find(key)
    except ParameterError:
        return False
    return True


def _matches(pattern: str, cmdlet: Cmdlet) -> bool:
    return any(fnmatch.fnmatchcase(name.casefold(), pattern.casefold()) for name in cmdlet.names)
