"""The values of a CloudFormation template: references and functions made plain, each with its place in the file.

What can be known without an account is: parameters, pseudo parameters, mappings, conditions, text functions. A
resource stands for the name it gives itself, else for its logical id, and its `Arn` for the ARN that it would have
here. What only a deployment knows (imports, other attributes) becomes text that names it, and is noted.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lmfunction import _yaml
from lmfunction._names import partition_of
from lmfunction._text import did_you_mean, one_line
from lmfunction._yaml import Node, Scalar, Sequence
from lmfunction.local._template_nodes import (
    TemplateError,
    fault,
    function_of,
    items_of,
    literal,
    pairs,
    plain,
    text_at,
)
from lmfunction.local._template_resources import Resources

_SUBSTITUTED: Final = re.compile(r"\$\{(!?)([^{}]*)\}")
_LISTS: Final = ("CommaDelimitedList", "List<")
_NO_VALUE: Final = "AWS::NoValue"


class Values:
    """The values of one template, under `parameters` (texts by name) and for one region and account."""

    def __init__(self, template: Mapping[str, Node], parameters: Mapping[str, str], region: str, account: str) -> None:
        self._region = region
        self.notices: list[str] = []
        self._mappings = {n: pairs(v, n) for n, v in pairs(template.get("Mappings"), "Mappings").items()}
        self._conditions = pairs(template.get("Conditions"), "Conditions")
        self.resources = Resources(
            pairs(template.get("Resources"), "Resources"), self.resolve, self._note, region, account
        )
        self._deciding: list[str] = []
        self._pseudo = {
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::Partition": partition_of(region),
            "AWS::URLSuffix": "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com",
            "AWS::StackName": "local",
            "AWS::StackId": f"arn:{partition_of(region)}:cloudformation:{region}:{account}:stack/local/local",
        }
        self._parameters = dict(self._read_parameters(pairs(template.get("Parameters"), "Parameters"), parameters))

    # -- plain values

    def resolve(self, node: Node) -> Node | None:
        """`node` without references and functions; None where it stands for no value. Raises TemplateError."""
        name, argument = function_of(node)
        if name is not None:
            return self._called(name, argument, node)
        if isinstance(node, Sequence):
            items = [found for item in node.items if (found := self.resolve(item)) is not None]
            return Sequence(tuple(items), node.line, node.column)
        if isinstance(node, _yaml.Mapping):
            resolved = [(key, self.resolve(value)) for key, value in node.items]
            return _yaml.Mapping(tuple((k, v) for k, v in resolved if v is not None), node.line, node.column)
        return node

    def text(self, node: Node, what: str) -> str:
        """The text that `node` comes to."""
        found = self.resolve(node)
        if not isinstance(found, Scalar):
            raise fault(f"{what} must be text.", node)
        return found.text

    def holds(self, name: str, node: Node) -> bool:
        """Whether the condition of that name holds; `node` is where it is named."""
        if name not in self._conditions:
            raise fault(f"There is no condition {one_line(name, 80)}.{did_you_mean(name, self._conditions)}", node)
        if name in self._deciding:
            raise fault(f"The condition {one_line(name, 80)} depends on itself.", node)
        self._deciding.append(name)
        try:
            return self._condition(self._conditions[name])
        finally:
            self._deciding.pop()

    # -- parameters

    def _read_parameters(
        self, declared: Mapping[str, Node], given: Mapping[str, str]
    ) -> Iterator[tuple[str, tuple[str | None, bool]]]:
        """Name, and text (None: none is known) with whether it is a list."""
        for name in given:
            if name not in declared:
                hint = did_you_mean(name, declared) or f" It declares {', '.join(declared) or 'none'}."
                raise TemplateError(f"The template has no parameter {one_line(name, 80)}.{hint}", 1, 1)
        for name, node in declared.items():
            members = pairs(node, f"The parameter {name}")
            kind = members["Type"].text if isinstance(members.get("Type"), Scalar) else "String"  # type: ignore[union-attr]
            default = members.get("Default")
            text = given.get(name, default.text if isinstance(default, Scalar) else None)
            allowed = members.get("AllowedValues")
            values = [n.text for n in allowed.items if isinstance(n, Scalar)] if isinstance(allowed, Sequence) else []
            if text is not None and values and text not in values:
                raise fault(f"The parameter {name} must be one of {', '.join(values)}.", node)
            yield name, (text, kind.startswith(_LISTS))

    # -- functions

    def _called(self, name: str, argument: Node, node: Node) -> Node | None:
        if name == "Ref":
            return self._ref(literal(argument, "Ref"), node)
        if name == "Fn::GetAtt":
            return text_at(self._attribute(argument), node)
        if name == "Fn::If":
            condition, then, otherwise = items_of(argument, "Fn::If", 3)
            return self.resolve(then if self.holds(literal(condition, "Fn::If"), condition) else otherwise)
        if name == "Fn::FindInMap":
            return self._find_in_map(argument)
        if name in ("Fn::Split", "Fn::GetAZs"):
            texts = self._split(argument) if name == "Fn::Split" else (f"{self._region}{zone}" for zone in "abc")
            return Sequence(tuple(text_at(text, node) for text in texts), node.line, node.column)
        if name == "Fn::Select":
            return self._select(argument)
        make = _TEXTS.get(name)
        if make is None:
            raise fault(f"{name} is not known here.", node)
        return text_at(make(self, argument), node)

    def _ref(self, name: str, node: Node) -> Node | None:
        if name == _NO_VALUE:
            return None
        if name in self._parameters:
            text, is_list = self._parameters[name]
            if text is None:
                raise fault(f"The parameter {name} has no default: give --parameter {name}=VALUE.", node)
            if is_list:
                return Sequence(tuple(text_at(t.strip(), node) for t in text.split(",")), node.line, node.column)
            return text_at(text, node)
        return text_at(self._named(name, node), node)

    def _named(self, name: str, node: Node) -> str:
        """The text that a pseudo parameter, a text parameter or a resource stands for."""
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            text, _ = self._parameters[name]
            if text is None:
                raise fault(f"The parameter {name} has no default: give --parameter {name}=VALUE.", node)
            return text
        found = self.resources.referred(name, node)
        if found is None:
            known = [*self._parameters, *self.resources.names, *self._pseudo]
            raise fault(f"Nothing in the template is called {one_line(name, 80)}.{did_you_mean(name, known)}", node)
        return found

    def _attribute(self, argument: Node) -> str:
        if isinstance(argument, Sequence):
            first, second = items_of(argument, "Fn::GetAtt", 2)
            return self.resources.attribute(literal(first, "Fn::GetAtt"), self.text(second, "Fn::GetAtt"), argument)
        logical_id, _, part = literal(argument, "Fn::GetAtt").partition(".")
        return self.resources.attribute(logical_id, part, argument)

    def _find_in_map(self, argument: Node) -> Node | None:
        if not isinstance(argument, Sequence) or len(argument.items) not in (3, 4):
            raise fault("Fn::FindInMap takes a mapping's name and two keys.", argument)
        name, first, second = (self.text(item, "Fn::FindInMap") for item in argument.items[:3])
        row = self._mappings.get(name, {}).get(first)
        found = pairs(row, f"{name}.{first}").get(second) if row is not None else None
        if found is not None:
            return self.resolve(found)
        if len(argument.items) == 4:
            return self.resolve(pairs(argument.items[3], "Fn::FindInMap")["DefaultValue"])
        raise fault(f"Mappings has no {one_line(f'{name}.{first}.{second}', 120)}.", argument)

    def _select(self, argument: Node) -> Node:
        index, given = items_of(argument, "Fn::Select", 2)
        items, text = self.resolve(given), self.text(index, "Fn::Select")
        if not isinstance(items, Sequence) or not text.isdecimal() or int(text) >= len(items.items):
            raise fault("Fn::Select takes an index, from 0, and a list that has it.", argument)
        return items.items[int(text)]

    def _split(self, argument: Node) -> list[str]:
        delimiter, text = items_of(argument, "Fn::Split", 2)
        between = self.text(delimiter, "Fn::Split")
        if not between:
            raise fault("Fn::Split needs a delimiter.", argument)
        return self.text(text, "Fn::Split").split(between)

    def _join(self, argument: Node) -> str:
        delimiter, given = items_of(argument, "Fn::Join", 2)
        items = self.resolve(given)
        if not isinstance(items, Sequence):
            raise fault("Fn::Join takes a delimiter and a list.", argument)
        return self.text(delimiter, "Fn::Join").join(self.text(item, "Fn::Join") for item in items.items)

    def _sub(self, argument: Node) -> str:
        own: Mapping[str, Node] = {}
        template = argument
        if isinstance(argument, Sequence):
            template, given = items_of(argument, "Fn::Sub", 2)
            own = pairs(given, "Fn::Sub")
        text = literal(template, "Fn::Sub")

        def put(found: re.Match[str]) -> str:
            name = found[2].strip()
            if found[1]:
                return f"${{{name}}}"
            return self.text(own[name], name) if name in own else self._named(name, template)

        return _SUBSTITUTED.sub(put, text)

    def _base64(self, argument: Node) -> str:
        return base64.b64encode(self.text(argument, "Fn::Base64").encode()).decode()

    def _import(self, argument: Node) -> str:
        name = self.text(argument, "Fn::ImportValue")
        self._note(f"Fn::ImportValue {name} is known to a deployment only: here it is its name")
        return name

    def _length(self, argument: Node) -> str:
        items = self.resolve(argument)
        if not isinstance(items, Sequence):
            raise fault("Fn::Length takes a list.", argument)
        return str(len(items.items))

    def _to_json(self, argument: Node) -> str:
        return json.dumps(plain(self.resolve(argument)), separators=(",", ":"), ensure_ascii=False)

    # -- conditions

    def _condition(self, node: Node) -> bool:
        name, argument = function_of(node)
        if name == "Condition":
            return self.holds(literal(argument, "Condition"), argument)
        if name == "Fn::Equals":
            first, second = items_of(argument, "Fn::Equals", 2)
            return self.text(first, "Fn::Equals") == self.text(second, "Fn::Equals")
        if name in ("Fn::And", "Fn::Or", "Fn::Not") and isinstance(argument, Sequence) and argument.items:
            found = [self._condition(item) for item in argument.items]
            return not found[0] if name == "Fn::Not" else all(found) if name == "Fn::And" else any(found)
        raise fault("A condition is Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition.", node)

    def _note(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


_TEXTS: Final[Mapping[str, Callable[[Values, Node], str]]] = {
    "Fn::Sub": Values._sub,
    "Fn::Join": Values._join,
    "Fn::Base64": Values._base64,
    "Fn::ImportValue": Values._import,
    "Fn::Length": Values._length,
    "Fn::ToJsonString": Values._to_json,
}
