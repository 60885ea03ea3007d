"""Convert the colour tags of a frame to arguments for swscale.

`planes`, `display_frames` and the encoders of clips call it before each `reformat`. For some tags swscale raises an
error, even in the middle of a film. So only tags that it converts are passed on.
"""

from typing import Any

from av.video.reformatter import ColorPrimaries, ColorTrc

_BT709, _BT601 = 1, 5
_RGB, _UNSPECIFIED = 0, 2
_UNDERSTOOD = frozenset([_RGB, _BT709, 4, _BT601, 6, 7, 9])
"""Matrices of ITU-T H.273 that swscale converts: RGB, BT.709, FCC, BT.601 by two names, SMPTE 240M, BT.2020."""
_HD_HEIGHT = 720
_PQ, _HLG = 16, 18


def yuv_matrix(frame: Any) -> int:
    """Return the matrix for the conversion of a frame; without a tag, the matrix that players assume for its height.

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
    """Return the matrix that players assume without a tag: BT.709 for large pictures, BT.601 for small ones."""
    return _BT709 if height >= _HD_HEIGHT else _BT601


def tone_mapping(frame: Any) -> dict[str, int]:
    """Return the arguments of `reformat` that convert a frame of high dynamic range for an ordinary screen.

    PQ stores absolute luminance, and swscale maps it. HLG is made for ordinary screens, and mapping it burns out bright
    skies. So only its wider range of colours is converted.
    """
    transfer = int(frame.color_trc)
    if transfer == _PQ:
        return {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}
    if transfer == _HLG:
        return {"dst_color_primaries": ColorPrimaries.BT709}
    return {}


def is_rgb(frame: Any) -> bool:
    """Return whether the pixels of a frame are RGB or palette colours: such frames have no matrix."""
    return bool(frame.format.is_rgb or frame.format.has_palette)
