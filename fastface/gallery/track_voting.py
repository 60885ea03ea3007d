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
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.cosine import References, normalize_rows, row_blocks
from fastface.gallery.reference_set import ReferenceSet
from fastface.impostors import ImpostorDistribution
from fastface.types import FloatArray, RowTable

NO_EVIDENCE = -2.0
"""Below every cosine."""

_COHORT_WEIGHT = 200
"""Comparisons that the measured distribution counts for beside those of the archive."""

_COHORT_LIMIT = 3.0
"""Standard deviations above the mean from which a track may be the target's own, and says nothing of strangers."""

_FIXED_POINT = 1 << 20
"""Evidence is summed in whole multiples of its inverse, so that the order of the tracks does not matter."""


@dataclass(frozen=True, slots=True)
class TrackEvidence(RowTable):
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
    """Distribution of similarities of the archive's own tracks to each person of a gallery.

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
        references: Of the gallery's persons; at least one.
        usual: How alike strangers usually are.
        cohort: What the archive says of it; None where it was not asked.
    """

    def __init__(self, references: ReferenceSet, usual: ImpostorDistribution, cohort: Cohort | None = None) -> None:
        self._usual = usual
        counts = references.photo_counts()
        self._gains = _gains(usual, counts)
        # The centroid of one photo is that photo.
        self._several = np.flatnonzero(counts > 1)
        persons = [*references.gallery.targets, *references.gallery.lookalikes]
        means = [_mean(persons[number].photo_embeddings) for number in self._several.tolist()]
        self._centroids = References(normalize_rows(np.stack(means)) if means else np.empty((0, 0), np.float32))
        self._refer(references, cohort)

    def with_archive(self, references: ReferenceSet, cohort: Cohort | None) -> Self:
        """The model with what an archive says: the same photos, other references out of films, another cohort."""
        same = copy(self)
        same._refer(references, cohort)
        return same

    def _refer(self, references: ReferenceSet, cohort: Cohort | None) -> None:
        self._references = references
        self._film_gains = _gains(self._usual, references.film_counts(), self._usual.film_shift)
        nothing = np.zeros(references.num_persons, np.float32)
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
        num_targets = self._references.num_targets
        near = self._references.near(embeddings, floor, [self._centroids])
        for block, by_photos, evidence in self._blocks(embeddings[near]):
            rows, each = near[block], np.arange(len(evidence))
            found.lookalike[rows] = evidence[:, num_targets:].max(axis=1, initial=NO_EVIDENCE)
            if not num_targets:
                continue
            best = evidence[:, :num_targets].argmax(axis=1)
            found.target[rows], found.evidence[rows] = best, evidence[each, best]
            found.by_photos[rows] = by_photos[each, best]
            evidence[each, best] = NO_EVIDENCE
            found.lead[rows] = found.evidence[rows] - np.maximum(evidence.max(axis=1), np.float32(-1))
        return found

    def by_photos(self, embeddings: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
        """(t, persons) the evidence of some tracks for every person by the photos alone."""
        parts = [found for _, found, _ in self._blocks(embeddings)]
        return np.concatenate(parts) if parts else np.empty((0, self._references.num_persons), np.float32)

    def by_other_photos(self, person: int) -> npt.NDArray[np.float32]:
        """(k,) the evidence of each of a person's photos for the person by the other photos; none of a single one."""
        gallery = self._references.gallery
        photos = (*gallery.targets, *gallery.lookalikes)[person].photo_embeddings
        if len(photos) < 2:
            return np.empty(0, np.float32)
        found = np.empty(len(photos), np.float32)
        gain = self._usual.gain(len(photos) - 1)
        for row in range(len(photos)):
            others = np.delete(photos, row, axis=0)
            centroid = normalize_rows(_mean(others)[None])
            found[row] = max(float((centroid @ photos[row]).item()), float((others @ photos[row]).max()) - gain)
        mean = np.float32(self._usual.mean)
        corrected: npt.NDArray[np.float32] = mean + (found - mean - self._offset[person]) / self._spread[person]
        return corrected

    def observe(self, embeddings: npt.NDArray[np.float16], cohort: Cohort) -> None:
        """Shows a cohort the evidence of some tracks by the photos of every person."""
        for _, by_photos, _ in self._blocks(embeddings):
            cohort.observe(by_photos)

    def _blocks(
        self, embeddings: npt.NDArray[np.float16]
    ) -> Iterator[tuple[slice, npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Blocks of rows, (rows, persons) evidence by photos, and (rows, persons) evidence by all references."""
        references, several = self._references, self._several
        scale = np.float32(1 / math.sqrt(2 + 2 * self._usual.film_correlation))
        mean = np.float32(self._usual.mean)
        for block in row_blocks(len(embeddings), len(references) + len(self._centroids)):
            rows = embeddings[block]
            by_photos = references.photo_cosines(rows)
            if len(several):
                by_photos -= self._gains
                by_photos[:, several] = np.maximum(by_photos[:, several], self._centroids.cosines(rows))
            by_photos = mean + (by_photos - mean - self._offset) / self._spread
            evidence = by_photos.copy()
            if len(references.films):
                grown = references.film_persons
                by_films = references.film_cosines(rows) - self._film_gains
                both = mean + (by_photos[:, grown] + by_films - 2 * mean) * scale
                evidence[:, grown] = np.maximum(evidence[:, grown], np.maximum(by_films, both))
            yield block, by_photos, evidence


def _gains(usual: ImpostorDistribution, counts: npt.NDArray[np.int64], shift: float = 0.0) -> npt.NDArray[np.float32]:
    """Return the expected gain of the nearest of so many references by chance, plus a shift, for each count."""
    values, place = np.unique(counts, return_inverse=True)
    return np.array([usual.gain(count) + shift for count in values.tolist()], np.float32)[place]


def _mean(rows: FloatArray) -> npt.NDArray[np.float64]:
    """(D,) the sum of some references; of references that cancel each other out, the first."""
    total: npt.NDArray[np.float64] = rows.sum(axis=0, dtype=np.float64)
    return total if np.linalg.norm(total) > 1e-3 else rows[0].astype(np.float64)
