"""Read from a packet whether other frames refer to its frame, without decoding it.

`video.packet_skipping` calls it. A decoder skips a frame without references to it under `skip_frame=NONREF`, so the
rules are those of libavcodec.
"""

from typing import Any

from fastface.video.codecs.access_units import read_length_bytes, split_units

_H264_SLICES = frozenset({1, 2, 5})
"""Types of slices (ITU-T H.264, table 7-1). Their `nal_ref_idc` is 0 if no frame refers to the picture."""

_HEVC_NOT_REFERRED = frozenset(range(0, 16, 2))
"""Types of slices of sub-layer non-reference pictures (ITU-T H.265, table 7-1)."""
_HEVC_PARAMETERS = 32
"""First type that is no slice."""

_MPEG_PICTURE = b"\0\0\1\0"
"""Start of a picture of MPEG-1 or MPEG-2 (ITU-T H.262, 6.2.3): 10 bits of order, then 3 bits of type."""
_MPEG4_PICTURE = b"\0\0\1\xb6"
"""Start of a picture of MPEG-4 (ISO 14496-2, 6.2.5), followed by 2 bits of type."""
_MPEG_B, _MPEG4_B = 3, 2
_MPEG_HEAD = 6  # bytes from the start code to the end of the type
_MPEG4_HEAD = 5


class ReferenceReader:
    """Read the packets of one stream.

    Args:
        codec: The stream's codec context.
    """

    def __init__(self, codec: Any) -> None:
        self._name = codec.name
        self._length_bytes = read_length_bytes(codec) if codec.name in ("h264", "hevc") else 0

    def is_reference(self, packet: Any) -> bool:
        """Return whether other frames may refer to the packet's frame; true if the packet does not show it."""
        match self._name:
            case "h264":
                return self._is_h264_reference(packet)
            case "hevc":
                return self._is_hevc_reference(packet)
            case "mpeg1video" | "mpeg2video":
                head = _find_head(packet, _MPEG_PICTURE, _MPEG_HEAD)
                return not head or head[5] >> 3 & 7 != _MPEG_B
            case "mpeg4":
                head = _find_head(packet, _MPEG4_PICTURE, _MPEG4_HEAD)
                return not head or head[4] >> 6 != _MPEG4_B
        return True

    def _is_h264_reference(self, packet: Any) -> bool:
        for unit in split_units(packet, self._length_bytes, 1):
            if unit[0] & 31 in _H264_SLICES:
                return unit[0] >> 5 & 3 > 0
        return True

    def _is_hevc_reference(self, packet: Any) -> bool:
        for unit in split_units(packet, self._length_bytes, 1):
            if (kind := unit[0] >> 1 & 63) < _HEVC_PARAMETERS:
                return kind not in _HEVC_NOT_REFERRED
        return True


def _find_head(packet: Any, start: bytes, length: int) -> bytes:
    """Return the first bytes of the first picture in a packet; empty if there is none."""
    content = bytes(packet)
    place = content.find(start)
    head = content[place : place + length] if place >= 0 else b""
    return head if len(head) == length else b""
