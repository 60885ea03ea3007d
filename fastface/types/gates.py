"""Gates that reject frames before a network."""

from dataclasses import dataclass

__all__ = ["BlurGate"]


@dataclass(frozen=True, slots=True)
class BlurGate:
    """When a frame is too blurred to look for faces in; see `faces.blur`.

    Attributes:
        threshold: The least variance of the Laplacian of what is sharp.
        tiles: The frame is divided into so many rows and columns; 1 takes it as a whole.
        share: Of the tiles, 0–1, that must be sharp: a portrait before a soft background is not blurred.
    """

    threshold: float
    tiles: int = 1
    share: float = 1.0
