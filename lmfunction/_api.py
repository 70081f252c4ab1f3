"""The functions of the module: one for each cmdlet, with one keyword for each parameter of the table.

The signatures are written out for editors and type checkers; a test holds them against the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmfunction._defaults import Defaults
from lmfunction._session import call, checked, default_session
from lmfunction._table import INVOKE, PUBLISH
from lmfunction._unset import UNSET

defaults: Defaults = default_session().engine.defaults


def invoke_lm(
    function_name: Any = UNSET,
    payload: Any = UNSET,
    client_context: Any = UNSET,
    invocation_type: str = UNSET,  # type: ignore[assignment]  # UNSET tells "not given" from any value
    log_type: str = UNSET,  # type: ignore[assignment]
    *,
    client_context_base64: Any = UNSET,
    payload_stream: Any = UNSET,
    qualifier: Any = UNSET,
    tenant_id: Any = UNSET,
    durable_execution_name: Any = UNSET,
    select: str = UNSET,  # type: ignore[assignment]
    pass_thru: bool = UNSET,  # type: ignore[assignment]
    force: bool = UNSET,  # type: ignore[assignment]
    input_object: Any = UNSET,
    throttle_limit: int = UNSET,  # type: ignore[assignment]
    tolerated_failure_percent: float = UNSET,  # type: ignore[assignment]
    delivery: str = UNSET,  # type: ignore[assignment]
    out_file: Any = UNSET,
    skip_invalid: bool = UNSET,  # type: ignore[assignment]
    journal: str = UNSET,  # type: ignore[assignment]
    resume: bool = UNSET,  # type: ignore[assignment]
    on_unknown: str = UNSET,  # type: ignore[assignment]
    item_key: str = UNSET,  # type: ignore[assignment]
    engine: Any = UNSET,
    share_credential: bool = UNSET,  # type: ignore[assignment]
    timeout_sec: float = UNSET,  # type: ignore[assignment]
    once_key: str = UNSET,  # type: ignore[assignment]
    as_job: bool = UNSET,  # type: ignore[assignment]
    allow_duplicate_keys: bool = UNSET,  # type: ignore[assignment]
    client_config: Mapping[str, Any] = UNSET,  # type: ignore[assignment]
    access_key: Any = UNSET,
    secret_key: Any = UNSET,
    session_token: Any = UNSET,
    profile_name: Any = UNSET,
    profile_location: Any = UNSET,
    credential: Any = UNSET,
    region: Any = UNSET,
    endpoint_url: Any = UNSET,
    what_if: bool = UNSET,  # type: ignore[assignment]
    confirm: bool = UNSET,  # type: ignore[assignment]
    verbose: bool = UNSET,  # type: ignore[assignment]
    debug: bool = UNSET,  # type: ignore[assignment]
    error_action: str = UNSET,  # type: ignore[assignment]
    warning_action: str = UNSET,  # type: ignore[assignment]
    progress_action: str = UNSET,  # type: ignore[assignment]
) -> Any:
    """Invokes a Lambda function once and gives back an `InvokeResult` (or what `select` picks from it).

    `payload` is a dict, list or scalar to be written as JSON, text that is JSON, or bytes; unset it is `{}`.
    `timeout_sec` is the time to wait in all, in seconds (default 930). A function that failed is a result whose `ok`
    is False; `error_action="Stop"` raises FunctionError instead. With `input_object=[...]` each object is one call, at
    most `throttle_limit` at a time (default 10), and the result is a `BulkResult`; with `journal="run.db"` the run is
    written down, so that the same line with `resume=True` goes on after a crash. With `once_key="name-of-the-step"` a
    call that has ended well is not sent again by a re-run: its stored result comes back, `replayed`. With
    `what_if=True` nothing is sent and the plan is returned. `progress_action="Continue"` tells on stderr how a long
    wait goes on. The other keywords are the parameters of `Invoke-LMFunction` in snake_case.

    Raises ParameterError and ProfileError before anything is sent, GuardError when nobody confirms, ServiceError when
    AWS refuses, TransportError when no whole answer came; nothing is sent twice unless it provably did not run.
    """
    return call(INVOKE, default_session().engine, locals())


def publish_lm_function(
    function_name: Any = UNSET,
    code: str = UNSET,  # type: ignore[assignment]
    *,
    handler: str = UNSET,  # type: ignore[assignment]
    timeout: int = UNSET,  # type: ignore[assignment]
    memory_size: int = UNSET,  # type: ignore[assignment]
    environment: Mapping[str, str] = UNSET,  # type: ignore[assignment]
    runtime: str = UNSET,  # type: ignore[assignment]
    description: str = UNSET,  # type: ignore[assignment]
    role: str = UNSET,  # type: ignore[assignment]
    force: bool = UNSET,  # type: ignore[assignment]
    client_config: Mapping[str, Any] = UNSET,  # type: ignore[assignment]
    access_key: Any = UNSET,
    secret_key: Any = UNSET,
    session_token: Any = UNSET,
    profile_name: Any = UNSET,
    profile_location: Any = UNSET,
    credential: Any = UNSET,
    region: Any = UNSET,
    endpoint_url: Any = UNSET,
    what_if: bool = UNSET,  # type: ignore[assignment]
    confirm: bool = UNSET,  # type: ignore[assignment]
    verbose: bool = UNSET,  # type: ignore[assignment]
    debug: bool = UNSET,  # type: ignore[assignment]
    error_action: str = UNSET,  # type: ignore[assignment]
    warning_action: str = UNSET,  # type: ignore[assignment]
    progress_action: str = UNSET,  # type: ignore[assignment]
    select: str = UNSET,  # type: ignore[assignment]
    pass_thru: bool = UNSET,  # type: ignore[assignment]
    timeout_sec: float = UNSET,  # type: ignore[assignment]
    **members: Any,
) -> Any:
    """Creates a function from Python source, or gives an existing one new code; returns its configuration.

    `members` are the other members of CreateFunction in snake_case, such as `layers`, `zip_filename` or
    `vpc_config_subnet_ids`. It goes into the embedded Lambda unless a profile, an endpoint or credentials are named.
    `timeout` is in seconds, `memory_size` in MB. Raises ParameterError for code that does not compile or has no
    handler, ServiceError when AWS refuses.
    """
    named = {name: value for name, value in locals().items() if name != "members"}
    return call(PUBLISH, default_session().engine, checked(PUBLISH, members, **named))
