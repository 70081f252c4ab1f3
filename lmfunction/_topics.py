"""Get-Help: from a name, a pattern or nothing to the help that is shown."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any, Final

from lmfunction._arguments import convert
from lmfunction._door import NOTHING, Door
from lmfunction._gathered import refuse_exclusive
from lmfunction._help import HelpText, View, cmdlet_help, listing, parameter_help
from lmfunction._help_row import GET_HELP
from lmfunction._params import Cmdlet, Parameter
from lmfunction._table import CMDLETS, find_cmdlet
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction._verb_table import VERBS
from lmfunction.errors import ParameterError

_VIEWS: Final = {"examples": View.EXAMPLES, "detailed": View.DETAILED, "full": View.FULL}
_BEGIN: Final = """\
Invoke-LMFunction (invoke_lm) runs a function, Publish-LMFunction makes one, Get-LMFunctionList lists them.

    invoke_lm hello -Payload {"name": "world"} -ProfileName local
    get_help invoke_lm            how a cmdlet is used; -Examples, -Detailed, -Full tell less or more
    get_help *Alias*              the cmdlets with such a name

CMDLETS
"""


def get_help(values: Mapping[str, Any], door: Door) -> Any:
    """Shows what Get-Help was asked for (`values` by parameter name) and emits nothing.

    Raises ParameterError for a name that nothing has.
    """
    refuse_exclusive(GET_HELP, {name: value for name, value in values.items() if value is not False})
    options = convert(GET_HELP, values)
    door.show(HelpText(_told(options).rstrip("\n")))
    return NOTHING


def _told(options: Mapping[str, Any]) -> str:
    name = str(options.get("name") or "").strip()
    if not name:
        return f"{_BEGIN}{_listed(CMDLETS)}\nVERBS, after a |\n{_listed(VERBS)}"
    found = _topics(name)
    if len(found) > 1:
        return listing(found)
    (cmdlet,) = found
    if options.get("parameter") is not None:
        return "\n\n".join(parameter_help(cmdlet, p) for p in _parameters(cmdlet, options["parameter"]))
    view = next((view for option, view in _VIEWS.items() if options.get(option)), View.BASIC)
    return cmdlet_help(cmdlet, view=view)


def _listed(cmdlets: tuple[Cmdlet, ...]) -> str:
    wide = max(len(c.name) for c in cmdlets)
    return "".join(f"    {c.name:<{wide}}  {c.python_names[0]}\n" for c in cmdlets)


def _topics(name: str) -> list[Cmdlet]:
    """The cmdlets and verbs that `name` means: one, or all that a pattern fits."""
    exact = find_cmdlet(name) or find_cmdlet(name, VERBS)
    if exact is not None:
        return [exact]
    every = (*CMDLETS, *VERBS)
    found = [c for c in every if any(_fits(name, known) for known in c.names)] if set(name) & set("*?[") else []
    if not found:
        shown = ascii_only(shorten(name, 60))
        hint = did_you_mean(name.removeprefix("%"), [n for c in every for n in c.names])
        raise ParameterError(
            f"There is no help for '{shown}'.{hint} get_help alone lists what there is.", parameter="Name"
        )
    return found


def _parameters(cmdlet: Cmdlet, name: str) -> list[Parameter]:
    """The parameters that `name`, a pattern or what a line may call a parameter, means."""
    name = name.lstrip("-–—―")
    if set(name) & set("*?["):
        found = [p for p in cmdlet.parameters if not p.refused and _fits(name, p.name)]
        if not found:
            raise ParameterError(f"{cmdlet.name} has no parameter like '{shorten(name, 60)}'.", parameter="Parameter")
        return found
    try:
        return [cmdlet.find(name)]
    except ParameterError as error:
        raise ParameterError(str(error.args[0]), parameter="Parameter") from None


def _fits(pattern: str, name: str) -> bool:
    return fnmatch.fnmatchcase(name.casefold(), pattern.removeprefix("%").casefold())
