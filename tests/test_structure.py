"""The shape of the package: who imports whom, what is public, what loading costs in modules."""

from __future__ import annotations

import ast
import functools
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lmfunction as lm

PACKAGE = Path(lm.__file__).parent
SHELVES = yaml.safe_load((Path(__file__).parent / "layers.yaml").read_text())
SHELF_OF = {room: index for index, shelf in enumerate(SHELVES) for room in shelf}
# __init__ names the public homes as text; `__version__` alone is read from below.
VERSION_ONLY = {
    (room, "__init__")
    for room in ("_audit_record", "_boto", "_dask_engine", "_dask_sender", "_journaling", "_terminal")
}


def room_of(path: Path) -> str:
    """The room that a file stands in: its module, or the folder of the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def runtime_imports(path: Path) -> set[str]:
    """The rooms that a file imports when it runs, also inside functions; not those for type checkers only."""
    tree = tree_of(path)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if (
            isinstance(node, ast.ImportFrom)
            and node.level == 0
            and (node.module or "").partition(".")[0] == "lmfunction"
        ):
            inside = (node.module or "").partition(".")[2]
            found |= {inside.partition(".")[0]} if inside else {alias.name for alias in node.names}  # type: ignore[attr-defined]
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("lmfunction.")}
    return {name if name in SHELF_OF else "__init__" for name in found}


FILES = sorted(p for p in PACKAGE.rglob("*.py") if "samples" not in p.parts)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A module imports from lower shelves only, so that each can be read without those above it."""
    room = room_of(path)
    assert room in SHELF_OF, f"{room} stands on no shelf of layers.yaml"
    for other in runtime_imports(path) - {room}:
        if (room, other) in VERSION_ONLY:
            continue
        assert SHELF_OF[other] < SHELF_OF[room], f"{room} imports {other}, which does not stand below it"


def test_every_room_exists() -> None:
    """layers.yaml names no room that is gone."""
    rooms = {room_of(path) for path in FILES}
    assert set(SHELF_OF) == rooms


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("boto3", {"_aws_session", "_service"}),
        ("botocore", {"_aws_session", "_boto", "_connection", "_credential_faults", "_line", "_service", "_transport"}),
        ("yaml", {"_yaml"}),
        ("IPython", {"_magics", "_matcher"}),
        ("traitlets", {"_magics"}),
        ("pandas", {"_frames"}),
        ("distributed", {"_dask_cluster", "_dask_post", "_dask_sender"}),
        ("matplotlib", {"_measurement_plot"}),
        ("jmespath", {"_select"}),
        ("xonsh", {"xontrib"}),
    ],
)
def test_a_library_is_known_in_its_rooms_only(library: str, homes: set[str]) -> None:
    """Only the door knows IPython, only `_yaml` knows YAML, only the bottom of the client knows the AWS SDK."""
    users = set()
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            if any(name.partition(".")[0] == library for name in names):
                users.add(room_of(path))
    assert users == homes


def test_the_public_names() -> None:
    """The public list is this one; each name can be reached and has a docstring of its own."""
    assert sorted(lm.__all__) == [
        "Attempt",
        "BulkError",
        "BulkResult",
        "Credential",
        "ExpectationError",
        "FunctionError",
        "FunctionFailure",
        "GuardError",
        "InvocationInterrupted",
        "Invoke",
        "InvokeRequest",
        "InvokeResult",
        "JournalError",
        "LMError",
        "LMWarning",
        "Measurement",
        "Outcome",
        "ParameterError",
        "ProfileError",
        "Report",
        "RetryPolicy",
        "Secret",
        "ServiceError",
        "Session",
        "StreamResult",
        "TransportError",
        "client",
        "defaults",
        "errors",
        "expect",
        "export_csv",
        "first",
        "foreach",
        "format_list",
        "from_json",
        "group",
        "import_csv",
        "invoke_lm",
        "lambda_invoke",
        "last",
        "measure",
        "out_file",
        "pipe",
        "publish_lm_function",
        "select",
        "sort",
        "table",
        "tee",
        "to_frame",
        "to_json",
        "where",
    ]
    for name in lm.__all__:
        assert inspect.getdoc(getattr(lm, name)), f"{name} has no docstring"


DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_public_functions_and_methods_have_docstrings() -> None:
    """Whatever has no underscore in its name says what it gives; a setter is told of where its value is got."""
    bare = []
    for path in FILES:
        if path.parent.name == "samples":  # handlers as their authors write them
            continue
        tree = tree_of(path)
        inner = _inner(tree)
        for node in ast.walk(tree):
            named = isinstance(node, DEFINITIONS) and not node.name.startswith("_") and not _is_setter(node)
            if named and node not in inner and ast.get_docstring(node) is None:
                bare.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}")
    assert bare == []


def _inner(tree: ast.AST) -> set[ast.AST]:
    """What stands inside a function or a private class."""
    found: set[ast.AST] = set()
    for outer in ast.walk(tree):
        private = isinstance(outer, ast.ClassDef) and outer.name.startswith("_")
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or private:
            found.update(node for node in ast.walk(outer) if node is not outer)
    return found


def _is_setter(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", ())
    return any(isinstance(decorator, ast.Attribute) and decorator.attr == "setter" for decorator in decorators)


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import lmfunction` and each door's module load no SDK, no YAML and no server."""
    heavy = ("boto3", "botocore", "yaml", "jmespath", "IPython", "asyncio", "lmfunction.local", "pandas", "matplotlib")
    program = (
        "import sys, lmfunction, lmfunction._table, lmfunction._help\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_the_version_stands_in_one_place() -> None:
    """The installed metadata and the module tell the same version."""
    from importlib.metadata import version

    assert version("lmfunction") == lm.__version__
