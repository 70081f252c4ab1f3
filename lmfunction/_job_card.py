"""The card of a job, as it stands, and the table of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lmfunction._render.card import Card, Section, Tone
from lmfunction._text import one_line

if TYPE_CHECKING:
    from lmfunction._jobs import Job

_TONES: Final = {"Running": Tone.INFO, "Completed": Tone.OK, "Failed": Tone.FAILED, "Stopped": Tone.WARNING}


def job_card(job: Job) -> Card:
    """The card: how far it is, what went wrong, and how its result is got."""
    facts = (*job.facts, f"receive_job {job.id} gives its result" if job.has_more_data and job.ended else "")
    sections = [
        Section("Job", [("Command", job.command), ("Begun", job.begin_time.isoformat(" ", "seconds"))], "pairs")
    ]
    if job.error is not None:
        sections.append(Section("Error", f"{type(job.error).__name__}: {job.error}", "text", more="job.error"))
    if job.warnings:
        sections.append(Section("Warnings", "\n".join(job.warnings), "text", more="job.warnings"))
    return Card(
        _TONES[job.state],
        job.state.upper(),
        job.name,
        tuple(fact for fact in facts if fact),
        tuple(sections),
        {"job": job.id, "state": job.state},
    )


def jobs_card(jobs: Sequence[Job]) -> Card:
    """The card of several: a row for each."""
    rows = [
        {
            "Id": job.id,
            "Name": job.name,
            "State": job.state,
            "HasMoreData": job.has_more_data,
            "Progress": ", ".join(job.facts),
            "Command": one_line(job.command, 80),
        }
        for job in jobs
    ]
    count = f"{len(rows):,} job{'' if len(rows) == 1 else 's'}"
    sections = (Section("Jobs", rows, "table", more="the list itself: r[0], r[0].result"),) if rows else ()
    return Card(Tone.PLAIN, "JOBS", count, sections=sections, summary={"type": "Job", "count": len(rows)})
