"""The magics in a real IPython shell, in process: what a line gives, shows and leaves behind."""

from __future__ import annotations

import atexit
import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from messages import without_place
from traitlets import Type
from traitlets.config import Config

import lmfunction as lm


class _Hook(DisplayHook):
    """IPython's own display hook, whose last step records instead of printing."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        self.shell.shown.append(format_dict)

    def log_output(self, format_dict: dict[str, Any]) -> None:
        pass

    def finish_displayhook(self) -> None:
        pass


class _Publisher(DisplayPublisher):
    """Records what is displayed beside the value."""

    def publish(self, data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        self.shell.shown.append(data)


class Shell(InteractiveShell):
    """A real shell that records what it would show, and errors as ipykernel gets them."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)

    def init_virtualenv(self) -> None:
        pass

    def start(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self.failure: tuple[str, str, list[str]] | None = None

    def _showtraceback(self, etype: type, evalue: BaseException, stb: Any) -> None:
        self.failure = (etype.__name__, str(evalue), stb if isinstance(stb, list) else stb.split("\n"))


@pytest.fixture(scope="module")
def the_shell() -> Iterator[Shell]:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor" if int(_ipython_version().split(".")[0]) < 9 else "nocolor"
    Shell.clear_instance()
    shell = Shell.instance(config=config)
    gc.collect()
    gc.freeze()  # IPython's reset collects garbage each time; what pytest holds need not be looked through
    yield shell
    gc.unfreeze()
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)
    Shell.clear_instance()


def _ipython_version() -> str:
    from IPython import __version__

    return __version__


@pytest.fixture
def shell(the_shell: Shell) -> Iterator[Shell]:
    """The shell, reset, with the extension loaded; afterwards unloaded."""
    the_shell.reset(new_session=False)
    the_shell.config.pop("LMFunction", None)  # %config is kept there, beyond the extension's life
    the_shell.start()
    the_shell.extension_manager.load_extension("lmfunction")
    yield the_shell
    the_shell.extension_manager.unload_extension("lmfunction")


@pytest.fixture
def run(shell: Shell, Seen: Any, plain: Any) -> Callable[..., Any]:
    """Runs a cell and gives what was seen; a cell that fails is seen too."""

    def run_cell(source: str, names: dict[str, Any] | None = None) -> Any:
        shell.start()
        shell.user_ns.update(names or {})
        with capture_output(display=False) as captured:
            outcome = shell.run_cell(source, store_history=True)
        seen = Seen(value=plain(outcome.result), emitted=bool(shell.shown) and outcome.result is not None)
        seen.text = "\n".join([captured.stdout, captured.stderr, *(d.get("text/plain", "") for d in shell.shown)])
        seen.markup = "\n".join(d.get("text/html", "") for d in shell.shown)
        if shell.failure is not None:
            seen.error, _, lines = shell.failure
            seen.message = "\n".join(lines)
            seen.text += "\n" + seen.message
        seen.more = {"outputs": len(shell.shown), "stderr": captured.stderr, "stdout": captured.stdout}
        return seen

    return run_cell


def _cell(case: dict[str, Any]) -> str:
    return f"%%{case['line']}\n{case['body']}" if "body" in case else f"%{case['line']}"


def test_every_line_of_the_table(case: dict[str, Any], run: Any, check: Any, shell: Shell) -> None:
    """A line in IPython gives, shows and refuses what the table says, in text and in HTML."""
    seen = run(_cell(case), case.get("names"))
    seen.emitted = seen.emitted or ("value" in case and case["value"] is None)  # IPython displays no None
    check(case, seen)
    assert all(bundle.keys() <= {"text/plain", "text/html"} for bundle in shell.shown)


def test_an_error_is_its_own_few_lines(failing: dict[str, Any], run: Any) -> None:
    """What IPython shows of an error of ours begins with its name and holds no frame and no module of Python's."""
    message = run(_cell(failing), failing.get("names")).message
    assert message.startswith(f"{failing['error']}: ")
    assert len(message.splitlines()) <= 6
    aliens = ("Traceback", "lmfunction/_", "site-packages", "\x1b", "Cell ")
    assert not any(alien in without_place(message) for alien in aliens)


# Assignment, names, places in code


