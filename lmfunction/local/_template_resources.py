"""The resources of a template as references see them: the name that each gives itself, the ARN it would have here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lmfunction._names import partition_of
from lmfunction._text import did_you_mean, one_line
from lmfunction._yaml import Node, Scalar
from lmfunction.local._template_nodes import fault, pairs

FUNCTIONS: Final = frozenset(["AWS::Serverless::Function", "AWS::Lambda::Function"])
# The service and the beginning of the resource part of an ARN, for what functions usually refer to.
_ARNS: Final = {
    "AWS::SQS::Queue": ("sqs", ""),
    "AWS::SNS::Topic": ("sns", ""),
    "AWS::DynamoDB::Table": ("dynamodb", "table/"),
    "AWS::Serverless::SimpleTable": ("dynamodb", "table/"),
    "AWS::Kinesis::Stream": ("kinesis", "stream/"),
    "AWS::Events::EventBus": ("events", "event-bus/"),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:"),
    "AWS::Serverless::StateMachine": ("states", "stateMachine:"),
    "AWS::Logs::LogGroup": ("logs", "log-group:"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "secret:"),
}
_REF_IS_ARN: Final = frozenset(["AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine"])


class Resources:
    """The resources by logical id. `resolve` makes the values plain that they are named by; `note` hears of what only
    a deployment knows.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        resolve: Callable[[Node], Node | None],
        note: Callable[[str], None],
        region: str,
        account: str,
    ) -> None:
        self.names = [*nodes]
        self._nodes = nodes
        self._resolve = resolve
        self._note = note
        self._region, self._account = region, account
        self._partition = partition_of(region)
        self._naming: list[str] = []

    def kind(self, logical_id: str) -> str | None:
        """The type of a resource; None when there is none of that id."""
        if logical_id not in self._nodes:
            return None
        kind = pairs(self._nodes[logical_id], logical_id).get("Type")
        return kind.text if isinstance(kind, Scalar) else ""

    def referred(self, name: str, node: Node) -> str | None:
        """What a Ref to `name`, at `node`, comes to; None when there is no such resource."""
        logical_id, _, part = name.partition(".")
        kind = self.kind(logical_id)
        if kind is None:
            return None
        if part in ("Alias", "Version") and kind in FUNCTIONS:
            return self._function_arn(logical_id, node) + self._published_as(logical_id, part)
        if part:
            return self.attribute(logical_id, part, node)
        arn = self._arn(logical_id, kind, node) if kind in _REF_IS_ARN else None
        return arn or self.name(logical_id, node)

    def attribute(self, logical_id: str, part: str, node: Node) -> str:
        """What Fn::GetAtt comes to: an ARN, a name, else the words of the reference."""
        kind = self.kind(logical_id)
        if kind is None:
            raise fault(f"There is no resource {one_line(logical_id, 80)}.{did_you_mean(logical_id, self.names)}", node)
        arn = self._arn(logical_id, kind, node) if part in ("Arn", "TopicArn") else None
        if arn is not None:
            return arn
        if part.endswith("Name"):
            return self.name(logical_id, node)
        self._note(f"{logical_id}.{part} is known to a deployment only: here it is this text")
        return f"{logical_id}.{part}"

    def name(self, logical_id: str, node: Node) -> str:
        """What a resource calls itself - of a queue QueueName - or its logical id where it says nothing."""
        if logical_id in self._naming:
            raise fault(f"The name of {logical_id} depends on itself.", node)
        self._naming.append(logical_id)
        try:
            members = self._members(logical_id)
            for member in (f"{(self.kind(logical_id) or '').rpartition('::')[2]}Name", "Name"):
                found = self._resolve(members[member]) if member in members else None
                if isinstance(found, Scalar) and found.text:
                    return found.text
        finally:
            self._naming.pop()
        return logical_id

    def _arn(self, logical_id: str, kind: str, node: Node) -> str | None:
        if kind in FUNCTIONS:
            return self._function_arn(logical_id, node)
        name = self.name(logical_id, node)
        if kind == "AWS::S3::Bucket":
            return f"arn:{self._partition}:s3:::{name}"
        if kind == "AWS::IAM::Role":
            return f"arn:{self._partition}:iam::{self._account}:role/{name}"
        if kind not in _ARNS:
            return None
        service, beginning = _ARNS[kind]
        return f"arn:{self._partition}:{service}:{self._region}:{self._account}:{beginning}{name}"

    def _function_arn(self, logical_id: str, node: Node) -> str:
        return f"arn:{self._partition}:lambda:{self._region}:{self._account}:function:{self.name(logical_id, node)}"

    def _published_as(self, logical_id: str, part: str) -> str:
        alias = self._members(logical_id).get("AutoPublishAlias")
        found = self._resolve(alias) if part == "Alias" and alias is not None else None
        return f":{found.text}" if isinstance(found, Scalar) else ":1"

    def _members(self, logical_id: str) -> Mapping[str, Node]:
        return pairs(pairs(self._nodes[logical_id], logical_id).get("Properties"), f"{logical_id}: Properties")
