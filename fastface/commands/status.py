"""Run `fastface status`: read the state of an output folder, even during a run."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from fastface.errors import ConfigError
from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoState
from fastface.index.video_state import SEARCHED_STATES, describe_state
from fastface.names import valid_text
from fastface.runtime.events.progress import ScanProgress, VideoProgress
from fastface.runtime.output_folder import find_holder
from fastface.runtime.stand_ins import list_names
from fastface.search.answer_record import Answer, read_answers
from fastface.search.decision_store import DecisionStore

_MOST_LOG_BYTES = 16 << 20
"""Maximum bytes read from the end of the log: some hundred thousand lines; one of them begins the last run."""


@dataclass(frozen=True, slots=True)
class PastScan:
    """One scan of the folder, as recorded in the log."""

    started: str  # ISO 8601, UTC
    command: str  # run or scan
    videos: int  # number of videos in its arguments
    scanned: int  # videos of these that it searched; the others were known, or not reached
    failed: int  # videos of these without any searched frame
    end: str | None  # reason of an early end; empty if it finished; None while it runs, or if it was killed


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """One answer in the folder."""

    name: str
    is_named: bool  # true if the user gave the name
    targets: tuple[str, ...]
    where: tuple[str, ...]  # its expressions
    asked: str  # ISO 8601, UTC
    folder: str  # below the output folder; empty for the last answer, which lies in the output folder itself


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an output folder.

    Attributes:
        process: The process that holds the folder; None if it is free.
        states: Number of videos in each state. `scanning` videos have units left; `waiting` videos are arguments of the
            last scan that no run has reached.
        not_done: One line for each video that a run has reached but not finished.
        share: Scanned share of all videos, by their length, 0–1; None if there are none.
        seconds_left: Estimated seconds until the scan ends; None without a scan, or if it is too early for an estimate.
        speed: Seconds of video that the running scan covers per second; None in the same cases.
        scans: Scans of the folder in the log, the latest first.
        answers: The answers in the folder, the last one first; it has the folder itself, the others one of their own.
        decisions: Number of the user's decisions on answers, which later questions use.
        also: {name of a video: further files with its content}; only videos that have such files.
        purged: Time of a `purge` of the folder, if nothing was scanned since; else None.
    """

    process: int | None
    states: dict[str, int]
    not_done: tuple[str, ...]
    share: float | None = None
    seconds_left: float | None = None
    speed: float | None = None
    scans: tuple[PastScan, ...] = ()
    answers: tuple[KeptAnswer, ...] = ()
    purged: str | None = None
    decisions: int = 0
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_status(out: Path) -> Status:
    """Read the ledger, without waiting or writing.

    Raises:
        ConfigError: `out` has no data of fastface, or this user may not read it.
        FaceIndexError: The ledger is damaged.
    """
    path = out / ".fastface" / "state.sqlite"
    try:
        if not path.exists():
            raise ConfigError(f"{str(out)!r} is not an output folder of fastface")
        holder = find_holder(out)
        with Ledger(path, read_only=True) as ledger:
            states = ledger.count_states()
            is_complete = states.keys().isdisjoint(("scanning", "waiting"))
            # A complete folder may have 100,000 done videos; nothing of them is shown but their number.
            videos = ledger.video_states(with_done=not is_complete)
            also = list_names(ledger)
            units = {
                video.video_id: ledger.units(video.video_id).values()
                for video in videos
                if video.is_begun and video.state == "scanning"
            }
        history = _read_log(out / ".fastface" / "log.jsonl")
        begun, now_done = (None, set[str]()) if holder is None else (history.begun, history.finished)
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be read: {error.strerror}") from error
    under_way = "" if holder is not None else "stopped; run the same command to continue"
    not_done = [
        f"{r.video_id}: {describe_state(r.state, valid_text(r.reason) or under_way)}"
        for r in videos
        if r.is_begun and r.state != "done"
    ]
    return Status(
        holder,
        states,
        tuple(not_done),
        (1.0 if is_complete else _share(videos, units)) if states else None,
        *((None, None) if begun is None or is_complete else _measure_scan(videos, units, begun, now_done)),
        tuple(reversed(history.scans)),
        tuple(_list_answers(out)),
        None if states else history.purged,
        len(DecisionStore.load(out / ".fastface").decisions),
        {video: tuple(valid_text(str(path)) for path in paths) for video, paths in also.items()},
    )


