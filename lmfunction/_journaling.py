"""-Journal and -Resume from the line to the run, and from the journal to its results."""

from __future__ import annotations

import json
import pathlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lmfunction._bulk_result import BulkResult
from lmfunction._client import with_full_name
from lmfunction._cmdlets import Call
from lmfunction._connection import EMBEDDED_ACCOUNT, Place, resolve_place
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._gathered import Gathered, gather
from lmfunction._item import Item
from lmfunction._journal_file import opened_to_read
from lmfunction._journal_items import JournalItems
from lmfunction._journal_rows import recall
from lmfunction._kept_run import PAGE, KeptRun, OnUnknown, Wish, keep_run
from lmfunction._ledger import Entry, Settlement
from lmfunction._model import InvokeResult
from lmfunction._names import parse_function_name
from lmfunction._recalled import Requests
from lmfunction._run_binding import Binding
from lmfunction._run_items import ItemReader, Kept
from lmfunction._survey import Binding as LineBinding
from lmfunction._table import INVOKE
from lmfunction._text import one_line
from lmfunction._transport import endpoint_of
from lmfunction.errors import (
    LMError,
    ParameterError,
)

# What a run is resumed with: what says where its calls go and how they are made. No secret is among it.
_SETTINGS: Final = (
    "FunctionName",
    "ClientContext",
    "ClientContextBase64",
    "InvocationType",
    "LogType",
    "Qualifier",
    "TenantId",
    "DurableExecutionName",
    "ThrottleLimit",
    "TimeoutSec",
    "Delivery",
    "ItemKey",
    "ToleratedFailurePercent",
    "AllowDuplicateKeys",
    "ProfileName",
    "ProfileLocation",
    "Region",
    "EndpointUrl",
    "ClientConfig",
)
_KEEPING: Final = ("Journal", "Resume", "OnUnknown", "ItemKey")
_RESEND, _SKIP = "resend", "skip"


@dataclass(frozen=True)
class KeptCall:
    """A call whose intent is on the disk before it is sent, and whose outcome is written down after it."""

    call: Call
    item: Item
    run: KeptRun

    def send(self, engine: Engine) -> InvokeResult:
        """Sends it once its intent is on the disk. Raises what the call raises, JournalError when it cannot be."""
        journal = self.run.journal
        written = threading.Event()
        errors: list[LMError] = []

        def committed(_: Sequence[Entry], error: LMError | None) -> None:
            errors.extend([] if error is None else [error])
            written.set()

        journal.intend([self.item.input.entry], committed)
        written.wait()
        if errors:
            raise errors[0]
        try:
            result = self.call.send(engine)
        except LMError as error:
            journal.settle([_settled(replace(self.item, error=error))])
            raise
        journal.settle([_settled(replace(self.item, result=result))])
        return result

    def error_action(self, door: Door) -> str:
        """What a failed function does."""
        return self.call.error_action(door)


def open_run(bind: LineBinding, engine: Engine, door: Door) -> KeptRun | None:
    """The run with its journal that the line of `bind` asks for; None where it asks for none.

    Raises ParameterError for parameters that do not go together, JournalError for a journal that cannot be used.
    """
    line = gather(INVOKE, bind.values, engine)
    arguments = line.arguments
    wish = _wish(arguments)
    if wish is None:
        return None
    place = _place(line)
    binding = _binding(line, place, engine)
    reader = ItemReader(bind, bind.values, line, engine)
    run = keep_run(wish, binding, reader, _tool(), lambda run: _policy(run, wish, arguments, door))
    _tell(run, door)
    return run


def unkept(bind: LineBinding) -> LineBinding:
    """The line without its journal, whose run is over: what is sent again by hand is no part of it."""
    return LineBinding({name: value for name, value in bind.values.items() if name not in _KEEPING})


def begun(
    kept: KeptRun, run: BulkResult, source: Iterator[Any] | None, total: int | None, bind: LineBinding, engine: Engine
) -> Iterator[Kept]:
    """The objects to send: of `source`, None: those that the journal holds.

    `run` holds then what is known already: of each item a result, or that it is not sent yet. Unless its results go
    into a file, it reads them from the journal.
    """
    line = gather(INVOKE, bind.values, engine)
    requests = Requests(line, _place(line).connection, bind.values)
    found = kept.objects(source, total)
    if isinstance(run.items, list):
        run.items = JournalItems(kept, requests.item)
        return found
    for entry, settled in kept.results():
        run.items.append(requests.item(entry, None if kept.is_open(entry.seq) else settled))
        if run.items.failed is not None:
            break
    return found


