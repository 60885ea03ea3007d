"""Weigh tracks against a gallery: the mean of a track's best faces against all references. Pure array code.

Evidence is on the scale of a cosine, and for a track of another person it is distributed alike whatever the number and
the origin of the target's references, so that one threshold fits all:

* against photos it is the cosine to their centroid, or to the nearest of them less what the nearest of so many has by
  chance (`ImpostorDistribution.gain`), whichever is more;
* against references out of the films (`gallery.growth`) it is the cosine to the nearest, less that and less what faces
  of one film share: light, grain, make-up;
* both together are the sum of the two, scaled by what two correlated normal numbers add up to (the sum rule of Kittler
  et al., "On Combining Classifiers", IEEE PAMI 1998).

The evidence is the largest of the three.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.cosine import cosine_blocks, near_rows, normalized
from fastface.impostors import ImpostorDistribution
from fastface.types import FloatArray, Gallery, Rows

__all__ = ["NO_EVIDENCE", "Cohort", "EvidenceModel", "TrackEvidence"]

NO_EVIDENCE = -2.0
"""Below every cosine."""

_COHORT_WEIGHT = 200
"""Comparisons that the measured distribution counts for beside those of the archive."""

_COHORT_LIMIT = 3.0
"""Standard deviations above the mean from which a track may be the target's own, and says nothing of strangers."""

_FIXED_POINT = 1 << 20
"""Evidence is summed in whole multiples of its inverse, so that the order of the tracks does not matter."""


@dataclass(frozen=True, slots=True)
class TrackEvidence(Rows):
    """Evidence of t tracks. Of tracks that reach the floor with no target there is none: target -1.

    Attributes:
        target: (t,) int32, number of the target with the most evidence.
        evidence: (t,) float32, for that target.
        lead: (t,) float32, over the nearest other target or lookalike; `evidence + 1` where there is no other.
        lookalike: (t,) float32, evidence for the nearest lookalike.
        by_photos: (t,) float32, evidence for the target by its photos alone.
    """

    target: npt.NDArray[np.int32]
    evidence: npt.NDArray[np.float32]
    lead: npt.NDArray[np.float32]
    lookalike: npt.NDArray[np.float32]
    by_photos: npt.NDArray[np.float32]


