"""The result report of a Distributed Map, read: what became of each item, in the outcome classes of a run.

Its shape is that of the files that `ResultWriter` leaves in S3: a `manifest.json` that names `SUCCEEDED_n.json`,
`FAILED_n.json` and `PENDING_n.json`, each an array of child executions with their input, output, error and cause.

A child that failed has either the function's own error (its type, and the error object as cause) or one of the
integration: `Lambda.` and the name of an exception of the API, which the retry layer knows, or `States.`, of which only
an execution that never began provably did not run.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lmfunction._json_window import Window
from lmfunction._ledger import Settlement
from lmfunction._model import Outcome
from lmfunction._retry import classify
from lmfunction._text import one_line
from lmfunction.errors import JournalError

_MANIFEST: Final = "manifest.json"
_FILES: Final = re.compile(r"(SUCCEEDED|FAILED|PENDING)_\d+\.json")
_REQUEST_ID: Final = re.compile(r"Request ID: ([0-9a-fA-F-]{36})")
# The integration's name for an error object of which Lambda told no type; the object stands behind these words.
_UNTYPED: Final = "Lambda.Unknown"
_RETURNED: Final = re.compile(r"Returned payload: (.*)", re.DOTALL)


@dataclass(frozen=True)
class Told:
    """What a report tells of one item: of which run and export it is, its place, key and payload, and its end."""

    run_id: str
    export_id: str
    seq: int
    key: str
    sha256: str
    settlement: Settlement


def report_files(path: str) -> list[pathlib.Path]:
    """The files of the report at `path`: a folder with one report in it, a manifest, or one of its files.

    Raises JournalError where there is none, more than one, or one of which files are missing.
    """
    place = pathlib.Path(path).expanduser()
    if place.is_dir():
        manifests = sorted(place.rglob(_MANIFEST))
        if len(manifests) > 1:
            raise JournalError(f"There are {len(manifests)} reports in {_shown(place)}: name one {_MANIFEST}.")
        if manifests:
            return _named_by(manifests[0])
        found = sorted(file for file in place.rglob("*.json") if _FILES.fullmatch(file.name))
        if not found:
            raise JournalError(
                f"There is no result report in {_shown(place)}: fetch {_MANIFEST} and the files beside it."
            )
        return found
    if not place.is_file():
        raise JournalError(f"There is no {_shown(place)}: name the folder of the report, or its {_MANIFEST}.")
    return _named_by(place) if place.name == _MANIFEST else [place]


def read_report(file: pathlib.Path) -> Iterator[Told | None]:
    """What one file of a report tells, item by item; None for an execution whose input it leaves out.

    Raises JournalError for a file that is no such report, or not of lmfunction's items.
    """
    for number, execution in enumerate(_elements(file), 1):
        if not isinstance(execution, dict) or "Status" not in execution:
            raise JournalError(f"{_shown(file)}: entry {number} is no execution of a Distributed Map.")
        yield _told(execution, f"{_shown(file)}: entry {number}")


def _told(execution: Mapping[str, Any], where: str) -> Told | None:
    if not isinstance(execution.get("Input"), str):
        return None
    try:
        item = json.loads(execution["Input"])
        found = Told(
            str(item["run"]),
            str(item["export"]),
            int(item["seq"]),
            str(item["key"]),
            str(item["sha256"]),
            _settlement(int(item["seq"]), execution),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise JournalError(f"{where} is not of an item that Export-LMRun wrote.") from error
    return found


def _settlement(seq: int, execution: Mapping[str, Any]) -> Settlement:
    status = execution["Status"]
    told = one_line(str(execution.get("ExecutionArn", "")), 300)
    elapsed = _elapsed(execution)
    if status == "SUCCEEDED":
        return _succeeded(seq, execution, elapsed)
    if status == "FAILED" and execution.get("Error"):
        return _failed(seq, str(execution["Error"]), str(execution.get("Cause") or ""), elapsed)
    if status == "PENDING" and not execution.get("StartDate"):
        return Settlement(seq, 0, Outcome.NOT_SENT, code="PENDING", reason=f"its execution never began: {told}")
    return Settlement(seq, 1, Outcome.UNKNOWN, code=status, reason=f"its execution ended as {status}: {told}")


def _succeeded(seq: int, execution: Mapping[str, Any], elapsed: float) -> Settlement:
    try:
        output = json.loads(execution["Output"])
        status, payload = int(output["StatusCode"]), output.get("Payload")
    except (ValueError, TypeError, KeyError):
        return Settlement(seq, 1, Outcome.RESULT_LOST, reason="the report does not hold its output", elapsed_ms=elapsed)
    accepted = status != 200
    return Settlement(
        seq,
        1,
        Outcome.ACCEPTED if accepted else Outcome.OK,
        status,
        request_id=_text(output.get("SdkResponseMetadata", {}).get("RequestId")),
        executed_version=_text(output.get("ExecutedVersion")),
        body=b"" if accepted else json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(),
        elapsed_ms=elapsed,
    )


def _failed(seq: int, error: str, cause: str, elapsed: float) -> Settlement:
    body = _error_object(error, cause)
    if body is not None:
        return Settlement(
            seq, 1, Outcome.FUNCTION_ERROR, 200, function_error="Unhandled", body=body, elapsed_ms=elapsed
        )
    code = error.removeprefix("Lambda.")
    # The integration tells no HTTP status; the names of the API's exceptions tell enough. A 4xx is supposed for those
    # that say of the request that it is wrong, which all others that are named so are not.
    outcome = classify(code, 400 if code in _REFUSALS else 500) if code != error else Outcome.UNKNOWN
    found = _REQUEST_ID.search(cause)
    return Settlement(
        seq,
        1,
        outcome,
        code=code,
        reason=one_line(cause or error, 300),
        request_id=found[1] if found else None,
        elapsed_ms=elapsed,
    )


_REFUSALS: Final = frozenset(
    [
        "AccessDeniedException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "RecursiveInvocationException",
        "RequestTooLargeException",
        "ResourceNotFoundException",
        "UnsupportedMediaTypeException",
    ]
)


def _error_object(error: str, cause: str) -> bytes | None:
    """The function's error object; None where the error is not the function's."""
    text = cause
    if error == _UNTYPED:
        returned = _RETURNED.search(cause)
        text = returned[1] if returned else cause
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict) and (error == _UNTYPED or found.get("errorType") == error):
        return text.encode()
    if error == _UNTYPED or not error.startswith(("Lambda.", "States.")):
        # A cause is cut at 32,768 characters, so that a long error object is no JSON any more.
        return json.dumps({"errorType": error, "errorMessage": cause}, ensure_ascii=False).encode()
    return None


def _elapsed(execution: Mapping[str, Any]) -> float:
    try:
        start, stop = (datetime.fromisoformat(execution[name]) for name in ("StartDate", "StopDate"))
        return max((stop - start).total_seconds() * 1000, 0.0)
    except (KeyError, TypeError, ValueError):
        return 0.0


def _named_by(manifest: pathlib.Path) -> list[pathlib.Path]:
    found = _loaded(manifest)
    try:
        keys = [str(file["Key"]) for files in found["ResultFiles"].values() for file in files]
    except (KeyError, TypeError, AttributeError):
        raise JournalError(f"{_shown(manifest)} is no manifest of a Distributed Map's results.") from None
    files = [manifest.parent / key.rpartition("/")[2] for key in keys]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise JournalError(f"{_shown(manifest)} names {', '.join(missing[:5])}, which must lie beside it: fetch them.")
    return files


def _loaded(file: pathlib.Path) -> Any:
    with _telling(file):
        return json.loads(file.read_text(encoding="utf-8"))


def _elements(file: pathlib.Path) -> Iterator[Any]:
    """The elements of the list in a file, which may have gigabytes: no more than a part of it is in memory."""
    with _telling(file), file.open(encoding="utf-8") as source:
        text = Window(source)
        if text.sign() != "[":
            text.value()
            raise JournalError(f"{_shown(file)} is no result file of a Distributed Map: it must hold a list.")
        text.pass_over()
        while text.sign() != "]":
            yield text.value()
            if text.sign() != ",":
                break
            text.pass_over()
            if text.sign() == "]":
                raise ValueError("nothing stands behind the last comma")
        if text.sign() != "]":
            raise ValueError("the list has no end")
        text.pass_over()
        if text.sign():
            raise ValueError("something stands behind the list")


@contextlib.contextmanager
def _telling(file: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(f"{_shown(file)} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise JournalError(f"{_shown(file)} is no JSON: fetch it again.") from None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _shown(path: pathlib.Path) -> str:
    return one_line(str(path), 300)
