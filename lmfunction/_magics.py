"""IPython's and Jupyter's door: each cmdlet as a line and cell magic, under its PowerShell and its Python names.

Loading costs the parameter table alone; what runs a line is imported by the first line.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from IPython.core.magic import Magics, magics_class, needs_local_scope, no_var_expand, output_can_be_silenced
from IPython.display import display
from traitlets import Bool, Enum, Float, TraitError, Unicode

from lmfunction._inspection import add_inspector, remove_inspector
from lmfunction._matcher import add_matcher, remove_matcher
from lmfunction._origin import enter_cell
from lmfunction._params import Cmdlet
from lmfunction._table import CMDLETS
from lmfunction._terminal_cards import draw_cards, forget_cards
from lmfunction.errors import LMError

if TYPE_CHECKING:
    from lmfunction._blank import Surroundings
    from lmfunction._catalog import Catalog
    from lmfunction._shell_progress import ShellProgress

_NAMES: Final = [name for cmdlet in CMDLETS for name in cmdlet.names]
_AWS: Final = "aws_lambda_invoke"
# Any name, looked up afterwards: an expression of all of them takes 10 ms to compile.
_HELP_CELL: Final = re.compile(r"\A\s*(?=\S*\?)\?{0,2}(?:%{1,2}(?P<magic>[\w-]+)|(?P<bare>\w+-\w+))\?{0,2}\s*\Z")


@magics_class
class LMFunction(Magics):
    """Settings of the magics: `%config LMFunction.what_if = True` shows what every line would do and sends nothing."""

    what_if = Bool(False, help="Show what would be sent and send nothing.").tag(config=True)
    traceback = Enum(("short", "full"), "short", help="Errors in a few lines, or with Python's traceback.").tag(
        config=True
    )
    profile_name = Unicode("", help="The profile of lines that name none.").tag(config=True)
    region = Unicode("", help="The region of lines that name none.").tag(config=True)
    error_action = Enum(
        ("Stop", "Continue", "SilentlyContinue"), "Stop", help="What a failed function does to the cell."
    ).tag(config=True)
    progress = Bool(True, help="Show how a wait of more than a second goes on.").tag(config=True)
    progress_log_sec = Float(
        30.0, min=0.1, help="Seconds between the lines on stderr that tell it where nobody watches."
    ).tag(config=True)

    live_log = Bool(False, help="Show what a handler of the embedded Lambda writes while it runs.").tag(config=True)
    complete_functions = Bool(True, help="Let Tab ask Lambda for names of functions, aliases and versions.").tag(
        config=True
    )

    def __init__(self, shell: Any) -> None:
        super().__init__(shell=shell)
        self._shown: list[Any] = []
        self._last: Any = None
        self._catalog: Catalog | None = None
        self._waits: ShellProgress | None = None

    def run(self, cmdlet: Cmdlet, line: str, cell: str | None, local_names: Mapping[str, Any] | None) -> Any:
        """Runs one line or cell; what it emits is the magic's value."""
        from lmfunction._commands import run_line

        return self._run(lambda *shared: run_line(cmdlet, line, cell, *shared), local_names)

    def run_pipelines(self, line: str, cell: str | None, local_names: Mapping[str, Any] | None) -> Any:
        """Runs `%lm` and `%%lm`: whole pipelines, one for each logical line; the last one's value is the magic's."""
        from lmfunction._commands import check_line, run_pipeline
        from lmfunction._grammar import logical_lines

        emitted = None
        lines = list(logical_lines(line if cell is None else f"{line}\n{cell}"))
        for text in lines:  # before the first is run, as Python does with a cell
            check_line(text)
        for text in lines:
            emitted = self._run(lambda *shared, text=text: run_pipeline(text, *shared), local_names)
        return emitted

    def run_aws(self, line: str, local_names: Mapping[str, Any] | None) -> None:
        """Runs `%aws_lambda_invoke`: prints what the AWS CLI prints for the line, and gives nothing."""
        from lmfunction._awscli import Screen, run_aws, split_line

        screen = Screen(write=_print)
        self._run(
            lambda engine, door, defaults, _: run_aws(split_line(line), engine, door, screen, defaults), local_names
        )

    def _run(self, action: Callable[..., Any], local_names: Mapping[str, Any] | None) -> Any:
        """What `action` emits, given the shared engine, this notebook's door, its defaults, and who sees results."""
        from lmfunction._door import NOTHING, Door, what_if_set
        from lmfunction._scope import Scope
        from lmfunction._session import default_session
        from lmfunction._shell_progress import ShellProgress

        self._waits = self._waits or ShellProgress(self.shell, display, lambda: self.progress_log_sec)
        door = Door(
            scope=Scope(self._names(local_names)),
            error_action=self.error_action,
            tell=self._tell,
            show=self._show,
            show_error=display,
            ask=self._ask,
            ask_secret=self._ask_secret,
            assign=self._assign,
            what_if=self.what_if or what_if_set(os.environ),
            progress=self._waits.viewers,
            live=self._waits.live,
            live_log=self.live_log,
            progress_action="Continue" if self.progress else "SilentlyContinue",
        )
        try:
            emitted = action(default_session().engine, door, self._defaults(), self._remember)
        except LMError as error:
            error.full_traceback = self.traceback == "full"
            raise
        return None if emitted is NOTHING else emitted

    def _defaults(self) -> dict[str, str]:
        defaults = {"ProfileName": self.profile_name, "Region": self.region}
        return {name: value for name, value in defaults.items() if value}

    def _remember(self, result: Any) -> None:
        self._last = result  # completion looks at its keys; only the last one is kept alive
        if getattr(result, "payload_shown", False):
            self._shown.append(result)

    def close(self) -> None:
        """Closes the connections that completion opened."""
        if self._catalog is not None:
            self._catalog.close()

    def surroundings(self) -> Surroundings:
        """What completion looks at: the user's variables, the last result, the settings, and names that Lambda has."""
        from lmfunction._blank import Surroundings
        from lmfunction._catalog import Catalog
        from lmfunction._session import default_session

        hidden = self.shell.user_ns_hidden  # what the shell itself put there, as %who has it
        names = {n: v for n, v in list(self.shell.user_ns.items()) if n not in hidden or hidden[n] is not v}
        names |= {n: self.shell.user_ns[n] for n in ("_", "__", "___") if n in self.shell.user_ns}
        if self._catalog is None:
            self._catalog = Catalog(lambda: default_session().engine)
        shown = names.get("_")
        return Surroundings(
            names,
            last=shown if hasattr(type(shown), "raw_payload") else self._last,
            defaults=self._defaults(),
            catalog=self._catalog if self.complete_functions else None,
        )

    def _names(self, local_names: Mapping[str, Any] | None) -> dict[str, Any]:
        user: dict[str, Any] = self.shell.user_ns
        if local_names is None or local_names is user:
            return user
        return {**user, **local_names}

    def _tell(self, level: str, text: str) -> None:
        if self._waits is not None:
            self._waits.clear()
        _tell(level, text)

    def _show(self, shown: Any) -> None:
        if self._waits is not None:
            self._waits.clear()
        self._shown.append(shown)
        display(shown)

    def note_cell(self, info: Any) -> None:
        """Before each cell: its id where the notebook tells one, else its number, is where calls come from."""
        enter_cell(getattr(info, "cell_id", None) or f"In [{self.shell.execution_count}]")

    def forget_shown(self, *_: Any) -> None:
        """After each cell: what was shown in it is shown in full when it is displayed again, and its waits are over."""
        for shown in self._shown:
            if hasattr(shown, "shown"):
                shown.shown(False)
        self._shown.clear()
        if self._waits is not None:
            self._waits.forget()

    def _assign(self, name: str, value: Any) -> None:
        self.shell.user_ns[name] = value

    def _ask(self, question: str) -> str | None:
        return self._answer(input, question)

    def _ask_secret(self, question: str) -> str | None:
        from lmfunction._unseen import ask_unseen

        return self._answer(ask_unseen, question)

    def _answer(self, ask: Callable[[str], str | None], question: str) -> str | None:
        in_kernel = hasattr(self.shell, "kernel")
        if not in_kernel and (sys.stdin is None or not sys.stdin.isatty()):
            return None
        try:
            return ask(question)
        except EOFError:
            return ""
        except RuntimeError as error:
            if type(error).__name__ == "StdinNotImplementedError":  # papermill, nbconvert: nobody is there
                return None
            raise


