"""Weigh tracks against a gallery: the mean of a track's best faces against all references. Pure array code.

`matching` and `calibrate` use the model. Evidence is on the scale of a cosine. For a track of another person its
distribution does not depend on the target's references, so one threshold fits all:

* Against photos it is the larger of two values: the cosine to their centroid, and the cosine to the nearest photo less
  a gain. The gain is expected by chance for the nearest of so many photos (`ImpostorDistribution.gain`).
* Against grown references (`gallery.growth`) it is the cosine to the nearest, less that gain and less a film's offset.
  The offset is the similarity that faces of one film share: light, grain, make-up.
* Against both it is the sum of the two, scaled for two correlated normal numbers. This is the sum rule of Kittler et
  al., "On Combining Classifiers", IEEE PAMI 1998.

The evidence is the largest of the three.
"""

import math
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.cosine import References, normalize_rows, row_blocks
from fastface.gallery.reference_set import ReferenceSet
from fastface.impostors import ImpostorDistribution
from fastface.types import FloatArray, RowTable

NO_EVIDENCE = -2.0
"""Value below every cosine."""

_NOTHING_DENIED: Mapping[int, npt.NDArray[np.bool_]] = MappingProxyType({})

_COHORT_WEIGHT = 200
"""Weight of the measured distribution against the archive's comparisons, as a number of comparisons."""

_COHORT_LIMIT = 3.0
"""Standard deviations above the mean from which a track may be the target's own and is excluded from the statistics."""

_FIXED_POINT = 1 << 20
"""Evidence is summed in integer multiples of 1/_FIXED_POINT, so that the order of the tracks does not matter."""


