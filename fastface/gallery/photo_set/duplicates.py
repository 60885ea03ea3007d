"""Compare persons with each other: misfiled photos, one face under two labels, a `--not` that is the target.

`references` calls these functions; they mark picks in place, and word faults and remarks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.cosine import cosines
from fastface.gallery.neighbours import Neighbours, find_neighbours
from fastface.gallery.photo_set.photos import SAME_PICTURE, Pick, Reference
from fastface.types import FloatArray

_SAME_PERSON_SHARE = 0.75
"""Minimum median cosine of all pairs of two labels that are one person, as a share of the match threshold. Their most
similar references must also reach the threshold. Measured on persons with 12 to 20 photos: one person's pairs have a
median of at least 1.0 times the threshold. Those of two persons have less than 0.4 times, even if one reaches it."""
_MISFILED_SIBLINGS = 2
_MAX_NAMED = 5
"""Maximum number of labels that a fault lists; more are counted."""


def used_references(persons: Mapping[str, Sequence[Pick]]) -> dict[str, tuple[Reference, ...]]:
    """Return the used references of each label, without labels that have none."""
    used = {label: tuple(p.reference for p in picks if p.reference is not None) for label, picks in persons.items()}
    return {label: references for label, references in used.items() if references}


def to_matrix(references: Sequence[Reference]) -> FloatArray:
    """Return (n, D) embeddings."""
    if len(references) == 1:  # the usual case in a bank of thousands
        return references[0].embedding[None]
    return np.stack([reference.embedding for reference in references])


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """All used references of targets, then lookalikes, compared with each other.

    Attributes:
        labels: Label of each person: targets by label, then lookalikes by label.
        num_targets: Number of targets.
        picks: Photos of all persons, n of them, by person.
        embeddings: (n, D) float32, L2-normalised.
        person: (n,) number of each photo's person.
        neighbours: Similar photos of other persons.
    """

    labels: tuple[str, ...]
    num_targets: int
    picks: tuple[Pick, ...]
    embeddings: FloatArray
    person: npt.NDArray[np.int64]
    neighbours: Neighbours

    @property
    def is_used(self) -> npt.NDArray[np.bool_]:
        """Return (n,) true for each photo that still is a reference."""
        return np.fromiter((pick.reference is not None for pick in self.picks), np.bool_, len(self.picks))

    def person_rows(self, person: int) -> npt.NDArray[np.int64]:
        """Return the rows of a person's photos that still are references."""
        first, last = np.searchsorted(self.person, [person, person + 1])
        return np.array([row for row in range(first, last) if self.picks[row].reference is not None], np.int64)

    def person_pairs(self) -> npt.NDArray[np.int64]:
        """Return (p, 2) numbers of persons with two similar used photos, in order, each pair once."""
        pairs = self.neighbours.pairs
        pairs = pairs[self.is_used[pairs].all(axis=1)]
        return np.unique(self.person[pairs], axis=0)

    def nearest(self) -> dict[int, tuple[str, float]]:
        """Return {id of the reference: (label of the nearest other person, cosine)}, for all used photos."""
        is_used = self.is_used
        rows = np.flatnonzero(is_used)
        nearest, similarity = self.neighbours.nearest.copy(), self.neighbours.similarity.copy()
        for row in rows[(nearest[rows] >= 0) & ~is_used[nearest[rows]]]:  # that photo has been left out
            others = rows[self.person[rows] != self.person[row]]
            near = cosines(self.embeddings[row][None], self.embeddings[others])[0]
            nearest[row] = others[near.argmax()] if len(others) else -1
            similarity[row] = near.max(initial=-2)
        rows = rows[nearest[rows] >= 0]
        names = [self.labels[number] for number in self.person[nearest[rows]].tolist()]
        pairs = zip(rows.tolist(), names, similarity[rows].tolist(), strict=True)
        return {id(self.picks[row].reference): (name, near) for row, name, near in pairs}


def compare_persons(
    persons: Mapping[str, Sequence[Pick]],
    others: Mapping[str, Sequence[Pick]],
    alike: float,
    check: Callable[[], None],
) -> ReferenceTable | None:
    """Compare all used photos of targets and lookalikes; return None if there are none.

    Args:
        persons: Photos of each target.
        others: Photos of each lookalike.
        alike: Minimum cosine of two faces of one person.
        check: Function called many times a second; an exception from it ends the comparison.
    """
    sides = [side.items() for side in (persons, others)]
    used = [
        [(label, kept) for label, picks in side if (kept := [pick for pick in picks if pick.reference is not None])]
        for side in sides
    ]
    everyone = [*used[0], *used[1]]
    picks = tuple(pick for _, kept in everyone for pick in kept)
    if not picks:
        return None
    embeddings = to_matrix([pick.reference for pick in picks if pick.reference is not None])
    person = np.repeat(np.arange(len(everyone)), [len(kept) for _, kept in everyone])
    neighbours = find_neighbours(embeddings, person, alike, check)
    return ReferenceTable(tuple(label for label, _ in everyone), len(used[0]), picks, embeddings, person, neighbours)


