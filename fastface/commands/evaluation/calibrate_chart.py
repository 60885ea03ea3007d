"""Draw the chart of a calibration: evidence for the own person and for others, and the risk by threshold."""

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fastface.commands.evaluation.calibrate import Calibration
from fastface.gallery.trials import Trials
from fastface.types import FloatArray

_WIDTH, _PANEL_HEIGHT, _EDGE, _LINE = 1000, 300, 60, 22
_INK, _PAPER, _GRID = (20, 20, 20), (255, 255, 255), (215, 215, 215)
_MATES = ((40, 140, 90), (120, 190, 60))
_OTHERS = ((200, 80, 60), (150, 90, 170))
_USUAL, _HERE, _BAND = (120, 120, 120), (30, 80, 200), (205, 218, 245)
_RISK = (200, 80, 60)
_LOWEST, _HIGHEST, _BIN = -0.3, 1.0, 0.02
_LEAST_RISK, _MOST_RISK = -4, 3
"""Lowest and highest decade of the risk's axis, as powers of ten."""

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_Ink = tuple[int, int, int]
_Series = tuple[str, FloatArray, _Ink]


def draw_chart(calibration: Calibration, mates: Mapping[str, Trials], strangers: Mapping[str, Trials]) -> bytes:
    """Draw two panels as PNG: histograms of the evidence, and the expected false tracks as a function of the threshold.

    Each histogram is scaled to its own highest bar, since there are many more strangers than mates.

    Args:
        calibration: Limits and risk.
        mates: Kinds of comparisons with the own person.
        strangers: Kinds of comparisons with other persons.
    """
    series: list[_Series] = []
    for kinds, inks in ((mates, _MATES), (strangers, _OTHERS)):
        filled = {kind: trials for kind, trials in kinds.items() if len(trials)}
        series += [(kind, trials.evidence, ink) for (kind, trials), ink in zip(filled.items(), inks, strict=False)]
    above = _LINE * (len(series) + 2)
    height = 2 * _PANEL_HEIGHT + above + 4 * _LINE + 2 * _EDGE
    picture = Image.new("RGB", (_WIDTH, height), _PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=15)
    top = _EDGE // 3
    _legend(draw, font, top, "evidence of photos and tracks, on the scale of a cosine", series)
    _histograms(draw, font, top + above, series)
    _thresholds(draw, font, top + above, calibration)
    top += above + _PANEL_HEIGHT + _EDGE
    title = f"false tracks expected in a question of {calibration.pairs} comparisons, by threshold"
    known: list[tuple[str, _Ink]] = [("as measured for this network", _USUAL)]
    if any(point.here is not None for point in calibration.risk):
        known.append((f"as {calibration.judged!r} has it here, with the interval of 95 %", _HERE))
    _legend(draw, font, top, title, [(name, None, ink) for name, ink in known])
    _risk(draw, font, top + 4 * _LINE, calibration)
    _thresholds(draw, font, top + 4 * _LINE, calibration)
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _legend(
    draw: ImageDraw.ImageDraw, font: _Font, top: int, title: str, entries: Sequence[tuple[str, FloatArray | None, _Ink]]
) -> None:
    draw.text((_EDGE, top), title, fill=_INK, font=font)
    for row, (name, values, ink) in enumerate(entries, start=1):
        y = top + _LINE * row
        draw.rectangle((_EDGE, y + 4, _EDGE + 12, y + 16), fill=ink)
        text = name if values is None else f"{name}: {len(values)}"
        draw.text((_EDGE + 20, y), text, fill=_INK, font=font)


def _axis(draw: ImageDraw.ImageDraw, font: _Font, top: int) -> int:
    """Draw the ticks of the evidence; return the vertical position of the axis."""
    bottom = top + _PANEL_HEIGHT - _LINE
    for tick in np.arange(-0.3, _HIGHEST + 0.01, 0.1):
        x = _x(tick)
        draw.line((x, top, x, bottom), fill=_GRID)
        draw.text((x - 12, bottom + 4), f"{tick:.1f}", fill=_INK, font=font)
    draw.line((_x(_LOWEST), bottom, _x(_HIGHEST), bottom), fill=_INK)
    return bottom


def _histograms(draw: ImageDraw.ImageDraw, font: _Font, top: int, series: list[_Series]) -> None:
    """Draw one outline for each series."""
    bottom = _axis(draw, font, top)
    edges = np.arange(_LOWEST, _HIGHEST + _BIN / 2, _BIN)
    for _, values, ink in series:
        counts, _ = np.histogram(np.clip(values, _LOWEST, _HIGHEST), edges)
        heights = bottom - counts / max(1, counts.max()) * (bottom - top - _LINE)
        steps = [(_x(edge), y) for left, y in zip(edges, heights, strict=False) for edge in (left, left + _BIN)]
        draw.line([(_x(_LOWEST), bottom), *steps, (_x(_HIGHEST), bottom)], fill=ink, width=3)


def _risk(draw: ImageDraw.ImageDraw, font: _Font, top: int, calibration: Calibration) -> None:
    """Draw the risk curves on a logarithmic scale, and the accepted risk."""
    bottom = _axis(draw, font, top)

    def scale_y(expected: float) -> float:
        decade = min(max(math.log10(max(expected, 1e-12)), _LEAST_RISK), _MOST_RISK)
        return bottom - (decade - _LEAST_RISK) / (_MOST_RISK - _LEAST_RISK) * (bottom - top)

    for decade in range(_LEAST_RISK, _MOST_RISK + 1):
        y = scale_y(10.0**decade)
        draw.line((_x(_LOWEST), y, _x(_HIGHEST), y), fill=_GRID)
        draw.text((8, y - 9), f"{10.0**decade:g}", fill=_INK, font=font)
    here = [(_x(point.threshold), point.here) for point in calibration.risk if point.here is not None]
    if here:
        upper, lower = [(x, scale_y(rate.high)) for x, rate in here], [(x, scale_y(rate.low)) for x, rate in here]
        draw.polygon([*upper, *reversed(lower)], fill=_BAND)
    draw.line([(_x(point.threshold), scale_y(point.usual)) for point in calibration.risk], fill=_USUAL, width=3)
    draw.line([(x, scale_y(rate.value)) for x, rate in here], fill=_HERE, width=3)
    y = scale_y(calibration.false_tracks)
    draw.line((_x(_LOWEST), y, _x(_HIGHEST), y), fill=_RISK, width=2)
    text = f"the risk: {calibration.false_tracks:g}"
    draw.text((_x(_HIGHEST) - draw.textlength(text, font=font), y - 20), text, fill=_RISK, font=font)


def _thresholds(draw: ImageDraw.ImageDraw, font: _Font, top: int, calibration: Calibration) -> None:
    """Draw both thresholds, or only the current one if it stays; labels on opposite sides never overlap."""
    bottom = top + _PANEL_HEIGHT - _LINE
    in_use, suggested = calibration.in_use.threshold, calibration.suggested.threshold
    lines = [(in_use, "in use", _USUAL)] + [(suggested, "suggested", _HERE)] * (suggested != in_use)
    for value, name, ink in lines:
        text = f"{name} {value:.2f}"
        x = _x(value)
        is_left = value == min(in_use, suggested)
        draw.line((x, top - 4, x, bottom), fill=ink, width=2)
        place = x - 6 - draw.textlength(text, font=font) if is_left else x + 6
        draw.text((place, top - _LINE + 2), text, fill=ink, font=font)


def _x(evidence: float) -> float:
    return _EDGE + (evidence - _LOWEST) / (_HIGHEST - _LOWEST) * (_WIDTH - 2 * _EDGE)
