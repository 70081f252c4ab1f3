"""Cards in a notebook that somebody else has run: JupyterLab's sanitizer leaves them as they are."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lmfunction._render import Card, Section, Tone, render_html

from . import corpus
from .sanitizer import ABOUT, sanitized, structure

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "sanitizer_cases.yaml").read_text("utf-8"))
SHOWN = dict(corpus.shown())
NODE_MODULES = os.environ.get("JUPYTERLAB_NODE_MODULES", "")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_rules_are_applied_as_the_real_sanitizer_does(case):
    """What the vendored rules leave of a piece of HTML is what the real sanitizer was recorded to leave."""
    left = [
        (kind, name, tuple(a for a in more if a[0] != "data-jupyter-id"))
        for kind, name, more in structure(case["left"])
    ]
    assert sanitized(case["html"]) == left, ABOUT


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_of_a_card_is_removed(name):
    """No tag, attribute, style or text of any kind of card is touched, whatever it shows."""
    markup = corpus.markup_of(SHOWN[name])
    assert sanitized(markup) == structure(markup)


def test_what_would_be_removed_is_noticed():
    """The comparison can fail: a style that the rules do not know is a difference."""
    markup = render_html(Card(Tone.OK, "OK", "f", (), (Section("t", "x", "text"),)))
    changed = markup.replace("cursor:pointer", "cursor:pointer;user-select:all")
    assert changed != markup
    assert sanitized(changed) != structure(changed)


@pytest.mark.skipif(not NODE_MODULES or not shutil.which("node"), reason="JUPYTERLAB_NODE_MODULES names no packages")
def test_the_real_sanitizer_agrees():
    """JupyterLab's own code, run in Node, changes no card and answers the recorded cases as recorded."""
    asked = {f"card {name}": corpus.markup_of(found) for name, found in SHOWN.items()}
    asked |= {case["name"]: case["html"] for case in CASES}
    done = subprocess.run(
        ["node", HERE / "sanitizer.mjs", NODE_MODULES, "clean"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    left = json.loads(done.stdout)
    changed = [name for name in SHOWN if structure(left[f"card {name}"]) != structure(asked[f"card {name}"])]
    assert changed == []
    assert [case["name"] for case in CASES if left[case["name"]] != case["left"]] == []
