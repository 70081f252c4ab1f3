"""Runs the cmdlets about the session itself: credentials, region, history. No defaults fill their parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction import _credential_cmdlets as credentials
from lmfunction import _default_cmdlets as defaults
from lmfunction._arguments import convert
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error
from lmfunction._gathered import Gathered
from lmfunction._notices import Notices, assign, check_assignable, empty_lists
from lmfunction._order import Order
from lmfunction._params import Cmdlet
from lmfunction._profile_values import Profile
from lmfunction.errors import LMError, ParameterError

# What each cmdlet does, by its name.
STEPS: Final[Mapping[str, Callable[[Order], Any]]] = {
    "Set-AWSCredential": credentials.set_credential,
    "Get-AWSCredential": credentials.get_credential,
    "New-AWSCredential": credentials.new_credential,
    "Clear-AWSCredential": credentials.clear_credential,
    "Remove-AWSCredentialProfile": credentials.remove_profile,
    "Initialize-AWSDefaultConfiguration": credentials.initialize_defaults,
    "Clear-AWSDefaultConfiguration": credentials.clear_defaults,
    "Set-DefaultAWSRegion": defaults.set_region,
    "Get-DefaultAWSRegion": defaults.get_region,
    "Clear-DefaultAWSRegion": defaults.clear_region,
    "Get-AWSRegion": defaults.list_regions,
    "Get-AWSHistory": defaults.get_history,
    "Clear-AWSHistory": defaults.clear_history,
    "Set-AWSHistoryConfiguration": defaults.configure_history,
}


def run_session_cmdlet(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """What `cmdlet` emits for `values` (by parameter name), or NOTHING.

    Raises ParameterError, ProfileError and GuardError; then nothing was changed.
    """
    for name in values:
        if (why := cmdlet.by_name[name].refused) != "":
            raise ParameterError(f"{name} is not available: {why}", parameter=name)
    arguments = convert(cmdlet, values)
    for parameter in cmdlet.parameters:
        if parameter.mandatory and not arguments.get(parameter.target):
            raise ParameterError(f"{parameter.name} is missing.", parameter=parameter.name)
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    try:
        emitted = STEPS[cmdlet.name](Order(cmdlet, arguments, engine, door, Notices(arguments, door)))
    except LMError as error:
        act_on_error(error, Gathered(arguments, frozenset(arguments), Profile(""), None), door)
        return NOTHING
    if "out_variable" in arguments and emitted is not NOTHING:
        assign(door, arguments["out_variable"], emitted)
    return emitted
