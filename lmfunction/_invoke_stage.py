"""The stage that invokes a function for each object, and the cmdlets that are such a stage alone."""

from __future__ import annotations

import functools
import itertools
import operator
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lmfunction import _cmdlets
from lmfunction._arguments import convert
from lmfunction._background import Backstage, check_job
from lmfunction._bulk import Terms, Watch, invoke_many, ready_many
from lmfunction._bulk_result import BulkResult
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather, is_dry
from lmfunction._items_file import ItemsFile
from lmfunction._jobs import Job
from lmfunction._journal import given_back
from lmfunction._journaling import StoredItems
from lmfunction._model import InvokeResult
from lmfunction._notices import assign, check_assignable, empty_lists, keep
from lmfunction._params import Cmdlet
from lmfunction._piped import bind_object
from lmfunction._pipeline import Flow, Objects, Stage, Stopped, run
from lmfunction._progress import wanted
from lmfunction._run_reading import stored_binding
from lmfunction._survey import Binding, check_line
from lmfunction._table import INVOKE
from lmfunction.errors import BulkError, ParameterError


@dataclass(frozen=True)
class InvokeStage(Stage):
    """Invoke-LMFunction for each object: one gives an InvokeResult, several a BulkResult."""

    values: Mapping[str, Any]
    engine: Engine
    door: Door
    on_result: Callable[[InvokeResult], None] = lambda _: None
    file: ItemsFile | None = None  # from which the objects come, where they can be read again
    for_all: bool = False  # whether none is a number of objects too: then there is a run of none, with all that it has
    ends = True

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """The results; a failed one only when nothing follows, so that no stage is fed with an error object."""
        head = list(itertools.islice(objects, 1))
        if head and not flow.many:
            head += itertools.islice(objects, 1)
        if len(head) == 1 and not flow.many and not self.values.keys() & _FOR_MANY:
            yield from self._once(head[0], flow)
        elif head or (flow.many and self.for_all):
            left = operator.length_hint(objects, -1)
            coming = itertools.chain(head, objects) if self.file is None else self.file
            yield from self.each(coming, flow, None if left < 0 else len(head) + left)

    def emits_results(self) -> bool:
        """Whether whole results come out, not what -Select or -PassThru make of them, nor a job."""
        arguments = gather(INVOKE, self.values, self.engine).arguments
        return self.emits_whole(arguments) and not arguments.get("as_job")

    @staticmethod
    def emits_whole(arguments: Mapping[str, Any]) -> bool:
        """Whether the results are whole of a line with these arguments."""
        return arguments.get("select", "*") == "*" and not arguments.get("pass_thru")

    def _once(self, value: Any, flow: Flow) -> Iterator[Any]:
        emitted = _cmdlets.invoke(bind_object(value, self.values), self.engine, self.door, self.on_result)
        if emitted is NOTHING:
            self._end_when_dry(gather(INVOKE, self.values, self.engine).arguments, flow)
        elif not isinstance(emitted, InvokeResult) or emitted.ok or flow.last is self:
            yield emitted

    def each(self, objects: Iterable[Any], flow: Flow, total: int | None) -> Iterator[Any]:
        """The results of one call for each of `objects`, of which there are `total`; None: nobody knows."""
        arguments = gather(INVOKE, self.values, self.engine).arguments
        if "once_key" in arguments:
            coming = iter(objects)
            head = list(itertools.islice(coming, 2))
            objects = itertools.chain(head, coming)
        if "once_key" in arguments and len(head) > 1:
            raise ParameterError(
                "OnceKey names one call, and several objects come in; nothing was sent. Give each object a FunctionName"
                " and an OnceKey of its own.",
                parameter="OnceKey",
            )
        check_line(Binding(self.values), self.engine)
        door = replace(self.door, error_action=arguments.get("error_action", self.door.error_action))
        title = str(arguments.get("function_name", "invocations"))
        if arguments.get("as_job") and not is_dry(arguments, self.engine, self.door):
            check_job(arguments, door)
            flow.many = False
            yield self._begun(objects, arguments, door, Watch((), title, total))
            return
        watch = Watch(wanted(arguments, door.progress_action, door.progress), title, total)
        try:
            found = invoke_many(
                objects, Binding(self.values), self.engine, door, self.on_result, _terms(arguments), watch
            )
        except BulkError as error:
            if error.result is not None:
                self._keep_errors(error.result, arguments)
                if door.error_action != "SilentlyContinue":
                    door.show(error.result)
            raise
        if is_dry(arguments, self.engine, self.door):
            flow.many = False
            self._end_when_dry(arguments, flow)
            return
        self._keep_errors(found, arguments)
        if not found.ok and door.error_action == "Continue" and door.shows_failures and flow.last is not self:
            door.tell("error", f"{found.shortfall()}; only what succeeded is passed on.")
        whole = self.emits_whole(arguments)
        emitted = found if whole else found.selected()
        if "out_variable" in arguments:
            assign(self.door, arguments["out_variable"], emitted)
        flow.many = not whole
        yield from [found] if whole else found.selected()

    def _begun(self, objects: Iterable[Any], arguments: Mapping[str, Any], door: Door, watch: Watch) -> Job:
        """The job that makes the calls. What a guard or a journal has against them is raised here and now."""
        check_assignable(arguments, door)
        empty_lists(arguments, door)
        stage = Backstage(door)
        whole = self.emits_whole(arguments)
        with given_back():
            calls = ready_many(
                objects,
                Binding(self.values),
                self.engine,
                door,
                lambda _: None,
                _terms(arguments),
                watch,
                behind=stage.door,
            )

            def work(_: Engine) -> Any:
                found = calls()
                return found if whole else Objects(found.selected())

            return stage.begin(INVOKE, self.values, arguments, self.engine, work, calls.progress, calls.run)

    def _keep_errors(self, found: BulkResult, arguments: Mapping[str, Any]) -> None:
        if "error_variable" in arguments and not found.ok:
            errors = [item.failure() for item in found.items if not item.ok]
            keep(self.door, arguments["error_variable"], errors)

    def _end_when_dry(self, arguments: Mapping[str, Any], flow: Flow) -> None:
        """Ends the run behind -WhatIf, so that no later stage writes or expects anything."""
        dry = is_dry(arguments, self.engine, self.door)
        if dry and (flow.last is not self or self.door.shows_failures):
            raise Stopped

    def __repr__(self) -> str:
        return f"invoke_lm {self.values.get('FunctionName', '')}".rstrip()


