"""Check that a file is as long as its header says: then it was not cut, whatever duration it declares."""

import os
from fractions import Fraction
from pathlib import Path

from fastface.video.containers import asf, ebml
from fastface.video.containers.flv import last_tag

__all__ = ["duration_of_cut_asf", "has_all_bytes"]

_EBML = b"\x1aE\xdf\xa3"
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""Identifier of an object (Advanced Systems Format specification, 10.2)."""

_FILE_SIZE, _PLAY_DURATION, _PREROLL, _FLAGS = 40, 64, 80, 88
"""Places in the object of file properties (3.2). The duration is in units of 100 ns, the preroll in milliseconds."""
_BROADCAST = 1
_HEAD_BYTES = 64 << 10


def has_all_bytes(path: Path) -> bool:
    """Return whether the size that the header gives is the file's; False where no size is given.

    An FLV has no such size. It ends with the length of its last tag, which a file that was cut does not.
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
    """Seconds that an ASF or WMV file declares that is shorter than its header says; FFmpeg reports none then.

    None: it is another file, or not cut, or was broadcast, when the header is not filled in.
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
    """A number of the object of file properties; 0: there is no such object."""
    place = head.find(_ASF_FILE_PROPERTIES)
    return 0 if place < 0 else int.from_bytes(head[place + offset : place + offset + num_bytes], "little")
