"""Define the settings of the person network for a process.

The main process sends them to workers, which open the network; so they must stay picklable.
"""

from dataclasses import dataclass
from pathlib import Path

from fastface.backends import ShapeRange
from fastface.models.facts import PersonFamily
from fastface.types import Size

BATCH = 8
"""Maximum number of pictures per call of the network."""


@dataclass(frozen=True, slots=True)
class PersonNetwork:
    """A network that finds persons, ready to be opened. Small and picklable: every process receives it.

    Attributes:
        graph: The graph that `models.graph.prepare_person` made.
        family: Family, which decides the layout of its pictures.
        canvas: (width, height) of its input in pixels.
    """

    graph: Path
    family: PersonFamily
    canvas: Size

    @property
    def shapes(self) -> ShapeRange:
        """Return the input shapes, for which TensorRT builds its engine."""
        width, height = self.canvas
        full = (BATCH, height, width, 3)
        return ShapeRange((1, height, width, 3), full, full)