def _list_answers(out: Path) -> Iterator[KeptAnswer]:
    answers = read_answers(out)
    if answers.last.targets and (out / "spans.csv").exists():
        yield _make_kept_answer(answers.last, "")
    yield from (_make_kept_answer(one, one.folder) for one in answers.earlier)


def _make_kept_answer(answer: Answer, folder: str) -> KeptAnswer:
    targets, where = (tuple(map(valid_text, some)) for some in (answer.targets, answer.where))
    return KeptAnswer(valid_text(answer.name), bool(answer.given_name), targets, where, answer.asked, folder)


def _share(videos: list[VideoState], units: Mapping[str, Iterable[UnitRecord]]) -> float:
    """Return the scanned share of all videos, 0–1."""
    progress = ScanProgress(len(videos))
    progress.videos = {
        video.video_id: _progress(video, units.get(video.video_id, ())) for video in videos if video.is_begun
    }
    return progress.share


def _measure_scan(
    videos: list[VideoState], units: Mapping[str, Iterable[UnitRecord]], begun: datetime, now_done: set[str]
) -> tuple[float | None, float | None]:
    """Estimate the seconds until the end of the running scan from its speed, and return both."""
    progress = ScanProgress(len(videos), started=0.0)
    for video in videos:
        if not video.is_begun:
            continue
        if video.state != "scanning" and video.video_id not in now_done:
            progress.num_kept += 1
            continue
        progress.videos[video.video_id] = _progress(video, units.get(video.video_id, ()))
    elapsed = (datetime.now(UTC) - begun).total_seconds()
    if progress.share >= 1:
        return None, None
    return progress.seconds_left(elapsed), progress.measure_speed(elapsed)


def _progress(video: VideoState, units: Iterable[UnitRecord]) -> VideoProgress:
    if video.state != "scanning":
        return VideoProgress(video.duration, video.duration or 0.0, is_finished=True)
    covered = sum((unit.covered for unit in units if not unit.dense), Fraction(0))
    return VideoProgress(video.duration, float(covered))


@dataclass(slots=True)
class _History:
    """Commands of a folder, in order of the log's lines."""

    begun: datetime | None = None  # start of the last command's scan; None before a scan started
    finished: set[str] = field(default_factory=set)  # videos that this scan has finished
    scans: list[PastScan] = field(default_factory=list)
    purged: str | None = None

    def take(self, entry: Mapping[str, Any], command: str) -> None:
        """Add one line of the log, written by a command."""
        match entry.get("event"):
            case "run":
                self.begun, self.finished = None, set()
            case "begin":
                self.begun, self.purged = datetime.fromisoformat(entry["time"]), None
                self.scans.append(PastScan(entry["time"], command, entry["videos"], 0, 0, None))
            case "video" if self.begun is not None:
                self.finished.add(entry["video"])
                last = self.scans[-1]
                is_searched = entry["state"] in SEARCHED_STATES
                self.scans[-1] = replace(
                    last, scanned=last.scanned + is_searched, failed=last.failed + (not is_searched)
                )
            case "end" if self.begun is not None:
                self.scans[-1] = replace(self.scans[-1], end=entry["reason"])
            case "end" if command == "purge" and not entry["reason"]:
                self.purged = entry["time"]


def _read_log(log: Path) -> _History:
    """Read the history of a folder; empty if there is no log."""
    history, command = _History(), ""
    if not log.exists():
        return history
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _MOST_LOG_BYTES))
        lines = file.read().splitlines()
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:  # cut off at the start of the read part, or still being written
            continue
        command = entry.get("command", "") if entry.get("event") == "run" else command
        history.take(entry, command)
    return history
