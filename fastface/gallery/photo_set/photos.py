"""Choose the references of one person: one face of each photo, and the reason for each photo that is left out.

`references` calls `pick_faces`, then the `drop_…` functions, which mark the picks in place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.cosine import cosines, normalize_rows
from fastface.errors import InputError
from fastface.gallery.photo_set.sources import Photo
from fastface.names import valid_text
from fastface.types import Faces, FloatArray

Analyse = Callable[[Path], Faces]
"""Function that finds and embeds all faces of a photo; raises InputError if the photo cannot be used."""

Select = Callable[[Photo, Faces], Faces]
"""Function that returns the faces of a photo that may be the person: only the tagged face if a tag names it."""

Box = tuple[float, float, float, float]

FaceChoice = Literal["auto", "largest", "only"]
"""Choice among several faces in a photo: see `pick_faces`."""

# Cosine to the original photo, measured on 17 reduced or blurred photos: at 16 pixels 0.53, 20 pixels 0.69, 40 pixels
# 0.95; at a sharpness of 4 0.37, of 8 0.67, of 20 0.86.
_LEAST_SIZE, _GOOD_SIZE = 20.0, 40.0
LEAST_SHARPNESS, _GOOD_SHARPNESS = 5.0, 15.0
_DOMINANT_AREA = 2.0
"""Minimum quotient of the areas of the largest face and the next one for the largest to be chosen."""
SAME_PICTURE = 0.995
"""Minimum cosine of two copies of one photo, perhaps saved twice."""
_UNLIKE_SHARE = 0.5
"""Share of the match threshold below which two photos show different persons. Photos of one person reach the threshold
with their nearest sibling; nearly all pairs of different persons stay below a third of it."""
_LEAST_CORE = 2
"""Number of matching photos that overrule another photo. Measured in 4,000 draws from photos of 28 persons: of two
photos of one person and one of another, the wrong one is left out in 97 %. Of three of one person, one is left out in
0.7 %."""

_RIVAL_SHARE = 0.8
"""Minimum quotient of two supports for two faces of one photo to count as equally common."""

_LARGEST_LEAN = 60.0
"""Maximum degrees of a leaning head; beyond it the photo, or the person, lies on the side."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A face that represents a person.

    Attributes:
        source: Path of its photo, as valid text.
        embedding: (D,) float32, L2-normalised.
        face_size: Shorter side of the box in pixels.
        sharpness: Variance of the Laplacian of the aligned face.
        det_score: Detector score, 0–1.
        resampling: `Resampling.name` of the looks averaged in the embedding; empty for one look.
    """

    source: str
    embedding: FloatArray
    face_size: float
    sharpness: float
    det_score: float
    resampling: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A usable face of a photo.

    Attributes:
        face: The face as a reference.
        place: Position among the photo's usable faces, such as `left`; empty if it is the only one.
        quarters: Quarter turns, clockwise, of the face in the photo as stored in the file.
        box: x1, y1, x2, y2 in pixels of the photo.
    """

    face: Reference
    place: str = ""
    quarters: int = 0
    box: Box = (0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True)
class Pick:
    """A photo, or an entry of a bank, that may become a reference.

    Attributes:
        source: Path of the photo, as valid text.
        label: Label of the person.
        reference: The chosen face; None once the photo is left out.
        remarks: Remarks for the report; the reason if the photo is left out.
        candidates: Usable faces, the largest first.
        is_meant: True if an unusable photo is an error of the user's input.
        taken_box: Box of the reference if it was chosen from several faces; else None.
        is_tagged: True if a tag of a photo library names the person.
    """

    source: str
    label: str
    reference: Reference | None = None
    remarks: list[str] = field(default_factory=list)
    candidates: tuple[Candidate, ...] = ()
    is_meant: bool = True
    taken_box: Box | None = None
    is_tagged: bool = False

    def leave_out(self, reason: str) -> None:
        """Remove the reference, and add the reason to the remarks."""
        self.reference = None
        self.remarks.append(reason)


