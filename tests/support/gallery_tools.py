"""Faces and galleries whose cosines are known by construction: embeddings that lie in the plane of two axes."""

import numpy as np

from fastface.gallery.growth import GalleryGrower
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.track_voting import EvidenceModel
from fastface.grouping import summarize_tracks
from fastface.impostors import ImpostorDistribution
from fastface.types import Faces, Gallery, SampledFrames, Target

DIMENSION = 8

USUAL = ImpostorDistribution(0.0, 0.06, 0.1, 0.03, nearest_gain=0.0, film_shift=0.1, film_correlation=1.0)
"""With one photo, the evidence of a track is the cosine of its mean to it."""


def axis(number: int) -> np.ndarray:
    """(D,) float32 unit vector."""
    vector: np.ndarray = np.eye(DIMENSION, dtype=np.float32)[number]
    return vector


def mixed(*components: float) -> np.ndarray:
    """(D,) float32 unit vector of the given first components; the last axis takes up the rest of the length."""
    vector = np.zeros(DIMENSION, np.float32)
    vector[: len(components)] = components
    vector[-1] = np.sqrt(1 - np.sum(np.square(components)))
    return vector


def target(label: str, *embeddings: np.ndarray) -> Target:
    return Target(label, np.stack(embeddings), tuple(f"{label}{i}.jpg" for i in range(len(embeddings))))


def gallery(*targets: Target, lookalikes: tuple[Target, ...] = (), everyone: bool = False) -> Gallery:
    return Gallery(targets, lookalikes, "contract", everyone)


def faces_of(
    embeddings: list[np.ndarray],
    times: list[float],
    tracks: list[int] | None = None,
    boxes: list[tuple[float, float, float, float]] | None = None,
    det_score: list[float] | None = None,
) -> Faces:
    count = len(embeddings)
    return Faces(
        time=np.array(times, np.float64),
        pts=np.round(np.array(times) * 90000).astype(np.int64),
        boxes=np.array(boxes if boxes is not None else [(0, 0, 100, 100)] * count, np.float32).reshape(-1, 4),
        landmarks=np.zeros((count, 5, 2), np.float32),
        det_score=np.array(det_score or [0.9] * count, np.float32),
        quality=np.full(count, 0.5, np.float32),
        sharpness=np.full(count, 100, np.float32),
        yaw=np.zeros(count, np.float32),
        track=np.array(tracks if tracks is not None else [0] * count, np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=np.array(embeddings, np.float16).reshape(-1, DIMENSION),
    )


def show(grower: GalleryGrower, persons: Gallery, video_id: str, faces: Faces) -> None:
    """Gives a grower the faces of one video, with the evidence that its photos make of them."""
    tracks = summarize_tracks(faces, SampledFrames.empty())
    grower.take(video_id, faces, tracks, EvidenceModel(ReferenceSet(persons), USUAL).weigh(tracks.embedding, -1.0))
