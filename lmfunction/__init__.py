"""lmfunction: a PowerShell-style cmdlet layer for AWS Lambda inside Python.

>>> import lmfunction as lm
>>> result = lm.invoke_lm("hello", {"name": "world"}, profile_name="local")
>>> result.payload
{'message': 'Hello, world!'}

In IPython and Jupyter `%load_ext lmfunction` gives `%invoke_lm`; at the terminal the command is `lmfunction`.
Importing the package loads nothing heavy: boto3, yaml and the embedded Lambda come when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmfunction import errors
    from lmfunction._api import defaults, invoke_lm, publish_lm_function
    from lmfunction._auth import Credential
    from lmfunction._builder import Invoke
    from lmfunction._bulk_result import BulkResult
    from lmfunction._explain import FunctionFailure
    from lmfunction._function_dialect import client, lambda_invoke
    from lmfunction._measurement import Measurement
    from lmfunction._model import Attempt, InvokeResult, Outcome
    from lmfunction._pipeline import pipe
    from lmfunction._python_verbs import (
        expect,
        export_csv,
        first,
        foreach,
        format_list,
        from_json,
        group,
        import_csv,
        last,
        measure,
        out_file,
        select,
        sort,
        table,
        tee,
        to_frame,
        to_json,
        where,
    )
    from lmfunction._references import Secret
    from lmfunction._request import InvokeRequest
    from lmfunction._retry import RetryPolicy
    from lmfunction._session import Session
    from lmfunction._stream_result import StreamResult
    from lmfunction._wire import Report
    from lmfunction.errors import (
        BulkError,
        ExpectationError,
        FunctionError,
        GuardError,
        InvocationInterrupted,
        JournalError,
        LMError,
        LMWarning,
        ParameterError,
        ProfileError,
        ServiceError,
        TransportError,
    )

__version__ = "0.1.0"

# Public name -> the module that holds it.
_HOMES = {
    "Attempt": "_model",
    "BulkError": "errors",
    "BulkResult": "_bulk_result",
    "Credential": "_auth",
    "ExpectationError": "errors",
    "FunctionError": "errors",
    "FunctionFailure": "_explain",
    "GuardError": "errors",
    "InvocationInterrupted": "errors",
    "Invoke": "_builder",
    "InvokeRequest": "_request",
    "InvokeResult": "_model",
    "JournalError": "errors",
    "LMError": "errors",
    "LMWarning": "errors",
    "Measurement": "_measurement",
    "Outcome": "_model",
    "ParameterError": "errors",
    "ProfileError": "errors",
    "Report": "_wire",
    "RetryPolicy": "_retry",
    "Secret": "_references",
    "ServiceError": "errors",
    "Session": "_session",
    "StreamResult": "_stream_result",
    "TransportError": "errors",
    "client": "_function_dialect",
    "defaults": "_api",
    "errors": "",
    "expect": "_python_verbs",
    "export_csv": "_python_verbs",
    "first": "_python_verbs",
    "foreach": "_python_verbs",
    "format_list": "_python_verbs",
    "from_json": "_python_verbs",
    "group": "_python_verbs",
    "import_csv": "_python_verbs",
    "invoke_lm": "_api",
    "lambda_invoke": "_function_dialect",
    "last": "_python_verbs",
    "measure": "_python_verbs",
    "out_file": "_python_verbs",
    "pipe": "_pipeline",
    "publish_lm_function": "_api",
    "select": "_python_verbs",
    "sort": "_python_verbs",
    "table": "_python_verbs",
    "tee": "_python_verbs",
    "to_frame": "_python_verbs",
    "to_json": "_python_verbs",
    "where": "_python_verbs",
}

__all__ = [
    "Attempt",
    "BulkError",
    "BulkResult",
    "Credential",
    "ExpectationError",
    "FunctionError",
    "FunctionFailure",
    "GuardError",
    "InvocationInterrupted",
    "Invoke",
    "InvokeRequest",
    "InvokeResult",
    "JournalError",
    "LMError",
    "LMWarning",
    "Measurement",
    "Outcome",
    "ParameterError",
    "ProfileError",
    "Report",
    "RetryPolicy",
    "Secret",
    "ServiceError",
    "Session",
    "StreamResult",
    "TransportError",
    "client",
    "defaults",
    "errors",
    "expect",
    "export_csv",
    "first",
    "foreach",
    "format_list",
    "from_json",
    "group",
    "import_csv",
    "invoke_lm",
    "lambda_invoke",
    "last",
    "measure",
    "out_file",
    "pipe",
    "publish_lm_function",
    "select",
    "sort",
    "table",
    "tee",
    "to_frame",
    "to_json",
    "where",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None and ("_lm_" in name or "_aws_" in name or name.endswith("_job") or name == "get_help"):
        value = globals()[name] = _function(name)
        return value
    if home is None:
        raise AttributeError(f"module 'lmfunction' has no attribute {name!r}")
    module = import_module(f"lmfunction.{home or name}")
    value = getattr(module, name) if home else module
    globals()[name] = value
    return value


def _function(name: str) -> Any:
    """The function of a cmdlet, made when it is first looked up."""
    from lmfunction._session import default_session, function_names, function_of
    from lmfunction._table import find_cmdlet

    cmdlet = find_cmdlet(name)
    if cmdlet is None:
        from lmfunction._text import did_you_mean

        hint = did_you_mean(name, function_names())
        raise AttributeError(f"module 'lmfunction' has no attribute {name!r}.{hint}")
    return function_of(cmdlet, lambda: default_session().engine)


def __dir__() -> list[str]:
    from lmfunction._session import function_names

    return sorted({*globals(), *__all__, *function_names()})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext lmfunction`: the magics, under their PowerShell and their Python names."""
    from lmfunction import _magics

    _magics.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext lmfunction`: everything that loading added is taken away again."""
    from lmfunction import _magics

    _magics.unload(shell)
