"""Find where a video can be cut, by its packets and by decoding the start of a copied clip.

`clips`, `copy` and `smart` use it. A span counts from the first frame, but a file may count from anywhere. A broadcast
counts from the hour, an edited file from below zero. So cuts use the stream's own pts, and a clip's content is known
before it is written.
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
"""Seconds before the start at which a keyframe is searched; then from the beginning of the file. A seek in a container
without an index (MPEG-TS) lands within a group of pictures. So the first try often finds its keyframe too late."""

_SNAP_TICKS = Fraction(1, 1000)
"""Maximum distance from a tick at which a time rounds to it: floating point moved it."""

_LONGEST_LEAD_SECONDS = 10
"""Maximum seconds before the last keyframe in front of the span at which a copied clip begins. If the keyframes of a
file are wrong, it is cut precisely."""

_CHECKED_FRAMES = 8
"""Number of frames that a decoder must show at their planned times."""

_VIDEO_OF_MP4 = frozenset({"av1", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp9"})


@dataclass(frozen=True, slots=True)
class PacketMark:
    """One packet of the video stream.

    Attributes:
        place: Its timestamps and its position in the file, which identify it.
        pts: Ticks of the stream's time base.
        duration: Ticks; 0 if the container has none.
        is_keyframe: The container's keyframe flag.
    """

    place: tuple[int | None, int | None, int | None]
    pts: int
    duration: int
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """Plan of a copied clip. All times are ticks of the stream's time base.

    Attributes:
        seek_pts: Time to seek to before its packets; None reads from the beginning.
        places: Timestamps and position of each packet, in the order of decoding.
        pts: pts of each of these packets.
        end: End of the last frame shown.
    """

    seek_pts: int | None
    places: tuple[tuple[int | None, int | None, int | None], ...]
    pts: tuple[int, ...]
    end: int

    @property
    def first(self) -> int:
        """Return the time of the first frame."""
        return self.pts[0]


@dataclass(frozen=True, slots=True)
class ClipContent:
    """Content of a finished clip, as a decoder shows it.

    Attributes:
        first: Seconds of the first frame on the clip's own clock.
        last: Time of the last frame in seconds of that clock. How long MP4 shows it depends on the order of decoding.
        num_frames: Number of video packets that are shown.
        sizes: (width, height) of the decoded frames.
    """

    first: Fraction
    last: Fraction
    num_frames: int
    sizes: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class SpanPackets:
    """The packets of a span in the order of decoding, from a keyframe before it on.

    Attributes:
        seek_pts: Time to seek to before them; None reads from the beginning.
        marks: The packets.
    """

    seek_pts: int | None
    marks: list[PacketMark]

    def plan_run(self, key: int, end: int) -> CopyPlan | None:
        """Plan the longest run of packets from a keyframe on whose frames follow each other and are shown before `end`.

        A run needs no packet behind it. Pictures that follow the keyframe and are shown before it are left out.

        Args:
            key: Number of the keyframe's packet.
            end: pts at which the span ends, exclusive.
        """
        following = [mark for mark in self.marks[key:] if mark.pts >= self.marks[key].pts]
        ordered = sorted(mark.pts for mark in following)
        latest, count = following[0].pts, 0
        for number, mark in enumerate(following, 1):
            if mark.pts >= end:
                break
            latest = max(latest, mark.pts)
            if ordered[number - 1] == latest:
                count = number
        if not count or len(set(ordered)) < len(ordered):
            return None
        chosen = following[:count]
        until = ordered[count] if count < len(ordered) else ordered[-1] + 1
        return CopyPlan(self.seek_pts, tuple(mark.place for mark in chosen), tuple(mark.pts for mark in chosen), until)


class _NoCopy(Exception):  # noqa: N818 - a result, not an error
    """Packets alone cannot make this clip."""


def to_ticks(info: VideoInfo, time: float) -> int:
    """Return the first pts at or after a time in seconds from the first frame."""
    ticks = Fraction(time) / info.time_base
    nearest = round(ticks)
    return info.start_pts + (nearest if abs(ticks - nearest) <= _SNAP_TICKS else -(-ticks // 1))


def plan_copy(info: VideoInfo, first: int, end: int, check_stop: Callable[[], object]) -> CopyPlan | None:
    """Find the packets of a copied clip: from a keyframe on, until it has all frames in [first, end).

    Args:
        info: The video.
        first: pts of the span's start.
        end: pts of its end, exclusive.
        check_stop: Called with each packet; its exceptions pass through.

    Returns:
        The plan; None if a copy would be wrong. Reasons are a codec that MP4 does not support, and no keyframe before
        the span. Others are missing or estimated times, and times hidden by an edit list.

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
                    return None  # pictures are reordered, and AVI has no presentation times
                found = _begin(info, marks, (first, end), seek_pts, check_stop)
            except _NoCopy:
                return None
        if found is not None:
            return found
    return None


