"""The sections of the settings that say how videos are scanned, searched and exported."""

from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from fastface.config.values import (
    Cards,
    ClockTime,
    DetSize,
    Pad,
    Paths,
    PictureSize,
    Ratios,
    Seconds,
    Section,
    Similarity,
)
from fastface.types import DecoderName, Rank, Sampling

__all__ = [
    "ExportConfig",
    "GrowthConfig",
    "MatchConfig",
    "ModelsConfig",
    "PeopleConfig",
    "ReferencesConfig",
    "RunConfig",
    "ScanConfig",
    "SpansConfig",
]


class ScanConfig(Section):
    """Choice of frames to search, and number of processes."""

    sample_fps: float = Field(5.0, ge=0.001, le=240, description="Frames searched in each second of video.")
    every_frame: bool = Field(False, description="Search every frame, whatever --sample-fps says.")
    keyframes: bool = Field(
        False, description="Search keyframes first, and more only near a possible hit: fast, but may miss some."
    )
    det_size: DetSize = Field(
        "auto",
        description="Size at which faces are detected: auto (640 on the long side) or WxH. Larger finds smaller faces.",
    )
    det_threshold: float = Field(0.5, gt=0, lt=1, description="Minimum detector score of a face.")
    weak_threshold: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="Minimum detector score of other faces of a track with a clear one: turned, blurred faces.",
    )
    min_face: int = Field(16, ge=1, le=4096, description="Minimum width and height of a face, in pixels of the video.")
    close_ups: bool = Field(
        True, description="Search frames without a face again at half the size, for faces that fill the frame."
    )
    turned_faces: bool = Field(
        True, description="Also turn doubtful faces: for lying heads, and films that are sideways or upside down."
    )
    min_sharpness: float = Field(
        0.0, ge=0, le=100_000, description="Minimum sharpness of a face (variance of the Laplacian); 0 keeps all."
    )
    blur_gate: Literal["none", "global", "grid"] = Field(
        "none",
        description="Leave out blurred frames: none, global (by the whole frame), grid (by the share of sharp tiles).",
    )
    blur_threshold: float = Field(
        120.0, gt=0, le=100_000, description="Minimum sharpness (variance of the Laplacian) of a sharp frame or tile."
    )
    blur_tiles: int = Field(4, ge=1, le=16, description="Rows and columns of the grid.")
    blur_share: float = Field(0.25, gt=0, le=1, description="Minimum share of tiles of the grid that are sharp.")
    track: Literal["faces", "persons"] = Field(
        "faces",
        description="What to follow: faces, or persons (also turned away; half as fast, needs a person network).",
    )
    decoder: DecoderName = Field(
        "pyav",
        description="Decoder: pyav, nvdec (on a card; pyav for what the card cannot), auto (nvdec if installed).",
    )
    batch: int = Field(0, ge=0, le=64, description="Frames per batch; 0 chooses for the device.")
    decoders: int = Field(0, ge=0, le=64, description="Decoder processes; 0 chooses for the machine.")
    workers: int = Field(0, ge=0, le=64, description="Inference processes; 0 chooses for the machine.")
    ring_mb: int = Field(0, ge=0, le=262144, description="Shared memory for frames in MiB; 0 chooses.")
    unit_seconds: float = Field(60.0, ge=1, le=86400, description="Length of the parts that are decoded separately.")
    copies: bool = Field(False, description="Also scan copies of a film, which are otherwise searched once.")
    max_pixels: int = Field(
        100_000_000, ge=1, description="Maximum size of a frame, in pixels; larger ones are refused."
    )
    portrait_mb: float = Field(
        8.0, ge=0, le=4096, description="Maximum MiB of small pictures of faces kept per video; 0 keeps none."
    )

    @property
    def lowest_score(self) -> float:
        """The minimum detector score of any face."""
        return min(self.weak_threshold, self.det_threshold)

    @property
    def sampling(self) -> Sampling:
        """The sampling that the two keys ask for; the period is exact for rates of up to three decimals."""
        if self.every_frame:
            return Sampling(None)
        return Sampling(1 / Fraction(self.sample_fps).limit_denominator(1000), self.keyframes)

    @model_validator(mode="after")
    def _one_sampling(self) -> Self:
        if self.every_frame and self.keyframes:
            raise ValueError("every_frame and keyframes exclude each other: give one of them")
        return self


