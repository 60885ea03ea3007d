"""Search the index for the persons of photos and write the answer: the second half of `run`, and `find`.

`commands.run` and `commands.find` import this module when their processes have started, and so load it while these load
their networks.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fastface.commands.answer import write_answer
from fastface.commands.enroll import Enrolment
from fastface.export.taken_faces import write_taken_faces
from fastface.gallery.matching import list_labels, match
from fastface.gallery.reference_set import ReferenceSet
from fastface.index.records import VideoRecord
from fastface.index.track_archive import TrackArchive
from fastface.indexing.scanner import open_scanner
from fastface.names import pluralize, shorten_lines
from fastface.pipeline.engine import Engine
from fastface.runtime.context import RunContext
from fastface.runtime.run_report import RunResult
from fastface.search.archive_survey import survey
from fastface.search.earlier_answers import keep_earlier_answer
from fastface.search.moments import answer_questions
from fastface.search.questions import Question, read_questions
from fastface.search.searcher import Searcher
from fastface.types import Faces

_MOST_REMARKS = 20
"""Maximum number of remarks on photos that are printed; run.json has more."""


def enrol_targets(context: RunContext, enrolment: Enrolment, result: RunResult) -> ReferenceSet:
    """Wait for the photos of the targets, and note what is wrong with them.

    Raises:
        FastfaceError: See `Enrolment.finish`.
    """
    with result.phase("photos"):
        gallery, report = enrolment.finish()
    result.targets = list_labels(gallery)
    # A wrong name in an expression must not discard earlier results, or cost a scan.
    result.where = tuple(one.label for one in _read_questions(context, result))
    result.remarks = report.warnings
    for line in shorten_lines(report.warnings, _MOST_REMARKS):
        context.observer.note(line)
    write_taken_faces(context, report.photos)
    return ReferenceSet(gallery)


def make_hit_counter(context: RunContext, references: ReferenceSet) -> Callable[[Faces], int]:
    """Return a function that counts the hits among faces whose tracks are not linked yet."""

    def count(faces: Faces) -> int:
        periods = np.zeros(len(faces))
        return sum(map(len, match(faces, references, context.limits, periods).values()))

    return count


def move_earlier_answer(context: RunContext, result: RunResult) -> None:
    """Move the answer of another search aside, and name the answer of this one."""
    result.answer = keep_earlier_answer(context, result.targets, result.where).name


def open_searcher(
    context: RunContext,
    references: ReferenceSet,
    records: list[VideoRecord],
    archive: TrackArchive,
    result: RunResult,
) -> Searcher:
    """Build the searcher for the gallery and this archive; first move the answer of another search aside."""
    move_earlier_answer(context, result)
    with result.phase("survey"):
        found = survey(context, references, records, archive)
    result.limits = found.searcher.limits
    result.counts = replace(result.counts, decisions=found.num_decisions)
    return found.searcher


def list_comparable(context: RunContext, references: ReferenceSet, archive: TrackArchive) -> list[VideoRecord]:
    """List the videos of OUT, without those of earlier runs that were embedded by another recogniser."""
    records = context.answered_records(with_info=False)
    kept = Searcher(context, references, context.limits, archive).comparable(records)
    if len(kept) < len(records):
        left_out = pluralize(len(records) - len(kept), "video")
        context.observer.note(f"left out {left_out} of earlier runs, scanned with another recogniser")
    return kept


def look_closer(
    context: RunContext, searcher: Searcher, records: list[VideoRecord], engine: Engine, result: RunResult
) -> None:
    """Scan stretches more densely until the search needs no more of them."""
    with result.phase("closer looks"):
        while units := list(searcher.unsure_units(records)):
            if context.interruption.is_over:
                result.is_cut_short = True
                context.observer.note(
                    f"Time is up: {pluralize(len(units), 'closer look')} left. Run the same command to continue."
                )
                return
            scanner = open_scanner(context)
            for info, unit in units:
                scanner.schedule(info, unit, engine)
            scanner.run(engine)
            result.nodes = engine.nodes
            result.is_cut_short |= scanner.num_lost_looks > 0
            context.interruption.check()


def _read_questions(context: RunContext, result: RunResult) -> tuple[Question, ...]:
    return read_questions(context.config.question.where, result.targets)


def answer(context: RunContext, searcher: Searcher, records: list[VideoRecord], result: RunResult) -> None:
    """Search the videos, and write the answer of the persons and of the expressions."""
    questions = _read_questions(context, result)
    findings = searcher.findings(records, with_empty=bool(questions))
    write_answer(context, answer_questions(findings, questions, context.config), result)
