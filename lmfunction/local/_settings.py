"""What one embedded Lambda is started with, as one value that travels to the child process as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Final, Self

ACCOUNT: Final = "000000000000"
LIVE_BUCKET: Final = "hot-reload"
OWN_LOOP: Final = "own"
AWSLAMBDARIC: Final = "awslambdaric"
PYTHON_LOOPS: Final = (OWN_LOOP, AWSLAMBDARIC)
RUNTIME_VERSIONS: Final = range(9, 16)
NODE_RUNTIMES: Final = ("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x")
PROVIDED_RUNTIMES: Final = ("provided.al2", "provided.al2023")
RUNTIMES: Final = (*(f"python3.{minor}" for minor in RUNTIME_VERSIONS), *NODE_RUNTIMES, *PROVIDED_RUNTIMES)


@dataclass(frozen=True, slots=True)
class Settings:
    """How an embedded Lambda runs. Durations are seconds.

    `port` 0 takes a free one. `concurrency` is the account's limit on invocations that run at once. `retry_delays`
    are the waits before the further attempts of an asynchronous invocation (AWS: 60 and 120). `python` is the
    interpreter that runs Python functions, and `python_loop` the runtime client in it: ours, or `awslambdaric`, which
    has to be installed there. `enforce_memory` has a process killed that takes more memory than its function has (on
    Linux). `state` is the folder in which functions and events outlive the server (empty: they do not), and
    `keep_keys` keeps the access keys there as well.
    """

    region: str = "us-east-1"
    account: str = ACCOUNT
    port: int = 0
    concurrency: int = 100
    idle_seconds: float = 300.0
    init_seconds: float = 10.0
    retry_delays: tuple[float, ...] = (60.0, 120.0)
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    connections: int = 2_000
    python: str = sys.executable
    python_loop: str = OWN_LOOP
    enforce_memory: bool = False
    state: str = ""
    keep_keys: bool = False

    def to_json(self) -> str:
        """The settings as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The settings that `to_json` wrote."""
        values = json.loads(text)
        values["retry_delays"] = tuple(values["retry_delays"])
        return cls(**values)
