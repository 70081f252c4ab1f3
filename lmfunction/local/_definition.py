"""One function as it is described by a folder or a template, and the requests of the API that make it so.

Whoever applies it says how a request is carried out: the server at its start by its own control plane, a cmdlet through
boto3. What is refused beside the function itself is told, and the rest goes on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lmfunction._text import one_line
from lmfunction.local._settings import ACCOUNT, LIVE_BUCKET

_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/local"
_CODE_MEMBERS: Final = frozenset(["Architectures"])  # UpdateFunctionCode's; the rest is the configuration's
_ONLY_NEW: Final = frozenset(["Tags", "TenancyConfig", "PackageType"])
# An alias of code that may change at any time stands for $LATEST, so that the next invocation sees an edit.
_LATEST: Final = "$LATEST"

Requests = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class CallRefusedError(Exception):
    """A request was refused. `args` are the code and the message."""


@dataclass(frozen=True)
class Code:
    """Where code is: a folder that it is run from, a zip file, or files by name with their text."""

    folder: Path | None = None
    archive: Path | None = None
    files: tuple[tuple[str, str], ...] = ()

    @property
    def live(self) -> bool:
        """Whether it may change at any time."""
        return self.folder is not None

    def members(self) -> dict[str, Any]:
        """The code as the API has it. Raises OSError for a zip file that cannot be read."""
        if self.folder is not None:
            return {"S3Bucket": LIVE_BUCKET, "S3Key": str(self.folder)}
        return {"ZipFile": self.archive.read_bytes() if self.archive is not None else _zipped(self.files)}

    def __str__(self) -> str:
        return str(self.folder or self.archive or "inline code")


@dataclass(frozen=True)
class LayerCode:
    """A layer whose content lies on this machine."""

    name: str
    code: Code


@dataclass(frozen=True)
class Definition:
    """A function. `members` are those of CreateFunction without name, code and layers; `place` is where it is written.

    `alias`, `event_invoke`, `reserved` and `provisioned` are what belongs to it beside its configuration.
    """

    name: str
    place: str
    code: Code
    members: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[LayerCode, ...] = ()
    alias: str | None = None
    event_invoke: Mapping[str, Any] | None = None
    reserved: int | None = None
    provisioned: int | None = None

    @property
    def described(self) -> str:
        """Name, handler, runtime and source in one line."""
        alias = f":{self.alias}" if self.alias else ""
        return one_line(
            f"{self.name}{alias}  {self.members.get('Handler')}  {self.members.get('Runtime')}  {self.code}", 300
        )


def apply(definitions: Iterable[Definition], requests: Requests) -> Iterator[tuple[Definition, list[str]]]:
    """Carries out each definition, with what was left of it as notices. A refused function has only a notice."""
    layers: dict[LayerCode, str] = {}
    for definition in definitions:
        notices: list[str] = []
        try:
            _apply_one(definition, requests, layers, notices)
        except CallRefusedError as error:
            notices.append(f"{definition.name} is left out: {error.args[1]}")
        except OSError as error:
            notices.append(f"{definition.name} is left out: {definition.code}: {error.strerror}")
        yield definition, notices


def _apply_one(definition: Definition, requests: Requests, layers: dict[LayerCode, str], notices: list[str]) -> None:
    name = definition.name
    members = {"Role": _ROLE, **definition.members, "FunctionName": name}
    arns = [*_layer_arns(definition, requests, layers, notices)]
    if arns:
        members["Layers"] = arns
    code = definition.code.members()
    try:
        requests("CreateFunction", {**members, "Code": code})
    except CallRefusedError as error:
        if error.args[0] != "ResourceConflictException":
            raise
        _update(name, members, code, requests)

    def optional(operation: str, **more: Any) -> Mapping[str, Any]:
        try:
            return requests(operation, {"FunctionName": name, **more})
        except CallRefusedError as error:
            notices.append(f"{name}: {operation} was refused: {error.args[1]}")
            return {}

    if definition.reserved is not None:
        optional("PutFunctionConcurrency", ReservedConcurrentExecutions=definition.reserved)
    qualified: dict[str, Any] = {}
    if definition.alias is not None:
        version = _LATEST if definition.code.live else optional("PublishVersion").get("Version", _LATEST)
        _put_alias(name, definition.alias, version, requests, notices)
        qualified = {"Qualifier": definition.alias}
    if definition.event_invoke is not None:
        optional("PutFunctionEventInvokeConfig", **qualified, **definition.event_invoke)
    if definition.provisioned is not None and definition.code.live:
        notices.append(f"{name}: ProvisionedConcurrencyConfig is left out: it needs a version, and the code is live.")
    elif definition.provisioned is not None and qualified:
        optional("PutProvisionedConcurrencyConfig", **qualified, ProvisionedConcurrentExecutions=definition.provisioned)


def _layer_arns(
    definition: Definition, requests: Requests, known: dict[LayerCode, str], notices: list[str]
) -> Iterator[str]:
    for layer in definition.layers:
        try:
            if layer not in known:
                answer = requests("PublishLayerVersion", {"LayerName": layer.name, "Content": layer.code.members()})
                known[layer] = str(answer["LayerVersionArn"])
            yield known[layer]
        except (CallRefusedError, OSError) as error:
            why = error.args[1] if isinstance(error, CallRefusedError) else error.strerror
            notices.append(f"{definition.name}: the layer {layer.name} is left out: {why}")


def _update(name: str, members: Mapping[str, Any], code: Mapping[str, Any], requests: Requests) -> None:
    """Gives a function that is there already the code and the configuration of its definition."""
    own = {k: v for k, v in members.items() if k in _CODE_MEMBERS}
    requests("UpdateFunctionCode", {"FunctionName": name, **own, **code})
    settings = {k: v for k, v in members.items() if k not in _CODE_MEMBERS | _ONLY_NEW}
    requests("UpdateFunctionConfiguration", {"Layers": [], "Environment": {"Variables": {}}, **settings})


def _put_alias(name: str, alias: str, version: str, requests: Requests, notices: list[str]) -> None:
    members = {"FunctionName": name, "Name": alias, "FunctionVersion": version}
    try:
        try:
            requests("CreateAlias", members)
        except CallRefusedError as error:
            if error.args[0] != "ResourceConflictException":
                raise
            requests("UpdateAlias", members)
    except CallRefusedError as error:
        notices.append(f"{name}: the alias {alias} was refused: {error.args[1]}")


def _zipped(files: Iterable[tuple[str, str]]) -> bytes:
    import zipfile  # here: it would be a tenth of the server's start

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files:
            # A fixed date: the same code has the same CodeSha256 at each start.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return data.getvalue()
