"""Get-LMOnceKey and Clear-LMOnceKey: what is stored of calls that run once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._names import check_once_key
from lmfunction._notices import WhatIf, assign, check_assignable
from lmfunction._once import iso
from lmfunction._once_store import INTENT, OnceStore, Stored
from lmfunction._operators import wildcard
from lmfunction._record import Record, Records
from lmfunction._safety_rows import CLEAR_ONCE_KEY, GET_ONCE_KEY
from lmfunction._text import did_you_mean, shorten, visible
from lmfunction.errors import GuardError, ParameterError

_TYPE: Final = "LMOnceKey"
_CALL: Final = {
    "function": "Function",
    "qualifier": "Qualifier",
    "account": "Account",
    "region": "Region",
    "endpoint": "Endpoint",
    "invocation_type": "InvocationType",
    "payload_sha256": "PayloadSha256",
}


def get_keys(values: Mapping[str, Any], engine: Engine, door: Door) -> Records:
    """The keys that `values` (by parameter name) ask for, the one used last at the end. Raises JournalError."""
    arguments = gather(GET_ONCE_KEY, values, engine).arguments
    check_assignable(arguments, door)
    fits = wildcard(arguments.get("once_key", "*"), exact=True, parameter="OnceKey")
    found = [stored for stored in engine.once.find_all() if fits.match(stored.key)]
    emitted = Records(_TYPE, [_record(stored, engine.once) for stored in found])
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], emitted)
    return emitted


def clear_key(values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """Forgets a key; NOTHING is emitted.

    Raises ParameterError for a key that is not there, GuardError for one whose call is under way.
    """
    arguments = gather(CLEAR_ONCE_KEY, values, engine).arguments
    if "once_key" not in arguments:
        raise ParameterError("Clear-LMOnceKey needs -OnceKey.", parameter="OnceKey")
    key = check_once_key(arguments["once_key"])
    shown = visible(shorten(key, 80), one_line=True)
    known = engine.once.find(key)
    if known is None:
        hint = did_you_mean(key, [stored.key for stored in engine.once.find_all()])
        raise ParameterError(f"There is no key {shown}.{hint} Get-LMOnceKey lists them.", parameter="OnceKey")
    if arguments.get("what_if", door.what_if):
        door.show(WhatIf(f'What if: Performing the operation "Clear-LMOnceKey" on target "{shown}".'))
        return NOTHING
    _confirm(arguments, shown, known, door)
    held = engine.once.hold(key)
    if held is None:
        raise GuardError(f"The key {shown} is in use: its call is under way. Wait for it.")
    try:
        engine.once.remove(key)
    finally:
        held.release()
    return NOTHING


def _confirm(arguments: Mapping[str, Any], shown: str, known: Stored, door: Door) -> None:
    if not arguments.get("confirm") or arguments.get("force"):
        return
    answer = door.ask(f"Its call ended with {known.outcome} at {iso(known.last_run)}. Type {shown} to forget it: ")
    if answer != shown:
        raise GuardError(f"The key {shown} was not forgotten: it was not confirmed.")


def _record(stored: Stored, store: OnceStore) -> Record:
    outcome = stored.outcome
    if outcome == INTENT:
        outcome = "UNDER_WAY" if store.is_held(stored.key) else "UNKNOWN"
    call = {name: stored.call[member] for member, name in _CALL.items() if stored.call.get(member) is not None}
    members = {
        "OnceKey": stored.key,
        "Outcome": outcome,
        "LastRun": iso(stored.last_run),
        "Function": call.pop("Function", ""),
        "Runs": stored.runs,
        "RequestId": stored.request_id,
        "FirstRun": iso(stored.first_run),
        **call,
        "Host": stored.host,
        "Pid": stored.pid,
    }
    return Record(_TYPE, {name: value for name, value in members.items() if value is not None}, title="OnceKey")
