"""Find holes of zeros in a raw H.264 or HEVC stream.

`mp4_chains` calls it. Such a stream has no chain of headers. Bytes that were cut out or overwritten show in the
references of the pictures (`missing_references`), if any refers to them. Zeros always show: three zero bytes occur
only before a start code (ITU-T H.264, 7.4.1 and annex B; and H.265).
"""

import re

from fastface.video.containers.heads import ElementHeads

_PARAMETERS = {b"\x09", b"\x07", b"\x27", b"\x47", b"\x67", b"\x40", b"\x46"}
"""Bytes after the first start code: a delimiter or sequence parameters, of H.264 or of HEVC."""

_FORBIDDEN = re.compile(rb"\x00\x00(?:\x00+[\x02-\xff]|\x02)")
_START = re.compile(rb"\x00{2,3}\x01")
_CHUNK_BYTES = 1 << 20


def is_raw_stream(head: bytes) -> bool:
    """Return whether a file starts like a raw stream."""
    match = _START.match(head)
    return match is not None and head[match.end() : match.end() + 1] in _PARAMETERS


def is_chain(heads: ElementHeads) -> bool:
    """Return whether no zeros end within a unit of the stream; zeros at the end of the file are ignored."""
    place = 0
    while len(content := heads.read_bytes(place, _CHUNK_BYTES)) > 3:
        if _FORBIDDEN.search(content):
            return False
        # Zeros may continue in the next chunk.
        place += len(content) - 3
    return True
