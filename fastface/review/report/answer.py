"""Read the last answer of an output folder for its report: run.json, spans.json, review.csv and the ledger.

`report_page` calls it. `hit_table` reads the hits, which can be millions. Videos and targets are numbered by their
places in the answer, so that the page names each once.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from fastface.csv_cells import read_csv
from fastface.errors import ConfigError
from fastface.index.ledger import Ledger
from fastface.index.records import VideoSummary
from fastface.names import text_cell, valid_text
from fastface.runtime.run_report import find_answer_record
from fastface.search.questions import read_questions


@dataclass(frozen=True, slots=True)
class ReportVideo:
    """A video of the answer.

    Attributes:
        id: Name in OUT, as shown.
        key: Name in the ledger.
        path: The file; None if it is unknown.
        state: Key of `STATE_WORDS`.
        reason: Reason if the state is not done; else empty.
        duration: Length in seconds; None if it is unknown.
        player_offset: Seconds that a player shows at the first frame.
        is_film: False for a folder of pictures.
    """

    id: str
    key: str
    path: Path | None = None
    state: str = "done"
    reason: str = ""
    duration: float | None = None
    player_offset: float = 0.0
    is_film: bool = True

    @property
    def address(self) -> str:
        """Return the URI of the file; empty if it is unknown."""
        return "" if self.path is None else self.path.absolute().as_uri()


@dataclass(frozen=True, slots=True)
class ReportSpan:
    """A span of spans.json."""

    video: int  # place in `Answer.videos`
    target: int  # place in `Answer.targets`
    start: float
    end: float
    first: float  # bounds without padding
    last: float
    hits: int
    best: float | None  # similarity; None if only the body was found
    mean: float | None
    clip: str  # path below the folder of the answer; empty without a clip
    clip_start: float
    picture: str  # names of the first and the last picture, in a folder of pictures


@dataclass(frozen=True, slots=True)
class ReportNearMiss:
    """A row of review.csv; scores that are not known are None."""

    video: int
    target: int
    start: float
    end: float
    faces: int
    best: float | None
    similarity: float | None
    evidence: float | None
    margin: float | None
    reason: str
    track: int  # number within the video


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer in a folder.

    Attributes:
        run: Content of run.json.
        targets: Labels, as in spans.json: persons, then expressions of `--where`.
        expressions: {place of an expression among the targets: places of its persons}.
        videos: Its videos, by name.
        spans: Its spans, by video and start.
        near_misses: Its near misses, by video and start.
        is_exact: Whether stretches were searched at every frame.
        digest: Digest of spans and near misses: another answer has another one.
    """

    run: Mapping[str, Any]
    targets: tuple[str, ...]
    expressions: Mapping[int, tuple[int, ...]]
    videos: tuple[ReportVideo, ...]
    spans: tuple[ReportSpan, ...]
    near_misses: tuple[ReportNearMiss, ...]
    is_exact: bool
    digest: str


class SpanFinder:
    """Find the span of a target in a video at a time.

    Args:
        answer: The answer.
    """

    def __init__(self, answer: Answer) -> None:
        self._spans = answer.spans
        self._found: dict[tuple[int, int], tuple[list[float], list[int]]] = {}
        for place, span in enumerate(answer.spans):
            starts, places = self._found.setdefault((span.video, span.target), ([], []))
            starts.append(span.start)
            places.append(place)

    def find(self, video: int, target: int, time: float) -> int | None:
        """Return the place of the span among the spans of the answer; None if there is none."""
        starts, places = self._found.get((video, target), ([], []))
        place = bisect_right(starts, time) - 1
        return places[place] if place >= 0 and time <= self._spans[places[place]].end else None


