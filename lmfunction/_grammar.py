"""One line, taken apart: stages, parameters, values. Nothing is evaluated here.

::

    pipeline := stage ('|' stage)*          '|' counts only outside quotes and brackets
    arg      := -Name value | -Name:value | --kebab-name value | --kebab-name=value | -Switch | value | @splat | -?
    value    := 'literal' | "template" | {bracketed} | [bracketed] | $path | $env:NAME | $(expr) | @(expr) | word

A value keeps the form it was written in; the parameter it is bound to decides how it is read. Columns count from 1.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lmfunction._paths import (
    OPEN,
    PATH,
    QUOTES,
    Part,
    Path,
    bracket_end,
    fault,
    object_at,
    path_of,
    quote_end,
    template_parts,
)
from lmfunction.errors import ParameterError

# Hyphen, en dash, em dash and horizontal bar: PowerShell takes each as a parameter's dash, and word processors
# turn one into the other.
_DASHES: Final = "-–—―"
_NAME: Final = re.compile(r"[A-Za-z_][\w-]*")
_DANGLING: Final = "Nothing follows this |."
_ONE_PIPELINE: Final = "Only the end of a line may be a ';': one line is one pipeline."
_LINE_END: Final = re.compile(r";[\s;]*(?:#.*)?\Z", re.DOTALL)


class Form(enum.Enum):
    """How a value was written."""

    LITERAL = "'...'"
    TEMPLATE = '"..."'
    BRACKETED = "{...} or [...]"
    PATH = "$name"
    EXPRESSION = "$(...)"
    WORD = "word"
    LIST = "'...',$name"  # begins with a quoted text or a $name and goes on with a comma
    ARGUMENT = "argument"  # from the terminal: the shell has done the quoting


@dataclass(frozen=True, slots=True)
class Value:
    """A value as written. `text` is its content; `parts` what a template, path or expression consists of."""

    form: Form
    text: str
    column: int
    parts: tuple[Part, ...] = ()
    end: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """`-Name`; `attached` when a colon or `=` binds the next value to it."""

    text: str
    column: int
    attached: bool = False


@dataclass(frozen=True, slots=True)
class Splat:
    """`@name`: parameters from a mapping."""

    path: Path
    column: int


@dataclass(frozen=True, slots=True)
class Help:
    """`-?`."""

    column: int


Token = Value | Name | Splat | Help


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a pipeline. `source` is the whole line, for carets."""

    tokens: tuple[Token, ...]
    source: str
    column: int = 1


def parse_line(text: str) -> tuple[Stage, ...]:
    """The stages of a line as a magic gets it, without the magic's own name.

    Raises ParameterError with the column of an open quote or bracket, or of an empty stage.
    """
    scanner = Scanner(text)
    stages: list[Stage] = []
    tokens: list[Token] = []
    start = 1
    while (found := scanner.next_token()) is not None:
        if found == "|":
            _check_stage(tokens, stages, text, scanner.pos)
            stages.append(Stage(tuple(tokens), text, start))
            tokens, start = [], scanner.pos + 1
        else:
            assert not isinstance(found, str)
            tokens.append(found)
    if stages and not tokens:
        raise fault(_DANGLING, text, scanner.last_pipe)
    return (*stages, Stage(tuple(tokens), text, start))


def parse_arguments(arguments: Sequence[str], *, variables: bool = False) -> Stage:
    """The one stage that a terminal's arguments are: each is one value, and `$` is not special.

    With `variables`, for a shell that leaves those it does not know as they stand, an argument that is a `$path` or
    `@splat` and nothing else is one.
    """
    source = " ".join(_shown(a) for a in arguments)
    tokens: list[Token] = []
    column, only_values = 1, False
    for argument in arguments:
        found: list[Token] = [Value(Form.ARGUMENT, argument, column, end=column + len(_shown(argument)))]
        if not only_values:
            if argument == "--":
                only_values, found = True, []
            else:
                found = _argument_tokens(argument, column) or found
            if variables:
                found = [_as_variable(token) for token in found]
        tokens += found
        column += len(_shown(argument)) + 1
    return Stage(tuple(tokens), source)


