"""Store the user's corrections, and find their tracks. They refer to faces, not numbers, and so outlive every census.

`pick` and `correct` write OUT/.fastface/corrections.json; each census reads it.
"""

import base64
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from fastface.errors import FaceIndexError
from fastface.files import write_atomic
from fastface.index.anchor_record import Anchor
from fastface.index.anchors import anchored_track
from fastface.types import Faces

_SCHEMA_VERSION = 1

_Group = tuple[Anchor, ...]
_PLACE = attrgetter("video_id", "time", "box", "is_body")


@dataclass(frozen=True, slots=True)
class Corrections:
    """All corrections by the user.

    Attributes:
        same: Groups of tracks; each group is one person.
        different: Pairs of groups; the two groups are different persons.
        rejected: Groups that must not be listed.
        cuts: Tracks of two persons: (last face of the first person, first face of the second).
    """

    same: tuple[_Group, ...] = ()
    different: tuple[tuple[_Group, _Group], ...] = ()
    rejected: tuple[_Group, ...] = ()
    cuts: tuple[tuple[Anchor, Anchor], ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file; return no corrections if there is no file.

        Raises:
            FaceIndexError: The file is damaged or of another version.
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
        """Return the corrections as a JSON object."""
        return {"schema_version": _SCHEMA_VERSION, **asdict(self)}

    def save(self, path: Path) -> None:
        """Write the file, readable by its owner only.

        Raises:
            SpaceError: No space is left.
        """
        write_atomic(path, json.dumps(self.to_object(), indent=1) + "\n", private=True)

    def with_merge(self, group: Iterable[Anchor]) -> Self:
        """Add a group of tracks of one person, and remove corrections that separate two of its tracks."""
        members = frozenset(group)
        different = tuple(pair for pair in self.different if members.isdisjoint(pair[0]) or members.isdisjoint(pair[1]))
        return replace(self, same=(*self.same, tuple(sorted(members, key=_PLACE))), different=different)

    def with_split(self, one: Sequence[Anchor], other: Sequence[Anchor]) -> Self:
        """Add two groups of two different persons, and remove corrections that join them."""
        parts = frozenset(one), frozenset(other)
        same = tuple(
            rest for group in self.same for part in parts if len(rest := tuple(a for a in group if a in part)) > 1
        ) + tuple(group for group in self.same if any(part.isdisjoint(group) for part in parts))
        return replace(self, same=same, different=(*self.different, (tuple(one), tuple(other))))

    def with_cut(self, before: Anchor, after: Anchor) -> Self:
        """Add a cut through a track of two persons.

        Args:
            before: Last face of the first person.
            after: First face of the second person.
        """
        return replace(self.with_split((before,), (after,)), cuts=(*self.cuts, (before, after)))

    def without_links(self, faces: Iterable[Anchor]) -> Self:
        """Remove corrections that join these faces to others."""
        gone = frozenset(faces)
        rest = (tuple(face for face in group if face not in gone) for group in self.same)
        return replace(self, same=tuple(group for group in rest if len(group) > 1))

    def with_rejection(self, group: Iterable[Anchor]) -> Self:
        """Add a group that must not be listed."""
        return replace(self, rejected=(*self.rejected, tuple(group)))

    def without_videos(self, videos: Collection[str]) -> Self:
        """Remove all faces and bodies of some videos, and the corrections that then say nothing."""

        def group(faces: _Group) -> _Group:
            return tuple(face for face in faces if face.video_id not in videos)

        different = ((group(one), group(other)) for one, other in self.different)
        return replace(
            self,
            same=tuple(rest for faces in self.same if len(rest := group(faces)) > 1),
            different=tuple((one, other) for one, other in different if one and other),
            rejected=tuple(rest for faces in self.rejected if (rest := group(faces))),
            cuts=tuple(cut for cut in self.cuts if len(group(cut)) == len(cut)),
        )

    def with_anchors(self, now: Mapping[Anchor, Anchor]) -> Self:
        """Replace each anchor by the current anchor of its track, if that is known."""

        def group(faces: _Group) -> _Group:
            return tuple(dict.fromkeys(now.get(face, face) for face in faces))

        return replace(
            self,
            same=tuple(map(group, self.same)),
            different=tuple((group(one), group(other)) for one, other in self.different),
            rejected=tuple(map(group, self.rejected)),
        )  # cuts are positions in time and stay unchanged

    @property
    def anchors(self) -> Iterator[Anchor]:
        """Yield every face and body of the corrections; some more than once."""
        for group in (*self.same, *self.rejected, *(group for pair in self.different for group in pair), *self.cuts):
            yield from group

    def by_video(self, *, are_bodies: bool) -> dict[str, list[Anchor]]:
        """Return {video: its faces, or its bodies, in the corrections}, each once."""
        found: dict[str, list[Anchor]] = {}
        for anchor in dict.fromkeys(self.anchors):
            if anchor.is_body == are_bodies:
                found.setdefault(anchor.video_id, []).append(anchor)
        return found


def cut_tracks(faces: Faces, cuts: Iterable[tuple[Anchor, Anchor]], *, contract: str, is_film: bool) -> Faces:
    """Return the faces of a video, after cutting the tracks that the user split between two persons.

    Args:
        faces: All faces of the video.
        cuts: Cuts in this video.
        contract: Contract of the recogniser of the faces.
        is_film: True if the frames of the video are consecutive.
    """
    for before, after in cuts:
        one, other = (anchored_track(faces, face, contract=contract, is_film=is_film) for face in (before, after))
        if one is None or one != other:
            continue  # the track does not exist any more, or is cut already
        track = faces.track.copy()
        track[(faces.track == one) & (faces.time > (before.time + after.time) / 2)] = faces.track.max() + 1
        faces = replace(faces, track=track)
    return faces


def rejoin_tracks(faces: Faces, cuts: Iterable[tuple[Anchor, Anchor]], *, contract: str, is_film: bool) -> Faces:
    """Undo `cut_tracks`: return the faces of a video with those tracks rejoined. The arguments are the same."""
    for before, after in cuts:
        one, other = (anchored_track(faces, face, contract=contract, is_film=is_film) for face in (before, after))
        if one is None or other is None or one == other:
            continue
        track = faces.track.copy()
        track[faces.track == other] = one
        faces = replace(faces, track=track)
    return faces


def _group(found: Iterable[dict[str, object]]) -> _Group:
    return tuple(_anchor(**one) for one in found)  # type: ignore[arg-type]


def _anchor(video_id: str, time: float, box: Sequence[float], *, is_body: bool = False, look: str = "") -> Anchor:
    x1, y1, x2, y2 = map(float, box)
    base64.b64decode(look.partition(":")[2], validate=True)
    return Anchor(str(video_id), float(time), (x1, y1, x2, y2), bool(is_body), str(look))
