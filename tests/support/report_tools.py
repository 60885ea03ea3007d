"""An answer in an output folder, drawn without a search: its tables as docs/outputs.md defines them, and an index."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from index_tools import plain_info, some_faces
from PIL import Image

from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.review.report.report_page import WrittenReport, write_report_page
from fastface.runtime.output_folder import OutputFolder
from fastface.types import Thumbnails

SPAN_COLUMNS = ("video", "target", "start", "end", "first_hit", "last_hit", "hits", "best_similarity",
                "mean_similarity", "clip", "clip_mode", "clip_start", "clip_end", "path", "player_start",
                "player_end", "clip_left_out")  # fmt: skip
HIT_COLUMNS = ("video", "target", "time", "pts", "similarity", "margin", "det_score", "quality", "x1", "y1", "x2", "y2",
               "track", "by", "time_hms", "picture", "player_time")  # fmt: skip
NEAR_COLUMNS = ("video", "target", "start", "end", "faces", "best_similarity", "similarity", "evidence", "margin",
                "reason", "start_hms", "end_hms", "path", "picture", "last_picture", "player_start", "player_end",
                "track")  # fmt: skip


_METADATA = {"contract": "x", "sampling": json.dumps({"period": "1", "keyframes": False})}
_PICTURES = 100
"""Number of different pictures."""


@dataclass(frozen=True)
class Drawn:
    """A span or a near miss; it has a face at each whole second, the first with the given similarity."""

    video: str
    target: str
    start: float
    end: float
    best: float = 0.6
    clip: str = ""
    clip_start: float | None = None

    @property
    def seconds(self) -> range:
        return range(int(np.ceil(self.start)), int(self.end) + 1)


@dataclass(frozen=True)
class DrawnAnswer:
    """Content of an output folder.

    Attributes:
        targets: Labels.
        lengths: {video: seconds}.
        spans: Spans, sorted by video.
        near: Near misses, sorted by video.
        with_pictures: Videos with an index that has a picture of each whole second of each span and near miss.
        states: {video: (state, reason)} of those that are not done.
        run: Changed keys of run.json.
    """

    targets: Sequence[str]
    lengths: Mapping[str, float]
    spans: Sequence[Drawn]
    near: Sequence[Drawn] = ()
    with_pictures: Sequence[str] = ()
    states: Mapping[str, tuple[str, str]] | None = None
    run: Mapping[str, Any] | None = None


@cache
def picture(number: int, side: int = 144) -> bytes:
    """A picture of one colour, with so much noise that it has the size of a real one."""
    noise = np.random.default_rng(number).integers(0, 60, (side, side, 3), np.uint8)
    noise[..., number % 3] += 120
    content = io.BytesIO()
    Image.fromarray(noise).save(content, "JPEG", quality=60)
    return content.getvalue()


def write_answer(out: Path, drawn: DrawnAnswer, films: Path) -> None:
    """Writes tables, ledger and index."""
    folder = OutputFolder(out)
    states = drawn.states or {}
    with Ledger(folder.ledger) as ledger:
        for name, length in drawn.lengths.items():
            state, reason = states.get(name, ("done", ""))
            info = plain_info(path=films / name, video_id=name, duration=Fraction(length))
            ledger.put_video(VideoRecord(name, films / name, "f", "k", state, reason, 1.0, info, 1))
    tracks: dict[str, list[Drawn]] = {name: [] for name in drawn.lengths}
    hits, near = [], []
    for span in drawn.spans:
        hits += _hits(span, len(tracks[span.video]))
        tracks[span.video].append(span)
    for one in drawn.near:
        near.append(_near(one, len(tracks[one.video])))
        tracks[one.video].append(one)
    for name in drawn.with_pictures:
        _write_index(VideoIndex(folder.index, name), tracks[name])
    (out / "spans.json").write_text(
        "[\n" + ",\n".join(json.dumps(_span(one, films)) for one in drawn.spans) + "\n]\n" if drawn.spans else "[]\n"
    )
    hits.sort(key=lambda row: (row["video"], row["time"], row["target"]))
    _write_csv(out / "hits.csv", HIT_COLUMNS, [{**row, "time": f"{row['time']:.3f}"} for row in hits])
    _write_csv(out / "review.csv", NEAR_COLUMNS, near)
    (out / "run.json").write_text(json.dumps(_run(drawn)))


def write_report(out: Path) -> WrittenReport:
    folder = OutputFolder(out)
    with Ledger(folder.ledger) as ledger:
        return write_report_page(folder, ledger)


def cell(text: str) -> str:
    """A label in a table: never a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _left(track: int) -> float:
    """The left edge of a track's boxes; in hits.csv it is rounded to 10.2."""
    return 10.25 + 7 * track


