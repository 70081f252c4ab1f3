"""Makes the pictures of the README: cards as JupyterLab shows them, as PNG files in a folder.

    python tests/lab/pictures.py FOLDER

Each is cropped to the card, in the light theme, at twice the size of the screen, and smaller than 60 KB.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it

from lab.labnotebook import Notebook
from lab.labpage import Lab, chromium, find_chromium
from lab.labserver import lab_server

LIMIT = 60_000  # bytes
COLORS = 64  # enough for text, a badge and bars
WIDTH = 860  # of the page; the card is a little narrower

SETUP = (
    '%load_ext lmfunction\n%config LMFunction.profile_name = "local"',
    """%%publish_lm_function orders-api
PRICES = {"a-1": 12.5, "b-2": 3.0}
def handler(event, context):
    print("INFO pricing", len(event["lines"]), "lines of order", event["id"])
    priced = [line | {"price": PRICES[line["sku"]]} for line in event["lines"]]
    total = sum(line["price"] * line["count"] for line in priced)
    return {"id": event["id"], "total": {"amount": total, "currency": "EUR"}, "lines": priced}
""",
    'order = {"id": 4711, "lines": [{"sku": "a-1", "count": 2}, {"sku": "b-2", "count": 1}]}\n'
    'wrong = {"id": 4712, "lines": [{"sku": "z-9", "count": 1}]}\n'
    "orders = [wrong if n % 50 == 7 else order | {'id': n} for n in range(400)]",
    "%invoke_lm orders-api $order",  # warm
)
PICTURES = {
    "result": "%invoke_lm orders-api $order -LogType Tail",
    "failed": "r = %invoke_lm orders-api $wrong -ErrorAction Continue",
    "what-if": "%invoke_lm orders-api $order -InvocationType Event -WhatIf",
    "several": "run = %lm $orders | invoke_lm orders-api -ThrottleLimit 20 -ErrorAction Continue\nrun",
}


def main() -> int:
    """Makes them all; 1 when one is too big."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {path: path.stat().st_size for path in make_pictures(folder)}
    for path, size in sizes.items():
        print(f"{path}  {size:,} bytes{'  TOO BIG' if size >= LIMIT else ''}")
    return int(any(size >= LIMIT for size in sizes.values()))


def make_pictures(folder: Path) -> Iterator[Path]:
    """Writes the pictures, one after the other."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        program = find_chromium(os.environ.get("LMFUNCTION_CHROMIUM"), playwright)
        if program is None:
            raise SystemExit("no Chromium: install chromium or google-chrome, or name one in LMFUNCTION_CHROMIUM")
        home = Path(scratch)
        with chromium(playwright, program, home) as browser, lab_server(home / "lab") as server:
            lab = Lab(server, browser, scale=2, width=WIDTH)
            with lab.notebook() as notebook:
                for source in SETUP:
                    run(notebook, source)
                for name, source in PICTURES.items():
                    yield shoot(notebook, source, folder / f"{name}.png")
            lab.close()


def run(notebook: Notebook, source: str) -> None:
    """Runs what must not fail."""
    cell = notebook.run(source)
    if cell.errors:
        raise SystemExit(cell.text)


def shoot(notebook: Notebook, source: str, path: Path) -> Path:
    """Writes the card that `source` shows last."""
    cell = notebook.run(source)
    with notebook.whole():
        shown = cell.area.locator(".jp-RenderedHTML > div").last.screenshot()
    with Image.open(io.BytesIO(shown)) as picture:
        picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
