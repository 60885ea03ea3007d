"""Find the stretches in which only a person's body is visible, and the person of each stretch.

`census` calls `take_unseen` once for the whole index, then `read_bodies` for each video. Videos without a search for
bodies have none. Rows of body tracks are numbered on from the rows of the `TrackTable`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.person_summaries import NO_CLUSTER, Meetings
from fastface.census.clusters.statistics import frame_mates
from fastface.census.clusters.unseen_bodies import SEEN, BodyStretches, owners, stretches
from fastface.census.track_table import TrackTable
from fastface.index.anchor_record import Anchor
from fastface.index.anchors import anchored_track
from fastface.index.store import VideoIndex
from fastface.names import pluralize
from fastface.runtime.context import RunContext
from fastface.types import Bodies, Faces, Tracks

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BodyOnlyStretches:
    """All stretches of an index in which only a person's body is visible.

    Attributes:
        tracks: Body tracks, one row each, by video, then number.
        owner: (u,) person of each track: a cluster of face tracks, or a person without a face, numbered after these.
        is_faceless: (u,) true if no face on its body track identifies the owner.
        meetings: Pairs of tracks in the same frames, of bodies and of faces; rows count on from the `TrackTable`'s.
        anchored: {body of the corrections: its row}.
        cluster: (t,) cluster of each track of the `TrackTable` when bodies were assigned.
    """

    tracks: Tracks
    owner: _Rows
    is_faceless: npt.NDArray[np.bool_]
    meetings: Meetings
    anchored: dict[Anchor, int]
    cluster: _Rows


def take_unseen(context: RunContext, table: TrackTable, cluster: _Rows, corrections: Corrections) -> BodyOnlyStretches:
    """Read all bodies of the index, one video at a time.

    Args:
        context: Run context.
        table: All face tracks.
        cluster: (t,) cluster of each track; NO_CLUSTER if its faces are too poor.
        corrections: Corrections of bodies.

    Raises:
        FaceIndexError: The index is damaged.
        InterruptError: The user stopped the command.
    """
    anchors = corrections.by_video(are_bodies=True)
    parts, owner = [Tracks.empty(0)], [np.empty(0, np.int64)]
    pairs, seconds = [np.empty((0, 2), np.int64)], [np.empty(0)]
    anchored, count, num_read = dict[Anchor, int](), 0, 0
    for video, (record, facts) in enumerate(zip(table.records, table.facts, strict=True)):
        context.interruption.check()
        mentioned = anchors.get(facts.video_id, ())
        read = _read_bodies(context, table, cluster, video, lean=not mentioned)
        if read is None:
            continue
        num_read += 1
        found = read.stretches
        mates, frames = _mates(read, table.tracks.video_rows(video).start, len(table.tracks) + count)
        pairs.append(mates)
        seconds.append(frames * np.float64(facts.period))
        for anchor in mentioned:
            number = anchored_track(read.bodies, anchor, is_film=record.info is None or record.info.is_film)
            rows = np.flatnonzero((found.tracks.number == number) & (found.owner == NO_CLUSTER))
            anchored.update((anchor, count + row) for row in rows.tolist())
        parts.append(found.tracks)
        owner.append(found.owner)
        count += len(found.tracks)
    if 0 < num_read < len(table.facts):
        context.observer.note(
            f"persons were followed in {num_read} of {pluralize(len(table.facts), 'video')}; "
            "in the others they count only while the face is seen"
        )
    tracks = Tracks.concatenate(parts)
    meetings = Meetings(np.concatenate(pairs), np.concatenate(seconds))
    first = int(cluster.max(initial=NO_CLUSTER)) + 1
    seen = {anchor: int(cluster[row]) for anchor, row in table.anchored.items()}
    assigned = np.concatenate(owner)
    joined = _join_owners(_name_owners(assigned, first), first, anchored, seen, corrections)
    return BodyOnlyStretches(tracks, joined, assigned == NO_CLUSTER, meetings, anchored, cluster)


def read_bodies(
    context: RunContext, table: TrackTable, unseen: BodyOnlyStretches, video: int, *, lean: bool = True
) -> tuple[Bodies, _Rows] | None:
    """Read the bodies of a video and (n,) the row of each in `unseen`; SEEN if the body adds nothing.

    Returns None if the scan did not search the video for bodies. `lean` is passed to `VideoIndex.bodies`.

    Raises:
        FaceIndexError: The index is damaged.
    """
    read = _read_bodies(context, table, unseen.cluster, video, lean=lean)
    if read is None:
        return None
    of = read.stretches.of
    return read.bodies, np.where(of == SEEN, SEEN, of + unseen.tracks.video_rows(video).start)


@dataclass(frozen=True, slots=True)
class _VideoBodies:
    """Bodies and faces of a video, and the stretches in which only a body is visible."""

    bodies: Bodies
    faces: Faces
    stretches: BodyStretches


def _read_bodies(
    context: RunContext, table: TrackTable, cluster: _Rows, video: int, *, lean: bool
) -> _VideoBodies | None:
    """Read the bodies and faces of a video; None if the scan did not search it for bodies."""
    record, facts, own = table.records[video], table.facts[video], table.tracks.video_rows(video)
    index = VideoIndex(context.out.index, record.video_id)
    bodies = index.bodies(lean=lean)
    if bodies is None:
        return None
    assert record.info is not None
    faces = index.faces()
    of_faces = cluster[own][np.searchsorted(table.tracks.number[own], faces.tracks)]
    found = stretches(
        bodies,
        owners(bodies, faces, of_faces),
        period=facts.period,
        video=video,
        size=record.info.size,
    )
    return _VideoBodies(bodies, faces, found)


def _mates(read: _VideoBodies, first_face: int, first_body: int) -> tuple[_Rows, _Rows]:
    """Return (k, 2) pairs of tracks in the same frames, at least one of them of bodies; (k,) their number of frames."""
    unseen = np.flatnonzero(read.stretches.of != SEEN)
    _, face_row = np.unique(read.faces.tracks, return_inverse=True)
    rows = np.concatenate([first_face + face_row.ravel(), first_body + read.stretches.of[unseen]])
    pairs, frames = frame_mates(np.concatenate([read.faces.pts, read.bodies.pts[unseen]]), rows)
    kept = pairs[:, 1] >= first_body
    return pairs[kept], frames[kept]


def _name_owners(owner: _Rows, first: int) -> _Rows:
    """Number each body track without a known owner from `first` on. Return (u,) the owners."""
    rows = np.flatnonzero(owner == NO_CLUSTER)
    named = owner.copy()
    named[rows] = first + np.arange(len(rows))
    return named


def _join_owners(
    owner: _Rows, first: int, unseen: dict[Anchor, int], seen: dict[Anchor, int], corrections: Corrections
) -> _Rows:
    """Merge the owners of bodies that the user joined. Return (u,) the owners.

    Args:
        owner: (u,) owners from `_name_owners`.
        first: Smallest number of an owner without a face.
        unseen: {body of a correction: its row}.
        seen: {face of a correction: its cluster}.
        corrections: Corrections by the user.
    """
    joined = owner.copy()
    for group in corrections.same:
        rows = [unseen[anchor] for anchor in group if anchor in unseen]
        known = {seen[anchor] for anchor in group if anchor in seen} - {NO_CLUSTER}
        if rows:
            together = {*known, *joined[rows].tolist()}
            # A cluster of faces has a smaller number than a person without a face, so its number remains.
            joined[(owner >= first) & np.isin(joined, list(together))] = min(together)
    return joined
