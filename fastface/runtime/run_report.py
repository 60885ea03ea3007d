"""Define the results of commands, as Python API and as run.json.

The commands fill a `RunResult`; `commands.command_frame` writes it. docs/outputs.md lists the fields of run.json: a
changed field changes both.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from time import monotonic
from typing import Any

from fastface.config import Config
from fastface.distribution import read_version
from fastface.files import write_atomic
from fastface.gallery.thresholds import MatchThresholds
from fastface.models.packs import Network
from fastface.names import shorten_lines, valid_text
from fastface.pipeline.engine import NodeReport
from fastface.runtime.networks import Networks
from fastface.runtime.precisions import network_precisions
from fastface.types import FrameCounts, Gallery, SpanRow
from fastface.video.discover import LeftOut, Skipped, VideoFile

RUN_SCHEMA_VERSION = 1
_ANSWER_RECORD = ".fastface/answer_run.json"
"""The run.json of the answer in OUT after a later scan has written its own; the next search removes it."""

_NO_VIDEOS = '\n  "videos": []'
"""Place of the videos in run.json; no text in it can contain this line break."""

CLEAN, SOME_NOT_DONE = 0, 3

_MOST_REMARKS = 1000


@dataclass(frozen=True, slots=True)
class VideoOutcome(FrameCounts):
    """Final state of one video, with the counts of its frames.

    Attributes:
        path: The input.
        id: Its name in OUT.
        state: done, partial, no_video, unstable, failed, quarantined or cancelled.
        reason: Reason if the state is not done; else empty.
        coverage: Decoded share of the declared duration, 0–1; None if no duration is declared.
        duration: Declared duration in seconds, else the decoded duration; None if neither is known.
        remark: Remark for the user although the state is done, such as that no face was found; else empty.
        damaged: Number of faces in frames that may be damaged; marked in faces.parquet.
        seconds: Time of each stage, summed over the processes.
        player_offset: Time in seconds that a player shows at the first frame.
        decoder: pyav, nvdec, or both as `nvdec+pyav`; empty if nothing was decoded, and for pictures.
        decoder_reason: Reason if PyAV decoded instead of the card; else empty.
        also: Further files with the same content: copies and links.
    """

    path: Path
    id: str
    state: str
    reason: str
    coverage: float | None
    duration: float | None
    damaged: int
    seconds: dict[str, float]
    decoder: str = ""
    decoder_reason: str = ""
    remark: str = ""
    player_offset: float = 0.0
    also: tuple[Path, ...] = ()

    @property
    def is_searched(self) -> bool:
        """Return whether frames were searched; false for a video that failed or was not reached."""
        return self.inferred > 0 and self.state != "cancelled"


_VIDEO_FIELDS = tuple(one.name for one in fields(VideoOutcome) if one.name not in ("path", "id"))
_get_video_fields = attrgetter(*_VIDEO_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts(FrameCounts):
    """Totals of a run."""

    videos: int = 0  # requested videos
    searched: int = 0  # videos with searched frames
    embeddings: int = 0
    hits: int = 0
    spans: int = 0
    clips: int = 0
    crops: int = 0
    decisions: int = 0  # the user's decisions on earlier answers that this answer uses


@dataclass(frozen=True, slots=True)
class KnownFailures:
    """Failures of unchanged files that an earlier run has reported."""

    videos: frozenset[str] = frozenset()  # names in OUT
    inputs: frozenset[str] = frozenset()  # paths of skipped inputs
    exports: frozenset[str] = frozenset()  # lines of `RunResult.export_failures`


@dataclass(slots=True)
class RunResult:
    """Result of `run`, `scan` and `find`.

    Attributes:
        command: Name of the command.
        out: The output folder.
        videos: Outcome of each video, in order of their names.
        spans: Every span, by video, then start, with its clip's path below `out`.
        targets: Labels of the searched persons.
        where: Expressions whose moments are the spans; empty if the spans are those of the targets.
        answer: Name of the answer; empty before there is one.
        remarks: Remarks on photos and persons.
        counts: Totals.
        skipped: Inputs that cannot be videos, with the reasons.
        left_out: Ignored content of folders, by reason.
        export_failures: Files that could not be exported, with the reasons.
        known: Failures that the exit code does not count; none with `--strict`.
        inputs: The videos that the inputs name.
        is_cut_short: True if closer searches failed, or the time limit came before them.
        scanned: Names of the videos that this command has scanned, in any final state.
        hits: {(video, label): number of rows in hits.csv}; only pairs with rows.
        num_near_misses: Number of rows in review.csv.
        more_files: Further files and folders that the command wrote below `out`, such as the bank of `pick`.
        started: Start of the command.
        seconds: Duration of the command.
        phases: Seconds of each part of the command.
        nodes: The nodes of a Ray cluster that scanned; empty for one machine.
        limits: Thresholds of the answer; None before there is an answer.
    """

    command: str
    out: Path
    videos: tuple[VideoOutcome, ...] = ()
    spans: tuple[SpanRow, ...] = ()
    targets: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    answer: str = ""
    remarks: tuple[str, ...] = ()
    counts: Counts = field(default_factory=Counts)
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    export_failures: tuple[str, ...] = ()
    known: KnownFailures = KnownFailures()
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
    nodes: tuple[NodeReport, ...] = ()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds spent in the context to a phase."""
        started = monotonic()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + monotonic() - started

    @property
    def videos_not_done(self) -> tuple[VideoOutcome, ...]:
        """Return the videos that are not done, without known failures."""
        return tuple(video for video in self.videos if video.state != "done" and video.id not in self.known.videos)

    @property
    def inputs_not_read(self) -> tuple[Skipped, ...]:
        """Return the inputs that could not be read, without known failures."""
        return tuple(item for item in self.skipped if item.is_fault and str(item.path) not in self.known.inputs)

    @property
    def files_not_exported(self) -> tuple[str, ...]:
        """Return the export failures, without known ones."""
        return tuple(line for line in self.export_failures if line not in self.known.exports)

    @property
    def exit_code(self) -> int:
        """Return 0 if all is clean or a known failure; 3 if work is left, or something failed."""
        faults = self.videos_not_done or self.inputs_not_read or self.files_not_exported or self.is_cut_short
        return SOME_NOT_DONE if faults else CLEAN


