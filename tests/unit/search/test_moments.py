"""Moments of expressions as spans: how samples become moments, and which hits are theirs."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from export_tools import make_faces, make_hits
from index_tools import plain_info

from fastface.config import Config, load_config
from fastface.export.plan import clip_name
from fastface.index.records import VideoRecord
from fastface.search.moments import answer_questions
from fastface.search.questions import read_questions
from fastface.search.searcher import VideoFindings
from fastface.types import Hits, Span, VideoInfo

INFO = plain_info(duration=Fraction(20))  # 25 frames a second


def found_in(info: VideoInfo, faces_of: dict[str, list[float]], period: float = 0.2, length: int = 20) -> VideoFindings:
    """Findings with a face of each person at each of these times; a name that begins with `?` is no target."""
    times = [time for every in faces_of.values() for time in every]
    faces, hits, row = make_faces(times), {}, 0
    for name, every in faces_of.items():
        rows = list(range(row, row + len(every)))
        row += len(every)
        if not name.startswith("?"):
            hits[name] = replace(make_hits(faces, rows, [(n + 1) / 10 for n in range(len(rows))]),
                                 period=np.full(len(rows), period))  # fmt: skip
    record = VideoRecord(video_id=info.video_id, path=Path("film.mp4"), fingerprint="f", scan_key="k", state="done")
    searched = ((Fraction(0), Fraction(length)),)
    return VideoFindings(record, info, faces, hits, (), (), periods=np.full(len(faces), period), searched=searched)


def asked(found: VideoFindings, *texts: str, **spans: object) -> VideoFindings:
    flags = {"spans": {"pad": "0", "merge_gap": "1", **spans}, "question": {"where": list(texts)}}
    config: Config = load_config(environment={}, flags=flags)
    (answered,) = answer_questions([found], read_questions(texts, ["Ann", "Bob"]), config)
    return answered


def bounds(answered: VideoFindings) -> list[tuple[str, float, float]]:
    return [(span.target, round(span.start, 3), round(span.end, 3)) for span in answered.spans]


def test_a_span_has_the_evidence_of_its_persons_inside_it() -> None:
    found = found_in(INFO, {"Ann": [1.0, 1.2, 1.4, 1.6], "Bob": [1.4, 1.6, 1.8], "?": [9.0]})
    (span,) = asked(found, "Ann and Bob", pad="0.5,1").spans
    # Ann's third and fourth hits have the similarities 0.3 and 0.4, Bob's first two 0.1 and 0.2.
    assert span == Span(INFO.video_id, "Ann and Bob", pytest.approx(0.9), pytest.approx(2.8), 1.4, 1.6, 4,
                        pytest.approx(0.4), pytest.approx(0.25))  # fmt: skip


def test_expressions_that_differ_by_a_full_stop_have_files_of_different_names() -> None:
    found = found_in(INFO, {"Ann": [1.0], "Bob": [1.0], "Bob.": [1.0]})
    flags = {"question": {"where": ["Ann and Bob", "Ann and Bob."]}}
    config: Config = load_config(environment={}, flags=flags)
    questions = read_questions(config.question.where, ["Ann", "Bob", "Bob."])
    (answered,) = answer_questions([found], questions, config)
    names = [clip_name(span.target, answered.colours, span.start, span.end) for span in answered.spans]
    assert len(names) == 2
    assert len(set(names)) == 2


def test_a_gap_of_a_person_counts_as_presence_if_hits_join_over_it() -> None:
    found = found_in(INFO, {"Ann": [1.0, 1.8, 2.8], "Bob": [1.4]})
    assert bounds(asked(found, "Ann and Bob")) == [("Ann and Bob", 1.4, 1.6)]
    assert bounds(asked(found, "Ann")) == [("Ann", 1.0, 2.0), ("Ann", 2.8, 3.0)]  # 1.0 apart is not below 1.0


def test_other_faces_count_by_sample_whoever_they_are() -> None:
    found = found_in(INFO, {"Ann": [1.0, 1.2, 1.4, 1.6, 1.8], "Bob": [1.2], "?": [1.6]})
    assert bounds(asked(found, "alone(Ann)")) == [
        ("alone(Ann)", 1.0, 1.2), ("alone(Ann)", 1.4, 1.6), ("alone(Ann)", 1.8, 2.0),
    ]  # fmt: skip
    assert bounds(asked(found, "alone(Bob)")) == []


def test_samples_that_are_not_evenly_spaced_leave_no_moments_between_them() -> None:
    # Each sample is the first frame of its fifth of a second: at 24 frames a second they are 0.167 or 0.208 s apart.
    uneven = [round(-(-number * 24 // 5) / 24, 6) for number in range(1, 20)]
    assert {round(after - before, 3) for before, after in pairwise(uneven)} == {0.208, 0.167}
    found = found_in(INFO, {"Ann": uneven, "?": uneven})
    assert bounds(asked(found, "alone(Ann)")) == []
    assert bounds(asked(found, "Ann and not Ann")) == []
    # Bob follows Ann at once: no moment shows both, and none between them shows neither.
    found = found_in(INFO, {"Ann": uneven[:10], "Bob": uneven[10:]})
    assert bounds(asked(found, "Ann and Bob")) == []
    ((_, start, end),) = bounds(asked(found, "Ann or Bob"))
    assert (start, end) == (round(uneven[0], 3), round(uneven[-1] + 0.2, 3))


def test_a_person_who_is_followed_by_the_body_is_present() -> None:
    found = found_in(INFO, {"Ann": [1.0], "Bob": [1.0, 1.2, 1.4]})
    body = Hits(
        face=np.array([-1, -1]),
        time=np.array([1.2, 1.4]),
        pts=np.array([1200, 1400]),
        period=np.full(2, 0.2),
        similarity=np.full(2, np.nan, np.float32),
        margin=np.full(2, np.nan, np.float32),
        by=np.full(2, 3, np.int8),
    )
    (span,) = asked(replace(found, followed={"Ann": body}), "Ann and Bob").spans
    assert (span.start, round(span.end, 6), span.hits) == (1.0, 1.6, 4), "a body is no hit"


def test_not_keeps_to_the_searched_part() -> None:
    found = found_in(INFO, {"Ann": [1.0]}, length=15)
    (before, after) = asked(found, "not Ann").spans
    assert (before.start, before.end, after.start, after.end) == (0.0, 1.0, 1.2, 15.0)
    assert (before.first_hit, before.last_hit, before.hits) == (0.0, 0.96, 0)
    assert before.best_similarity is before.mean_similarity is None
    (nothing,) = asked(found_in(INFO, {}), "not Ann").spans
    assert (nothing.start, nothing.end) == (0.0, 20.0)


def test_moments_do_not_join_by_the_gap_between_hits_but_by_their_padding() -> None:
    found = found_in(INFO, {"Ann": [1.0, 1.2, 1.4, 1.6, 1.8], "Bob": [1.4]})
    assert bounds(asked(found, "Ann and not Bob")) == [("Ann and not Bob", 1.0, 1.4), ("Ann and not Bob", 1.6, 2.0)]
    assert bounds(asked(found, "Ann and not Bob", pad="0.1")) == [("Ann and not Bob", 0.9, 2.1)]
    assert bounds(asked(found, "Ann and not Bob", min_span="0.5", pad="0.1")) == []


def test_each_picture_of_an_album_is_a_moment() -> None:
    """Pictures have no times: the index counts them as 25 a second, with samples of a fifth of a second."""
    album = replace(INFO, is_film=False, duration=Fraction(1))
    times = [number / 25 for number in range(25)]
    found = found_in(album, {"Ann": [times[3], times[9], times[10]], "Bob": [times[4], times[10]], "?": [times[9]]})
    answered = asked(found, "Ann and Bob", "alone(Ann)", "Ann and not Bob", pad="5", merge_gap="2")
    assert bounds(answered) == [
        ("Ann and not Bob", 0.12, 0.16), ("alone(Ann)", 0.12, 0.16), ("Ann and not Bob", 0.36, 0.4),
        ("Ann and Bob", 0.4, 0.44),
    ]  # fmt: skip


def test_crops_may_be_made_of_the_persons_inside_the_moments_only() -> None:
    found = found_in(INFO, {"Ann": [1.0, 1.2], "Bob": [1.2, 1.4], "Carol": [1.2]})
    answered = asked(found, "Ann and Bob")
    assert answered.crop_hits is not None
    assert {label: hits.time.tolist() for label, hits in answered.crop_hits.items()} == {
        "Ann": [1.2], "Bob": [1.2], "Carol": [],
    }  # fmt: skip
    assert answered.hits == found.hits
    assert next(answer_questions([found], (), load_config(environment={}))) is found
