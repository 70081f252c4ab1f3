"""What a handler of the embedded Lambda writes, shown while its invocation is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from lmfunction._client import Plan
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._live_text import LiveText
from lmfunction._log_records import PLATFORM
from lmfunction._log_source import LogSource, Wanted
from lmfunction._progress import Progress, Viewer, Viewers
from lmfunction.errors import LMError

_AFTER: Final = 0.5  # seconds; what is over by then is told by its result
_EVERY: Final = 0.25
_ALL: Final = 10_000


def live_log(plan: Plan, engine: Engine, door: Door) -> Viewers:
    """Who sees the function's own lines while it runs: nobody unless the door wants it, and of AWS never."""
    if not door.live_log or not plan.place.embedded or plan.request.invocation_type != "RequestResponse":
        return ()
    text = LiveText()
    viewers = door.live(text, plan.place.profile.redaction.text)
    lines = _Lines(plan, engine, text, time.time())
    return tuple(_reading(viewer, lines) for viewer in viewers)


def _reading(viewer: Viewer, lines: _Lines) -> Viewer:
    def draw(progress: Progress) -> None:
        lines.read(last=bool(progress.ended))
        viewer.draw(progress)

    return Viewer(draw, after=_AFTER, every=_EVERY)


class _Lines:
    """The lines of one wait, read into `text` whenever somebody looks."""

    def __init__(self, plan: Plan, engine: Engine, text: LiveText, began: float) -> None:
        self._plan = plan
        self._engine = engine
        self._text = text
        self._began = began
        self._source: LogSource | None = None

    def read(self, *, last: bool) -> None:
        """Takes what is new. A log that cannot be read costs the call nothing."""
        try:
            for message in self._new():
                self._text.add(f"{message}\n")
        except LMError:
            last = True
        if last and self._source is not None:
            self._source.close()

    def _new(self) -> Iterator[str]:
        if self._source is None:
            wanted = Wanted(self._plan.function, _ALL, None, "", "")
            self._source = LogSource(self._plan.place, self._engine, wanted)
            self._source.begin(self._began)
        return (record["Message"] for record in self._source.new() if record["Level"] != PLATFORM)
