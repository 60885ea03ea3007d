"""Persons while their faces are not seen: whose body each is, and stretches of it as tracks. Pure array code.

A body is the person's whose face is on it in the nearest moment of its track. A body whose track never shows a face is
without a known owner. Where a face identifies a person, the body adds nothing, and a person is once in a frame.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.census.clusters.statistics import centrality
from fastface.types import Bodies, Faces, Size, Tracks

SEEN = -2
"""The owner of a body that tells nothing: its person's face is seen in that frame, or another body of it."""

_LEAST_SCORE = 0.6
"""Mean score of a body track without a face: below it are vases and arms."""

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BodyStretches:
    """Stretches of bodies in a video: one row for each body track and owner, by track and then by owner.

    Attributes:
        tracks: u rows.
        owner: (u,) a cluster, or NO_CLUSTER.
        of: (n,) the row of each body; SEEN for none.
    """

    tracks: Tracks
    owner: _Rows
    of: _Rows


def owners(bodies: Bodies, faces: Faces, cluster: _Rows) -> _Rows:
    """Owners of the bodies.

    Args:
        bodies: Of one video, tracks linked.
        faces: Of the same video.
        cluster: (m,) of each face; NO_CLUSTER of those too poor to tell.

    Returns:
        (n,) a cluster; NO_CLUSTER where the track never shows a face; SEEN.
    """
    told = np.where(bodies.face >= 0, cluster[bodies.face] if len(cluster) else NO_CLUSTER, NO_CLUSTER)
    owner = _nearest(bodies, told)
    owner[told != NO_CLUSTER] = SEEN
    owner[np.isin(bodies.track, _doubtful(bodies, owner))] = SEEN
    # A person is once in a frame: by the face, else by the body that is found most surely.
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
    """Those of one person's bodies that tell something: of a frame the surest, none where the face is seen.

    Args:
        bodies: Of one video, of one person.
        seen: Timestamps of the frames in which the person's face is seen.
    """
    order = np.lexsort((-bodies.person_score, bodies.pts))
    order = order[~np.isin(bodies.pts[order], seen)]
    return bodies[order[np.flatnonzero(np.diff(bodies.pts[order], prepend=np.iinfo(np.int64).min) != 0)]]


def stretches(bodies: Bodies, owner: _Rows, *, period: float, video: int, size: Size) -> BodyStretches:
    """Split the bodies into stretches of one owner.

    Args:
        bodies: Of one video.
        owner: From `owners`.
        period: Seconds that each body stands for.
        video: The video's place in a list.
        size: Of its frames as displayed.
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


def _nearest(bodies: Bodies, told: _Rows) -> _Rows:
    """(n,) the owner in the nearest moment of each body's track, the earlier one of two; NO_CLUSTER in none."""
    pts = bodies.pts - bodies.pts.min(initial=np.iinfo(np.int64).max)  # some streams count from the epoch
    order = np.lexsort((pts, bodies.track))
    plain = order[told[order] != NO_CLUSTER]
    # Track and timestamp in one sorted number each: tracks lie further apart than any two moments of one.
    place = bodies.tracks * (2 * int(pts.max(initial=0)) + 1) + pts
    after = np.searchsorted(place[plain], place, "left")
    found = np.full(len(bodies), NO_CLUSTER, np.int64)
    nearest = np.full(len(bodies), np.inf)
    for candidate in (after - 1, after):
        rows = np.flatnonzero((candidate >= 0) & (candidate < len(plain)))
        other = plain[candidate[rows]]
        away = np.abs(bodies.pts[other] - bodies.pts[rows])
        better = (bodies.track[other] == bodies.track[rows]) & (away < nearest[rows])
        found[rows[better]] = told[other[better]]
        nearest[rows[better]] = away[better]
    return found


def _doubtful(bodies: Bodies, owner: _Rows) -> _Rows:
    """The tracks without a face that may be no persons."""
    rows = np.flatnonzero(owner == NO_CLUSTER)
    count = int(bodies.track.max(initial=-1)) + 1
    sizes = np.bincount(bodies.track[rows], minlength=count)
    total = np.bincount(bodies.track[rows], bodies.person_score[rows], count)
    return np.flatnonzero((sizes > 0) & (total < _LEAST_SCORE * sizes))