def _write_index(index: VideoIndex, drawn: Sequence[Drawn]) -> None:
    """One track a span or near miss: faces a pixel apart from those of the others, each with a picture."""
    rows = sorted((second, track) for track, one in enumerate(drawn) for second in one.seconds)
    faces = some_faces(len(rows))
    boxes = np.array([(_left(track), 20, 60, 80) for _, track in rows], np.float32).reshape(-1, 4)
    faces = replace(
        faces,
        time=np.array([float(second) for second, _ in rows]),
        pts=np.array([second * 1000 for second, _ in rows], np.int64),
        boxes=boxes,
        track=np.array([track for _, track in rows], np.int32),
    )
    portraits = Thumbnails.of(
        faces, np.ones(len(rows), np.float32), [picture(place % _PICTURES) for place in range(len(rows))]
    )
    index.write_faces([faces], 8, _METADATA, lambda found: found.track, lambda _: portraits)


def _span(one: Drawn, films: Path) -> dict[str, Any]:
    values = (one.video, one.target, one.start, one.end, one.start, one.end, len(one.seconds), one.best, one.best)
    clip = (one.clip or None, "copy" if one.clip else None, one.clip_start, one.end if one.clip else None)
    rest: tuple[Any, ...] = (str(films / one.video), one.start, one.end, [])
    return dict(zip(SPAN_COLUMNS, (*values, *clip, *rest), strict=True))


def _hits(one: Drawn, track: int) -> list[dict[str, Any]]:
    return [
        {
            "video": cell(one.video),
            "target": cell(one.target),
            "time": float(second),
            "pts": second * 1000,
            "similarity": f"{one.best - 0.01 * place:.4f}",
            "x1": f"{_left(track):.1f}",
            "by": "face",
        }
        for place, second in enumerate(one.seconds)
    ]


def _near(one: Drawn, track: int) -> dict[str, Any]:
    scores = dict.fromkeys(("best_similarity", "similarity", "evidence"), f"{one.best:.4f}")
    times = {"start": f"{one.start:.3f}", "end": f"{one.end:.3f}"}
    names = {"video": cell(one.video), "target": cell(one.target), "reason": "just below the threshold"}
    return {**names, **times, **scores, "faces": len(one.seconds), "track": track}


def _run(drawn: DrawnAnswer) -> dict[str, Any]:
    states = drawn.states or {}
    network = {"name": "net", "sha256": "ab" * 32, "precision": "float32"}
    return {
        "schema_version": 1,
        "command": "find",
        "version": "1.0",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "seconds": 60.0,
        "phases": {"match": 1.5},
        "device": {"backend": "onnxruntime", "provider": "CPU", "precision": "float32", "name": "cpu", "versions": {}},
        "models": {"pack": "pack", "licence": "a licence", "notes": [], "detector": network, "recogniser": network,
                   "person": None},
        "thresholds": {"enter": 0.45, "exit": 0.4, "margin": 0.05, "tracks": None},
        "counts": {"videos": len(drawn.lengths), "hits": sum(len(one.seconds) for one in drawn.spans)},
        "targets": list(drawn.targets),
        "where": [],
        "answer": "Alice",
        "remarks": [],
        "videos": [
            {"id": name, "path": f"/films/{name}", "also": [], "duration": length,
             "state": states.get(name, ("done", ""))[0], "reason": states.get(name, ("", ""))[1]}
            for name, length in drawn.lengths.items()
        ],
        "skipped": [],
        "left_out": [],
        "export_failures": [],
        "config": {"scan": {"batch": 8}, "spans": {"exact": False}},
        **(drawn.run or {}),
    }  # fmt: skip


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


class PageContent(HTMLParser):
    """The content of the elements of a page that hold data, by id, and the policy."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._texts: dict[str, str] = {}
        self._id: str | None = None
        self.policy = ""
        self.tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self._id = found.get("id") if tag == "script" else None
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""

    def handle_data(self, data: str) -> None:
        if self._id is not None:
            self._texts[self._id] = self._texts.get(self._id, "") + data

    def json(self, name: str) -> Any:
        return json.loads(self._texts[name])

    def names(self) -> set[str]:
        return set(self._texts)