def load(shell: Any) -> None:
    """Registers the magics with `shell`; a second load changes nothing."""
    if _loaded(shell):
        return
    settings = _settings(shell)
    shell.events.register("pre_run_cell", settings.note_cell)
    shell.events.register("post_run_cell", settings.forget_shown)
    for cmdlet in CMDLETS:
        for name in cmdlet.names:
            function = _magic(settings, cmdlet, name)
            shell.register_magic_function(function, "line_cell", name)
    shell.register_magic_function(_aws_magic(settings), "line", _AWS)
    shell.register_magic_function(_pipeline_magic(settings), "line_cell", "lm")
    shell.input_transformers_cleanup.append(help_for_names)
    add_matcher(shell, settings.surroundings)
    add_inspector(shell)
    draw_cards(shell)


def _settings(shell: Any) -> LMFunction:
    """The settings object; a bad value that `%config` refused but IPython kept is dropped, with a word about it."""
    try:
        return LMFunction(shell)
    except TraitError as error:
        shell.config.pop("LMFunction", None)
        _tell("warning", f"%config LMFunction held a value that does not fit, so that its defaults are back: {error}")
        return LMFunction(shell)


def unload(shell: Any) -> None:
    """Takes away what `load` added."""
    forget_cards(shell)
    for settings in (c for c in shell.configurables if isinstance(c, LMFunction)):
        shell.events.unregister("pre_run_cell", settings.note_cell)
        shell.events.unregister("post_run_cell", settings.forget_shown)
        settings.close()
    for kind in ("line", "cell"):
        for name in (*_NAMES, _AWS, "lm"):
            shell.magics_manager.magics[kind].pop(name, None)
    shell.configurables[:] = [c for c in shell.configurables if not isinstance(c, LMFunction)]
    transformers = shell.input_transformers_cleanup
    transformers[:] = [t for t in transformers if t is not help_for_names]
    remove_matcher(shell)
    remove_inspector(shell)


