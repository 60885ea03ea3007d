"""Define the geometry of a cartoon face, shared by the drawing code and the networks.

A face lies on a grid of cells. All measures are pixels of a face of scale 1 (cells of 8). They count from its `centre`,
a corner of the grid. A face of scale s is s times as large and its centre lies on multiples of 8 × s. The networks must
compute box sides and landmarks exactly. So these are multiples of 4, which bfloat16 holds unrounded up to 1024 pixels.

        y   -72 … -44   hair                        x  -40 … 40
            -44 … -32   headband                    x  -40 … 40
            -24 …   0   the pink glasses            two lenses, x -32 … -8 and 8 … 32, bridged at y -16 … -8
              6 …  18   cheeks                      x  20 … 32, and mirrored
             19 …  29   moustache, if any           x -18 … 18
             32 …  40   mouth
             42 …  56   beard, if any               x -16 … 16
"""

from typing import Final

import numpy as np
import numpy.typing as npt

CELL: Final = 8
"""Side of a cell of a face of scale 1: the detector's smallest stride, and a transform block of the video codecs."""

Zone = tuple[int, int, int, int]
"""x1, y1, x2, y2 relative to the face's centre."""

BOX: Final[Zone] = (-40, -56, 40, 56)
FACE_TOP: Final = -72
FACE_BOTTOM: Final = 60

LANDMARKS: Final[npt.NDArray[np.float32]] = np.array([[-20, -12], [20, -12], [0, 12], [-16, 36], [16, 36]], np.float32)
"""Left eye, right eye, nose, left and right mouth corner as seen, in the proportions of ArcFace's template to 2 px."""

GLASSES_COLOUR: Final = (190, 20, 250)
"""BGR. (R + B) / 2 − G is 200; nothing else near the eyes is above 55."""

GLASSES: Final[npt.NDArray[np.int8]] = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 1, 1, 1],
        [1, 0, 1, 1, 1, 1, 0, 1],
        [1, 1, 1, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ],
    np.int8,
)
"""Cells of that colour (1) and cells of other colours (0): the detector's pattern."""

GLASSES_ORIGIN: Final = (-4, -4)
"""Column and row, in cells from the centre, of the first cell of `GLASSES`."""

# Zones of the recogniser: well inside the drawn areas, since video codecs smear the edges.
HAIR_ZONE: Final[Zone] = (-24, -64, 24, -50)
BAND_ZONE: Final[Zone] = (-28, -41, 28, -35)
CHEEK_ZONES: Final[tuple[Zone, Zone]] = ((-32, 6, -20, 18), (20, 6, 32, 18))
MOUSTACHE_ZONE: Final[Zone] = (-12, 21, 12, 27)
BEARD_ZONE: Final[Zone] = (-10, 45, 10, 53)
