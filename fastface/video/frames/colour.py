"""Map a frame's colour tags to swscale's, which refuses some of them with an error in the middle of a film."""

from typing import Any

from av.video.reformatter import ColorPrimaries, ColorTrc

_BT709, _BT601 = 1, 5
_RGB, _UNSPECIFIED = 0, 2
_UNDERSTOOD = frozenset([_RGB, _BT709, 4, _BT601, 6, 7, 9])
"""Matrices of ITU-T H.273 that swscale converts: RGB, BT.709, FCC, BT.601 by two names, SMPTE 240M, BT.2020."""
_HD_HEIGHT = 720
_PQ, _HLG = 16, 18


def yuv_matrix(frame: Any) -> int:
    """The matrix to convert a frame by; where the file does not say, that which players assume by its height.

    Args:
        frame: An `av.VideoFrame`.

    Returns:
        A number that `reformat` takes as `src_colorspace`.
    """
    named = int(frame.colorspace)
    if named in _UNDERSTOOD:
        return named
    return matrix_by_size(frame.height)


def matrix_by_size(height: int) -> int:
    """The matrix that players assume where a file does not say: BT.709 of large pictures, BT.601 of small ones."""
    return _BT709 if height >= _HD_HEIGHT else _BT601


def tone_mapping(frame: Any) -> dict[str, int]:
    """Arguments for `reformat` that bring a frame of high dynamic range to what an ordinary screen shows.

    PQ holds absolute luminance and is mapped by swscale. HLG was made to be seen on ordinary screens as it is: mapping
    it burns out bright skies, so that only its wider range of colours is converted.
    """
    transfer = int(frame.color_trc)
    if transfer == _PQ:
        return {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}
    if transfer == _HLG:
        return {"dst_color_primaries": ColorPrimaries.BT709}
    return {}


def is_rgb(frame: Any) -> bool:
    """Return whether a frame's pixels are RGB or of a palette: such frames have no matrix of their own."""
    return bool(frame.format.is_rgb or frame.format.has_palette)