def all_faces(photo: Photo, faces: Faces) -> Faces:  # noqa: ARG001 - the signature is that of `Select`
    """Return all faces."""
    return faces


def pick_faces(
    photos: Sequence[Photo],
    analyse: Analyse,
    alike: float,
    *,
    faces: FaceChoice = "auto",
    resampling: str = "",
    select: Select = all_faces,
) -> list[Pick]:
    """Choose one face of each photo of one person.

    The only usable face of a photo is chosen. Among several, `auto` chooses the face of the person that the photos have
    in common, however small it is. If they have none in common, it chooses a face that is far larger than the others.
    `largest` chooses the largest; `only` chooses none.

    Args:
        photos: All photos of one label.
        analyse: Function called in the caller's thread, once a photo.
        alike: Minimum cosine of two faces of one person.
        faces: Choice among several usable faces.
        resampling: `Resampling.name` of the looks that `analyse` averages.
        select: Function that limits the faces of a photo.

    Raises:
        BackendError: The networks failed.
    """
    picks = [_look(photo, analyse, resampling, select) for photo in photos]
    if faces != "auto":
        for pick in picks:
            if pick.candidates:
                _pick_first(pick, faces)
        return picks
    visible = [pick for pick in picks if pick.candidates]
    common = _common_faces(visible, alike)
    for pick in visible:
        _pick_one(pick, common, alike)
    return picks


def drop_doubles(picks: Sequence[Pick]) -> None:
    """Leave out copies of an earlier picture: they add nothing, and hide that a picture has no siblings."""
    used = _used(picks)
    if len(used) < 2:
        return
    same = np.tril(_mutual(used) >= SAME_PICTURE, -1)
    for row in np.flatnonzero(same.any(axis=1)):
        used[row].leave_out(f"the same picture as {used[int(same[row].argmax())].source!r}")


def drop_unlike(picks: Sequence[Pick], alike: float) -> None:
    """Leave out photos of one label that show another person than the others.

    This requires that the others match each other. If there is no such majority, all photos stay, with a remark.
    """
    used = _used(picks)
    if len(used) < 2:
        return
    mutual = _mutual(used)
    np.fill_diagonal(mutual, -1)
    is_unlike = mutual.max(axis=1) < alike * _UNLIKE_SHARE
    core = int((~is_unlike).sum())
    has_majority = core * 2 > len(used) or core > _LEAST_CORE
    for row in np.flatnonzero(is_unlike):
        reason = f"not similar to any other photo of {used[row].label!r} (at most {mutual[row].max():.2f})"
        if core >= _LEAST_CORE and has_majority:
            used[row].leave_out(reason)
        else:
            used[row].remarks.append(f"{reason}: are they one person?")


def tell_minorities(picks: Sequence[Pick], alike: float) -> None:
    """Add a remark to each photo that matches some of the label's other photos, but less than half.

    The photo stays: it may be the same person at another age, as well as one of several photos of another person.
    """
    used = _used(picks)
    if len(used) < 2:
        return
    mutual, floor = _mutual(used), alike * _UNLIKE_SHARE
    np.fill_diagonal(mutual, -1)
    rows = np.flatnonzero(mutual.max(axis=1) >= floor)  # the others have a remark already
    for row in rows:
        typical = float(np.median(mutual[row, rows[rows != row]]))
        if typical < floor:
            nearest = int(mutual[row].argmax())
            used[row].remarks.append(
                f"not similar to most other photos of {used[row].label!r} (median {typical:.2f}), but to"
                f" {used[nearest].source!r} ({mutual[row, nearest]:.2f}): are they one person?"
            )