def invoke(values: Mapping[str, Any], engine: Engine, door: Door, on_result: Callable[[InvokeResult], None]) -> Any:
    """Invoke-LMFunction for `values` (by parameter name): once, or once for each object of InputObject."""
    if "InputObject" not in values:
        for name in _FOR_MANY & values.keys():
            raise ParameterError(f"{name} is for many: give -InputObject, or pipe objects in.", parameter=name)
        return _cmdlets.invoke(values, engine, door, on_result)
    source = _source(values, door)
    file = source if isinstance(source, ItemsFile) else None
    line = {name: value for name, value in values.items() if name != "InputObject"}
    stage = InvokeStage(line, engine, door, on_result, file, for_all=True)
    return run([source if file is None else iter(file)], [stage])


_FOR_MANY: Final = frozenset(["Journal", "ItemKey", "OutFile", "SkipInvalid", "Engine", "ShareCredential"])


def _source(values: Mapping[str, Any], door: Door) -> Any:
    """The objects of InputObject; those of a file are read as JSON Lines."""
    value = values["InputObject"]
    if not isinstance(value, pathlib.PurePath):
        if values.get("SkipInvalid"):
            raise ParameterError(
                "SkipInvalid is for a file of objects: give -InputObject file://PATH.", parameter="SkipInvalid"
            )
        return value
    warn = functools.partial(door.tell, "warning")
    return ItemsFile(pathlib.Path(value), skip_invalid=bool(values.get("SkipInvalid")), tell=warn)


def _terms(arguments: Mapping[str, Any]) -> Terms:
    """How the line wants its calls made."""
    out_file, engine = arguments.get("out_file"), arguments.get("engine", "local")
    if not (isinstance(engine, str) and engine == "local") and not arguments.get("journal"):
        raise ParameterError(
            "Engine needs -Journal: what a cluster sends is written down before it is sent.", parameter="Engine"
        )
    if arguments.get("share_credential") and isinstance(engine, str) and engine == "local":
        raise ParameterError("ShareCredential is for -Engine: nothing is sent to workers.", parameter="ShareCredential")
    return Terms(
        arguments.get("throttle_limit", 10),
        arguments.get("delivery") == "AtLeastOnce",
        arguments.get("tolerated_failure_percent"),
        pathlib.Path(out_file).expanduser() if out_file is not None else None,
        engine,
        bool(arguments.get("share_credential")),
        None if arguments.get("journal") else arguments.get("item_key"),
    )


def resume(
    cmdlet: Cmdlet,
    values: Mapping[str, Any],
    engine: Engine,
    door: Door,
    on_result: Callable[[InvokeResult], None],
) -> Any:
    """Resume-LMRun for `values` (by parameter name): the run's line as its journal has it, with what is given now."""
    path = convert(cmdlet, {"Path": values.get("Path")}).get("path")
    if not path:
        raise ParameterError("Resume-LMRun needs -Path, the journal of the run.", parameter="Path")
    path = str(pathlib.Path(path).expanduser())
    binding, count, complete = stored_binding(path)
    if not complete:
        door.tell(
            "warning",
            f"The source of this run was not read to its end: only the {count:,} items that the journal holds are "
            "looked at. For the rest give the source again: invoke_lm ... -Journal ... -Resume.",
        )
    given = {name: value for name, value in values.items() if name in INVOKE.by_name}
    stage = InvokeStage({**binding.settings, **given, "Journal": path, "Resume": True}, engine, door, on_result)
    flow = Flow(last=stage)
    try:
        found = list(stage.each(StoredItems(path), flow, count))
    except Stopped:
        return NOTHING
    return Objects(found) if flow.many else found[0] if found else NOTHING
