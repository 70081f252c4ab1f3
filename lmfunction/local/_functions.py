"""The functions that one embedded Lambda knows: their configuration as values, and the table of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lmfunction._names import partition_of
from lmfunction.local._aliases import Alias
from lmfunction.local._answers import new_request_id
from lmfunction.local._event_config import NO_EVENT_CONFIG, EventInvokeConfig
from lmfunction.local._logging_config import TEXT_LOG, LoggingConfig

LATEST: Final = "$LATEST"
PER_TENANT: Final = "PER_TENANT"
OWN_RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Layer:
    """One version of a layer: its ARN, the folder with its content, and whether that is the user's own."""

    arn: str
    folder: Path
    live: bool = False
    code_size: int = 0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One version of a function. `timeout` is seconds, `memory_size` MB; `folder` holds the code.

    `live`: that folder is the user's own, whose files may change at any time. `layers` are folders as well.
    """

    name: str
    arn: str
    folder: Path
    handler: str
    runtime: str = OWN_RUNTIME
    timeout: int = 3
    memory_size: int = 128
    variables: dict[str, str] = field(default_factory=dict)
    description: str = ""
    role: str = ""
    code_sha256: str = ""
    code_size: int = 0
    live: bool = False
    layers: tuple[Layer, ...] = ()
    version: str = LATEST
    logging: LoggingConfig = TEXT_LOG
    per_tenant: bool = False
    revision_id: str = field(default_factory=new_request_id)
    last_modified: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    )

    @property
    def live_folders(self) -> tuple[Path, ...]:
        """The folders whose files are the user's own, and may change at any time."""
        own = (self.folder,) if self.live else ()
        return (*own, *(layer.folder for layer in self.layers if layer.live))

    def to_api(self) -> dict[str, Any]:
        """The FunctionConfiguration of the API: always Active, since nothing here takes time to become so."""
        shown: dict[str, Any] = {
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "Runtime": self.runtime,
            "Role": self.role,
            "Handler": self.handler,
            "CodeSize": self.code_size,
            "Description": self.description,
            "Timeout": self.timeout,
            "MemorySize": self.memory_size,
            "LastModified": self.last_modified,
            "CodeSha256": self.code_sha256,
            "Version": self.version,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision_id,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": ["arm64" if os.uname().machine in ("arm64", "aarch64") else "x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": self.logging.to_api(self.name),
        }
        if self.per_tenant:
            shown["TenancyConfig"] = {"TenantIsolationMode": PER_TENANT}
        if self.layers:
            shown["Layers"] = [{"Arn": layer.arn, "CodeSize": layer.code_size} for layer in self.layers]
        if self.variables:
            shown["Environment"] = {"Variables": self.variables}
        return shown


@dataclass(slots=True)
class Function:
    """A function: what `$LATEST` is now, its published versions, and what belongs to its name or to a qualifier.

    `reserved` is the concurrency reserved for it (None: not reserved). `last_version` is the last number that was
    given out; numbers are not used again. `event_configs` and `provisioned` are kept by qualifier.
    """

    latest: Configuration
    reserved: int | None = None
    versions: dict[str, Configuration] = field(default_factory=dict)
    last_version: int = 0
    aliases: dict[str, Alias] = field(default_factory=dict)
    event_configs: dict[str, EventInvokeConfig] = field(default_factory=dict)

    def version(self, qualifier: str | None) -> Configuration | None:
        """The version of that number, or `$LATEST`; None when there is none."""
        return self.latest if qualifier in (None, LATEST) else self.versions.get(qualifier)

    def resolve(self, qualifier: str | None, chance: float = 1.0) -> Configuration | None:
        """The version that `qualifier` names, or None.

        `chance` is a random number from 0 up to 1, by which an alias of two versions decides; 1 is its first version.
        """
        alias = self.aliases.get(qualifier) if qualifier is not None else None
        return self.version(qualifier if alias is None else alias.pick(chance))

    def event_invoke(self, qualifier: str | None) -> EventInvokeConfig:
        """What was set for asynchronous invocations under `qualifier`, or a value in which nothing is set."""
        return self.event_configs.get(qualifier or LATEST, NO_EVENT_CONFIG)


class Functions:
    """The table of functions of one account and region, by name.

    `on_change` is called with the name of a function that was added, changed or removed.
    """

    def __init__(self, region: str, account: str) -> None:
        self.region = region
        self.account = account
        self.on_change: Callable[[str], None] = lambda name: None
        self._by_name: dict[str, Function] = {}

    def __iter__(self) -> Iterator[Function]:
        return iter(sorted(self._by_name.values(), key=lambda f: f.latest.name))

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of `name` in this account and region, whether or not there is such a function."""
        arn = f"arn:{partition_of(self.region)}:lambda:{self.region}:{self.account}:function:{name}"
        return f"{arn}:{qualifier}" if qualifier else arn

    def get(self, name: str) -> Function | None:
        """The function of that name, or None."""
        return self._by_name.get(name)

    def put(self, function: Function) -> None:
        """Adds a function, or replaces the one of that name; a function that was changed is put anew."""
        self._by_name[function.latest.name] = function
        self.on_change(function.latest.name)

    def remove(self, name: str) -> None:
        """Removes a function, if it is there."""
        if self._by_name.pop(name, None) is not None:
            self.on_change(name)

    def reserved_total(self) -> int:
        """The concurrency reserved by all functions together."""
        return sum(f.reserved for f in self._by_name.values() if f.reserved is not None)