@dataclass(frozen=True, slots=True)
class EnrollResult:
    """Result of `enroll`: the gallery written to `bank`, and a line about each photo."""

    bank: Path
    gallery: Gallery
    report: tuple[str, ...]


def write_run_json(result: RunResult, networks: Networks, limits: MatchThresholds, config: Config) -> None:
    """Write OUT/run.json. A scan keeps the run.json of the answer, which `find_answer_record` returns.

    Raises:
        SpaceError: No space is left.
    """
    device = networks.device
    models = networks.models
    report = {
        "schema_version": RUN_SCHEMA_VERSION,
        "command": result.command,
        "version": read_version(),
        "started": _shown_time(result.started),
        "finished": _shown_time(datetime.now(UTC)),
        "seconds": round(result.seconds, 3),
        "phases": {name: round(seconds, 3) for name, seconds in result.phases.items()},
        "device": {
            "backend": device.backend,
            "provider": device.provider,
            "precision": device.precision,  # the wanted precision; each network lists its actual one
            "name": device.name,
            "versions": device.versions,
        },
        "engine": {"name": config.run.engine, "nodes": [asdict(node) for node in result.nodes]},
        "models": {
            "pack": models.pack,
            "licence": models.licence,
            "notes": [*models.notes, *(networks.precisions.notes if networks.precisions is not None else ())],
            "detector": _network_object(models.detector, networks),
            "recogniser": _network_object(models.recogniser, networks),
            "person": models.person and _network_object(models.person, networks),
        },
        "thresholds": asdict(limits),
        "counts": {"videos": result.counts.videos, "searched": result.counts.searched, **asdict(result.counts)},
        "targets": [valid_text(label) for label in result.targets],
        "where": [valid_text(label) for label in result.where],
        "answer": valid_text(result.answer),
        "remarks": [valid_text(line) for line in shorten_lines(result.remarks, _MOST_REMARKS)],
        "videos": [],  # added as lines
        "skipped": _skipped_objects(result),
        "left_out": [{"reason": item.reason, "count": item.count} for item in result.left_out],
        "export_failures": list(result.export_failures),
        "config": _shown_config(config),
    }
    path, kept = result.out / "run.json", result.out / _ANSWER_RECORD
    is_beside_answer = result.command == "scan" and (result.out / "spans.json").is_file()
    if is_beside_answer and path.is_file() and not kept.exists():
        write_atomic(kept, path.read_text(encoding="utf-8"))
    write_atomic(path, _to_text(report, map(_video_object, result.videos)))
    if result.command != "scan":
        kept.unlink(missing_ok=True)


