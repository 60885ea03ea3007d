"""The sections of the settings that say how videos are scanned, searched and exported."""

from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from fastface.config.values import Cards, ClockTime, DetSize, Pad, Paths, Ratios, Seconds, Section, Similarity
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
    """Which frames are looked at, and by how many processes."""

    sample_fps: float = Field(5.0, ge=0.001, le=240, description="Frames looked at in a second of video.")
    every_frame: bool = Field(False, description="Look at every frame; sample_fps is ignored.")
    keyframes: bool = Field(
        False, description="Look at keyframes first, and at sample_fps only where a target nearly is: fast, may miss."
    )
    det_size: DetSize = Field(
        "auto", description="Detector canvas: auto (640 on the long side, the video's aspect) or WxH."
    )
    det_threshold: float = Field(0.5, gt=0, lt=1, description="Smallest detector score of a face.")
    weak_threshold: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="Minimum detector score of a face in a track that has one of det_threshold: turned, blurred faces.",
    )
    min_face: int = Field(16, ge=1, le=4096, description="Smallest width and height of a face, in pixels of the video.")
    close_ups: bool = Field(
        True, description="Search frames without a face again at half the scale: faces that fill the frame."
    )
    turned_faces: bool = Field(
        True, description="Look at doubtful faces turned too: lying heads, films that are sideways or upside down."
    )
    min_sharpness: float = Field(
        0.0, ge=0, le=100_000, description="Smallest sharpness of a face (variance of the Laplacian); 0 keeps all."
    )
    blur_gate: Literal["none", "global", "grid"] = Field(
        "none",
        description="Leave out blurred frames: none, global (judged as a whole), grid (by the share of its tiles).",
    )
    blur_threshold: float = Field(
        120.0, gt=0, le=100_000, description="Variance of the Laplacian from which a frame or a tile is sharp."
    )
    blur_tiles: int = Field(4, ge=1, le=16, description="Rows and columns of the grid.")
    blur_share: float = Field(0.25, gt=0, le=1, description="Share of the grid's tiles that must be sharp.")
    track: Literal["faces", "persons"] = Field(
        "faces",
        description="What is followed: faces, or persons (by a person network: also who turns away; half as fast).",
    )
    decoder: DecoderName = Field(
        "pyav", description="What decodes: pyav, nvdec (a card; PyAV what it cannot), auto (nvdec if installed)."
    )
    batch: int = Field(0, ge=0, le=64, description="Frames a batch; 0 chooses for the device.")
    decoders: int = Field(0, ge=0, le=64, description="Decoder processes; 0 chooses for the machine.")
    workers: int = Field(0, ge=0, le=64, description="Inference processes; 0 chooses for the machine.")
    ring_mb: int = Field(0, ge=0, le=262144, description="Shared memory for frames in MiB; 0 chooses.")
    unit_seconds: float = Field(60.0, ge=1, le=86400, description="Length of the stretches that are decoded apart.")
    max_pixels: int = Field(100_000_000, ge=1, description="Largest frame that is decoded, in pixels.")
    portrait_mb: float = Field(
        8.0, ge=0, le=4096, description="Most MiB of small pictures of faces that are kept of a video; 0 keeps none."
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
        description="Expected number of false tracks in the whole archive for all targets; the threshold follows.",
    )
    threshold: Similarity | None = Field(
        None, description="Minimum evidence of a track (a cosine) instead of the one that follows from false_tracks."
    )
    exit_threshold: Similarity | None = Field(
        None,
        description="With tracks off: minimum similarity that continues a hit; default: 0.05 below the threshold.",
    )
    margin: float = Field(0.05, ge=0, le=2, description="Least lead over every other target and lookalike.")
    tracks: bool = Field(
        True, description="Decide whole tracks by all their faces; off decides each face and its neighbours."
    )
    min_faces: int = Field(1, ge=1, le=1000, description="Faces that a track needs to count.")
    review: float = Field(0.08, ge=0, le=1, description="Tracks this far below the threshold are listed in review.csv.")
    allow_faults: bool = Field(
        False, description="Go on although a target has no usable photo, or two targets have the same face."
    )
    lookalikes: Paths = Field(
        (), alias="not", description="Photos, NAME=PATH or banks of persons that a target must not be taken for."
    )

    @model_validator(mode="after")
    def _tracks_for_their_faces(self) -> Self:
        if self.min_faces > 1 and not self.tracks:
            raise ValueError("min_faces counts the faces of a track, so it needs tracks on")
        return self


class ReferencesConfig(Section):
    """How photos become references."""

    faces: Literal["auto", "largest", "only"] = Field(
        "auto",
        description="Of several faces in a photo: auto (the one most like the person's other photos, else one that is "
        "far larger), largest, or only (such a photo is refused).",
    )
    flip: bool = Field(False, description="Average each reference with its mirror image.")
    jitter: int = Field(
        0, ge=0, le=100, description="Average each reference with so many slightly turned, scaled and moved cuts of it."
    )