def read_span(info: VideoInfo, first: int, end: int, check_stop: Callable[[], object]) -> SpanPackets | None:
    """Read the packets that the frames in [first, end) need.

    Returns:
        The packets; None if one has no time, is hidden or changes the decoder's parameters, or no keyframe lies before.

    Raises:
        ExportError: The file cannot be read.
    """
    for step_back in (*_STEPS_BACK_SECONDS, None):
        seek_pts = None if step_back is None else first - int(step_back / info.time_base)
        if seek_pts is not None and seek_pts <= info.start_pts:
            continue
        with open_video(info.path) as (container, video):
            if seek_pts is not None and not seek(container, video, seek_pts):
                continue
            try:
                marks = _marks_until(container, video, end, check_stop)
            except _NoCopy:
                return None
            if container.format.name == "avi" and _changes_places(marks):
                return None
        if any(mark.is_keyframe and mark.pts <= first for mark in marks):
            return SpanPackets(seek_pts, marks)
    return None


def _marks_until(container: Any, video: Any, end: int, check_stop: Callable[[], object]) -> list[PacketMark]:
    """Read the packets from here on, until no later packet is needed before `end`.

    Raises:
        _NoCopy: A packet has no presentation time, is hidden, or changes the decoder's parameters.
    """
    marks: list[PacketMark] = []
    needed = end
    for packet in demux(container, video):
        check_stop()
        # A packet is decoded before it is shown; those that complete the display order come a little later.
        if packet.dts is not None and packet.dts >= end:
            if needed == end:
                needed = max((mark.pts for mark in marks), default=end)
            if packet.dts >= needed:
                break
        if packet.pts is None or packet.is_discard or (marks and packet.has_sidedata("new_extradata")):
            raise _NoCopy
        place = packet.pts, packet.dts, packet.pos
        marks.append(PacketMark(place, packet.pts, packet.duration or 0, packet.is_keyframe))
    return marks


def _changes_places(marks: list[PacketMark]) -> bool:
    """Return whether pictures are shown in another order than they are decoded."""
    return any(after.pts <= before.pts for before, after in pairwise(marks))


def _begin(
    info: VideoInfo,
    marks: list[PacketMark],
    bounds: tuple[int, int],
    seek_pts: int | None,
    check_stop: Callable[[], object],
) -> CopyPlan | None:
    """Return the plan from the last keyframe at which a decoder can start; None if an earlier seek is needed.

    Raises:
        _NoCopy: There is no such keyframe.
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
        if is_decodable(info, plan, check_stop):
            return plan
        if intra is None:
            intra = _find_intra(info, _plan_from(marks, 0, keys[0], seek_pts), check_stop)
    if seek_pts is None:
        raise _NoCopy
    return None


def _find_intra(info: VideoInfo, plan: CopyPlan, check_stop: Callable[[], object]) -> set[int]:
    """Return the times of frames at which decoding may start, by the decoder: the container's flags are wrong."""
    with open_video(info.path) as (container, video):
        packets = planned_packets(container, video, plan)
        found = (frame for frame in _decode(packets, video.codec_context, check_stop) if _is_intra(frame))
        try:
            return {frame.pts for frame in found}
        except av.error.FFmpegError:
            return set()


def _plan_from(marks: list[PacketMark], key: int, last: int, seek_pts: int | None) -> CopyPlan:
    """Plan the packets from a keyframe on: without pictures shown before it, and with all that complete the order.

    Pictures that follow a keyframe and are shown before it may refer to pictures in front of it (open GOP).

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
    # MPEG-TS has no durations: then a frame lasts as long as the one before it.
    duration = latest.duration or (ordered[-1] - ordered[-2] if len(pts) > 1 else 0)
    return CopyPlan(seek_pts, tuple(mark.place for mark in chosen), tuple(pts), latest.pts + duration)


def planned_packets(container: Any, video: Any, plan: CopyPlan) -> Iterator[Any]:
    """Yield the packets of a plan from a file that was just opened.

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


def is_decodable(info: VideoInfo, plan: CopyPlan, check_stop: Callable[[], object]) -> bool:
    """Return whether a decoder that starts with the plan shows its first frames, whole and at their times."""
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
"""Types of pictures that refer to no other; some decoders give no type."""


def check_shown(path: Path, check_stop: Callable[[], object] = lambda: None) -> ClipContent:
    """Decode the beginning and the last group of pictures of a finished clip, and return its content.

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
    base = video.time_base
    assert base is not None
    return ClipContent(times[0] * base, max(times) * base, num_frames, frozenset(sizes))


def _frames(container: Any, video: Any, check_stop: Callable[[], object]) -> Iterator[Any]:
    """Yield the frames that can be decoded; skip damaged packets, as players do."""
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