def test_assignment_keeps_the_object_and_shows_nothing(run: Any, shell: Shell) -> None:
    """`r = %Invoke-LMFunction` gives the result itself to r and displays nothing."""
    seen = run('r = %Invoke-LMFunction hello -Payload {"name": "Ada"}')
    assert (seen.text.strip(), seen.emitted) == ("", False)
    assert isinstance(shell.user_ns["r"], lm.InvokeResult)
    assert shell.user_ns["r"].payload == {"message": "Hello, Ada!"}


def test_loops_and_branches(run: Any, shell: Shell) -> None:
    """A line works indented in a loop, with the loop's variable as it is each time."""
    run(
        "got = []\nfor n in range(3):\n    if n != 1:\n"
        '        r = %invoke_lm echo {"n": $n}\n        got.append(r.payload)'
    )
    assert shell.user_ns["got"] == [{"n": 0}, {"n": 2}]


def test_variables_of_a_function(run: Any, shell: Shell) -> None:
    """Inside a function a line sees its local variables, and behind them those of the notebook."""
    run(
        "city = 'Rome'\nname = 'global'\ndef f(name):\n"
        '    r = %invoke_lm echo {"a": $name, "b": $city}\n    return r.payload'
    )
    run("got = f('local')")
    assert shell.user_ns["got"] == {"a": "local", "b": "Rome"}


def test_out_variable(run: Any, shell: Shell) -> None:
    """-OutVariable keeps what is emitted and it is still shown; `+name` appends to a list."""
    seen = run("%invoke_lm hello -OutVariable x")
    assert "Hello, world!" in seen.text
    assert shell.user_ns["x"].payload == {"message": "Hello, world!"}
    run("%invoke_lm echo 1 -Select Payload -OutVariable +all")
    run("%%invoke_lm echo -ov +all -Select Payload\n2")
    assert shell.user_ns["all"] == [1, 2]


def test_out_variable_stays_as_it_was_when_the_call_fails(run: Any, shell: Shell) -> None:
    """A failed line leaves -OutVariable alone, and -ErrorVariable holds the error."""
    run("x = 'before'")
    run("%invoke_lm fail -OutVariable x -ErrorVariable errors")
    assert shell.user_ns["x"] == "before"
    (error,) = shell.user_ns["errors"]
    assert isinstance(error, lm.FunctionError)
    assert error.result.error.type == "OrderNotFoundError"


@pytest.mark.parametrize("line", ["%invoke_lm hello;", "%invoke_lm hello ; ;", "%invoke_lm hello -LogType Tail;"])
def test_a_semicolon_silences_the_display(line: str, run: Any, shell: Shell) -> None:
    """A `;` at the end sends the call and shows no card."""
    seen = run(line + "\n")
    assert shell.shown == []
    assert (seen.error, seen.text.strip()) == ("", "")
    run("%invoke_lm echo 1 -OutVariable got;")
    assert shell.user_ns["got"].payload == 1


def test_ipython_expands_nothing(run: Any, shell: Shell) -> None:
    """Braces and dollar signs reach the function as typed: IPython's own expansion is off, on lines and in cells."""
    names = {"x": 5, "HOME": "wrong"}
    run("""r = %invoke_lm echo '{"a": "{x}", "b": "$x", "c": "{{x}}", "d": "{1 + 1}"}'""", names)
    assert shell.user_ns["r"].payload == {"a": "{x}", "b": "$x", "c": "{{x}}", "d": "{1 + 1}"}
    run('%%invoke_lm echo -OutVariable r\n{"a": "{x} $x {{x}}"}', names)
    assert shell.user_ns["r"].payload == {"a": "{x} $x {{x}}"}


def test_a_line_of_several_lines(run: Any, shell: Shell) -> None:
    """A backslash at the end joins the next line, also in an assignment."""
    run('r = %invoke_lm echo \\\n    -Payload {"a": 1} \\\n    -Select Payload')
    assert shell.user_ns["r"] == {"a": 1}


# Help


@pytest.mark.parametrize(
    "cell",
    [
        "Invoke-LMFunction?",
        "%Invoke-LMFunction?",
        "%Invoke-LMFunction??",
        "  %Invoke-LMFunction?\n",
        "%%Invoke-LMFunction?",
        "?Invoke-LMFunction",
        "?%Invoke-LMFunction",
        "%invoke_lm?",
        "%invoke_lm??",
        "%invoke_lm -?",
        "%Invoke-LMFunction hello -?",
        "%invoke_lm --help",
    ],
)
def test_every_way_to_ask_for_help(cell: str, run: Any) -> None:
    """Each way to ask shows the cmdlet's help, sends nothing and sets nothing."""
    seen = run(cell)
    assert (seen.error, seen.emitted) == ("", False)
    assert "SYNOPSIS" in seen.text
    assert "-FunctionName <text>" in seen.text
    assert "not found" not in seen.text