class GrowthConfig(Section):
    """Faces of the index that become references beside the photos."""

    grow: bool = Field(True, description="Faces of tracks that are surely a target's become references too.")
    add_threshold: Similarity | None = Field(
        None, description="Minimum evidence of such a track by the photos alone; default: the threshold."
    )
    add_quality: float = Field(0.5, ge=0, le=1, description="Smallest quality of such a face.")
    max_added: int = Field(64, ge=1, le=4096, description="Most such faces of a target.")


class SpansConfig(Section):
    """How hits become spans."""

    pad: Pad = Field((1.0, 1.0), description="Seconds added BEFORE,AFTER each span.")
    merge_gap: Seconds = Field(2.0, description="Hits closer than this many seconds join.")
    min_span: Seconds = Field(0.0, description="Spans shorter than this before padding are dropped.")
    exact: bool = Field(False, description="Find the boundaries to the frame.")


class ExportConfig(Section):
    """What is made of the spans."""

    clips: Literal["none", "copy", "precise"] = Field(
        "copy", description="Clips: none, copy (no re-encoding), precise."
    )
    crops: Literal["none", "face", "aligned", "body"] = Field(
        "face", description="Crops of the targets: none, face, aligned, body."
    )
    crop_size: int = Field(256, ge=32, le=1024, description="Side of an aligned crop in pixels.")
    crop_margin: float = Field(0.3, ge=0, le=3, description="Room around a face, as a share of its size.")
    crop_format: Literal["jpg", "png"] = Field("jpg", description="File format of crops and snapshots.")
    ratio: Ratios = Field(
        ("2:3",), description="Width to height of a body crop, as 2:3,1:1, from 1:4 to 4:1; the best is taken."
    )
    min_shown: float = Field(
        0.75, ge=0, le=1, description="No crop of a face of which the frame shows less than this share; 0 takes all."
    )
    min_gap: Seconds = Field(1.5, description="At most one crop of a target in this many seconds: the best.")
    max_crops: int = Field(0, ge=0, le=10_000, description="Most crops of a target and video; 0 sets no limit.")
    diversity: float = Field(0.25, ge=0, le=1, description="What unlikeness counts against quality under max_crops.")
    snapshots: bool = Field(False, description="Also save the whole frame of each span's best moment.")
    boxes: bool = Field(False, description="Also write a copy of each span with boxes, names and similarities in it.")


class PeopleConfig(Section):
    """Who is in the archive: how tracks become persons, and which of them are listed."""

    min_faces: int = Field(3, ge=1, le=1_000_000, description="Persons with fewer faces are counted, but not listed.")
    min_seconds: Seconds = Field(
        2.0, description="Persons of whom only the body is seen for so long are listed, whatever is seen of the face."
    )
    link_threshold: Similarity | None = Field(
        None, description="Cosine from which two groups of tracks are one person's; default: the model's threshold."
    )
    top: int = Field(0, ge=0, le=1_000_000, description="List only so many, the first by rank; 0 lists all.")
    rank: Rank = Field("seconds", description="Order: seconds (screen time), coverage, centrality, quality.")
    min_quality: float = Field(
        0.35, ge=0, le=1, description="Tracks without a face of this quality are nobody's: they are like each other."
    )
    clear_score: float = Field(
        0.6, ge=0, le=1, description="A person is listed once a track's best faces have this mean detector score."
    )
    join_gap: Seconds = Field(
        2.0, description="Seconds between two tracks of a person up to which they are one stretch."
    )
    portraits: int = Field(6, ge=1, le=64, description="Most pictures of a person.")
    video: bool = Field(False, description="Also write a copy of each video with every person's box and number in it.")
    store: str = Field(
        "", description="Identities that last: a SQLite file or redis://…; default: one of the output folder's own."
    )
    refine_limit: int = Field(30, ge=1, le=100_000, description="Embeddings from which an identity's mean stays.")


class RunConfig(Section):
    """How the run as a whole behaves."""

    fresh: bool = Field(False, description="Start over: forget all that the output folder holds.")
    until: ClockTime = Field(None, description="Stop at this time of day, as 06:30; the same command goes on with it.")
    max_hours: float | None = Field(None, gt=0, le=8784, description="Stop after so many hours; likewise.")

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
    """Which networks, on which device."""

    folder: Path | None = Field(None, alias="dir", description="Folder of packs, or one pack.")
    pack: str | None = Field(None, description="The pack; default: the best known one that is there.")
    detector: str | None = Field(None, description="Detector file or name instead of the pack's.")
    recogniser: str | None = Field(None, description="Recogniser file or name instead of the pack's.")
    person_model: str | None = Field(
        None, description="Person network's file or name; default: one of the folder person, or the pack's."
    )
    device: Literal["auto", "cpu", "cuda", "tensorrt", "openvino"] = Field(
        "auto", description="What runs the networks."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Arithmetic of the networks; auto: the fastest that the device has and each network bears.",
    )
    devices: Cards = Field((), description="Numbers of the NVIDIA cards that workers are dealt to, as 0,1; default: 0.")
    cuda_graphs: bool = Field(True, description="Whether cards replay CUDA graphs, where that is as exact and faster.")
