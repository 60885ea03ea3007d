"""Read the end of an FLV file backwards: each tag is followed by its own length (FLV specification 10.1, E.4.1).

`integrity.duration` calls it. A file that does not end with a whole tag gives no result.
"""

import os
from fractions import Fraction
from pathlib import Path

from fastface.video.frames.frame import SignOfLife

TAG_BYTES = 11
"""Number of bytes of a tag's header: type, length of the content, timestamp, stream."""

_AUDIO, _VIDEO = 8, 9
_LENGTH_BYTES = 4
_HEAD_BYTES = 16
_REORDERED = 32
"""Number of video tags that contain the frame shown last."""

_WITH_OFFSETS = (7, 12)
"""Codec numbers of H.264 and HEVC, whose frames have three bytes of display delay."""

_ENHANCED = 0x80
_CODED_FRAMES = 1
_OFFSET_CODECS = (b"avc1", b"hvc1", b"vvc1")
_FRAME, _COMMAND = 1, 5


def last_tag(descriptor: int, end: int) -> tuple[int, bytes] | None:
    """Return (position, first bytes) of the tag that ends, with its length, at `end`; None without a tag."""
    stored = os.pread(descriptor, _LENGTH_BYTES, end - _LENGTH_BYTES) if end > _LENGTH_BYTES else b""
    length = int.from_bytes(stored)
    place = end - _LENGTH_BYTES - length
    if length < TAG_BYTES or place <= 0:
        return None
    head = os.pread(descriptor, TAG_BYTES + _HEAD_BYTES, place)
    return (place, head) if int.from_bytes(head[1:4]) + TAG_BYTES == length else None


def last_packets(path: Path, alive: SignOfLife) -> tuple[Fraction, Fraction] | None:
    """Return (time of the last shown frame, start of the last sound) in seconds of the file's clock.

    Return None if the file does not end with a whole tag, or has no video tag.
    """
    sound, shown, num_video = 0, list[int](), 0
    with path.open("rb") as file:
        descriptor = file.fileno()
        end = os.fstat(descriptor).st_size
        while num_video < _REORDERED and (tag := last_tag(descriptor, end)):
            alive()
            end, head = tag
            stamp = int.from_bytes(head[4:7]) | head[7] << 24
            if head[0] == _AUDIO:
                sound = max(sound, stamp)
            if head[0] == _VIDEO and (offset := _read_offset(head[TAG_BYTES:], int.from_bytes(head[1:4]))) is not None:
                num_video += 1
                shown.append(stamp + offset)
    return (Fraction(max(shown), 1000), Fraction(sound, 1000)) if shown else None


def _read_offset(content: bytes, size: int) -> int | None:
    """Return the milliseconds between decoding and display of a frame; None if the tag has no frame."""
    if size < 2:
        return None
    kind = content[0] >> 4 & 7
    if content[0] & _ENHANCED:
        packet = content[0] & 15
        if kind == _COMMAND or packet not in (_CODED_FRAMES, 3):
            return None
        return _to_signed(content[5:8]) if packet == _CODED_FRAMES and content[1:5] in _OFFSET_CODECS else 0
    if kind == _COMMAND:
        return None
    if content[0] & 15 in _WITH_OFFSETS:
        return _to_signed(content[2:5]) if content[1] == _FRAME else None
    return 0


def _to_signed(content: bytes) -> int:
    return int.from_bytes(content, signed=True)
