"""When a run has failed often enough: so many calls in a row that never ran, or too many of the last thousand."""

from __future__ import annotations

import collections
from typing import Final

from lmfunction._model import Outcome

IN_A_ROW: Final = 20
LAST: Final = 1000
_ENOUGH: Final = 100  # calls before a share of them says something
_NEVER_RAN: Final = frozenset([Outcome.REJECTED, Outcome.NOT_SENT, Outcome.UNKNOWN, Outcome.THROTTLED_OUT])
_FINE: Final = frozenset([Outcome.OK, Outcome.ACCEPTED])


class FailureGuard:
    """Counts how calls end. `tolerated` is a percentage, None where nobody gave one; 100 lets every call fail."""

    def __init__(self, tolerated: float | None) -> None:
        self.tolerated = tolerated
        self._in_a_row = 0
        self._last: collections.deque[bool] = collections.deque(maxlen=LAST)
        self._failed = 0
        self.tripped = ""  # why the run must end

    def ended(self, outcome: Outcome) -> bool:
        """Takes note of a call that ended; whether the run must end."""
        if outcome is Outcome.OK and self.tolerated is None:  # the usual one
            self._in_a_row = 0
            return bool(self.tripped)
        fine = outcome in _FINE
        self._in_a_row = self._in_a_row + 1 if outcome in _NEVER_RAN else 0
        if self._in_a_row >= IN_A_ROW and self.tolerated != 100:
            self.tripped = self.tripped or f"{IN_A_ROW} calls in a row brought no answer of the function"
        if self.tolerated is not None:
            if len(self._last) == LAST:
                self._failed -= not self._last[0]
            self._last.append(fine)
            self._failed += not fine
            if len(self._last) >= _ENOUGH or self.tolerated == 0:
                self._look()
        return bool(self.tripped)

    def last_look(self) -> bool:
        """As `ended`, when no more calls come: now a few of them say something, too."""
        self._look()
        return bool(self.tripped)

    def _look(self) -> None:
        if self.tolerated is None or not self._last:
            return
        share = 100 * self._failed / len(self._last)
        if share > self.tolerated:
            self.tripped = self.tripped or (
                f"{self._failed:,} of the last {len(self._last):,} calls failed, and {self.tolerated:g} % are tolerated"
            )
