"""Define a candidate picture of a curated set: its measures, classes and score, and the result. No I/O."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.config import CurateConfig
from fastface.curation.sources import Source
from fastface.faces.wholeness import is_uncut
from fastface.types import Faces, FramingClass, Size

Pose = Literal["frontal", "three-quarter", "profile"]

FRAMINGS: tuple[FramingClass, ...] = ("close-up", "portrait", "half", "full")
"""Framings from near to far."""

_HALF_SHARPNESS = 100.0
"""Variance of the Laplacian with half of the full score, as in a face's quality."""


@dataclass(frozen=True, slots=True)
class PictureMeasures:
    """Measures of a picture as a whole.

    Attributes:
        size: (width, height) in pixels as displayed.
        phash: Perceptual hash, 64 bits.
        sharpness: Variance of the Laplacian of the grey picture, at most 512 pixels long.
        mean: Mean grey within the borders, 0–1.
        crushed: Share of black pixels within the borders, 0–1.
        blown: Share of white pixels within the borders, 0–1.
        border: Share of the picture that is black border.
        text: Share of the width that seems to be lines of text; a hint.
        thumbnail: (96, 96) uint8, the grey picture without its proportions.
    """

    size: Size
    phash: int
    sharpness: float
    mean: float
    crushed: float
    blown: float
    border: float
    text: float
    thumbnail: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """Content of a file, from a child process.

    Attributes:
        measures: Measures of the picture.
        faces: All faces, by descending det_score; boxes in pixels of the picture.
        suffix: Usual suffix of the file's actual format, such as `.jpg`.
        sha256: SHA-256 of the file, in hexadecimal.
    """

    measures: PictureMeasures
    faces: Faces
    suffix: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """The face that determines the judgement of a picture.

    Attributes:
        embedding: (D,) float16, L2-normalised.
        det_score: Detector score, 0–1.
        yaw: Rotation of the head to a side, in degrees.
        sharpness: Variance of the Laplacian of the aligned face.
        share: Height of the box in the picture, as a share of the picture's height (0–1).
        is_uncut: True if the picture shows the whole face.
    """

    embedding: npt.NDArray[np.float16]
    det_score: float
    yaw: float
    sharpness: float
    share: float
    is_uncut: bool = True


@dataclass(slots=True)
class Candidate:
    """A picture that may become part of the set.

    Attributes:
        source: The file.
        looked: Content of the file; None if it cannot be used.
        face: The judged face; None without one.
        similarity: Cosine to the person; None without a comparison.
        framing: Class of the face's share of the height.
        pose: Class of the face's yaw.
        scene: Number of the scene; -1 before scenes are numbered.
        score: Score for the selection.
        reason: Reason for keeping or dropping the picture; empty while that is open.
        remark: Additional remark.
        is_fault: True if the file was meant as a picture and cannot be used.
        name: File name in the set; empty if the picture is not kept.
    """

    source: Source
    looked: ReadPicture | None = None
    face: FaceMeasures | None = None
    similarity: float | None = None
    framing: FramingClass = "full"
    pose: Pose = "frontal"
    scene: int = -1
    score: float = 0.0
    reason: str = ""
    remark: str = ""
    is_fault: bool = False
    name: str = ""

    @property
    def is_open(self) -> bool:
        """Return whether the picture may still be kept."""
        return not self.reason

    @property
    def is_kept(self) -> bool:
        """Return whether the picture is in the set."""
        return bool(self.name)

    @property
    def seen(self) -> ReadPicture:
        """Return the content of the picture; only for a candidate that could be read."""
        assert self.looked is not None, self.source
        return self.looked

    @property
    def portrait(self) -> FaceMeasures:
        """Return the judged face; only for a candidate with a face."""
        assert self.face is not None, self.source
        return self.face


def largest_face(faces: Faces) -> int:
    """Return the row of the face with the largest area; at a tie, the one with the higher det_score."""
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    return int(sides.prod(axis=1).argmax())


def take_face(candidate: Candidate, row: int, settings: CurateConfig) -> None:
    """Set the judged face of a candidate, with its measures, framing and pose."""
    faces, (_, height) = candidate.seen.faces, candidate.seen.measures.size
    top, bottom = (min(max(float(side), 0.0), float(height)) for side in faces.boxes[row, [1, 3]])
    candidate.face = FaceMeasures(
        embedding=faces.embedding[row],
        det_score=float(faces.det_score[row]),
        yaw=float(faces.yaw[row]),
        sharpness=float(faces.sharpness[row]),
        share=(bottom - top) / height,
        is_uncut=bool(is_uncut(faces.boxes[[row]], faces.landmarks[[row]], candidate.seen.measures.size)[0]),
    )
    candidate.framing = classify_framing(candidate.face.share, settings)
    candidate.pose = classify_pose(candidate.face.yaw, settings)


def classify_framing(share: float, settings: CurateConfig) -> FramingClass:
    """Classify a picture by its face's share of the height."""
    limits = (settings.close_up_face, settings.portrait_face, settings.half_face)
    return next((name for name, least in zip(FRAMINGS, limits, strict=False) if share >= least), "full")


def classify_pose(yaw: float, settings: CurateConfig) -> Pose:
    """Classify a head that is turned by `yaw` degrees to either side."""
    if abs(yaw) < settings.frontal_yaw:
        return "frontal"
    return "three-quarter" if abs(yaw) < settings.profile_yaw else "profile"


def exposure(measures: PictureMeasures) -> float:
    """Rate the exposure of a picture, 0–1.

    A parabola of the mean, 1 at middle grey and 0 at black and white, minus the share without detail.
    """
    return 4 * measures.mean * (1 - measures.mean) * max(0.0, 1 - measures.crushed - measures.blown)


def score_candidate(candidate: Candidate, settings: CurateConfig) -> float:
    """Score a picture with a face: the weighted sum of four shares, less the penalties.

    The shares, each 0–1: similarity to the person, sharpness s of the face as s / (s + 100), exposure, det_score.
    """
    measures, face = candidate.seen.measures, candidate.portrait
    return (
        settings.identity * max(0.0, candidate.similarity or 0.0)
        + settings.sharpness * face.sharpness / (face.sharpness + _HALF_SHARPNESS)
        + settings.exposure * exposure(measures)
        + settings.face * face.det_score
        - settings.border_penalty * measures.border
        - settings.text_penalty * measures.text
    )
