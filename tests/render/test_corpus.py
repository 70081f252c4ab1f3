"""Every kind of card: inert, within its caps, the same facts in all media, and nothing hidden by halves."""

import json

import pytest

from lmfunction._redact import Redaction
from lmfunction._render import Card, mime_bundle, render_html, render_text

from . import corpus

SHOWN = dict(corpus.shown())
PLAIN = {name: found for name, found in SHOWN.items() if " in " not in name}
TEXT_CAP, HTML_CAP = 8_192, 65_536


def bundle(found):
    """What IPython gets of `found`."""
    if hasattr(found, "_repr_mimebundle_"):
        return found._repr_mimebundle_()
    return mime_bundle(lambda: found, lambda: "fallback")


@pytest.mark.parametrize("name", SHOWN)
def test_a_card_is_inert_and_within_its_caps(name, page, controls):
    """Only our tags and constant attributes, no control character, two media, capped; figures that JSON can hold."""
    data, metadata = bundle(SHOWN[name])
    assert set(data) == {"text/plain", "text/html"}
    page(data["text/html"])
    assert not controls(data["text/plain"])
    assert len(data["text/html"].encode()) <= HTML_CAP
    assert len(data["text/plain"].encode()) <= TEXT_CAP
    stored = json.dumps(metadata, allow_nan=False, ensure_ascii=False)
    assert len(stored.encode()) < 8_192
    assert not controls(stored)


@pytest.mark.parametrize("name", SHOWN)
def test_a_repr_is_one_safe_line(name, controls):
    """What stands for it in a list or a log is one printable line."""
    found = SHOWN[name]
    if isinstance(found, BaseException) or type(found).__module__ == "lmfunction._sinks":
        return  # an exception's repr is Python's own; a table's is the table
    line = repr(found)
    assert "\n" not in line
    assert len(line) < 2_000 or name.endswith("in card")
    assert not controls(line) or name.endswith("in card")


@pytest.mark.parametrize("name", PLAIN)
def test_metadata_tells_what_was_shown(name):
    """Each kind of card has its figures for machines, under one name."""
    _, metadata = bundle(PLAIN[name])
    figures = metadata["lmfunction"]
    assert figures
    assert all(value is not None for value in figures.values())


@pytest.mark.parametrize("name", PLAIN)
def test_text_and_html_have_the_same_header(name, page):
    """Badge, title and facts are the same in both media."""
    card = corpus.made(PLAIN[name])
    read = " ".join(page(render_html(card)).text.replace("\xa0", " ").split())
    assert read.startswith(
        " ".join([card.status, card.title, *(f"· {fact}" for fact in card.facts)]).replace("  ", " ")
    )
    text = " ".join(render_text(card, width=1_000).splitlines()[0].split())
    assert text == " ".join([f"[{card.status}]", card.title, *(f"· {fact}" for fact in card.facts)]).strip()


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("width", [40, 80, 132])
def test_a_terminal_of_any_width(name, width):
    """No line is wider than the terminal."""
    from lmfunction._render.columns import cells

    lines = render_text(corpus.made(PLAIN[name]), width=width).splitlines()
    assert [line for line in lines if cells(line) > width] == []


SECRET = "hunter2-is-no-good"
KEY = "AKIAIOSFODNN7EXAMPLE"
HIDING = Redaction(
    keys=("email",),
    patterns=(r"\bcard-\d+",),
    paths=("Payload.customer.street", "Payload.items[].price"),
    secrets=((SECRET, "«secret ssm:/x»"),),
)


@pytest.mark.parametrize("secret", [SECRET, KEY, "card-4711"])
def test_a_secret_is_in_no_place_of_a_card(secret):
    """What is hidden by its look, a pattern or heart shows in no medium, no repr and no figure of any kind of card."""
    for kind, found in corpus.hostile(f"told {secret} here"):
        shown = hidden(found)
        data, metadata = bundle(shown)
        everything = [
            data["text/plain"],
            data["text/html"],
            json.dumps(metadata),
            render_text(corpus.made(shown), color=True),
        ]
        if not isinstance(shown, BaseException | Card):
            everything.append(repr(shown))
        assert [text for text in everything if secret in text] == [], kind
        assert "told" in everything[1], kind


