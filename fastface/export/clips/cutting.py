"""Find the places where a video can be cut, by its packets and by decoding the start of a copied clip.

A span counts from the first frame; a file counts from wherever it likes (a broadcast from its hour, an edited one from
below zero). So cuts are made by the stream's own pts, and what a clip must show is known before it is written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile, islice, pairwise
from pathlib import Path
from typing import Any

import av
import av.error

from fastface.errors import ExportError
from fastface.export.clips.reading import demux, open_video, seek
from fastface.types import VideoInfo

_STEPS_BACK_SECONDS = (0, 2, 10, 60)
"""How far before the start a keyframe is looked for; then from the beginning of the file. Containers without an index
(MPEG-TS) are entered in the middle of a group of pictures, so the first try often meets its keyframe too late."""

_SNAP_TICKS = Fraction(1, 1000)
"""A time that came through floating point this near to a tick is that tick."""

_LONGEST_LEAD_SECONDS = 10
"""A copied clip begins at most so long before the last keyframe in front of its span: a file whose keyframes are none
is cut precisely."""

_CHECKED_FRAMES = 8
"""Frames of which a decoder must show each at its planned time."""

_VIDEO_OF_MP4 = frozenset({"av1", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp9"})


@dataclass(frozen=True, slots=True)
class _Mark:
    """One packet of the video stream.

    Attributes:
        place: Its time stamps and its place in the file, by which it is known again.
        pts: In ticks.
        duration: In ticks; 0 where the container does not say.
        is_keyframe: As the container flags it.
    """

    place: tuple[int | None, int | None, int | None]
    pts: int
    duration: int
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """A copied clip before it is made. All times are ticks of the stream's time base.

    Attributes:
        seek_pts: Where to go in the file to meet its packets; None reads from the beginning.
        places: Of each packet in the order of decoding, by which it is known again.
        pts: pts of each of these packets.
        end: Where the last frame shown ends.
    """

    seek_pts: int | None
    places: tuple[tuple[int | None, int | None, int | None], ...]
    pts: tuple[int, ...]
    end: int

    @property
    def first(self) -> int:
        """When the first frame is shown."""
        return self.pts[0]


@dataclass(frozen=True, slots=True)
class ClipContent:
    """Content of a finished clip, as a decoder shows it.

    Attributes:
        first: Seconds of the first frame on the clip's own clock.
        end: Where the last frame ends.
        num_frames: Packets of video that are shown.
        sizes: (width, height) of the frames that were decoded.
    """

    first: Fraction
    end: Fraction
    num_frames: int
    sizes: frozenset[tuple[int, int]]


class _NoCopy(Exception):  # noqa: N818 - an answer, not an error
    """Packets alone cannot make this clip."""


def to_ticks(info: VideoInfo, time: float) -> int:
    """The first pts at or after a time in seconds from the first frame."""
    ticks = Fraction(time) / info.time_base
    nearest = round(ticks)
    return info.start_pts + (nearest if abs(ticks - nearest) <= _SNAP_TICKS else -(-ticks // 1))


def plan_copy(info: VideoInfo, first: int, end: int, check_stop: Callable[[], object]) -> CopyPlan | None:
    """Find the packets of a copied clip: from a keyframe on, until all frames in [first, end) are there.

    Args:
        info: The video.
        first: pts of the span's start.
        end: pts of its end, exclusive.
        check_stop: Called with each packet; its exceptions pass through.

    Returns:
        The plan; None where a copy would not show what it says: MP4 does not hold the codec, times are missing, made up
        or hidden by an edit list, or no picture from which decoding may begin is shown before the span.

    Raises:
        ExportError: The file cannot be read.
    """
    if info.estimated_times:
        return None
    for step_back in (*_STEPS_BACK_SECONDS, None):
        seek_pts = None if step_back is None else first - int(step_back / info.time_base)
        if seek_pts is not None and seek_pts <= info.start_pts:
            continue
        with open_video(info.path) as (container, video):
            if video.codec_context.codec.canonical_name not in _VIDEO_OF_MP4:
                return None
            if seek_pts is not None and not seek(container, video, seek_pts):
                continue
            try:
                marks = _marks_until(container, video, end, check_stop)
                if container.format.name == "avi" and _changes_places(marks):
                    return None  # pictures change places, and AVI has no presentation times
                found = _begin(info, marks, (first, end), seek_pts, check_stop)
            except _NoCopy:
                return None
        if found is not None:
            return found
    return None


def _marks_until(container: Any, video: Any, end: int, check_stop: Callable[[], object]) -> list[_Mark]:
    """The packets from here on, until none that follows can be shown before `end`, or before one that must be decoded.

    Raises:
        _NoCopy: One of them has no presentation time, is hidden, or changes the decoder's parameters.
    """
    marks: list[_Mark] = []
    needed = end
    for packet in demux(container, video):
        check_stop()
        # A packet is decoded before it is shown; those that fill the display order up come a little later.
        if packet.dts is not None and packet.dts >= end:
            if needed == end:
                needed = max((mark.pts for mark in marks), default=end)
            if packet.dts >= needed:
                break
        if packet.pts is None or packet.is_discard or (marks and packet.has_sidedata("new_extradata")):
            raise _NoCopy
        place = packet.pts, packet.dts, packet.pos
        marks.append(_Mark(place, packet.pts, packet.duration or 0, packet.is_keyframe))
    return marks


def _changes_places(marks: list[_Mark]) -> bool:
    """Return whether pictures are shown in another order than they are decoded."""
    return any(after.pts <= before.pts for before, after in pairwise(marks))


def _begin(
    info: VideoInfo,
    marks: list[_Mark],
    bounds: tuple[int, int],
    seek_pts: int | None,
    check_stop: Callable[[], object],
) -> CopyPlan | None:
    """The plan that begins at the last keyframe with which a decoder can begin; None: look further back.

    Raises:
        _NoCopy: There is none.
    """
    inside = [number for number, mark in enumerate(marks) if bounds[0] <= mark.pts < bounds[1]]
    keys = [number for number, mark in enumerate(marks) if mark.is_keyframe and mark.pts <= bounds[0]]
    keys.sort(key=lambda number: marks[number].pts, reverse=True)
    if not keys or not inside:
        return None
    furthest = marks[keys[0]].pts - _LONGEST_LEAD_SECONDS / info.time_base
    intra: set[int] | None = None
    for number in keys:
        if marks[number].pts < furthest:
            raise _NoCopy
        if intra is not None and marks[number].pts not in intra:
            continue
        plan = _plan_from(marks, number, inside[-1], seek_pts)
        if _is_decodable(info, plan, check_stop):
            return plan
        if intra is None:
            intra = _find_intra(info, _plan_from(marks, 0, keys[0], seek_pts), check_stop)
    if seek_pts is None:
        raise _NoCopy
    return None


def _find_intra(info: VideoInfo, plan: CopyPlan, check_stop: Callable[[], object]) -> set[int]:
    """Times of the frames from which decoding may begin, as the decoder says: the container's flags are wrong."""
    with open_video(info.path) as (container, video):
        packets = planned_packets(container, video, plan)
        found = (frame for frame in _decode(packets, video.codec_context, check_stop) if _is_intra(frame))
        try:
            return {frame.pts for frame in found}
        except av.error.FFmpegError:
            return set()


