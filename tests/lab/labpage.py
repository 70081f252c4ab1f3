"""JupyterLab as a person sees it, in a headless Chromium."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, Dialog, Page, Playwright, Request

from lab.labnotebook import Notebook
from lab.labserver import LabServer

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",)  # nothing leaves the machine, whatever is shown
_HOSTS = re.compile(r"127\.0\.0\.1(:\d+)?|")
_SECONDS = 60.0
# Markup as lines of tags, attributes, styles and text: what two spellings of the same document have in common.
_STRUCTURE = """
markup => {
    const lines = [];
    const styles = text => text.split(';').map(rule => rule.replace(/\\s*([:,])\\s*/g, '$1').trim()).filter(Boolean);
    const walk = (node, indent) => {
        if (node.nodeType === Node.TEXT_NODE) {
            lines.push(`${indent}"${node.data}"`);
            return;
        }
        lines.push(`${indent}<${node.nodeName.toLowerCase()}>`);
        for (const {name, value} of [...node.attributes ?? []].sort((a, b) => (a.name < b.name ? -1 : 1))) {
            lines.push(`${indent}  ${name}=${name === 'style' ? styles(value).join('; ') : value}`);
        }
        node.childNodes.forEach(child => walk(child, indent + '    '));
    };
    new DOMParser().parseFromString(markup, 'text/html').body.childNodes.forEach(child => walk(child, ''));
    return lines;
}
"""
# Whatever the page shows may set this; nothing that a function answered can. Names are looked up in `window`.
CANARY = "lmfunctionRan"


def find_chromium(chosen: str | None, playwright: Playwright) -> str | None:
    """The program of a Chromium: `chosen`, one that is installed, playwright's own, in that order; None without any.

    Raises FileNotFoundError when `chosen` is no program.
    """
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise FileNotFoundError(f"LMFUNCTION_CHROMIUM={chosen} is no program")
        return found
    own = playwright.chromium.executable_path
    return next(filter(None, map(shutil.which, (*_PROGRAMS, own))), None)


@contextmanager
def chromium(playwright: Playwright, program: str, home: Path) -> Iterator[Browser]:
    """A headless Chromium that reaches this machine alone."""
    browser = playwright.chromium.launch(executable_path=program, args=[*_FLAGS], env={"HOME": str(home)})
    try:
        yield browser
    finally:
        browser.close()


class Lab:
    """One page of JupyterLab. `dialogs`, `errors` and `foreign` tell what has happened in it meanwhile."""

    def __init__(self, server: LabServer, browser: Browser, *, scale: float = 1, width: int = 1280) -> None:
        self.server = server
        self.dialogs: list[str] = []
        self.foreign: list[str] = []
        self._names = itertools.count(1)
        self._context = browser.new_context(
            viewport={"width": width, "height": 1000}, device_scale_factor=scale, reduced_motion="reduce"
        )
        self._context.set_default_timeout(_SECONDS * 1000)
        self._context.on("request", self._note_request)
        self.page: Page = self._context.new_page()
        self.page.on("dialog", self._note_dialog)
        self.page.goto(server.page_url)
        self.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget")
        self.page.evaluate("() => jupyterapp.restored.then(() => jupyterapp.shell.collapseLeft())")

    def close(self) -> None:
        """Closes the page; the server goes on."""
        self._context.close()

    def _note_request(self, request: Request) -> None:
        if not _HOSTS.fullmatch(urlsplit(request.url).netloc):
            self.foreign.append(request.url)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def happened(self) -> dict[str, Any]:
        """What active content would have left behind, as far as there is any: nothing is an empty dict."""
        found = {
            "canary": self.page.evaluate(f"() => window.{CANARY} ?? null"),
            "dialogs": [*self.dialogs],
            "other hosts": [*self.foreign],
        }
        return {name: value for name, value in found.items() if value}

    def forget(self) -> None:
        """Clears what has happened so far."""
        self.page.evaluate(f"() => {{ delete window.{CANARY}; }}")
        self.dialogs.clear()
        self.foreign.clear()

    def structures(self, markups: Sequence[str]) -> list[list[str]]:
        """Each of the `markups` as the browser reads it, one line for each tag, attribute and text."""
        return self.page.evaluate(f"markups => markups.map({_STRUCTURE})", [*markups])

    def theme(self, name: str) -> None:
        """Changes to a theme such as `JupyterLab Dark`."""
        self.page.evaluate("name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)

    def write(self, cells: Sequence[str], *, outputs: Sequence[Sequence[dict[str, Any]]] = ()) -> Path:
        """A new notebook in the server's folder; `outputs` are those of the cells, from first to last."""
        made = [nbformat.v4.new_code_cell(source) for source in cells]
        for cell, shown in zip(made, outputs, strict=False):
            cell.outputs = [nbformat.from_dict(output) for output in shown]
            cell.execution_count = 1
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        return self.store(nbformat.v4.new_notebook(cells=made, metadata=kernel))

    def _write_shown(self, shown: Mapping[str, str]) -> Path:
        datas = [{"text/plain": "as text", "text/html": markup} for markup in shown.values()]
        return self.write(
            [*shown], outputs=[[{"output_type": "display_data", "data": data, "metadata": {}}] for data in datas]
        )

    def store(self, notebook: Any) -> Path:
        """The notebook as a file in the server's folder that nobody has signed."""
        path = self.server.root / f"n{next(self._names)}.ipynb"
        notebook.metadata["number"] = path.stem  # a signature is one of the content: this content is new
        nbformat.write(notebook, path)
        return path

    @contextmanager
    def notebook(self, cells: Sequence[str] = (), path: Path | None = None) -> Iterator[Notebook]:
        """The notebook at `path`, or a new one with `cells`, open, with a kernel; closed and shut down afterwards."""
        opened = Notebook(self, path or self.write(cells))
        try:
            yield opened
        finally:
            opened.close()

    @contextmanager
    def shown(self, shown: Mapping[str, str], *, trust: bool = False) -> Iterator[Notebook]:
        """A notebook that shows this HTML, a cell for each name, as if somebody else had run it; without a kernel."""
        opened = Notebook(self, self._write_shown(shown), kernel=False)
        try:
            if trust:
                opened.trust()
            yield opened
        finally:
            opened.close()
