"""Screen time that counts a frame once, even if the user merged several persons that are in it."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.census.body_only import BodyOnlyStretches, read_bodies
from fastface.census.clusters.person_summaries import NO_CLUSTER, Meetings
from fastface.census.clusters.unseen_bodies import SEEN
from fastface.census.track_table import TrackTable
from fastface.index.store import VideoIndex
from fastface.runtime.context import RunContext
from fastface.types import Tracks

__all__ = ["counted_once"]

_Rows = npt.NDArray[np.int64]


def counted_once(
    context: RunContext, table: TrackTable, unseen: BodyOnlyStretches, label: _Rows, meetings: Meetings
) -> Tracks:
    """All tracks of faces, then those of bodies, each with the seconds of the frames that no track before it has.

    They have no embeddings, which would take most of the memory a second time.

    Only tracks of one person that are on screen together are read again, and as a rule there are none.

    Args:
        context: The command's.
        table: The tracks of faces.
        unseen: Those of bodies.
        label: Whose each is.
        meetings: Of all of them.

    Raises:
        FaceIndexError: The index is damaged.
    """
    tracks = Tracks.concatenate([table.tracks.without_embeddings(), unseen.tracks])
    both = label[meetings.pairs]
    rows = np.unique(meetings.pairs[(both[:, 0] == both[:, 1]) & (both[:, 0] != NO_CLUSTER)])
    seconds = tracks.seconds.copy()
    for video in np.unique(tracks.video[rows]).tolist():
        frame, row = _frames(context, table, unseen, video)
        mine = np.isin(row, rows)
        frame, row = frame[mine], row[mine]
        keys = np.stack([label[row], frame], axis=1)
        order = np.lexsort((row, keys[:, 1], keys[:, 0]))
        is_first = (np.diff(keys[order], axis=0, prepend=NO_CLUSTER - 1) != 0).any(axis=1)
        own = rows[tracks.video[rows] == video]
        frames = np.bincount(row[order[is_first]], minlength=len(tracks))
        seconds[own] = frames[own] * np.float64(table.facts[video].period)
    return replace(tracks, seconds=seconds)


def _frames(context: RunContext, table: TrackTable, unseen: BodyOnlyStretches, video: int) -> tuple[_Rows, _Rows]:
    """The timestamp of each face and each telling body of a video, and its row among all tracks."""
    faces = VideoIndex(context.out.index, table.records[video].video_id).faces()
    own = table.tracks.rows_of(video)
    frames = [faces.pts]
    rows = [own.start + np.searchsorted(table.tracks.number[own], faces.tracks)]
    if (read := read_bodies(context, table, unseen, video)) is not None:
        bodies, row = read
        frames.append(bodies.pts[row != SEEN])
        rows.append(len(table.tracks) + row[row != SEEN])
    return np.concatenate(frames), np.concatenate(rows)
