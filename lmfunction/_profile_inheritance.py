"""What a profile takes over from those it inherits from: rules add up, settings are replaced.

A child can only add to what protects: what it says against a rule of its parents is a fault of its file. Of several
parents' settings the last one's count, and of their rules all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lmfunction._profile_rules import folded
from lmfunction._profile_schema import Fault, Written

# Defaults that protect: once true they stay so. An abbreviation counts as the whole name.
_PROTECTING: Final = {"confirm": ("confirm", "cf"), "whatif": ("whatif", "wi")}


@dataclass(frozen=True)
class Inherited:
    """A profile that is inherited from, with all that it took over itself."""

    name: str
    written: Written


def with_parents(child: Written, parents: Sequence[Inherited]) -> tuple[Written, list[Fault]]:
    """What `child` says together with its parents, and the faults in which it or they contradict each other."""
    if not parents:
        return child, []
    base, quarrels = _together(parents)
    faults = [child.fault("inherits", quarrel) for quarrel in quarrels]
    names = ", ".join(parent.name for parent in parents)
    faults += [child.fault(key, f"{told} of {names}, which it inherits.") for key, told in _weakened(child, base)]
    whole = replace(
        _added(base, child),
        confirm=_any(base.confirm, child.confirm),
        allow_force=_all(_force_of(base), _force_of(child)),
        audit_required=_any(base.audit_required, child.audit_required),
        inherits=tuple(dict.fromkeys([*child.inherits, *base.inherits])),
        places=child.places,
    )
    return whole, faults


def _together(parents: Sequence[Inherited]) -> tuple[Written, list[str]]:
    """The parents as one, and where they cannot be."""
    quarrels = []
    base = parents[0].written
    for parent in parents[1:]:
        other = parent.written
        for what, left, right in (
            ("accounts", base.account, other.account),
            ("audit files", base.audit_file, other.audit_file),
        ):
            if left is not None and right is not None and left != right:
                quarrels.append(f"inherits: {parent.name} and another want different {what}: {right} and {left}.")
        base = replace(
            _added(base, other),
            confirm=_any(base.confirm, other.confirm),
            allow_force=_all(_force_of(base), _force_of(other)),
            audit_required=_any(base.audit_required, other.audit_required),
            inherits=tuple(dict.fromkeys([*base.inherits, *other.inherits])),
        )
    return base, quarrels


def _added(base: Written, more: Written) -> Written:
    """Settings of `more` before those of `base`; lists of both."""
    limits = [limit for limit in (base.max_items, more.max_items) if limit is not None]
    return replace(
        base,
        aws_profile=more.aws_profile or base.aws_profile,
        region=more.region or base.region,
        endpoint=more.endpoint or base.endpoint,
        account=base.account or more.account,
        defaults=_defaults(base.defaults, more.defaults),
        functions={**base.functions, **more.functions},
        allow_lists=tuple(dict.fromkeys([*more.allow_lists, *base.allow_lists])),
        deny=tuple(dict.fromkeys([*base.deny, *more.deny])),
        max_items=min(limits, default=None),
        redaction=base.redaction.and_also(more.redaction),
        audit_file=base.audit_file or more.audit_file,
    )


def _weakened(child: Written, base: Written) -> Iterator[tuple[str, str]]:
    """The keys of `child` that say less than `base` does, with what they would undo."""
    if child.confirm is False and base.confirm:
        yield "guard.confirm", "guard.confirm: it would take away the confirmation"
    if child.allow_force and _force_of(base) is False:
        yield "guard.allow_force", "guard.allow_force: it would let -Force skip the confirmation"
    if child.max_items is not None and base.max_items is not None and child.max_items > base.max_items:
        yield "guard.max_items", f"guard.max_items: {child.max_items} is more than the {base.max_items}"
    if child.account is not None and base.account is not None and child.account != base.account:
        yield "account", f"account: it is not the account {base.account}"
    if child.audit_required is False and base.audit_required:
        yield "audit.required", "audit.required: it would take away the required audit"
    if child.audit_file is not None and base.audit_file is not None and child.audit_file != base.audit_file:
        yield "audit", "audit: another file than the one"
    # The account is asked of AWS; a call to somebody else's host would not be held up by it.
    elsewhere = child.endpoint not in (None, "embedded", base.endpoint or "aws")
    if base.account is not None and elsewhere:
        yield "endpoint", f"endpoint: it leads away from the endpoint ({base.endpoint or 'aws'}) and the account"
    yield from _weakened_defaults(child, base)


def _weakened_defaults(child: Written, base: Written) -> Iterator[tuple[str, str]]:
    kept = [name for name, spellings in _PROTECTING.items() if _says(base.defaults, spellings, True)]
    for name in kept:
        key = next(_keys(child.defaults, _PROTECTING[name], lambda value: value is not True), None)
        if key is not None:
            yield f"defaults.{key}", f"defaults: {key} would take away the {name} default"
    if "confirm" in kept:
        key = next(_keys(child.defaults, ("force",), lambda value: value is not False), None)
        if key is not None:
            yield f"defaults.{key}", f"defaults: {key} would skip the confirmation"


def _says(defaults: Mapping[str, Any], spellings: Iterable[str], wanted: bool) -> bool:
    return next(_keys(defaults, spellings, lambda value: value is wanted), None) is not None


def _keys(defaults: Mapping[str, Any], spellings: Iterable[str], fits: Callable[[Any], bool]) -> Iterator[str]:
    spellings = tuple(spellings)
    for key, value in defaults.items():
        if folded(key) and any(spelling.startswith(folded(key)) for spelling in spellings) and fits(value):
            yield key


def _defaults(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Both; a name that `more` spells otherwise is the same name."""
    replaced = {folded(key) for key in more}
    return {**{key: value for key, value in base.items() if folded(key) not in replaced}, **more}


def _force_of(written: Written) -> bool | None:
    """Whether -Force may skip the confirmation; None where nothing is confirmed nor said."""
    return written.allow_force if written.allow_force is not None else False if written.confirm else None


def _any(left: bool | None, right: bool | None) -> bool | None:
    return left or right if left is not None and right is not None else left if right is None else right


def _all(left: bool | None, right: bool | None) -> bool | None:
    return left and right if left is not None and right is not None else left if right is None else right