def drop_misfiled(persons: ReferenceTable, alike: float) -> None:
    """Leave out photos under one target's label that show another target.

    All persons are compared before any photo is left out, so the order of labels does not matter.
    """
    misfiled: list[tuple[int, str, float]] = []
    pairs = persons.person_pairs()
    pairs = pairs[(pairs < persons.num_targets).all(axis=1)]
    for label, other in sorted([*map(tuple, pairs.tolist()), *map(tuple, pairs[:, ::-1].tolist())]):
        own = persons.person_rows(label)
        if len(own) <= _MISFILED_SIBLINGS:
            continue
        between = cosines(persons.embeddings[own], persons.embeddings[own])
        np.fill_diagonal(between, np.nan)
        to_other = cosines(persons.embeddings[own], persons.embeddings[persons.person_rows(other)])
        is_misfiled = (to_other.max(axis=1) >= alike) & (np.median(to_other, axis=1) > np.nanmedian(between, axis=1))
        # If most photos match the other label, both labels are one person; the user must decide that.
        if is_misfiled.sum() * 2 <= len(own):
            found = np.flatnonzero(is_misfiled)
            misfiled += [(int(own[row]), persons.labels[other], float(to_other[row].max())) for row in found]
    for row, other_label, similarity in misfiled:
        pick = persons.picks[row]
        pick.leave_out(f"looks like {other_label!r}, not like {pick.label!r} ({similarity:.2f})")


@dataclass(frozen=True, slots=True)
class SameFace:
    """Targets with the same face: their labels, and the text of the fault."""

    labels: tuple[str, ...]
    fault: str


def same_faces(persons: ReferenceTable, alike: float) -> list[SameFace]:
    """Return a fault for each set of targets with the same face; its evidence is the first similar pair."""
    groups = {number: [number] for number in range(persons.num_targets)}
    evidence: dict[int, str] = {}
    for first, second in persons.person_pairs().tolist():
        if second >= persons.num_targets or groups[first] is groups[second]:
            continue
        own, theirs = persons.person_rows(first), persons.person_rows(second)
        between = cosines(persons.embeddings[own], persons.embeddings[theirs])
        if not _are_one(between, alike):
            continue
        row, column = divmod(int(between.argmax()), between.shape[1])
        sources = persons.picks[own[row]].source, persons.picks[theirs[column]].source
        evidence.setdefault(groups[first][0], f"{sources[0]} and {sources[1]}: {between.max():.2f}")
        large, small = sorted((groups[first], groups[second]), key=len, reverse=True)
        large += small
        for number in small:
            groups[number] = large
    joined = {id(group): sorted(group) for group in groups.values() if len(group) > 1}
    faults = []
    for group in sorted(joined.values()):
        link = next(evidence[number] for number in group if number in evidence)
        labels = [persons.labels[number] for number in group]
        faults.append(SameFace(tuple(labels), _same_face_fault(labels, link)))
    return faults


def _are_one(between: FloatArray, alike: float) -> bool:
    return bool(between.max() >= alike and np.median(between) >= alike * _SAME_PERSON_SHARE)


def _same_face_fault(group: Sequence[str], evidence: str) -> str:
    named = ", ".join(repr(label) for label in group[:_MAX_NAMED])
    more = f" and {len(group) - _MAX_NAMED} more" if len(group) > _MAX_NAMED else ""
    return (
        f"{named}{more} have the same face ({evidence}); if they are one person, put the photos into one sub-folder"
        " with the name, or write -t NAME=FOLDER (enroll: NAME=FOLDER)"
    )


def same_pictures(persons: ReferenceTable) -> list[str]:
    """Return a fault for each target whose own photo is also a photo of a lookalike."""
    return [
        f"{label!r} is a target, and {other!r} of --not is the same picture: no face could be a hit"
        for label, other, between, _ in _target_and_lookalike(persons)
        if between.max() >= SAME_PICTURE
    ]


def like_lookalikes(persons: ReferenceTable, alike: float) -> list[str]:
    """Return a remark for each target and lookalike that are as similar as photos of one person.

    This is no fault: siblings may be as similar, and `--not` exists for them.
    """
    remarks = []
    for label, other, between, siblings in _target_and_lookalike(persons):
        similarity = float(between.max())
        if similarity >= SAME_PICTURE or not _are_one(between, alike):
            continue
        own = "" if siblings is None else f"; among the photos of {label!r} it is {siblings:.2f}"
        remarks.append(
            f"{other!r} of --not may be the wanted person {label!r}: similarity {similarity:.2f}, threshold"
            f" {alike:.2f}{own}. Faces more similar to {other!r} are no hits: if both are one person, remove it from"
            " --not"
        )
    return remarks


def _target_and_lookalike(persons: ReferenceTable) -> list[tuple[str, str, FloatArray, float | None]]:
    """Return labels of similar targets and lookalikes, cosines of their photos, and the target's own median."""
    found = []
    for target, lookalike in persons.person_pairs().tolist():
        if target < persons.num_targets <= lookalike:
            own = persons.embeddings[persons.person_rows(target)]
            among = cosines(own, own)[np.triu_indices(len(own), 1)]
            between = cosines(own, persons.embeddings[persons.person_rows(lookalike)])
            siblings = float(np.median(among)) if len(among) else None
            found.append((persons.labels[target], persons.labels[lookalike], between, siblings))
    return found
