"""The chart of a benchmark."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from fastface.commands.bench import Measurement

__all__ = ["draw_chart"]

_WIDTH, _LABEL_WIDTH, _ROW_HEIGHT, _EDGE = 1000, 330, 34, 16
_BAR, _BEST_BAR, _INK, _PAPER = (120, 150, 190), (40, 110, 200), (20, 20, 20), (255, 255, 255)


def draw_chart(measurements: Sequence[Measurement], best: int, title: str) -> bytes:
    """Bars of frames a second, one a combination, as PNG.

    Args:
        measurements: At least one.
        best: Which of them is painted as the best.
        title: Stands above.
    """
    picture = Image.new("RGB", (_WIDTH, 2 * _EDGE + _ROW_HEIGHT * (len(measurements) + 1)), _PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=15)
    draw.text((_EDGE, _EDGE), f"frames a second: {title}", fill=_INK, font=font)
    longest = max(measurement.frames_per_second for measurement in measurements)
    room = _WIDTH - _LABEL_WIDTH - 5 * _EDGE
    for row, measurement in enumerate(measurements):
        top = _EDGE + _ROW_HEIGHT * (row + 1)
        draw.text((_EDGE, top + 6), _label(measurement), fill=_INK, font=font)
        end = _LABEL_WIDTH + room * measurement.frames_per_second / longest
        colour = _BEST_BAR if row == best else _BAR
        draw.rectangle((_LABEL_WIDTH, top + 3, end, top + _ROW_HEIGHT - 5), fill=colour)
        draw.text((end + 6, top + 6), f"{measurement.frames_per_second:.1f}", fill=_INK, font=font)
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _label(measurement: Measurement) -> str:
    chosen = measurement.combination
    return f"{chosen.device}, {chosen.decoders} dec., {chosen.workers} work., batch {chosen.batch}"
