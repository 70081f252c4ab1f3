"""The functions that one embedded Lambda knows: their configuration as values, and the table of them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from lmfunction._names import partition_of
from lmfunction.local._aliases import Alias
from lmfunction.local._answers import new_request_id
from lmfunction.local._event_config import NO_EVENT_CONFIG, EventInvokeConfig
from lmfunction.local._logging_config import TEXT_LOG, LoggingConfig

LATEST: Final = "$LATEST"
# By this tag CloudFormation tells which resource of a template a function is.
LOGICAL_ID_TAG: Final = "aws:cloudformation:logical-id"
PER_TENANT: Final = "PER_TENANT"
OWN_RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
OWN_ARCHITECTURE: Final = "arm64" if os.uname().machine in ("arm64", "aarch64") else "x86_64"


def lambda_date() -> str:
    """Now, as Lambda writes it in LastModified."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


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
    `settings` are members of the API that are kept and shown; few of them mean anything on this machine. `build` is
    the same for revisions that run the same, which share their environments.
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
    architecture: str = OWN_ARCHITECTURE
    settings: dict[str, Any] = field(default_factory=dict)
    code_sha256: str = ""
    code_size: int = 0
    live: bool = False
    layers: tuple[Layer, ...] = ()
    version: str = LATEST
    logging: LoggingConfig = TEXT_LOG
    per_tenant: bool = False
    revision_id: str = field(default_factory=new_request_id)
    last_modified: str = field(default_factory=lambda_date)
    build: str = field(default_factory=new_request_id)

    @property
    def live_folders(self) -> tuple[Path, ...]:
        """The folders whose files are the user's own, and may change at any time."""
        own = (self.folder,) if self.live else ()
        return (*own, *(layer.folder for layer in self.layers if layer.live))

    @property
    def dead_letter(self) -> str:
        """The ARN of the queue or topic for events that failed, or an empty text."""
        target: str = self.settings.get("DeadLetterConfig", {}).get("TargetArn", "")
        return target

    def revised(self) -> Self:
        """The same under a new revision: something beside code and configuration has changed."""
        return replace(self, revision_id=new_request_id())

    def changed(self, **changes: Any) -> Self:
        """The configuration after `changes`, in environments of its own."""
        return replace(
            self, **changes, revision_id=new_request_id(), build=new_request_id(), last_modified=lambda_date()
        )

    def published(self, number: str, folder: Path, description: str | None) -> Self:
        """The version `number`, whose code is in `folder`."""
        return replace(
            self,
            description=self.description if description is None else description,
            folder=folder,
            live=self.live and folder == self.folder,
            version=number,
            arn=f"{self.arn}:{number}",
            revision_id=new_request_id(),
            build=new_request_id(),
        )

    def fingerprint(self) -> str:
        """A text that is the same for two revisions with the same code and configuration."""
        told = self.to_api()
        for key in ("LastModified", "RevisionId"):
            del told[key]
        text = json.dumps([told, "" if self.code_sha256 else str(self.folder)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_api(self, qualifier: str | None = None) -> dict[str, Any]:
        """The FunctionConfiguration of the API: always Active, since nothing here takes time to become so.

        The ARN carries `qualifier` when one is given.
        """
        return {
            **self.to_api_listed(),
            "FunctionArn": f"{self.arn.removesuffix(f':{self.version}')}:{qualifier}" if qualifier else self.arn,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "RuntimeVersionConfig": {"RuntimeVersionArn": self.runtime_arn()},
        }

    def to_api_listed(self) -> dict[str, Any]:
        """The FunctionConfiguration as lists show it: the ARN qualified, and without what tells of states."""
        shown: dict[str, Any] = {
            "FunctionName": self.name,
            "FunctionArn": f"{self.arn.removesuffix(f':{self.version}')}:{self.version}",
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
            "PackageType": "Zip",
            "Architectures": [self.architecture],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": self.logging.to_api(self.name),
            **self.settings,
        }
        if self.per_tenant:
            shown["TenancyConfig"] = {"TenantIsolationMode": PER_TENANT}
        if self.layers:
            shown["Layers"] = [{"Arn": layer.arn, "CodeSize": layer.code_size} for layer in self.layers]
        if self.variables:
            shown["Environment"] = {"Variables": self.variables}
        return shown

    def runtime_arn(self) -> str:
        """An ARN that stands for this machine's own runtime, in the form of those of AWS."""
        partition, region = self.arn.split(":")[1:4:2] if self.arn.count(":") >= 6 else ("aws", "us-east-1")
        digest = hashlib.sha256(f"{self.runtime} {self.architecture}".encode()).hexdigest()
        return f"arn:{partition}:lambda:{region}::runtime:{digest}"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """How many environments of a version are kept ready, and since when (ISO 8601)."""

    count: int
    last_modified: str = field(default_factory=lambda_date)


@dataclass(slots=True)
class Function:
    """A function: what `$LATEST` is now, its published versions, and what belongs to its name or to a qualifier.

    `reserved` is the concurrency reserved for it (None: not reserved). `last_version` is the last number that was
    given out; numbers are not used again; `published_from` is the fingerprint of what it was made from. By qualifier
    are kept: `event_configs`, `provisioned` (how many environments are kept ready, and since when) and `policies`.
    """

    latest: Configuration
    reserved: int | None = None
    versions: dict[str, Configuration] = field(default_factory=dict)
    last_version: int = 0
    aliases: dict[str, Alias] = field(default_factory=dict)
    event_configs: dict[str, EventInvokeConfig] = field(default_factory=dict)
    published_from: str = ""
    provisioned: dict[str, Provisioned] = field(default_factory=dict)
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    recursive_loop: str = "Terminate"

    def version(self, qualifier: str | None) -> Configuration | None:
        """The version of that number, or `$LATEST`; None when there is none."""
        return self.latest if qualifier in (None, LATEST) else self.versions.get(qualifier)

    def resolve(self, qualifier: str | None, chance: float = 1.0) -> Configuration | None:
        """The version that `qualifier` names, or None.

        `chance` is a random number from 0 up to 1, by which an alias of two versions decides; 1 is its first version.
        """
        alias = self.aliases.get(qualifier) if qualifier is not None else None
        return self.version(qualifier if alias is None else alias.pick(chance))

    def set_aside(self) -> int:
        """How much of the account's concurrency nobody else may use."""
        ready = sum(p.count for p in self.provisioned.values())
        return ready if self.reserved is None else self.reserved

    def to_state(self) -> dict[str, Any]:
        """The function as values that JSON can hold."""
        state = asdict(self)
        for configuration in (state["latest"], *state["versions"].values()):
            for holder in (configuration, *configuration["layers"]):
                holder["folder"] = str(holder["folder"])
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The function that `to_state` told of."""
        return cls(
            **{
                **state,
                "latest": _configuration(state["latest"]),
                "versions": {number: _configuration(c) for number, c in state["versions"].items()},
                "aliases": {name: Alias(**a) for name, a in state["aliases"].items()},
                "event_configs": {q: EventInvokeConfig(**c) for q, c in state["event_configs"].items()},
                "provisioned": {q: Provisioned(**p) for q, p in state["provisioned"].items()},
            }
        )

    def event_invoke(self, qualifier: str | None) -> EventInvokeConfig:
        """What was set for asynchronous invocations under `qualifier`, or a value in which nothing is set."""
        return self.event_configs.get(qualifier or LATEST, NO_EVENT_CONFIG)


def _configuration(state: dict[str, Any]) -> Configuration:
    layers = tuple(Layer(**{**layer, "folder": Path(layer["folder"])}) for layer in state["layers"])
    logging = LoggingConfig(**state["logging"])
    return Configuration(**{**state, "folder": Path(state["folder"]), "layers": layers, "logging": logging})


class Functions:
    """The table of functions of one account and region, by name. `chance` gives random numbers from 0 up to 1.

    `on_change` is called with the name of a function that was added, changed or removed. `set_aside` is how much of
    the account's concurrency belongs to single functions, by name.
    """

    def __init__(self, region: str, account: str, chance: Callable[[], float] = random.random) -> None:
        self.region = region
        self.account = account
        self._arn = f"arn:{partition_of(region)}:lambda:{region}:{account}:function:"
        self._chance = chance
        self.on_change: Callable[[str], None] = lambda name: None
        self.set_aside: dict[str, int] = {}
        self._by_name: dict[str, Function] = {}
        self._by_logical_id: dict[str, str] = {}

    def __iter__(self) -> Iterator[Function]:
        return iter(sorted(self._by_name.values(), key=lambda f: f.latest.name))

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of `name` in this account and region, whether or not there is such a function."""
        return f"{self._arn}{name}:{qualifier}" if qualifier else f"{self._arn}{name}"

    def get(self, name: str) -> Function | None:
        """The function of that name, or of that logical id in the template it comes from; None when there is none."""
        return self._by_name.get(name) or self._by_name.get(self._by_logical_id.get(name, ""))

    def pick(self, function: Function, qualifier: str | None) -> Configuration | None:
        """The version that an invocation of `function` under `qualifier` goes to; an alias of two versions decides."""
        return function.resolve(qualifier, self._chance())

    def put(self, function: Function) -> None:
        """Adds a function, or replaces the one of that name; a function that was changed is put anew."""
        name = function.latest.name
        self._by_name[name] = function
        if LOGICAL_ID_TAG in function.tags:
            self._by_logical_id[function.tags[LOGICAL_ID_TAG]] = name
        self.set_aside.pop(name, None)
        if function.reserved is not None or function.provisioned:
            self.set_aside[name] = function.set_aside()
        self.on_change(name)

    def remove(self, name: str) -> None:
        """Removes a function, if it is there."""
        self.set_aside.pop(name, None)
        if self._by_name.pop(name, None) is not None:
            self.on_change(name)