class MatchConfig(Section):
    """When a face is a target's."""

    false_tracks: float = Field(
        0.1,
        gt=0,
        le=1000,
        description="Accepted number of false tracks in all videos for all persons together; sets the threshold.",
    )
    threshold: Similarity | None = Field(
        None,
        description="Minimum similarity to the photos, instead of the one that follows from --false-tracks.",
    )
    exit_threshold: Similarity | None = Field(
        None,
        description="If match.tracks is off: minimum similarity that continues a hit; default: threshold - 0.05.",
    )
    margin: float = Field(0.05, ge=0, le=2, description="Minimum lead over every other person and every --not.")
    tracks: bool = Field(True, description="Decide whole tracks by all their faces; off: decide each face alone.")
    min_faces: int = Field(1, ge=1, le=1000, description="Minimum number of faces of a track.")
    review: float = Field(0.08, ge=0, le=1, description="List tracks up to this far below the threshold in review.csv.")
    allow_faults: bool = Field(
        False, description="Continue if a person has no usable photo, or if two persons have the same face."
    )
    lookalikes: Paths = Field(
        (),
        alias="not",
        description="Photos, NAME=PATH or banks of lookalikes: persons who must not be taken for the wanted ones.",
    )

    @model_validator(mode="after")
    def _tracks_for_their_faces(self) -> Self:
        if self.min_faces > 1 and not self.tracks:
            raise ValueError("min_faces counts the faces of a track: switch tracks on")
        return self


class ReferencesConfig(Section):
    """How photos become references."""

    faces: Literal["auto", "largest", "only"] = Field(
        "auto",
        description="Which of several faces in a photo: auto (the most similar to the other photos, else a far "
        "larger one), largest, or only (refuse such photos).",
    )
    flip: bool = Field(False, description="Also use the mirror image of each photo.")
    jitter: int = Field(
        0, ge=0, le=100, description="Also use this many slightly turned, scaled and moved copies of each photo."
    )


class GrowthConfig(Section):
    """Faces of the index that become references beside the photos."""

    grow: bool = Field(True, description="Also use sure finds in the videos as references.")
    add_threshold: Similarity | None = Field(
        None, description="Minimum similarity to the photos of such a sure find; default: the threshold."
    )
    add_quality: float = Field(0.5, ge=0, le=1, description="Minimum quality of such a face.")
    max_added: int = Field(64, ge=1, le=4096, description="Maximum number of such faces per person.")


class SpansConfig(Section):
    """How hits become spans."""

    pad: Pad = Field((1.0, 1.0), description="Seconds added before and after each span.")
    merge_gap: Seconds = Field(2.0, description="Join hits that are closer than this many seconds.")
    min_span: Seconds = Field(0.0, description="Drop spans shorter than this many seconds, before padding.")
    exact: bool = Field(False, description="Find the start and end of each span to the frame.")


