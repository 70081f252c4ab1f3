"""What a row of the parameter table says, and which parameter a typed name means. The rows stand in `_table`.

Binder, help, completion, doors and the README's check all read it. A parameter's `kind` decides how a literal is read;
its `rank` decides which of several parameters a prefix means, by PowerShell's rule
(`MergedCommandParameterMetadata.GetMatchingParameter`): an exact name, then an exact alias, then the prefix over names
and aliases, where a declared parameter beats the common ones when exactly one declared one is left. Parameters that
PowerShell's cmdlet does not have (`Rank.OURS`) are looked at last, so that no prefix means something else here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from lmfunction._text import did_you_mean
from lmfunction.errors import ParameterError


class Kind(enum.StrEnum):
    """How a parameter's value is read."""

    TEXT = "text"
    JSON = "JSON"  # JSON text as written, or a Python object to be written as JSON
    STREAM = "bytes"  # bytes, an open file, a path, lines
    BASE64 = "base64 text"
    CHOICE = "choice"
    SWITCH = "switch"
    SECONDS = "seconds"
    WHOLE = "whole number"
    MAP = "mapping"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    OBJECT = "object"
    ITEMS = "objects"  # a variable that holds them, or the file of JSON Lines that does
    VARIABLE = "variable name"
    EXPRESSION = "JMESPath"  # the line's text as written, blanks and all
    BLOCK = "block"  # { a Python expression over $_ }, or a function
    NAMES = "names"  # a,b,c
    BOOLEAN = "true or false"  # alone it is true; a value that follows and reads as true or false is taken
    NUMBER = "number"
    TIME = "time"  # ISO 8601, or seconds since 1970
    BLOB = "data"  # bytes, text, an open file, a Path, fileb://PATH
    FILE = "path"  # of a file whose bytes are the value
    LIST = "a,b,c"  # texts; one that holds a comma stands in quotes or in a JSON list
    SOURCE = "source"  # text, or a mapping that says where it is
    OBJECTS = "list"  # JSON, or a list of mappings
    LITERAL = "value"  # a word that looks like a number, true, false or null is one; quoted it is text


class Rank(enum.IntEnum):
    """Whose parameter it is: the PowerShell cmdlet's own, one that all its cmdlets share, or ours."""

    DECLARED = 0
    COMMON = 1
    OURS = 2


def snake_case(name: str) -> str:
    """A parameter's name as Python spells it: `function_name` for FunctionName."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@dataclass(frozen=True)
class Parameter:
    """One row of the table. `position` counts from 1; `refused` says why a known PowerShell parameter is not taken."""

    name: str
    kind: Kind
    help: str
    aliases: tuple[str, ...] = ()
    position: int | None = None
    by_value: bool = False
    by_name: bool = True
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    default: str = ""
    rank: Rank = Rank.DECLARED
    excludes: tuple[str, ...] = ()
    mandatory: bool = False
    refused: str = ""
    path: tuple[str, ...] = ()  # the members of an API request, from the outside in, that it fills
    sensitive: bool = False  # the API's model says that its value must not be shown
    generated: bool = False  # read from the API's model, so that another boto3 may have it otherwise

    @cached_property
    def target(self) -> str:
        """The name inside Python: `function_name` for FunctionName."""
        return snake_case(self.name)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Name and aliases, folded, without the underscores of a member's path."""
        return tuple(n.replace("_", "").casefold() for n in (self.name, *self.aliases))


@dataclass(frozen=True)
class Example:
    """A line that help shows, and what it does."""

    line: str
    text: str


@dataclass(frozen=True, eq=False)
class Cmdlet:
    """A cmdlet under its PowerShell name and its Python names. `body` is the parameter that a cell's body feeds."""

    name: str
    python_names: tuple[str, ...]
    synopsis: str
    parameters: tuple[Parameter, ...]
    body: str | None = None
    examples: tuple[Example, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Parameter]:
        """The parameters by their names."""
        return {p.name: p for p in self.parameters}

    @cached_property
    def by_target(self) -> Mapping[str, Parameter]:
        """The parameters by their Python names."""
        return {p.target: p for p in self.parameters}

    @cached_property
    def by_keyword(self) -> Mapping[str, Parameter]:
        """The parameters by the Python spelling of their names and aliases."""
        return {**{snake_case(alias): p for p in self.parameters for alias in p.aliases}, **self.by_target}

    @cached_property
    def positional(self) -> tuple[Parameter, ...]:
        """The parameters with a position, in order."""
        found = [p for p in self.parameters if p.position is not None]
        return tuple(sorted(found, key=lambda p: p.position or 0))

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it goes by."""
        return (self.name, *self.python_names)

    def find(self, text: str) -> Parameter:
        """The parameter that `text` (without its dash, any case, `kebab-case` too) means.

        Raises ParameterError when it means none, or more than one.
        """
        wanted = text.replace("-", "").replace("_", "").casefold()
        for spelling in (0, slice(1, None)):
            exact = [p for p in self.parameters if wanted in _as_tuple(p.spellings[spelling])]
            if exact:
                return exact[0]
        hits = [p for p in self.parameters if wanted and any(s.startswith(wanted) for s in p.spellings)]
        powershell = [p for p in hits if p.rank is not Rank.OURS]
        if len(powershell or hits) == 1:
            return (powershell or hits)[0]
        declared = [p for p in powershell if p.rank is Rank.DECLARED]
        # A structure stands beside its leaves (-VpcConfig, -VpcConfig_SubnetIds): of these the prefix means the whole.
        declared = [p for p in declared if len(p.path) < 2 or not any(o.path == p.path[:1] for o in declared)]
        if len(declared) == 1:
            return declared[0]
        if not hits:
            known = [n for p in self.parameters for n in (p.name, *p.aliases)]
            raise ParameterError(f"{self.name} has no parameter -{text}.{did_you_mean(wanted, known, prefix='-')}")
        meant = " ".join(f"-{p.name}" for p in declared or powershell or hits)
        raise ParameterError(f"-{text} is ambiguous: it begins {meant}. Type more of the name.")


class LazyCmdlet(Cmdlet):
    """A cmdlet whose parameters and help are made when they are first asked for; until then it costs its names."""

    def __init__(self, name: str, python_names: tuple[str, ...], make: Callable[[], Cmdlet]) -> None:
        for field, value in (("name", name), ("python_names", python_names), ("_make", make)):
            object.__setattr__(self, field, value)

    @cached_property
    def _made(self) -> Cmdlet:
        make: Callable[[], Cmdlet] = self.__dict__["_make"]
        return make()

    @property
    def synopsis(self) -> str:
        """What it does, in a sentence."""
        return self._made.synopsis

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of help."""
        return self._made.parameters

    @property
    def body(self) -> str | None:
        """The parameter that a cell's body feeds; None where there is none."""
        return self._made.body

    @property
    def examples(self) -> tuple[Example, ...]:
        """Its examples."""
        return self._made.examples


def _as_tuple(found: str | tuple[str, ...]) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else found
