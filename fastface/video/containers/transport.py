"""Find holes in an MPEG transport stream: a packet must begin at each multiple of the packets' length (ISO 13818-1)."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastface.video.containers.heads import ElementHeads

_SYNC = 0x47
_LENGTHS = (188, 192, 204)
"""Plain; after four bytes of a time, as on a Blu-ray disc; before sixteen bytes of error correction."""

_ENOUGH = 5
"""Packets in a row that are no chance."""

_CHUNK_PACKETS = 5000
_SEAM_IDENTIFIERS = frozenset({0, 17})
"""Of a table of programs, or of services: a recording begins with one."""


@dataclass(frozen=True, slots=True)
class _Packets:
    """Places of the packets of a transport stream."""

    begin: int  # place of the first sync byte
    length: int  # bytes from one sync byte to the next


def is_stream(heads: ElementHeads) -> bool:
    """Return whether a file is a transport stream from its beginning on."""
    packets = _find_packets(heads)
    return packets is not None and packets.begin in (0, 4)


def _find_packets(heads: ElementHeads, place: int = 0) -> _Packets | None:
    """Find packets that begin within one packet's length of a place; None: nowhere."""
    content = heads.read_bytes(place, _ENOUGH * max(_LENGTHS) + max(_LENGTHS))
    for begin in range(max(_LENGTHS)):
        for length in _LENGTHS:
            syncs = content[begin : begin + _ENOUGH * length : length]
            if len(syncs) == _ENOUGH and syncs.count(_SYNC) == _ENOUGH:
                return _Packets(place + begin, length)
    return None


def is_chain(heads: ElementHeads) -> bool:
    """Return whether packets follow on packets up to the end.

    A recording that was cut within a packet, and another one joined to it, is no hole: it begins with its tables.
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
    """Places at which a packet should begin and none does."""
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
