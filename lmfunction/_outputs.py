"""Files that a pipeline writes: whole or not at all, and refused before anything is sent when that cannot be done."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from lmfunction._jsonable import json_text, jsonable
from lmfunction._pipeline import Flow
from lmfunction.errors import ParameterError

Options = Mapping[str, Any]


class Writing:
    """A file that appears under its name when all is written, or not at all; appending writes to it directly."""

    def __init__(self, options: Options) -> None:
        self.path = path_of(options)
        self.append = bool(options.get("append"))
        self.part = self.path if self.append else self.path.with_name(f".{self.path.name}.{os.getpid()}.part")

    def __enter__(self) -> io.TextIOWrapper:
        try:
            # Half of a surrogate pair, which JSON text can hold, is written as its escape.
            self.file = self.part.open(
                "a" if self.append else "w", encoding="utf-8", errors="backslashreplace", newline=""
            )
        except OSError as error:
            raise _unwritable(self.path, error) from None
        return self.file

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.file.close()
        if self.append:
            return
        if kind is None or kind is GeneratorExit:  # a later stage had enough: what came is kept
            self.part.replace(self.path)
        else:
            self.part.unlink(missing_ok=True)


def check_file(options: Options) -> None:
    """Refuses a file that cannot be written. Raises ParameterError."""
    path = path_of(options)
    name = "Path" if "path" in options else "FilePath"
    if path.is_dir():
        raise ParameterError(f"{path} is a folder; name a file.", parameter=name)
    if not path.parent.is_dir():
        raise ParameterError(f"{path} cannot be written: there is no folder {path.parent}.", parameter=name)
    if not os.access(path if path.exists() and options.get("append") else path.parent, os.W_OK):
        raise ParameterError(f"{path} cannot be written: permission denied.", parameter=name)
    if options.get("no_clobber") and path.exists() and not options.get("append"):
        raise ParameterError(f"{path} exists, and -NoClobber keeps it.", parameter="NoClobber")


def path_of(options: Options) -> pathlib.Path:
    """The file that the options name; `~` is the home folder."""
    return pathlib.Path(options["path"] if "path" in options else options["file_path"]).expanduser()


def out_file(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Out-File: as the objects come, under a temporary name until all are written."""
    with Writing(options) as file:
        for value in objects:
            file.write(f"{line_of(value)}\n")
    flow.many = False
    return iter(())


def tee_file(objects: Iterator[Any], options: Options) -> Iterator[Any]:
    """Lets the objects through, writing each to the file."""
    with Writing(options) as file:
        for value in objects:
            file.write(f"{line_of(value)}\n")
            yield value


def line_of(value: Any) -> str:
    """Text as it is, anything else as one line of JSON."""
    return value if isinstance(value, str) else json_text(jsonable(value))


def _unwritable(path: pathlib.Path, error: OSError) -> ParameterError:
    return ParameterError(f"{path} cannot be written: {error.strerror}.")
