"""A session's own defaults, as Set-AWSCredential and Set-DefaultAWSRegion leave them: whose the calls are, and where.

They stand behind whatever names a place for one call, and before what profiles, the environment and ~/.aws say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction._auth import Credential

# A call that names one of these says itself whose it is.
_NAMING: Final = frozenset(["ProfileName", "Credential", "AccessKey", "SecretKey", "SessionToken"])


@dataclass(frozen=True)
class ShellCredential:
    """Whose calls they are: a profile's (looked up anew by each call), or those of keys and roles in memory."""

    profile_name: str | None = None
    profile_location: str | None = None
    credential: Credential | None = None
    origin: Any = field(default=None, compare=False)  # where they come from, for who stores them

    def values(self) -> dict[str, Any]:
        """The parameters that name it."""
        pairs = {
            "ProfileName": self.profile_name,
            "ProfileLocation": self.profile_location,
            "Credential": self.credential,
        }
        return {name: value for name, value in pairs.items() if value is not None}

    def __repr__(self) -> str:
        return f"profile {self.profile_name}" if self.profile_name is not None else repr(self.credential)


@dataclass
class Shell:
    """The defaults of the moment; every call looks at them."""

    credential: ShellCredential | None = None
    region: str | None = field(default=None)

    def values_for(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What they add to the parameters `given`. The embedded Lambda makes its own keys, so that it gets none."""
        found: dict[str, Any] = {} if self.region is None else {"Region": self.region}
        if self.credential is not None and not _NAMING & given.keys() and given.get("EndpointUrl") != "embedded":
            found |= self.credential.values()
        return found
