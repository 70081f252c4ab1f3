"""Cards in IPython at a terminal: as wide as it is, in its colours. A notebook's text is stored, so it has neither."""

from __future__ import annotations

import sys
from typing import Any, Final

# Everything that has a card, by name: naming a class loads no module.
WITH_CARDS: Final = (
    ("lmfunction._model", "InvokeResult"),
    ("lmfunction._stream_result", "StreamResult"),
    ("lmfunction._bulk_result", "BulkResult"),
    ("lmfunction._record", "Record"),
    ("lmfunction._card_list", "CardList"),
    ("lmfunction._client", "Plan"),
    ("lmfunction._operation_plan", "OperationPlan"),
    ("lmfunction._batch_plan", "BatchPlan"),
    ("lmfunction._order", "Intention"),
    ("lmfunction._profile_review", "Review"),
    ("lmfunction._measurement", "Measurement"),
    ("lmfunction._measure", "PlannedMeasurement"),
    ("lmfunction._sinks", "Formatted"),
    ("lmfunction._jobs", "Job"),
    ("lmfunction.errors", "LMError"),
)
_ERRORS: Final = WITH_CARDS[-1]


def draw_cards(shell: Any) -> None:
    """Lets a shell at a terminal show cards as the terminal can; a kernel and others are left alone."""
    if not _is_terminal(shell):
        return
    for module, name in WITH_CARDS:
        shell.display_formatter.mimebundle_formatter.for_type_by_name(module, name, drawn)
    # IPython has a printer of its own for exceptions, which goes before the bundle's text.
    shell.display_formatter.formatters["text/plain"].for_type_by_name(*_ERRORS, _drawn_error)


def forget_cards(shell: Any) -> None:
    """Takes away what `draw_cards` added."""
    if not _is_terminal(shell):
        return
    formatter = shell.display_formatter.mimebundle_formatter
    for module, name in WITH_CARDS:
        formatter.pop(f"{module}.{name}", None)
    shell.display_formatter.formatters["text/plain"].pop(".".join(_ERRORS), None)


def drawn(shown: Any) -> dict[str, str]:
    """The bundle of what has a card: the text for the terminal that stdout is."""
    if not getattr(shown, "was_shown", False):  # else its line is what is to be shown
        try:
            from lmfunction._render import terminal_text

            return {"text/plain": terminal_text(shown.card(), sys.stdout)}
        except Exception:  # noqa: BLE001, S110 - IPython would print a traceback; the bundle below never raises
            pass
    bundle = shown._repr_mimebundle_({"text/plain"})
    data: dict[str, str] = bundle[0] if isinstance(bundle, tuple) else bundle
    return data


def _drawn_error(error: Any, printer: Any, cycle: bool) -> None:
    alone = len(printer.stack) <= 1  # not in a list or a dict
    printer.text(drawn(error)["text/plain"] if alone else repr(error))


def _is_terminal(shell: Any) -> bool:
    return hasattr(shell, "pt_app")  # prompt_toolkit's, of the one shell that has a terminal
