"""Comparisons of which the truth is known: faces that are surely of one person, and faces that are surely not.

A face is compared with a person as matching does it: its cosine to the nearest of that person's references. A photo of
a person stands in turn for a face in a video, and is compared with the person's other photos.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fastface.cosine import BLOCK_ROWS, cosine_blocks, cosines
from fastface.gallery.comparison import stacked
from fastface.gallery.photos import Reference
from fastface.types import Faces, FloatArray, Gallery

__all__ = ["PhotoTrials", "Trials", "frame_trials", "photo_trials", "track_trials", "video_trials"]


@dataclass(frozen=True, slots=True)
class Trials:
    """Comparisons of one kind.

    Attributes:
        similarity: (n,) float32 cosines.
        extreme: Which of them speaks most against the kind: the closest strangers, or the mates furthest apart.
    """

    similarity: FloatArray
    extreme: str = ""

    def __len__(self) -> int:
        return len(self.similarity)


@dataclass(frozen=True, slots=True)
class PhotoTrials:
    """All that the photos say.

    Attributes:
        mates: A photo and its own person's other photos; of persons with one photo there are none.
        lead: (n,) float32: how much more like their own person than the next one the mates are; -1 to 2.
        strangers: A photo and each other person's photos.
        same_pairs: (p,) float32, each two photos of one person.
        other_pairs: (q,) float32, each two photos of different persons.
    """

    mates: Trials
    lead: FloatArray
    strangers: Trials
    same_pairs: FloatArray
    other_pairs: FloatArray


def photo_trials(references: Mapping[str, Sequence[Reference]]) -> PhotoTrials:
    """The comparisons among the photos of several persons.

    Args:
        references: Of at least two persons.
    """
    sources = [reference.source for found in references.values() for reference in found]
    counts = [len(found) for found in references.values()]
    person = np.repeat(np.arange(len(counts)), counts)
    between = cosines(*2 * [np.concatenate([stacked(found) for found in references.values()])])
    same, upper = person[:, None] == person, np.triu(np.ones(between.shape, bool), 1)
    photos = np.arange(len(person))
    alone = between.copy()
    alone[photos, photos] = -np.inf  # a photo is not compared with itself
    nearest = np.maximum.reduceat(alone, np.cumsum([0, *counts[:-1]]), axis=1)
    own = nearest[photos, person]
    others = nearest.copy()
    others[photos, person] = -np.inf
    has_mate = np.isfinite(own)
    furthest = sources[int(np.where(has_mate, own, np.inf).argmin())] if has_mate.any() else ""
    row, column = divmod(int(np.where(same, -np.inf, between).argmax()), len(person))
    return PhotoTrials(
        mates=Trials(own[has_mate], furthest),
        lead=(own - others.max(axis=1))[has_mate],
        strangers=Trials(nearest[np.arange(len(counts)) != person[:, None]], f"{sources[row]} and {sources[column]}"),
        same_pairs=between[same & upper],
        other_pairs=between[~same & upper],
    )


def frame_trials(faces: Faces) -> Trials:
    """Strangers: two faces of one frame. Two tracks that share frames are compared once, where they are most alike.

    A mirror or a photo on the wall shows a person twice; `extreme` tells where to look.

    Args:
        faces: Of one video.
    """
    order = np.lexsort((np.arange(len(faces)), faces.time))
    time, number = faces.time[order], faces.tracks[order]
    best: dict[tuple[int, int], tuple[float, float]] = {}
    for step in range(1, _most_at_once(time)):
        left = np.flatnonzero(time[step:] == time[:-step])
        for start in range(0, len(left), BLOCK_ROWS):
            rows = left[start : start + BLOCK_ROWS]
            one, other = (faces.embedding[order[side]].astype(np.float64) for side in (rows, rows + step))
            products = (one * other).sum(axis=1).clip(-1, 1)
            for row, similarity in zip(rows, products.tolist(), strict=True):
                pair = sorted((int(number[row]), int(number[row + step])))
                best[pair[0], pair[1]] = max(best.get((pair[0], pair[1]), (-2.0, 0.0)), (similarity, float(time[row])))
    closest = max(best.values(), default=None)
    found = np.array([similarity for similarity, _ in best.values()], np.float32)
    return Trials(found, "" if closest is None else f"two faces at {closest[1]:.3f} s")


def track_trials(faces: Faces) -> Trials:
    """Mates: the first and the last face of each track.

    Faces were linked for their place and their likeness, and in one shot: this is easier than photos against a film.

    Args:
        faces: Of one video; the tracks are linked.
    """
    order = np.lexsort((faces.time, faces.track))
    order = order[faces.track[order] >= 0]
    starts = np.flatnonzero(np.diff(faces.track[order], prepend=-1))
    ends = [(order[a], order[b - 1]) for a, b in pairwise([*starts.tolist(), len(order)]) if b - a > 1]
    first, last = np.array(ends, np.int64).reshape(-1, 2).T
    one, other = (faces.embedding[side].astype(np.float64) for side in (first, last))
    found = (one * other).sum(axis=1).clip(-1, 1).astype(np.float32)
    extreme = f"a track from {faces.time[first[found.argmin()]]:.3f} s on" if len(found) else ""
    return Trials(found, extreme)


def video_trials(faces: Faces, gallery: Gallery) -> Trials:
    """Strangers: the faces of a track and each person but the one that they are most like, who may be their own.

    Who is left out may be a stranger as well, so that these are a little less alike than strangers are.

    Args:
        faces: Of one video.
        gallery: At least two persons, of the same contract as the faces.
    """
    if not len(faces):
        return Trials(np.empty(0, np.float32))
    counts = [len(target.embeddings) for target in gallery.targets]
    references = np.concatenate([target.embeddings for target in gallery.targets])
    starts = np.cumsum([0, *counts[:-1]])
    blocks = cosine_blocks(faces.embedding, references)
    nearest = np.concatenate([np.maximum.reduceat(block, starts, axis=1) for _, block in blocks])
    number = faces.tracks
    order = np.argsort(number, kind="stable")
    by_track = np.maximum.reduceat(nearest[order], np.flatnonzero(np.diff(number[order], prepend=-1)), axis=0)
    tracks = np.arange(len(by_track))
    by_track[tracks, by_track.argmax(axis=1)] = -np.inf
    track, person = divmod(int(by_track.argmax()), len(counts))
    begin = faces.time[number == np.unique(number)[track]].min()
    found = np.sort(by_track, axis=1)[:, 1:].ravel()
    return Trials(found, f"{gallery.targets[person].label} and a face from {begin:.3f} s on")


def _most_at_once(time: npt.NDArray[np.float64]) -> int:
    """Faces in the fullest frame; times rise."""
    starts = np.flatnonzero(np.diff(time, prepend=-np.inf))
    return int(np.diff([*starts, len(time)]).max(initial=0))
