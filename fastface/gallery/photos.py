"""One person's photos → references: which face of each photo, and which photos are left out, each with the reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from fastface.cosine import cosines, normalized
from fastface.errors import InputError
from fastface.gallery.sources import Photo
from fastface.names import valid_text
from fastface.types import Faces, FloatArray

__all__ = [
    "SAME_PICTURE",
    "Analyse",
    "FaceChoice",
    "Pick",
    "Reference",
    "drop_doubles",
    "drop_unlike",
    "pick_faces",
    "tell_minorities",
]

Analyse = Callable[[Path], Faces]
"""Finds and embeds all faces of a photo; raises InputError where it cannot be used."""

FaceChoice = Literal["auto", "largest", "only"]
"""Which of several faces in a photo is meant: see `pick_faces`."""

# Measured on 17 photos that were scaled down or blurred, cosine to the same photo as it was: 16 pixels 0.53, 20 pixels
# 0.69, 40 pixels 0.95; blurred to a sharpness of 4: 0.37, of 8: 0.67, of 20: 0.86.
_LEAST_SIZE, _GOOD_SIZE = 20.0, 40.0
_LEAST_SHARPNESS, _GOOD_SHARPNESS = 5.0, 15.0
_DOMINANT_AREA = 2.0
"""The largest face is the one that is meant where it has this many times the area of the next."""
SAME_PICTURE = 0.995
"""Cosine from which two photos are one, perhaps saved twice."""
_UNLIKE_SHARE = 0.5
"""Share of the match threshold below which two photos show different persons. Real photos of one person reach the
threshold with their nearest sibling; those of different persons stay below a third of it for nearly all pairs."""
_LEAST_CORE = 3


@dataclass(frozen=True, slots=True)
class Reference:
    """A face that stands for a person.

    Attributes:
        source: The photo that it came from, as valid text.
        embedding: (D,) float32, L2-normalised.
        face_size: Shorter side of the box in pixels.
        sharpness: Variance of the Laplacian of the aligned face.
        det_score: 0–1.
        resampling: The looks that the embedding is the mean of, as `Resampling.name`; empty for one look.
    """

    source: str
    embedding: FloatArray
    face_size: float
    sharpness: float
    det_score: float
    resampling: str = ""


@dataclass(slots=True)
class Pick:
    """A photo, or an entry of a bank, on its way to a reference.

    Attributes:
        source: The photo, as valid text.
        label: The person.
        reference: The face; None once the photo is left out.
        remarks: What is to be said of it; the reason, if it is left out.
        candidates: Usable faces, the largest first.
        is_meant: Whether a fault of it is one of the user's input.
    """

    source: str
    label: str
    reference: Reference | None = None
    remarks: list[str] = field(default_factory=list)
    candidates: tuple[Reference, ...] = ()
    is_meant: bool = True

    def leave_out(self, reason: str) -> None:
        """Gives up the reference."""
        self.reference = None
        self.remarks.append(reason)


def pick_faces(
    photos: Sequence[Photo], analyse: Analyse, alike: float, *, faces: FaceChoice = "auto", resampling: str = ""
) -> list[Pick]:
    """One face of each photo of one person.

    A photo's only usable face is taken. Of several, `auto` takes the one most alike to the person's other photos, or,
    if there are none, the one that is far larger than the others; `largest` takes the largest; `only` takes none.

    Args:
        photos: All of one label.
        analyse: Called in the caller's thread, once a photo.
        alike: Cosine from which two faces are one person's.
        faces: What is done with several usable faces.
        resampling: What `analyse` makes its embeddings of, as `Resampling.name`.

    Raises:
        BackendError: The networks failed.
    """
    picks = [_look(photo, analyse, resampling) for photo in photos]
    if faces != "auto":
        for pick in picks:
            if pick.candidates:
                _pick_first(pick, faces)
        return picks
    anchors = [(pick, pick.candidates[0]) for pick in picks if pick.candidates and _is_dominant(pick.candidates)]
    for pick in picks:
        if not pick.candidates:
            continue
        others = [reference.embedding for anchor, reference in anchors if anchor is not pick]
        _pick_one(pick, np.stack(others) if others else None, alike)
    return picks


def drop_doubles(picks: Sequence[Pick]) -> None:
    """Leaves out what is the same picture as an earlier one: it says nothing new and hides that it has no siblings."""
    used = _used(picks)
    if not used:
        return
    same = np.tril(_mutual(used) >= SAME_PICTURE, -1)
    for row in np.flatnonzero(same.any(axis=1)):
        used[row].leave_out(f"the same picture as {used[int(same[row].argmax())].source!r}")


def drop_unlike(picks: Sequence[Pick], alike: float) -> None:
    """Leaves out photos of one label that show somebody else than the others do.

    Only where at least three others agree with each other; where photos disagree and there is no such core, all stay,
    with a remark.
    """
    used = _used(picks)
    if len(used) < 2:
        return
    mutual = _mutual(used)
    np.fill_diagonal(mutual, -1)
    is_unlike = mutual.max(axis=1) < alike * _UNLIKE_SHARE
    has_core = (~is_unlike).sum() >= _LEAST_CORE
    for row in np.flatnonzero(is_unlike):
        reason = f"unlike every other photo of {used[row].label!r} (at most {mutual[row].max():.2f})"
        if has_core:
            used[row].leave_out(reason)
        else:
            used[row].remarks.append(f"{reason}: are they one person?")


def tell_minorities(picks: Sequence[Pick], alike: float) -> None:
    """A remark on each photo that is like some of the label's others, but unlike at least half of these.

    It stays, for it may be the same person at another age, as well as one of several photos of somebody else.
    """
    used = _used(picks)
    if len(used) < 2:
        return
    mutual, floor = _mutual(used), alike * _UNLIKE_SHARE
    np.fill_diagonal(mutual, -1)
    rows = np.flatnonzero(mutual.max(axis=1) >= floor)  # of the others there is a remark already
    for row in rows:
        typical = float(np.median(mutual[row, rows[rows != row]]))
        if typical < floor:
            nearest = int(mutual[row].argmax())
            used[row].remarks.append(
                f"unlike most other photos of {used[row].label!r} (median {typical:.2f}), though like"
                f" {used[nearest].source!r} ({mutual[row, nearest]:.2f}): are they one person?"
            )


def _look(photo: Photo, analyse: Analyse, resampling: str) -> Pick:
    pick = Pick(valid_text(str(photo.path)), photo.label, is_meant=photo.is_meant)
    try:
        faces = analyse(photo.path)
    except InputError as error:
        pick.remarks.append(error.reason)
        return pick
    pick.is_meant = True
    if not len(faces):
        pick.remarks.append("no face found")
        return pick
    found = sorted(_references(pick.source, faces, resampling), key=lambda reference: -reference.face_size)
    pick.candidates = tuple(
        reference
        for reference in found
        if reference.face_size >= _LEAST_SIZE and reference.sharpness >= _LEAST_SHARPNESS
    )
    if not pick.candidates:
        pick.remarks.append(_why_unusable(found[0]))
    return pick


def _references(source: str, faces: Faces, resampling: str) -> list[Reference]:
    sizes = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
    embeddings = normalized(faces.embedding)
    facts = zip(embeddings, sizes, faces.sharpness, faces.det_score, strict=True)
    return [
        Reference(source, embedding, float(size), float(sharp), float(score), resampling)
        for embedding, size, sharp, score in facts
    ]


def _why_unusable(face: Reference) -> str:
    if face.face_size < _LEAST_SIZE:
        return f"the face is too small: {face.face_size:.0f} pixels, at least {_LEAST_SIZE:.0f} are needed"
    return f"the face is too blurred: sharpness {face.sharpness:.1f}, at least {_LEAST_SHARPNESS:.0f} is needed"


def _is_dominant(candidates: Sequence[Reference]) -> bool:
    return len(candidates) == 1 or (candidates[0].face_size / candidates[1].face_size) ** 2 >= _DOMINANT_AREA


def _pick_first(pick: Pick, faces: FaceChoice) -> None:
    """The only usable face, or the largest of several where that is asked for."""
    count = len(pick.candidates)
    if count > 1 and faces == "only":
        pick.leave_out(f"{count} faces, and only one is allowed: crop it, or allow more with --faces")
        return
    _take(pick, pick.candidates[0], f"{count} faces; the largest was taken" if count > 1 else "")


def _pick_one(pick: Pick, others: FloatArray | None, alike: float) -> None:
    chosen, remark = pick.candidates[0], ""
    count = len(pick.candidates)
    if count > 1 and others is not None:
        closeness = cosines(np.stack([face.embedding for face in pick.candidates]), others).mean(axis=1)
        if closeness.max() >= alike * _UNLIKE_SHARE:
            chosen = pick.candidates[int(closeness.argmax())]
            remark = f"{count} faces; the one most like the other photos of {pick.label!r} was taken"
    if count > 1 and not remark:
        if not _is_dominant(pick.candidates):
            pick.leave_out(f"{count} faces of similar size: which one is {pick.label!r}? Crop it")
            return
        remark = f"{count} faces; the largest was taken"
    _take(pick, chosen, remark)


def _take(pick: Pick, chosen: Reference, remark: str) -> None:
    pick.reference = chosen
    if remark:
        pick.remarks.append(remark)
    if chosen.face_size < _GOOD_SIZE:
        pick.remarks.append(f"a small face: {chosen.face_size:.0f} pixels, {_GOOD_SIZE:.0f} and more are good")
    if chosen.sharpness < _GOOD_SHARPNESS:
        pick.remarks.append(f"a blurred face: sharpness {chosen.sharpness:.1f}, {_GOOD_SHARPNESS:.0f} and more is good")


def _used(picks: Sequence[Pick]) -> list[Pick]:
    return [pick for pick in picks if pick.reference is not None]


def _mutual(used: Sequence[Pick]) -> FloatArray:
    """(n, n) float32 cosines."""
    embeddings = np.stack([pick.reference.embedding for pick in used if pick.reference is not None])
    return cosines(embeddings, embeddings)
