"""Detect holes in an MPEG transport stream: packets must begin at each multiple of their length (ISO 13818-1).

`mp4_chains` calls it. The start of another recording is not a hole: it begins with its tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fastface.video.containers.heads import ElementHeads

_SYNC = 0x47
_LENGTHS = (188, 192, 204)
"""Packet lengths: plain; after four bytes of time (Blu-ray); before sixteen bytes of error correction."""

_ENOUGH = 5
"""Number of packets in a row that cannot be a coincidence."""

_CHUNK_PACKETS = 5000
_SEAM_IDENTIFIERS = frozenset({0, 17})
"""Identifiers of the program table and the service table: a recording begins with one of them."""


@dataclass(frozen=True, slots=True)
class _Packets:
    """Positions of the packets in a transport stream."""

    begin: int  # place of the first sync byte
    length: int  # bytes from one sync byte to the next


def is_stream(heads: ElementHeads) -> bool:
    """Return whether a file is a transport stream from its first bytes."""
    packets = _find_packets(heads)
    return packets is not None and packets.begin in (0, 4)


def _find_packets(heads: ElementHeads, place: int = 0) -> _Packets | None:
    """Find packets that begin within one packet length of `place`; None if there are none."""
    content = heads.read_bytes(place, _ENOUGH * max(_LENGTHS) + max(_LENGTHS))
    for begin in range(max(_LENGTHS)):
        for length in _LENGTHS:
            syncs = content[begin : begin + _ENOUGH * length : length]
            if len(syncs) == _ENOUGH and syncs.count(_SYNC) == _ENOUGH:
                return _Packets(place + begin, length)
    return None


def is_chain(heads: ElementHeads) -> bool:
    """Return whether packets follow each other up to the end.

    The end of a recording within a packet is not a hole if another recording follows: that begins with its tables.
    """
    packets = _find_packets(heads)
    while packets is not None:
        broken = next(_breaks(heads, packets), None)
        if broken is None:
            return True
        packets = _find_packets(heads, broken - packets.length + 1)
        if packets is not None and packets.begin <= broken + packets.length and _is_table(heads, packets.begin):
            continue
        return heads.is_filled(broken)
    return True


def _breaks(heads: ElementHeads, packets: _Packets) -> Iterator[int]:
    """Yield the positions at which a packet should begin and does not."""
    place, length = packets.begin, packets.length
    while content := heads.read_bytes(place, _CHUNK_PACKETS * length):
        syncs = content[::length]
        if syncs.count(_SYNC) < len(syncs):
            wrong = next(index for index, sync in enumerate(syncs) if sync != _SYNC)
            yield place + wrong * length
        place += _CHUNK_PACKETS * length


def _is_table(heads: ElementHeads, place: int) -> bool:
    head = heads.read_bytes(place, 3)
    return int.from_bytes(head[1:3]) & 0x1FFF in _SEAM_IDENTIFIERS
