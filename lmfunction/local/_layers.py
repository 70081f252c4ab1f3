"""The layers that one embedded Lambda knows: their versions as values, and the table of them.

The table ends with the server. A function keeps the folders of its layers, so that it goes on without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lmfunction._names import partition_of
from lmfunction.local._functions import Layer


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """One version of a layer; `folder` holds its content, which is the user's own when it is `live`."""

    name: str
    arn: str
    number: int
    folder: Path
    live: bool
    sha256: str
    size: int
    about: dict[str, Any] = field(default_factory=dict)  # Description and the like, as they were given
    created: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    )

    def as_used(self) -> Layer:
        """The layer as a function has it."""
        return Layer(self.arn, self.folder, self.live, self.size)

    def to_api_listed(self) -> dict[str, Any]:
        """The version as lists show it."""
        return {
            "LayerVersionArn": self.arn,
            "Version": self.number,
            "Description": "",
            "CreatedDate": self.created,
            **self.about,
        }

    def to_api(self) -> dict[str, Any]:
        """The version with its content, whose location is a folder on this machine."""
        content = {"Location": self.folder.as_uri(), "CodeSha256": self.sha256, "CodeSize": self.size}
        return {"Content": content, "LayerArn": self.arn.rpartition(":")[0], **self.to_api_listed()}


class Layers:
    """The table of layers, by name; numbers are not used again."""

    def __init__(self, region: str, account: str) -> None:
        self._arn = f"arn:{partition_of(region)}:lambda:{region}:{account}:layer:"
        self._by_name: dict[str, dict[int, LayerVersion]] = {}
        self._last: dict[str, int] = {}

    def __iter__(self) -> Iterator[list[LayerVersion]]:
        return ([*versions.values()] for _, versions in sorted(self._by_name.items()) if versions)

    def publish(self, name: str, **content: Any) -> LayerVersion:
        """A new version of the layer `name`; `content` are the other fields of a LayerVersion."""
        number = self._last[name] = self._last.get(name, 0) + 1
        made = LayerVersion(name, f"{self._arn}{name}:{number}", number, **content)
        self._by_name.setdefault(name, {})[number] = made
        return made

    def versions(self, name: str) -> list[LayerVersion]:
        """The versions of a layer, the latest first."""
        return [*self._by_name.get(name, {}).values()][::-1]

    def get(self, name: str, number: str) -> LayerVersion | None:
        """One version, or None."""
        return self._by_name.get(name, {}).get(int(number)) if number.isdecimal() and len(number) < 10 else None

    def at(self, arn: str) -> LayerVersion | None:
        """The version with that ARN, or None."""
        name, _, number = arn.removeprefix(self._arn).partition(":")
        return self.get(name, number) if arn.startswith(self._arn) else None

    def remove(self, name: str, number: str) -> None:
        """Removes a version; functions that have it keep it."""
        if number.isdecimal() and len(number) < 10:
            self._by_name.get(name, {}).pop(int(number), None)

    def bare_name(self, name: str) -> str:
        """The name of a layer that is named by its ARN."""
        return name.removeprefix(self._arn)