def rewrite_skipped(result: RunResult) -> None:
    """Write the skipped inputs of a result into its run.json; a run.json of a later command stays as it is.

    Raises:
        SpaceError: No space is left.
    """
    path = result.out / "run.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    if report["started"] != _shown_time(result.started):
        return
    write_atomic(path, _to_text({**report, "skipped": _skipped_objects(result)}, report["videos"]))


def find_answer_record(folder: Path) -> Path:
    """Return the run.json of the answer in a folder: that of the search, also after later scans."""
    kept = folder / _ANSWER_RECORD
    return kept if kept.is_file() else folder / "run.json"


def restore_answer_record(out: Path) -> None:
    """Make the run.json of an answer that will be moved its own again, if a later scan has written another."""
    kept = out / _ANSWER_RECORD
    if kept.is_file():
        kept.replace(out / "run.json")


def forget_in_run_json(path: Path, videos: Collection[str], tables: Mapping[str, int]) -> None:
    """Remove videos from an existing run.json, and compute its totals again.

    Args:
        path: The file.
        videos: Names of the videos in OUT.
        tables: Number of rows in the tables of the answer now, by the names of `Counts`.

    Raises:
        SpaceError: No space is left.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    rest = [video for video in report["videos"] if video["id"] not in videos]
    if len(rest) == len(report["videos"]):
        return
    totals = {name: sum(video[name] for video in rest) for name in FrameCounts().select_counts()}
    num_searched = sum(video["inferred"] > 0 and video["state"] != "cancelled" for video in rest)
    report["counts"] |= {"videos": len(rest), "searched": num_searched, **totals, "embeddings": totals["faces"]}
    report["counts"] |= tables
    starts = tuple(start for name in videos for start in (f"{name}: ", f"{name} ", f"clips/{name}/"))
    for key in ("remarks", "export_failures"):
        report[key] = [line for line in report[key] if not line.startswith(starts)]
    write_atomic(path, _to_text(report, rest))


def _to_text(report: dict[str, Any], videos: Iterable[Mapping[str, object]]) -> str:
    """Convert run.json to text: indented, but one line a video, since there may be 100,000.

    Args:
        report: The object; its own videos are ignored.
        videos: The objects of its videos; one of them in memory at a time.
    """
    text = json.dumps({**report, "videos": []}, indent=2)
    lines = ",\n".join(f"    {json.dumps(video)}" for video in videos)
    return (text.replace(_NO_VIDEOS, f'\n  "videos": [\n{lines}\n  ]', 1) if lines else text) + "\n"


def _shown_time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _skipped_objects(result: RunResult) -> list[dict[str, str]]:
    return [{"path": valid_text(str(item.path)), "reason": item.reason} for item in result.skipped]


def _network_object(network: Network, networks: Networks) -> dict[str, object]:
    """Describe a network and its precision; None if it was not used."""
    precision = network_precisions(networks).get(network.name)
    return {
        "name": network.name,
        "sha256": network.sha256,
        "licence": network.licence.text,
        "commercial": network.licence.is_commercial,
        "precision": precision,
    }


def _shown_config(config: Config) -> dict[str, Any]:
    """Return the settings, without user and password in a store's address."""
    shown: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    scheme, is_address, rest = config.people.store.partition("://")
    if is_address:
        shown["people"]["store"] = f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
    return shown


def _video_object(video: VideoOutcome) -> dict[str, object]:
    values: dict[str, object] = {"path": valid_text(str(video.path)), "id": video.id}
    values |= zip(_VIDEO_FIELDS, _get_video_fields(video), strict=True)
    values["also"] = [valid_text(str(path)) for path in video.also]
    values["player_offset"] = round(video.player_offset, 3)
    values["seconds"] = {stage: round(seconds, 3) for stage, seconds in sorted(video.seconds.items())}
    return values
