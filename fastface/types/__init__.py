"""The nouns that travel between the rooms. Pure: no I/O, nothing of any library but NumPy."""

from fastface.types.answers import (
    HIT_KINDS,
    ClipCut,
    FramingClass,
    Gallery,
    GrownReference,
    HitKind,
    Hits,
    NearMiss,
    Span,
    SpanRow,
    Target,
)
from fastface.types.bodies import NUM_COLOURS, Bodies
from fastface.types.faces import ALIGNED_SIZE, DOUBLE_COSINE, PROFILE_YAW, Faces, FloatArray, RowTable, Thumbnails
from fastface.types.frames import SIGNATURE_SIZE, SampledFrames
from fastface.types.gates import BlurGate
from fastface.types.looks import LOOKS_VERSION, SecondLooks
from fastface.types.people import Appearance, Person, Portrait, Rank, Tracks
from fastface.types.tracks import FaceTracks
from fastface.types.videos import DecoderName, Geometry, Image, Sampling, Size, Unit, VideoInfo

__all__ = [
    "ALIGNED_SIZE",
    "DOUBLE_COSINE",
    "HIT_KINDS",
    "LOOKS_VERSION",
    "NUM_COLOURS",
    "PROFILE_YAW",
    "SIGNATURE_SIZE",
    "Appearance",
    "BlurGate",
    "Bodies",
    "ClipCut",
    "DecoderName",
    "FaceTracks",
    "Faces",
    "FloatArray",
    "FramingClass",
    "Gallery",
    "Geometry",
    "GrownReference",
    "HitKind",
    "Hits",
    "Image",
    "NearMiss",
    "Person",
    "Portrait",
    "Rank",
    "RowTable",
    "SampledFrames",
    "Sampling",
    "SecondLooks",
    "Size",
    "Span",
    "SpanRow",
    "Target",
    "Thumbnails",
    "Tracks",
    "Unit",
    "VideoInfo",
]
