"""What a command is about to do, as its guards and a person who is asked see it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from lmfunction._connection import EMBEDDED_ACCOUNT, Place
from lmfunction._names import FunctionName
from lmfunction._profile_values import Profile

Aim = tuple[str | None, ...]  # what a call is made with and where it goes, without what it carries


@dataclass(frozen=True)
class Intent:
    """What a command is about to do, as its guards see it.

    `name` is what a person types to confirm. `function` is None where no function is named; `hides_function` when there
    is one all the same. `account` is one that is named otherwise. `lines` tell the rest of it to a person, `content`
    gives what a consent to this one call is bound to.
    """

    cmdlet: str
    place: Place
    name: str
    function: FunctionName | None = None
    qualifier: str | None = None
    kind: str = ""  # the invocation type, or the operation
    changes: bool = True
    removes: bool = False
    hides_function: bool = False
    account: str | None = None
    lines: Callable[[], list[str]] = list
    content: Callable[[], bytes] = bytes

    @property
    def profile(self) -> Profile:
        """The profile it goes through."""
        return self.place.profile

    @property
    def named_account(self) -> str | None:
        """The account that the line itself names."""
        return self.function.account if self.function is not None and self.function.account else self.account

    @property
    def certain_account(self) -> str | None:
        """The account that it must go to, or else is refused; None when the credentials alone decide."""
        return self.named_account or self.profile.account or (EMBEDDED_ACCOUNT if self.place.embedded else None)

    @property
    def aim(self) -> Aim:
        """What it is and where it goes, however it was spelled."""
        connection, function = self.place.connection, self.function
        named = function.name if function is not None else self.name
        qualifier = self.qualifier or (function.qualifier if function is not None else None)
        where = (self.certain_account, connection.region, connection.endpoint_url, connection.aws_profile)
        key = str(hash(connection.credential)) if connection.credential is not None else None
        return (self.cmdlet, self.kind, named, qualifier, str(self.place.embedded), *where, self.profile.file, key)

    def digest(self, *, alone: bool) -> str:
        """A digest of the aim, and of the content too for a call that is `alone`."""
        found = hashlib.sha256(repr(self.aim).encode())
        if alone:
            found.update(self.content())
        return found.hexdigest()