@dataclass(frozen=True, slots=True)
class TrackEvidence(RowTable):
    """Evidence of t tracks. Tracks that do not reach the floor with any target have target -1.

    Attributes:
        target: (t,) int32, number of the target with the most evidence.
        evidence: (t,) float32, evidence for that target.
        lead: (t,) float32, lead over the nearest other target, lookalike or rejected face of the target; `evidence + 1`
            if there is no other.
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

    Nearly all tracks of an archive are not a given person's. They may be more similar to the person than strangers
    usually are (a poor photo, a frequent look). Then the evidence is lowered to the usual distribution. This is the
    z-norm of speaker recognition (Auckenthaler et al., "Score Normalization for Text-Independent Speaker Verification",
    2000). Evidence is never raised. A limit excludes the person's own tracks from the statistics, so an archive full of
    the person changes nothing.
    """

    def __init__(self, num_persons: int, usual: ImpostorDistribution) -> None:
        self._usual = usual
        self._count = np.zeros(num_persons, np.int64)
        self._sum = np.zeros(num_persons, np.int64)
        self._squares = np.zeros(num_persons, np.int64)

    def observe(self, evidence: npt.NDArray[np.float32]) -> None:
        """Add the evidence (t, persons) of some tracks by photos, in any order."""
        usual = self._usual
        is_stranger = evidence < np.float32(usual.mean + _COHORT_LIMIT * usual.deviation)
        fixed = np.where(is_stranger, np.rint((evidence - usual.mean) * _FIXED_POINT), 0).astype(np.int64)
        self._count += is_stranger.sum(axis=0)
        self._sum += fixed.sum(axis=0)
        self._squares += (fixed * fixed // _FIXED_POINT).sum(axis=0)

    def corrections(self) -> tuple[FloatArray, FloatArray]:
        """Return (persons,) the offset of the evidence's distance from the mean, and its divisor (≥ 1)."""
        weight = self._count + _COHORT_WEIGHT
        offset = self._sum / _FIXED_POINT / weight
        squares = (self._squares / _FIXED_POINT + _COHORT_WEIGHT * self._usual.deviation**2) / weight
        spread = np.sqrt(np.maximum(squares - offset**2, 0)) / self._usual.deviation
        return np.maximum(offset, 0).astype(np.float32), np.maximum(spread, 1).astype(np.float32)


class EvidenceModel:
    """Model that weighs tracks against one gallery.

    Args:
        references: References of at least one person.
        usual: Usual distribution of the similarities of strangers.
        cohort: Distribution in the archive; None if it was not observed.
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
        """Return the model with the same photos, but other grown references and another cohort."""
        same = copy(self)
        same._refer(references, cohort)
        return same

    def _refer(self, references: ReferenceSet, cohort: Cohort | None) -> None:
        self._references = references
        self._film_gains = _gains(self._usual, references.film_counts(), self._usual.film_shift)
        self._rejected_gains = {
            number: np.float32(self._usual.gain(len(faces)) + self._usual.film_shift)
            for number, faces in references.rejected.items()
        }
        nothing = np.zeros(references.num_persons, np.float32)
        self._offset, self._spread = (nothing, nothing + 1) if cohort is None else cohort.corrections()

    def weigh(
        self,
        embeddings: npt.NDArray[np.float16],
        floor: float,
        denied: Mapping[int, npt.NDArray[np.bool_]] = _NOTHING_DENIED,
    ) -> TrackEvidence:
        """Return the evidence of each track for its nearest target.

        A track that is as near to a rejected face of a target as to the target itself is not that target's.

        Args:
            embeddings: (t, D) float16, L2-normalised means of tracks, of the gallery's contract.
            floor: Minimum evidence that matters.
            denied: {number of a target: (t,) true for tracks that the user rejected for this target}.
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
            for number, is_denied in denied.items():
                evidence[is_denied[rows], number] = NO_EVIDENCE
            rejected = self._weigh_rejected(embeddings[rows])
            for number, against in rejected.items():
                evidence[against >= evidence[:, number], number] = NO_EVIDENCE
            best = evidence[:, :num_targets].argmax(axis=1)
            found.target[rows], found.evidence[rows] = best, evidence[each, best]
            found.by_photos[rows] = by_photos[each, best]
            evidence[each, best] = NO_EVIDENCE
            rival = np.maximum(evidence.max(axis=1), np.float32(-1))
            for number, against in rejected.items():
                np.maximum(rival, against, out=rival, where=best == number)
            found.lead[rows] = found.evidence[rows] - rival
        return found

    def _weigh_rejected(self, embeddings: npt.NDArray[np.float16]) -> dict[int, npt.NDArray[np.float32]]:
        """Return {number of a target: (t,) evidence of each track for the nearest rejected face of this target}."""
        return {
            number: faces.cosines(embeddings).max(axis=1) - self._rejected_gains[number]
            for number, faces in self._references.rejected.items()
        }

    def by_photos(self, embeddings: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
        """Return (t, persons) the evidence of each track for every person, by the photos alone."""
        parts = [found for _, found, _ in self._blocks(embeddings)]
        return np.concatenate(parts) if parts else np.empty((0, self._references.num_persons), np.float32)

    def by_other_photos(self, person: int) -> npt.NDArray[np.float32]:
        """Return (k,) the evidence of each of a person's photos by the other photos; empty for a single photo."""
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
        """Add the evidence of some tracks, by the photos of every person, to a cohort."""
        for _, by_photos, _ in self._blocks(embeddings):
            cohort.observe(by_photos)

    def _blocks(
        self, embeddings: npt.NDArray[np.float16]
    ) -> Iterator[tuple[slice, npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Yield blocks of rows, (rows, persons) evidence by photos, and (rows, persons) evidence by all references."""
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
    """Return the expected gain of the nearest of `counts` references by chance, plus a shift."""
    values, place = np.unique(counts, return_inverse=True)
    return np.array([usual.gain(count) + shift for count in values.tolist()], np.float32)[place]


def _mean(rows: FloatArray) -> npt.NDArray[np.float64]:
    """Return (D,) the sum of references; the first one if they cancel each other out."""
    total: npt.NDArray[np.float64] = rows.sum(axis=0, dtype=np.float64)
    return total if np.linalg.norm(total) > 1e-3 else rows[0].astype(np.float64)
