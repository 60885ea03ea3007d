"""The nouns that travel between the rooms. Pure: no I/O, nothing of any library but NumPy."""

from fastface.types.answers import Added, Doubt, FramingClass, Gallery, Hits, Span, Target
from fastface.types.bodies import NUM_COLOURS, SCENE_SIZE, Bodies
from fastface.types.faces import ALIGNED_SIZE, DOUBLE_COSINE, PROFILE_YAW, FacePictures, Faces, FloatArray
from fastface.types.gates import BlurGate
from fastface.types.people import Appearance, Person, Portrait, Rank, Tracks
from fastface.types.videos import DecoderName, Geometry, Image, Sampling, Size, Unit, VideoInfo

__all__ = [
    "ALIGNED_SIZE",
    "DOUBLE_COSINE",
    "NUM_COLOURS",
    "PROFILE_YAW",
    "SCENE_SIZE",
    "Added",
    "Appearance",
    "BlurGate",
    "Bodies",
    "DecoderName",
    "Doubt",
    "FacePictures",
    "Faces",
    "FloatArray",
    "FramingClass",
    "Gallery",
    "Geometry",
    "Hits",
    "Image",
    "Person",
    "Portrait",
    "Rank",
    "Sampling",
    "Size",
    "Span",
    "Target",
    "Tracks",
    "Unit",
    "VideoInfo",
]
