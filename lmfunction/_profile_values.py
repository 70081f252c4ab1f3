"""What a profile says, as values: where calls go, what guards them, what is hidden, what is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lmfunction._redact import Redaction

# Where a profile's file was found. A project's profile stands in the working directory and was approved.
Origin = Literal["none", "location", "environment", "user", "project", "shipped"]


@dataclass(frozen=True)
class GuardRules:
    """What a profile allows. `allow` and `deny` are patterns (`*`, `?`) for a function's bare name, or for its ARN
    without a qualifier when they begin with `arn:`; with an empty `allow` every function is allowed.

    `confirm`: every call that changes something asks for the function's name. `allow_force`: -Force and
    -Confirm:$false may skip that. `max_items`: the most objects that one command may invoke with.
    """

    confirm: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_items: int | None = None
    allow_force: bool = False

    @property
    def guards(self) -> bool:
        """Whether any rule is set."""
        return self.confirm or bool(self.allow or self.deny) or self.max_items is not None


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