class ExportConfig(Section):
    """Files to make of the spans."""

    clips: Literal["none", "copy", "precise"] = Field(
        "copy", description="Clips: none, copy (fast, starts at a keyframe), precise (to the frame, re-encoded)."
    )
    crops: Literal["none", "face", "aligned", "body"] = Field(
        "face", description="Pictures of the persons: none, face, aligned (upright face), body."
    )
    crop_size: int = Field(256, ge=32, le=1024, description="Side of an aligned crop in pixels.")
    crop_margin: float = Field(0.3, ge=0, le=3, description="Margin around a face, as a share of its size.")
    crop_format: Literal["jpg", "png"] = Field("jpg", description="File format of crops and snapshots.")
    ratio: Ratios = Field(
        ("2:3",), description="Width to height of body crops, as 2:3,1:1, from 1:4 to 4:1; the best is chosen."
    )
    min_shown: float = Field(0.75, ge=0, le=1, description="Minimum visible share of a face for a crop; 0 accepts all.")
    min_gap: Seconds = Field(1.5, description="At most one crop of a person in this many seconds: the best.")
    max_crops: int = Field(
        0, ge=0, le=10_000, description="Maximum number of crops of a person per video; 0 is no limit."
    )
    diversity: float = Field(
        0.25, ge=0, le=1, description="Weight of diversity against quality when --max-crops limits the choice."
    )
    count: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Number of crops of a person over all videos: min_gap gives way if there are fewer; 0: no number.",
    )
    size: PictureSize = Field(None, description="Scale crops to WxH; body crops are cut in that ratio.")
    snapshots: bool = Field(False, description="Also save the whole frame of each span's best moment.")
    boxes: bool = Field(False, description="Also write a copy of each span with boxes, names and similarities in it.")
    replace: bool = Field(
        False,
        description="Remove the previous answer about other persons instead of moving it to OUT/earlier.",
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.crops == "none" and (self.size is not None or self.count):
            raise ValueError(
                f"{'count' if self.count else 'size'}: no crops are made: add --crops face or --crops body"
            )
        if self.size is not None and self.crops in ("face", "aligned") and self.size[0] != self.size[1]:
            width, height = self.size
            raise ValueError(f"size: {width}x{height} is no square, and crops of faces are: add --crops body")
        return self


class PeopleConfig(Section):
    """Linking of tracks to persons, and the persons to list."""

    min_faces: int = Field(3, ge=1, le=1_000_000, description="List only persons with at least this many faces.")
    min_seconds: Seconds = Field(2.0, description="Also list persons whose body alone is seen for this many seconds.")
    link_threshold: Similarity | None = Field(
        None,
        description="Minimum similarity of two groups of tracks of one person; default: that of the network.",
    )
    top: int = Field(0, ge=0, le=1_000_000, description="List only the first persons by rank; 0 lists all.")
    rank: Rank = Field("seconds", description="Order: seconds (screen time), coverage, centrality, quality.")
    min_quality: float = Field(
        0.35,
        ge=0,
        le=1,
        description="Minimum face quality of a track; poorer ones are similar to everyone and are left out.",
    )
    clear_score: float = Field(
        0.6,
        ge=0,
        le=1,
        description="Minimum mean detector score of the best faces of a track for a person to be listed.",
    )
    join_gap: Seconds = Field(2.0, description="Join appearances of a person that are at most this many seconds apart.")
    portraits: int = Field(6, ge=1, le=64, description="Maximum number of pictures of a person.")
    video: bool = Field(False, description="Also write a copy of each video with every person's box and number in it.")
    store: str = Field(
        "", description="Where persons and names are kept: a SQLite file or redis://…; default: in the output folder."
    )
    refine_limit: int = Field(
        30, ge=1, le=100_000, description="Stop updating the centroid of an identity after this many embeddings."
    )


class RunConfig(Section):
    """How the run as a whole behaves."""

    fresh: bool = Field(False, description="Start over: remove the index and the exports of OUT, then scan again.")
    until: ClockTime = Field(None, description="Stop at this time of day, as 06:30; the same command continues.")
    max_hours: float | None = Field(
        None, gt=0, le=8784, description="Stop after this many hours; the same command continues."
    )

    def seconds_left(self, now: datetime | None = None) -> float | None:
        """Seconds that a run that begins now may last; None where it is given no end.

        Args:
            now: The time, without a zone: it is the machine's own; default: now.
        """
        limits = [] if self.max_hours is None else [self.max_hours * 3600]
        if self.until is not None:
            now = (now or datetime.now()).astimezone()
            # The zone's offset is that of the end, which is another one in the nights when clocks change.
            ends = (datetime.combine(now.date() + timedelta(days), self.until).astimezone() for days in (0, 1, 2))
            limits.append(next((end - now).total_seconds() for end in ends if end > now))
        return min(limits, default=None)


class ModelsConfig(Section):
    """Choice of networks and device."""

    folder: Path | None = Field(
        None, alias="dir", description="Folder with the networks: a folder of packs, or one pack."
    )
    pack: str | None = Field(None, description="Pack of networks; default: the best installed one.")
    detector: str | None = Field(None, description="Detector to use instead of that of the pack.")
    recogniser: str | None = Field(None, description="Recogniser to use instead of that of the pack.")
    person_model: str | None = Field(
        None, description="Person network; default: from the folder 'person', or the pack."
    )
    device: Literal["auto", "cpu", "cuda", "tensorrt", "openvino"] = Field(
        "auto", description="Device that runs the networks."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Precision of the networks; auto: the fastest that gives the same results.",
    )
    devices: Cards = Field((), description="Numbers of the NVIDIA cards to use, as 0,1; default: 0.")
    cuda_graphs: bool = Field(True, description="Replay CUDA graphs where that is exact and faster.")
