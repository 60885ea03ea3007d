"""Results of the commands: typed for Python, and as the report in run.json."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from fastface.config import Config
from fastface.distribution import VERSION
from fastface.files import write_atomic
from fastface.gallery.thresholds import MatchThresholds
from fastface.models.packs import Network
from fastface.names import shorten_lines, valid_text
from fastface.runtime.networks import Networks
from fastface.runtime.precisions import network_precisions
from fastface.types import Gallery, SpanRow
from fastface.video.discover import LeftOut, Skipped, VideoFile

RUN_SCHEMA_VERSION = 1

CLEAN, SOME_NOT_DONE = 0, 3

_MOST_REMARKS = 1000


@dataclass(frozen=True, slots=True)
class VideoOutcome:
    """How one video ended.

    Attributes:
        path: The input.
        id: Its name in OUT.
        state: done, partial, no_video, unstable, failed, quarantined or cancelled.
        reason: Why it is not done; else empty.
        coverage: Decoded share of the declared duration; None where none is declared.
        duration: Declared duration in seconds; where none is declared, what was read; None if that is not all.
        sampled: Frames looked at.
        inferred: Frames searched.
        repeated: Of these, frames equal to the one before them, which show the same faces.
        blurred: Of the frames searched, those too blurred to be given to the detector.
        unsharp: Faces left out, since not sharp enough.
        remark: What a person should know of it all the same, as that no face was found; else empty.
        quarantined: Frames given up.
        faces: Faces found.
        damaged: Faces found in frames that may be damaged; marked in faces.parquet.
        seconds: Time of each stage, summed over the processes.
        player_offset: Seconds that a player shows when the first frame is on the screen.
        decoder: What decoded it: pyav, nvdec, or both as `nvdec+pyav`; empty where nothing was decoded, or pictures.
        decoder_reason: Why PyAV decoded what a card was asked for; empty if it did not.
    """

    path: Path
    id: str
    state: str
    reason: str
    coverage: float | None
    duration: float | None
    sampled: int
    inferred: int
    repeated: int
    quarantined: int
    faces: int
    damaged: int
    seconds: dict[str, float]
    decoder: str = ""
    decoder_reason: str = ""
    blurred: int = 0
    unsharp: int = 0
    remark: str = ""
    player_offset: float = 0.0

    @property
    def is_searched(self) -> bool:
        """Return whether frames were searched: not of a video that failed or was not reached."""
        return self.inferred > 0 and self.state != "cancelled"


@dataclass(slots=True)
class Counts:
    """Totals of a run. `sampled = inferred + quarantined`, always."""

    videos: int = 0  # all that were asked for
    searched: int = 0  # of these, videos of which frames were searched
    sampled: int = 0
    inferred: int = 0
    repeated: int = 0
    blurred: int = 0
    unsharp: int = 0
    quarantined: int = 0
    faces: int = 0
    embeddings: int = 0
    hits: int = 0
    spans: int = 0
    clips: int = 0
    crops: int = 0


@dataclass(slots=True)
class RunResult:
    """Result of `run`, `scan` and `find`.

    Attributes:
        command: Which of them.
        out: The output folder.
        videos: How each video ended, in order of their names.
        spans: Every span, by video, then start, with its clip's path below `out`.
        targets: The labels that were looked for.
        remarks: What is odd about photos and persons.
        counts: Totals.
        skipped: Inputs that are no candidates, and why.
        left_out: What folders hold and is not taken, by reason.
        export_failures: What could not be exported, and why.
        inputs: The videos that the inputs name.
        is_cut_short: Whether closer looks that were wanted were lost, or there was no time left for them.
        scanned: Names of the videos that this command has scanned, to whatever end.
        hits: {(video, label): rows of hits.csv}; only those with any.
        num_near_misses: Rows of review.csv.
        more_files: Files and folders below `out` that are written beside the answer: of `pick` the bank, for example.
        started: When the command began.
        seconds: How long it took.
        phases: Seconds of each part of it.
        limits: The thresholds that the answer was found with; None before there is one.
    """

    command: str
    out: Path
    videos: tuple[VideoOutcome, ...] = ()
    spans: tuple[SpanRow, ...] = ()
    targets: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    counts: Counts = field(default_factory=Counts)
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    export_failures: tuple[str, ...] = ()
    inputs: tuple[VideoFile, ...] = ()
    is_cut_short: bool = False
    scanned: frozenset[str] = frozenset()
    hits: dict[tuple[str, str], int] = field(default_factory=dict)
    num_near_misses: int = 0
    more_files: tuple[str, ...] = ()
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    limits: MatchThresholds | None = None
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts the seconds that pass in it."""
        started = monotonic()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + monotonic() - started

    @property
    def exit_code(self) -> int:
        """0 all clean, 3 some inputs not done, not readable or not exported, or no time left for them."""
        is_done = all(video.state == "done" for video in self.videos)
        is_seen = not any(item.is_fault for item in self.skipped)
        is_all = is_done and is_seen and not self.export_failures and not self.is_cut_short
        return CLEAN if is_all else SOME_NOT_DONE


