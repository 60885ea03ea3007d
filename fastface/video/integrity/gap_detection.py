"""Detect a missing stretch of a film from its packets: a step in time, a damage mark, a frame not shown.

The decoder (`video.pyav`) and `packet_skipping` use it. No sign alone is proof. A step may be the film's own if its
frame rate varies. A transport stream also gets the damage mark where segments were joined.
"""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from fastface.types import VideoInfo
from fastface.video.clock import UNKNOWN_RATE

_MISSING_FRAMES = 1.5
"""Number of frame lengths by which a packet may be late. Two missing frames are more. Film at 60 fields a second (one
frame of two fields, one of three) is less. So is the jitter of phones."""

_SEAM_PACKETS = 2
"""Number of packets before a seam of a transport stream that may have the mark. It is the last one or, after FFmpeg's
parser, the one before it."""

_ONE_PACKET_A_FRAME = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video"})


class PacketSteps:
    """Check the steps in decoding time from packet to packet.

    Args:
        info: The video.
        declared_until: Decoding time up to which the container itself declares gaps; None if it declares none.
    """

    def __init__(self, info: VideoInfo, declared_until: int | None) -> None:
        self._declared_until = declared_until
        self._frame = 1 / (info.rate or UNKNOWN_RATE) / info.time_base
        self._step = Fraction(0)
        self._last: int | None = None
        self._num_packets = 0

    def is_late(self, dts: int | None) -> bool:
        """Return whether the next packet comes later than expected from the packets before. Packets may lack a time."""
        self._num_packets += 1
        if dts is None:
            return False
        last, num_packets = self._last, self._num_packets
        self._last, self._num_packets = dts, 0
        if last is None or (self._declared_until is not None and dts <= self._declared_until):
            return False
        usual = max(self._frame, self._step)
        self._step = Fraction(dts - last, num_packets)
        return dts - last > (num_packets + _MISSING_FRAMES) * usual


def watch_steps(
    packets: Iterator[tuple[Any, bool]], info: VideoInfo, declared_until: int | None
) -> Iterator[tuple[Any, bool, bool, bool]]:
    """Yield (packet, is needed, is late, is damaged) for each (packet, is needed), a few packets behind.

    Late: see `PacketSteps`. Damaged: the packet has the container's mark, and a seam with a following keyframe did not
    cause it.
    """
    steps = PacketSteps(info, declared_until)
    waiting: deque[tuple[Any, bool, bool]] = deque()
    for packet, is_needed in packets:
        waiting.append((packet, is_needed, steps.is_late(packet.dts)))
        if len(waiting) > _SEAM_PACKETS:
            yield *waiting[0], _is_damaged(waiting)
            waiting.popleft()
    while waiting:
        yield *waiting[0], _is_damaged(waiting)
        waiting.popleft()


def _is_damaged(waiting: deque[tuple[Any, bool, bool]]) -> bool:
    """Return whether the first packet has the damage mark for another reason than a seam after it."""
    packet, *_ = waiting[0]
    if not packet.is_corrupt:
        return False
    for place in range(1, len(waiting)):
        following, _, is_late = waiting[place]
        if is_late or following.is_keyframe:
            return is_late
    return True


class OwedFrames:
    """Track the frames that must appear for the packets between a late packet and the next keyframe.

    The references of these packets may be missing. H.264 and HEVC then decode to no frame, without an error.

    Attributes:
        is_open: True if the last packet must give a frame.
    """

    def __init__(self, info: VideoInfo) -> None:
        # A packet may contain one field of a frame; the second field has no frame of its own.
        self._can_tell = info.codec in _ONE_PACKET_A_FRAME and not info.interlaced
        self._owed: set[int] = set()
        self.is_open = False

    def follow(self, packet: Any, *, is_late: bool) -> None:
        """Record the next packet, needed or not. If `is_open` is True afterwards, its frame must be decoded."""
        self.is_open = self._can_tell and not packet.is_keyframe and (self.is_open or is_late)
        if self.is_open and packet.pts is not None:
            self._owed.add(packet.pts)

    def is_broken(self, pts: int | None) -> bool:
        """Return whether a frame that was due before this one did not appear."""
        if pts is None or not self._owed:
            return False
        self._owed.discard(pts)
        overdue = {owed for owed in self._owed if owed < pts}
        self._owed -= overdue
        return bool(overdue)
