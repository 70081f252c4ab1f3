"""A folder as definitions of functions: one function, or one for each folder and each module in it.

A module is a function's when it defines `handler` or `lambda_handler`, which is found by reading: importing would run
it here. A folder is one function when the module has one of the usual names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lmfunction._text import one_line
from lmfunction.errors import ParameterError
from lmfunction.local._definition import Code, Definition
from lmfunction.local._functions import OWN_RUNTIME

HANDLERS: Final = ("handler", "lambda_handler")
FOLDER_TIMEOUT: Final = 60
_USUAL: Final = ("lambda_function", "app", "handler", "main", "index")
_NODE_SUFFIXES: Final = (".mjs", ".js", ".cjs")
_NODE_RUNTIME: Final = "nodejs22.x"
_NODE_HANDLER: Final = re.compile(r"\bexports\.handler\b|\bexport\b[^\n;]*\bhandler\b")
_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]+")


def read_folder(folder: Path, *, python_runtime: str = OWN_RUNTIME) -> tuple[Definition, ...]:
    """The functions in `folder`, by name. Raises ParameterError when there is none."""
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise ParameterError(f"There is no folder {one_line(str(folder), 200)}.", parameter="Folder")
    own = _function_in(folder, python_runtime)
    found = [own] if own is not None else [*_functions_below(folder, python_runtime)]
    if not found:
        raise ParameterError(
            f"{one_line(str(folder), 200)} holds no function: neither it nor a folder in it has an app.py, "
            "lambda_function.py, index.mjs or bootstrap, and no .py file in it defines handler or lambda_handler.",
            parameter="Folder",
        )
    return tuple(sorted(found, key=lambda definition: definition.name))


def default_handler(file: Path) -> str | None:
    """The usual handler name that `file` defines; None when there is none, or it cannot be read."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    defined: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):  # handler = Mangum(app)
            defined.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return next((name for name in HANDLERS if name in defined), None)


def _functions_below(folder: Path, runtime: str) -> Iterator[Definition]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            found = _function_in(path, runtime)
            if found is not None:
                yield found
        elif path.suffix == ".py" and "." not in path.stem and (name := default_handler(path)) is not None:
            yield _definition(path.stem, folder, f"{path.stem}.{name}", runtime)


def _function_in(folder: Path, runtime: str) -> Definition | None:
    """The function that `folder` is, whose code may be Python, JavaScript or a `bootstrap`."""
    names = (*_USUAL, folder.name)
    for name in names:
        found = default_handler(folder / f"{name}.py")
        if found is not None:
            return _definition(folder.name, folder, f"{name}.{found}", runtime)
    for name in names:
        for suffix in _NODE_SUFFIXES:
            if _is_node_handler(folder / f"{name}{suffix}"):
                return _definition(folder.name, folder, f"{name}.handler", _NODE_RUNTIME)
    if (folder / "bootstrap").is_file():
        return _definition(folder.name, folder, "bootstrap", "provided.al2023")
    return None


def _is_node_handler(file: Path) -> bool:
    try:
        return _NODE_HANDLER.search(file.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False


def _definition(name: str, folder: Path, handler: str, runtime: str) -> Definition:
    plain = _NO_NAME.sub("-", name).strip("-")[:64] or "function"
    members = {"Handler": handler, "Runtime": runtime, "Timeout": FOLDER_TIMEOUT}
    return Definition(plain, str(folder), Code(folder=folder), members)
