"""The tests of the journal with the numbers of a night: `python tests/soak/soak_journal.py --help`.

Kills at random moments, system calls that kill or fail at every n, losses of power, two owners, damaged files; and a
run of a million items that is killed now and then. After each the invariants of `tests/journal/invariants.py` are held
against what really ran. Prints a line for each kind, and ends with 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from journal.invariants import opened
from journal.stub import Stub, counting_stub
from journal.test_disks import _HARM, _checkpoint
from journal.test_kills import run_until_over
from journal.trials import Parent, Trial

Make = Callable[..., Trial]


def kills(make: Make, number: int, dice: random.Random) -> Iterator[list[str]]:
    """T1: so many kills -9 at random moments."""
    left = number
    while left > 0:
        one = make(count=30, streamed=dice.random() < 0.5)
        left -= max(run_until_over(one, min(left, 5), dice), 1)
        yield one.found


def calls(make: Make, number: int, dice: random.Random) -> Iterator[list[str]]:
    """T2, T3: killed, or an error, at the n-th system call, for every n up to the number."""
    for call in ("fdatasync", "pwrite64", "sendto", "ftruncate", "openat"):
        for fault in ("signal=SIGKILL", "error=EIO", "error=ENOSPC"):
            if call == "sendto" and "error" in fault:
                continue
            for n in range(1, number + 1):
                one = make(count=20)
                one.go(inject=f"{call}:{fault}:when={n}{'' if 'signal' in fault else '+'}")
                one.check_killed()
                one.finish()
                yield one.found


def power(make: Make, number: int, dice: random.Random) -> Iterator[list[str]]:
    """T5: so many losses of power of each of three kinds."""
    for n in range(number):
        for cut in ("all", "some", "torn"):
            one = make(count=12)
            one.go(mutations=["power loss"], cut=cut, cut_at=1 + n % 20, seed=n)
            one.check_killed()
            one.finish()
            yield one.found


def signals(make: Make, number: int, dice: random.Random) -> Iterator[list[str]]:
    """T9: so many signals."""
    for n in range(number):
        one = make(count=20)
        one.go(signal=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP][n % 3], after=dice.uniform(0, 0.06))
        one.check_killed()
        one.finish()
        yield one.found


def damage(make: Make, number: int, dice: random.Random) -> Iterator[list[str]]:
    """T12: so many damaged files: never a silent resend."""
    for _ in range(number):
        one = make(count=20)
        one.go(mutations=["die before sending"], die_after=dice.randrange(4, 18))
        ending = dice.choice(["", "-wal"])
        if not ending:
            _checkpoint(one.path)
        path = Path(one.path + ending)
        content = bytearray(path.read_bytes())
        dice.choice(list(_HARM.values()))(content, dice)
        path.write_bytes(content)
        said = one.go(resume=True)["said"]
        twice = [n for n, times in one.ran.items() if times > 1]
        strange = "summary" not in said and said["error"] != "JournalError"
        yield [f"{twice} ran again: {said}"] if twice or strange else []


def soak(parent: Parent, stub: Stub, folder: str, items: int, times: int) -> list[str]:
    """T11: so many items, from a generator, with so many kills: nothing runs twice, and memory stays flat."""
    stub.slowest = 0.0
    options = {"parameters": {"throttle_limit": 200}, "streamed": True}
    one = Trial(parent, stub, str(Path(folder) / "soak.db"), items, options)
    dice = random.Random(11)
    began, killed = time.monotonic(), 0
    for _ in range(times):
        after = dice.uniform(0.5, max(1.5, items / 80_000))  # so that all find it under way
        killed += one.go(resume=one.exists(), signal=int(signal.SIGKILL), after=after)["status"] == -signal.SIGKILL
    said = one.go(resume=one.exists())["said"]
    if "summary" not in said:
        return [f"(c) it could not be resumed: {said}"]
    took = time.monotonic() - began
    found = [f"(b) {n} ran {count} times" for n, count in one.ran.items() if count > 1]
    with opened(one.path) as database:
        count, ended = database.execute(
            "SELECT (SELECT COUNT(*) FROM item), (SELECT COUNT(DISTINCT place >> 20) FROM outcome WHERE final)"
        ).fetchone()
    if not count == ended == items:
        found.append(f"(c) of {items:,} items {count:,} are written down, {ended:,} ended")
    print(
        f"soak: {items:,} items, {killed} kills, {len(found)} violations, {len(said['unknown'])} unknown, "
        f"peak memory {said['peak_mb']} MB, {took:.0f} s, file {os.path.getsize(one.path) >> 20} MB"
    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = {"kills": (kills, 2000), "calls": (calls, 40), "power": (power, 1000), "signals": (signals, 500)}
    kinds["damage"] = (damage, 300)
    for name, (_, usual) in kinds.items():
        parser.add_argument(f"--{name}", type=int, help=f"how many, usually {usual}; alone: no others unless named")
    parser.add_argument("--items", type=int, help="of the long run, usually 1000000; alone: no others unless named")
    parser.add_argument("--times", type=int, default=20, help="how often the long run is killed, usually 20")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    every = not any(getattr(chosen, name) for name in (*kinds, "items"))
    failed = False
    with counting_stub() as stub, tempfile.TemporaryDirectory() as folder:
        parent = Parent(stub.url, Path(folder) / "state")

        def make(**options: object) -> Trial:
            count = int(str(options.pop("count", 30)))
            return Trial(parent, stub, str(Path(folder) / f"{random.getrandbits(64):x}.db"), count, options)

        for name, (kind, usual) in kinds.items():
            number = getattr(chosen, name) or (usual if every else 0)
            if not number:
                continue
            began = time.monotonic()
            each = list(kind(make, number, random.Random(chosen.seed)))
            found = [line for one in each for line in one]
            failed = failed or bool(found)
            print(f"{name}: {number:,}, {len(each):,} runs, {time.monotonic() - began:.0f} s, {len(found)} violations")
            print("".join(f"    {line}\n" for line in found[:20]), end="", flush=True)
        if chosen.items or every:
            found = soak(parent, stub, folder, chosen.items or 1_000_000, chosen.times)
            failed = failed or bool(found)
            print("".join(f"    {line}\n" for line in found[:20]), end="", flush=True)
        parent.close()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
