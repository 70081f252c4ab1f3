"""The environment variables of a runtime process, built from nothing.

Nothing of the server's own environment is passed on but PATH: a handler must not reach a real account by accident.
Its credentials are the keys of this server, HOME and TMPDIR are its private folder, and `AWS_ENDPOINT_URL_LAMBDA`
leads back to this server, so that functions can invoke each other. On AWS the private folder is `/tmp`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lmfunction.local._auth import Keys
from lmfunction.local._functions import Configuration
from lmfunction.local._log_store import LogStore
from lmfunction.local._process import LOOP

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
    interpreter, and where they write.
    """

    region: str
    endpoint: str
    keys: Keys
    loop: Path
    python: str
    logs: LogStore


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
    own = {**edited, **configuration.variables, "PATH": os.environ.get("PATH", os.defpath)}
    return {
        **own,
        **_layer_variables(configuration, own),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": str(place),
        "TMPDIR": str(place),
        "_HANDLER": configuration.handler,
        "LAMBDA_TASK_ROOT": str(configuration.folder),
        "LAMBDA_RUNTIME_DIR": str(LOOP.parent),
        "AWS_REGION": host.region,
        "AWS_DEFAULT_REGION": host.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": configuration.name,
        "AWS_LAMBDA_FUNCTION_VERSION": configuration.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{configuration.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_ACCESS_KEY_ID": host.keys.access_key,
        "AWS_SECRET_ACCESS_KEY": host.keys.secret_key,
        "AWS_ENDPOINT_URL_LAMBDA": host.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129",
        "_AWS_XRAY_DAEMON_PORT": "2000",
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
