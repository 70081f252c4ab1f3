"""The objects of one command, as its guards and -WhatIf see them: how many there are, what was consented to."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from dataclasses import dataclass, field

from lmfunction._batch_plan import BatchPlan
from lmfunction._confirmation import Consent
from lmfunction._intent import Aim
from lmfunction._profile_values import Profile
from lmfunction.errors import GuardError


@dataclass
class Batch:
    """One command over `count` objects; None when nobody knows how many will come.

    `of_aim` tells how many of a known count go where. A consent given in it is for all of its objects.
    """

    count: int | None = None
    of_aim: Mapping[Aim, int] = field(default_factory=dict)
    consents: dict[Aim, Consent] = field(default_factory=dict)
    plan: BatchPlan = field(default_factory=BatchPlan)  # what -WhatIf shows
    _admitted: collections.Counter[str] = field(default_factory=collections.Counter)

    def admit(self, profile: Profile, objects: int = 1) -> None:
        """Lets so many more objects go through `profile`. Raises GuardError beyond its `max_items`."""
        limit = profile.guard.max_items
        self._admitted[profile.file] += objects
        if limit is not None and self._admitted[profile.file] > limit:
            raise GuardError(f"Profile {profile.name} takes {limit:,} objects in one command (guard.max_items).")

    def told(self, aim: Aim, profile: Profile) -> str:
        """How many objects go where `aim` says, for people. Raises GuardError when there is no limit at all."""
        if self.count is not None:
            here = self.of_aim.get(aim, self.count)
            return f"{here:,}" if here == self.count else f"{here:,} of {self.count:,}"
        limit = profile.guard.max_items
        if limit is None:
            raise GuardError(
                "Nobody knows how many objects will come, so that nobody can confirm them, and nothing was sent: "
                "give a list, or set guard.max_items in a profile."
            )
        return f"unknown, {limit:,} at most"
