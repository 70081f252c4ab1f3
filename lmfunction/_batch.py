"""The objects of one command, as its guards and -WhatIf see them: how many there are, what was consented to."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterator, Mapping
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
    dry: bool = False  # -WhatIf: nothing is sent, the plan is shown
    plan: BatchPlan = field(default_factory=BatchPlan)
    closed: GuardError | None = None  # why no further object may be sent, where a guard decided so for all
    _admitted: collections.Counter[str] = field(default_factory=collections.Counter)

    def admit(self, profile: Profile, objects: int = 1) -> None:
        """Lets so many more objects go through `profile`. Raises GuardError beyond its `max_items`."""
        limit = profile.guard.max_items
        if limit is None:
            return
        self._admitted[profile.file] += objects
        if self._admitted[profile.file] > limit:
            came = f", and {objects:,} came. Nothing was sent" if self.count is not None else ""
            with self.closing():
                raise GuardError(
                    f"Profile {profile.name} takes {limit:,} objects in one command (guard.max_items){came}."
                )

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """Lets nothing more be sent after a refusal inside, which is one of all objects that are left."""
        try:
            yield
        except GuardError as error:
            self.closed = error
            raise

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
