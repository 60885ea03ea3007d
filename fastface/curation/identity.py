"""Identify the person of a picture: by a gallery, or by the likeness to the set's medoid. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.config import CurateConfig
from fastface.curation.candidates import Candidate, largest_face, take_face
from fastface.curation.likeness import cosines_to
from fastface.names import valid_text

_UNLIKE_SHARE = 0.5
"""Share of the match threshold below which a face is far away from the medoid. Cosines of different persons stay
below a third of the threshold for nearly all pairs; profiles of the same person may fall below it."""

_LEAST_CORE = 3
"""Pictures like the medoid that say what the set's person looks like."""


@dataclass(frozen=True, slots=True)
class CandidateMatches:
    """Matches of all faces of all candidates with a gallery, one row a face, in order of the candidates.

    Attributes:
        is_person: (n,) whether the face is one of the persons asked for.
        similarity: (n,) cosine to the nearest of them.
        least: The cosine that is needed.
    """

    is_person: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]
    least: float


def take_largest_faces(candidates: Sequence[Candidate], settings: CurateConfig) -> None:
    """Judges each open candidate by its largest face; those without a face are out."""
    for candidate in candidates:
        if len(candidate.seen.faces):
            take_face(candidate, largest_face(candidate.seen.faces), settings)
        else:
            candidate.reason = "no face found"


def take_asked_faces(candidates: Sequence[Candidate], asked: CandidateMatches, settings: CurateConfig) -> None:
    """Judges each candidate by the face that is most like the persons asked for; those that show none are out."""
    take_largest_faces(candidates, settings)
    first = 0
    for candidate in candidates:
        rows = np.arange(first, first := first + len(candidate.seen.faces))
        if not len(rows):
            continue
        persons = rows[asked.is_person[rows]]
        best = int((persons if len(persons) else rows)[asked.similarity[persons if len(persons) else rows].argmax()])
        candidate.similarity = float(asked.similarity[best])
        if len(persons):
            take_face(candidate, best - int(rows[0]), settings)
        else:
            candidate.reason = f"another person: similarity {candidate.similarity:.2f}, {asked.least:.2f} is needed"


def compare_with_medoid(candidates: Sequence[Candidate], alike: float) -> str:
    """Gives each candidate its similarity to the set's medoid: the face with the largest sum of cosines to all.

    That is the set's person if those that reach the match threshold are at least three and at least half of all. Then
    faces below half the threshold are out as another person's, and faces between are remarked upon. Else the set has
    no one person: all stay, and none gets a similarity.

    Args:
        candidates: Readable ones, with faces.
        alike: The match threshold: cosine from which two faces are one person's.

    Returns:
        What a person may want to know: that the set is of no one person; else empty.
    """
    if not candidates:
        return ""
    embeddings = np.stack([candidate.portrait.embedding for candidate in candidates])
    # Sums of float16 in float64 are exact in any order, as in `cosines_to`.
    total = embeddings.sum(axis=0, dtype=np.float64)
    medoid = int((embeddings.astype(np.float64) * total).sum(axis=1).round(9).argmax())
    similarities = cosines_to(embeddings, embeddings[medoid])
    num_alike = int((similarities >= alike).sum())
    if num_alike < max(_LEAST_CORE, len(candidates) / 2):
        return (
            "the pictures show several persons, so none is left out; give photos of the person with -t, "
            "or curate each person apart"
        )
    middle = valid_text(candidates[medoid].source.path.name)
    for candidate, similarity in zip(candidates, similarities.tolist(), strict=True):
        candidate.similarity = similarity
        remark = f"looks like someone else: similarity {similarity:.2f} to the typical picture {middle!r}"
        if similarity < alike * _UNLIKE_SHARE:
            candidate.reason = remark
        elif similarity < alike:
            candidate.remark = remark
    return ""
