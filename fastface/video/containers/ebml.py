"""Check that each element of a Matroska or WebM file starts at the end of the element before it.

`mp4_chains` calls it. FFmpeg searches for the next cluster after a hole and reports nothing. If frames after the hole
decode without those in it, as in VP8, no other check detects the loss.
"""

from fastface.video.containers.heads import ElementHeads

_EBML = 0x1A45DFA3
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_IN_SEGMENT = {0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
"""SeekHead, Info, Tracks, Cues, Attachments, Chapters, Tags."""
_IN_CLUSTER = {0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0x5854, 0xAF}
"""Timestamp, SimpleBlock, BlockGroup, PrevSize, Position, SilentTracks, EncryptedBlock."""
_ANYWHERE = {0xEC, 0xBF}
"""Void, CRC-32."""
_OUTSIDE = frozenset({_EBML, _SEGMENT, _CLUSTER, *_IN_SEGMENT})
_KNOWN = frozenset({*_OUTSIDE, *_IN_CLUSTER, *_ANYWHERE})

_HEAD_BYTES = 12


def is_chain(heads: ElementHeads) -> bool:
    """Return whether each element of a Matroska file starts at the end of the element before it (RFC 8794).

    A missing end is not detected: the declared duration shows it. It reads only headers, about a hundred for each
    second of film. If an element extends beyond the end of the file, the rest of the file is read.
    """
    place, cluster = 0, _Cluster()
    while head := heads.read_bytes(place, _HEAD_BYTES):
        identity, num_bytes = read_number(head, keep_marker=True)
        if place == 0 and identity != _EBML:
            return True
        size, num_size_bytes = read_number(head[num_bytes:], keep_marker=False)
        if len(head) < _HEAD_BYTES and len(head) < num_bytes + max(1, num_size_bytes):
            return True  # cut within a header
        inside = identity in (_SEGMENT, _CLUSTER)
        if not inside and (identity not in _KNOWN or num_size_bytes == 0):
            return False
        content = place + num_bytes + num_size_bytes
        is_unknown = size == (1 << 7 * num_size_bytes) - 1
        if not cluster.takes(identity, place, None if is_unknown else content + size):
            return False
        last, place = content, content + (0 if inside else size)
    return place <= heads.num_bytes or not heads.contains(last, _CLUSTER.to_bytes(4))


def read_number(content: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """Return (value, number of bytes) of a variable-length number.

    It has as many leading zero bits as bytes that follow. The number of bytes is 0 if there is no number.
    """
    if not content or content[0] == 0:
        return 0, 0
    length = 9 - content[0].bit_length()
    value = int.from_bytes(content[:length])
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), length


def segment_end(head: bytes) -> int | None:
    """Return the end of the first segment by its header; None for an unknown size or without a segment.

    Args:
        head: The first bytes of the file.
    """
    place = 0
    while place < len(head):
        identity, num_bytes = read_number(head[place:], keep_marker=True)
        size, num_size_bytes = read_number(head[place + num_bytes :], keep_marker=False)
        if not num_bytes or not num_size_bytes:
            return None
        place += num_bytes + num_size_bytes + size
        if identity == _SEGMENT:
            return None if size == (1 << 7 * num_size_bytes) - 1 else place
    return None


class _Cluster:
    """End of the current cluster: its elements end there, and the next element starts there."""

    def __init__(self) -> None:
        self._end: int | None = None

    def takes(self, identity: int, begin: int, end: int | None) -> bool:
        """Return whether an element may lie at bytes [begin, end); None means an unknown end."""
        if self._end is not None and begin == self._end:
            self._end = None
        if self._end is not None and (identity in _OUTSIDE or end is None or end > self._end):
            return False
        if identity == _CLUSTER:
            self._end = end
        return True
