"""Recognize a film by a file's first bytes, for files whose names do not show the type.

`video.discover` calls it. A new container needs its first bytes in `_FIRST_BYTES`.
"""

import re
from pathlib import Path

_HEAD_BYTES = 1024
_STILLS_AND_SOUND = frozenset(
    {b"heic", b"heix", b"mif1", b"msf1", b"avif", b"jxl ", b"crx ", b"M4A ", b"M4B ", b"M4P "}
)
"""Brands of the MP4 family (https://mp4ra.org) of files without a film."""

_BOXES = frozenset({b"ftyp", b"moov", b"moof", b"mdat", b"wide", b"styp"})
_FIRST_BYTES = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\1",
    bytes.fromhex("3026b2758e66cf11"),  # ASF, WMV
    b"\x06\x0e\x2b\x34",  # MXF
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
    b"nut/multimedia",
    b".RMF",
    b"DKIF",  # IVF
    b"YUV4MPEG2",
    b"DHAV",
    b"DAHUA",
    b"IMKH",  # Hikvision, before a program stream
    b"HXVS",
    b"HXVT",
    b"KDK",  # Youku, before an FLV
    b"LEITCH",  # LXF
    b"AV\0\x55",  # PVA
)
_RAW_STREAM = re.compile(rb"\x00{2,3}\x01[\x09\x27\x47\x67\x40\x46]")
"""Start of a raw stream: a delimiter or parameters of H.264 or HEVC."""

_OGG_FILMS = (b"\x80theora", b"BBCD", b"\x01video", b"OVP80")
_TS_LENGTHS = ((188, 0), (192, 4), (204, 0))


def starts_like_film(path: Path) -> bool:
    """Return whether a file starts like a film of a known container; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    if head[4:8] in _BOXES:
        return head[4:8] != b"ftyp" or head[8:12] not in _STILLS_AND_SOUND
    if head.startswith(b"RIFF"):
        return head[8:12] in (b"AVI ", b"CDXA")
    if head.startswith(b"OggS"):
        return any(name in head for name in _OGG_FILMS)
    if head.startswith(_FIRST_BYTES) or _RAW_STREAM.match(head):
        return True
    return any(len(head) > 4 * length and set(head[begin::length][:5]) == {0x47} for length, begin in _TS_LENGTHS)
