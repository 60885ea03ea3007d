"""Sizes that the networks fix."""

__all__ = ["ALIGNED_SIZE"]

ALIGNED_SIZE = 112
"""Side of an aligned face in pixels: what ArcFace networks take."""
