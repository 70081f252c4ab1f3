"""The operations on layers. Content is a zip file in the request, or a folder that is used where it lies."""

from __future__ import annotations

import re
from typing import Any, Final

from lmfunction.local._answers import invalid_parameter, ok, pattern_fault, refusal, validation
from lmfunction.local._calls import Account, Call, page_of, structure_of, texts_of
from lmfunction.local._code_members import code_of
from lmfunction.local._functions import Layer
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError
from lmfunction.local._layers import LayerVersion

_NAME_PATTERN: Final = r"(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+"
_MOST_OF_A_FUNCTION: Final = 5
_LAST: Final = 10**9
_ABOUT: Final = ("Description", "LicenseInfo")
_ABOUT_LISTS: Final = ("CompatibleRuntimes", "CompatibleArchitectures")


def publish_layer_version(account: Account, call: Call) -> Answer:
    """PublishLayerVersion."""
    about: dict[str, Any] = {name: text for name in _ABOUT if (text := call.text(name)) is not None}
    about |= {name: given for name in _ABOUT_LISTS if (given := texts_of(call.document, name)) is not None}
    name = _name(account, call)
    code = code_of(account, structure_of(call.document, "Content") or {})
    made = account.layers.publish(
        name,
        folder=code["folder"],
        live=code["live"],
        sha256=code["code_sha256"],
        size=code["code_size"],
        about=about,
    )
    return ok(made.to_api(), status=201)


def get_layer_version(account: Account, call: Call) -> Answer:
    """GetLayerVersion."""
    return ok(_found(account.layers.get(_name(account, call), call.part)).to_api())


def get_layer_version_by_arn(account: Account, call: Call) -> Answer:
    """GetLayerVersionByArn."""
    return ok(_found(account.layers.at(call.parameter("Arn") or "")).to_api())


def list_layer_versions(account: Account, call: Call) -> Answer:
    """ListLayerVersions, the latest first."""
    versions = account.layers.versions(_name(account, call))
    page, marker = page_of(call, versions, lambda version: str(_LAST - version.number))
    return ok({"LayerVersions": [version.to_api_listed() for version in page], **marker})


def list_layers(account: Account, call: Call) -> Answer:
    """ListLayers, each with its latest version."""
    page, marker = page_of(call, [versions[-1] for versions in account.layers], lambda version: version.name)
    shown = [
        {
            "LayerName": version.name,
            "LayerArn": version.arn.rpartition(":")[0],
            "LatestMatchingVersion": version.to_api_listed(),
        }
        for version in page
    ]
    return ok({"Layers": shown, **marker})


def delete_layer_version(account: Account, call: Call) -> Answer:
    """DeleteLayerVersion; one that is not there is no error."""
    account.layers.remove(_name(account, call), call.part)
    return ok(status=204)


def layers_of(account: Account, call: Call) -> dict[str, tuple[Layer, ...]]:
    """The layers that a request gives to a function, as a change of its configuration."""
    arns = texts_of(call.document, "Layers")
    if arns is None:
        return {}
    if len(arns) > _MOST_OF_A_FUNCTION:
        raise RefusedError(invalid_parameter("Cannot reference more than 5 layers."))
    found = [(arn, account.layers.at(arn)) for arn in arns]
    for arn, version in found:
        if version is None:
            raise RefusedError(invalid_parameter(f"Layer version {arn} does not exist."))
    return {"layers": tuple(version.as_used() for _, version in found if version is not None)}


def _name(account: Account, call: Call) -> str:
    if not re.fullmatch(_NAME_PATTERN, call.name):
        raise RefusedError(validation([pattern_fault(call.name, "layerName", _NAME_PATTERN)]))
    return account.layers.bare_name(call.name)


def _found(version: LayerVersion | None) -> LayerVersion:
    if version is None:
        text = "The resource you requested does not exist."
        raise RefusedError(refusal(404, "ResourceNotFoundException", text))
    return version
