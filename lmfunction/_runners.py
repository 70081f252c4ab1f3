"""What runs each cmdlet: the one seam between bound values and a cmdlet's steps, for every door and for pipelines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from lmfunction import _invoke_stage, _measure, _publish, _topics
from lmfunction._audit_reading import get_audit
from lmfunction._destination_records import get_records
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._help_row import GET_HELP
from lmfunction._local_rows import GET_LOG, IMPORT_TEMPLATE
from lmfunction._log_reading import get_log
from lmfunction._model import InvokeResult
from lmfunction._once_keys import clear_key, get_keys
from lmfunction._operation_calls import run_operation
from lmfunction._params import Cmdlet
from lmfunction._safety_rows import CLEAR_ONCE_KEY, GET_AUDIT, GET_ONCE_KEY
from lmfunction._session_cmdlets import STEPS, run_session_cmdlet
from lmfunction._table import (
    DESTINATION_RECORDS,
    INVOKE,
    JOB_CMDLETS,
    MEASURE,
    OPERATIONS,
    PROFILE_CMDLETS,
    PUBLISH,
    RUN_CMDLETS,
)
from lmfunction._template_import import import_template

OnResult = Callable[[InvokeResult], None]
# Values by parameter name, what calls share, the door, and who sees an invocation's result; gives what is emitted.
Runner = Callable[[Mapping[str, Any], Engine, Door, OnResult], Any]


def run(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
    """What `cmdlet` emits for `values` (by parameter name), or NOTHING."""
    return runner_of(cmdlet)(values, engine, door, on_result)


def runner_of(cmdlet: Cmdlet) -> Runner:
    """The steps of `cmdlet`: its own, those of the session's cmdlets, or those that all operations of the API share."""
    if cmdlet.name in STEPS:
        return functools.partial(_run_session, cmdlet)
    return _RUNNERS.get(cmdlet.name) or functools.partial(run_operation, cmdlet, OPERATIONS[cmdlet.name])


def _run_session(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
    return run_session_cmdlet(cmdlet, values, engine, door)


def _publish_function(values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
    return _publish.publish(values, engine, door)


def _get_help(values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
    return _topics.get_help(values, door)


def _profiles(cmdlet: Cmdlet) -> Runner:
    def run_it(values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
        from lmfunction._profile_cmdlets import run_profile_cmdlet

        return run_profile_cmdlet(cmdlet, values, engine, door)

    return run_it


def _runs(cmdlet: Cmdlet) -> Runner:
    def run_it(values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
        if cmdlet.name == "Resume-LMRun":
            return _invoke_stage.resume(cmdlet, values, engine, door, on_result)
        if cmdlet.name == "Import-LMRun" or "StepFunctions" in values:
            from lmfunction._run_transfer import run_transfer

            return run_transfer(cmdlet, values, engine, door)
        from lmfunction._run_reading import export_run, get_runs

        return (export_run if cmdlet.name == "Export-LMRun" else get_runs)(cmdlet, values, engine, door)

    return run_it


def _jobs(cmdlet: Cmdlet) -> Runner:
    def run_it(values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
        from lmfunction._job_cmdlets import run_job_cmdlet

        return run_job_cmdlet(cmdlet, values, engine, door, on_result)

    return run_it


_RUNNERS: dict[str, Runner] = {
    INVOKE.name: _invoke_stage.invoke,
    MEASURE.name: _measure.measure,
    PUBLISH.name: _publish_function,
    GET_HELP.name: _get_help,
    GET_LOG.name: lambda values, engine, door, _: get_log(values, engine, door),
    IMPORT_TEMPLATE.name: lambda values, engine, door, _: import_template(values, engine, door),
    GET_AUDIT.name: lambda values, engine, door, _: get_audit(values, engine, door),
    DESTINATION_RECORDS.name: lambda values, engine, door, _: get_records(DESTINATION_RECORDS, values, engine, door),
    GET_ONCE_KEY.name: lambda values, engine, door, _: get_keys(values, engine, door),
    CLEAR_ONCE_KEY.name: lambda values, engine, door, _: clear_key(values, engine, door),
    **{cmdlet.name: _profiles(cmdlet) for cmdlet in PROFILE_CMDLETS},
    **{cmdlet.name: _runs(cmdlet) for cmdlet in RUN_CMDLETS},
    **{cmdlet.name: _jobs(cmdlet) for cmdlet in JOB_CMDLETS},
}
