"""Determine the length of the picture of a file: the declared length, checked against the file's last packets.

`video.probe` calls `declared_length`, then `check_length`. Some headers give the length of the picture alone. Others
(FLV, ASF, Matroska without tags …) give one length for all streams. Or they count from zero of a clock, which may be
long before the first frame. If that were taken as the picture's length, a complete file would seem to be cut. So if the
last packet of any stream is at the declared end, the file is complete. The picture then ends with its own last packet.

A file with the byte size that its header gives is complete too, whatever duration it declares.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error

from fastface.types import VideoInfo
from fastface.video.clock import UNKNOWN_RATE
from fastface.video.container import MP4_FAMILY, demux_all, is_fragmented, open_video
from fastface.video.containers import asf, ebml
from fastface.video.containers.flv import last_packets, last_tag
from fastface.video.frames.frame import SignOfLife

_MEASURED = ("mpegts", "mpeg", "ogg")
_PICTURE_ALONE = (MP4_FAMILY, "avi", "mxf", "gxf", *_MEASURED)
"""Formats whose `stream.duration` is the picture's own."""

_SEEK_TO_END = ("matroska", "asf", "nut")
"""Formats whose last packets can be found by a seek, with correct times."""

NO_TIMESTAMPS = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS: flag of formats that are a codec's bare stream."""

_BEYOND = 1 << 56
_TOLERANCE_SHARE = Fraction(1, 50)
_MOST_TOLERANCE = Fraction(1)
_LEAST_TOLERANCE = Fraction(1, 10)
"""A header rounds its length, and may include or omit the duration of the last packet."""

_MOST_INDEX_BYTES = 16 << 20
_WORTH_SAYING = Fraction(1, 2)
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class FilmLength:
    """Length of a film, in seconds from its first frame."""

    picture: Fraction | None = None  # end of its last frame; None: unknown
    sound_end: Fraction | None = None  # end of the sound, if that is clearly later
    declared: Fraction | None = None  # length in the header, if the file is complete and shorter
    is_measured: bool = False  # FFmpeg computed it from the first and last times in the file
    is_of_all: bool = False  # `picture` is a header's length of all streams, which `check_length` checks


def declared_length(path: Path, container: Any, stream: Any, frame: Any) -> FilmLength:
    """Read a film's length from its headers.

    The declared length includes frames before the first one that can be decoded; they count as lost.

    Args:
        path: The file.
        container: The file, open.
        stream: Its video stream.
        frame: The first frame that can be decoded.
    """
    if container.format.flags & NO_TIMESTAMPS:
        return FilmLength()  # FFmpeg's value is a guess by the bit rate
    start = Fraction(0) if frame.pts is None else frame.pts * stream.time_base
    before = max(Fraction(0), start - (container.start_time or 0) * _MICROSECOND)
    longest = max(Fraction(0), (container.duration or 0) * _MICROSECOND - before)
    tagged = _parse_tag(stream.metadata.get("DURATION", "")) if container.format.name.startswith("matroska") else None
    if tagged is not None and tagged > start:
        # Matroska's tag is the end of the stream's last frame, counted from the container's zero.
        return FilmLength(tagged - start, _later(longest, tagged - start))
    if stream.duration and stream.duration > 0 and container.format.name.startswith(_PICTURE_ALONE):
        own = Fraction(stream.duration * stream.time_base) - _repeats_at_end(path, container, stream)
        clock = _clock_of_fragments(path, container, stream)
        is_measured = container.format.name in _MEASURED
        return (
            FilmLength(own - clock)
            if own > clock > 0
            else FilmLength(own, _later(longest, own), is_measured=is_measured)
        )
    if longest:
        return FilmLength(longest, is_of_all=True)
    return FilmLength(duration_of_cut_asf(path), is_of_all=True) if container.format.name == "asf" else FilmLength()


def check_length(info: VideoInfo, declared: Fraction, alive: SignOfLife) -> FilmLength:
    """Compare a length that is declared for all streams with the file's last packets.

    Args:
        info: The video; its clock is never set back.
        declared: Length in its header, in seconds.
        alive: Called with each packet that is read.
    """
    ends = _find_ends(info, alive)
    start = info.start_pts * info.time_base
    if ends.picture is None or ends.picture <= start:
        return FilmLength(declared)
    picture, last = ends.picture - start, max(ends.picture, *ends.others, Fraction(0)) - start
    sound = _later(last, picture)
    # Counted from the clock's zero, before the file begins: the declared end is that of the picture, or of the sound.
    is_by_clock = start > 0 and picture - _tolerance(last) <= declared - start <= last + _tolerance(last)
    if last >= declared - _tolerance(declared) or is_by_clock:
        return FilmLength(picture, sound)
    if has_all_bytes(info.path):
        return FilmLength(picture, sound, declared)
    return FilmLength(declared - start if declared / 2 < start < declared else declared)


def _later(end: Fraction, picture: Fraction) -> Fraction | None:
    """Return `end` if it is later than the picture's end by more than a few packets; else None."""
    return end if end - picture > max(_WORTH_SAYING, end * _TOLERANCE_SHARE) else None


