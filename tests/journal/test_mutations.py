"""The tests of the journal notice when its protocol is broken: each way to break it makes an invariant fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from journal.test_owners import stopped_and_continued
from journal.trials import Parent, Trial


def test_the_intent_after_the_send(trial: Callable[..., Trial]) -> None:
    """Killed, such a run has items that ran and are not known to have been sent; resumed, it runs them again."""
    for mutations in (["intent after send"], []):
        one = trial(count=20)
        one.go(mutations=[*mutations, "die before settling"], die_after=7)
        one.check_killed()
        one.finish()
        assert {line[:3] for line in one.found} == ({"(a)", "(b)"} if mutations else set())


def test_commits_that_are_not_forced(trial: Callable[..., Trial]) -> None:
    """When the power is lost what was committed is gone: items that ran would be taken for unsent."""
    pytest.importorskip("apsw")
    one = trial(count=12)
    # With NORMAL the WAL file is forced only when it is moved into the database, at the end of the run.
    said = {}
    for number in range(2, 12):
        one = trial(count=12)
        if one.go(mutations=["unforced", "power loss"], cut="all", cut_at=number, seed=1)["status"] != 77:
            break
        if one.ran:
            one.check_killed()
            said = one.finish()
            break
    assert any(line.startswith(("(a)", "(b)", "(c)")) for line in one.found), said


def test_no_fence(trial: Callable[..., Trial], other_parent: Parent) -> None:
    """An owner that was stopped writes over what the one that took over wrote last, and the run cannot go on."""
    one, _ = stopped_and_continued(trial, other_parent, 12, meanwhile=False, beat=0.1, mutations=["unfenced"])
    one.finish()
    assert [line[:3] for line in one.found] == ["(c)"]
