"""When a face, or a track, is a target's."""

from dataclasses import dataclass, replace
from typing import Self

__all__ = ["Limits", "TrackRule"]


@dataclass(frozen=True, slots=True)
class TrackRule:
    """When a track as a whole is a target's.

    Attributes:
        faces: How many of a track's faces decide together: those of the best quality.
        least: Faces that a track needs to have any hit.
        review: A track that is no hit, and as like as this below the threshold, is a doubt.
    """

    faces: int = 3
    least: int = 1
    review: float = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """Cosines between which a face is a target's.

    Attributes:
        enter: Smallest that begins hits.
        exit: Smallest that goes on; at most `enter`.
        margin: Least lead over every other target and lookalike at the beginning.
        tracks: When a track as a whole is a target's; None leaves each face to itself and its neighbours.
    """

    enter: float
    exit: float
    margin: float
    tracks: TrackRule | None = None

    @property
    def floor(self) -> float:
        """Below it no cosine matters: what is less like is neither a hit nor a doubt."""
        return self.exit if self.tracks is None else min(self.exit, self.enter - self.tracks.review)

    def lowered(self, by: float) -> Self:
        """The same for what is nearly a target's."""
        return replace(self, enter=self.enter - by, exit=self.exit - by, margin=max(0.0, self.margin - by))
