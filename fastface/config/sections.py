"""Define the settings sections for scanning, searching and exporting videos.

Descriptions and docstrings of sections are help text: `--help-all` and the docs print them.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from fastface.choices import DecoderName, Rank, Sampling, TimelineFormat
from fastface.config.values import (
    Cards,
    ClockTime,
    CommandLine,
    DetSize,
    Expressions,
    Pad,
    Paths,
    PictureSize,
    Ratios,
    RayAddress,
    Seconds,
    Section,
    ShardText,
    Shown,
    Similarity,
    TimelineFormats,
)


class ScanConfig(Section):
    """Frames to search, faces to keep, and number of processes."""

    sample_fps: Annotated[float, Shown(is_usual=True)] = Field(
        5.0, ge=0.001, le=240, description="Frames to search per second of video."
    )
    every_frame: bool = Field(False, description="Search every frame. --sample-fps has no effect then.")
    keyframes: bool = Field(
        False,
        description="Search keyframes first, and more frames only near a possible hit. This is fast, but may miss "
        "short appearances.",
    )
    det_size: DetSize = Field(
        "auto",
        description="Size to which a frame is scaled for the face detector. auto is 640 pixels on the long side. "
        "A larger size finds smaller faces.",
    )
    det_threshold: float = Field(0.5, gt=0, lt=1, description="Minimum detector score of a face.")
    weak_threshold: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="Minimum detector score of a turned or blurred face. Such a face counts only in a track that also "
        "has a face above --det-threshold.",
    )
    min_face: Annotated[int, Shown("PIXELS")] = Field(
        16, ge=1, le=4096, description="Minimum width and height of a face in the video."
    )
    close_ups: bool = Field(
        True,
        description="Search a frame without a face again at half the size. This finds faces that fill the frame.",
    )
    turned_faces: bool = Field(
        True,
        description="Also rotate doubtful faces. This finds heads that lie, and faces in videos that are sideways or "
        "upside down.",
    )
    min_sharpness: float = Field(
        0.0,
        ge=0,
        le=100_000,
        description="Minimum sharpness of a face; 0 keeps all. Sharpness is the variance of the Laplacian.",
    )
    blur_gate: Literal["none", "global", "grid"] = Field(
        "none",
        description="Skip blurred frames. global measures the whole frame, grid the share of its tiles that are sharp.",
    )
    blur_threshold: float = Field(
        120.0,
        gt=0,
        le=100_000,
        description="Minimum sharpness of a sharp frame or tile. Sharpness is the variance of the Laplacian.",
    )
    blur_tiles: int = Field(4, ge=1, le=16, description="Rows and columns of tiles for --blur-gate grid.")
    blur_share: float = Field(
        0.25, gt=0, le=1, description="Minimum share of sharp tiles in a frame for --blur-gate grid."
    )
    track: Annotated[Literal["faces", "persons"], Shown(is_usual=True)] = Field(
        "faces",
        description="What to follow. persons are followed also while they turn away; this needs a person network and "
        "takes about twice as long.",
    )
    decoder: DecoderName = Field(
        "pyav",
        description="Decoder of videos. nvdec decodes on an NVIDIA card, and leaves to pyav what the card cannot "
        "decode. auto is nvdec if it is installed, and pyav otherwise.",
    )
    batch: int = Field(0, ge=0, le=64, description="Number of frames per batch; 0 chooses for the device.")
    decoders: int = Field(0, ge=0, le=64, description="Number of decoder processes; 0 chooses for the machine.")
    workers: int = Field(0, ge=0, le=64, description="Number of inference processes; 0 chooses for the machine.")
    ring_mb: Annotated[int, Shown("MIB")] = Field(
        0, ge=0, le=262144, description="Shared memory for frames; 0 chooses for the machine."
    )
    unit_seconds: Annotated[float, Shown("SECONDS")] = Field(
        60.0, ge=1, le=86400, description="Length of the parts of a video that are decoded separately."
    )
    copies: bool = Field(False, description="Also scan copies of a video. By default equal videos are scanned once.")
    max_pixels: Annotated[int, Shown("PIXELS")] = Field(
        100_000_000, ge=1, description="Maximum width times height of a frame. Larger frames are refused."
    )
    portrait_mb: Annotated[float, Shown("MIB")] = Field(
        8.0, ge=0, le=4096, description="Maximum size of the small pictures of faces of a video; 0 keeps no pictures."
    )

    @property
    def lowest_score(self) -> float:
        """Minimum detector score of any face."""
        return min(self.weak_threshold, self.det_threshold)

    @property
    def sampling(self) -> Sampling:
        """Sampling from the two keys; the period is exact for rates of up to three decimals."""
        if self.every_frame:
            return Sampling(None)
        return Sampling(1 / Fraction(self.sample_fps).limit_denominator(1000), self.keyframes)

    @model_validator(mode="after")
    def _one_sampling(self) -> Self:
        if self.every_frame and self.keyframes:
            raise ValueError("every_frame and keyframes exclude each other: give one of them")
        return self


class MatchConfig(Section):
    """Rules by which a face matches a person."""

    false_tracks: float = Field(
        0.1,
        gt=0,
        le=1000,
        description="Accepted number of false tracks, for all videos and persons together. The threshold follows from "
        "it.",
    )
    threshold: Annotated[Similarity | None, Shown(default="from --false-tracks", is_usual=True)] = Field(
        None, description="Minimum similarity to the photos."
    )
    exit_threshold: Annotated[Similarity | None, Shown(default="threshold - 0.05")] = Field(
        None, description="Minimum similarity that continues a hit. It is used only with -s match.tracks=off."
    )
    margin: float = Field(
        0.05, ge=0, le=2, description="Minimum lead in similarity over every other person and every --not."
    )
    tracks: bool = Field(True, description="Decide about a track by all its faces. off decides about each face alone.")
    min_faces: int = Field(1, ge=1, le=1000, description="Minimum number of faces in a track.")
    review: float = Field(
        0.08, ge=0, le=1, description="Distance below the threshold within which tracks are listed in review.csv."
    )
    allow_faults: bool = Field(
        False,
        description="Continue in spite of faulty photos. Photos are faulty if a person has no usable one, or if two "
        "persons have the same face.",
    )
    lookalikes: Annotated[Paths, Shown(default="none", is_usual=True)] = Field(
        (),
        alias="not",
        description="Photos of lookalikes to exclude. NAME=PATH and banks work too. May be repeated.",
    )
    decisions: Annotated[Path | None, Shown("FILE", default="none")] = Field(
        None, description="File of decisions that report.html saved. They hold in every later question too."
    )

    @model_validator(mode="after")
    def _tracks_for_their_faces(self) -> Self:
        if self.min_faces > 1 and not self.tracks:
            raise ValueError("min_faces counts the faces of a track: switch tracks on")
        return self


class ReferencesConfig(Section):
    """Use of the photos as references."""

    faces: Literal["auto", "largest", "only"] = Field(
        "auto",
        description="Face to take from a photo with several faces. auto takes the face most similar to the other "
        "photos, or else a much larger one. only refuses such a photo.",
    )
    flip: bool = Field(False, description="Also use the mirror image of each photo.")
    jitter: int = Field(
        0,
        ge=0,
        le=100,
        description="Number of changed copies of each photo to add. Each copy is slightly turned, scaled and moved.",
    )


class GrowthConfig(Section):
    """Faces of the videos that become references beside the photos."""

    grow: bool = Field(True, description="Also use sure hits in the videos as references.")
    add_threshold: Annotated[Similarity | None, Shown(default="the threshold")] = Field(
        None, description="Minimum similarity to the photos of a face that becomes a reference."
    )
    add_quality: float = Field(0.5, ge=0, le=1, description="Minimum quality of a face that becomes a reference.")
    max_added: int = Field(64, ge=1, le=4096, description="Maximum number of references per person from the videos.")


class SpansConfig(Section):
    """Joining of hits to spans."""

    pad: Annotated[Pad, Shown(is_usual=True)] = Field((1.0, 1.0), description="Seconds added around each span.")
    merge_gap: Seconds = Field(2.0, description="Maximum gap between two hits of one span.")
    min_span: Seconds = Field(0.0, description="Minimum length of a span before padding. Shorter spans are dropped.")
    exact: bool = Field(False, description="Find the start and end of each span to the frame.")


class QuestionConfig(Section):
    """Moments with several persons, and the name of the answer."""

    where: Annotated[Expressions, Shown(default="none", is_usual=True)] = Field(
        (),
        description="Find moments as 'ann and not bob'. Spans, clips and pictures then show these moments only. May be "
        "repeated.",
    )
    persons: bool = Field(
        False, description="With --where, also export the spans, clips and pictures of each single person."
    )
    name: Annotated[str, Shown("ANSWER", default="from the persons and --where")] = Field(
        "",
        max_length=100,
        description="Name of the answer. A new answer replaces the earlier one of the same name; other answers stay in "
        "OUT/earlier.",
    )


class ExportConfig(Section):
    """Clips and pictures to make from the spans."""

    clips: Annotated[Literal["none", "copy", "precise", "smart"], Shown(is_usual=True)] = Field(
        "copy",
        description="How to cut clips. copy is fast and starts at a keyframe. precise starts at the exact frame and "
        "encodes again, smart only the ends.",
    )
    crops: Annotated[Literal["none", "face", "aligned", "body"], Shown(is_usual=True)] = Field(
        "face",
        description="Which pictures to save. aligned is the face turned upright, body is the whole person.",
    )
    crop_size: Annotated[int, Shown("PIXELS")] = Field(
        256, ge=32, le=1024, description="Width and height of an aligned crop."
    )
    crop_margin: float = Field(0.3, ge=0, le=3, description="Margin around a face, as a share of the face's size.")
    crop_format: Literal["jpg", "png"] = Field("jpg", description="File format of crops and snapshots.")
    ratio: Ratios = Field(
        ("2:3",),
        description="Ratios of width to height that body crops may have. The best one is chosen. Each is from 1:4 to "
        "4:1.",
    )
    min_shown: float = Field(
        0.75, ge=0, le=1, description="Minimum share of a face that its crop must show; 0 accepts all."
    )
    min_gap: Seconds = Field(1.5, description="Minimum time between two crops of a person. The best crops are kept.")
    max_crops: int = Field(
        0, ge=0, le=10_000, description="Maximum number of crops of a person per video; 0 is no limit."
    )
    diversity: float = Field(
        0.25, ge=0, le=1, description="Weight of diversity against quality if --max-crops limits the choice."
    )
    count: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Number of crops of a person over all videos; 0 is no limit. --min-gap is reduced if it leaves too "
        "few crops.",
    )
    size: Annotated[PictureSize, Shown(default="not scaled")] = Field(
        None, description="Size to scale crops to. Body crops are cut in its ratio."
    )
    snapshots: bool = Field(False, description="Also save the whole frame of the best moment of each span.")
    xmp: bool = Field(
        True, description="Write the person's name and the place of the face into crops and snapshots, as XMP."
    )
    boxes: Annotated[bool, Shown(is_usual=True)] = Field(
        False, description="Also write clips with boxes. Each face has its box, name and similarity."
    )
    report: bool = Field(
        True, description="Also write report.html, a page to look through the answer and to correct it."
    )
    reel: bool = Field(
        False, description="Also write one film a person with all spans in order. Each span is a chapter."
    )
    contact_sheet: bool = Field(False, description="Also draw pages with the best frame of each span of a person.")
    timelines: TimelineFormats = Field(
        (),
        description="Also write the spans for editing programs, players and annotation tools: all, or some of "
        f"{', '.join(get_args(TimelineFormat))}.",
    )
    replace: bool = Field(
        False,
        description="Delete the results of the earlier search. By default they are moved to OUT/earlier.",
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
    """Joining of tracks to persons, and the persons to list."""

    min_faces: Annotated[int, Shown(is_usual=True)] = Field(
        3, ge=1, le=1_000_000, description="Minimum faces of a listed person."
    )
    min_seconds: Seconds = Field(
        2.0, description="Minimum screen time of a listed person whose face is never seen, only the body."
    )
    link_threshold: Annotated[Similarity | None, Shown(default="from the network")] = Field(
        None, description="Minimum similarity of two groups of tracks that are joined to one person."
    )
    top: Annotated[int, Shown(is_usual=True)] = Field(
        0, ge=0, le=1_000_000, description="Number of persons to list; 0 lists all."
    )
    rank: Annotated[Rank, Shown(is_usual=True)] = Field(
        "seconds",
        description="Order of the list. seconds is screen time, coverage the time from the first to the last "
        "appearance, centrality the nearness to the middle of the frame.",
    )
    min_quality: float = Field(
        0.35,
        ge=0,
        le=1,
        description="Minimum face quality of a track. Poor faces are similar to every person, so they are left out.",
    )
    clear_score: float = Field(
        0.6, ge=0, le=1, description="Minimum mean detector score of the best faces of a listed person."
    )
    join_gap: Seconds = Field(2.0, description="Maximum gap within one appearance of a person.")
    portraits: int = Field(6, ge=1, le=64, description="Maximum number of pictures of a person.")
    video: Annotated[bool, Shown(is_usual=True)] = Field(
        False, description="Also write videos with boxes. Each person has a box and a number."
    )
    store: Annotated[str, Shown("FILE|URL", default="output folder", is_usual=True)] = Field(
        "", description="Where to keep persons. A SQLite file, or redis://HOST."
    )
    refine_limit: int = Field(
        30, ge=1, le=100_000, description="Stop updating the centroid of a person after this many embeddings."
    )


class RunConfig(Section):
    """Start and end of a run."""

    fresh: Annotated[bool, Shown(is_usual=True)] = Field(False, description="Delete index and exports first.")
    shard: ShardText = Field(
        "1/1", description="Scan part I of N parts of the videos. Each of N machines takes another part."
    )
    watch: bool = Field(
        False,
        description="Stay, and search each new file in the folders as soon as it is complete. Ctrl-C, --until or "
        "--max-hours ends it.",
    )
    watch_interval: Annotated[float, Shown("SECONDS")] = Field(
        30.0,
        ge=0.1,
        le=86400,
        description="Time between two looks with --watch. A file is complete if it has not changed for this time.",
    )
    until: Annotated[ClockTime, Shown(default="no end", is_usual=True)] = Field(
        None, description="Stop at this time of day. The same command continues later."
    )
    max_hours: Annotated[float | None, Shown("HOURS", default="no end")] = Field(
        None, gt=0, le=8784, description="Stop after this many hours. The same command continues later."
    )
    metrics: Annotated[Path | None, Shown("FILE", default="none")] = Field(
        None,
        description="Write the progress to this file for Prometheus, every 15 seconds and at the end. The name must "
        "end in .prom for node_exporter.",
    )
    strict: bool = Field(
        False,
        description="End with exit code 3 for known failures too: unchanged files that failed in an earlier run.",
    )
    on_finish: Annotated[CommandLine, Shown(default="none")] = Field(
        None, description="Start this command at the end of a run, without a shell. It reads run.json from its input."
    )
    on_finish_seconds: Annotated[float, Shown("SECONDS")] = Field(
        300.0, ge=1, le=86400, description="Stop the command of --on-finish after this many seconds."
    )
    engine: Literal["local", "ray"] = Field(
        "local", description="Scan on this machine, or on all nodes of a Ray cluster."
    )
    ray_address: RayAddress = Field(
        "auto",
        description="Ray cluster of --engine ray: auto for the cluster that this machine belongs to, or HOST:PORT of "
        "its head. An empty address starts a cluster on this machine alone.",
    )
    ray_timeout: Annotated[float, Shown("SECONDS")] = Field(
        300.0, ge=1, le=86_400, description="Stop the scan after this time without a working node of the cluster."
    )

    def seconds_left(self, now: datetime | None = None) -> float | None:
        """Return the maximum duration of a run that begins now, in seconds; None for no limit.

        Args:
            now: Local time without a zone; None for the current time.
        """
        limits = [] if self.max_hours is None else [self.max_hours * 3600]
        if self.until is not None:
            now = (now or datetime.now()).astimezone()
            # The zone's offset must be that of the end: it differs in nights when the clocks change.
            ends = (datetime.combine(now.date() + timedelta(days), self.until).astimezone() for days in (0, 1, 2))
            limits.append(next((end - now).total_seconds() for end in ends if end > now))
        return min(limits, default=None)


class ModelsConfig(Section):
    """Networks, and the device that runs them."""

    folder: Annotated[Path | None, Shown("FOLDER", default="installed packs", is_usual=True)] = Field(
        None,
        alias="dir",
        description="Folder of the networks. It holds packs, or is one pack. FASTFACE_MODELS names it too.",
    )
    pack: Annotated[str | None, Shown("NAME", default="the best one for the device")] = Field(
        None, description="Pack of networks to use."
    )
    detector: Annotated[str | None, Shown("FILE|NAME", default="from the pack")] = Field(
        None, description="Network that detects faces."
    )
    recogniser: Annotated[str | None, Shown("FILE|NAME", default="from the pack")] = Field(
        None, description="Network that recognises faces."
    )
    person_model: Annotated[str | None, Shown("FILE|NAME", default="from the folder 'person' or the pack")] = Field(
        None, description="Network that detects persons, for --track persons."
    )
    device: Annotated[
        Literal["auto", "cpu", "cuda", "tensorrt", "openvino"],
        Shown(is_usual=True),
    ] = Field("auto", description="Device that runs the networks.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Number format of the networks. auto is the fastest that gives the same results."
    )
    devices: Annotated[Cards, Shown(default="0")] = Field((), description="Numbers of the NVIDIA cards to use.")
    commercial: bool = Field(False, description="Use only networks whose licence permits commercial use.")
    cuda_graphs: bool = Field(True, description="Use CUDA graphs where they are exact and faster.")
