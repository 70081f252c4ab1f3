"""Jupyter's own test of a kernel's messages, with the extension loaded at its start."""

from __future__ import annotations

from typing import Any, ClassVar

import jupyter_kernel_test
import pytest


@pytest.fixture(scope="module", autouse=True)
def _a_kernel_with_the_extension(surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every kernel that is started here loads the extension as a user's configuration does."""
    profile = tmp_path_factory.mktemp("ipython") / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text(
        "c.InteractiveShellApp.extensions = ['lmfunction']\n"
        "c.InteractiveShellApp.exec_lines = ['%config LMFunction.profile_name = \"local\"']\n"
    )
    patch = pytest.MonkeyPatch()
    for name, value in surroundings.items():
        patch.setenv(name, value)
    patch.setenv("IPYTHONDIR", str(profile.parent))
    yield
    patch.undo()


class TestProtocol(jupyter_kernel_test.KernelTests):
    """The messages are well-formed, and lmfunction's lines are answered among Python's."""

    kernel_name = "python3"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = '%invoke_lm hello -Payload {"name": "x"} | foreach { print("hello, world") }'
    code_stderr = "import sys\nprint('test', file=sys.stderr)"
    code_page_something = "%Invoke-LMFunction?"
    code_generate_error = "%invoke_lm hello -NoSuchParameter 1"
    code_inspect_sample = "%Invoke-LMFunction"
    code_clear_output = "from IPython.display import clear_output\nclear_output()"
    completion_samples: ClassVar[list[dict[str, Any]]] = [
        {"text": "%invoke_lm hello -LogT", "matches": {"-LogType"}},
        {"text": "r = %Invoke-LMFunction hello -LogType ", "matches": {"None", "Tail"}},
        {"text": "%%lm\n$x | whe", "matches": {"where"}},
        {"text": "zi", "matches": {"zip"}},
    ]
    complete_code_samples: ClassVar[list[str]] = ["1", "%invoke_lm hello", "r = %invoke_lm hello -LogType Tail"]
    incomplete_code_samples: ClassVar[list[str]] = ["print('''hello", "for i in range(3):", "%%invoke_lm hello"]
    invalid_code_samples: ClassVar[list[str]] = ["import = 7q"]
    code_execute_result: ClassVar[list[dict[str, str]]] = [
        {"code": "6*7", "result": "42"},
        {"code": "%invoke_lm echo -Payload [1,2] -Select Payload", "result": "[1, 2]"},
        {"code": "%invoke_lm echo -Payload 7", "mime": "text/html"},
    ]
    code_display_data: ClassVar[list[dict[str, str]]] = [{"code": "%invoke_lm hello -WhatIf", "mime": "text/html"}]
    code_history_pattern = "6?7"
    # Not "range": ipykernel counts the running session as 0, which the test does not expect, without us too.
    supported_history_operations: ClassVar[tuple[str, ...]] = ("tail", "search")
    code_interrupt = '%invoke_lm slow -Payload {"seconds": 60}'
