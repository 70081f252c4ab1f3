"""The members of a function's configuration in a request, checked all together as AWS does."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from lmfunction.local._answers import enum_fault, fault, invalid_parameter, pattern_fault, validation
from lmfunction.local._calls import Call, member_of, number_faults, serialization, structure_of, text_of, texts_of
from lmfunction.local._functions import PER_TENANT, Configuration
from lmfunction.local._invoke import RefusedError
from lmfunction.local._logging_config import LoggingConfig, logging_config
from lmfunction.local._settings import RUNTIMES
from lmfunction.local._variables import RESERVED

ROLE_PATTERN: Final = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
_PATTERNS: Final = {
    "Handler": r"[^\s]+",
    "Role": ROLE_PATTERN,
    "KMSKeyArn": r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
}
_LENGTHS: Final = {"Handler": 128, "Description": 256}
_TEXTS: Final = {"Runtime": "runtime", "Handler": "handler", "Role": "role", "Description": "description"}
_NUMBERS: Final = {"Timeout": ("timeout", 1, 900), "MemorySize": ("memory_size", 128, 10_240)}
_STORAGE: Final = (512, 10_240)
_ARCHITECTURES: Final = ("x86_64", "arm64")
_VARIABLE_PATTERN: Final = r"[a-zA-Z]([a-zA-Z0-9_])+"
_VARIABLES_LIMIT: Final = 4_096
# The enums of structures: structure, member -> values.
_ENUMS: Final = {
    ("TracingConfig", "Mode"): ("Active", "PassThrough"),
    ("SnapStart", "ApplyOn"): ("PublishedVersions", "None"),
    ("TenancyConfig", "TenantIsolationMode"): (PER_TENANT,),
}
# What a request may ask for and is not here.
_NOT_HERE: Final = {
    "DurableConfig": "durable functions",
    "CapacityProviderConfig": "capacity providers",
    "PublishTo": "capacity providers",
    "CodeSigningConfigArn": "code signing",
    "ImageConfig": "images",
}


def refuse_what_is_not_here(call: Call) -> None:
    """Refuses a request that asks for what the embedded Lambda has not, instead of passing over it."""
    for key, what in _NOT_HERE.items():
        if call.document.get(key):
            raise RefusedError(invalid_parameter(f"{key} is not supported here: the embedded Lambda has no {what}."))


def changes_of(call: Call, before: Configuration | None = None) -> dict[str, Any]:
    """The fields of a configuration that a request sets; `before` is what it changes, None when it creates."""
    refuse_what_is_not_here(call)
    wanted, faults = call.document, list[str]()
    changes = _texts(call, faults)
    for key, (name, low, high) in _NUMBERS.items():
        if wanted.get(key) is not None:
            changes[name] = wanted[key]
            faults += number_faults(wanted[key], member_of(key), low, high)
    variables = _variables(structure_of(wanted, "Environment"), faults)
    if variables is not None:
        changes["variables"] = variables
    changes.update(architecture_of(call, faults))
    settings = _settings(call, faults)
    logging = structure_of(wanted, "LoggingConfig")
    if logging is not None:
        changes["logging"] = _logging(logging, faults, before)
    if before is None and structure_of(wanted, "TenancyConfig"):
        changes["per_tenant"] = True
    if faults:
        raise RefusedError(validation(faults))
    runtime = changes.get("runtime")
    if runtime is not None and runtime not in RUNTIMES:
        text = f"The runtime parameter of {runtime} is not supported here: choose one of {', '.join(RUNTIMES)}."
        raise RefusedError(invalid_parameter(text))
    if settings:
        kept = {**(before.settings if before is not None else {}), **settings}
        changes["settings"] = {key: value for key, value in kept.items() if value}  # what is empty is taken away
    return changes


def architecture_of(call: Call, faults: list[str]) -> dict[str, str]:
    """The architecture that a request names, as a change."""
    given = texts_of(call.document, "Architectures")
    if given is None:
        return {}
    shown = f"[{', '.join(given)}]"
    if len(given) != 1:
        bound = "less than or equal" if given else "greater than or equal"
        faults.append(fault(shown, "architectures", f"have length {bound} to 1"))
    elif given[0] not in _ARCHITECTURES:
        constraint = "Member must satisfy enum value set: [x86_64, arm64], Member must not be null"
        faults.append(fault(shown, "architectures", f"satisfy constraint: [{constraint}]"))
    else:
        return {"architecture": given[0]}
    return {}


def _texts(call: Call, faults: list[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key in (*_TEXTS, "KMSKeyArn"):
        text = call.text(key)
        if text is None:
            continue
        if key in _TEXTS:
            changes[_TEXTS[key]] = text
        if key in _PATTERNS and not re.fullmatch(_PATTERNS[key], text):
            faults.append(pattern_fault(text, member_of(key), _PATTERNS[key]))
        if len(text) > _LENGTHS.get(key, len(text)):
            faults.append(fault(text, member_of(key), f"have length less than or equal to {_LENGTHS[key]}"))
    return changes


def _variables(environment: dict[str, Any] | None, faults: list[str]) -> dict[str, str] | None:
    """The variables of a request's Environment; None when it names none."""
    if environment is None:
        return None
    variables = environment.get("Variables", {})
    if not isinstance(variables, dict) or not all(isinstance(v, str) and "\0" not in v for v in variables.values()):
        raise RefusedError(serialization("Environment.Variables must map names to text."))
    faults += [
        pattern_fault(name, "environment.variables", _VARIABLE_PATTERN)
        for name in variables
        if not re.fullmatch(_VARIABLE_PATTERN, name)
    ]
    reserved = sorted(RESERVED.intersection(variables))
    if reserved:
        text = (
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
        raise RefusedError(invalid_parameter(text))
    if len(json.dumps(variables, separators=(",", ":")).encode()) > _VARIABLES_LIMIT:
        text = (  # without the variables themselves, which AWS repeats here
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided exceeded the 4KB limit."
        )
        raise RefusedError(invalid_parameter(text))
    return dict(variables)


def _settings(call: Call, faults: list[str]) -> dict[str, Any]:
    """The members of a request that are kept and shown, in the form in which AWS shows them."""
    wanted = call.document
    for (structure, member), values in _ENUMS.items():
        value = (structure_of(wanted, structure) or {}).get(member)
        if value is not None and value not in values:
            faults.append(enum_fault(value, f"{member_of(structure)}.{member_of(member)}", values))
    target = text_of(structure_of(wanted, "DeadLetterConfig") or {}, "TargetArn")
    mode = text_of(structure_of(wanted, "TracingConfig") or {}, "Mode")
    shown = {
        "TracingConfig": None if mode is None else {"Mode": mode},
        "KMSKeyArn": call.text("KMSKeyArn"),
        "EphemeralStorage": _storage(structure_of(wanted, "EphemeralStorage"), faults),
        "SnapStart": _snap_start(structure_of(wanted, "SnapStart")),
        "VpcConfig": _network(structure_of(wanted, "VpcConfig")),
        "DeadLetterConfig": None if target is None else {"TargetArn": target} if target else {},
        "FileSystemConfigs": _file_systems(wanted.get("FileSystemConfigs")),
    }
    return {key: value for key, value in shown.items() if value is not None}


def _file_systems(given: object) -> list[dict[str, str]] | None:
    if not isinstance(given, list):
        return None
    if not all(isinstance(system, dict) for system in given):
        raise RefusedError(serialization("FileSystemConfigs must be a list of objects."))
    keys = ("Arn", "LocalMountPath")
    return [{key: text_of(system, key) or "" for key in keys} for system in given]


def _storage(given: dict[str, Any] | None, faults: list[str]) -> dict[str, Any] | None:
    if given is None:
        return None
    size = given.get("Size")
    faults += number_faults(size, "ephemeralStorage.size", *_STORAGE)
    return {"Size": size}


def _snap_start(given: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if given is None else {"ApplyOn": given.get("ApplyOn") or "None", "OptimizationStatus": "Off"}


def _network(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """A network is only shown here: a handler reaches whatever this machine reaches."""
    if given is None:
        return None
    subnets, groups = texts_of(given, "SubnetIds") or [], texts_of(given, "SecurityGroupIds") or []
    network = "vpc-00000000000000000" if subnets else ""
    dual = bool(given.get("Ipv6AllowedForDualStack", False))
    return {"SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": network, "Ipv6AllowedForDualStack": dual}


def _logging(given: dict[str, Any], faults: list[str], before: Configuration | None) -> LoggingConfig:
    """The log's settings after a change: what is not given stays, and Text has no levels."""
    last = before.logging.to_api(before.name) if before is not None else {}
    wanted = {**last, **{key: value for key, value in given.items() if value is not None}}
    config = logging_config(wanted, faults)
    if not config.is_json and ("ApplicationLogLevel" in given or "SystemLogLevel" in given):
        text = (
            'Log level is not supported when LogFormat is set to "Text". Remove log level from your request or change '
            'the LogFormat to "JSON" and try again.'
        )
        raise RefusedError(invalid_parameter(text))
    return config
