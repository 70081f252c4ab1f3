"""What other tools read beside a function's configuration: the account's limits, and settings that are always the same.

Terraform's provider reads the code signing configuration of every function, for one.
"""

from __future__ import annotations

from typing import Final

from lmfunction.local._answers import enum_fault, ok, validation
from lmfunction.local._archive import UNZIPPED_LIMIT
from lmfunction.local._calls import Account, Call
from lmfunction.local._control_concurrency import unreserved
from lmfunction.local._functions import LATEST
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError

_ZIPPED_LIMIT: Final = 52_428_800
_TOTAL_LIMIT: Final = 80_530_636_800  # AWS: 75 GB
_LOOPS: Final = ("Allow", "Terminate")


def get_account_settings(account: Account, call: Call) -> Answer:
    """GetAccountSettings."""
    functions = list(account.functions)
    sizes = [c.code_size for f in functions for c in (f.latest, *f.versions.values())]
    limit = {
        "TotalCodeSize": _TOTAL_LIMIT,
        "CodeSizeUnzipped": UNZIPPED_LIMIT,
        "CodeSizeZipped": _ZIPPED_LIMIT,
        "ConcurrentExecutions": account.concurrency,
        "UnreservedConcurrentExecutions": unreserved(account),
    }
    return ok({"AccountLimit": limit, "AccountUsage": {"TotalCodeSize": sum(sizes), "FunctionCount": len(functions)}})


def get_function_code_signing_config(account: Account, call: Call) -> Answer:
    """GetFunctionCodeSigningConfig: there is none, which AWS says with an empty answer."""
    account.function(call)
    return ok({})


def get_runtime_management_config(account: Account, call: Call) -> Answer:
    """GetRuntimeManagementConfig: the runtime is what this machine has."""
    function, _ = account.version(call)
    arn = account.functions.arn(function.latest.name, call.address.qualifier or LATEST)
    return ok({"UpdateRuntimeOn": "Auto", "FunctionArn": arn})


def get_function_recursion_config(account: Account, call: Call) -> Answer:
    """GetFunctionRecursionConfig."""
    return ok({"RecursiveLoop": account.function(call).recursive_loop})


def put_function_recursion_config(account: Account, call: Call) -> Answer:
    """PutFunctionRecursionConfig."""
    wanted = call.required_text("RecursiveLoop")
    if wanted not in _LOOPS:
        raise RefusedError(validation([enum_fault(wanted, "recursiveLoop", _LOOPS)]))
    function = account.function(call)
    function.recursive_loop = wanted
    account.changed(function)
    return ok({"RecursiveLoop": wanted})