def logical_lines(text: str) -> Iterator[str]:
    """The pipelines of a text with several: one a line, continued by a `|` at the end or at the begin of the next
    line, by a backtick or backslash at the end, or while a bracket or quote is open. Empty lines and comments are left
    out; inside an open quote everything stays as it is.
    """
    pending, state = "", _State.WHOLE
    for line in text.splitlines():
        stripped = line.strip()
        if state is _State.QUOTED:
            pending += f"\n{line}"
        elif not stripped or stripped.startswith("#"):
            continue
        elif pending and (state is _State.OPEN or stripped.startswith("|")):
            pending += f" {stripped}"
        else:
            if pending:
                yield pending
            pending = stripped
        pending, state = _continued(pending)
    if pending:
        yield pending


class _State(enum.Enum):
    """How a line ends: whole, to be continued, or inside a quote."""

    WHOLE = 0
    OPEN = 1
    QUOTED = 2


def _continued(text: str) -> tuple[str, _State]:
    """The line without a comment or sign of continuation at its end, and how it ends."""
    if text.endswith(("`", "\\")) and _ending(text[:-1]) is not _State.QUOTED:
        return text[:-1].rstrip(), _State.OPEN
    return _without_comment(text), _ending(text)


def _ending(text: str) -> _State:
    try:
        parse_line(text)
    except ParameterError as error:
        message = str(error.args[0])
        if "is not closed" in message:
            return _State.QUOTED if message[len("This ")] in QUOTES else _State.OPEN
        return _State.OPEN if message == _DANGLING else _State.WHOLE
    return _State.WHOLE


def _without_comment(text: str) -> str:
    scanner = Scanner(text)
    try:
        while scanner.next_token() is not None:
            pass
    except ParameterError:
        return text  # the comment's place is not known; what is wrong is told when the line is run
    return text[: scanner.pos].rstrip()


