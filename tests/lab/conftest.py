"""What the tests in JupyterLab share: one server, one headless Chromium and one page for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from lab.labnotebook import Notebook
from lab.labpage import Lab, chromium, find_chromium
from lab.labserver import LabServer, lab_server, running

# Read before the tests' clean environment is made.
_CHOSEN = os.environ.get("LMFUNCTION_CHROMIUM")
_HOME = os.environ.get("HOME", "")


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; without any the tests are skipped, saying so."""
    home = os.environ["HOME"]
    os.environ["HOME"] = _HOME  # where playwright keeps its own browsers
    try:
        playwright = sync_playwright().start()
    finally:
        os.environ["HOME"] = home
    try:
        program = find_chromium(_CHOSEN, playwright)
        if program is None:
            pytest.skip("no Chromium: install chromium or google-chrome, or name one in LMFUNCTION_CHROMIUM")
        with chromium(playwright, program, tmp_path_factory.mktemp("browser")) as started:
            yield started
    finally:
        playwright.stop()


@pytest.fixture(scope="package")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A JupyterLab of our own, which leaves no process behind: no kernel, no embedded Lambda, no function."""
    with lab_server(tmp_path_factory.mktemp("lab")) as started:
        yield started
        family = started.processes()
    assert not running(family)


@pytest.fixture(scope="package")
def the_lab(server: LabServer, browser: Browser) -> Iterator[Lab]:
    """The page that all tests use."""
    opened = Lab(server, browser)
    yield opened
    opened.close()


@pytest.fixture
def lab(the_lab: Lab) -> Iterator[Lab]:
    """JupyterLab in its light theme, no notebook open. Nothing that a test shows may ask another host."""
    the_lab.theme("JupyterLab Light")
    the_lab.forget()
    yield the_lab
    assert the_lab.foreign == []


LOAD = '%load_ext lmfunction\n%config LMFunction.profile_name = "local"'


@pytest.fixture
def notebook(lab: Lab) -> Iterator[Notebook]:
    """A new notebook whose first cell has loaded the extension and chosen profile `local`."""
    with lab.notebook([LOAD]) as opened:
        opened.cell(0).run()
        assert opened.cell(0).outputs == []
        yield opened


@pytest.fixture
def new_file(tmp_path: Path) -> Callable[[str], Path]:
    """A path under the test's own folder, for pictures to look at."""
    return lambda name: tmp_path / name
