"""Filter packets that show no new picture: messages, delimiters, parameter sets, repeats of the picture before them.

The probe and `video.pyav` call `only_pictures` on all packets. RTMP and RTSP recorders write supplemental messages as
separate samples. Theora and AVI repeat a picture with a packet of no bytes. A decoder makes no frame of these, or
fails, or takes an empty packet for the end of the stream. No picture is lost without them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

import av

_HEAD_BYTES = 4096
"""Number of bytes that usually contain the first slice of a stream with start codes. Otherwise all bytes are read."""

_OTHER_LAYERS = 0xF8
"""Bits of the second byte of an HEVC unit that are zero in the base layer. Only the base layer is decoded."""


class _Content(Enum):
    PICTURE = 2
    PARAMETERS = 1  # the next picture needs them
    NOTHING = 0


def only_pictures(
    packets: Iterator[Any], stream: Any, repeats: Callable[[int], None] = lambda _: None
) -> Iterator[Any]:
    """Yield the packets that contain a picture, and the empty packet that ends the stream.

    Parameter sets in a separate packet are put before the next picture.

    Args:
        packets: Packets in the order of decoding.
        stream: The packets' stream.
        repeats: Called with the pts of a packet that shows the picture before it for longer.
    """
    units = _UNITS.get(stream.codec_context.name)
    length_bytes = read_length_bytes(stream.codec_context) if units is not None else 0
    parameters = b""
    for packet in packets:
        if packet.size == 0:
            if packet.pts is None and packet.dts is None:
                yield packet
            elif packet.pts is not None:
                repeats(packet.pts)
            continue
        content = _Content.PICTURE if units is None else units.classify(packet, length_bytes)
        if content is _Content.PICTURE:
            yield _join(parameters, packet) if parameters else packet
            parameters = b""
        elif content is _Content.PARAMETERS:
            parameters += bytes(packet)


class _Units:
    """Types of a codec's units, by their first byte.

    Args:
        shift: Number of bits of the first byte below the unit's type.
        pictures: Types of slices of a primary picture.
        parameters: Types of parameter sets.
        others: Types that belong to no picture. Any other type may be damage: the decoder must decide.
        other_layers: Bits of the second byte that are zero in the base layer. Only the base layer is decoded.
    """

    def __init__(
        self, shift: int, pictures: Iterable[int], parameters: Iterable[int], others: Iterable[int], other_layers: int
    ) -> None:
        mask = 63 if shift else 31

        def first_bytes(types: Iterable[int]) -> frozenset[int]:
            wanted = frozenset(types)
            return frozenset(byte for byte in range(128) if byte >> shift & mask in wanted)

        self._pictures = first_bytes(pictures)
        self._parameters = first_bytes(parameters)
        self._known = self._pictures | self._parameters | first_bytes(others)
        self._other_layers = other_layers
        base = bytes(byte for byte in self._pictures if not (other_layers and byte & 1))
        self._slice = re.compile(_START_CODE + b"[" + re.escape(base) + b"](.)", re.DOTALL)

    def classify(self, packet: Any, length_bytes: int) -> _Content:
        """Classify a packet. A packet that cannot be parsed counts as a picture: the decoder decides."""
        content = memoryview(packet)
        if not length_bytes:
            return self._classify_marked(content)
        heads: list[bytes] = []
        place, end = 0, len(content)
        while place + length_bytes + 1 < end:
            size = int.from_bytes(content[place : place + length_bytes])
            place += length_bytes
            first = content[place]
            if size < 2 or (first in self._pictures and self._is_base(first, content[place + 1])):
                return _Content.PICTURE
            heads.append(bytes(content[place : place + 1]))
            place += size
        return self._read_kind(heads) if place == end else _Content.PICTURE

    def _classify_marked(self, content: memoryview) -> _Content:
        for part in (content[:_HEAD_BYTES], content):
            for match in self._slice.finditer(part):
                if self._is_base(0, match[1][0]):
                    return _Content.PICTURE
        return self._read_kind(_UNIT.findall(content))

    def _is_base(self, first: int, second: int) -> bool:
        return not (self._other_layers and (first & 1 or second & self._other_layers))

    def _read_kind(self, heads: list[bytes]) -> _Content:
        if not heads or any(head[0] not in self._known for head in heads):
            return _Content.PICTURE
        return _Content.PARAMETERS if any(head[0] in self._parameters for head in heads) else _Content.NOTHING


_START_CODE = re.escape(b"\0\0\1")
_UNIT = re.compile(_START_CODE + b"(.)", re.DOTALL)
_UNITS = {
    # ITU-T H.264, table 7-1
    "h264": _Units(0, (1, 2, 5), (7, 8, 13, 15), (6, 9, 10, 11, 12, 14, 19, 20, 21), 0),
    # ITU-T H.265, table 7-1; 62 and 63 contain the second layer of Dolby Vision
    "hevc": _Units(1, range(32), (32, 33, 34), (*range(35, 41), 62, 63), _OTHER_LAYERS),
}


def split_units(packet: Any, length_bytes: int, most_bytes: int) -> Iterator[bytes]:
    """Yield the first bytes of each unit in a packet of H.264 or HEVC, with the unit's header.

    Args:
        packet: The packet.
        length_bytes: Result of `read_length_bytes`.
        most_bytes: Maximum number of bytes of each unit.
    """
    content = memoryview(packet)
    place, end = 0, len(content)
    if (
        not length_bytes or bytes(content[:4]) == b"\0\0\0\1"
    ):  # some recorders write start codes where lengths are declared
        for match in _UNIT.finditer(content):
            yield bytes(content[match.start(1) : match.start(1) + most_bytes])
        return
    while place + length_bytes < end:
        size = int.from_bytes(content[place : place + length_bytes])
        place += length_bytes
        if size:
            yield bytes(content[place : place + min(size, most_bytes)])
        place += size


def read_length_bytes(codec: Any) -> int:
    """Return the number of length bytes before each unit, by the header (ISO 14496-15); 0 if units have start codes."""
    header = bytes(codec.extradata or b"")
    if not header or header[0] != 1:
        return 0
    place = 4 if codec.name == "h264" else 21
    return (header[place] & 3) + 1 if len(header) > place else 0


def _join(parameters: bytes, packet: Any) -> Any:
    """Return a packet with parameter sets before its picture."""
    made = av.Packet(parameters + bytes(packet))
    made.stream, made.time_base = packet.stream, packet.time_base
    made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
    made.is_keyframe, made.is_corrupt = packet.is_keyframe, packet.is_corrupt
    for data in packet.iter_sidedata():
        made.set_sidedata(data)
    return made