class Scanner:
    """Reads tokens off a line, one after the other; `pos` is where the next one is looked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.last_pipe = 1
        self.only_values = False

    def next_token(self) -> Token | str | None:
        """The next token, `"|"` between stages, None at the end."""
        self._skip_blank()
        if self._at_end():
            return None
        char = self.text[self.pos]
        if char == "|":
            self.pos += 1
            self.last_pipe = self.pos
            self.only_values = False
            return "|"
        if char == ";":
            raise fault(_ONE_PIPELINE, self.text, self.pos + 1)
        if char in _DASHES and not self.only_values:
            if self._ends_parameters():
                return self.next_token()
            found = self._dashed()
            if found is not None:
                return found
        return self._splat() or self._value()

    def _skip_blank(self) -> None:
        while self.pos < len(self.text) and self.text[self.pos].isspace():
            self.pos += 1

    def _at_end(self) -> bool:
        return self.pos >= len(self.text) or self.text[self.pos] == "#" or self._ends_line(self.pos)

    def _ends_line(self, position: int) -> bool:
        """Whether from `position` on there is only a `;`, blanks and a comment."""
        return self.text.startswith(";", position) and _LINE_END.match(self.text, position) is not None

    def _boundary(self, position: int) -> bool:
        rest = self.text[position : position + 1]
        return not rest or rest.isspace() or rest == "|" or self._ends_line(position)

    def _ends_parameters(self) -> bool:
        """Whether `--` stands here alone: what follows are values, dashes and all."""
        if self.text[self.pos + 1 : self.pos + 2] not in tuple(_DASHES) or not self._boundary(self.pos + 2):
            return False
        self.pos += 2
        self.only_values = True
        return True

    def _dashed(self) -> Token | None:
        column = self.pos + 1
        if self.text[self.pos + 1 : self.pos + 2] == "?" and self._boundary(self.pos + 2):
            self.pos += 2
            return Help(column)
        start = self.pos + 1
        if self.text[start : start + 1] in tuple(_DASHES):
            start += 1
        match = _NAME.match(self.text, start)
        if match is None:
            return None
        attached = self.text[match.end() : match.end() + 1] in (":", "=") and self.text[match.end()] in _separators(
            match.start() - self.pos
        )
        if not attached and not self._boundary(match.end()):
            raise fault(f"Unexpected text after -{match.group()}.", self.text, match.end() + 1)
        self.pos = match.end() + attached
        return Name(match.group(), column, attached)

    def _splat(self) -> Token | None:
        following = self.text[self.pos + 1 : self.pos + 2]
        if self.text[self.pos] != "@" or following == "(" or following in (".", "[") or self._boundary(self.pos + 1):
            return None  # a bare @ is JMESPath's name for the object itself
        column = self.pos + 1
        match = PATH.match("$" + self.text[self.pos + 1 :])
        if match is None or match["env"]:
            raise fault("After @ stands a variable that holds parameters, or (expression).", self.text, column)
        end = self.pos + match.end()
        if not self._boundary(end):
            raise fault("Unexpected text after the @variable.", self.text, end + 1)
        self.pos = end
        return Splat(path_of(match), column)

    def _value(self) -> Value:
        start = self.pos
        char = self.text[start]
        if char == "'":
            value = self._literal()
        elif char == '"':
            value = self._template()
        elif found := object_at(self.text, start, 1, self.text):
            part, end = found
            form = Form.PATH if isinstance(part, Path) else Form.EXPRESSION
            value = Value(form, self.text[start:end], start + 1, (part,), end)
        else:
            return self._word(Form.BRACKETED if char in "{[" else Form.WORD)
        if not self._boundary(value.end):
            if self.text[value.end] == ",":
                return self._word(Form.LIST)
            if char == '"' and self.text[value.end] in ".[":
                return self._word(Form.WORD)  # JMESPath's "quoted name".more
            hint = ' Put text around a $variable in double quotes: "orders-$stage".' if char in "$@" else ""
            raise fault(f"Unexpected text after the value.{hint}", self.text, value.end + 1)
        self.pos = value.end
        return value

    def _literal(self) -> Value:
        match = re.compile(r"'((?:[^']|'')*)'", re.DOTALL).match(self.text, self.pos)
        if match is None:
            raise fault("This ' is not closed.", self.text, self.pos + 1)
        return Value(Form.LITERAL, match[1].replace("''", "'"), self.pos + 1, end=match.end())

    def _template(self) -> Value:
        end = self.pos + 1
        while end < len(self.text) and not (self.text[end] == '"' and self.text[end + 1 : end + 2] != '"'):
            if self.text[end] in '"\\':  # doubled, or escaped
                end += 2
            elif self.text.startswith("$(", end):
                end = bracket_end(self.text, end + 1, self.text)
            else:
                end += 1
        if end >= len(self.text):
            raise fault('This " is not closed.', self.text, self.pos + 1)
        inner = self.text[self.pos + 1 : end]
        parts = template_parts(inner, self.pos + 2, self.text)
        return Value(Form.TEMPLATE, inner, self.pos + 1, parts, end + 1)

    def _word(self, form: Form) -> Value:
        start = position = self.pos
        while not self._boundary(position):
            char = self.text[position]
            if char in OPEN:
                position = bracket_end(self.text, position, self.text)
            elif char in ")]}":
                raise fault(f"This {char} closes nothing.", self.text, position + 1)
            elif char in QUOTES:
                position = quote_end(self.text, position, self.text)
            elif char == ";" and self.text[position + 1 : position + 2].isspace():
                raise fault(_ONE_PIPELINE, self.text, position + 1)
            else:
                position += 1
        self.pos = position
        return Value(form, self.text[start:position], start + 1, end=position)


def _separators(dashes: int) -> str:
    """What may bind a value to its name: `-Name:value`, and for `--kebab-name` also `=`."""
    return ":" if dashes == 1 else ":="


def _argument_tokens(argument: str, column: int) -> list[Token]:
    """The tokens of one terminal argument that is a parameter, or nothing."""
    if argument in tuple(f"{dash}?" for dash in _DASHES):
        return [Help(column)]
    if not argument or argument[0] not in _DASHES:
        return []
    dashes = 2 if argument[1:2] in tuple(_DASHES) else 1
    match = _NAME.match(argument, dashes)
    if match is None:
        return []
    rest = argument[match.end() :]
    if not rest:
        return [Name(match.group(), column)]
    if rest[0] not in _separators(dashes):
        return []
    value = Value(Form.ARGUMENT, rest[1:], column + match.end() + 1, end=column + len(argument))
    return [Name(match.group(), column, attached=True), value]


def _as_variable(token: Token) -> Token:
    """The token, or the variable that a whole argument names."""
    if not isinstance(token, Value):
        return token
    sign = token.text[:1]
    match = PATH.fullmatch("$" + token.text[1:]) if sign in ("$", "@") else None
    if match is None:
        return token
    if sign == "$":
        return Value(Form.PATH, token.text, token.column, (path_of(match),), token.end)
    return token if match["env"] else Splat(path_of(match), token.column)


def _check_stage(tokens: list[Token], stages: list[Stage], text: str, column: int) -> None:
    if not tokens and stages:
        raise fault("Nothing stands between these |. A JMESPath || or | needs quotes.", text, column)


def _shown(argument: str) -> str:
    return f"'{argument}'" if not argument or re.search(r"[\s'\"|;]", argument) else argument