@pytest.mark.parametrize(
    "cell",
    [
        "s = '''\nInvoke-LMFunction?\n'''",
        "s = '''\n%Invoke-LMFunction??\n'''",
        "s = '''Invoke-LMFunction?'''",
    ],
)
def test_help_text_inside_a_string_is_text(cell: str, run: Any, shell: Shell) -> None:
    """What looks like a question for help inside a string stays as it is."""
    seen = run(cell)
    assert seen.error == ""
    assert shell.user_ns["s"].strip() in cell
    assert shell.user_ns["s"].strip().rstrip("?").endswith("Invoke-LMFunction")


# Settings


def test_what_if_for_a_whole_notebook(run: Any) -> None:
    """`%config LMFunction.what_if = True` sends nothing from any line until it is taken back."""
    run("%config LMFunction.what_if = True")
    for line in ("%invoke_lm fail", "%%invoke_lm fail\n{}", "%Invoke-LMFunction fail -Force"):
        seen = run(line)
        assert (seen.error, seen.emitted) == ("", False), line
        assert "WHAT IF" in seen.text
    assert run("%invoke_lm hello -WhatIf:$false").emitted
    run("%config LMFunction.what_if = False")
    assert run("%invoke_lm hello").emitted


def test_a_profile_and_a_region_for_a_whole_notebook(run: Any) -> None:
    """`%config LMFunction.profile_name` and `.region` are for lines that name none; a typed one wins."""
    run("%config LMFunction.profile_name = 'local'")
    assert "embedded Lambda" in run("%invoke_lm hello -WhatIf").text
    run("%config LMFunction.region = 'eu-west-1'")
    assert "eu-west-1" in run("%invoke_lm hello -WhatIf").text
    assert "us-west-2" in run("%invoke_lm hello -WhatIf -Region us-west-2").text
    assert run("%invoke_lm hello -WhatIf -ProfileName nowhere").error == "ProfileError"


def test_error_action_for_a_whole_notebook(run: Any) -> None:
    """`%config LMFunction.error_action = 'Continue'` lets a cell go on after a failed function; a typed one wins."""
    run("%config LMFunction.error_action = 'Continue'")
    assert run("%invoke_lm fail").error == ""
    assert run("%invoke_lm fail -ErrorAction Stop").error == "FunctionError"


def test_a_traceback_when_asked_for(run: Any) -> None:
    """`traceback = 'full'` shows Python's own traceback, `'short'` our few lines again."""
    run("%config LMFunction.traceback = 'full'")
    full = run("%invoke_lm fail")
    assert full.error == "FunctionError"
    assert "Traceback (most recent call last)" in full.message
    assert "_magics.py" in full.message
    run("%config LMFunction.traceback = 'short'")
    assert "Traceback" not in run("%invoke_lm fail").message


@pytest.mark.parametrize(
    ("setting", "bad", "kept"),
    [
        ("traceback", "'long'", "short"),
        ("error_action", "'Ignore'", "Stop"),
        ("what_if", "'maybe'", False),
        ("profile_name", "7", ""),
    ],
)
def test_a_bad_setting_keeps_the_old_value(setting: str, bad: str, kept: Any, run: Any, shell: Shell) -> None:
    """A value that a setting cannot take is told and changes nothing."""
    logged = run(f"%config LMFunction.{setting} = {bad}")
    (settings,) = [c for c in shell.configurables if type(c).__name__ == "LMFunction"]
    assert getattr(settings, setting) == kept
    assert logged.error in ("", "TraitError")


def test_config_lists_the_settings(run: Any) -> None:
    """`%config LMFunction` shows each setting with its help and value."""
    text = run("%config LMFunction").text
    for setting in ("what_if", "traceback", "profile_name", "region", "error_action"):
        assert f"LMFunction.{setting}" in text


