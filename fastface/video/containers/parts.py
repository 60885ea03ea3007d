"""Detect clocks that are set back in MP4 and Matroska files: recordings joined byte by byte, or a restarted recorder.

`keyframe_index`, `video.pyav` and the sound of clips use it. FFmpeg reads the parts in order, each with its own times,
and its index covers only the first part. So this module reads the times of all fragments (ISO 14496-12, 8.8.12) and
clusters (RFC 9559, 5.1.3). There is one every few seconds of film.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from av.packet import Packet

from fastface.video.containers.ebml import read_number
from fastface.video.containers.heads import ElementHeads
from fastface.video.frames.frame import SignOfLife

_MOOF_BYTES = 1 << 16
"""Bytes to read of a fragment's box; the time of its first track is near the beginning."""

_KEPT_SIDE_DATA = ("new_extradata", "encryption_info")
_SEGMENT, _CLUSTER, _CLUSTER_TIME = 0x18538067, 0x1F43B675, 0xE7
_EBML_HEAD_BYTES = 12


def is_set_back(path: Path, alive: SignOfLife) -> bool:
    """Return whether a fragment or cluster has an earlier time than the one before it.

    Args:
        path: An MP4 or Matroska file; other files have no such times.
        alive: Called with each chunk that is read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        heads = ElementHeads(descriptor, alive)
        times = _cluster_times(heads) if heads.read_bytes(0, 4) == b"\x1a\x45\xdf\xa3" else _fragment_times(heads)
        last: dict[int, int] = {}
        for track, time in times:
            if time < last.get(track, time):
                return True
            last[track] = time
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def keep_restarted(packets: Iterator[Any]) -> Iterator[Any]:
    """Yield all packets, without the discard mark if a packet has it only because its time is set back.

    FFmpeg's MP4 demuxer gives such packets the discard mark of frames hidden by an edit list; hidden frames come first.
    """
    latest: dict[int, int] = {}
    for packet in packets:
        if packet.dts is None:
            yield packet
            continue
        before = latest.setdefault(packet.stream_index, packet.dts - 1)
        latest[packet.stream_index] = max(before, packet.dts)
        yield _without_mark(packet) if packet.is_discard and packet.dts <= before else packet


def _without_mark(packet: Any) -> Any:
    made = Packet(packet.size)  # a packet around Python's own bytes would need the interpreter in a decoder's thread
    made.update(bytes(packet))
    made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    made.stream, made.is_keyframe = packet.stream, packet.is_keyframe
    for name in _KEPT_SIDE_DATA:
        if packet.has_sidedata(name):
            made.set_sidedata(packet.get_sidedata(name))
    return made


def _fragment_times(heads: ElementHeads) -> Iterator[tuple[int, int]]:
    """Yield (track, decoding time of its first sample) for each fragment."""
    for place, size, kind in _boxes(heads):
        if kind == b"moof":
            yield from _read_times(heads.read_bytes(place, min(size, _MOOF_BYTES)))


def _boxes(heads: ElementHeads) -> Iterator[tuple[int, int, bytes]]:
    place = 0
    while len(head := heads.read_bytes(place, 16)) >= 8:
        size = int.from_bytes(head[:4])
        if size == 1:
            size = int.from_bytes(head[8:])
        if size < 8:
            return
        yield place, size, head[4:8]
        place += size


def _read_times(moof: bytes) -> Iterator[tuple[int, int]]:
    """Yield the tracks and times of one fragment: `tfhd` names the track, and the following `tfdt` has the time."""
    place = moof.find(b"tfhd")
    while place >= 0:
        track = int.from_bytes(moof[place + 8 : place + 12])
        following = moof.find(b"tfhd", place + 4)
        time = moof.find(b"tfdt", place, following if following >= 0 else len(moof))
        if time >= 0:
            width = 8 if moof[time + 4] else 4
            yield track, int.from_bytes(moof[time + 8 : time + 8 + width])
        place = following


def _cluster_times(heads: ElementHeads) -> Iterator[tuple[int, int]]:
    """Yield (0, time) for each cluster."""
    place = 0
    while head := heads.read_bytes(place, _EBML_HEAD_BYTES):
        identity, num_bytes = read_number(head, keep_marker=True)
        size, num_size_bytes = read_number(head[num_bytes:], keep_marker=False)
        if not num_bytes or not num_size_bytes:
            return
        content = place + num_bytes + num_size_bytes
        is_unknown = size == (1 << 7 * num_size_bytes) - 1
        if identity == _CLUSTER_TIME:
            yield 0, int.from_bytes(heads.read_bytes(content, size))
        if identity == _CLUSTER and not is_unknown:
            yield from _time_of_cluster(heads, content)
        is_entered = identity == _SEGMENT or (identity == _CLUSTER and is_unknown)
        place = content if is_entered or is_unknown else content + size


def _time_of_cluster(heads: ElementHeads, content: int) -> Iterator[tuple[int, int]]:
    """Read the time of a cluster: it is the first element, or follows a checksum."""
    for _ in range(3):
        head = heads.read_bytes(content, _EBML_HEAD_BYTES)
        identity, num_bytes = read_number(head, keep_marker=True)
        size, num_size_bytes = read_number(head[num_bytes:], keep_marker=False)
        content += num_bytes + num_size_bytes
        if identity == _CLUSTER_TIME:
            yield 0, int.from_bytes(heads.read_bytes(content, size))
            return
        content += size