def _tolerance(length: Fraction) -> Fraction:
    return max(_LEAST_TOLERANCE, min(_MOST_TOLERANCE, length * _TOLERANCE_SHARE))


@dataclass(slots=True)
class _Ends:
    """Ends of the last packets, in seconds of the file's clock."""

    picture: Fraction | None = None
    others: list[Fraction] = field(default_factory=list)

    def take(self, packets: Iterable[Any], index: int, usual: Fraction, alive: SignOfLife) -> None:
        latest: dict[int, Fraction] = {}
        for packet in packets:
            alive()
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None or not packet.size:
                continue
            number = packet.stream_index
            length = Fraction((packet.duration or 0) * packet.time_base)
            if number == index:
                length = min(length, usual) if length else usual
            end = stamp * packet.time_base + length
            latest[number] = max(end, latest.get(number, end))
        self.picture = latest.pop(index, None)
        self.others = list(latest.values())


def _find_ends(info: VideoInfo, alive: SignOfLife) -> _Ends:
    usual = 1 / (info.rate or UNKNOWN_RATE)
    with open_video(info.path) as (container, stream):
        if container.format.name == "flv" and (found := last_packets(info.path, alive)):
            return _Ends(found[0] + usual, [found[1]])
    ends = _Ends()
    for seeks in (True, False):
        with open_video(info.path) as (container, stream):
            try:
                if seeks and not container.format.name.startswith(_SEEK_TO_END):
                    continue
                if seeks:
                    container.seek(_BEYOND, stream=stream, backward=True)
                ends.take(demux_all(container), stream.index, usual, alive)
            except av.error.FFmpegError:
                continue
        if ends.picture is not None:
            break
    return ends


def _clock_of_fragments(path: Path, container: Any, stream: Any) -> Fraction:
    """Find the start of a fragmented MP4's clock: FFmpeg declares its end, as after a stream joined late."""
    entries: Any = stream.index_entries if container.format.name.startswith(MP4_FAMILY) else ()
    if not len(entries) or entries[0].timestamp <= 0 or not is_fragmented(path):
        return Fraction(0)
    return Fraction(entries[0].timestamp * stream.time_base)


def _repeats_at_end(path: Path, container: Any, stream: Any) -> Fraction:
    """Return the seconds for which an AVI repeats its last picture, by chunks without bytes and thus without packets.

    The old index at the end of the file lists these chunks: name, flags, position and size of each.
    """
    if container.format.name != "avi" or len(stream.index_entries) >= stream.frames:
        return Fraction(0)
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _MOST_INDEX_BYTES))
        content = file.read()
    begin = content.rfind(b"idx1")
    size = int.from_bytes(content[begin + 4 : begin + 8], "little") if begin >= 0 else 0
    names = (b"%02ddc" % stream.index, b"%02ddb" % stream.index)
    count = 0
    for place in range(begin + 8 + size - 16, begin + 7, -16):
        if content[place : place + 4] in names:
            if content[place + 12 : place + 16] != bytes(4):
                break
            count += 1
    return Fraction(count * stream.time_base)


def _parse_tag(text: str) -> Fraction | None:
    match = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", text.strip())
    if match is None:
        return None
    return int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3])


_EBML = b"\x1aE\xdf\xa3"
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""Identifier of an object (Advanced Systems Format specification, 10.2)."""

_FILE_SIZE, _PLAY_DURATION, _PREROLL, _FLAGS = 40, 64, 80, 88
"""Offsets in the file properties object (3.2). The duration is in units of 100 ns, the preroll in milliseconds."""
_BROADCAST = 1
_HEAD_BYTES = 64 << 10


def has_all_bytes(path: Path) -> bool:
    """Return whether the file has the size that its header gives; False if the header gives none.

    An FLV gives no size, but a complete one ends with the length of its last tag.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        num_bytes = os.fstat(file.fileno()).st_size
        if head.startswith(b"FLV"):
            return last_tag(file.fileno(), num_bytes) is not None
    if head.startswith(_EBML):
        return ebml.segment_end(head) == num_bytes
    return head.startswith(asf.FILE_ID) and _asf_number(head, _FILE_SIZE, 8) == num_bytes


def duration_of_cut_asf(path: Path) -> Fraction | None:
    """Return the declared seconds of an ASF or WMV file that is cut: FFmpeg reports no duration for it.

    Returns None for other files, complete files, and broadcasts, whose header is not filled in.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        num_bytes = os.fstat(file.fileno()).st_size
    if not head.startswith(asf.FILE_ID) or _asf_number(head, _FLAGS, 4) & _BROADCAST:
        return None
    if _asf_number(head, _FILE_SIZE, 8) <= num_bytes:
        return None
    played = Fraction(_asf_number(head, _PLAY_DURATION, 8), 10_000_000)
    before = Fraction(_asf_number(head, _PREROLL, 8), 1000)
    return played - before if played > before else None


def _asf_number(head: bytes, offset: int, num_bytes: int) -> int:
    """Read a number of the file properties object; 0 without such an object."""
    place = head.find(_ASF_FILE_PROPERTIES)
    return 0 if place < 0 else int.from_bytes(head[place + offset : place + offset + num_bytes], "little")