@dataclass(frozen=True, slots=True)
class EnrollResult:
    """Result of `enroll`: the gallery, as it was written to `bank`, and a line about each photo."""

    bank: Path
    gallery: Gallery
    report: tuple[str, ...]


def write_run_json(result: RunResult, networks: Networks, limits: MatchThresholds, config: Config) -> None:
    """Writes OUT/run.json.

    Raises:
        SpaceError: No space is left.
    """
    device = networks.device
    models = networks.models
    report = {
        "schema_version": RUN_SCHEMA_VERSION,
        "command": result.command,
        "version": VERSION,
        "started": result.started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(result.seconds, 3),
        "phases": {name: round(seconds, 3) for name, seconds in result.phases.items()},
        "device": {
            "backend": device.backend,
            "provider": device.provider,
            "precision": device.precision,  # the one aimed at; what is in force stands with each network
            "name": device.name,
            "versions": device.versions,
        },
        "models": {
            "pack": models.pack,
            "licence": models.licence,
            "notes": [*models.notes, *(networks.precisions.notes if networks.precisions is not None else ())],
            "detector": _network_object(models.detector, networks),
            "recogniser": _network_object(models.recogniser, networks),
            "person": models.person and _network_object(models.person, networks),
        },
        "thresholds": asdict(limits),
        "counts": asdict(result.counts),
        "targets": [valid_text(label) for label in result.targets],
        "remarks": [valid_text(line) for line in shorten_lines(result.remarks, _MOST_REMARKS)],
        "videos": [_video_object(video) for video in result.videos],
        "skipped": [{"path": valid_text(str(item.path)), "reason": item.reason} for item in result.skipped],
        "left_out": [{"reason": item.reason, "count": item.count} for item in result.left_out],
        "export_failures": list(result.export_failures),
        "config": _shown_config(config),
    }
    write_atomic(result.out / "run.json", json.dumps(report, indent=2) + "\n")


def forget_in_run_json(path: Path, videos: Collection[str], tables: Mapping[str, int]) -> None:
    """Removes videos from a run.json that is there, with what it says of them; its totals become those of the rest.

    Args:
        path: The file.
        videos: Names of the videos in OUT.
        tables: What the tables of the answer hold now, by the names of `Counts`.

    Raises:
        SpaceError: No space is left.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    rest = [video for video in report["videos"] if video["id"] not in videos]
    if len(rest) == len(report["videos"]):
        return
    report["videos"] = rest
    sums = ("sampled", "inferred", "repeated", "blurred", "unsharp", "quarantined", "faces")
    totals = {name: sum(video[name] for video in rest) for name in sums}
    num_searched = sum(video["inferred"] > 0 and video["state"] != "cancelled" for video in rest)
    report["counts"] |= {"videos": len(rest), "searched": num_searched, **totals, "embeddings": totals["faces"]}
    report["counts"] |= tables
    starts = tuple(start for name in videos for start in (f"{name}: ", f"{name} ", f"clips/{name}/"))
    for key in ("remarks", "export_failures"):
        report[key] = [line for line in report[key] if not line.startswith(starts)]
    write_atomic(path, json.dumps(report, indent=2) + "\n")


def _network_object(network: Network, networks: Networks) -> dict[str, object]:
    """A network with the precision that it computed in; null if it was not used."""
    precision = network_precisions(networks).get(network.name)
    return {"name": network.name, "sha256": network.sha256, "precision": precision}


def _shown_config(config: Config) -> dict[str, Any]:
    """The settings, without what a store's address says of users and passwords."""
    shown: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    scheme, is_address, rest = config.people.store.partition("://")
    if is_address:
        shown["people"]["store"] = f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
    return shown


def _video_object(video: VideoOutcome) -> dict[str, object]:
    values = asdict(video)
    values["path"] = valid_text(str(video.path))
    values["player_offset"] = round(video.player_offset, 3)
    values["seconds"] = {stage: round(seconds, 3) for stage, seconds in sorted(video.seconds.items())}
    return values
