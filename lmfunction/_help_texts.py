"""What help says beside the parameter table: descriptions, examples and what goes together, by the cmdlet's name.

Every example is run by a test. What is not written here is read from boto3's model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lmfunction._operation_types import first_sentence, plain_text
from lmfunction._params import Cmdlet, Example
from lmfunction._service import operation
from lmfunction._table import OPERATIONS
from lmfunction.errors import ParameterError

_DESCRIPTION_LIMIT: Final = 1_200


@dataclass(frozen=True)
class HelpTexts:
    """The texts of one cmdlet: the paragraphs of its description, examples, names of cmdlets that go with it."""

    description: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    related: tuple[str, ...] = ()


def text_of(cmdlet: Cmdlet) -> HelpTexts:
    """The texts of `cmdlet`; a description that nobody wrote is that of the API."""
    found = TEXTS.get(cmdlet.name, HelpTexts())
    return found if found.description else HelpTexts(_from_model(cmdlet), found.examples, found.related)


def _from_model(cmdlet: Cmdlet) -> tuple[str, ...]:
    name = OPERATIONS.get(cmdlet.name)
    if name is None:
        return ()
    try:
        documentation = operation(name).documentation
    except ParameterError:  # this boto3 does not have it
        return ()
    rest = plain_text(documentation, _DESCRIPTION_LIMIT).removeprefix(first_sentence(documentation)).strip()
    return (rest,) if rest else ()


def _texts(*description: str, examples: tuple[tuple[str, str], ...] = (), related: str = "") -> HelpTexts:
    return HelpTexts(description, tuple(Example(line, text) for line, text in examples), tuple(related.split()))


TEXTS: Final[Mapping[str, HelpTexts]] = {
    "Invoke-LMFunction": _texts(
        "One command is one invocation: nothing is sent a second time unless it provably did not run. The answer is an "
        "object: the payload decoded, the log as text, the REPORT line as figures, a failure explained.",
        "Into a pipeline: a result gives its payload; text is the function's name when none is given; a mapping with a "
        "FunctionName binds parameters by name; anything else is the payload. Several objects give a BulkResult.",
        "In a cell magic the body is the payload, as JSON or YAML.",
        related="Get-LMFunctionList Publish-LMFunction Invoke-LMWithResponseStream Select-Object Expect-Object",
    ),
    "Publish-LMFunction": _texts(
        "A function that exists gets the new code and those settings that are given. It goes into the embedded Lambda "
        "unless a profile, an endpoint or credentials are named. In a cell magic the body is the handler's code.",
        related="Invoke-LMFunction Update-LMFunctionCode Update-LMFunctionConfiguration Remove-LMFunction",
    ),
    "Get-LMFunctionList": _texts(
        examples=(
            ("get_lm_function_list", "Every function of the account and region, page by page, as records."),
            ("get_lm_function_list | where Runtime -like python3.* | select FunctionName,Timeout", "Some of each."),
            ("get_lm_function_list -MaxItems 10 -Select *", "One page, and where the next begins."),
        ),
        related="Get-LMFunction Get-LMFunctionConfiguration Where-Object Select-Object",
    ),
    "Get-LMFunction": _texts(
        examples=(
            ("get_lm_function orders", "Configuration, where the code is, tags, concurrency."),
            ("get_lm_function orders -Qualifier live -Select Configuration.Version", "The version behind an alias."),
            (
                "get_lm_function orders -Select Code.Location",
                "The link from which the code can be had for ten minutes.",
            ),
        ),
        related="Get-LMFunctionConfiguration Get-LMFunctionList Get-LMVersionsByFunction",
    ),
    "Get-LMFunctionConfiguration": _texts(
        examples=(
            ("get_lm_function_configuration orders", "All settings."),
            ("get_lm_function_configuration orders -Select Environment.Variables", "The environment variables alone."),
            ("get_lm_function_configuration orders | expect Timeout -le 30", "A runbook's check."),
        ),
        related="Update-LMFunctionConfiguration Get-LMFunction",
    ),
    "Get-LMFunctionConcurrency": _texts(
        examples=(("get_lm_function_concurrency orders", "How many instances are reserved for it."),),
        related="Write-LMFunctionConcurrency Remove-LMFunctionConcurrency",
    ),
    "Write-LMFunctionConcurrency": _texts(
        examples=(
            ("write_lm_function_concurrency orders -ReservedConcurrentExecutions 5", "Never more than five at once."),
            (
                "write_lm_function_concurrency orders -ReservedConcurrentExecutions 0",
                "Stop it: every call is throttled.",
            ),
        ),
        related="Get-LMFunctionConcurrency Remove-LMFunctionConcurrency",
    ),
    "Remove-LMFunctionConcurrency": _texts(
        examples=(("remove_lm_function_concurrency orders -Force", "Let it run again, without a limit of its own."),),
        related="Write-LMFunctionConcurrency Get-LMFunctionConcurrency",
    ),
    "Update-LMFunctionCode": _texts(
        examples=(
            ("update_lm_function_code orders -ZipFilename app.zip", "New code from a zip file."),
            ("update_lm_function_code orders -ZipFilename app.zip -Publish", "And a version of it."),
        ),
        related="Publish-LMFunction Publish-LMVersion Update-LMAlias",
    ),
    "Update-LMFunctionConfiguration": _texts(
        examples=(
            ("update_lm_function_configuration orders -Timeout 30 -MemorySize 512", "Two settings; the others stay."),
            (
                'update_lm_function_configuration orders -Environment_Variables {"STAGE": "blue"}',
                "The environment variables as a whole: those that are left out are gone.",
            ),
            ("update_lm_function_configuration orders -Timeout 30 -WhatIf", "Look first."),
        ),
        related="Get-LMFunctionConfiguration Update-LMFunctionCode",
    ),
    "Remove-LMFunction": _texts(
        examples=(
            ("remove_lm_function orders -Qualifier 1 -Force", "One version of it, without asking."),
            ("remove_lm_function orders -WhatIf", "Look first."),
            ("remove_lm_function orders -Force", "The function with all its versions and aliases."),
        ),
        related="Get-LMFunctionList Publish-LMFunction",
    ),
    "Publish-LMVersion": _texts(
        examples=(
            ("publish_lm_version orders -Description 'before the move'", "Freeze code and settings under a number."),
            ("publish_lm_version orders -Select Version", "The number alone."),
        ),
        related="Get-LMVersionsByFunction New-LMAlias Update-LMAlias",
    ),
    "Get-LMVersionsByFunction": _texts(
        examples=(
            ("get_lm_versions_by_function orders", "Every version, $LATEST first."),
            ("get_lm_versions_by_function orders | select Version,Description,LastModified | last 3", "The newest."),
        ),
        related="Publish-LMVersion Get-LMAliasList",
    ),
    "New-LMAlias": _texts(
        examples=(("new_lm_alias orders -Name blue -FunctionVersion 1", "A name for a version."),),
        related="Publish-LMVersion",
    ),
    "Get-LMAlias": _texts(
        examples=(
            ("get_lm_alias orders -Name live", "Where an alias points."),
            ("get_lm_alias orders -Name live -Select FunctionVersion", "The version alone."),
        ),
        related="Get-LMAliasList",
    ),
    "Get-LMAliasList": _texts(
        examples=(
            ("get_lm_alias_list orders | select Name,FunctionVersion", "Every alias and its version."),
            ("get_lm_alias_list orders -FunctionVersion 1", "The aliases of one version."),
        ),
        related="Get-LMAlias Get-LMVersionsByFunction",
    ),
    "Update-LMAlias": _texts(
        examples=(
            ("update_lm_alias orders -Name live -FunctionVersion 2", "Release: the alias points to another version."),
            (
                'update_lm_alias orders -Name live -RoutingConfig_AdditionalVersionWeights {"1": 0.1}',
                "A tenth of the calls goes to another version.",
            ),
        ),
        related="Publish-LMVersion",
    ),
    "Remove-LMAlias": _texts(
        examples=(("remove_lm_alias orders -Name live -Force", "The alias; its version stays."),),
    ),
    "Measure-LMFunction": _texts(related="Invoke-LMFunction Measure-Object"),
    "Get-Help": _texts(
        "The same help stands behind -? on any line, behind NAME? in IPython, and under Shift-Tab in Jupyter, where "
        "the cursor on a parameter shows that parameter.",
    ),
    "Select-Object": _texts(related="Where-Object ForEach-Object Select-First Select-Last"),
    "Where-Object": _texts(
        "What is missing equals only $null.",
        related="Select-Object Expect-Object Sort-Object",
    ),
    "ForEach-Object": _texts(related="Where-Object Select-Object Invoke-LMFunction"),
    "Sort-Object": _texts(related="Group-Object Select-First Measure-Object"),
    "Group-Object": _texts(related="Sort-Object Measure-Object"),
    "Measure-Object": _texts(related="Group-Object Measure-LMFunction"),
    "Select-First": _texts(related="Select-Last Select-Object"),
    "Select-Last": _texts(related="Select-First Select-Object"),
    "Tee-Object": _texts(related="Out-File Export-Csv"),
    "Expect-Object": _texts(related="Where-Object"),
    "ConvertTo-Json": _texts(related="ConvertFrom-Json Out-File"),
    "ConvertFrom-Json": _texts(related="ConvertTo-Json"),
    "Format-Table": _texts(related="Format-List ConvertTo-DataFrame Export-Csv"),
    "Format-List": _texts(related="Format-Table"),
    "Out-File": _texts(related="Export-Csv ConvertTo-Json Tee-Object"),
    "Export-Csv": _texts(related="Import-Csv Out-File"),
    "Import-Csv": _texts(related="Export-Csv Invoke-LMFunction"),
    "ConvertTo-DataFrame": _texts(related="Format-Table Export-Csv"),
}
