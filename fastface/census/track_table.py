"""Read all face tracks of an index into one `TrackTable`, the input of a census.

`census` calls `take_roll`. Videos that were embedded by another recogniser are skipped with a note. Other modules of
the census refer to tracks by their row in this table.
"""

import shlex
from dataclasses import dataclass

import numpy as np

from fastface.census.clusters.corrections import Corrections, cut_tracks
from fastface.census.clusters.person_summaries import Meetings, VideoFacts
from fastface.census.clusters.statistics import frame_mates, summarize_video
from fastface.index.anchor_record import Anchor
from fastface.index.anchors import anchored_track
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import pluralize
from fastface.runtime.context import RunContext
from fastface.runtime.index_settings import read_sampling
from fastface.types import Faces, Tracks, VideoInfo
from fastface.video.clock import UNKNOWN_RATE


@dataclass(frozen=True, slots=True)
class TrackTable:
    """All tracks of an index, one row a track.

    Attributes:
        records: The videos.
        facts: Properties of each video.
        tracks: One row a track, by video, then number.
        meetings: Pairs of tracks that are on screen together.
        anchored: {face of the corrections: row of its track}.
        by_keyframes: True if some videos were scanned by keyframes only.
    """

    records: tuple[VideoRecord, ...]
    facts: tuple[VideoFacts, ...]
    tracks: Tracks
    meetings: Meetings
    anchored: dict[Anchor, int]
    by_keyframes: bool


def take_roll(context: RunContext, corrections: Corrections) -> TrackTable:
    """Read all tracks of the index, one video at a time.

    Args:
        context: Run context.
        corrections: Corrections by the user; the track of each of their faces is looked up.

    Raises:
        FaceIndexError: The index is damaged.
        InterruptError: The user stopped the command.
    """
    anchors = corrections.by_video(are_bodies=False)
    records: list[VideoRecord] = []
    facts: list[VideoFacts] = []
    parts, anchored = [Tracks.empty(context.networks.dimension)], dict[Anchor, int]()
    pairs, seconds = [np.empty((0, 2), np.int64)], [np.empty(0)]
    count, by_keyframes = 0, False
    for record, info, index in _list_videos(context):
        context.interruption.check()
        faces = _cut_tracks(index, corrections, info, context.networks.contract)
        period, is_sparse = _period(index, info)
        by_keyframes |= is_sparse
        tracks = summarize_video(faces, period, len(records), info.size)
        mates, frames = frame_mates(faces.pts, faces.tracks)
        pairs.append(count + np.searchsorted(tracks.number, mates))
        seconds.append(frames * np.float64(period))
        for anchor in anchors.get(record.video_id, ()):
            number = anchored_track(faces, anchor, contract=context.networks.contract, is_film=info.is_film)
            if number is not None:
                anchored[anchor] = count + int(np.searchsorted(tracks.number, number))
        records.append(record)
        duration = None if info.duration is None else float(info.duration)
        facts.append(VideoFacts(record.video_id, duration, period, _coverage(record)))
        parts.append(tracks)
        count += len(tracks)
    meetings = Meetings(np.concatenate(pairs), np.concatenate(seconds))
    return TrackTable(tuple(records), tuple(facts), Tracks.concatenate(parts), meetings, anchored, by_keyframes)


def _cut_tracks(index: VideoIndex, corrections: Corrections, info: VideoInfo, contract: str) -> Faces:
    """Read the faces of a video, and cut each track that the user split if it is not cut yet.

    Another scan rebuilds the index, but the corrections stay. So each census repeats the cuts.
    """
    faces = index.faces()
    cuts = [cut for cut in corrections.cuts if cut[0].video_id == info.video_id]
    cut = cut_tracks(faces, cuts, contract=contract, is_film=info.is_film)
    if cut is not faces:
        index.rewrite_tracks(cut.track)
    return cut


def _period(index: VideoIndex, info: VideoInfo) -> tuple[float, bool]:
    """Return the seconds that a face of a video stands for, and true if only keyframes were scanned."""
    sampling = read_sampling(index.metadata())
    frame = 1 / (info.rate or UNKNOWN_RATE)
    # All pictures of a folder are analysed, and each frame is shown for at least its own time.
    period = max(sampling.period or 0, frame) if info.is_film else frame
    return float(period), sampling.keyframes


def _coverage(record: VideoRecord) -> float:
    """Return the share of a video that was searched."""
    return 1.0 if record.state == "done" or record.coverage is None else record.coverage


def _list_videos(context: RunContext) -> list[tuple[VideoRecord, VideoInfo, VideoIndex]]:
    """List the finished videos with an index of the current recogniser; log a note on those of another one."""
    found, num_others, num_unread = [], 0, 0
    for record in context.answered_records():
        index = VideoIndex(context.out.index, record.video_id)
        if record.info is None or not index.faces_path.exists() or not _coverage(record):
            num_unread += 1
            continue
        if index.metadata()["contract"] != context.networks.contract:
            num_others += 1
            continue
        found.append((record, record.info, index))
    if num_waiting := len(context.records()) - len(context.answered_records()):
        context.observer.note(f"left out {pluralize(num_waiting, 'video')}, not scanned to the end")
    if num_unread:
        where = shlex.quote(str(context.out.root))
        context.observer.note(
            f"left out {pluralize(num_unread, 'video')} that could not be searched: see fastface status -o {where}"
        )
    if num_others:
        context.observer.note(f"left out {pluralize(num_others, 'video')}, scanned with another recogniser")
    return found
