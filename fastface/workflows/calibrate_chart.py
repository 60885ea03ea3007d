"""The chart of a calibration: how alike the same person's and other persons' faces are, and where the limits lie."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fastface.gallery.trials import PhotoTrials, Trials
from fastface.types import FloatArray
from fastface.workflows.calibrate import Calibration

__all__ = ["draw_chart"]

_WIDTH, _PANEL_HEIGHT, _EDGE, _LINE = 1000, 250, 40, 22
_INK, _PAPER, _GRID = (20, 20, 20), (255, 255, 255), (210, 210, 210)
_SAME, _SAME_IN_VIDEO = (40, 140, 90), (110, 190, 60)
_OTHERS = ((200, 80, 60), (150, 90, 170), (210, 150, 40))
_IN_USE, _SUGGESTED = (120, 120, 120), (30, 80, 200)
_LOWEST, _HIGHEST, _BIN = -0.3, 1.0, 0.02

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_Series = tuple[str, FloatArray, tuple[int, int, int]]


def draw_chart(
    calibration: Calibration, photos: PhotoTrials, mates: Mapping[str, Trials], strangers: Mapping[str, Trials]
) -> bytes:
    """Two panels of histograms as PNG: all pairs of photos, and what matching compares, with both thresholds.

    Each histogram is scaled to its own highest bar, since there are many more strangers than mates.

    Args:
        calibration: The limits.
        photos: The photos' comparisons.
        mates: All kinds of comparisons of one person's faces in videos.
        strangers: All kinds of comparisons of different persons.
    """
    panels: list[tuple[str, list[_Series]]] = [
        (
            "pairs of photos",
            [("same person", photos.same_pairs, _SAME), ("different persons", photos.other_pairs, _OTHERS[0])],
        ),
        (
            "each face by itself: the nearest photo of a person",
            [
                ("photo, own person", photos.mates.similarity, _SAME),
                *((kind, trials.similarity, _SAME_IN_VIDEO) for kind, trials in mates.items()),
                *((kind, strangers[kind].similarity, ink) for kind, ink in zip(strangers, _OTHERS, strict=False)),
            ],
        ),
    ]
    heights = [_LINE * (len(series) + 1) + _PANEL_HEIGHT for _, series in panels]
    picture = Image.new("RGB", (_WIDTH, sum(heights) + 3 * _EDGE), _PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=15)
    top = _EDGE // 2
    for (title, series), height in zip(panels, heights, strict=True):
        draw.text((_EDGE, top), title, fill=_INK, font=font)
        for row, (name, cosines, ink) in enumerate(series, start=1):
            y = top + _LINE * row
            draw.rectangle((_EDGE, y + 4, _EDGE + 12, y + 16), fill=ink)
            draw.text((_EDGE + 20, y), f"{name}: {len(cosines)}", fill=_INK, font=font)
        _panel(draw, font, top + height - _PANEL_HEIGHT + _LINE, series)
        _limits(draw, font, top + height - _PANEL_HEIGHT + _LINE, calibration)
        top += height + _EDGE
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _panel(draw: ImageDraw.ImageDraw, font: _Font, top: int, series: list[_Series]) -> None:
    """The axis, and an outline a series."""
    bottom = top + _PANEL_HEIGHT - 2 * _LINE
    for tick in np.arange(-0.2, _HIGHEST + 0.01, 0.1):
        x = _x(tick)
        draw.line((x, top, x, bottom), fill=_GRID)
        draw.text((x - 12, bottom + 4), f"{tick:.1f}", fill=_INK, font=font)
    draw.line((_x(_LOWEST), bottom, _x(_HIGHEST), bottom), fill=_INK)
    edges = np.arange(_LOWEST, _HIGHEST + _BIN / 2, _BIN)
    for _, cosines, ink in series:
        counts, _ = np.histogram(np.clip(cosines, _LOWEST, _HIGHEST), edges)
        heights = bottom - counts / max(1, counts.max()) * (bottom - top - _LINE)
        steps = [(_x(edge), y) for left, y in zip(edges, heights, strict=False) for edge in (left, left + _BIN)]
        draw.line([(_x(_LOWEST), bottom), *steps, (_x(_HIGHEST), bottom)], fill=ink, width=3)


def _limits(draw: ImageDraw.ImageDraw, font: _Font, top: int, calibration: Calibration) -> None:
    """Both thresholds; their words stand on either side, so that they never cover each other."""
    bottom = top + _PANEL_HEIGHT - 2 * _LINE
    in_use, suggested = calibration.in_use.threshold, calibration.suggested.threshold
    for value, name, ink in ((in_use, "in use", _IN_USE), (suggested, "suggested", _SUGGESTED)):
        text = f"{name} {value:.2f}"
        is_left = value < max(in_use, suggested) or (in_use == suggested and name == "in use")
        x = _x(value)
        draw.line((x, top - 4, x, bottom), fill=ink, width=2)
        draw.text((x - 6 - draw.textlength(text, font=font) if is_left else x + 6, top - 6), text, fill=ink, font=font)


def _x(cosine: float) -> float:
    return _EDGE + (cosine - _LOWEST) / (_HIGHEST - _LOWEST) * (_WIDTH - 2 * _EDGE)
