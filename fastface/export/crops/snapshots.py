"""Draw boxes with names and similarities into whole frames.

The export process calls it for snapshots and for boxed videos. Sizes follow the frame's height.
"""

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from fastface.drawing.lettering import lettering
from fastface.export.plan import BoxLabel
from fastface.types import Image

_COLOURS = ((80, 220, 100), (255, 176, 46), (90, 170, 255), (255, 110, 180), (180, 140, 255), (240, 230, 90))
_SMALLEST_FONT = 12


def draw_boxes(picture: Image, labels: list[BoxLabel]) -> Image:
    """Return a copy of a frame with boxes and their texts, in sizes that follow the frame's height.

    Args:
        picture: (H, W, 3) BGR.
        labels: Boxes to draw.
    """
    canvas = PillowImage.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    draw = ImageDraw.Draw(canvas)
    line = max(2, canvas.height // 300)
    size = max(_SMALLEST_FONT, canvas.height // 36)
    for label in labels:
        colour = _COLOURS[label.colour % len(_COLOURS)]
        draw.rectangle(label.box, outline=colour, width=line)
        name, _, similarity = label.text.rpartition(" ")
        font, shown = lettering(name, size, f"person {label.colour + 1}")
        text = f"{shown} {similarity}"
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
        width, height = right - left + 2 * line, bottom - top + 2 * line
        x = min(max(0.0, label.box[0]), max(0.0, canvas.width - width))
        y = label.box[1] - height if label.box[1] >= height else label.box[1]
        draw.rectangle((x, y, x + width, y + height), fill=colour)
        draw.text((x + line - left, y + line - top), text, fill=(0, 0, 0), font=font)
    drawn: Image = np.asarray(canvas)[:, :, ::-1].copy()
    return drawn
