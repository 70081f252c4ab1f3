"""A run, or what is left of it, as a Distributed Map of AWS Step Functions: its definition, its items, its commands.

Nothing in the definition sends a call a second time: the task has no Retry, the children are Standard executions, which
run once, and the parent goes on only under the one name it was written for, which Step Functions takes once in 90 days.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._ledger import Entry
from lmfunction._names import partition_of
from lmfunction._run_binding import Binding
from lmfunction._text import one_line
from lmfunction.errors import JournalError

DEFINITION: Final = "definition.asl.json"
ITEMS: Final = "items.json"
README: Final = "README.txt"
# An item is the input of a child execution, and 256 KiB are the most that one takes
# (AWS Step Functions quotas, "Maximum input or output size for a task, state, or execution").
ITEM_LIMIT: Final = 262_144
_CONCURRENCY: Final = 10  # where the run has no ThrottleLimit: as many as it would have had under way itself
_TIMEOUT: Final = 930
# What one item can have of its own; the integration with Lambda takes nothing else.
_OWN: Final = frozenset(["FunctionName", "Qualifier"])
_IGNORED: Final = frozenset(["LogType"])  # Step Functions asks for no log


@dataclass(frozen=True)
class Export:
    """One handing over: which run, under what name, and where its files go to in S3."""

    run_id: str
    export_id: str
    bucket: str
    prefix: str
    role_arn: str | None = None

    @property
    def name(self) -> str:
        """The name of the state machine, and of its one execution."""
        return f"lmfunction-{self.export_id}"

    @property
    def items_key(self) -> str:
        """Where the items are to lie."""
        return f"{self.prefix}/{ITEMS}"


def definition(export: Export, binding: Binding, *, own_targets: bool) -> dict[str, Any]:
    """The state machine. `own_targets`: its items name functions of their own.

    Raises JournalError for a run whose calls Step Functions cannot make.
    """
    settings = binding.settings
    _refuse_what_cannot_go(binding)
    partition = partition_of(binding.region or "")
    return {
        "Comment": f"Run {export.run_id} of lmfunction, export {export.export_id}. Each item is invoked at most once.",
        "StartAt": "Only once",
        "States": {
            "Only once": {
                "Type": "Choice",
                "Choices": [{"Variable": "$$.Execution.Name", "StringEquals": export.name, "Next": "Invoke all"}],
                "Default": "Another execution",
            },
            "Another execution": {
                "Type": "Fail",
                "Error": "AnotherExecution",
                "Cause": f"The items may run once: start it under the name {export.name} alone.",
            },
            "Invoke all": {
                "Type": "Map",
                "Label": "InvokeAll",
                "ItemReader": {
                    "Resource": f"arn:{partition}:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Parameters": {"Bucket": export.bucket, "Key": export.items_key},
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Invoke",
                    "States": {
                        "Invoke": {
                            "Type": "Task",
                            "Resource": f"arn:{partition}:states:::lambda:invoke",
                            "Parameters": _call(binding, partition, own_targets=own_targets),
                            "TimeoutSeconds": max(1, round(float(settings.get("TimeoutSec", _TIMEOUT)))),
                            "End": True,
                        }
                    },
                },
                "MaxConcurrency": int(settings.get("ThrottleLimit", _CONCURRENCY)),
                # Without it the first failure would abort the children that are under way.
                "ToleratedFailurePercentage": float(settings.get("ToleratedFailurePercent", 100)),
                "ResultWriter": {
                    "Resource": f"arn:{partition}:states:::s3:putObject",
                    "Parameters": {"Bucket": export.bucket, "Prefix": f"{export.prefix}/results"},
                },
                "End": True,
            },
        },
    }


def item_text(export: Export, binding: Binding, entry: Entry, *, own_targets: bool) -> bytes:
    """The JSON of an item: what it is of, and its payload as it was written; with `own_targets` its function too.

    Raises JournalError for one that Step Functions cannot take.
    """
    own = json.loads(entry.call) if entry.call is not None else {}
    if odd := sorted(set(own) - _OWN - _IGNORED):
        raise _refused(entry, f"it has {', '.join(odd)} of its own, which Step Functions does not pass on")
    head = {
        "run": export.run_id,
        "export": export.export_id,
        "seq": entry.seq,
        "key": entry.key,
        "sha256": entry.payload_sha256.hex(),
    }
    if own_targets:
        name = _function(binding, partition_of(binding.region or ""), own.get("FunctionName"))
        qualifier = own.get("Qualifier", binding.qualifier)
        head["function"] = name if qualifier is None else f"{name}:{qualifier}"
    text = json.dumps(head, ensure_ascii=True)[:-1].encode() + b', "payload": ' + _one_line(entry) + b"}"
    if len(text) > ITEM_LIMIT:
        raise _refused(entry, f"with its payload it is {len(text):,} bytes; Step Functions takes {ITEM_LIMIT:,}")
    return text


def has_own_target(entry: Entry) -> bool:
    """Whether an item names its function itself."""
    return entry.call is not None and bool(_OWN & set(json.loads(entry.call)))


def commands(export: Export, folder: str, journal: str, region: str | None, count: int) -> str:
    """What a person does with the files: the text of README.txt."""
    where = f" --region {region}" if region else ""
    partition = partition_of(region or "")
    role = export.role_arn or f"arn:{partition}:iam::ACCOUNT:role/ROLE"
    state_machine = f"arn:{partition}:states:{region or 'REGION'}:ACCOUNT:stateMachine:{export.name}"
    place, bucket = shlex.quote(folder), shlex.quote(export.bucket)
    to_s3 = shlex.quote(f"s3://{export.bucket}/{export.items_key}")
    results = shlex.quote(f"s3://{export.bucket}/{export.prefix}/results/")
    return f"""\
{count:,} items of a run of lmfunction, for a Distributed Map of AWS Step Functions.
{ITEMS} holds payloads: keep it to yourself, and remove it when the run is over.