def hidden(found):
    """The same, seen through the profile's redaction."""
    from dataclasses import replace

    from lmfunction._bulk_result import BulkResult
    from lmfunction._model import InvokeResult
    from lmfunction._record import Record, Records

    if isinstance(found, InvokeResult):
        found.redaction = HIDING
    elif isinstance(found, Record | Records):
        return found.hiding(HIDING)
    elif isinstance(found, BulkResult):
        for item in found.items:
            if item.result is not None:
                item.result.redaction = HIDING
    elif isinstance(found, Card):
        return replace(found, redaction=HIDING)
    elif not hasattr(found, "redaction"):
        return replace(corpus.made(found), redaction=HIDING)
    return found


ORDER = {
    "email": "a@example.com",
    "password": "open sesame",
    "customer": {"street": "Secret Street", "e-mail": "b@example.com", "name": "Ada"},
    "items": [{"sku": "A", "price": 1234567}, {"sku": "B", "price": 7654321}],
    "nested": json.dumps({"token": "t0ken-value", "fine": "shown value"}),
    "next_token": "page-two",
}
GONE = ["a@example.com", "b@example.com", "open sesame", "Secret Street", "1234567", "7654321", "t0ken-value"]
LEFT = ["Ada", "sku", "page-two", "shown value"]


def test_keys_and_places_are_hidden():
    """A member is hidden by its name in any spelling and by its place; others, and names that only page, are not."""
    result = corpus.result(ORDER, redaction=HIDING)
    data, _ = bundle(result)
    for medium in (data["text/plain"], data["text/html"], repr(result)):
        assert [text for text in GONE if text in medium] == []
    for text in LEFT:
        assert text in data["text/plain"]
        assert text in data["text/html"]
    assert "***" in data["text/html"]


def test_places_of_many_payloads_are_hidden():
    """A place is that of each payload also where a run shows several, as a table or as trees."""
    for payloads in (
        [ORDER] * 3,
        [{"customer": {"street": "Secret Street"}}],
        [{"email": "a@example.com", "n": 1}] * 3,
    ):
        run = corpus.few()
        for item, payload in zip(run.items, payloads, strict=False):
            item.result = corpus.result(payload, redaction=HIDING)
        del run.items[len(payloads) :]
        data, _ = bundle(run)
        for medium in data.values():
            assert [text for text in GONE if text in medium] == []


def test_errors_and_logs_are_hidden():
    """The message and the stack trace of an error are hidden as members of the payload, the log as the log."""
    told = {"errorType": "E", "errorMessage": "no sesame", "stackTrace": ["at sesame"]}
    hides = Redaction(paths=("Payload.errorMessage", "Payload.stackTrace", "Log"))
    result = corpus.failure(told, "ERROR sesame\n", redaction=hides)
    data, _ = bundle(result)
    assert "sesame" not in data["text/plain"] + data["text/html"] + repr(result)
    run = corpus.few()
    run.items[0].result = result
    data, _ = bundle(run)
    assert "sesame" not in data["text/plain"] + data["text/html"]


def test_a_secret_at_the_cut_is_hidden():
    """A secret that stands where a long text is cut does not show its first half."""
    for length in range(3_900, 4_100, 7):
        text = f"{'x' * length} {KEY} {'y' * 9_000}"
        for body in (text, {"a": text}):
            assert "AKIA" not in corpus.markup_of(corpus.result(body))
    log = "".join(f"{index} {KEY}\n" for index in range(20_000))
    for width in range(40, 48):
        card = corpus.made(corpus.result({}, log=log[width:]))
        assert "AKIA" not in render_text(card, width=width) + render_html(card)


def test_no_redaction_leaves_all(page):
    """Nothing is hidden that neither looks like a secret nor is named like one."""
    read = page(corpus.markup_of(corpus.result({"street": "Secret Street", "email": "a@example.com"}))).text
    assert '"street": "Secret Street", "email": "a@example.com"' in read
