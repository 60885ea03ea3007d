"""Collect labelled comparisons: evidence of photos and tracks for their own person and for other persons.

`calibrate` calls it. Evidence is defined in `gallery.track_voting`. A photo counts as a track of one face. It is
compared with the person's other photos, and with all photos of every other person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.track_voting import EvidenceModel
from fastface.types import FaceTracks, FloatArray


@dataclass(frozen=True, slots=True)
class Trials:
    """Comparisons of one kind."""

    evidence: FloatArray  # (n,) on the scale of a cosine
    face: npt.NDArray[np.int64]  # (n,) number of the photo or track: comparisons of one face are not independent
    extreme: str = ""  # the most surprising comparison: the closest strangers, or the least similar mates

    def __len__(self) -> int:
        return len(self.evidence)


@dataclass(frozen=True, slots=True)
class PhotoTrials:
    """Comparisons of photos."""

    mates: Trials  # a photo and its person's other photos; none for persons with one photo
    lead: FloatArray  # (n,) lead of each mate over the next person
    strangers: Trials  # a photo and each other person


@dataclass(frozen=True, slots=True)
class TrackTrials:
    """Comparisons of an archive's tracks."""

    found: Trials  # a track and the person that it was matched with; decided, not known
    strangers: Trials  # a track and each person that it does not show


def photo_trials(references: ReferenceSet, model: EvidenceModel) -> PhotoTrials:
    """Compare the photos of several targets with each other.

    Args:
        references: References of at least one target.
        model: Model that weighs tracks against them.
    """
    targets = references.gallery.targets
    sources = [source for target in targets for source in target.sources[: len(target.photo_embeddings)]]
    person = np.repeat(np.arange(len(targets)), [len(target.photo_embeddings) for target in targets])
    embeddings = np.concatenate([target.photo_embeddings for target in targets]).astype(np.float16)
    evidence = model.by_photos(embeddings)[:, : len(targets)]
    own = np.concatenate([_pad(model.by_other_photos(number)) for number in range(len(targets))])
    has_mate = np.isfinite(own)
    is_other = np.arange(len(targets)) != person[:, None]
    others = np.where(is_other, evidence, -1).max(axis=1, initial=-1)
    face, other = np.nonzero(is_other)
    strangers = evidence[face, other]
    closest = furthest = ""
    if len(strangers):
        row = int(strangers.argmax())
        closest = f"{sources[face[row]]} and {targets[other[row]].label}"
    if has_mate.any():
        furthest = sources[int(np.where(has_mate, own, np.inf).argmin())]
    mates = Trials(own[has_mate].astype(np.float32), np.flatnonzero(has_mate), furthest)
    return PhotoTrials(mates, (own - others)[has_mate].astype(np.float32), Trials(strangers, face, closest))


def _pad(evidence: FloatArray) -> npt.NDArray[np.float64]:
    """Return the evidence of a person's photos; NaN for a single photo, which has no other photo."""
    return evidence.astype(np.float64) if len(evidence) else np.full(1, np.nan)


def track_trials(
    name: str,
    tracks: FaceTracks,
    evidence: npt.NDArray[np.float32],
    owner: npt.NDArray[np.int32],
    labels: Sequence[str],
) -> TrackTrials:
    """Compare the tracks of one video with the targets.

    A track shows another person than all targets except its most similar one, which may be its own. It also shows
    another person than a person who is on screen at the same time in another track.

    Args:
        name: Name of the video.
        tracks: Its tracks.
        evidence: (t, persons) evidence by photos, targets first.
        owner: (t,) number of each track's target; -1 for none.
        labels: Labels of the targets.
    """
    number = np.arange(len(tracks))
    is_other = np.ones((len(tracks), len(labels)), np.bool_)
    if len(tracks):
        nearest = evidence.argmax(axis=1)
        is_target = nearest < len(labels)
        is_other[number[is_target], nearest[is_target]] = False
        for row in np.flatnonzero(owner >= 0).tolist():
            together = (tracks.start <= tracks.end[row]) & (tracks.end >= tracks.start[row]) & (owner != owner[row])
            is_other[together, owner[row]] = True
    rows, persons = np.nonzero(is_other)
    strangers, closest = evidence[rows, persons], ""
    if len(rows):
        best = int(strangers.argmax())
        closest = f"{name}: {labels[persons[best]]} and a face from {tracks.start[rows[best]]:.3f} s on"
    given = np.flatnonzero(owner >= 0)
    found, furthest = evidence[given, owner[given]], ""
    if len(given):
        furthest = f"{name}: a face from {tracks.start[given[int(found.argmin())]]:.3f} s on"
    return TrackTrials(Trials(found, given, furthest), Trials(strangers, rows, closest))


def join_trials(parts: Sequence[Trials], *, largest: bool) -> Trials:
    """Join the comparisons of several videos; keep the extreme one with the largest, or smallest, evidence."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return Trials(np.empty(0, np.float32), np.empty(0, np.int64))
    extremes = [float(part.evidence.max() if largest else -part.evidence.min()) for part in filled]
    shifts = np.cumsum([0, *(int(part.face.max()) + 1 for part in filled[:-1])])
    return Trials(
        np.concatenate([part.evidence for part in filled]),
        np.concatenate([part.face + shift for part, shift in zip(filled, shifts.tolist(), strict=True)]),
        filled[int(np.argmax(extremes))].extreme,
    )
