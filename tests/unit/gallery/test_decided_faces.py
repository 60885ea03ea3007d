"""Decisions on faces: a confirmed track is a hit, a rejected one is none, and its look counts against its target."""

from dataclasses import replace

import numpy as np
import pytest
from gallery_tools import DIMENSION, USUAL, axis, faces_of, gallery, mixed, target

from fastface.gallery.decided_faces import DecidedFaces
from fastface.gallery.matching import EVERYONE, Matches, VideoFaces, match, match_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds, TrackRule
from fastface.gallery.track_voting import EvidenceModel
from fastface.grouping import summarize_tracks
from fastface.timeline import build_spans
from fastface.types import BY_DECISION, Faces, Gallery, GrownReference, HitKind, SampledFrames

ANN, BOB = axis(0), axis(1)
RULE = TrackRule(anywhere=0.5, in_film=0.5, in_shot=0.3, expected_false=0.0, review=0.2)
LIMITS = MatchThresholds(0.5, 0.4, 0.05, tracks=RULE)
STRANGER, NEARLY, SURE, BOBS = mixed(0.0), mixed(0.4), mixed(0.8), mixed(0.0, 0.8)


def video(*tracks: tuple[np.ndarray, list[float]]) -> Faces:
    """One track for each (look, times)."""
    rows = [(time, number, look) for number, (look, times) in enumerate(tracks) for time in times]
    rows.sort(key=lambda row: row[:2])
    boxes = [(100.0 * number, 0.0, 100.0 * number + 80, 80.0) for _, number, _ in rows]
    return faces_of([look for *_, look in rows], [row[0] for row in rows], [row[1] for row in rows], boxes)


def decided(faces: Faces, owner: dict[int, int], rejected: dict[int, list[int]]) -> DecidedFaces:
    """Decisions on rows: {row: target}, {target: rows}."""
    owners, none = np.full(len(faces), -1, np.int32), np.zeros(len(faces), np.bool_)
    for row, number in owner.items():
        owners[row] = number
    masks = {number: np.isin(np.arange(len(faces)), rows) for number, rows in rejected.items()}
    return DecidedFaces(owners, masks, none)


def matched(faces: Faces, persons: Gallery, by_user: DecidedFaces | None) -> Matches:
    references = ReferenceSet(persons)
    tracks = summarize_tracks(faces, SampledFrames.empty())
    found = VideoFaces(faces, tracks, np.full(len(faces), 0.2))
    return match_tracks(found, references, LIMITS, EvidenceModel(references, USUAL), by_user)


def rows_of(found: Matches) -> dict[str, list[int]]:
    return {label: hits.face.tolist() for label, hits in found.hits.items()}


def test_a_confirmed_track_is_a_hit_below_any_threshold_and_no_near_miss() -> None:
    faces = video((NEARLY, [0.0, 0.2, 0.4]), (STRANGER, [2.0, 2.2]))
    persons = gallery(target("Ann", ANN))
    before = matched(faces, persons, None)
    assert (rows_of(before), [one.track for one in before.near_misses]) == ({}, [0])
    after = matched(faces, persons, decided(faces, {0: 0, 1: 0, 2: 0, 3: 0, 4: 0}, {}))
    assert rows_of(after) == {"Ann": [0, 1, 2, 3, 4]}
    assert set(after.hits["Ann"].by.tolist()) == {HitKind.DECISION}
    assert after.hits["Ann"].similarity.tolist() == pytest.approx([0.4, 0.4, 0.4, 0, 0], abs=1e-3)
    assert after.near_misses == ()


@pytest.mark.parametrize(("look", "was_hit"), [(SURE, True), (NEARLY, False)])
def test_a_rejected_track_is_neither_hit_nor_near_miss(look: np.ndarray, was_hit: bool) -> None:
    faces = video((look, [0.0, 0.2]), (SURE, [5.0, 5.2]))
    persons = gallery(target("Ann", ANN))
    before = matched(faces, persons, None)
    assert (0 in rows_of(before)["Ann"], len(before.near_misses)) == (was_hit, int(not was_hit))
    after = matched(faces, persons, decided(faces, {}, {0: [0, 1]}))
    assert rows_of(after) == {"Ann": [2, 3]}  # another track stays
    assert after.near_misses == ()


def test_a_track_that_is_rejected_for_one_may_be_the_next_most_similar_ones() -> None:
    faces = video((mixed(0.7, 0.6), [0.0, 0.2]))
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    assert rows_of(matched(faces, persons, None)) == {"Ann": [0, 1]}
    assert rows_of(matched(faces, persons, decided(faces, {}, {0: [0, 1]}))) == {"Bob": [0, 1]}


