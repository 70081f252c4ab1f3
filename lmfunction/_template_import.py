"""Import-LMTemplate: the functions of a template or a folder become functions of the embedded Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmfunction._connection import Place, resolve_place
from lmfunction._dispatch import scribe_for
from lmfunction._door import NOTHING, Door
from lmfunction._endpoint import is_loopback
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error
from lmfunction._gathered import gather, is_dry
from lmfunction._guards import FREE, clear, concerned, foresee
from lmfunction._intent import Intent
from lmfunction._local_rows import IMPORT_TEMPLATE
from lmfunction._names import parse_function_name
from lmfunction._notices import Notices, assign, check_assignable, empty_lists
from lmfunction._publish import PLACE_NAMES
from lmfunction._record import Records, recorded
from lmfunction._service import operation
from lmfunction._transport import Doubt, translate
from lmfunction.errors import LMError, ParameterError

if TYPE_CHECKING:
    from lmfunction.local._definition import Definition

_TEMPLATE: Final = "template.yaml"
_TYPE: Final = "FunctionConfiguration"
_LOADING: Final = Doubt("Unknown whether the function was loaded", "Load it again.", harmless=True)


def import_template(values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """Loads what `values` (by parameter name) name, and gives the configurations of the functions.

    A function that is there already gets the new code and settings. Raises ParameterError for a template that cannot be
    read, with line and column, and for a place that is not the embedded Lambda.
    """
    gathered = gather(IMPORT_TEMPLATE, values, engine)
    arguments = gathered.arguments
    notices = Notices(arguments, door)
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    notices.warn_once(gathered.profile.notices, engine.told)
    if not PLACE_NAMES.intersection(arguments):
        arguments["endpoint_url"] = "embedded"
    place = resolve_place(arguments, gathered.profile, gathered.aws_profile)
    if not place.embedded and not is_loopback(place.connection.endpoint_url):
        raise ParameterError(
            "Import-LMTemplate loads functions into the embedded Lambda, and this is another place: use -ProfileName "
            "local, or `sam deploy` for AWS.",
            parameter="ProfileName",
        )
    path = Path(arguments.get("path") or _TEMPLATE).expanduser()
    definitions, left = read_definitions(path, _parameters(arguments), place.connection.region)
    for notice in left:
        notices.warn(notice)
    intents = [_intent(definition, place) for definition in definitions]
    if is_dry(arguments, engine, door):
        for intent in intents:
            if place.profile.guarded:
                foresee(intent)
            scribe_for(intent, {}, engine, door).what_if()
        door.show(Records("LocalFunction", [_shown(definition) for definition in definitions]))
        return NOTHING
    for intent in intents:
        with scribe_for(intent, {}, engine, door).refusals():
            clearance = clear(intent, arguments, engine, door) if concerned(place.profile, arguments) else FREE
            if clearance is not FREE:
                clearance.verify(intent, engine)
    try:
        found = load(definitions, engine.connections.transport(place).client, notices)
    except LMError as error:
        act_on_error(error, gathered, door)
        return NOTHING
    emitted = Records(_TYPE, [recorded(_TYPE, one) for one in found])
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], emitted)
    return emitted


def read_definitions(
    path: Path, parameters: Mapping[str, str], region: str
) -> tuple[tuple[Definition, ...], tuple[str, ...]]:
    """The functions in a folder or a template, and what of it was not read. Raises ParameterError."""
    if path.is_dir():
        from lmfunction.local._folder import read_folder

        if parameters:
            raise ParameterError("Parameter is for a template, and Path is a folder.", parameter="Parameter")
        return read_folder(path), ()
    from lmfunction.local._template import read_template

    template = read_template(path, parameters, region=region)
    return template.definitions, template.notices


def load(definitions: tuple[Definition, ...], client: Any, notices: Notices) -> list[dict[str, Any]]:
    """Carries the definitions out by requests of `client` (boto3's); the configurations of what is there then."""
    from lmfunction.local._definition import CallRefusedError, apply

    def request(name: str, members: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = getattr(client, operation(name).method)(**members)
        except Exception as error:
            refusal = getattr(error, "response", None)  # a ClientError's
            if refusal is None:
                raise translate(error, _LOADING) from error
            text = refusal["Error"].get("Message") or refusal.get("message")
            raise CallRefusedError(refusal["Error"].get("Code", ""), text) from error
        return answer

    found: list[dict[str, Any]] = []
    for definition, left in apply(definitions, request):
        for notice in left:
            notices.warn(notice)
        try:
            answer = request("GetFunctionConfiguration", {"FunctionName": definition.name})
        except CallRefusedError:
            continue  # it was left out, as its notice says
        found.append({k: v for k, v in answer.items() if k != "ResponseMetadata"})
    return found


def _parameters(arguments: Mapping[str, Any]) -> dict[str, str]:
    given = arguments.get("parameter") or {}
    for name, value in given.items():
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise ParameterError(f"Parameter: {name} must be text or a number.", parameter="Parameter")
    return {name: str(value) for name, value in given.items()}


def _intent(definition: Definition, place: Place) -> Intent:
    name = parse_function_name(definition.name)
    return Intent(
        IMPORT_TEMPLATE.name,
        place,
        name.name,
        name,
        kind="CreateFunction",
        lines=lambda: [definition.described],
        content=lambda: repr(definition).encode(),
    )


def _shown(definition: Definition) -> Any:
    members = definition.members
    told = {name: members[name] for name in ("Handler", "Runtime", "Timeout", "MemorySize") if name in members}
    return recorded("LocalFunction", {"FunctionName": definition.name, **told, "Code": str(definition.code)})