1. Put the items where the state machine reads them.

   aws s3 cp {ITEMS} {to_s3}{where}

2. Create the state machine. Its role must be allowed to lambda:InvokeFunction, states:StartExecution (of this state
   machine), s3:GetObject and s3:PutObject, s3:ListMultipartUploadParts, s3:AbortMultipartUpload in {bucket}.

   aws stepfunctions create-state-machine --name {export.name} --definition file://{DEFINITION} \\
       --role-arn {role}{where}

3. Start it, under this name and no other: it lets nothing run under another one.

   aws stepfunctions start-execution --name {export.name} --state-machine-arn {state_machine}{where}

4. When it has ended, fetch its result report and read it into the journal. Until then a resumed run leaves these items
   alone: each may be running.

   aws s3 cp --recursive {results} {place}/results{where}
   lmfunction import_lm_run {shlex.quote(journal)} -StepFunctionsResult {place}/results

Never started, and it never will be? Then the journal takes its items back:

   lmfunction import_lm_run {shlex.quote(journal)} -NotStarted
"""


def _call(binding: Binding, partition: str, *, own_targets: bool) -> dict[str, Any]:
    settings = binding.settings
    parameters: dict[str, Any] = {"Payload.$": "$.payload"}
    if own_targets:
        parameters["FunctionName.$"] = "$.function"
    else:
        parameters["FunctionName"] = _function(binding, partition, None)
        if binding.qualifier is not None:
            parameters["Qualifier"] = binding.qualifier
    if binding.invocation_type not in (None, "RequestResponse"):
        parameters["InvocationType"] = binding.invocation_type
    if "ClientContextBase64" in settings:
        parameters["ClientContext"] = settings["ClientContextBase64"]
    return parameters


def _function(binding: Binding, partition: str, own: str | None) -> str:
    """The function's ARN, where the account and the region are known; else its name, or what an item names."""
    name = own or binding.function
    if name is None:
        raise JournalError("The run has no FunctionName of its own, and neither has each of its items.")
    if ":" in name or binding.account is None or binding.region is None:
        return name
    return f"arn:{partition}:lambda:{binding.region}:{binding.account}:function:{name}"


def _refuse_what_cannot_go(binding: Binding) -> None:
    settings = binding.settings
    if binding.endpoint == "embedded":
        raise JournalError("The run is of the embedded Lambda, which Step Functions cannot reach: begin it with AWS.")
    given: Mapping[str, str] = {
        "ClientContext": "give it as -ClientContextBase64",
        "TenantId": "it is not passed on",
        "DurableExecutionName": "it is not passed on",
    }
    for name, why in given.items():
        if name in settings:
            raise JournalError(f"The run was begun with -{name}, and Step Functions cannot make its calls: {why}.")


def _one_line(entry: Entry) -> bytes:
    """The payload, whose numbers and texts stay as they are written: a line break can only stand between them."""
    return b" ".join(entry.payload.split(b"\n")).replace(b"\r", b" ")


def _refused(entry: Entry, why: str) -> JournalError:
    return JournalError(f"Item {entry.seq + 1} (key {one_line(entry.key, 80)}) cannot be handed over: {why}.")
