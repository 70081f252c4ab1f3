"""What -WhatIf shows of a command with several objects: one card, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lmfunction._client import Plan
from lmfunction._redact import NONE
from lmfunction._render.card import Card, Section, Tone
from lmfunction._text import one_line

_FIRST: Final = 5


class BatchPlan:
    """The calls that a command would make of several objects; none was sent.

    `count` is the number of objects, `first` holds the plans of the first few, which iterating gives too; `refused`
    tells what would be refused of the others, and why. `total_bytes` is that of all payloads.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total_bytes = 0
        self.first: list[Plan] = []
        self.refused: list[tuple[int, str]] = []
        self._targets: dict[tuple[Any, ...], list[Any]] = {}

    def add(self, plan: Plan) -> None:
        """Adds the call for the next object."""
        self.count += 1
        self.total_bytes += len(plan.request.payload)
        if len(self.first) < _FIRST:
            self.first.append(plan)
        request = plan.request
        key = (request.function_name, request.qualifier, request.invocation_type, request.target)
        self._targets.setdefault(key, [plan, 0])[1] += 1

    def refuse(self, error: Exception) -> None:
        """Adds an object that could not be sent, for `error`."""
        self.count += 1
        self.refused.append((self.count, one_line(str(error).partition("\n")[0], 200)))

    @property
    def targets(self) -> Iterator[tuple[Plan, int]]:
        """A plan for each function, qualifier and place, and how many objects go there."""
        return ((plan, count) for plan, count in self._targets.values())

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.first)

    def resolved(self) -> BatchPlan:
        """The plan itself, its endpoints known."""
        for plan, _ in self.targets:
            plan.resolved()
        return self

    def __repr__(self) -> str:
        told = "; ".join(
            f'{count:,} times on target "{plan.request.label}" at {plan.endpoint}, account {plan.account}, '
            f"region {plan.request.target.region}{f', {plan.arn}' if plan.arn else ''}"
            for plan, count in self.targets
        )
        refused = f" {len(self.refused):,} of {self.count:,} would be refused." if self.refused else ""
        if not told:
            return f"What if:{refused or ' There are no objects, so nothing would be sent.'}"
        return (
            f'What if: Performing the operation "Invoke-LMFunction" {told}, {self.total_bytes:,} bytes in all '
            f"(first payloads {self._sizes()}).{refused}"
        )

    def card(self) -> Card:
        """The card that notebooks and terminals show."""
        targets = [*self.targets]
        of = targets[0][0].request.label if len(targets) == 1 else f"{len(targets):,} functions"
        sections = [_one_target(targets[0][0])] if len(targets) == 1 else [_table(targets)] if targets else []
        if self.first:
            sections.append(Section("Payloads", [("First", self._sizes())], "pairs"))
        if self.refused:
            rows = [{"object": index, "error": why} for index, why in self.refused]
            sections.append(Section("Would be refused", rows, "table"))
        return Card(
            Tone.DRYRUN,
            "WHAT IF",
            f"{self.count:,} invocation{'' if self.count == 1 else 's'} of {of}",
            facts=("nothing was sent", f"{self.total_bytes:,} bytes in all"),
            sections=tuple(sections),
            redaction=targets[0][0].place.profile.redaction if targets else NONE,
        )

    def _sizes(self) -> str:
        sizes = ", ".join(f"{len(plan.request.payload):,}" for plan in self.first)
        return f"{sizes}{' …' if self.count - len(self.refused) > len(self.first) else ''} bytes"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


def _one_target(plan: Plan) -> Section:
    request = plan.request
    pairs = [
        ("FunctionName", request.function_name),
        ("Arn", plan.arn or ""),
        ("Qualifier", request.qualifier or ""),
        ("InvocationType", request.invocation_type),
        ("Account", plan.account),
        ("Region", request.target.region),
        ("Endpoint", plan.endpoint),
        ("ProfileName", request.target.profile_name or ""),
    ]
    return Section("Calls", [(name, value) for name, value in pairs if value], "pairs")


def _table(targets: list[tuple[Plan, int]]) -> Section:
    rows = [
        {
            "function": plan.request.label,
            "objects": count,
            "account": plan.account,
            "region": plan.request.target.region,
            "endpoint": plan.endpoint,
        }
        for plan, count in targets
    ]
    return Section("Calls", rows, "table")
