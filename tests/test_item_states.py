"""The states of a run's items, a byte each."""

from __future__ import annotations

from lmfunction._item_states import States


def states(*names: str) -> States:
    """States of items, in order."""
    found = States()
    for name in names:
        found.append(name)
    return found


def test_they_are_a_sequence() -> None:
    """By place, from either end, and a part of them."""
    found = states("PENDING", "OK", "UNKNOWN", "OK")
    assert (len(found), found[1], found[-1], found[1:3]) == (4, "OK", "OK", ["OK", "UNKNOWN"])
    found[0] = "REJECTED"
    assert [*found] == ["REJECTED", "OK", "UNKNOWN", "OK"]


def test_items_are_found_by_their_states() -> None:
    """Their number and places; what is added while the places are read is not among them."""
    found = states("PENDING", "OK", "UNKNOWN", "PENDING")
    assert found.number_in({"PENDING", "NOT_SENT"}) == 2
    places = found.places(["PENDING", "UNKNOWN"])
    assert next(places) == 0
    found.append("PENDING")
    assert [*places] == [2, 3]
    assert [*found.places(["NOT_SENT"])] == []


def test_each_can_have_another_code() -> None:
    """One byte an item, by the name of its state."""
    codes = {"OK": 7, "PENDING": 255}
    assert states("PENDING", "OK", "PENDING").coded(codes.__getitem__) == bytearray([255, 7, 255])
    assert states().coded(codes.__getitem__) == bytearray()