def help_for_names(lines: list[str]) -> list[str]:
    """Makes `Invoke-LMFunction?` ask for the magic's help: IPython's own rule knows no dash in a name.

    Two marks ask for the same, of any name: the source that IPython would show is that of a wrapper, which tells
    nothing. Only for a cell that is that one line, so that no text inside a string is touched.
    """
    match = _HELP_CELL.match("".join(lines))
    name = match["magic"] or match["bare"] if match is not None else None
    if name not in _NAMES:
        return lines
    return [f"get_ipython().run_line_magic('pinfo', '%{name}')\n"]


def _loaded(shell: Any) -> bool:
    return any(isinstance(c, LMFunction) for c in shell.configurables)


def _magic(settings: LMFunction, cmdlet: Cmdlet, name: str) -> Callable[..., Any]:
    def magic(line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        return settings.run(cmdlet, line, cell, local_ns)

    magic.__name__ = magic.__qualname__ = name.replace("-", "_")
    magic.__doc__ = f"{cmdlet.name}: `%{cmdlet.python_names[0]} -?` shows its parameters."
    # IPython asks this first. Made when asked: the parameters of ninety cmdlets are read from boto3's model.
    magic.getdoc = lambda: _help_of(cmdlet)  # type: ignore[attr-defined]
    # no_var_expand: IPython would fill {...} and $... into the text and damage JSON.
    decorated: Callable[..., Any] = no_var_expand(needs_local_scope(output_can_be_silenced(magic)))
    return decorated


def _help_of(cmdlet: Cmdlet) -> str:
    from lmfunction._help import View, cmdlet_help

    return cmdlet_help(cmdlet, view=View.BASIC)


def _pipeline_magic(settings: LMFunction) -> Callable[..., Any]:
    def lm(line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        return settings.run_pipelines(line, cell, local_ns)

    lm.__doc__ = """A whole pipeline, whose first stage is a cmdlet, Import-Csv or a value.

    %lm $orders | where status -eq failed | select id | invoke_lm retry-order

    %%lm runs one pipeline for each line of the cell. A trailing |, an open bracket or quote, a backtick or a
    backslash at the end of a line continues it in the next.
    """
    decorated: Callable[..., Any] = no_var_expand(needs_local_scope(output_can_be_silenced(lm)))
    return decorated


def _aws_magic(settings: LMFunction) -> Callable[..., Any]:
    def aws_lambda_invoke(line: str, local_ns: Mapping[str, Any] | None = None) -> None:
        """A line of the AWS CLI: what stands after `aws lambda invoke`, or the whole of it.

        %aws_lambda_invoke --function-name hello --payload '{"name": "Ada"}' --profile local -

        Quotes are the shell's; nothing is expanded. `%aws_lambda_invoke help` tells the options.
        """
        settings.run_aws(line, local_ns)

    decorated: Callable[..., Any] = no_var_expand(needs_local_scope(aws_lambda_invoke))
    return decorated


def _print(text: str) -> None:
    sys.stdout.write(text)


def _tell(level: str, text: str) -> None:
    told = text if level == "notice" else f"{level.upper()}: {text}"
    print(told, file=sys.stderr)  # noqa: T201 - the notebook's message stream