def test_a_track_of_two_persons_is_decided_face_by_face() -> None:
    faces = video((SURE, [0.0, 0.2, 0.4, 0.6]))
    persons = gallery(target("Ann", ANN), target("Bob", BOB))
    by_user = decided(faces, {2: 1, 3: 1}, {0: [2, 3]})
    assert rows_of(matched(faces, persons, by_user)) == {"Ann": [0, 1], "Bob": [2, 3]}


def test_a_confirmed_face_has_the_frame_of_its_target() -> None:
    faces = video((NEARLY, [0.0, 0.2]), (SURE, [0.0, 0.2, 0.4]))
    both = rows_of(matched(faces, gallery(target("Ann", ANN)), decided(faces, {0: 0, 2: 0}, {})))
    assert faces.track[both["Ann"]].tolist() == [0, 0, 1]  # the other track keeps the frame without it


def test_a_track_like_a_rejected_face_is_not_the_targets_and_others_are() -> None:
    rejected = mixed(0.6, 0.0, 0.7)
    like, other = mixed(0.6, 0.0, 0.65), mixed(0.6, 0.0, 0.0, 0.7)
    faces = video((like, [0.0, 0.2]), (other, [5.0, 5.2]))
    plain = target("Ann", ANN)
    assert rows_of(matched(faces, gallery(plain), None)) == {"Ann": [0, 1, 2, 3]}
    taught = gallery(replace(plain, rejected=rejected[None]))
    assert rows_of(matched(faces, taught, None)) == {"Ann": [2, 3]}
    # A rejected face counts against its own target alone.
    both = gallery(replace(plain, rejected=rejected[None]), target("Bob", axis(2)))
    assert rows_of(matched(faces, both, None)) == {"Ann": [2, 3], "Bob": [0, 1]}
    alone = match(faces, ReferenceSet(taught), MatchThresholds(0.5, 0.4, 0.05), np.full(4, 0.2))
    assert alone["Ann"].face.tolist() == [2, 3]


def test_a_confirmed_face_makes_its_like_hits() -> None:
    confirmed = mixed(0.3, 0.0, 0.8)
    faces = video((mixed(0.3, 0.0, 0.75), [0.0, 0.2]))
    plain = target("Ann", ANN)
    assert rows_of(matched(faces, gallery(plain), None)) == {}
    origin = GrownReference("Ann", "other.mp4", 0.0, (0, 0, 1, 1), BY_DECISION, *[float("nan")] * 3, 0.9, 0.0)
    taught = replace(plain, embeddings=np.stack([ANN, confirmed]), sources=("a", "b"), added=(origin,))
    assert rows_of(matched(faces, gallery(taught), None)) == {"Ann": [0, 1]}


def test_faces_that_are_decided_alone_follow_the_user_too() -> None:
    faces = video((SURE, [0.0, 0.2]), (NEARLY, [2.0, 2.2]), (BOBS, [4.0]))
    persons = gallery(target("Ann", ANN), target("Bob", BOB), everyone=True)
    by_user = replace(decided(faces, {2: 0, 3: 0}, {0: [0, 1]}), for_everyone=np.arange(5) == 4)
    hits = match(faces, ReferenceSet(persons), MatchThresholds(0.5, 0.4, 0.05), np.full(5, 0.2), by_user)
    assert {label: found.face.tolist() for label, found in hits.items()} == {
        "Ann": [2, 3],
        "Bob": [4],
        EVERYONE: [0, 1, 2, 3],
    }
    assert set(hits["Ann"].by.tolist()) == {HitKind.DECISION}


def test_a_confirmed_moment_is_a_span_however_short() -> None:
    faces = video((NEARLY, [3.0]), (SURE, [9.0]))
    hits = matched(faces, gallery(target("Ann", ANN)), decided(faces, {0: 0}, {})).hits["Ann"]
    spans = build_spans("a", "Ann", hits, pad=(0, 0), merge_gap=1, min_span=1, duration=20.0)
    assert [span.start for span in spans] == [3.0]


def test_without_decisions_nothing_changes() -> None:
    assert len(STRANGER) == DIMENSION
    faces = video((SURE, [0.0, 0.2]), (NEARLY, [1.0]))
    none = decided(faces, {}, {})
    one, other = (matched(faces, gallery(target("Ann", ANN)), by_user) for by_user in (None, none))
    assert rows_of(one) == rows_of(other)
    assert one.near_misses == other.near_misses