def _plan_from(marks: list[_Mark], key: int, last: int, seek_pts: int | None) -> CopyPlan:
    """Packets from a keyframe on, without those that are shown before it, and with all that fill the display order.

    Pictures that follow a keyframe and are shown before it may need pictures in front of it (open GOP).

    Raises:
        _NoCopy: Two frames have one time.
    """
    begin = marks[key].pts
    following = [mark for mark in marks[key:] if mark.pts >= begin]
    count = following.index(marks[last]) + 1
    until = max(mark.pts for mark in following[:count])
    while any(mark.pts < until for mark in following[count:]):
        count += 1
    chosen = following[:count]
    pts = [mark.pts for mark in chosen]
    if len(set(pts)) < len(pts):
        raise _NoCopy
    latest = max(chosen, key=lambda mark: mark.pts)
    ordered = sorted(pts)
    # MPEG-TS knows no durations: then a frame lasts as long as the one before it.
    duration = latest.duration or (ordered[-1] - ordered[-2] if len(pts) > 1 else 0)
    return CopyPlan(seek_pts, tuple(mark.place for mark in chosen), tuple(pts), latest.pts + duration)


def planned_packets(container: Any, video: Any, plan: CopyPlan) -> Iterator[Any]:
    """The packets of a plan, from a file that was just opened.

    Raises:
        ExportError: They are not there any more.
    """
    if plan.seek_pts is not None and not seek(container, video, plan.seek_pts):
        raise ExportError("a seek that worked before failed")
    wanted = set(plan.places)
    packets = demux(container, video)
    from_first = dropwhile(lambda packet: (packet.pts, packet.dts, packet.pos) != plan.places[0], packets)
    for packet in from_first:
        place = packet.pts, packet.dts, packet.pos
        if place in wanted:
            wanted.discard(place)
            yield packet
        if not wanted:
            return
    raise ExportError(f"{len(wanted)} planned packets were not found")


