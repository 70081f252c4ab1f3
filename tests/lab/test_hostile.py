"""What a function answers, logs, raises or is called never becomes more than text in JupyterLab, trusted or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from lab.labnotebook import Cell, Notebook
from lab.labpage import CANARY, Lab

HERE = Path(__file__).parent
ACTIVE: dict[str, str] = yaml.safe_load((HERE / "active.yaml").read_text("utf-8"))
BAD: dict[str, str] = yaml.safe_load((HERE.parent / "render" / "bad_text.yaml").read_text("utf-8"))
TEXTS = [*ACTIVE.values(), *BAD.values()]

HANDLER = """%%publish_lm_function bad
def handler(event, context):
    text = event["text"]
    print(text)
    print("ERROR", text)
    if event["raise"]:
        raise type("Refused", (Exception,), {"__module__": "x"})(text)
    return {"value": text, text: [text, {text: 1}], "rows": [{text: text, "n": 1}, {text: text, "n": 2}]}
"""
# Everything that text from outside gets into: answers, logs, errors, several results, records, tables.
SHOW = """
import lmfunction as lm
results = []
for text in texts:
    for raises in (False, True):
        results.append(lm.invoke_lm("bad", {"text": text, "raise": raises}, log_type="Tail", profile_name="local"))
        display(results[-1])
"""
LINES = (
    "%lm @([{'text': text} for text in texts]) | invoke_lm echo",
    '%lm @([{"text": text, "raise": True} for text in texts]) | invoke_lm bad -ErrorAction Continue',
    "%lm $results | select Payload.value",
    "%lm $results | table Payload,Log",
    "%lm $results | group { str($_.Payload) }",
)
# Elements that a card never has.
FOREIGN = "script,style,link,meta,base,img,svg,math,iframe,object,embed,form,input,button,video,audio,a,template"


@pytest.fixture(scope="module")
def shown(the_lab: Lab) -> Iterator[Notebook]:
    """A live notebook, so a trusted one, that has shown all texts in all places."""
    with the_lab.notebook(['%load_ext lmfunction\n%config LMFunction.profile_name = "local"']) as notebook:
        notebook.cell(0).run()
        notebook.run(f"texts = {TEXTS!r}")
        notebook.run(HANDLER)
        notebook.run(SHOW)
        for line in LINES:
            notebook.run(line)
        settle(notebook)
        yield notebook


def settle(notebook: Notebook) -> None:
    """Returns when all that was shown so far has had its chance to run: a last image of our own has failed to load."""
    notebook.run("""from IPython.display import HTML; HTML("<img src=x onerror='window.lmfunctionEnd = 1'>")""")
    notebook.page.wait_for_function("() => window.lmfunctionEnd")
    notebook.page.evaluate("() => { delete window.lmfunctionEnd; }")


def cards(notebook: Notebook) -> list[Cell]:
    """The cells whose outputs are ours."""
    return [cell for cell in notebook.cells() if cell.source and "lmfunctionEnd" not in cell.source]


def elements(cell: Cell, selector: str, shown_as: str = "text/html") -> list[str]:
    """The elements of the cell's outputs of this type that fit the selector."""
    found = cell.node.locator(f"[data-mime-type='{shown_as}']").locator(selector)
    return found.evaluate_all("nodes => nodes.map(node => node.outerHTML)")


def test_the_traps_work(lab: Lab) -> None:
    """What runs in a trusted output is seen: the canary, a dialog, another host, a command's button."""
    active = ["<script>alert(1)</script>", ACTIVE["image"], ACTIVE["image elsewhere"], ACTIVE["command button"]]
    with lab.notebook() as notebook:
        cell = notebook.run(f"from IPython.display import HTML; display(*map(HTML, {active!r}))")
        settle(notebook)
        found = lab.happened()
        assert elements(cell, "[data-commandlinker-command]")
    lab.forget()
    assert found["canary"] == "image"
    assert found["dialogs"] == ["1"]
    assert set(found["other hosts"]) == {"https://evil.example/x.png"}


def test_nothing_runs_in_a_trusted_notebook(shown: Notebook, the_lab: Lab) -> None:
    """Nothing that was shown has run, asked another host or opened a dialog."""
    assert shown.trusted
    assert the_lab.happened() == {}
    assert sum(len(cell.shown) for cell in cards(shown)) >= 2 * len(TEXTS) + 2
    assert not any(cell.errors for cell in cards(shown)), [cell.outputs[-1] for cell in cards(shown) if cell.errors]


def test_cards_are_made_of_their_own_elements(shown: Notebook) -> None:
    """No element, handler or command of the texts has come into being."""
    for cell in cards(shown):
        assert elements(cell, FOREIGN) == []
        assert elements(cell, "[id],[name],[src],[href],[data-commandlinker-command],[data-commandlinker-args]") == []
        handlers = cell.node.locator(".jp-RenderedHTML *").evaluate_all(
            "nodes => nodes.filter(n => [...n.attributes].some(a => a.name.startsWith('on'))).map(n => n.outerHTML)"
        )
        assert handlers == []


def test_texts_are_shown_as_they_are(shown: Notebook) -> None:
    """A reader sees the text itself, its controls spelled out; no mathematics is typeset."""
    together = "".join(
        cell.area.evaluate("node => node.textContent") for cell in cards(shown) if "display" in cell.source
    )
    for text in ACTIVE.values():
        assert text in together, text
    assert not any(elements(cell, "mjx-container, .MathJax") for cell in cards(shown))


REFUSED = """
for text in texts:
    try:
        %invoke_lm @rest -{} $text
    except Exception:
        get_ipython().showtraceback()
"""


@pytest.mark.parametrize("parameter", ["FunctionName", "ProfileName", "Select"])
def test_a_refused_name_is_text(shown: Notebook, the_lab: Lab, parameter: str) -> None:
    """A text in place of a name is refused with a message that is text."""
    rest = {} if parameter == "FunctionName" else {"FunctionName": "echo"}
    cell = shown.run(f"rest = {rest}\n{REFUSED.format(parameter)}")
    settle(shown)
    assert len(cell.errors) > len(ACTIVE)
    assert {*cell.errors} <= {"ParameterError", "ProfileError"}
    assert elements(cell, FOREIGN.replace(",a,", ","), "application/vnd.jupyter.stderr") == []  # addresses become links
    assert the_lab.happened() == {}


def test_nothing_runs_in_an_untrusted_notebook(shown: Notebook, lab: Lab) -> None:
    """The saved notebook, opened where nobody has signed it, shows the same texts and is as quiet."""
    shown.save()
    saved: Any = nbformat.read(shown.path, as_version=4)
    with lab.notebook(path=lab.store(saved)) as notebook:
        assert not notebook.trusted
        untrusted = cards(notebook)
        assert len(untrusted) == len(cards(shown))
        for cell, live in zip(untrusted, cards(shown), strict=True):
            assert elements(cell, FOREIGN) == []
            assert elements(cell, "[data-commandlinker-command]") == []
            assert lab.structures(cell.shown) == lab.structures(live.shown)
    assert lab.happened() == {}
    assert CANARY not in lab.page.evaluate("() => Object.keys(window)")
