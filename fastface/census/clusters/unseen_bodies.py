"""Assign bodies without a visible face to persons, and split them into tracks. Pure array code for `body_only`.

A body belongs to the person whose face is on it at the nearest moment of its track. A body whose track never shows a
face has no known owner. A body adds nothing while a face identifies its person, and a person is once in a frame.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.clusters.statistics import centrality
from fastface.types import Bodies, Faces, Size, Tracks

SEEN = -2
"""Owner of a redundant body: its person's face, or another body of the person, is in that frame."""

_LEAST_SCORE = 0.6
"""Minimum mean score of a body track without a face: vases and arms score less."""

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BodyStretches:
    """Stretches of bodies in a video: one row for each body track and owner, by track and then by owner.

    Attributes:
        tracks: Stretches, u rows.
        owner: (u,) cluster, or NO_CLUSTER.
        of: (n,) row of each body; SEEN for none.
    """

    tracks: Tracks
    owner: _Rows
    of: _Rows


def owners(bodies: Bodies, faces: Faces, cluster: _Rows) -> _Rows:
    """Find the owner of each body.

    Args:
        bodies: Bodies of one video, tracks linked.
        faces: Faces of the same video.
        cluster: (m,) cluster of each face; NO_CLUSTER if the face is too poor to identify a person.

    Returns:
        (n,) a cluster; NO_CLUSTER if the track never shows a face; SEEN if the body adds nothing.
    """
    assigned = np.where(bodies.face >= 0, cluster[bodies.face] if len(cluster) else NO_CLUSTER, NO_CLUSTER)
    owner = _nearest(bodies, assigned)
    owner[assigned != NO_CLUSTER] = SEEN
    owner[np.isin(bodies.track, _doubtful(bodies, owner))] = SEEN
    # A person is once in a frame: the face counts, else the body with the highest score.
    known = cluster != NO_CLUSTER
    seen = np.stack([faces.pts[known], cluster[known]], axis=1)
    rows = np.flatnonzero(owner >= 0)
    rows = rows[np.argsort(-bodies.person_score[rows], kind="stable")]
    named = np.concatenate([seen, np.stack([bodies.pts[rows], owner[rows]], axis=1)])
    _, first = np.unique(named, axis=0, return_index=True)
    again = np.ones(len(named), np.bool_)
    again[first] = False
    owner[rows[again[len(seen) :]]] = SEEN
    return owner


def once_a_frame(bodies: Bodies, seen: npt.NDArray[np.int64]) -> Bodies:
    """Return the bodies of one person that add information: the best one of each frame without the visible face.

    Args:
        bodies: Bodies of one person in one video.
        seen: Timestamps of the frames in which the person's face is visible.
    """
    order = np.lexsort((-bodies.person_score, bodies.pts))
    order = order[~np.isin(bodies.pts[order], seen)]
    return bodies[order[np.flatnonzero(np.diff(bodies.pts[order], prepend=np.iinfo(np.int64).min) != 0)]]


def stretches(bodies: Bodies, owner: _Rows, *, period: float, video: int, size: Size) -> BodyStretches:
    """Split the bodies of a video into stretches of one owner.

    Args:
        bodies: Bodies of one video.
        owner: (n,) owners from `owners`.
        period: Seconds that each body stands for.
        video: Index of the video in a list.
        size: (width, height) of its frames as displayed.
    """
    of = np.full(len(bodies), SEEN, np.int64)
    rows = np.flatnonzero(owner != SEEN)
    rows = rows[np.lexsort((bodies.time[rows], owner[rows], bodies.track[rows]))]
    if not len(rows):
        return BodyStretches(Tracks.empty(0), np.empty(0, np.int64), of)
    keys = np.stack([bodies.track[rows], owner[rows]], axis=1)
    firsts = np.flatnonzero((np.diff(keys, axis=0, prepend=NO_CLUSTER - 1) != 0).any(axis=1))
    sizes = np.diff(np.append(firsts, len(rows)))
    of[rows] = np.repeat(np.arange(len(firsts)), sizes)
    middle = centrality(bodies.boxes[rows], size)
    score = np.maximum.reduceat(bodies.person_score[rows], firsts)
    best = [int(part[np.argmax(bodies.person_score[part])]) for part in np.split(rows, firsts[1:])]
    tracks = Tracks(
        video=np.full(len(firsts), video, np.int32),
        number=bodies.tracks[rows[firsts]],
        start=np.minimum.reduceat(bodies.time[rows], firsts),
        end=np.maximum.reduceat(bodies.time[rows], firsts),
        seconds=sizes * np.float64(period),
        faces=np.zeros(len(firsts), np.int64),
        best=np.array(best, np.int64),
        quality=np.zeros(len(firsts), np.float32),
        det_score=score,
        plain=np.zeros(len(firsts), np.float32),
        centrality=(np.add.reduceat(middle, firsts) / sizes).astype(np.float32),
        embedding=np.empty((len(firsts), 0), np.float16),
    )
    return BodyStretches(tracks, owner[rows[firsts]], of)


def _nearest(bodies: Bodies, assigned: _Rows) -> _Rows:
    """Return (n,) the owner at the nearest moment of each body's track, the earlier at a tie; NO_CLUSTER for none."""
    pts = bodies.pts - bodies.pts.min(initial=np.iinfo(np.int64).max)  # some streams count from the epoch
    order = np.lexsort((pts, bodies.track))
    plain = order[assigned[order] != NO_CLUSTER]
    # Combine track and timestamp in one sorted number: the distance between tracks exceeds any duration within a track.
    place = bodies.tracks * (2 * int(pts.max(initial=0)) + 1) + pts
    after = np.searchsorted(place[plain], place, "left")
    found = np.full(len(bodies), NO_CLUSTER, np.int64)
    nearest = np.full(len(bodies), np.inf)
    for candidate in (after - 1, after):
        rows = np.flatnonzero((candidate >= 0) & (candidate < len(plain)))
        other = plain[candidate[rows]]
        away = np.abs(bodies.pts[other] - bodies.pts[rows])
        better = (bodies.track[other] == bodies.track[rows]) & (away < nearest[rows])
        found[rows[better]] = assigned[other[better]]
        nearest[rows[better]] = away[better]
    return found


def _doubtful(bodies: Bodies, owner: _Rows) -> _Rows:
    """Return the tracks without a face that may not be persons."""
    rows = np.flatnonzero(owner == NO_CLUSTER)
    count = int(bodies.track.max(initial=-1)) + 1
    sizes = np.bincount(bodies.track[rows], minlength=count)
    total = np.bincount(bodies.track[rows], bodies.person_score[rows], count)
    return np.flatnonzero((sizes > 0) & (total < _LEAST_SCORE * sizes))