def _is_decodable(info: VideoInfo, plan: CopyPlan, check_stop: Callable[[], object]) -> bool:
    """Return whether a decoder that begins with the plan shows its first frames, whole and at their times."""
    wanted = sorted(plan.pts)[:_CHECKED_FRAMES]
    shown: list[int | None] = []
    with open_video(info.path) as (container, video):
        try:
            for frame in _decode(planned_packets(container, video, plan), video.codec_context, check_stop):
                if not shown and not _is_intra(frame):
                    return False
                if frame.is_corrupt:
                    return False
                shown.append(frame.pts)
                if len(shown) == len(wanted):
                    break
        except av.error.FFmpegError:
            return False
    return shown == wanted


def _decode(packets: Iterator[Any], codec: Any, check_stop: Callable[[], object]) -> Iterator[Any]:
    for packet in packets:
        check_stop()
        yield from codec.decode(packet)
    yield from codec.decode(None)


def _is_intra(frame: Any) -> bool:
    return bool(frame.key_frame) and int(frame.pict_type) in _INTRA


_INTRA = frozenset({int(av.video.frame.PictureType.I), int(av.video.frame.PictureType.NONE)})
"""Types of pictures that refer to no other; some decoders tell none."""


def check_shown(path: Path, check_stop: Callable[[], object] = lambda: None) -> ClipContent:
    """Return what a finished clip shows: its beginning and its last group of pictures are decoded.

    Raises:
        ExportError: It cannot be read, or shows nothing.
    """
    with open_video(path) as (container, video):
        packets = (packet for packet in demux(container, video) if not packet.is_discard and packet.pts is not None)
        marks = [(packet.pts, packet.is_keyframe) for packet in packets]
        num_frames, last_pts = len(marks), max((pts for pts, _ in marks), default=0)
        last_key = max((pts for pts, is_keyframe in marks if is_keyframe), default=0)
    sizes: set[tuple[int, int]] = set()
    with open_video(path) as (container, video):
        head = list(islice(_frames(container, video, check_stop), _CHECKED_FRAMES))
    tail: list[Any] = []
    for seek_pts in (last_key, None):
        with open_video(path) as (container, video):
            if seek_pts is not None and not seek(container, video, seek_pts):
                continue
            tail = []
            for frame in _frames(container, video, check_stop):
                tail = [*tail[-_CHECKED_FRAMES:], frame]
                sizes.add((frame.width, frame.height))
        # With a gradual refresh, no frame is whole until long after the last keyframe.
        if any(frame.pts == last_pts for frame in tail):
            break
    sizes |= {(frame.width, frame.height) for frame in head}
    times = [frame.pts for frame in (*head, *tail) if frame.pts is not None]
    if not head or not times:
        raise ExportError("the clip has no frame that can be decoded")
    if sorted(times[: len(head)]) != times[: len(head)]:
        raise ExportError("the frames of the clip are not in order")
    latest = max((frame for frame in (*head, *tail) if frame.pts is not None), key=lambda frame: frame.pts)
    base = video.time_base
    assert base is not None
    return ClipContent(times[0] * base, (latest.pts + (latest.duration or 0)) * base, num_frames, frozenset(sizes))


def _frames(container: Any, video: Any, check_stop: Callable[[], object]) -> Iterator[Any]:
    """Frames that can be decoded; damaged packets are passed over, as players do."""
    packets = demux(container, video)
    for packet in packets:
        check_stop()
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue
    try:
        yield from video.codec_context.decode(None)
    except av.error.FFmpegError:
        return
