"""What completion works with: the blank to fill in, what stands around it, and what may be written there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lmfunction._catalog import Catalog
from lmfunction._cursor import Place, Seen
from lmfunction._params import Cmdlet, Parameter

What = Literal[
    "cmdlet", "verb", "parameter", "value", "profile", "region", "function", "version", "key", "path", "variable"
]


@dataclass(frozen=True)
class Surroundings:
    """What completion looks at beside the line.

    `names` are the user's variables, `last` the last result there was, `defaults` the door's own by parameter name.
    Without a `catalog` Lambda is not asked. When something is `piped` into the line, its first stage may be a verb.
    """

    names: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    last: Any = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    catalog: Catalog | None = None
    piped: bool = False


@dataclass(frozen=True)
class Blank:
    """The value of `parameter`, to be written at `place`; `first` is the cmdlet of the line's first stage.

    `seen` is what the stage holds already.
    """

    parameter: Parameter
    place: Place
    seen: Seen
    first: Cmdlet | None
    around: Surroundings

    @property
    def cmdlet(self) -> Cmdlet:
        """The cmdlet or verb of the stage."""
        return self.seen.cmdlet

    def given(self) -> dict[str, Any]:
        """What the stage gives to other parameters; None where only running the line would tell."""
        return self.seen.bound(self.place.text, self.around.names)


@dataclass(frozen=True)
class Offer:
    """What may be written from `offset` of the fragment on; `about` describes it in a few words."""

    text: str
    what: What
    about: str = ""
    offset: int = 0