# Errors and what comes after them


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal"])
def test_every_traceback_mode_shows_our_lines_alone(mode: str, run: Any) -> None:
    """Whatever `%xmode` says, an error and `%tb` after it show the error's own few lines."""
    run(f"%xmode {mode}")
    try:
        first = run("%invoke_lm fail")
        again = run("%tb")
    finally:
        run("%xmode Context")
    for message in (first.message, again.message):
        assert message.startswith("FunctionError: fail failed: OrderNotFoundError")
        assert "Traceback" not in message
        assert ".py" not in message.replace("fail.py", "")


def test_an_error_leaves_the_shell_well(run: Any) -> None:
    """After a failed line the next line works."""
    assert run("%invoke_lm fail").error == "FunctionError"
    assert run("%invoke_lm hello -Qualifer x").error == "ParameterError"
    assert run("%invoke_lm hello").value["Payload"] == {"message": "Hello, world!"}


def test_an_error_can_be_caught(run: Any, shell: Shell) -> None:
    """A line in a try block raises an exception of Python's usual kind, with the result in it."""
    run(
        "import lmfunction as lm\ntry:\n    %invoke_lm fail\nexcept lm.FunctionError as error:\n"
        "    kept = error.result.error.type"
    )
    assert shell.user_ns["kept"] == "OrderNotFoundError"


def test_a_failure_shown_once_in_full(run: Any) -> None:
    """With -ErrorAction Continue the red card is shown, and the value of the cell then is its one line."""
    seen = run("%invoke_lm fail -ErrorAction Continue")
    assert seen.more["outputs"] == 2
    assert seen.text.count("[FAILED]") == 1
    assert "<InvokeResult 200 fail" in seen.text


def test_verbose_and_warnings_go_to_stderr(run: Any) -> None:
    """-Verbose and warnings are no output of the cell: they go to its message stream."""
    seen = run("%invoke_lm hello -InvocationType Event -LogType Tail -Verbose")
    assert "WARNING: LogType Tail brings no log with InvocationType Event." in seen.more["stderr"]
    assert 'VERBOSE: Performing the operation "Invoke-LMFunction" on target "hello"' in seen.more["stderr"]
    assert seen.more["stdout"] == ""


# Publishing


def test_publish_and_invoke(run: Any) -> None:
    """`%%publish_lm_function` makes a function of the cell; publishing again replaces its code."""
    for answer in (1, 2):
        seen = run(f"%%publish_lm_function door-made -Timeout 5\ndef handler(event, context):\n    return {answer}\n")
        assert (seen.error, seen.value["Timeout"]) == ("", 5)
        assert "door-made" in seen.text
        assert run("%invoke_lm door-made -ProfileName local -Select Payload").value == answer


def test_publish_refuses_what_does_not_compile(run: Any) -> None:
    """Code with a syntax error is refused with the line and column of the cell's body, and its text."""
    seen = run("%%publish_lm_function door-broken\ndef handler(event, context):\n    return (1\n")
    assert seen.error == "ParameterError"
    assert "Code is not Python" in seen.message
    assert "return (1" in seen.message
    assert seen.message.endswith("^")


def test_publish_follows_error_action(run: Any, shell: Shell) -> None:
    """A refused publish is shown and passed over when -ErrorAction says so, and kept in -ErrorVariable."""
    line = "%%publish_lm_function door-refused -Handler app.handler -Runtime cobol85 -ErrorVariable errors"
    code = "\ndef handler(event, context):\n    return 1\n"
    assert run(line + code).error == "ServiceError"
    seen = run(f"{line} -ErrorAction Continue{code}")
    assert (seen.error, seen.emitted) == ("", False)
    assert "[REFUSED] InvalidParameterValueException · 400" in seen.text
    assert "REFUSED</span>" in seen.markup
    assert isinstance(shell.user_ns["errors"][0], lm.ServiceError)


def test_a_body_and_the_same_parameter(run: Any) -> None:
    """A payload on the line and in the body is refused: one of them would be passed over."""
    seen = run('%%invoke_lm echo -Payload {"a": 1}\n{"a": 2}')
    assert seen.error == "ParameterError"
    assert "the cell's body is the Payload: give one of them" in seen.message


def test_a_broken_body_points_at_its_line(run: Any) -> None:
    """An error in a cell's body names line and column of the body and repeats no value of it."""
    seen = run('%%invoke_lm echo\n{\n  "a": 1,\n  "secret": "s3cr3t" oops\n}')
    assert (seen.error, "line 3" in seen.message) == ("ParameterError", True)
    assert "s3cr3t" not in seen.message


# Loading