class StoredItems:
    """In place of objects those that the journal of a run holds."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Kept]:
        first = 0
        while True:
            with opened_to_read(self._path) as database:
                page = recall(database, first, first + PAGE)
            if not page:
                return
            yield from (Kept(entry) for entry, _ in page)
            first += PAGE


def _settled(item: Item) -> Settlement:
    """What is written down of an item that was sent."""
    result, error = item.result, item.error
    if result is not None:
        return Settlement(
            item.index,
            result.attempts,
            str(result.outcome),
            result.status_code,
            request_id=result.request_id,
            executed_version=result.executed_version,
            function_error=result.function_error,
            body=result.raw_payload,
            elapsed_ms=result.elapsed_ms,
            log_result=result.log_result,
            durable_execution_arn=result.durable_execution_arn,
            trace_id=result.trace_id,
        )
    return Settlement(
        item.index,
        getattr(error, "attempts", 0),
        str(item.outcome),
        getattr(error, "status", None),
        getattr(error, "code", None) or type(error).__name__,
        getattr(error, "reason", None) or one_line(str(error).partition("\n")[0], 300),
        getattr(error, "request_id", None),
    )


def _wish(arguments: Mapping[str, Any]) -> Wish | None:
    path = arguments.get("journal")
    if path is None:
        for name, parameter in (("resume", "Resume"), ("on_unknown", "OnUnknown")):
            if arguments.get(name):
                raise ParameterError(f"{parameter} needs -Journal, the file of the run.", parameter=parameter)
        return None
    if not path:
        raise ParameterError("Journal is empty: name a file.", parameter="Journal")
    if "once_key" in arguments:
        raise ParameterError("Journal and OnceKey exclude each other: a journal has a key for each item.")
    return Wish(str(pathlib.Path(path).expanduser()), bool(arguments.get("resume")), arguments.get("on_unknown"))


def _place(line: Gathered) -> Place:
    named = with_full_name(line.arguments, line.profile.functions).get("function_name")
    region = None if named is None else parse_function_name(named).region
    return resolve_place(line.arguments, line.profile, line.aws_profile, arn_region=region)


def _binding(line: Gathered, place: Place, engine: Engine) -> Binding:
    arguments = with_full_name(line.arguments, line.profile.functions)
    named = arguments.get("function_name")
    function = None if named is None else parse_function_name(named)
    caller = engine.identities.remembered(place)
    account = place.profile.account or (caller.account if caller is not None else None)
    return Binding(
        None if function is None else function.name,
        arguments.get("qualifier") or (None if function is None else function.qualifier),
        EMBEDDED_ACCOUNT if place.embedded else (function.account if function is not None else None) or account,
        place.connection.region,
        "embedded" if place.embedded else endpoint_of(place.connection),
        arguments.get("invocation_type", "RequestResponse"),
        arguments.get("delivery", "AtMostOnce"),
        arguments.get("item_key"),
        _settings(line),
    )


def _settings(line: Gathered) -> dict[str, Any]:
    """What the run can be resumed with from its journal alone."""
    found = {}
    for name in _SETTINGS:
        parameter = INVOKE.by_name.get(name)
        value = None if parameter is None else line.arguments.get(parameter.target)
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            continue
        if value is not None:
            found[name] = value
    if "ProfileLocation" in found:
        found["ProfileLocation"] = str(pathlib.Path(found["ProfileLocation"]).expanduser().absolute())
    return found


def _policy(run: KeptRun, wish: Wish, arguments: Mapping[str, Any], door: Door) -> OnUnknown:
    """What becomes of the items that are unknown. Raises ParameterError where they must not be sent again."""
    again = run.binding.delivery == "AtLeastOnce"
    wanted = wish.on_unknown or ("Resend" if again else "Ask")
    if wanted == "Resend" and not again and not _resending_is_safe(run):
        raise ParameterError(
            f"OnUnknown Resend could run {_items(run)} twice, and the run's delivery is AtMostOnce. Begin runs that "
            "may repeat with -Delivery AtLeastOnce, or give each object a DurableExecutionName; nothing was sent.",
            parameter="OnUnknown",
        )
    return _asked(run, door) if wanted == "Ask" else wanted


def _asked(run: KeptRun, door: Door) -> OnUnknown:
    lines = [
        f"{_items(run)} may have run: nobody knows, for no answer was written down. Look into the function's log.",
        *(f"  {shown}" for shown in _shown(run)),
        f"Type {_RESEND} to send them again, which may run them twice, or {_SKIP} to leave them as they are: ",
    ]
    return "Resend" if (door.ask("\n".join(lines)) or "").strip() == _RESEND else "Skip"


def _resending_is_safe(run: KeptRun) -> bool:
    """Whether each unknown item has a name of its own under which Lambda runs it once."""
    names = set()
    for seq in run.unknown:
        for entry, _ in run.journal.recall(seq, seq + 1):
            names.add(json.loads(entry.call or "{}").get("DurableExecutionName"))
    return None not in names and len(names) == len(run.unknown)


def _shown(run: KeptRun) -> list[str]:
    told = []
    for seq in run.unknown[:5]:
        for entry, settled in run.journal.recall(seq, seq + 1):
            key = f", key {one_line(entry.key, 80)}" if run.journal.keyed else ""
            request_id = f", RequestId {settled.request_id}" if settled is not None and settled.request_id else ""
            told.append(f"item {seq + 1}{key}{request_id}")
    more = len(run.unknown) - len(told)
    return [*told, f"and {more:,} more"] if more > 0 else told


def _items(run: KeptRun) -> str:
    count = len(run.unknown)
    return f"{count:,} item{'' if count == 1 else 's'}"


def _tell(run: KeptRun, door: Door) -> None:
    """Says what a person should know of the journal before the run goes on."""
    if run.network is not None:
        door.tell(
            "warning",
            f"The journal lies on a file system of a network ({run.network}), whose locks may fail: it is slower, and "
            "can only be looked at when its run has ended. Better name a file on a local disk.",
        )
    left = 0 if run.resends else len(run.unknown)
    if left:
        door.tell(
            "warning",
            f"{left:,} item{' is' if left == 1 else 's are'} unknown since the run before, and not sent again: "
            f"{'; '.join(_shown(run))}. -OnUnknown says what becomes of them.",
        )


def _tool() -> str:
    from lmfunction import __version__

    return f"lmfunction {__version__}"
