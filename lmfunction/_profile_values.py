"""What a profile says, as values: where calls go, what guards them, what is hidden, what is written down."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lmfunction._redact import Redaction

# Where a profile's file was found. A project's profile stands in the working directory and was approved.
Origin = Literal["none", "location", "environment", "user", "project", "shipped"]


@dataclass(frozen=True)
class Refusal:
    """Why a function may not be called: a `deny` pattern that names it, or `allow` patterns none of which does."""

    rule: Literal["allow", "deny"]
    patterns: tuple[str, ...]

    def __str__(self) -> str:
        listed = ", ".join(f"'{pattern}'" for pattern in self.patterns)
        return f"guard.deny {listed} names it" if self.rule == "deny" else f"guard.allow {listed} does not name it"


@dataclass(frozen=True)
class GuardRules:
    """What a profile allows. `allow` and `deny` are patterns (`*`, `?`) for a function's bare name, or for its ARN
    without a qualifier when they begin with `arn:`; with an empty `allow` every function is allowed.

    `confirm`: every call that changes something asks for the function's name. `allow_force`: -Force and
    -Confirm:$false may skip that. `max_items`: the most objects that one command may invoke with. `also_allow` are
    the `allow` lists of profiles that were inherited: a function must be named in each list that there is.
    """

    confirm: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_items: int | None = None
    allow_force: bool = False
    also_allow: tuple[tuple[str, ...], ...] = ()

    @property
    def guards(self) -> bool:
        """Whether any rule is set."""
        return self.confirm or bool(self.allow or self.also_allow or self.deny) or self.max_items is not None

    @property
    def allow_lists(self) -> tuple[tuple[str, ...], ...]:
        """Every list in which a function must be named."""
        return tuple(patterns for patterns in (self.allow, *self.also_allow) if patterns)

    @property
    def needs_arn(self) -> bool:
        """Whether a pattern is one for ARNs, so that the function's account must be known."""
        return any(pattern.startswith("arn:") for patterns in (self.deny, *self.allow_lists) for pattern in patterns)

    def refusal(self, name: str, arn: str | None) -> Refusal | None:
        """Why the function of that bare name and unqualified ARN may not be called; None when it may.

        With `arn` None its account is not known: then every `deny` pattern for ARNs names it and no `allow` pattern.
        """
        for pattern in self.deny:
            if _names(pattern, name, arn, unknown=True):
                return Refusal("deny", (pattern,))
        for patterns in self.allow_lists:
            if not any(_names(pattern, name, arn, unknown=False) for pattern in patterns):
                return Refusal("allow", patterns)
        return None


def _names(pattern: str, name: str, arn: str | None, *, unknown: bool) -> bool:
    """Whether `pattern` means the function; part by part for an ARN, so that `*` stays within its part."""
    if not pattern.startswith("arn:"):
        return fnmatch.fnmatchcase(name, pattern)
    if arn is None:
        return unknown
    wanted, found = pattern.split(":"), arn.split(":")
    return len(wanted) == len(found) and all(map(fnmatch.fnmatchcase, found, wanted))


@dataclass(frozen=True)
class AuditRule:
    """Where each invocation is written down: `file` is an absolute path, in which `{date}` stands for the day (UTC).

    `required`: what cannot be written down is not sent.
    """

    file: str
    required: bool = False


@dataclass(frozen=True)
class Profile:
    """One YAML profile. `endpoint` is `aws`, `embedded` or a URL; `defaults` are by parameter name as written.

    `account` are the twelve digits that the credentials must belong to. `inherits` are the names of the profiles whose
    rules it took over, nearest first. `notices` tell what of the file was left out because of where it stands.
    """

    name: str
    file: str = ""
    origin: Origin = "none"
    aws_profile: str | None = None
    region: str | None = None
    endpoint: str = "aws"
    account: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    guard: GuardRules = field(default_factory=GuardRules)
    redaction: Redaction = field(default_factory=Redaction)
    audit: AuditRule | None = None
    inherits: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether a call through it needs more than its parameters: an account, a rule or a required audit."""
        return self.account is not None or self.guard.guards or (self.audit is not None and self.audit.required)
