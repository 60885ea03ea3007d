"""Settings of the person network for a process."""

from dataclasses import dataclass
from pathlib import Path

from fastface.backends import ShapeRange
from fastface.models.facts import PersonFamily
from fastface.types import Size

BATCH = 8
"""Most pictures that the network sees at once."""


@dataclass(frozen=True, slots=True)
class PersonNetwork:
    """A network that finds persons, ready to be opened. Small and picklable: it is sent to every process.

    Attributes:
        graph: The graph that `models.graph.prepare_person` made.
        family: What its pictures are placed like.
        canvas: (width, height) of a picture that it takes.
    """

    graph: Path
    family: PersonFamily
    canvas: Size

    @property
    def shapes(self) -> ShapeRange:
        """The shapes that it is given: what TensorRT builds its engine for."""
        width, height = self.canvas
        full = (BATCH, height, width, 3)
        return ShapeRange((1, height, width, 3), full, full)
