"""A run that is killed at any moment, however often, and resumed: nothing is lost and nothing runs twice untold."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

import pytest
from journal.trials import Trial

KILLED = -signal.SIGKILL
SHARDS = 4


def run_until_over(trial: Trial, kills: int, dice: random.Random, sig: int = signal.SIGKILL) -> int:
    """Kills a run again and again at random moments until it is over, `kills` times at most; gives how often."""
    done = 0
    while done < kills:
        found = trial.go(resume=trial.exists(), signal=int(sig), after=dice.uniform(0.0, 0.06))
        trial.check_killed()
        if found["status"] != KILLED:
            break
        done += 1
    trial.finish()
    return done


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_random_moments(trial: Callable[..., Trial], shard: int) -> None:
    """T1: 200 kills -9; each run is killed about four times, also while it resumes."""
    dice = random.Random(shard)
    left = 200 // SHARDS
    found = []
    while left > 0:
        one = trial(count=30, streamed=dice.random() < 0.5)
        left -= run_until_over(one, min(left, 5), dice)
        found += one.found
    assert found == []


@pytest.mark.usefixtures("needs_strace")
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64", "sendto"])
def test_killed_at_the_nth_system_call(trial: Callable[..., Trial], call: str) -> None:
    """T2: 60 kills, at the n-th time that the disk is forced or written, or a request is sent, for n = 1 to 20."""
    found = []
    for number in range(1, 21):
        one = trial(count=12)
        one.go(inject=f"{call}:signal=SIGKILL:when={number}")
        one.check_killed()
        one.finish()
        found += one.found
    assert found == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_and_ended(trial: Callable[..., Trial], name: str) -> None:
    """T9: 50 signals at random moments, as Ctrl-C, a kernel's interrupt, a shutdown and a lost terminal send them."""
    dice = random.Random(name)
    found = []
    for _ in range(18 if name == "SIGINT" else 16):
        one = trial(count=20)
        one.go(signal=int(signal.Signals[name]), after=dice.uniform(0.0, 0.06))
        one.check_killed()
        one.finish()
        found += one.found
    assert found == []


def test_what_the_last_owner_had_under_way_is_all_that_is_unknown(trial: Callable[..., Trial]) -> None:
    """After a kill no more items are unknown than could be under way."""
    one = trial(count=30)
    one.go(mutations=["die before sending"], die_after=12)
    said = one.finish()["said"]
    assert one.found == []
    assert 1 <= len(said["unknown"]) <= 4
    assert said["error"] == "BulkError"
    assert "nobody knows whether" in said["message"]
    assert not any(one.ran[number] for number in said["unknown"] if number >= 12)
