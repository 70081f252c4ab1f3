"""What calls share: open connections, the retry policy, defaults, hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lmfunction._audit import Audits
from lmfunction._client import Connections
from lmfunction._defaults import Defaults
from lmfunction._history import History
from lmfunction._hooks import Hooks
from lmfunction._identity import Identities
from lmfunction._jobs import Jobs
from lmfunction._once_store import OnceStore
from lmfunction._retry import RetryPolicy
from lmfunction._shell import Shell


@dataclass(frozen=True)
class Engine:
    """What calls share: connections and who signs on them, the retry policy, defaults set by hand, hooks."""

    connections: Connections = field(default_factory=Connections)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    defaults: Defaults = field(default_factory=Defaults)
    fixed: Mapping[str, Any] = field(default_factory=dict)  # a Session's own arguments, by parameter name
    hooks: Hooks | None = None
    shell: Shell = field(default_factory=Shell)  # what Set-AWSCredential and Set-DefaultAWSRegion left
    history: History = field(default_factory=History)
    identities: Identities = field(default_factory=Identities)
    audits: Audits | None = field(default_factory=Audits)  # None: nothing is written down, for nothing will be sent
    once: OnceStore = field(default_factory=OnceStore)
    jobs: Jobs = field(default_factory=Jobs)
    told: set[str] = field(default_factory=set)  # what a profile's file says and was left out: told once
    what_if: bool = False  # a Session's own: what changes something is shown and not sent
    clock: Callable[[], float] = time.time  # of confirmations; a monotonic one stands still in a sleeping laptop