def _look(photo: Photo, analyse: Analyse, resampling: str, select: Select) -> Pick:
    is_tagged = photo.region is not None
    pick = Pick(valid_text(str(photo.path)), photo.label, is_meant=photo.is_meant, is_tagged=is_tagged)
    try:
        faces = select(photo, analyse(photo.path))
    except InputError as error:
        pick.remarks.append(error.reason)
        return pick
    pick.is_meant = True
    if not len(faces):
        pick.remarks.append("no face was found at the place of the tag" if is_tagged else "no face found")
        return pick
    found = sorted(_candidates(pick.source, faces, resampling), key=lambda candidate: -candidate.face.face_size)
    usable = [item for item in found if item.face.face_size >= _LEAST_SIZE and item.face.sharpness >= LEAST_SHARPNESS]
    pick.candidates = tuple(usable)
    if not usable:
        pick.remarks.append(_why_unusable(found[0].face))
    return pick


def _candidates(source: str, faces: Faces, resampling: str) -> list[Candidate]:
    sizes = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
    embeddings = normalize_rows(faces.embedding)
    facts = zip(embeddings, sizes, faces.sharpness, faces.det_score, strict=True)
    references = [
        Reference(source, embedding, float(size), float(sharp), float(score), resampling)
        for embedding, size, sharp, score in facts
    ]
    is_usable = (sizes >= _LEAST_SIZE) & (faces.sharpness >= LEAST_SHARPNESS)
    places = _places(faces.boxes[:, [0, 2]].mean(axis=1), is_usable)
    x1, y1, x2, y2 = faces.boxes.T.astype(float).tolist()
    boxes = zip(x1, y1, x2, y2, strict=True)
    return list(map(Candidate, references, places, _quarters(faces.landmarks), boxes))


def _places(across: FloatArray, is_usable: npt.NDArray[np.bool_]) -> list[str]:
    """Name the position of each usable face, from left to right; empty for the others."""
    order = [int(row) for row in np.argsort(across, kind="stable") if is_usable[row]]
    names = {1: [""], 2: ["left", "right"], 3: ["left", "middle", "right"]}.get(
        len(order), [f"number {number} from the left" for number in range(1, len(order) + 1)]
    )
    places = [""] * len(across)
    for row, name in zip(order, names, strict=False):
        places[row] = name
    return places


def _quarters(landmarks: FloatArray) -> list[int]:
    """Return the clockwise quarter turns of each face; 0 for a head that only leans."""
    eyes = landmarks[:, 1] - landmarks[:, 0]
    degrees = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))
    quarters = np.rint(degrees / 90).astype(int) % 4
    return [int(number) for number in np.where(np.abs(degrees) > _LARGEST_LEAN, quarters, 0)]


def _why_unusable(face: Reference) -> str:
    if face.face_size < _LEAST_SIZE:
        return f"the face is too small: {face.face_size:.0f} pixels, at least {_LEAST_SIZE:.0f} are needed"
    return f"the face is too blurred: sharpness {face.sharpness:.1f}, at least {LEAST_SHARPNESS:.0f} is needed"


def _common_faces(picks: Sequence[Pick], alike: float) -> FloatArray | None:
    """Find the faces of the person that most photos have in common, one for each photo that shows the person.

    A face's support is summed over the other photos: the excess of their most similar face over the similarity of
    strangers. The face with the largest support is the person's face if another photo shows the same person.

    Returns:
        (k, D) embeddings of at least two photos; None if no two photos have a person in common.
    """
    embeddings = [np.stack([item.face.embedding for item in pick.candidates]) for pick in picks]
    if len(embeddings) < 2:
        return None
    photo = np.repeat(np.arange(len(embeddings)), [len(found) for found in embeddings])
    flat = np.concatenate(embeddings)
    firsts = np.searchsorted(photo, np.arange(len(embeddings)))
    nearest = np.maximum.reduceat(cosines(flat, flat), firsts, axis=1)
    nearest[np.arange(len(flat)), photo] = -1
    floor = alike * _UNLIKE_SHARE
    is_alone = np.array([len(found) == 1 for found in embeddings])[photo]
    if nearest.max() < (floor if is_alone.any() else alike):
        return None
    support = (nearest - floor).clip(0).sum(axis=1)
    # Among many faces some strangers are similar by chance: a photo of one face is better evidence.
    alone = np.where(is_alone, support, -1)
    seed = int((alone if alone.max() >= support.max() / 2 else support).argmax())
    # If a couple is in every photo, the larger person is chosen.
    rivals = np.flatnonzero((support >= support[seed] * _RIVAL_SHARE) & (photo == photo[seed]))
    sizes = np.array([item.face.face_size for pick in picks for item in pick.candidates])
    seed = int(rivals[sizes[rivals].argmax()])
    similar = cosines(flat, flat[seed][None])[:, 0]
    best = [int(first + similar[photo == number].argmax()) for number, first in enumerate(firsts)]
    return flat[[row for row in best if similar[row] >= floor]]