class Cohort:
    """What the archive's own tracks say of how alike strangers are to each person of a gallery.

    Nearly all tracks of an archive are not a given person's. Where these are more like the person than strangers
    usually are (a poor photo, one of a frequent look), the evidence is lowered to the usual distribution (the z-norm of
    speaker recognition: Auckenthaler et al., "Score Normalization for Text-Independent Speaker Verification", 2000). It
    is never raised. The tracks of the person are kept out of the figures by a limit, so that an archive which is full
    of the person changes nothing.
    """

    def __init__(self, num_persons: int, usual: ImpostorDistribution) -> None:
        self._usual = usual
        self._count = np.zeros(num_persons, np.int64)
        self._sum = np.zeros(num_persons, np.int64)
        self._squares = np.zeros(num_persons, np.int64)

    def observe(self, evidence: npt.NDArray[np.float32]) -> None:
        """Takes the evidence (t, persons) of some tracks by photos; in any order."""
        usual = self._usual
        is_stranger = evidence < np.float32(usual.mean + _COHORT_LIMIT * usual.deviation)
        fixed = np.where(is_stranger, np.rint((evidence - usual.mean) * _FIXED_POINT), 0).astype(np.int64)
        self._count += is_stranger.sum(axis=0)
        self._sum += fixed.sum(axis=0)
        self._squares += (fixed * fixed // _FIXED_POINT).sum(axis=0)

    def corrections(self) -> tuple[FloatArray, FloatArray]:
        """(persons,) what is taken off the evidence's distance from the mean, and what that is divided by (≥ 1)."""
        weight = self._count + _COHORT_WEIGHT
        offset = self._sum / _FIXED_POINT / weight
        squares = (self._squares / _FIXED_POINT + _COHORT_WEIGHT * self._usual.deviation**2) / weight
        spread = np.sqrt(np.maximum(squares - offset**2, 0)) / self._usual.deviation
        return np.maximum(offset, 0).astype(np.float32), np.maximum(spread, 1).astype(np.float32)


class EvidenceModel:
    """Weighs tracks against one gallery.

    Args:
        gallery: Targets and lookalikes; at least one.
        usual: How alike strangers usually are.
        cohort: What the archive says of it; None where it was not asked.
    """

    def __init__(self, gallery: Gallery, usual: ImpostorDistribution, cohort: Cohort | None = None) -> None:
        persons = [*gallery.targets, *gallery.lookalikes]
        self.num_targets = len(gallery.targets)
        self._usual = usual
        photos = [person.photo_embeddings for person in persons]
        self._centroids = normalized(np.stack([_mean(rows) for rows in photos]))
        self._photos, self._firsts = _joined(photos)
        self._gains = np.array([usual.gain(len(rows)) for rows in photos], np.float32)
        self._grown = [number for number, person in enumerate(persons) if person.added]
        grown = [persons[number].embeddings[len(photos[number]) :] for number in self._grown]
        self._films, self._film_firsts = _joined(grown) if grown else (self._photos[:0], np.empty(0, np.int64))
        self._film_gains = np.array([usual.gain(len(rows)) + usual.film_shift for rows in grown], np.float32)
        nothing = np.zeros(len(persons), np.float32)
        self._offset, self._spread = (nothing, nothing + 1) if cohort is None else cohort.corrections()

    def weigh(self, embeddings: npt.NDArray[np.float16], floor: float) -> TrackEvidence:
        """The evidence of each track for its nearest target.

        Args:
            embeddings: (t, D) float16, L2-normalised means of tracks, of the gallery's contract.
            floor: Evidence below it does not matter.
        """
        total = len(embeddings)
        found = TrackEvidence(
            target=np.full(total, -1, np.int32),
            evidence=np.full(total, NO_EVIDENCE, np.float32),
            lead=np.zeros(total, np.float32),
            lookalike=np.full(total, NO_EVIDENCE, np.float32),
            by_photos=np.full(total, NO_EVIDENCE, np.float32),
        )
        if not total:
            return found
        near = near_rows(embeddings, np.concatenate([self._centroids, self._photos, self._films]), floor)
        for block, by_photos, evidence in self._blocks(embeddings[near]):
            rows, each = near[block], np.arange(len(evidence))
            found.lookalike[rows] = evidence[:, self.num_targets :].max(axis=1, initial=NO_EVIDENCE)
            if not self.num_targets:
                continue
            best = evidence[:, : self.num_targets].argmax(axis=1)
            found.target[rows], found.evidence[rows] = best, evidence[each, best]
            found.by_photos[rows] = by_photos[each, best]
            evidence[each, best] = NO_EVIDENCE
            found.lead[rows] = found.evidence[rows] - np.maximum(evidence.max(axis=1), np.float32(-1))
        return found

    def observe(self, embeddings: npt.NDArray[np.float16], cohort: Cohort) -> None:
        """Shows a cohort the evidence of some tracks by the photos of every person."""
        for _, by_photos, _ in self._blocks(embeddings):
            cohort.observe(by_photos)

    def _blocks(
        self, embeddings: npt.NDArray[np.float16]
    ) -> Iterator[tuple[slice, npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Blocks of rows, (rows, persons) evidence by photos, and (rows, persons) evidence by all references."""
        usual = self._usual
        references = np.concatenate([self._centroids, self._photos, self._films])
        num_persons, num_photos = len(self._centroids), len(self._photos)
        scale = np.float32(1 / math.sqrt(2 + 2 * usual.film_correlation))
        mean = np.float32(usual.mean)
        for block, cosines in cosine_blocks(embeddings, references):
            photos, films = cosines[:, num_persons : num_persons + num_photos], cosines[:, num_persons + num_photos :]
            nearest = np.maximum.reduceat(photos, self._firsts, axis=1) - self._gains
            by_photos = np.maximum(cosines[:, :num_persons], nearest)
            by_photos = mean + (by_photos - mean - self._offset) / self._spread
            evidence = by_photos.copy()
            if self._grown:
                by_films = np.maximum.reduceat(films, self._film_firsts, axis=1) - self._film_gains
                both = mean + (by_photos[:, self._grown] + by_films - 2 * mean) * scale
                evidence[:, self._grown] = np.maximum(evidence[:, self._grown], np.maximum(by_films, both))
            yield block, by_photos, evidence


def _mean(rows: FloatArray) -> npt.NDArray[np.float64]:
    """(D,) the sum of some references; of references that cancel each other out, the first."""
    total: npt.NDArray[np.float64] = rows.sum(axis=0, dtype=np.float64)
    return total if np.linalg.norm(total) > 1e-3 else rows[0].astype(np.float64)


def _joined(parts: list[FloatArray]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """All rows of all parts, and where each part begins."""
    return np.concatenate(parts), np.cumsum([0, *(len(part) for part in parts[:-1])])
