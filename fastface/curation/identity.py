"""Decide whether a picture shows the wanted person: by a gallery, or by similarity to the medoid of the set. Pure.

`commands.curate` calls one of the two `take_…` functions; without a gallery it then calls `compare_with_medoid`. All
three mark the candidates in place: a similarity, or the reason why the candidate is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.config import CurateConfig
from fastface.curation.candidates import Candidate, largest_face, take_face
from fastface.curation.likeness import cosines_to
from fastface.names import valid_text

_UNLIKE_SHARE = 0.5
"""Share of the match threshold below which a face is another person's. Nearly all cosines of different persons are
below a third of the threshold. Profiles of the same person may fall below the whole threshold."""

_LEAST_CORE = 3
"""Minimum number of pictures that match the medoid for the set to have one person."""


@dataclass(frozen=True, slots=True)
class CandidateMatches:
    """Matches of all faces of all candidates with a gallery: one row a face, in order of the candidates.

    Attributes:
        is_person: (n,) true if the face is one of the wanted persons.
        similarity: (n,) cosine to the nearest wanted person.
        least: Minimum cosine of a match.
    """

    is_person: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]
    least: float


def take_largest_faces(candidates: Sequence[Candidate], settings: CurateConfig) -> None:
    """Judge each open candidate by its largest face; drop candidates without a face."""
    for candidate in candidates:
        if len(candidate.seen.faces):
            take_face(candidate, largest_face(candidate.seen.faces), settings)
        else:
            candidate.reason = "no face found"


def take_asked_faces(candidates: Sequence[Candidate], asked: CandidateMatches, settings: CurateConfig) -> None:
    """Judge each candidate by the face most similar to the wanted persons; drop candidates without such a face."""
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
    """Set each candidate's similarity to the set's medoid: the face with the largest sum of cosines to all faces.

    The medoid is the set's person if at least three faces, and at least half, reach the match threshold. Then faces
    below half the threshold are dropped as another person's, and faces between get a remark. Otherwise the set has no
    single person: all candidates stay, without a similarity.

    Args:
        candidates: Readable candidates with faces.
        alike: Match threshold: minimum cosine of two faces of one person.

    Returns:
        A remark for the user if the set has no single person; else empty.
    """
    if not candidates:
        return ""
    embeddings = np.stack([candidate.portrait.embedding for candidate in candidates])
    # Sums of float16 in float64 are exact in any order, see `cosines_to`.
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
