"""An open notebook in JupyterLab and its cells, as a person uses them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import ElementHandle, Locator

if TYPE_CHECKING:
    from lab.labpage import Lab

_TAB_SECONDS = 30.0  # for an offer to appear
_OFFERS = ".jp-Completer:not(.lm-mod-hidden)"


class Notebook:
    """An open notebook."""

    def __init__(self, lab: Lab, path: Path, *, kernel: bool = True) -> None:
        self.lab = lab
        self.page = lab.page
        self.path = path
        self.page.evaluate(
            """async ([path, kernel]) => {
                const preference = kernel ? {} : {kernelPreference: {shouldStart: false, canStart: false}};
                const opened = {path, factory: 'Notebook', ...preference};
                const panel = await jupyterapp.commands.execute('docmanager:open', opened);
                await panel.context.ready;
                await panel.revealed;
            }""",
            [path.name, kernel],
        )
        self.panel: ElementHandle = self._handle()
        self.identity = str(self.panel.evaluate("panel => panel.id"))
        self.node = self.page.locator(f"#{self.identity}")
        if kernel:
            self.wait_idle()

    def _handle(self) -> Any:
        return self.page.evaluate_handle("() => jupyterapp.shell.currentWidget")

    def close(self) -> None:
        """Closes the tab without saving and shuts the kernel down."""
        self.panel.evaluate(
            """async panel => {
                await panel.sessionContext.shutdown();
                panel.context.model.dirty = false;
                panel.dispose();
            }"""
        )

    def show(self) -> None:
        """Brings its tab to the front."""
        self.panel.evaluate("panel => { jupyterapp.shell.activateById(panel.id); return panel.revealed; }")
        self.node.wait_for()

    @property
    def trusted(self) -> bool:
        """Whether every cell may show active content."""
        return bool(self.panel.evaluate("panel => [...panel.content.model.cells].every(cell => cell.trusted)"))

    def trust(self) -> None:
        """Declares every cell trusted, as `Trust Notebook` in the menu does, and confirms."""
        self.page.evaluate("() => { window.labTrust = jupyterapp.commands.execute('notebook:trust'); }")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.evaluate("() => window.labTrust")

    def save(self) -> None:
        """Saves, and so signs what is trusted."""
        self.panel.evaluate("panel => panel.context.save()")

    def sanitized(self, markup: str) -> str:
        """What JupyterLab's own sanitizer, with this page's settings, leaves of `markup`."""
        return str(
            self.panel.evaluate("(panel, markup) => panel.content.rendermime.sanitizer.sanitize(markup)", markup)
        )

    def wait_idle(self) -> None:
        """Returns once the kernel waits for something to do."""
        self.page.wait_for_function("panel => panel.sessionContext.session?.kernel?.status === 'idle'", arg=self.panel)

    def cells(self) -> list[Cell]:
        """The cells from first to last."""
        count = self.panel.evaluate("panel => panel.content.widgets.length")
        return [Cell(self, number) for number in range(count)]

    def cell(self, number: int) -> Cell:
        """One cell; -1 is the last."""
        return self.cells()[number]

    def add(self, source: str) -> Cell:
        """A last cell with `source`, typed in: the empty one that Shift-Enter has made, or a new one."""
        self.panel.evaluate(
            """async panel => {
                const {content} = panel;
                content.activeCellIndex = content.widgets.length - 1;
                if (content.activeCell.model.sharedModel.source !== '') {
                    await jupyterapp.commands.execute('notebook:insert-cell-below');
                }
            }"""
        )
        cell = self.cell(-1)
        cell.write(source)
        return cell

    def add_above(self, cell: Cell, source: str) -> Cell:
        """A new cell above `cell` with `source`, typed in."""
        self.panel.evaluate(
            """async (panel, cell) => {
                panel.content.activeCellIndex = panel.content.widgets.indexOf(cell);
                await jupyterapp.commands.execute('notebook:insert-cell-above');
            }""",
            cell.handle,
        )
        added = Cell(self, self.panel.evaluate("panel => panel.content.activeCellIndex"))
        added.write(source)
        return added

    def run(self, source: str) -> Cell:
        """A new last cell, run to its end."""
        cell = self.add(source)
        cell.run()
        return cell

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Meanwhile the page is so high that the notebook is in view from its first cell to its last."""
        size = self.page.viewport_size
        inner = "panel => panel.content.node.querySelector('.jp-WindowedPanel-inner').scrollHeight"
        self.page.set_viewport_size({"width": size["width"], "height": self.panel.evaluate(inner) + 300})
        try:
            yield
        finally:
            self.page.set_viewport_size(size)

    def restart_and_run_all(self) -> None:
        """Presses the button for it and confirms; returns when everything has run, or at the first error that stops."""
        self.page.evaluate("() => { window.labRun = jupyterapp.commands.execute('notebook:restart-run-all'); }")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.evaluate("() => window.labRun")  # does not wait for the last cell
        self.page.wait_for_function(
            """panel => {
                const cells = panel.content.widgets.map(cell => cell.model).filter(model => model.type === 'code');
                const stops = model => !(model.getMetadata('tags') ?? []).includes('raises-exception')
                    && model.outputs.toJSON().some(output => output.output_type === 'error');
                const over = model => model.executionCount !== null && model.executionState === 'idle';
                return cells.some(stops) || cells.every(over);
            }""",
            arg=self.panel,
        )
        self.wait_idle()

    def interrupt(self) -> None:
        """Presses the Stop button."""
        self.node.locator('[data-command="notebook:interrupt-kernel"]').first.click()


