"""Get-LMDestinationRecord: what became of asynchronous invocations, as the embedded Lambda has recorded it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from lmfunction._connection import resolve_place
from lmfunction._destination_row import CONDITIONS
from lmfunction._door import Door
from lmfunction._endpoint import is_loopback
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._notices import Notices, assign, check_assignable
from lmfunction._params import Cmdlet
from lmfunction._record import Record, Records
from lmfunction._text import did_you_mean
from lmfunction.errors import ParameterError

_TYPE: Final = "LMDestinationRecord"
_PATH: Final = "/lmfunction/destination-records"


def get_records(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door) -> Records:
    """The records that `values` (by parameter name) ask for, the latest at the end.

    Raises ParameterError for an endpoint that is no embedded Lambda: on AWS a destination is read where it is.
    """
    gathered = gather(cmdlet, values, engine)
    arguments = gathered.arguments
    notices = Notices(arguments, door)
    check_assignable(arguments, door)
    asked = _query(arguments)
    place = resolve_place(arguments, gathered.profile, gathered.aws_profile)
    transport = engine.connections.transport(place)
    if not is_loopback(transport.endpoint_url):
        raise ParameterError(
            "Get-LMDestinationRecord reads what an embedded Lambda has recorded: give -ProfileName local, or the "
            "-EndpointUrl of one. On AWS read the queue, topic or bucket itself.",
            parameter="EndpointUrl",
        )
    found = json.loads(transport.read(_PATH + asked))
    if found["Left"]:
        notices.warn(f"{found['Left']} older records were left out: they are too large for one answer. Ask for fewer.")
    emitted = Records(_TYPE, map(_record, found["Records"])).hiding(gathered.profile.redaction)
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], emitted)
    return emitted


def _query(arguments: Mapping[str, Any]) -> str:
    known = {name.casefold(): name for name in CONDITIONS}
    conditions = []
    for given in arguments.get("condition", ()):
        name = known.get(given.casefold())
        if name is None:
            raise ParameterError(
                f"There is no condition '{given}'.{did_you_mean(given, CONDITIONS)}", parameter="Condition"
            )
        conditions.append(name)
    asked = {
        "Function": arguments.get("function_name"),
        "Condition": conditions,
        "Destination": arguments.get("destination"),
        "First": arguments.get("first"),
        "Last": arguments.get("last"),
    }
    query = urlencode({name: value for name, value in asked.items() if value is not None}, doseq=True)
    return f"?{query}" if query else ""


def _record(found: Mapping[str, Any]) -> Record:
    sent = found["Record"]
    members = _of_letter(sent) if "Body" in sent else _of_record(sent)
    members = {**members, "Function": found["Function"], "Destination": found["Destination"]}
    ordered = {name: members[name] for name in _ORDER if members.get(name) is not None}
    return Record(_TYPE, ordered, title="RequestId")


_ORDER: Final = (
    "Time",
    "Condition",
    "Function",
    "InvokeCount",
    "RequestId",
    "Destination",
    "FunctionArn",
    "ExecutedVersion",
    "FunctionError",
    "ErrorMessage",
    "RequestPayload",
    "ResponsePayload",
)


def _of_record(sent: Mapping[str, Any]) -> dict[str, Any]:
    context, response = sent["requestContext"], sent.get("responseContext", {})
    return {
        "Time": sent["timestamp"],
        "Condition": context["condition"],
        "InvokeCount": context["approximateInvokeCount"],
        "RequestId": context["requestId"],
        "FunctionArn": context["functionArn"],
        "ExecutedVersion": response.get("executedVersion"),
        "FunctionError": response.get("functionError"),
        "RequestPayload": sent["requestPayload"],
        "ResponsePayload": sent.get("responsePayload"),
    }


def _of_letter(sent: Mapping[str, Any]) -> dict[str, Any]:
    from datetime import UTC, datetime

    attributes = {name: attribute["StringValue"] for name, attribute in sent["MessageAttributes"].items()}
    moment = datetime.fromtimestamp(int(sent["Attributes"]["SentTimestamp"]) / 1000, UTC)
    return {
        "Time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "Condition": CONDITIONS[-1],
        "RequestId": attributes["RequestID"],
        "ErrorMessage": attributes.get("ErrorMessage"),
        "RequestPayload": json.loads(sent["Body"]),
    }
