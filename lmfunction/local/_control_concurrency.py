"""The operations on reserved concurrency."""

from __future__ import annotations

from typing import Final

from lmfunction.local._answers import invalid_parameter, ok, validation
from lmfunction.local._calls import Account, Call, null_fault
from lmfunction.local._functions import Function
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError

# On AWS 100 must stay unreserved (10 in small accounts); here all may be given away.
_LEAST_UNRESERVED: Final = 0


def put_function_concurrency(account: Account, call: Call) -> Answer:
    """PutFunctionConcurrency."""
    _refuse_qualifier(call)
    function = account.function(call)
    count = call.number("ReservedConcurrentExecutions", 0)
    if count is None:
        raise RefusedError(validation([null_fault("reservedConcurrentExecutions")]))
    if unreserved(account, without=function) < count + _LEAST_UNRESERVED:
        text = (
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{_LEAST_UNRESERVED}]."
        )
        raise RefusedError(invalid_parameter(text))
    provisioned = sum(p.count for p in function.provisioned.values())
    if provisioned > count:
        text = (
            f" ReservedConcurrentExecutions  {count} should not be lower than function's total provisioned "
            f"concurrency [{provisioned}]."
        )
        raise RefusedError(invalid_parameter(text))
    function.reserved = count
    account.changed(function)
    return ok({"ReservedConcurrentExecutions": count})


def get_function_concurrency(account: Account, call: Call) -> Answer:
    """GetFunctionConcurrency."""
    reserved = account.function(call).reserved
    return ok({} if reserved is None else {"ReservedConcurrentExecutions": reserved})


def delete_function_concurrency(account: Account, call: Call) -> Answer:
    """DeleteFunctionConcurrency."""
    function = account.function(call)
    function.reserved = None
    account.changed(function)
    return ok(status=204)


def unreserved(account: Account, *, without: Function | None = None) -> int:
    """How much of the account's concurrency belongs to no function; `without` is one that does not count."""
    own = without.latest.name if without is not None else None
    taken = sum(count for name, count in account.functions.set_aside.items() if name != own)
    return account.concurrency - taken


def _refuse_qualifier(call: Call) -> None:
    if call.address.qualifier is not None:
        text = (
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
            "operation. Please specify either a function name or an unqualified function ARN."
        )
        raise RefusedError(invalid_parameter(text))
