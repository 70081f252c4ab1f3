"""The environment variables of a runtime process, built from nothing.

Nothing of the server's own environment is passed on but PATH: a handler must not reach a real account by accident.
Its credentials are the keys of this server, HOME and TMPDIR are its private folder, and `AWS_ENDPOINT_URL_LAMBDA`
leads back to this server, so that functions can invoke each other. On AWS the private folder is `/tmp`. The names are
those recorded on AWS; as there, a function's own variables may replace the first group and not the second.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lmfunction.local._auth import Keys
from lmfunction.local._functions import Configuration
from lmfunction.local._log_store import LogStore
from lmfunction.local._settings import OWN_LOOP

# The keys that AWS refuses in a function's own Environment (developer guide, "Defined runtime environment variables").
RESERVED: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)


@dataclass(frozen=True, slots=True)
class Host:
    """What the processes of one server share: region, address, the keys that open it, the compiled `_loop`, its
    interpreter, and where they write. `python_loop` and `enforce_memory` are those of the settings.
    """

    region: str
    endpoint: str
    keys: Keys
    loop: Path
    python: str
    logs: LogStore
    python_loop: str = OWN_LOOP
    enforce_memory: bool = False
    session_token: str = field(default_factory=lambda: secrets.token_urlsafe(96), repr=False)  # nobody checks it


def log_stream_name(configuration: Configuration) -> str:
    """A new name for the log stream of one execution environment."""
    today = datetime.now(UTC).strftime("%Y/%m/%d")
    return f"{today}/[{configuration.version}]{os.urandom(16).hex()}"


def runtime_variables(
    host: Host, configuration: Configuration, place: Path, runtime_api: str, log_stream: str
) -> dict[str, str]:
    """The variables for a process of `configuration` whose private folder is `place`."""
    # A module that was edited twice within a second keeps its time and perhaps its size, which is all that Python
    # compares with compiled code.
    edited = {"PYTHONDONTWRITEBYTECODE": "1"} if configuration.live else {}
    own = {**_defaults(host, configuration, place), **edited, **configuration.variables}
    own |= _layer_variables(configuration, own)
    return {
        **own,
        "PYTHONPATH": _paths(str(host.loop.parent), own.get("PYTHONPATH")),
        **_fixed(host, configuration, runtime_api, log_stream),
    }


def _paths(*paths: str | None) -> str:
    return os.pathsep.join(path for path in paths if path)


def _defaults(host: Host, configuration: Configuration, place: Path) -> dict[str, str]:
    """The variables that a function may set to something else."""
    task = str(configuration.folder)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LD_LIBRARY_PATH": _paths(task, f"{task}/lib"),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PWD": task,
        "SHLVL": "0",
        "HOME": str(place),
        "TMPDIR": str(place),
        "AWS_ENDPOINT_URL_LAMBDA": host.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129",
        "_AWS_XRAY_DAEMON_PORT": "2000",
    }


def _fixed(host: Host, configuration: Configuration, runtime_api: str, log_stream: str) -> dict[str, str]:
    """The variables that are Lambda's own."""
    logging = configuration.logging
    return {
        "_HANDLER": configuration.handler,
        "LAMBDA_TASK_ROOT": str(configuration.folder),
        "LAMBDA_RUNTIME_DIR": str(host.loop.parent),
        "AWS_REGION": host.region,
        "AWS_DEFAULT_REGION": host.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": configuration.name,
        "AWS_LAMBDA_FUNCTION_VERSION": configuration.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.group_of(configuration.name),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        **logging.variables(),
        "AWS_ACCESS_KEY_ID": host.keys.access_key,
        "AWS_SECRET_ACCESS_KEY": host.keys.secret_key,
        "AWS_SESSION_TOKEN": host.session_token,
    }


def _layer_variables(configuration: Configuration, own: Mapping[str, str]) -> dict[str, str]:
    """The search paths with the content of the layers in them, as AWS has them with `/opt`; a later layer comes first.

    A folder without any of the folders that a layer has is taken for Python modules, as `sam build` would.
    """
    if not configuration.layers:
        return {}
    version = configuration.runtime.removeprefix("python")
    node = configuration.runtime.removeprefix("nodejs").removesuffix(".x")
    inside = {
        "PYTHONPATH": (f"python/lib/python{version}/site-packages", "python"),
        "NODE_PATH": (f"nodejs/node{node}/node_modules", "nodejs/node_modules"),
        "PATH": ("bin",),
        "LD_LIBRARY_PATH": ("lib",),
    }
    folders = [layer.folder for layer in reversed(configuration.layers)]
    found: dict[str, str] = {}
    for name, parts in inside.items():
        paths = [str(folder / part) for folder in folders for part in parts if (folder / part).is_dir()]
        if name == "PYTHONPATH":
            paths += [str(f) for f in folders if not any((f / part).is_dir() for part in _LAYER_PARTS)]
        if paths:
            found[name] = os.pathsep.join([*paths, own[name]] if own.get(name) else paths)
    return found


_LAYER_PARTS: Final = ("python", "nodejs", "bin", "lib")
