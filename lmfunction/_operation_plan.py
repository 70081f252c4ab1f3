"""One call of an operation of the API, checked, that has not been sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._connection import Place
from lmfunction._intent import Intent
from lmfunction._names import FunctionName, parse_function_name
from lmfunction._operation_requests import shown_members
from lmfunction._operations import ASKING_VERBS, READING_VERBS, subject_of, verb_of
from lmfunction._params import Cmdlet
from lmfunction._progress import Progress
from lmfunction._render.card import Card, Section, Tone
from lmfunction._service import Operation

# What belongs to a function without naming it: the members that such an operation is about.
_HIDING: Final = frozenset(["UUID", "CallbackId"])
# The function inside the ARN of a durable execution, a version, or of itself.
_FUNCTION_ARN: Final = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d{12}:function:[\w.-]+")


@dataclass(frozen=True)
class OperationPlan:
    """One call of an operation, checked, that has not been sent."""

    cmdlet: Cmdlet
    operation: Operation
    members: Mapping[str, Any]
    place: Place

    @property
    def reads(self) -> bool:
        """Whether the operation changes nothing."""
        return verb_of(self.cmdlet) in READING_VERBS

    @property
    def target(self) -> str:
        """What the operation is about; the operation itself when nothing is named."""
        return str(self.members.get(subject_of(self.operation) or "", self.operation.name))

    @property
    def name(self) -> str:
        """What a confirmation asks for: a function's bare name, else the target."""
        if subject_of(self.operation) == "FunctionName" and "FunctionName" in self.members:
            return parse_function_name(self.target).name
        return self.target

    @property
    def endpoint(self) -> str:
        """Where it goes, for people."""
        where = "the embedded Lambda" if self.place.embedded else self.place.connection.endpoint_url or "AWS"
        return f"{where}, region {self.place.connection.region}"

    def __repr__(self) -> str:
        what = f"{self.cmdlet.name} ({self.operation.name})"
        return f'What if: Performing the operation "{what}" on target "{self.target}" at {self.endpoint}.'

    def progress(self, elapsed: float) -> Progress:
        """How the wait for its answer stands after `elapsed` seconds."""
        on_stop = "leaves the function running" if self.operation.streams else ""
        return Progress(f"{self.cmdlet.name} {self.target}", elapsed, on_stop=on_stop)

    def intent(self) -> Intent:
        """What it is about to do."""
        function = _function_of(self.members, subject_of(self.operation))
        return Intent(
            self.cmdlet.name,
            self.place,
            self.name,
            function,
            self.members.get("Qualifier"),
            self.operation.name,
            changes=not self.reads,
            removes=verb_of(self.cmdlet) in ASKING_VERBS,
            hides_function=function is None and subject_of(self.operation) in _HIDING,
            account=None if self.reads else _account_of(self.target),
            lines=self.lines,
            content=lambda: repr(sorted(self.members.items())).encode(),
        )

    def lines(self) -> list[str]:
        """The call for somebody who is to confirm it."""
        pairs = shown_members(self.cmdlet, self.members)
        return [f"Endpoint: {self.endpoint}", *(f"{name}: {value}" for name, value in pairs)]

    def card(self) -> Card:
        """The card that notebooks and terminals show."""
        pairs = [*shown_members(self.cmdlet, self.members), ("Endpoint", self.endpoint)]
        return Card(
            Tone.DRYRUN,
            "WHAT IF",
            f"{self.cmdlet.name} ({self.operation.name}) {self.target}",
            facts=("nothing was sent", self.place.connection.region),
            sections=(Section("Call", pairs, "pairs"),),
            summary={
                "what_if": self.cmdlet.name,
                "operation": self.operation.name,
                "target": self.target,
                "region": self.place.connection.region,
                "endpoint": self.endpoint,
            },
            redaction=self.place.profile.redaction,
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


def _function_of(members: Mapping[str, Any], subject: str | None) -> FunctionName | None:
    """The function that a request is about: named as such, or inside the ARN of something of its own."""
    if "FunctionName" in members and subject not in _HIDING:
        return parse_function_name(members["FunctionName"])
    found = _FUNCTION_ARN.match(str(members.get(subject or "", "")))
    return parse_function_name(found.group()) if found else None


def _account_of(subject: str) -> str | None:
    """The account that an ARN names."""
    parts = subject.split(":")
    return parts[4] if len(parts) > 5 and parts[0] == "arn" and parts[4].isdecimal() else None
