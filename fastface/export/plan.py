"""Define the contents of export jobs: file names of clips, labels of boxes, styles and facts of crops. Pure.

The planners in the coordinator and the export processes both import it. A change of a style's fields gives new keys:
the files are then made again.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from fastface.config import BodyConfig
from fastface.names import label_name
from fastface.types import Size

ClipMode = Literal["copy", "precise", "smart"]
CropKind = Literal["face", "aligned", "body"]


def clip_name(label: str, labels: Collection[str], start: float, end: float, kind: str = "") -> str:
    """Name the clip of a span, or another file of it by `kind`. The same span always has the same name."""
    return f"{label_name(label, labels)}_{start:.3f}-{end:.3f}{kind}.mp4"


@dataclass(frozen=True, slots=True)
class BoxLabel:
    """A box to draw (x1, y1, x2, y2 in pixels of the frame), its text, and the number of its colour."""

    box: tuple[float, float, float, float]
    text: str
    colour: int = 0


@dataclass(frozen=True, slots=True)
class CropStyle:
    """Form of a crop.

    Attributes:
        kind: `face`: a square of the frame around the face; `aligned`: turned upright by the landmarks and scaled;
            `body`: the person, in one of the ratios.
        margin: Margin on each side of a face, as a share of its size.
        size: Side of an aligned crop in pixels; other kinds keep the frame's pixels.
        ratios: Width to height of a body crop, as `2:3`; the best is taken.
        body: Weights and limits for the framing of a body crop.
        scaled: (width, height) that crops are scaled to; None keeps the frame's pixels.
    """

    kind: CropKind
    margin: float
    size: int
    ratios: tuple[str, ...]
    body: BodyConfig
    scaled: Size | None = None


@dataclass(frozen=True, slots=True)
class CropFacts:
    """Facts about a crop that are known only after its frame is decoded.

    Attributes:
        crop: x1, y1, x2, y2 in whole pixels of the frame as displayed; None for an aligned crop.
        ratio: Width to height, as `2:3`.
        person: Box of the body; None without a search for bodies.
        is_estimate: True if that box was inferred from the face.
        framing: Framing class of a body crop; else empty.
        score: Score of a body crop, lower is better; else None.
        parts: {name: part of that score before its weight}.
    """

    crop: tuple[int, int, int, int] | None = None
    ratio: str = "1:1"
    person: tuple[float, float, float, float] | None = None
    is_estimate: bool = False
    framing: str = ""
    score: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)

    def to_facts(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {**asdict(self), "parts": dict(self.parts)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Parse the result of `to_facts`. Empty facts mean that the process ended too early: an unknown ratio."""
        if not facts:
            return cls(ratio="")
        crop, person = facts["crop"], facts["person"]
        return cls(**{**facts, "crop": crop and tuple(crop), "person": person and tuple(person)})
