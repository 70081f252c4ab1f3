"""Several objects looked at before the first call is sent: how many go where, what their guards say, who consents.

A list can be looked at as a whole. Of what comes one by one nobody knows how much will come: its objects meet their
guards as they come.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._batch import Batch
from lmfunction._client import Plan, make_plan
from lmfunction._cmdlets import intent_of
from lmfunction._door import Door
from lmfunction._emission import selector
from lmfunction._engine import Engine
from lmfunction._gathered import gather, is_dry
from lmfunction._guards import clear, concerned, confirm_repeats, foresee
from lmfunction._intent import Aim, Intent
from lmfunction._piped import bind_object
from lmfunction._table import INVOKE
from lmfunction.errors import LMError

_PROFILE: Final = frozenset(INVOKE.by_name["ProfileName"].spellings)
_CARRIED: Final = ("payload", "payload_stream", "client_context", "client_context_base64")


@dataclass(frozen=True)
class Binding:
    """The parameters of one line, which each piped object completes."""

    values: Mapping[str, Any]

    def __call__(self, value: Any) -> dict[str, Any]:
        """The parameters for `value`."""
        return bind_object(value, self.values)

    @property
    def has_one_target(self) -> bool:
        """Whether all objects go to the same function in the same way: nothing but the payload is left open."""
        return "FunctionName" in self.values


def surveyed(
    objects: Iterable[Any], count: int | None, bind: Binding, engine: Engine, door: Door
) -> tuple[Iterable[Any], Batch]:
    """The objects and their batch; of a known `count` of objects that are guarded, all that can be decided now is.

    Raises GuardError where a guard refuses any of them, with nothing sent.
    """
    line = gather(INVOKE, bind.values, engine)
    dry = is_dry(line.arguments, engine, door)
    guarded = concerned(line.profile, line.arguments)
    if count is None or (bind.has_one_target and not guarded):
        return objects, Batch(count, dry=dry)
    items = objects
    if not isinstance(objects, Collection):
        objects = iter(objects)
        items = list(itertools.islice(objects, count + 1))
        if len(items) != count:  # a hint that was none
            return itertools.chain(items, objects), Batch(None, dry=dry)
    if not guarded and not any(map(_names_a_profile, items)):
        return items, Batch(count, dry=dry)
    aims: collections.Counter[Aim] = collections.Counter()
    seen: dict[Aim, tuple[Intent, Mapping[str, Any]]] = {}
    for value in items:
        try:
            arguments, plan = _aimed(bind(value), engine)
        except LMError:
            continue  # told when its turn comes
        intent = intent_of(plan, alone=False)
        aims[intent.aim] += count if bind.has_one_target else 1
        seen.setdefault(intent.aim, (intent, arguments))
        if bind.has_one_target:
            break
    batch = Batch(count, aims, dry=dry)
    for aim, (intent, _) in seen.items():
        foresee(intent)
        batch.admit(intent.profile, aims[aim])
    for intent, arguments in seen.values():
        if not dry and concerned(intent.profile, arguments):
            clear(intent, arguments, engine, door, batch)
    return items, batch


def check_line(bind: Binding, engine: Engine) -> None:
    """Raises what is wrong with the line itself, which would be told of each object otherwise."""
    values = gather(INVOKE, bind.values, engine).arguments
    selector(INVOKE, values, bind.values)
    if bind.has_one_target:
        _aimed(bind.values, engine, without=_CARRIED[:2])


def consented_to_repeats(objects: Iterator[Any], bind: Binding, engine: Engine, door: Door) -> Iterator[Any]:
    """The objects, whose calls may be sent again although they may have run. Raises GuardError without a consent."""
    head = list(itertools.islice(objects, 1))
    for value in head:
        arguments, plan = _aimed(bind(value), engine)
        confirm_repeats(intent_of(plan, alone=False), arguments, engine, door)
    return itertools.chain(head, objects)


def met_by_the_first(objects: Iterable[Any], batch: Batch, bind: Binding, engine: Engine, door: Door) -> Iterable[Any]:
    """The objects, the first of which has met its guards while somebody can be asked, and found its connection.

    Raises GuardError where a guard refuses it, ProfileError without credentials.
    """
    rest = iter(objects)
    head = list(itertools.islice(rest, 1))
    for value in head:
        try:
            arguments, plan = _aimed(bind(value), engine)
        except LMError:
            continue  # told when its turn comes
        intent = intent_of(plan, alone=False)
        foresee(intent)
        if concerned(intent.profile, arguments):
            clear(intent, arguments, engine, door, batch)
        engine.connections.transport(plan.place)
    return objects if isinstance(objects, Collection) else itertools.chain(head, rest)


def _names_a_profile(value: Any) -> bool:
    """Whether a piped object says itself through which profile it goes."""
    return isinstance(value, Mapping) and any(
        isinstance(key, str) and key.replace("_", "").casefold() in _PROFILE for key in value
    )


def _aimed(
    values: Mapping[str, Any], engine: Engine, without: Sequence[str] = _CARRIED
) -> tuple[Mapping[str, Any], Plan]:
    """The arguments for one object, and its plan without what it carries."""
    gathered = gather(INVOKE, values, engine)
    arguments = {name: value for name, value in gathered.arguments.items() if name not in without}
    plan = make_plan(arguments, gathered.profile, gathered.aws_profile, warn=lambda _: None, given=gathered.given)
    return gathered.arguments, plan
