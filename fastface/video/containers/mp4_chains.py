"""Find holes in a container's file: each element must begin where the element before it ends.

`video.pyav` calls it at the end of a video. FFmpeg searches for the next element after a hole and reports nothing. If
frames after the hole decode without those in it, or times are counted, no packet shows the loss. The chain of headers
does, whatever is decoded.

A chain that ends early is no hole. An interrupted recording ends within an element, or in a few zeros that fill up its
last block. The declared duration covers these.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from fastface.video.codecs import annexb
from fastface.video.containers import asf, ebml, nut, transport
from fastface.video.containers.heads import ElementHeads
from fastface.video.frames.frame import SignOfLife, no_sign

_FLV_TAGS = frozenset({8, 9, 15, 18, 22})
"""Audio, video, two kinds of script data, aggregate (Adobe Flash Video File Format Specification 10.1, E.4.1)."""
_FLV_FRAMES = (8, 9)
_FLV_FILTERED = 0x20
_FLV_TAG_BYTES = 11

_ENOUGH = 3
"""Number of elements after which a file is known to follow the standard."""

_AVI_CHUNK = re.compile(rb"[0-9]{2}[A-Za-z0-9]{2}|ix[0-9]{2}|JUNK|LIST|RIFF|idx1")
"""Pattern of element names in and after a list of AVI frames (Microsoft's AVI RIFF reference; OpenDML 1.02)."""

_KLV_KEY = b"\x06\x0e\x2b\x34"
"""First bytes of each key in MXF (SMPTE ST 336)."""

_ESSENCE = _KLV_KEY + b"\x01\x02\x01\x01\x0d\x01\x03\x01"
"""First bytes of the key of a frame or of its sound (SMPTE ST 379)."""
_KLV_HEAD_BYTES = 16 + 9

_END_CODE, _PACK = 0xB9, 0xBA  # lower codes begin no element here, higher codes begin packets
_START_CODE = b"\0\0\1"
_MAX_PADDING_BYTES = 2324
"""Maximum number of zeros between two packs: a Video CD fills up its sectors, of this length, with zeros."""

_OGG_PAGE_BYTES = 27
_OGG_BEGINS = 0x02


def is_whole(path: Path, alive: SignOfLife = no_sign) -> bool:
    """Return whether a file's elements follow each other; True for other containers.

    It reads only the heads of elements. A transport stream has a head every 188 bytes and is read completely.

    Args:
        path: The file.
        alive: Called with each chunk that is read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True  # the decoder reports the read error
    try:
        heads = ElementHeads(descriptor, alive)
        is_chain = _find_walk(heads)
        return is_chain is None or is_chain(heads)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _find_walk(heads: ElementHeads) -> Callable[[ElementHeads], bool] | None:
    head = heads.read_bytes(0, 32)
    if head[:4] == b"RIFF":
        return _is_avi_chain if head[8:12] == b"AVI " else None
    for magic, walk in _WALKS.items():
        if head.startswith(magic):
            return walk
    if annexb.is_raw_stream(head):
        return annexb.is_chain
    return transport.is_chain if transport.is_stream(heads) else None


def _is_flv_chain(heads: ElementHeads) -> bool:
    """Check tags, each followed by its own length. Joined files have a file header in between."""
    place, num_tags, stream = 0, 0, b""
    are_lengths_right = True  # some recorders write wrong lengths, or none, throughout
    while len(head := heads.read_bytes(place, _FLV_TAG_BYTES)) == _FLV_TAG_BYTES:
        if head.startswith(b"FLV"):
            place += int.from_bytes(head[5:9]) + 4
            continue
        stream = stream or head[8:11]
        if head[0] & ~_FLV_FILTERED not in _FLV_TAGS or head[8:11] != stream:
            return heads.is_filled(place)
        length = _FLV_TAG_BYTES + int.from_bytes(head[1:4])
        stored = heads.read_bytes(place + length, 4)
        if len(stored) < 4:
            return not _has_last_flv_tag(heads, place)
        if are_lengths_right and int.from_bytes(stored) != length and head[0] in _FLV_FRAMES:
            if num_tags >= _ENOUGH:
                return heads.is_filled(place + length)
            are_lengths_right = False
        num_tags += head[0] in _FLV_FRAMES
        place += length + 4
    return True


def _has_last_flv_tag(heads: ElementHeads, after: int) -> bool:
    """Return whether the file ends with a whole tag that begins after a position."""
    length = int.from_bytes(heads.read_bytes(heads.num_bytes - 4, 4))
    begin = heads.num_bytes - 4 - length
    head = heads.read_bytes(begin, 4) if begin > after else b""
    return bool(head) and head[0] in _FLV_FRAMES and int.from_bytes(head[1:]) + _FLV_TAG_BYTES == length


def _is_avi_chain(heads: ElementHeads) -> bool:
    """Check chunks of even length, also those in lists of frames; the sizes of the lists themselves are often wrong."""
    place, is_inside, is_after_index = 0, False, False
    frames = b""
    while len(head := heads.read_bytes(place, 12)) >= 8:
        name, size, kind = head[:4], int.from_bytes(head[4:8], "little"), head[8:12]
        if is_after_index and name != b"RIFF":
            return True
        if is_inside and not _AVI_CHUNK.fullmatch(name):
            # Some writers do not pad chunks of an odd size.
            if not _AVI_CHUNK.fullmatch(heads.read_bytes(place - 1, 4)):
                return heads.is_filled(place)
            place -= 1
            continue
        is_after_index = name == b"idx1"
        if name == b"RIFF" or (name == b"LIST" and kind in (b"movi", b"rec ")):
            is_inside = name == b"LIST" or is_inside
            place += 12
            continue
        if is_inside and name[2:] in (b"dc", b"db"):
            frames = name
        if place + 8 + size > heads.num_bytes:
            # An index contains the names of chunks.
            is_index = is_after_index or name.startswith(b"ix")
            names = () if is_index or not is_inside else (b"idx1", frames)
            return not any(heads.contains(place + 8, other) for other in names if other)
        place += 8 + size + size % 2
    return True


def _is_mxf_chain(heads: ElementHeads) -> bool:
    """Check keys, lengths and values (SMPTE ST 336)."""
    place = 0
    while len(head := heads.read_bytes(place, _KLV_HEAD_BYTES)) >= 17:
        if not head.startswith(_KLV_KEY):
            return heads.is_filled(place)
        num_bytes = head[16] & 0x7F if head[16] & 0x80 else 0
        if num_bytes > 8:
            return False
        size = int.from_bytes(head[17 : 17 + num_bytes]) if num_bytes else head[16]
        value = place + 17 + num_bytes
        if value + size > heads.num_bytes:
            return not heads.contains(value, _ESSENCE)
        place = value + size
    return True


def _is_program_chain(heads: ElementHeads) -> bool:
    """Check packs and packets of an MPEG program stream (ISO 11172-1, ISO 13818-1)."""
    place = 0
    while len(head := heads.read_bytes(place, 14)) >= 6:
        code = head[3] if head.startswith(_START_CODE) else 0
        if code < _END_CODE:
            length = heads.count_zeros(place)
            # The counted zeros include those of the next start code.
            if not 2 < length <= _MAX_PADDING_BYTES or heads.read_bytes(place + length, 1) != b"\1":
                follows_end = heads.read_bytes(place - 4, 4) == bytes([*_START_CODE, _END_CODE])
                return heads.is_filled(place) or follows_end
            length -= 2
        elif code == _END_CODE:
            length = 4
        elif code == _PACK:
            length = _pack_bytes(head)
        else:
            length = 6 + int.from_bytes(head[4:6])
        if not length:
            return False
        if code > _PACK and length == 6:
            return True  # a packet without an end cannot be checked
        if place + length > heads.num_bytes:
            return not heads.contains(place + 4, bytes([*_START_CODE, _PACK]))
        place += length
    return True


def _pack_bytes(head: bytes) -> int:
    """Return the bytes of a pack of MPEG-2 or MPEG-1; 0 if it is of neither version."""
    if head[4] & 0xC0 == 0x40:
        return 14 + (head[-1] & 7)
    return 12 if head[4] & 0xF0 == 0x20 else 0


def _is_ogg_chain(heads: ElementHeads) -> bool:
    """Check pages, numbered one by one in each of their streams (RFC 3533).

    If a live stream was joined late, its headers come first and the pages of that moment next.
    """
    place = 0
    numbers: dict[bytes, int] = {}
    in_headers: set[bytes] = set()
    while len(head := heads.read_bytes(place, _OGG_PAGE_BYTES)) == _OGG_PAGE_BYTES:
        if not head.startswith(b"OggS"):
            return heads.is_filled(place)
        stream, number = head[14:18], int.from_bytes(head[18:22], "little")
        if stream in numbers and number != numbers[stream] + 1 and not (head[5] & _OGG_BEGINS or stream in in_headers):
            return False
        numbers[stream] = number
        (in_headers.discard if any(head[6:14]) else in_headers.add)(stream)
        content = place + _OGG_PAGE_BYTES + head[26]
        following = content + sum(heads.read_bytes(place + _OGG_PAGE_BYTES, head[26]))
        if following > heads.num_bytes:
            return not heads.contains(place + 4, b"OggS" + bytes(1))
        place = following
    return True


_WALKS: dict[bytes, Callable[[ElementHeads], bool]] = {
    b"\x1aE\xdf\xa3": ebml.is_chain,
    b"FLV": _is_flv_chain,
    _KLV_KEY: _is_mxf_chain,
    bytes([*_START_CODE, _PACK]): _is_program_chain,
    b"OggS": _is_ogg_chain,
    nut.FILE_ID: nut.is_chain,
    asf.FILE_ID: asf.is_chain,
}
