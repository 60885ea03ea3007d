"""Persons against each other: photos filed with the wrong one, one face under two labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from fastface.cosine import cosines
from fastface.gallery.photos import SAME_PICTURE, Pick, Reference
from fastface.types import FloatArray

__all__ = ["drop_misfiled", "same_faces", "same_pictures", "stacked", "used_references"]

_SAME_PERSON_SHARE = 0.75
"""Two labels are one person if their most alike references reach the match threshold and half of all pairs this share
of it. Real persons of 12 to 20 photos each: pairs of one person have a median of 1.0 times the threshold and more, and
of two persons below 0.4 times, though their most alike pair may reach the threshold."""
_MISFILED_SIBLINGS = 2
_MAX_NAMED = 5
"""Labels that a fault names before it only counts them."""


def used_references(persons: Mapping[str, Sequence[Pick]]) -> dict[str, tuple[Reference, ...]]:
    """What is used of each label, without the labels of which nothing is."""
    used = {label: tuple(p.reference for p in picks if p.reference is not None) for label, picks in persons.items()}
    return {label: references for label, references in used.items() if references}


def stacked(references: Sequence[Reference]) -> FloatArray:
    """(n, D) embeddings."""
    return np.stack([reference.embedding for reference in references])


def drop_misfiled(persons: Mapping[str, Sequence[Pick]], alike: float) -> None:
    """Leaves out photos that lie with one person and show another target.

    Judged against what all persons have before anything is left out, so that the order of labels does not matter.
    """
    references = used_references(persons)
    for label, own in references.items():
        if len(own) <= _MISFILED_SIBLINGS:
            continue
        between = cosines(stacked(own), stacked(own))
        np.fill_diagonal(between, np.nan)
        to_own = np.nanmedian(between, axis=1)
        used = [pick for pick in persons[label] if pick.reference is not None]
        for other, theirs in references.items():
            if other == label:
                continue
            to_other = cosines(stacked(own), stacked(theirs))
            misfiled = (to_other.max(axis=1) >= alike) & (np.median(to_other, axis=1) > to_own)
            # Where most photos are like that, both labels are one person, which is for the user to decide.
            if misfiled.sum() * 2 > len(own):
                continue
            for row in np.flatnonzero(misfiled):
                used[row].leave_out(f"shows {other!r} rather than {label!r} ({to_other[row].max():.2f})")


def same_faces(references: Mapping[str, Sequence[Reference]], alike: float) -> list[str]:
    """A fault for each set of labels that have one face, with the most alike pair as the evidence."""
    faults = []
    left = list(references)
    while left:
        group = [left.pop(0)]
        for label in group:
            group.extend(other for other in left if _are_one(references[label], references[other], alike))
            left = [other for other in left if other not in group]
        if len(group) > 1:
            faults.append(_same_face_fault(group, references))
    return faults


def _are_one(left: Sequence[Reference], right: Sequence[Reference], alike: float) -> bool:
    between = cosines(stacked(left), stacked(right))
    return bool(between.max() >= alike and np.median(between) >= alike * _SAME_PERSON_SHARE)


def _same_face_fault(group: Sequence[str], references: Mapping[str, Sequence[Reference]]) -> str:
    first, second = references[group[0]], references[group[1]]
    between = cosines(stacked(first), stacked(second))
    row, column = divmod(int(between.argmax()), between.shape[1])
    named = ", ".join(repr(label) for label in group[:_MAX_NAMED])
    more = f" and {len(group) - _MAX_NAMED} more" if len(group) > _MAX_NAMED else ""
    return (
        f"{named}{more} have the same face ({first[row].source} and {second[column].source}: {between.max():.2f});"
        " photos of one person belong in one sub-folder that bears the name;"
        " if they are one person: -t NAME=FOLDER (of enroll: NAME=FOLDER)"
    )


def same_pictures(
    references: Mapping[str, Sequence[Reference]], avoided: Mapping[str, Sequence[Reference]]
) -> list[str]:
    """A fault for each target whose own photo is also a lookalike's."""
    return [
        f"{label!r} is a target, and {other!r} of --not is the same picture: nobody could be a hit"
        for label, own in references.items()
        for other, theirs in avoided.items()
        if cosines(stacked(own), stacked(theirs)).max() >= SAME_PICTURE
    ]
