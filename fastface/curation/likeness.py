"""Compare the pictures of a set: number its scenes, and drop copies and near-doubles. Pure array code.

`commands.curate` calls the functions in that order; they mark candidates in place. Each result must be the same on
every machine: see `cosines_to`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.config import CurateConfig
from fastface.curation.candidates import Candidate

_SAME_POSE_DEGREES = 10.0
"""Maximum difference of yaws of one pose, in degrees: about the error of the estimate."""


def cosines_to(embeddings: npt.NDArray[np.float16], reference: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """Compute the cosines of embeddings to one reference, with the same bits on every machine.

    Args:
        embeddings: (n, D) L2-normalised.
        reference: (D,) L2-normalised.

    Returns:
        (n,) within -1 and 1. Products of two float16 components are multiples of 2⁻⁴⁸ and their partial sums stay below
        2. So float64 adds them without rounding in any order.
    """
    return np.clip(embeddings.astype(np.float64) @ reference.astype(np.float64), -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class CandidateArrays:
    """Candidates as arrays, one row each.

    Attributes:
        phash: (n,) uint64.
        embedding: (n, D) float16, L2-normalised.
        yaw: (n,) degrees.
        scene: (n,) int64.
    """

    phash: npt.NDArray[np.uint64]
    embedding: npt.NDArray[np.float16]
    yaw: npt.NDArray[np.float64]
    scene: npt.NDArray[np.int64]

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> "CandidateArrays":
        """Collect the arrays of candidates with faces; at least one candidate."""
        return cls(
            phash=np.array([candidate.seen.measures.phash for candidate in candidates], np.uint64),
            embedding=np.stack([candidate.portrait.embedding for candidate in candidates]),
            yaw=np.array([candidate.portrait.yaw for candidate in candidates], np.float64),
            scene=np.array([candidate.scene for candidate in candidates], np.int64),
        )

    def distances_to(self, row: int) -> npt.NDArray[np.int64]:
        """Count (n,) differing bits between the hash of each candidate and that of `row`: 0–64."""
        bits: npt.NDArray[np.int64] = np.bitwise_count(self.phash ^ self.phash[row]).astype(np.int64)
        return bits

    def alike(self, row: int) -> npt.NDArray[np.float64]:
        """Return (n,) the likeness of each candidate to `row`, 0–1: the mean of picture hash and face cosine.

        Hashes of unrelated pictures differ in half of their bits, which counts as 0.
        """
        pictures = np.maximum(0.0, 1 - self.distances_to(row) / 32)
        return (pictures + np.maximum(0.0, cosines_to(self.embedding, self.embedding[row]))) / 2


def number_scenes(candidates: Sequence[Candidate], settings: CurateConfig) -> None:
    """Number the scenes from 0. Neighbours of one source are one scene if hash or face match and they are near in time.

    Measured: hashes of different photos of one person differ in 22 bits and more and the faces' cosines stay below
    0.75; a second apart in a shot, most pairs differ in at most 14 bits or reach a cosine of 0.75.

    Args:
        candidates: Candidates with faces, in order of their sources.
        settings: Limits of the set.
    """
    if not candidates:
        return
    likeness = CandidateArrays.of(candidates)
    scene = 0
    candidates[0].scene = scene
    for row in range(1, len(candidates)):
        before, after = candidates[row - 1 : row + 1]
        pair = slice(row - 1, row + 1)
        is_near = (
            before.source.strand == after.source.strand and after.source.time - before.source.time <= settings.scene_gap
        )
        distance = int(np.bitwise_count(likeness.phash[row - 1] ^ likeness.phash[row]))
        cosine = float(cosines_to(likeness.embedding[pair], likeness.embedding[row])[0])
        if not is_near or (distance > settings.scene_distance and cosine < settings.scene_similarity):
            scene += 1
        after.scene = scene


def drop_copies(candidates: Sequence[Candidate]) -> None:
    """Keep one of files that are equal byte for byte, in any scene and with any limits.

    The first file whose video is known, by its name or by a table, is kept; else the first. Scores cannot separate
    equal files. But a later step could keep one of them and drop the other as a double.

    Args:
        candidates: Open candidates, in order of their sources.
    """
    stays: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda candidate: not candidate.source.is_crop):
        first = stays.setdefault(candidate.seen.sha256, candidate)
        if first is not candidate:
            candidate.reason = f"double of {str(first.source.path)!r}: the same file, byte for byte"


def drop_doubles(candidates: Sequence[Candidate], settings: CurateConfig, overlaid: Mapping[int, int]) -> None:
    """Keep the best of pictures that are nearly the same; mark the others as its doubles.

    Pictures are taken from the best score down, pictures with overlays last. Each is compared with the pictures kept so
    far. So no picture is dropped as a double of a picture that is dropped itself.

    candidates: Open candidates with scenes and scores, in order of their sources.
        candidates: Open ones with scenes and scores, in order of their sources.
        settings: Limits of the set.
        overlaid: {row: row of its clean copy} of pictures with text or a mark, from `overlays.find_overlays`.
    """
    if not candidates:
        return
    likeness = CandidateArrays.of(candidates)
    stays = np.zeros(len(candidates), np.bool_)
    for row in sorted(range(len(candidates)), key=lambda row: (row in overlaid, -candidates[row].score)):
        rows = np.flatnonzero(stays)
        if stays[overlaid.get(row, row)]:
            found: tuple[int, str] | None = (overlaid[row], "the same picture without the text or logo of this one")
        else:
            found = _same_picture(likeness, row, rows, settings) or _same_face(likeness, row, rows, settings)
        if found is None:
            stays[row] = True
        else:
            best, why = found
            candidates[row].reason = f"double of {str(candidates[best].source.path)!r}: {why}"


def _same_picture(
    likeness: CandidateArrays, row: int, rows: npt.NDArray[np.int64], settings: CurateConfig
) -> tuple[int, str] | None:
    """Find the nearest of `rows` by hash that is a double of `row`, and the reason."""
    distances = np.bitwise_count(likeness.phash[rows] ^ likeness.phash[row])
    is_same_scene = likeness.scene[rows] == likeness.scene[row]
    limits = np.where(is_same_scene, settings.double_distance, settings.double_distance_apart)
    near = np.flatnonzero(distances <= limits)
    if not len(near):
        return None
    best = near[distances[near].argmin()]
    return int(rows[best]), f"{distances[best]} of 64 bits differ"


def _same_face(
    likeness: CandidateArrays, row: int, rows: npt.NDArray[np.int64], settings: CurateConfig
) -> tuple[int, str] | None:
    """Find the most similar face of the same scene and pose among `rows`, if it is a double, and the reason."""
    is_posed = np.abs(likeness.yaw[rows] - likeness.yaw[row]) < _SAME_POSE_DEGREES
    posed = rows[is_posed & (likeness.scene[rows] == likeness.scene[row])]
    if not len(posed):
        return None
    cosines = cosines_to(likeness.embedding[posed], likeness.embedding[row])
    best = int(cosines.argmax())
    if cosines[best] < settings.double_similarity:
        return None
    return int(posed[best]), f"similarity {cosines[best]:.3f} in one pose"
