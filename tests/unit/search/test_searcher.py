"""A search over blocks of many videos leaves out only videos in which a search of each finds nothing."""

import numpy as np
import pytest
from gallery_tools import DIMENSION, USUAL, axis, faces_of, gallery, target

from fastface.gallery.matching import VideoFaces, match_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds, TrackRule
from fastface.gallery.track_voting import EvidenceModel
from fastface.grouping import summarize_tracks
from fastface.index.track_archive import TrackBlock
from fastface.search.searcher import find_videos
from fastface.types import SampledFrames

RULE = TrackRule(anywhere=0.5, in_film=0.4, in_shot=0.3, expected_false=0.0, review=0.1)
LIMITS = MatchThresholds(0.5, 0.4, 0.05, RULE)


def draw_video(chance: np.random.Generator) -> VideoFaces:
    """A few tracks of three equal faces, some of them near to a target."""
    looks = []
    for _ in range(int(chance.integers(0, 5))):
        rest = np.zeros(DIMENSION)
        rest[2:] = chance.standard_normal(DIMENSION - 2)
        cosine = float(chance.choice([0.0, 0.3, 0.395, 0.405, 0.45, 0.6]))
        look = cosine * axis(int(chance.integers(0, 2))) + np.sqrt(1 - cosine**2) * rest / np.linalg.norm(rest)
        looks.append(look)
    embeddings = [look for look in looks for _ in range(3)]
    times = [number / 5 for number in range(len(embeddings))]
    faces = faces_of(embeddings, times, [number // 3 for number in range(len(embeddings))])
    return VideoFaces(faces, summarize_tracks(faces, SampledFrames.empty()), np.full(len(faces), 0.2))


@pytest.mark.parametrize("size", [1, 7, 200])
def test_a_video_that_is_left_out_has_no_hit_and_no_near_miss(size: int) -> None:
    chance = np.random.default_rng(3)
    videos = {f"{number}.mp4": draw_video(chance) for number in range(200)}
    references = ReferenceSet(gallery(target("Ann", axis(0)), target("Bob", axis(1))))
    model = EvidenceModel(references, USUAL)
    names = list(videos)
    blocks = []
    for first in range(0, len(names), size):
        some = names[first : first + size]
        tracks = [videos[name].tracks.embedding for name in some]
        blocks.append(TrackBlock(tuple(some), np.cumsum([0, *map(len, tracks)]), np.concatenate(tracks)))
    found = find_videos(blocks, model, RULE.in_shot, RULE.anywhere - RULE.review, lambda: None)
    matches = {name: match_tracks(video, references, LIMITS, model) for name, video in videos.items()}
    answered = {name for name, one in matches.items() if one.hits or one.near_misses}
    assert 20 < len(answered) < 180
    assert answered <= found
    # The screen is sharp: it keeps hardly any other video.
    assert len(found - answered) < 20