class Cell:
    """One code cell."""

    def __init__(self, notebook: Notebook, number: int) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.handle: Any = notebook.page.evaluate_handle(
            "([panel, number]) => panel.content.widgets[number]", [notebook.panel, number]
        )

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression over `cell`."""
        return self.handle.evaluate(f"cell => {expression}")

    @property
    def area(self) -> Locator:
        """The part of the page that shows the outputs."""
        return self.node.locator(".jp-Cell-outputWrapper")

    @property
    def node(self) -> Locator:
        identity = self.ask("cell.node.id ||= `lab-${cell.model.id}`")
        return self.page.locator(f"[id='{identity}']")

    @property
    def source(self) -> str:
        """What stands in the editor."""
        return str(self.ask("cell.model.sharedModel.source"))

    @property
    def count(self) -> int | None:
        """The number in front of the cell; None when it has not run."""
        return self.ask("cell.model.executionCount")

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The outputs as the notebook's file would have them."""
        return self.ask("cell.model.outputs.toJSON()")

    @property
    def errors(self) -> list[str]:
        """The names of the errors among the outputs."""
        return [output["ename"] for output in self.outputs if output["output_type"] == "error"]

    @property
    def shown(self) -> list[str]:
        """The HTML outputs as they stand in the page."""
        return self.node.locator(".jp-RenderedHTML").evaluate_all("nodes => nodes.map(node => node.innerHTML)")

    def unfold(self) -> None:
        """Opens everything that can be opened in the outputs."""
        self.node.locator(".jp-RenderedHTML details").evaluate_all("nodes => nodes.forEach(n => { n.open = true; })")

    @property
    def text(self) -> str:
        """Everything the outputs show, as a reader sees it."""
        return self.area.inner_text()

    def write(self, source: str) -> None:
        """Replaces the editor's text, the cursor at its end."""
        self.focus()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(source)

    def focus(self) -> None:
        """Puts the cursor into the editor."""
        self.node.locator(".cm-content").click()

    def start(self) -> None:
        """Presses Shift-Enter."""
        self.focus()
        self.page.keyboard.press("Shift+Enter")

    def run(self) -> None:
        """Presses Shift-Enter and returns when the cell has run."""
        before = self.count
        self.start()
        self.wait(before)

    def wait(self, before: int | None = None) -> None:
        """Returns when a run that began after the number was `before` is over and shown."""
        self.page.wait_for_function(
            """([cell, before]) => {
                const {executionCount, executionState} = cell.model;
                return executionCount !== null && executionCount !== before && executionState === 'idle';
            }""",
            arg=[self.handle, before],
        )
        self.notebook.wait_idle()

    def complete(self, text: str) -> list[str]:
        """Types `text` and presses Tab: what is offered, in order. The list stays open."""
        self.write(text)
        self.page.keyboard.press("Tab")
        found = self.page.locator(f"{_OFFERS} .jp-Completer-match")
        found.first.wait_for(timeout=_TAB_SECONDS * 1000)
        return found.all_inner_texts()

    def take(self, offer: str) -> None:
        """Clicks one of the offers."""
        self.page.locator(f"{_OFFERS} .jp-Completer-match").get_by_text(offer, exact=True).click(timeout=10_000)

    def inspect(self, text: str) -> str:
        """Types `text` and presses Shift-Tab: what the tooltip says."""
        self.write(text)
        self.page.keyboard.press("Shift+Tab")
        tooltip = self.page.locator(".jp-Tooltip")
        tooltip.wait_for(timeout=_TAB_SECONDS * 1000)
        said = tooltip.inner_text()
        self.page.keyboard.press("Escape")
        return said
