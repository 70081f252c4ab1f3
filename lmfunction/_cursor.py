"""Where the cursor stands in a line that is being typed: in which stage, after which parameters and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction._grammar import Form, Name, Scanner, Splat, Token, Value
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._paths import Path
from lmfunction._peek import UNKNOWN, step
from lmfunction.errors import ParameterError

# A value of these takes all that follows it in its stage.
_JOINED: Final = (Kind.EXPRESSION, Kind.NAMES)


@dataclass(frozen=True)
class Place:
    """The cursor's place: the tokens of each stage before it, those of its own, and the text that is being typed.

    `fragment` begins at `start`; it is `open` when it has a quote or bracket that is not closed.
    """

    text: str
    before: tuple[tuple[Token, ...], ...]
    tokens: tuple[Token, ...]
    fragment: str
    start: int
    open: bool


def place_of(text: str) -> Place | None:
    """The cursor's place at the end of `text`; None in a comment."""
    scanner = Scanner(text)
    stages: list[tuple[Token, ...]] = []
    tokens: list[Token] = []
    begin = 0
    while True:
        try:
            token = scanner.next_token()
        except ParameterError:
            return Place(text, (*stages,), (*tokens,), text[scanner.pos :], scanner.pos, open=True)
        if token is None:
            break
        if isinstance(token, str):
            stages.append((*tokens,))
            tokens, begin = [], scanner.pos
        else:
            tokens.append(token)
            begin = token.column - 1
    if scanner.pos < len(text):
        return None
    last = tokens[-1] if tokens else None
    typing = last is not None and not text[-1:].isspace() and not (isinstance(last, Name) and last.attached)
    if not typing:
        return Place(text, (*stages,), (*tokens,), "", len(text), open=False)
    return Place(text, (*stages,), (*tokens[:-1],), text[begin:], begin, open=False)


@dataclass
class Seen:
    """What a stage holds: the parameters in use with their values, values by place, a parameter that wants a value.

    A value is None where only running the line would tell which it is.
    """

    cmdlet: Cmdlet
    used: dict[str, Any] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    wanting: Parameter | None = None

    def next_positional(self) -> Parameter | None:
        """The parameter that a value at the cursor goes to, when it stands without a name."""
        free = [p for p in self.cmdlet.positional if p.name not in self.used]
        if len(self.values) < len(free):
            return next((p for p in free[: len(self.values)] if p.kind in _JOINED), free[len(self.values)])
        return free[-1] if free and free[-1].kind in _JOINED else None

    def bound(self, text: str, names: Mapping[str, Any]) -> dict[str, Any]:
        """Every value by its parameter's name, those by place too. `text` is the line."""
        found = dict(self.used)
        free = [p for p in self.cmdlet.positional if p.name not in self.used]
        for index, (parameter, value) in enumerate(zip(free, self.values, strict=False)):
            if parameter.kind in _JOINED:
                found[parameter.name] = text[value.column - 1 : self.values[-1].end]
                break
            found[parameter.name] = value_of(self.values[index], names)
        return found


def seen_in(cmdlet: Cmdlet, tokens: Sequence[Token], names: Mapping[str, Any]) -> Seen:
    """What the `tokens` after a cmdlet's name hold. `names` are the user's variables."""
    seen = Seen(cmdlet)
    for token in tokens:
        if isinstance(token, Name):
            seen.wanting = parameter_of(cmdlet, token.text)
            if seen.wanting is not None:
                seen.used[seen.wanting.name] = None
                if not token.attached and seen.wanting.kind in (Kind.SWITCH, Kind.BOOLEAN):
                    seen.used[seen.wanting.name] = True
                    seen.wanting = None
        elif isinstance(token, Splat):
            held = looked_up(token.path, names)
            for key, item in dict.items(held) if isinstance(held, dict) else ():
                parameter = parameter_of(cmdlet, str(key).removeprefix("-"))
                if parameter is not None:
                    seen.used.setdefault(parameter.name, item)
        elif isinstance(token, Value):
            if seen.wanting is not None:
                seen.used[seen.wanting.name] = value_of(token, names)
                seen.wanting = None
            else:
                seen.values.append(token)
    return seen


def parameter_of(cmdlet: Cmdlet, text: str) -> Parameter | None:
    """The parameter that `text` means, or None."""
    try:
        return cmdlet.find(text)
    except ParameterError:
        return None


def value_of(value: Value, names: Mapping[str, Any]) -> Any:
    """What a value means as far as that is known without running anything: text, a variable's object, else None."""
    if value.form in (Form.TEMPLATE, Form.EXPRESSION) and any(not isinstance(part, str) for part in value.parts):
        return None
    if value.form is Form.PATH and isinstance(value.parts[0], Path):
        found = looked_up(value.parts[0], names)
        return None if found is UNKNOWN else found
    return value.text


def looked_up(path: Path, names: Mapping[str, Any]) -> Any:
    """The object behind `$path`; UNKNOWN where there is none, or only running code would tell."""
    if path.environment or path.name not in names:
        return UNKNOWN
    found = names[path.name]
    for is_attribute, name in path.steps:
        found = step(found, name, is_attribute=is_attribute)
    return found
