"""Detect encrypted videos, because some decoders make pictures of their noise.

The probe and `video.pyav` call it. A false detection refuses a readable video.
"""

import os
import re
from pathlib import Path
from typing import Any

ENCRYPTED = "encrypted: its pictures can be decoded only with a key that the file does not hold"

_PROTECTED_TAGS = frozenset({"encv", "drmi"})
"""Sample entries of Common Encryption (ISO 23001-7) and of the iTunes Store, if FFmpeg keeps them unchanged."""
_SAMPLE_ENTRY = re.compile(rb"stsd\x00{4}.{8}(?:encv|drmi)", re.DOTALL)
_MOST_HEADER_BYTES = 8 << 20

_ASF_HEAD_BYTES = 64 << 10
_ASF_ENCRYPTION = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
)
"""Identifiers of the objects Content Encryption and Extended Content Encryption (ASF specification, 10.1)."""

_SPOTS = 4
_SPOT_BYTES = 256 << 10
_TS_BYTES, _TS_SYNC = 188, 0x47
_VIDEO_PES = re.compile(rb"\x00\x00\x01[\xe0-\xef]..([\x80-\xbf])", re.DOTALL)
_ENOUGH = 8
_SHARE = 0.1
"""Minimum share of scrambled packets in a scrambled stream: a DVD does not scramble all of its sectors."""


def is_encrypted(packet: Any) -> bool:
    """Return whether a container marks a packet as encrypted, at least in part.

    The side data are FFmpeg's `av_encryption_info`. It starts with six numbers of 32 bits, of which the last is the
    number of parts. The key's identifier and the initial vector follow; the fourth and fifth numbers are their lengths.
    Then come (clear, encrypted) bytes of each part. Without parts, all of the packet is encrypted.
    """
    if not packet.has_sidedata("encryption_info"):
        return False
    content = bytes(packet.get_sidedata("encryption_info"))
    numbers = [int.from_bytes(content[place : place + 4]) for place in range(0, 24, 4)]
    parts = 24 + numbers[3] + numbers[4]
    encrypted = [int.from_bytes(content[place + 4 : place + 8]) for place in range(parts, parts + 8 * numbers[5], 8)]
    return not encrypted or any(encrypted)


def find_encryption(path: Path, container: Any, stream: Any, *, looks_damaged: bool) -> bool:
    """Return whether the header declares that the whole video is encrypted.

    Args:
        path: The file.
        container: The open file.
        stream: The file's video stream.
        looks_damaged: True if packets before the first frame failed. Then the header of an MP4 is read again.
    """
    name = container.format.name
    if "enc_key_id" in stream.metadata or stream.codec_context.codec_tag in _PROTECTED_TAGS:
        return True
    if name == "asf":
        head = _read_packets(path, 0, _ASF_HEAD_BYTES)
        return any(identifier in head for identifier in _ASF_ENCRYPTION)
    if name == "mpeg":
        return is_scrambled(path)
    if looks_damaged and name.startswith("mov"):
        return _SAMPLE_ENTRY.search(_movie_header(path)) is not None
    return False


def is_scrambled(path: Path) -> bool:
    """Return whether packets of an MPEG stream are marked as scrambled (ISO 13818-1, 2.4.3.3 and 2.4.3.7)."""
    num_bytes = path.stat().st_size
    if _read_packets(path, 0, 1)[:1] == b"\x47":
        return _is_scrambled_transport(path, num_bytes)
    marks: list[bool] = []
    for spot in range(_SPOTS):
        content = _read_packets(path, num_bytes * spot // _SPOTS, _SPOT_BYTES)
        marks += [match[1][0] & 0x30 != 0 for match in _VIDEO_PES.finditer(content)]
    return _is_most(marks)


def _is_scrambled_transport(path: Path, num_bytes: int) -> bool:
    marks: list[bool] = []
    for spot in range(_SPOTS):
        content = _read_packets(path, num_bytes * spot // _SPOTS // _TS_BYTES * _TS_BYTES, _SPOT_BYTES)
        heads = (content[place : place + 4] for place in range(0, len(content) - 4, _TS_BYTES))
        marks += [head[3] & 0xC0 != 0 for head in heads if head[0] == _TS_SYNC and head[3] & 0x10]
    return _is_most(marks)


def _is_most(marks: list[bool]) -> bool:
    return sum(marks) >= max(_ENOUGH, _SHARE * len(marks))


def _movie_header(path: Path) -> bytes:
    """Return the box `moov` of an MP4, or its first part; empty without one (ISO 14496-12)."""
    place, num_bytes = 0, path.stat().st_size
    while place < num_bytes:
        head = _read_packets(path, place, 16)
        size = int.from_bytes(head[:4])
        if size == 1:
            size = int.from_bytes(head[8:16])
        if head[4:8] == b"moov":
            return _read_packets(path, place, min(size, _MOST_HEADER_BYTES))
        if size < 8:
            break
        place += size
    return b""


def _read_packets(path: Path, place: int, num_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, num_bytes, place)
    finally:
        os.close(descriptor)