def read_answer(folder: Path, ledger: Ledger) -> Answer:
    """Read the answer in a folder: OUT, or the folder of an earlier answer.

    Raises:
        ConfigError: There is no answer, or it cannot be read.
    """
    ask = "search again, to write it: fastface find -t PHOTOS"
    if not (folder / "spans.json").is_file():
        raise ConfigError(f"{str(folder)!r} holds no answer; search for persons first: fastface find -t PHOTOS")
    try:
        run = json.loads(find_answer_record(folder).read_bytes())
        if run["command"] == "scan":
            raise ConfigError(f"the last search in {str(folder)!r} was stopped; {ask}")
        digest = hashlib.sha256()
        spans = list(_iterate_spans(folder / "spans.json", digest))
        near_misses = list(_iterate_rows(folder / "review.csv", digest))
        return _build(run, spans, near_misses, ledger, digest.hexdigest()[:16])
    except OSError as error:
        raise ConfigError(f"cannot read {error.filename!r}: {error.strerror}; {ask}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"the answer in {str(folder)!r} is damaged; {ask}") from error


def _build(
    run: Mapping[str, Any], spans: list[Any], near_misses: list[tuple[str, ...]], ledger: Ledger, digest: str
) -> Answer:
    persons = tuple(map(str, run["targets"]))
    targets = list(dict.fromkeys([*persons, *map(str, run["where"]), *(str(span["target"]) for span in spans)]))
    target_places = {label: place for place, label in enumerate(targets)}
    questions = read_questions((label for label in run["where"] if label not in persons), persons)
    outcomes = {str(video["id"]): video for video in run["videos"]}
    records = {valid_text(record.video_id): record for record in ledger.iterate_summaries()}
    named = {text_cell(name): name for name in (*records, *outcomes)}
    ids = sorted({*outcomes, *(str(span["video"]) for span in spans), *(named[video] for video, *_ in near_misses)})
    video_places = {video_id: place for place, video_id in enumerate(ids)}
    target_cells = {text_cell(label): place for label, place in target_places.items()}
    return Answer(
        run=run,
        targets=tuple(targets),
        expressions={target_places[one.label]: tuple(map(target_places.__getitem__, one.persons)) for one in questions},
        videos=tuple(_read_video(video_id, outcomes.get(video_id), records.get(video_id)) for video_id in ids),
        spans=tuple(_read_span(span, video_places, target_places) for span in spans),
        near_misses=tuple(
            _read_near_miss(cells, video_places[named[video]], target_cells[target])
            for video, target, *cells in near_misses
        ),
        is_exact=bool(run["config"]["spans"]["exact"]),
        digest=digest,
    )


def _iterate_spans(path: Path, digest: "hashlib._Hash") -> Iterator[dict[str, Any]]:
    """Yield the spans. fastface writes one line a span, so that they need not be in memory all at once."""
    with path.open("rb") as file:
        head = [file.readline(), file.readline()]
        is_one_a_line = head[0].strip() == b"[" and head[1].startswith(b"{") and head[1].rstrip(b",\n").endswith(b"}")
        if not is_one_a_line:  # without a span, or formatted by another program
            content = b"".join([*head, file.read()])
            digest.update(content)
            yield from ({key: span.get(key) for key in _SPAN_KEYS} for span in json.loads(content))
            return
        for line in chain(head[1:], file):
            digest.update(line)
            text = line.strip().removesuffix(b",")
            if text != b"]":
                span = json.loads(text)
                yield {key: span.get(key) for key in _SPAN_KEYS}


_SPAN_KEYS = ("video", "target", "start", "end", "first_hit", "last_hit", "hits", "best_similarity", "mean_similarity",
              "clip", "clip_start", "picture", "last_picture")  # fmt: skip


_NEAR_MISS_COLUMNS = (
    "video", "target", "start", "end", "faces", "best_similarity", "similarity", "evidence", "margin", "reason",
    "track",
)  # fmt: skip


def _iterate_rows(path: Path, digest: "hashlib._Hash") -> Iterator[tuple[str, ...]]:
    if path.is_file():
        for row in read_csv(path, _NEAR_MISS_COLUMNS):
            digest.update(repr(row).encode())
            yield row


def _read_video(video_id: str, outcome: Mapping[str, Any] | None, record: VideoSummary | None) -> ReportVideo:
    duration = None if outcome is None else outcome["duration"]
    if duration is None and record is not None:
        duration = record.duration
    if record is not None and outcome is None:
        outcome = {"state": record.state, "reason": record.reason}
    return ReportVideo(
        id=video_id,
        key=video_id if record is None else record.video_id,
        path=None if record is None else record.path,
        state="done" if outcome is None else str(outcome["state"]),
        reason="" if outcome is None else str(outcome["reason"]),
        duration=duration,
        player_offset=0.0 if record is None else round(record.player_offset, 3),
        is_film=record is None or record.is_film,
    )


def _read_span(span: Mapping[str, Any], videos: Mapping[str, int], targets: Mapping[str, int]) -> ReportSpan:
    clip_start = span["clip_start"]
    return ReportSpan(
        video=videos[span["video"]],
        target=targets[span["target"]],
        start=float(span["start"]),
        end=float(span["end"]),
        first=float(span["first_hit"]),
        last=float(span["last_hit"]),
        hits=int(span["hits"]),
        best=span["best_similarity"],
        mean=span["mean_similarity"],
        clip=span["clip"] or "",
        clip_start=float(span["start"] if clip_start is None else clip_start),
        picture=" – ".join(dict.fromkeys(filter(None, (span["picture"], span["last_picture"])))),
    )


def _read_near_miss(cells: Sequence[str], video: int, target: int) -> ReportNearMiss:
    start, end, faces, *scores, reason, track = cells
    best, similarity, evidence, margin = (float(score) if score else None for score in scores)
    return ReportNearMiss(
        video=video,
        target=target,
        start=float(start),
        end=float(end),
        faces=int(faces),
        best=best,
        similarity=similarity,
        evidence=evidence,
        margin=margin,
        reason=reason,
        track=int(track),
    )
