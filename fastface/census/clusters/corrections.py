"""Corrections by the user. They outlive every census: they refer to faces, not to numbers.

OUT/.fastface/corrections.json, written by `fastface pick`.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fastface.errors import FaceIndexError
from fastface.files import write_atomic
from fastface.types import Bodies, Faces

_SCHEMA_VERSION = 1

_SAME_FACE_IOU = 0.5

CLOTHES = "clothes"
"""Stands for a recogniser where colours say what a body is like."""

_ALIKE = {Faces: 0.5, Bodies: 0.88}
"""Least cosine of a face or a body in a film and the one that an anchor stands for, which may be another sample."""

_SAME_PICTURE = {Faces: 0.95, Bodies: 0.99}
"""Of a face or a body in a picture and itself, scanned again."""

_CONTRACT_LENGTH = 12

_REACH_SECONDS = 0.5
"""A face that was seen at 5 frames a second may be seen a little later at another rate."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A face, or a body, that stands for its track: where it is in the pictures, whatever number the track has.

    Attributes:
        video_id: The video.
        time: Seconds from the first frame.
        box: x1, y1, x2, y2 in pixels of the frame as displayed.
        is_body: Whether it is that of a body, whose face is never seen.
        look: What the face or the body is like, from `encode_look`: the name and the time of a video may be those of
            another by now. Empty where that is not known.
    """

    video_id: str
    time: float
    box: tuple[float, float, float, float]
    is_body: bool = False
    look: str = ""


_Group = tuple[Anchor, ...]


@dataclass(frozen=True, slots=True)
class Corrections:
    """All that was said.

    Attributes:
        same: Groups of tracks that are one person's.
        different: Pairs of groups that are two persons'.
        rejected: Groups that must not be listed.
        cuts: Tracks that are two persons': (the last face of the one, the first face of the other).
    """

    same: tuple[_Group, ...] = ()
    different: tuple[tuple[_Group, _Group], ...] = ()
    rejected: tuple[_Group, ...] = ()
    cuts: tuple[tuple[Anchor, Anchor], ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the file; nothing was said if there is none.

        Raises:
            FaceIndexError: It is damaged, or of another version.
        """
        try:
            return cls.from_object(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FaceIndexError(f"cannot read {str(path)!r}: {error}; repair it or remove it") from error

    @classmethod
    def from_object(cls, found: Any) -> Self:
        """Parse the result of `to_object`; ValueError, KeyError or TypeError if it is damaged or of another version."""
        if (version := found["schema_version"]) != _SCHEMA_VERSION:
            raise ValueError(f"it is of version {version}, this fastface writes {_SCHEMA_VERSION}")
        return cls(
            same=tuple(map(_group, found["same"])),
            different=tuple((_group(one), _group(other)) for one, other in found["different"]),
            rejected=tuple(map(_group, found["rejected"])),
            cuts=tuple((_anchor(**one), _anchor(**other)) for one, other in found.get("cuts", ())),
        )

    def to_object(self) -> dict[str, object]:
        """As JSON has it."""
        return {"schema_version": _SCHEMA_VERSION, **asdict(self)}

    def save(self, path: Path) -> None:
        """Writes the file, for its owner alone.

        Raises:
            SpaceError: No space is left.
        """
        write_atomic(path, json.dumps(self.to_object(), indent=1) + "\n", private=True)

    def with_merge(self, group: Iterable[Anchor]) -> Self:
        """With a group of tracks that are one person's; that two of its tracks are different is taken back."""
        members = frozenset(group)
        different = tuple(pair for pair in self.different if members.isdisjoint(pair[0]) or members.isdisjoint(pair[1]))
        return replace(self, same=(*self.same, tuple(sorted(members, key=_place))), different=different)

    def with_split(self, one: Sequence[Anchor], other: Sequence[Anchor]) -> Self:
        """With two groups that are two persons'; that they are one person's is taken back."""
        parts = frozenset(one), frozenset(other)
        same = tuple(
            rest for group in self.same for part in parts if len(rest := tuple(a for a in group if a in part)) > 1
        ) + tuple(group for group in self.same if any(part.isdisjoint(group) for part in parts))
        return replace(self, same=same, different=(*self.different, (tuple(one), tuple(other))))

    def with_cut(self, before: Anchor, after: Anchor) -> Self:
        """With a track that is two persons'.

        Args:
            before: Its last face of the one.
            after: Its first face of the other.
        """
        return replace(self.with_split((before,), (after,)), cuts=(*self.cuts, (before, after)))

    def without_links(self, faces: Iterable[Anchor]) -> Self:
        """Without what was said of these being one person's with others."""
        gone = frozenset(faces)
        rest = (tuple(face for face in group if face not in gone) for group in self.same)
        return replace(self, same=tuple(group for group in rest if len(group) > 1))

    def with_rejection(self, group: Iterable[Anchor]) -> Self:
        """With a group that is not to be listed."""
        return replace(self, rejected=(*self.rejected, tuple(group)))

    def with_anchors(self, now: Mapping[Anchor, Anchor]) -> Self:
        """The same, each face named by the one that stands for its track now, where that is known."""

        def group(faces: _Group) -> _Group:
            return tuple(dict.fromkeys(now.get(face, face) for face in faces))

        return replace(
            self,
            same=tuple(map(group, self.same)),
            different=tuple((group(one), group(other)) for one, other in self.different),
            rejected=tuple(map(group, self.rejected)),
        )  # cuts are places in time, and stay

    @property
    def anchors(self) -> Iterator[Anchor]:
        """Every face and body that is spoken of, some more than once."""
        for group in (*self.same, *self.rejected, *(group for pair in self.different for group in pair), *self.cuts):
            yield from group

    def by_video(self, *, are_bodies: bool) -> dict[str, list[Anchor]]:
        """{video: the faces, or the bodies, that are spoken of in it}, each once."""
        found: dict[str, list[Anchor]] = {}
        for anchor in dict.fromkeys(self.anchors):
            if anchor.is_body == are_bodies:
                found.setdefault(anchor.video_id, []).append(anchor)
        return found


def encode_look(vector: npt.NDArray[np.float16], contract: str = CLOTHES) -> str:
    """Encode the appearance of a face or a body as text.

    Args:
        vector: (D,), the face's embedding or the body's colours.
        contract: Of the recogniser, for a face.
    """
    components = vector.astype("<f2").tobytes()
    return f"{contract[:_CONTRACT_LENGTH]}:{base64.b64encode(components).decode('ascii')}"


def anchored_track(found: Faces | Bodies, anchor: Anchor, *, contract: str = "", is_film: bool = True) -> int | None:
    """The number of the track that an anchor stands for in a video; None if it is there no more.

    In a film it is where the anchor is, and like it. Pictures of a folder move when others come between them: there it
    is whatever is like the anchor.

    Args:
        found: The video's faces, or bodies for an anchor that is one.
        anchor: The anchor.
        contract: Of the recogniser of the faces; what an anchor of another is like is not known.
        is_film: Whether the frames of the video follow each other.
    """
    cosine = _cosines(found, anchor, contract)
    if cosine is not None and not is_film:
        best = int(np.argmax(cosine)) if len(cosine) else 0
        return int(found.tracks[best]) if len(cosine) and cosine[best] >= _SAME_PICTURE[type(found)] else None
    near = np.abs(found.time - anchor.time) <= (_REACH_SECONDS if is_film else 0)
    rows = np.flatnonzero(near if cosine is None else near & (cosine >= _ALIKE[type(found)]))
    if not len(rows):
        return None
    boxes, box = found.boxes[rows].astype(np.float64), np.array(anchor.box)
    common = (np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])).clip(0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    iou = common / np.maximum(areas - common, np.finfo(np.float64).tiny)
    away = np.abs(found.time[rows] - anchor.time)
    best = np.lexsort((-iou, away.round(3), iou < _SAME_FACE_IOU))[0]
    return int(found.tracks[rows[best]]) if iou[best] >= _SAME_FACE_IOU else None


def cut_tracks(faces: Faces, cuts: Iterable[tuple[Anchor, Anchor]], *, contract: str, is_film: bool) -> Faces:
    """The faces of a video with those tracks taken apart that the user said are two persons'.

    Args:
        faces: All faces of the video.
        cuts: Those of this video.
        contract: Of the recogniser of the faces.
        is_film: Whether the frames of the video follow each other.
    """
    for before, after in cuts:
        one, other = (anchored_track(faces, face, contract=contract, is_film=is_film) for face in (before, after))
        if one is None or one != other:
            continue  # it is no track any more, or was taken apart before
        track = faces.track.copy()
        track[(faces.track == one) & (faces.time > (before.time + after.time) / 2)] = faces.track.max() + 1
        faces = replace(faces, track=track)
    return faces


def rejoin_tracks(faces: Faces, cuts: Iterable[tuple[Anchor, Anchor]], *, contract: str, is_film: bool) -> Faces:
    """The faces of a video with those tracks in one piece again that `cut_tracks` took apart. Arguments as there."""
    for before, after in cuts:
        one, other = (anchored_track(faces, face, contract=contract, is_film=is_film) for face in (before, after))
        if one is None or other is None or one == other:
            continue
        track = faces.track.copy()
        track[faces.track == other] = one
        faces = replace(faces, track=track)
    return faces


def _cosines(found: Faces | Bodies, anchor: Anchor, contract: str) -> npt.NDArray[np.float32] | None:
    """(n,) how like the anchor each face or body is; None where that is not known."""
    recogniser, _, components = anchor.look.partition(":")
    vectors, kind = (found.colours, CLOTHES) if isinstance(found, Bodies) else (found.embedding, contract)
    look = np.frombuffer(base64.b64decode(components), "<f2").astype(np.float32)
    if not kind or recogniser != kind[:_CONTRACT_LENGTH] or len(look) != vectors.shape[1]:
        return None
    cosine: npt.NDArray[np.float32] = vectors.astype(np.float32) @ look
    return cosine


def _group(found: Iterable[dict[str, object]]) -> _Group:
    return tuple(_anchor(**one) for one in found)  # type: ignore[arg-type]


def _anchor(video_id: str, time: float, box: Sequence[float], *, is_body: bool = False, look: str = "") -> Anchor:
    x1, y1, x2, y2 = map(float, box)
    base64.b64decode(look.partition(":")[2], validate=True)
    return Anchor(str(video_id), float(time), (x1, y1, x2, y2), bool(is_body), str(look))


def _place(anchor: Anchor) -> tuple[str, float, tuple[float, ...], bool]:
    return anchor.video_id, anchor.time, anchor.box, anchor.is_body
