"""Replace the spans of a video's findings by those of expressions, as `--where` asks.

`commands.run` calls it for each video. The hits of the persons stay as they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fastface.config import Config, SpansConfig
from fastface.search.questions import Question, Sightings, evaluate
from fastface.search.searcher import VideoFindings
from fastface.timeline import Interval, group_hits, make_span, merge, pad_stretches
from fastface.types import Hits, Span
from fastface.video.clock import UNKNOWN_RATE

_TICKS = 1_000_000
_TOLERANCE = 1e-6
"""Seconds. Bounds of moments are rounded to microseconds, times of hits are not."""


def answer_questions(
    findings: Iterable[VideoFindings], questions: Sequence[Question], config: Config
) -> Iterator[VideoFindings]:
    """Yield the findings with the spans of expressions, and the hits inside these as candidates for crops.

    Args:
        findings: Findings in one video each, as a `Searcher` yields them.
        questions: The expressions, with labels; without any, the findings stay unchanged.
        config: Settings that make spans of moments, and whether the persons are exported beside the expressions.
    """
    for found in findings:
        yield _answer(found, questions, config) if questions else found


def _answer(found: VideoFindings, questions: Sequence[Question], config: Config) -> VideoFindings:
    settings, with_persons = config.spans, config.question.persons
    hits, periods = _join_hits(found), found.periods
    if not found.info.is_film:
        # The times of pictures have no meaning: each picture is searched, and is a separate moment.
        settings = settings.model_copy(update={"merge_gap": 0.0, "pad": (0.0, 0.0)})
        picture = float(1 / (found.info.rate or UNKNOWN_RATE))
        periods = np.full_like(periods, picture)
        hits = {label: replace(one, period=np.full_like(one.period, picture)) for label, one in hits.items()}
    sightings = Sightings(
        {label: _find_presence(one, settings.merge_gap) for label, one in hits.items()},
        lambda label: _find_other_faces(found, label, periods),
        found.searched,
        _to_fraction(periods.min() / 2) if len(periods) else Fraction(0),
    )
    spans: list[Span] = []
    inside = {label: np.zeros(len(one), np.bool_) for label, one in found.hits.items()}
    for question in questions:
        persons = [label for label in question.persons if label in hits]
        made, kept = _build_spans(found, question, evaluate(question, sightings), hits, settings)
        spans += made
        for label in persons:
            inside[label] |= _find_moments(found.hits[label].time, kept) >= 0
    labels = dict.fromkeys(question.label for question in questions)
    if with_persons:
        spans += [span for span in found.spans if span.target not in labels]
    return replace(
        found,
        spans=tuple(sorted(spans, key=lambda span: (span.start, span.target))),
        colours={**dict.fromkeys(labels, 0), **found.colours},
        persons={question.label: question.persons for question in questions},
        crop_hits=None if with_persons else {label: found.hits[label][rows] for label, rows in inside.items()},
    )


def _join_hits(found: VideoFindings) -> dict[str, Hits]:
    """Return {label: hits, and moments in which the target is followed by the body}, in order of time."""
    joined = {
        label: Hits.concatenate([hits, *([found.followed[label]] if label in found.followed else [])])
        for label, hits in found.hits.items()
    }
    return {label: hits[np.argsort(hits.time, kind="stable")] for label, hits in joined.items()}


def _find_presence(hits: Hits, merge_gap: float) -> tuple[Interval, ...]:
    groups = group_hits(hits, merge_gap)
    return merge((_to_fraction(group.time[0]), _to_fraction(group.time[-1] + group.period[-1])) for group in groups)


def _find_other_faces(found: VideoFindings, label: str, all_periods: npt.NDArray[np.float64]) -> tuple[Interval, ...]:
    """Return the samples with a face that is no hit of a target."""
    is_other = np.ones(len(found.faces), np.bool_)
    if label in found.hits:
        is_other[found.hits[label].face] = False
    times, periods = found.faces.time[is_other], all_periods[is_other]
    if not len(times):
        return ()
    order = np.argsort(times, kind="stable")
    starts, ends = times[order], np.maximum.accumulate((times + periods)[order])
    # A sample is the first frame of its period, so two neighbours may lie farther apart, but not by half a period.
    first = np.flatnonzero(np.r_[True, starts[1:] > ends[:-1] + periods[order][1:] / 2])
    last = np.r_[first[1:] - 1, len(starts) - 1]
    return tuple((_to_fraction(start), _to_fraction(end)) for start, end in zip(starts[first], ends[last], strict=True))


def _build_spans(
    found: VideoFindings,
    question: Question,
    moments: Sequence[Interval],
    hits: dict[str, Hits],
    settings: SpansConfig,
) -> tuple[list[Span], list[Interval]]:
    """Return the spans of an expression, and the moments that are long enough for them."""
    video_id, info = found.record.video_id, found.info
    frame = float(1 / (info.rate or UNKNOWN_RATE))
    stretches = [(float(start), max(float(start), float(end) - frame), float(end)) for start, end in moments]
    duration = None if info.duration is None else float(info.duration)
    padded = pad_stretches(stretches, pad=settings.pad, min_span=settings.min_span, duration=duration)
    every = [hits[label] for label in question.persons if label in hits]
    evidence = Hits.concatenate(every) if every else None
    if evidence is not None:
        evidence = evidence[np.argsort(evidence.time, kind="stable")]
    spans = []
    for one in padded:
        parts = [moments[number] for number in one.parts]
        inside = None if evidence is None else evidence[_find_moments(evidence.time, parts) >= 0]
        if inside is not None and len(inside):
            spans.append(make_span(video_id, question.label, one.start, one.end, inside))
            continue
        first, last = stretches[one.parts[0]][0], stretches[one.parts[-1]][1]
        spans.append(Span(video_id, question.label, one.start, one.end, first, last, 0, None, None))
    return spans, [moments[number] for one in padded for number in one.parts]


def _find_moments(times: npt.NDArray[np.float64], moments: Sequence[Interval]) -> npt.NDArray[np.int64]:
    """Return the number of the moment in which each time lies; -1 for none."""
    bounds = np.array([(float(start), float(end)) for start, end in moments]).reshape(-1, 2)
    number = np.searchsorted(bounds[:, 0], times + _TOLERANCE, side="right") - 1
    is_inside = (number >= 0) & (times < np.r_[bounds[:, 1], 0.0][number] - _TOLERANCE)
    return np.where(is_inside, number, -1)


def _to_fraction(time: float) -> Fraction:
    return Fraction(round(float(time) * _TICKS), _TICKS)