def _state(shell: Shell) -> dict[str, Any]:
    return {
        "configurables": [type(c).__name__ for c in shell.configurables],
        "magics": {kind: sorted(names) for kind, names in shell.magics_manager.magics.items()},
        "registry": sorted(shell.magics_manager.registry),
        "cleanup": [*shell.input_transformers_cleanup],
        "post": [*shell.input_transformers_post],
        "token": [*shell.input_transformer_manager.token_transformers],
        "line": [*shell.input_transformer_manager.line_transforms],
        "matchers": [m.matcher_identifier for m in shell.Completer.custom_matchers],
        "all matchers": len(shell.Completer.matchers),
        "events": {name: [f.__qualname__ for f in found] for name, found in shell.events.callbacks.items()},
        "names": sorted(n for n in shell.user_ns if not n.startswith("_")),
    }


def test_unloading_leaves_nothing(the_shell: Shell) -> None:
    """`%unload_ext` takes away all that `%load_ext` added, also after loading twice and reloading."""
    the_shell.start()
    the_shell.config.pop("LMFunction", None)
    before = _state(the_shell)
    the_shell.run_cell("%load_ext lmfunction")
    loaded = _state(the_shell)
    assert loaded != before
    the_shell.run_cell("%load_ext lmfunction")
    lm.load_ipython_extension(the_shell)
    assert _state(the_shell) == loaded
    the_shell.run_cell("%reload_ext lmfunction")
    assert _state(the_shell) == loaded
    the_shell.run_cell("%unload_ext lmfunction")
    assert _state(the_shell) == before
    assert the_shell.failure is None


@pytest.mark.parametrize(
    "program",
    [
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\nbefore = set(sys.modules)\n"
        "shell.run_cell('%load_ext lmfunction').raise_error()\nshell.run_cell('%invoke_lm -?').raise_error()",
        "from lmfunction._terminal import Terminal\nbefore = set()\nassert Terminal().run(['-?']) == 0",
        "from lmfunction._terminal import Terminal\nbefore = set()\nassert Terminal().run(['--help']) == 0",
        "from lmfunction._terminal import Terminal\nbefore = set()\nassert Terminal().run(['invoke_lm', '-?']) == 0",
        "import lmfunction\nbefore = set()",
    ],
    ids=["load_ext and help", "-?", "--help", "help of a cmdlet", "import"],
)
def test_nothing_heavy_is_loaded(program: str) -> None:
    """Loading the extension, importing the package and asking for help load no boto3, no yaml, no embedded Lambda."""
    heavy = "('boto3', 'botocore', 'yaml', 'jmespath', 'urllib3', 'sqlite3', 'pandas', 'lmfunction.local')"
    check = f"found = sorted((set(sys.modules) - before).intersection({heavy}))\nassert not found, found"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\n{check}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# Text that must not act


@pytest.mark.parametrize("what", ["return", "raise"])
@pytest.mark.parametrize("line", ["{f} $event -LogType Tail", "{f} $event -LogType Tail -ErrorAction Continue"])
def test_what_a_function_says_is_inert(
    what: str, line: str, run: Any, shell: Shell, bad_text: dict[str, str], bad_handler: str, inert: Any
) -> None:
    """Markup, escape sequences and bidirectional marks that a function returns, prints or raises are shown as text."""
    run("%%publish_lm_function door-bad\n" + bad_handler)
    for texts in ([text] for text in bad_text.values()):
        seen = run(
            "%invoke_lm " + line.format(f="door-bad") + " -ProfileName local", {"event": {"what": what, "texts": texts}}
        )
        assert seen.error == ("FunctionError" if what == "raise" and "Continue" not in line else "")
        assert "Runtime." not in seen.text
        inert(seen.text, seen.markup)
        assert all(bundle.keys() <= {"text/plain", "text/html"} for bundle in shell.shown)


def test_what_a_person_types_is_inert(run: Any, bad_text: dict[str, str], inert: Any) -> None:
    """Bad text in a name, a profile, a qualifier, a parameter or a payload is shown escaped in the error."""
    for text in bad_text.values():
        for line in ("$t", "hello -ProfileName $t", "hello -Qualifier $t", "hello $t", "hello -Region $t"):
            seen = run(f"%invoke_lm {line}", {"t": text})
            assert seen.error in ("ParameterError", "ProfileError"), line
            inert(seen.text, seen.markup)
