"""A SAM or CloudFormation template as definitions of functions: what of it can run on this machine.

Read are AWS::Serverless::Function with Globals, AWS::Lambda::Function, the layers they use, and parameters. What is
something else, or lies elsewhere (images, packages in S3), is listed as not read. Code is run from its source: the
folders that `sam build` makes are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lmfunction import _yaml
from lmfunction._text import one_line
from lmfunction._yaml import Node, Scalar, Sequence
from lmfunction.errors import ParameterError
from lmfunction.local._definition import Code, Definition, LayerCode
from lmfunction.local._functions import LOGICAL_ID_TAG
from lmfunction.local._settings import ACCOUNT
from lmfunction.local._template_nodes import TemplateError, fault, pairs, plain
from lmfunction.local._template_resources import FUNCTIONS
from lmfunction.local._template_values import Values

_SERVERLESS: Final = "AWS::Serverless::Function"
_LAYERS: Final = {"AWS::Serverless::LayerVersion": "ContentUri", "AWS::Lambda::LayerVersion": "Content"}
_MAX_BYTES: Final = 1_048_576  # CloudFormation's limit for a template in S3
_INLINE: Final = {"python": "index.py", "nodejs": "index.js"}
# Resources that need nothing here: what they describe is the account's business, or is made of a function's own.
_SILENT: Final = ("AWS::IAM::", "AWS::Lambda::Permission", "AWS::Logs::LogGroup")
_WHOLE: Final = ("Timeout", "MemorySize")
_TEXTS: Final = ("Runtime", "Handler", "Description")


@dataclass(frozen=True)
class Template:
    """What a template comes to: its functions, and what was not read, a line each."""

    file: str
    definitions: tuple[Definition, ...]
    notices: tuple[str, ...]


def read_template(file: Path, parameters: Mapping[str, str], *, region: str, account: str = ACCOUNT) -> Template:
    """The template in `file` under `parameters`. Raises ParameterError with file, line and column."""
    try:
        return _read(file, parameters, region, account)
    except (_yaml.YamlError, TemplateError) as error:
        where = f"{file}:{error.line}:{error.column}"
        raise ParameterError(f"{one_line(where, 300)}: {_sentence(str(error))}", parameter="Template") from None
    except RecursionError:
        raise ParameterError(f"{one_line(str(file), 300)}: it refers to itself.", parameter="Template") from None


def _read(file: Path, parameters: Mapping[str, str], region: str, account: str) -> Template:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ParameterError(f"The template {one_line(str(file), 300)} cannot be read: {why}.") from None
    tree = _yaml.parse(text, max_bytes=_MAX_BYTES, tags=True)
    top = pairs(tree, "The template")
    if not isinstance(top.get("Resources"), _yaml.Mapping):
        raise TemplateError("There are no Resources: is this a SAM or CloudFormation template?", 1, 1)
    reader = _Reader(file, top, Values(top, parameters, region, account))
    definitions = [*reader.definitions()]
    return Template(str(file), tuple(definitions), tuple(dict.fromkeys([*reader.notices, *reader.values.notices])))


class _Reader:
    def __init__(self, file: Path, top: Mapping[str, Node], values: Values) -> None:
        self.notices: list[str] = []
        self.values = values
        self._file = file
        self._folder = file.resolve().parent
        self._resources = pairs(top["Resources"], "Resources")
        self._globals = pairs(pairs(top.get("Globals"), "Globals").get("Function"), "Globals: Function")

    def definitions(self) -> Iterator[Definition]:
        """The functions, in the order of the file."""
        unread: dict[str, list[str]] = {}
        for name, node in self._resources.items():
            members = pairs(node, name)
            kind = members["Type"].text if isinstance(members.get("Type"), Scalar) else ""  # type: ignore[union-attr]
            condition = members.get("Condition")
            if isinstance(condition, Scalar) and not self.values.holds(condition.text, condition):
                continue
            if kind in FUNCTIONS:
                found = self._function(name, kind, node, pairs(members.get("Properties"), f"{name}: Properties"))
                if found is not None:
                    yield found
            elif kind not in _LAYERS and not kind.startswith(_SILENT):
                unread.setdefault(kind or "(no Type)", []).append(name)
        if unread:
            listed = "; ".join(f"{', '.join(names)} ({kind})" for kind, names in unread.items())
            self.notices.append(f"not read: {listed}")

    # -- one function

    def _function(self, logical_id: str, kind: str, node: Node, own: Mapping[str, Node]) -> Definition | None:
        serverless = kind == _SERVERLESS
        members = self._merged(own) if serverless else own
        obstacle = self._obstacle(members, serverless=serverless)
        if obstacle is not None:
            self.notices.append(f"{logical_id} is left out: {obstacle}")
            return None
        made = self._configuration(logical_id, members, serverless=serverless)
        runtime = str(made.get("Runtime", ""))
        if not runtime and not self._is_inline(members):
            raise fault(f"{logical_id} has no Runtime.", node)
        return Definition(
            name=self.values.resources.name(logical_id, node),
            place=f"{self._file}:{node.line}",
            code=self._code(members, runtime, node, serverless=serverless),
            members=made,
            layers=tuple(self._layers(members.get("Layers"))),
            alias=self._optional_text(members, "AutoPublishAlias"),
            event_invoke=self._event_invoke(members.get("EventInvokeConfig"), logical_id),
            reserved=self._optional_whole(members, "ReservedConcurrentExecutions"),
            provisioned=self._optional_whole(
                pairs(members.get("ProvisionedConcurrencyConfig"), "ProvisionedConcurrencyConfig"),
                "ProvisionedConcurrentExecutions",
            ),
        )

    def _merged(self, own: Mapping[str, Node]) -> dict[str, Node]:
        """A function's properties over those of Globals: maps are merged, lists put one behind the other."""
        merged = {**self._globals, **own}
        for name in self._globals.keys() & own.keys():
            merged[name] = _combined(self._globals[name], own[name])
        return merged

    def _obstacle(self, members: Mapping[str, Node], *, serverless: bool) -> str | None:
        """Why the function cannot run here; None when it can."""
        package = self._optional_text(members, "PackageType")
        if package == "Image" or "ImageUri" in members:
            return "it is an image, and the embedded Lambda runs packages only."
        code = members.get("CodeUri" if serverless else "Code")
        found = self.values.resolve(code) if code is not None else None
        if isinstance(found, _yaml.Mapping):
            inside = pairs(found, "Code")
            if "ZipFile" not in inside:
                return "its code lies in S3." if inside.keys() & {"Bucket", "S3Bucket", "Key"} else "it names no code."
        if isinstance(found, Scalar) and found.text.startswith(("s3://", "https://")):
            return "its code lies in S3."
        if not self._is_inline(members) and found is None and not serverless:
            return "it names no code."
        return None

    def _is_inline(self, members: Mapping[str, Node]) -> bool:
        code = members.get("Code")
        return "InlineCode" in members or (isinstance(code, _yaml.Mapping) and "ZipFile" in pairs(code, "Code"))

    def _configuration(self, logical_id: str, members: Mapping[str, Node], *, serverless: bool) -> dict[str, Any]:
        """The members of CreateFunction."""
        made: dict[str, Any] = {}
        for name in _TEXTS:
            text = self._optional_text(members, name)
            if text is not None:
                made[name] = text
        for name in _WHOLE:
            number = self._optional_whole(members, name)
            if number is not None:
                made[name] = number
        variables = self._texts(pairs(members.get("Environment"), "Environment").get("Variables"), "Variables")
        if variables:
            made["Environment"] = {"Variables": variables}
        made["Tags"] = {**self._tags(members.get("Tags")), LOGICAL_ID_TAG: logical_id}
        target = pairs(members.get("DeadLetterQueue" if serverless else "DeadLetterConfig"), "DeadLetterQueue")
        if "TargetArn" in target:
            made["DeadLetterConfig"] = {"TargetArn": self.values.text(target["TargetArn"], "TargetArn")}
        for name in ("TracingConfig", "EphemeralStorage", "LoggingConfig", "TenancyConfig"):
            found = self.values.resolve(members[name]) if name in members else None
            if found is not None:
                made[name] = plain(found)
        return made

    def _code(self, members: Mapping[str, Node], runtime: str, node: Node, *, serverless: bool) -> Code:
        inline = members.get("InlineCode") or (
            pairs(members["Code"], "Code").get("ZipFile") if self._is_inline(members) else None
        )
        if inline is not None:
            name = next((n for start, n in _INLINE.items() if runtime.startswith(start)), None)
            if name is None:
                raise fault(f"InlineCode is for Python and Node, and the Runtime is {runtime or 'not given'}.", node)
            return Code(files=((name, self.values.text(inline, "InlineCode")),))
        where = members.get("CodeUri" if serverless else "Code")
        return self._local(self.values.text(where, "CodeUri") if where is not None else ".", where or node)

    def _local(self, path: str, node: Node) -> Code:
        found = (self._folder / path).resolve()
        if found.is_dir():
            return Code(folder=found)
        if found.is_file() and found.suffix in (".zip", ".jar"):
            return Code(archive=found)
        raise fault(f"There is no folder and no zip file {one_line(str(found), 200)}.", node)

    # -- what belongs to it

    def _layers(self, node: Node | None) -> Iterator[LayerCode]:
        """The layers that lie in this template's folders; those of an account are noted."""
        found = self._layer_references(node)
        for name, written in found:
            members = pairs(self._resources[name], name) if name in self._resources else {}
            kind = members.get("Type")
            place = _LAYERS.get(kind.text) if isinstance(kind, Scalar) else None
            if place is None:
                self.notices.append(f"the layer {one_line(name, 200)} is left out: it is not in this template.")
                continue
            properties = pairs(members.get("Properties"), f"{name}: Properties")
            content = self.values.resolve(properties[place]) if place in properties else None
            if not isinstance(content, Scalar) or content.text.startswith(("s3://", "https://")):
                self.notices.append(f"the layer {name} is left out: its content lies in S3.")
                continue
            yield LayerCode(self._optional_text(properties, "LayerName") or name, self._local(content.text, written))

    def _layer_references(self, node: Node | None) -> list[tuple[str, Node]]:
        """The logical ids, or ARNs, in a list of layers; a Ref to a layer is its logical id."""
        found = self.values.resolve(node) if node is not None else None
        if found is None:
            return []
        if not isinstance(found, Sequence):
            raise fault("Layers must be a list.", found)
        named = {self.values.resources.name(n, self._resources[n]): n for n in self._resources}
        texts = [(self.values.text(item, "Layers"), item) for item in found.items]
        return [(named.get(text, text), item) for text, item in texts]

    def _event_invoke(self, node: Node | None, logical_id: str) -> dict[str, Any] | None:
        """The members of PutFunctionEventInvokeConfig."""
        if node is None:
            return None
        members = pairs(self.values.resolve(node), "EventInvokeConfig")
        made: dict[str, Any] = {}
        for name in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts"):
            number = self._optional_whole(members, name)
            if number is not None:
                made[name] = number
        destinations = {}
        for outcome, told in pairs(members.get("DestinationConfig"), "DestinationConfig").items():
            destination = pairs(told, outcome).get("Destination")
            if destination is not None:
                destinations[outcome] = {"Destination": self.values.text(destination, "Destination")}
            else:
                self.notices.append(f"{logical_id}: the destination {outcome} is left out: only SAM would make it.")
        if destinations:
            made["DestinationConfig"] = destinations
        return made

    def _tags(self, node: Node | None) -> dict[str, str]:
        """Tags as SAM writes them, a mapping, or as CloudFormation does, a list of Key and Value."""
        found = self.values.resolve(node) if node is not None else None
        if isinstance(found, Sequence):
            listed = [pairs(item, "Tags") for item in found.items]
            return {self.values.text(t["Key"], "Key"): self.values.text(t["Value"], "Value") for t in listed}
        return self._texts(found, "Tags")

    # -- plain values

    def _texts(self, node: Node | None, what: str) -> dict[str, str]:
        """A mapping of texts, each as it is written: 1.10 stays 1.10."""
        found = self.values.resolve(node) if node is not None else None
        return {name: self.values.text(value, name) for name, value in pairs(found, what).items()}

    def _optional_text(self, members: Mapping[str, Node], name: str) -> str | None:
        found = self.values.resolve(members[name]) if name in members else None
        if found is not None and not isinstance(found, Scalar):
            raise fault(f"{name} must be text.", found)
        return found.text if found is not None else None

    def _optional_whole(self, members: Mapping[str, Node], name: str) -> int | None:
        text = self._optional_text(members, name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise fault(f"{name} must be a whole number, not {one_line(text, 40)}.", members[name])
        return int(text)


def _combined(ours: Node, own: Node) -> Node:
    """A value of Globals with the function's own: only mappings and lists are put together."""
    if isinstance(ours, _yaml.Mapping) and isinstance(own, _yaml.Mapping) and not (ours.tag or own.tag):
        items: dict[str, tuple[Scalar, Node]] = {key.text: (key, value) for key, value in ours.items}
        for key, value in own.items:
            before = items.get(key.text)
            items[key.text] = (key, _combined(before[1], value) if before is not None else value)
        return _yaml.Mapping(tuple(items.values()), own.line, own.column)
    if isinstance(ours, Sequence) and isinstance(own, Sequence) and not (ours.tag or own.tag):
        return Sequence((*ours.items, *own.items), own.line, own.column)
    return own


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text[:1].upper()}{text[1:]}."
