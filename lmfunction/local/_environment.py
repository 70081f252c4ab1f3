"""One execution environment: a private folder, and a runtime process that is started when an event needs it.

The folder outlives the process. After a timeout or a crash the next event finds its files in TMPDIR and a fresh
process, as recorded from AWS (`/tmp` survives, module globals are reset).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lmfunction.local._alarm import Alarm
from lmfunction.local._functions import Configuration
from lmfunction.local._invocation import (
    EXIT_ERROR,
    INVALID_ENTRYPOINT,
    OUT_OF_MEMORY,
    TIMED_OUT,
    TRUNCATED,
    UNHANDLED,
    Invocation,
    Outcome,
    error_payload,
    error_type,
    exit_payload,
    timeout_payload,
    too_large_payload,
)
from lmfunction.local._log_lines import (
    Measured,
    end_events,
    ended,
    exit_line,
    init_line,
    log_tail,
    start_event,
    started,
    timeout_line,
)
from lmfunction.local._memory_watch import MemoryWatch
from lmfunction.local._process import RuntimeProcess
from lmfunction.local._runtime_api import RuntimeApi
from lmfunction.local._runtimes import CALLS, StartError, command_of, start_fault
from lmfunction.local._streaming import StreamedResponse
from lmfunction.local._variables import Host, log_stream_name, runtime_variables

_PATIENCE_SECONDS: Final = 0.25


class Environment:
    """Runs one invocation at a time. `on_free` is called when the next one may come, before the outcome is told."""

    def __init__(
        self,
        host: Host,
        configuration: Configuration,
        place: Path,
        *,
        init_seconds: float,
        on_free: Callable[[Environment], None],
        provisioned: bool = False,
    ) -> None:
        self.configuration = configuration
        self.place = place
        self.idle_since = 0.0
        self.tenant_id = ""  # for whom it has run, when no two tenants may share it
        self.retired = False
        self.provisioned = provisioned
        self.failed = False
        self._host = host
        self._init_seconds = init_seconds
        self._on_free = on_free
        self._process: RuntimeProcess | None = None
        self._api: RuntimeApi | None = None
        self._alarm = Alarm()
        self._invocation: Invocation | None = None
        self._response: StreamedResponse | None = None  # the process's answer, while it is coming
        self._handed_over = False
        self._initialising = False
        self._began = 0.0
        self._init_ms: float | None = None
        self._init_log = b""
        self._stream = host.logs.stream(
            configuration.logging.group_of(configuration.name), log_stream_name(configuration)
        )
        self._logged = False  # whether the invocation's START is written
        self._memory_at = 0.0
        self._memory_watch: MemoryWatch | None = None
        self._out_of_memory = False
        self._failure = ""  # the error type when it was not the handler that failed
        self._reports_init = True  # only an environment's first start is reported as Init Duration

    def run(self, invocation: Invocation) -> None:
        """Runs `invocation`; its `done` is called later with the outcome."""
        self._invocation = invocation
        self.tenant_id = invocation.tenant_id
        self._began = time.perf_counter()
        if self._process is None:
            self._start(self._init_seconds, self._init_expired)
        elif self._api is not None and self._api.polled:
            self._hand_over(invocation)
        else:  # the process has answered and is about to ask for more
            self._alarm.set(self.configuration.timeout, self._time_out)

    @property
    def initialised(self) -> bool:
        """Whether the process is there and has loaded the handler."""
        return self._process is not None and not self._initialising

    def warm(self) -> None:
        """Starts the process before there is anything to run, unless it is there."""
        if self._process is None and self._invocation is None and not self.retired:
            self.failed = False
            self._start(self._init_seconds, self._warming_failed)

    def _warming_failed(self) -> None:
        """Starting took too long, or the process has ended; the next invocation tries again."""
        if self._invocation is None:
            self._alarm.clear()
            self._abandon()
            self.failed = True

    def close(self) -> None:
        """Kills the process for good. An invocation under way ends without an outcome."""
        self.retired = True
        self._alarm.close()
        self._invocation = None
        self._abandon()

    # -- what the process says (see `_runtime_api.Sandbox`)

    def process_polls(self, api: RuntimeApi) -> None:
        """The process is ready for an event."""
        if api is not self._api:
            return
        if self._initialising:
            self._initialised()
        if self._invocation is not None:
            self._hand_over(self._invocation)

    def process_responds(self, request_id: str, payload: bytes, *, error: bool, oversized: bool) -> bool:
        """The process has an answer to the event it was given."""
        invocation = self._invocation
        if invocation is None or not self._handed_over or invocation.request_id != request_id:
            return False
        if oversized:
            payload, error = too_large_payload(), True
        self._finish(invocation, payload, UNHANDLED if error else None)
        return True

    def process_streams(self, request_id: str, content_type: str) -> StreamedResponse | None:
        """The process begins its answer to the event it was given."""
        invocation = self._invocation
        if invocation is None or not self._handed_over or invocation.request_id != request_id or self._response:
            return None

        def overflow(payload: bytes) -> None:
            if self._response is response:
                self._finish(invocation, payload, UNHANDLED)

        def cut() -> None:
            # When the process has ended, that is what is told; it is known a moment later.
            asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, lambda: self._truncate(response))

        response = self._response = StreamedResponse(
            invocation.receiver, content_type, on_overflow=overflow, on_cut=cut
        )
        return response

    def process_has_streamed(self, response: StreamedResponse, error: bytes | None) -> None:
        """The answer is complete, or an error has ended it."""
        if self._response is response and self._invocation is not None:
            payload = response.payload if error is None else error
            self._finish(self._invocation, payload, None if error is None else UNHANDLED)

    def process_fails_to_start(self, payload: bytes) -> None:
        """The process could not load the handler; it ends."""
        invocation = self._invocation
        if invocation is None:
            self._warming_failed()
        if invocation is None or self._process is None:
            return
        self._failure = error_type(payload)
        self._init_log += self._process.take_log() + self._log_last(
            init_line(self.configuration, self._elapsed_ms(), self._failure)
        )
        memory = self._process.memory_mb()
        self._abandon()
        self._finish(invocation, payload, UNHANDLED, b"", memory)

    # -- the process's life

    def _start(self, seconds: float, expired: Callable[[], None]) -> None:
        self._initialising, self._handed_over = True, False
        self._began = time.perf_counter()
        try:
            command = command_of(self.configuration, self._host)
            api = self._api = RuntimeApi(self)
            variables = runtime_variables(self._host, self.configuration, self.place, api.address, self._stream.name)
            if self.provisioned:
                variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = "provisioned-concurrency"
            calls = api.connection() if CALLS in command.words else None
        except (StartError, OSError) as e:
            self._cannot_start(str(e))
            return
        try:
            process: RuntimeProcess = RuntimeProcess(
                command,
                self.configuration.folder,
                variables,
                lambda status: self._exited(process, api, status),
                on_log=self._stream.write,
                calls=calls,
            )
        except OSError as e:
            self._cannot_start(start_fault(command, self.configuration.folder, e))
            return
        finally:
            if calls is not None:
                calls.close()
        self._process = process
        self._out_of_memory = False
        if self._host.enforce_memory:
            self._memory_watch = MemoryWatch(process.pid, self.configuration.memory_size, self._exceed_memory)
        self._alarm.set(seconds, expired)

    def _cannot_start(self, reason: str) -> None:
        self._abandon()
        if self._invocation is None:
            self.failed = True
            return
        self._failure = INVALID_ENTRYPOINT
        text = f"RequestId: {self._invocation.request_id} Error: {reason}"
        log = self._log_last(f"{text}\n{INVALID_ENTRYPOINT}\n".encode())
        self._finish(self._invocation, error_payload(INVALID_ENTRYPOINT, text), UNHANDLED, log)

    def _initialised(self) -> None:
        self._initialising = False
        self._alarm.clear()
        if self._reports_init:
            self._init_ms = self._elapsed_ms()
            self._init_log += self._process.take_log() if self._process is not None else b""
        self._reports_init = False

    def _init_expired(self) -> None:
        """As AWS does: initialisation starts over, now within the function's own time."""
        self._reports_init = False
        log = self._process.take_log() if self._process is not None else b""
        self._init_log += log + self._log_last(init_line(self.configuration, self._elapsed_ms(), TIMED_OUT))
        self._abandon()
        self._start(self.configuration.timeout, self._time_out)

    def _exited(self, process: RuntimeProcess, api: RuntimeApi, status: int) -> None:
        api.when_quiet(lambda: self._after_exit(process, api, status))

    def _after_exit(self, process: RuntimeProcess, api: RuntimeApi, status: int) -> None:
        api.close()
        if process is not self._process:
            return
        invocation, unread = self._invocation, not self._handed_over and not self._initialising
        log, memory = process.take_log(), process.peak_mb
        self._process = self._api = None
        self._rest_memory_watch()
        if invocation is None:
            if self._initialising:
                self._warming_failed()
            return
        self._alarm.clear()
        if unread:  # it had answered the event before, and never saw this one
            self._start(self._init_seconds, self._init_expired)
            return
        kind = self._failure = OUT_OF_MEMORY if self._out_of_memory else EXIT_ERROR
        if self._initialising:
            self._init_log += log + self._log_last(init_line(self.configuration, self._elapsed_ms(), kind))
            log = b""
        log += self._log_last(exit_line(invocation, status, kind))
        if self._out_of_memory:
            memory = self.configuration.memory_size
        self._finish(invocation, exit_payload(invocation, status, kind), UNHANDLED, log, memory)

    def _abandon(self) -> None:
        """Kills the process and forgets it; its end is still awaited by itself."""
        process, api = self._process, self._api
        self._process = self._api = None
        self._initialising = False
        self._rest_memory_watch()
        if process is not None:
            process.kill()
        if api is not None:
            api.close()

    # -- one invocation

    def _hand_over(self, invocation: Invocation) -> None:
        assert self._api is not None
        assert self._process is not None
        if invocation.wants_log:
            self._process.take_log()  # what was written since the last response belongs to nobody's tail
        if self._memory_watch is not None:
            self._memory_watch.look()
        self._handed_over = True
        self._log_start(invocation)
        self._began = time.perf_counter()
        if not self._alarm.is_set:
            self._alarm.set(self.configuration.timeout, self._time_out)
        self._api.hand_over(invocation)

    def _time_out(self) -> None:
        invocation, process = self._invocation, self._process
        if invocation is None or process is None:
            return
        memory = process.memory_mb()
        process.kill()
        self._failure = TIMED_OUT
        log = process.take_log()
        self._abandon()
        log += self._log_last(timeout_line(invocation))
        self._finish(invocation, timeout_payload(invocation), UNHANDLED, log, memory)

    def _finish(
        self,
        invocation: Invocation,
        payload: bytes,
        error: str | None,
        log: bytes | None = None,
        memory_mb: int | None = None,
    ) -> None:
        duration_ms = self._elapsed_ms()
        if self._failure == TIMED_OUT:  # as AWS reports it, however late the clock was
            duration_ms = self.configuration.timeout * 1000.0
        self._alarm.clear()
        if self._memory_watch is not None:
            self._memory_watch.rest()
        process = self._process
        if process is not None:
            process.read_log()
            memory_mb = self._memory(process, exactly=invocation.wants_log) if memory_mb is None else memory_mb
        measured = Measured(duration_ms, memory_mb or 0, self._init_ms, self._failure)
        tail = b""
        if invocation.wants_log:
            log = process.take_log() if log is None and process is not None else log
            tail = log_tail(invocation, self._init_log, log or b"", measured)
        self._log_start(invocation)
        self._log_end(invocation, measured)
        if self._response is not None:
            self._response.abandon()
            self._response = None
        self._invocation, self._handed_over, self._logged = None, False, False
        self._init_ms, self._init_log, self._failure = None, b"", ""
        self._on_free(self)
        invocation.done(invocation, Outcome(payload, error, tail, duration_ms, measured.memory_mb, measured.init_ms))

    def _truncate(self, response: StreamedResponse) -> None:
        """The process goes on, and has broken its answer off."""
        if self._response is response and self._invocation is not None:
            text = f"RequestId: {self._invocation.request_id} Error: the runtime broke its response off"
            self._finish(self._invocation, error_payload(TRUNCATED, text), UNHANDLED)

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1000

    def _exceed_memory(self) -> None:
        """As AWS does, the process is killed in the middle of what it does."""
        if self._process is not None:
            self._out_of_memory = True
            self._process.kill()

    def _rest_memory_watch(self) -> None:
        if self._memory_watch is not None:
            self._memory_watch.rest()
            self._memory_watch = None

    def _memory(self, process: RuntimeProcess, *, exactly: bool) -> int:
        """The process's peak, which is looked up ten times a second at most unless somebody is told it `exactly`."""
        now = time.monotonic()
        if exactly or not process.peak_mb or now - self._memory_at > 0.1:
            self._memory_at = now
            return process.memory_mb()
        return process.peak_mb

    def _log_start(self, invocation: Invocation) -> None:
        if not self._logged:
            self._logged = True
            if self.configuration.logging.is_json:
                self._stream.write(start_event(invocation))
            else:
                self._stream.add(started(invocation))

    def _log_end(self, invocation: Invocation, measured: Measured) -> None:
        self._stream.flush()
        if self.configuration.logging.is_json:
            self._stream.write(end_events(invocation, measured))
        else:
            self._stream.add(ended(invocation, measured))

    def _log_last(self, line: bytes) -> bytes:
        """Writes what Lambda itself says about the end; gives it back."""
        self._stream.write(line)
        return line
