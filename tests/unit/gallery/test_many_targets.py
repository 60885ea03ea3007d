"""Thousands of targets asked of one film: the same answer as asked in small parts, and no work for absent targets."""

from dataclasses import replace

import numpy as np
import pytest

from fastface import cosine
from fastface.gallery.growth import GalleryGrower, GrowthRule
from fastface.gallery.matching import Matches, VideoFaces, match, match_tracks
from fastface.gallery.own_tracks import without_own_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds, TrackRule
from fastface.gallery.track_voting import Cohort, EvidenceModel
from fastface.grouping import summarize_tracks
from fastface.impostors import ImpostorDistribution
from fastface.types import Faces, Gallery, Hits, SampledFrames, Target

DIMENSION, NUM_STRANGERS, PRESENT = 128, 3000, 5
USUAL = ImpostorDistribution(0.0, 0.06, 0.1, 0.03, nearest_gain=0.0, film_shift=0.1, film_correlation=1.0)
LIMITS = MatchThresholds(0.6, 0.5, 0.05, TrackRule(anywhere=0.55, in_film=0.55, in_shot=0.55, expected_false=0.0))


def unit_rows(chance: np.random.Generator, count: int) -> np.ndarray:
    return cosine.normalize_rows(chance.standard_normal((count, DIMENSION)))


def drawn_bank() -> tuple[Target, ...]:
    """Persons who are in the film, with two photos each, among thousands who are not."""
    chance = np.random.default_rng(1)
    strangers = [
        Target(f"p{n:05d}", row[None], (f"{n}.jpg",)) for n, row in enumerate(unit_rows(chance, NUM_STRANGERS))
    ]
    photos = unit_rows(chance, PRESENT)
    seen = cosine.normalize_rows(np.repeat(photos, 2, axis=0) + 0.05 * chance.standard_normal((2 * PRESENT, DIMENSION)))
    present = [Target(f"q{n}", seen[2 * n : 2 * n + 2], ("a.jpg", "b.jpg")) for n in range(PRESENT)]
    return tuple(strangers + present)


def drawn_film(bank: tuple[Target, ...]) -> VideoFaces:
    """A track of each present person, and of as many who are in no bank, one after the other."""
    chance = np.random.default_rng(2)
    persons = [*(target.embeddings[0] for target in bank[-PRESENT:]), *unit_rows(chance, PRESENT)]
    looks = np.repeat(np.stack(persons), 12, axis=0)
    count = len(looks)
    time = np.arange(count) / 5
    faces = Faces(
        time=time,
        pts=np.round(time * 1000).astype(np.int64),
        boxes=np.tile(np.array([0, 0, 100, 100], np.float32), (count, 1)),
        landmarks=np.zeros((count, 5, 2), np.float32),
        det_score=np.full(count, 0.9, np.float32),
        quality=np.linspace(0.6, 0.9, count, dtype=np.float32),
        sharpness=np.full(count, 100, np.float32),
        yaw=np.zeros(count, np.float32),
        track=np.repeat(np.arange(len(persons), dtype=np.int32), 12),
        damaged=np.zeros(count, np.bool_),
        embedding=cosine.normalize_rows(looks + 0.06 * chance.standard_normal(looks.shape)).astype(np.float16),
    )
    return VideoFaces(faces, summarize_tracks(faces, SampledFrames.empty()), np.full(count, 0.2))


def asked(video: VideoFaces, targets: tuple[Target, ...]) -> tuple[dict[str, Hits], Matches]:
    """The hits as they are reported, of a gallery that grew out of the film."""
    references = ReferenceSet(Gallery(targets, (), "contract"))
    plain, cohort = EvidenceModel(references, USUAL), Cohort(len(targets), USUAL)
    plain.observe(video.tracks.embedding, cohort)
    model = plain.with_archive(references, cohort)
    grower = GalleryGrower(references, GrowthRule(threshold=0.55, margin=0.1))
    grower.take("film", video.faces, video.tracks, model.weigh(video.tracks.embedding, 0.3))
    grown, added = grower.grown()
    assert {one.target for one in added} == {target.label for target in targets if target.label.startswith("q")}
    references = references.grown(grown)
    found = match_tracks(video, references, LIMITS, model.with_archive(references, cohort))
    return without_own_tracks("film", video.faces, found.hits, references), found


def test_a_bank_of_thousands_finds_what_small_parts_of_it_find() -> None:
    bank = drawn_bank()
    video = drawn_film(bank)
    whole, matches = asked(video, bank)
    assert {label: len(hits) for label, hits in whole.items()} == {f"q{n}": 12 for n in range(PRESENT)}
    assert list(matches.hits) == list(whole)
    parts = {}
    for start in range(0, len(bank), 601):
        parts |= asked(video, bank[start : start + 601])[0]
    assert list(parts) == list(whole)
    for label, hits in whole.items():
        for name in ("face", "time", "period", "similarity", "by"):
            assert getattr(hits, name).tolist() == getattr(parts[label], name).tolist(), (label, name)
        # The lead over the nearest of all other persons is at most that over the nearest of a part.
        assert (hits.margin <= parts[label].margin).all()


def test_a_target_that_is_not_in_the_film_costs_no_product_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = drawn_bank()
    video = drawn_film(bank)
    calls: list[int] = []
    plain = cosine.References.cosines

    def counted(self: cosine.References, embeddings: np.ndarray) -> np.ndarray:
        calls.append(len(self) * len(embeddings))
        return plain(self, embeddings)

    monkeypatch.setattr(cosine.References, "cosines", counted)
    prepared: list[int] = []
    prepare = cosine.References.__init__

    def noted(self: cosine.References, rows: np.ndarray) -> None:
        prepared.append(len(rows))
        prepare(self, rows)

    monkeypatch.setattr(cosine.References, "__init__", noted)
    asked(video, bank)
    many = len(calls), sum(prepared)
    calls.clear(), prepared.clear()
    asked(video, bank[-PRESENT - 100 :])
    few = len(calls), sum(prepared)
    # The same number of products, whatever the number of targets, and every photo is prepared once.
    assert many[0] == few[0] > 5
    assert many[1] - few[1] == NUM_STRANGERS - 100


def test_a_film_that_shows_one_of_thousands_has_one_entry() -> None:
    bank = drawn_bank()
    faces = drawn_film(bank).faces[np.arange(12)]
    references = ReferenceSet(Gallery(bank, (), "contract"))
    assert list(match(faces, references, replace(LIMITS, tracks=None), np.full(12, 0.2))) == ["q0"]
