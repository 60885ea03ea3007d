"""Detect holes in an ASF or WMV file: all its packets have one length (ASF specification, 5.2).

`mp4_chains` calls `is_chain`; `integrity.duration` uses the identifiers. A missing end is not detected here: the
declared duration shows it.
"""

from fastface.video.containers.heads import ElementHeads

FILE_ID = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""Object identifiers (10.1 and 10.2): 16 bytes, followed by 8 bytes of size."""

_MOST_HEADER_BYTES = 8 << 20
_DATA_HEAD_BYTES = 50
_LEAST_LENGTH, _MOST_LENGTH = 92, 96
"""Offsets of the packet length in the file properties object (3.2)."""

_ENOUGH = 3


def is_chain(heads: ElementHeads) -> bool:
    """Return whether each packet begins like the first ones: with error correction flags and two bytes of its data.

    A missing end is not detected: the declared duration shows it.
    """
    begin = int.from_bytes(heads.read_bytes(16, 8), "little")
    if not 30 <= begin <= _MOST_HEADER_BYTES or heads.read_bytes(begin, 16) != _DATA:
        return True
    header = heads.read_bytes(0, begin)
    place = header.find(_FILE_PROPERTIES)
    length = int.from_bytes(header[place + _LEAST_LENGTH : place + _LEAST_LENGTH + 4], "little")
    if (
        place < 0
        or length < _ENOUGH
        or header[place + _MOST_LENGTH : place + _MOST_LENGTH + 4] != length.to_bytes(4, "little")
    ):
        return True  # packets of several lengths cannot be checked
    end = min(heads.num_bytes, begin + max(_DATA_HEAD_BYTES, int.from_bytes(heads.read_bytes(begin + 16, 8), "little")))
    first = heads.read_bytes(begin + _DATA_HEAD_BYTES, _ENOUGH)
    packets = range(begin + _DATA_HEAD_BYTES, end - length + 1, length)
    if (
        not first[:1]
        or not first[0] & 0x80
        or any(heads.read_bytes(packet, 3) != first for packet in packets[:_ENOUGH])
    ):
        return True  # a writer without error correction
    broken = next((packet for packet in packets if heads.read_bytes(packet, 3) != first), None)
    return broken is None or heads.is_filled(broken)
