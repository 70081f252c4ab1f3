"""The card of an error: what is known in one word, the error's own few lines below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from lmfunction._render.card import Card, Section, Tone

# What the outcome class says of the call, in the words of a badge.
_STATUS: Final = {
    "NOT_SENT": ("NOT SENT", Tone.FAILED),
    "REJECTED": ("REFUSED", Tone.FAILED),
    "THROTTLED_OUT": ("THROTTLED", Tone.WARNING),
    "RESULT_LOST": ("RESULT LOST", Tone.FAILED),
    "UNKNOWN": ("UNKNOWN", Tone.WARNING),
}
_REQUEST_ID: Final = "  RequestId: "


class Told(Protocol):
    """What an error tells of itself; `code`, `status`, `reason`, `outcome` and `attempts` where it knows them."""

    request_id: str | None

    @property
    def kind(self) -> str | None:
        """What happened, as `errors` names it."""
        ...


def error_card(error: Told) -> Card:
    """The card of an error that is looked at as a value, or shown while the line goes on."""
    known = {name: getattr(error, name, None) for name in ("code", "status", "reason", "retry_after", "attempts")}
    outcome = getattr(error, "outcome", None) or ("NOT_SENT" if error.kind == "ConstructionFailure" else "")
    status, tone = _STATUS.get(outcome, ("FAILED", Tone.FAILED))
    name = type(error).__name__
    return Card(
        tone,
        status,
        str(known["code"] or name),
        tuple(fact for fact in _facts(known, error.request_id) if fact),
        (Section(name if known["code"] else "Error", _lines(error), "text", more="str(error)"),),
        _summary(name, outcome, known, error.request_id),
    )


def _facts(known: Mapping[str, object], request_id: str | None) -> tuple[str, ...]:
    attempts = known["attempts"]
    return (
        f"{known['status']}" if known["status"] else "",
        f"reason {known['reason']}" if known["reason"] else "",
        f"retry after {known['retry_after']:g} s" if isinstance(known["retry_after"], int | float) else "",
        f"{attempts} attempts" if isinstance(attempts, int) and attempts > 1 else "",
        f"RequestId {request_id}" if request_id else "",
    )


def _lines(error: object) -> str:
    """The error's words; its request id stands in the header."""
    return "\n".join(line for line in str(error).split("\n") if not line.startswith(_REQUEST_ID))


def _summary(name: str, outcome: str, known: Mapping[str, object], request_id: str | None) -> dict[str, object]:
    figures = {
        "error": name,
        "code": known["code"],
        "status_code": known["status"],
        "outcome": outcome,
        "attempts": known["attempts"],
        "request_id": request_id,
    }
    return {name: value for name, value in figures.items() if value not in (None, "")}
