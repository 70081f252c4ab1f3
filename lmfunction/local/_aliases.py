"""An alias: a name for a version, which may send a share of its invocations to a second one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

from lmfunction.local._answers import new_request_id


@dataclass(frozen=True, slots=True)
class Alias:
    """`name` stands for `version`; `weights` gives other versions their share of the invocations, 0 to 1."""

    name: str
    arn: str
    version: str
    description: str = ""
    weights: dict[str, float] = field(default_factory=dict)
    revision_id: str = field(default_factory=new_request_id)

    def pick(self, chance: float) -> str:
        """The version that an invocation goes to; `chance` is a random number from 0 up to 1."""
        for version, weight in self.weights.items():
            if chance < weight:
                return version
            chance -= weight
        return self.version

    def changed(self, **changes: Any) -> Self:
        """The alias after `changes`, under a new revision."""
        return replace(self, **changes, revision_id=new_request_id())

    def to_api(self) -> dict[str, Any]:
        """The AliasConfiguration of the API."""
        shown: dict[str, Any] = {
            "AliasArn": self.arn,
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision_id,
        }
        if self.weights:
            shown["RoutingConfig"] = {"AdditionalVersionWeights": self.weights}
        return shown