def _is_dominant(candidates: Sequence[Candidate]) -> bool:
    if len(candidates) == 1:
        return True
    return (candidates[0].face.face_size / candidates[1].face.face_size) ** 2 >= _DOMINANT_AREA


def _is_collage(candidates: Sequence[Candidate], alike: float) -> bool:
    """Return whether all faces are the same person as the largest one."""
    embeddings = np.stack([item.face.embedding for item in candidates])
    return bool(cosines(embeddings, embeddings[:1]).min() >= alike)


def _pick_first(pick: Pick, faces: FaceChoice) -> None:
    """Choose the only usable face, or the largest of several if `faces` requires it."""
    count = len(pick.candidates)
    if count > 1 and faces == "only":
        pick.leave_out(f"{count} faces, and only one is allowed: crop it, or allow more with --faces")
        return
    _take(pick, pick.candidates[0], f"{count} faces; the largest was taken" if count > 1 else "")


def _pick_one(pick: Pick, common: FloatArray | None, alike: float) -> None:
    chosen, remark = pick.candidates[0], ""
    count = len(pick.candidates)
    if count > 1 and common is not None:
        closeness = cosines(np.stack([item.face.embedding for item in pick.candidates]), common)
        best = int(closeness.mean(axis=1).argmax())
        if np.sort(closeness[best])[:-1].mean() >= alike * _UNLIKE_SHARE:  # without itself, if it is among them
            chosen = pick.candidates[best]
            remark = f"{count} faces; the face most similar to the other photos of {pick.label!r} was taken"
    if count > 1 and not remark:
        if _is_collage(pick.candidates, alike):
            remark = f"{count} faces of one person; the largest was taken"
        elif _is_dominant(pick.candidates):
            remark = f"{count} faces; the largest was taken"
        else:
            pick.leave_out(f"{count} faces of similar size: which one is {pick.label!r}? Crop it")
            return
    _take(pick, chosen, remark)


def _take(pick: Pick, candidate: Candidate, remark: str) -> None:
    chosen = candidate.face
    pick.reference = chosen
    if remark:
        pick.taken_box = candidate.box
        pick.remarks.append(f"{remark} ({candidate.place}, {chosen.face_size:.0f} px)")
    if candidate.quarters:
        pick.remarks.append(f"turned by {candidate.quarters * 90}° in the file: the face was turned back")
    if chosen.face_size < _GOOD_SIZE:
        pick.remarks.append(f"a small face: {chosen.face_size:.0f} pixels, {_GOOD_SIZE:.0f} and more are good")
    if chosen.sharpness < _GOOD_SHARPNESS:
        pick.remarks.append(f"a blurred face: sharpness {chosen.sharpness:.1f}, {_GOOD_SHARPNESS:.0f} and more is good")


def _used(picks: Sequence[Pick]) -> list[Pick]:
    return [pick for pick in picks if pick.reference is not None]


def _mutual(used: Sequence[Pick]) -> FloatArray:
    """Return (n, n) float32 cosines."""
    embeddings = np.stack([pick.reference.embedding for pick in used if pick.reference is not None])
    return cosines(embeddings, embeddings)
