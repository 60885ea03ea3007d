"""Read hits.csv in pieces, and condense its similarities to one curve a video and target.

`report_page` calls it. An answer can have millions of hits, so no more than one block of the file is in memory, and all
curves together have a fixed size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from fastface.errors import ConfigError
from fastface.names import text_cell
from fastface.review.report.answer import Answer, ReportSpan, SpanFinder

_BLOCK_BYTES = 4 << 20
_FEWEST_BINS, _MOST_BINS = 24, 1500
_LEVELS = 254
"""Number of steps between the similarities 0 and 1 in a curve."""


@dataclass(frozen=True, slots=True)
class HitBlock:
    """Some hits in the order of the table: (n,) places of videos and targets, seconds, pts, left edges, similarities.

    `x1` and `similarity` are NaN if only the body was found.
    """

    video: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    x1: npt.NDArray[np.float64]
    similarity: npt.NDArray[np.float64]
    is_decided: npt.NDArray[np.bool_]  # hits by an earlier decision of the user


def iterate_hits(path: Path, answer: Answer) -> Iterator[HitBlock]:
    """Yield the hits of an answer. Rows with another video or target than the answer's are left out.

    Hits of the persons of an expression come once more as hits of the expression, if they are inside its moments.

    Raises:
        ConfigError: The table is damaged.
    """
    if not path.is_file():
        return
    kinds = {"time": pa.float64(), "pts": pa.int64(), "x1": pa.float64(), "similarity": pa.float64()}
    kinds |= dict.fromkeys(("video", "target", "by"), pa.dictionary(pa.int32(), pa.string()))
    videos = {text_cell(video.id): place for place, video in enumerate(answer.videos)}
    targets = {text_cell(label): place for place, label in enumerate(answer.targets)}
    try:
        with csv.open_csv(
            path,
            csv.ReadOptions(block_size=_BLOCK_BYTES),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(column_types=kinds, include_columns=list(kinds)),
        ) as reader:
            for batch in reader:
                video, target = _places(batch.column("video"), videos), _places(batch.column("target"), targets)
                kept = (video >= 0) & (target >= 0)
                columns = {name: batch.column(name).to_numpy(zero_copy_only=False)[kept] for name in list(kinds)[:4]}
                is_decided = _places(batch.column("by"), {"decision": 0}) == 0
                hits = HitBlock(video[kept], target[kept], **columns, is_decided=is_decided[kept])
                yield hits
                for expression, persons in answer.expressions.items():
                    is_inside = _inside(hits, [span for span in answer.spans if span.target == expression])
                    yield _select(hits, is_inside & np.isin(hits.target, persons), expression)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{str(path)!r} is damaged; search again, to write it: fastface find -t PHOTOS") from error


def _inside(hits: HitBlock, spans: Sequence[ReportSpan]) -> npt.NDArray[np.bool_]:
    """Return (n,) whether each hit is inside one of the spans of one target, without their padding."""
    inside = np.zeros(len(hits.time), np.bool_)
    for video in np.unique(hits.video).tolist():
        bounds = sorted((span.first, span.last) for span in spans if span.video == video)
        first, last = np.array([(-np.inf, -np.inf), *bounds]).T
        rows = np.flatnonzero(hits.video == video)
        inside[rows] = hits.time[rows] <= last[np.searchsorted(first, hits.time[rows], side="right") - 1]
    return inside


_COLUMNS = ("video", "target", "time", "pts", "x1", "similarity", "is_decided")


def _select(hits: HitBlock, rows: npt.NDArray[np.bool_], target: int) -> HitBlock:
    """Return some of the hits, as hits of another target."""
    chosen = {name: getattr(hits, name)[rows] for name in _COLUMNS}
    return HitBlock(**{**chosen, "target": np.full_like(chosen["target"], target)})


def _places(column: pa.DictionaryArray, places: Mapping[str, int]) -> npt.NDArray[np.int64]:
    """Return (n,) places of the names; -1 for an unknown name."""
    known = np.array([places.get(name, -1) for name in column.dictionary.to_pylist()] or [-1], np.int64)
    found: npt.NDArray[np.int64] = known[column.indices.to_numpy()]
    return found


class DecidedHits:
    """Number of hits in each span that are there by an earlier decision.

    Args:
        answer: The answer.
    """

    def __init__(self, answer: Answer) -> None:
        self.counts = [0] * len(answer.spans)
        self._spans = SpanFinder(answer)

    def add(self, hits: HitBlock) -> None:
        """Add hits."""
        for row in np.flatnonzero(hits.is_decided).tolist():
            place = self._spans.find(int(hits.video[row]), int(hits.target[row]), float(hits.time[row]))
            if place is not None:
                self.counts[place] += 1


class SimilarityCurves:
    """Similarity over time of each video and target: the highest of each stretch of time.

    Args:
        answer: The answer. Pairs with the most screen time get a curve first.
        most_bytes: Limit of all curves together.
    """

    def __init__(self, answer: Answer, most_bytes: int) -> None:
        seconds: dict[tuple[int, int], float] = {}
        lengths = [video.duration or 0.0 for video in answer.videos]
        for span in answer.spans:
            pair = span.video, span.target
            seconds[pair] = seconds.get(pair, 0.0) + span.end - span.start
            lengths[span.video] = max(lengths[span.video], span.end)
        for near_miss in answer.near_misses:
            lengths[near_miss.video] = max(lengths[near_miss.video], near_miss.end)
        pairs = sorted(seconds, key=lambda pair: (-seconds[pair], pair))[: most_bytes // _FEWEST_BINS]
        self.num_left_out = len(seconds) - len(pairs)
        self.lengths = tuple(lengths)
        """Length of each video in seconds; at least the end of its last span or near miss."""
        self.num_bins = min(_MOST_BINS, most_bytes // max(1, len(pairs)))
        self._pairs = pairs
        self._rows = np.full((len(answer.videos), len(answer.targets)), -1, np.int32)
        for row, pair in enumerate(pairs):
            self._rows[pair] = row
        self._highest = np.zeros((len(pairs), self.num_bins), np.uint8)

    def add(self, hits: HitBlock) -> None:
        """Add hits."""
        row = self._rows[hits.video, hits.target]
        kept = (row >= 0) & ~np.isnan(hits.similarity)
        row, length = row[kept], np.maximum(np.array(self.lengths)[hits.video[kept]], 1e-3)
        place = np.clip((hits.time[kept] / length * self.num_bins).astype(np.int64), 0, self.num_bins - 1)
        level = 1 + np.rint(np.clip(hits.similarity[kept], 0, 1) * _LEVELS).astype(np.uint8)
        np.maximum.at(self._highest, (row, place), level)

    def list_curves(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield video, target and curve, by video. A byte is a stretch of time: 0 has no hit, 1 is 0, 255 is 1."""
        for row, pair in sorted(enumerate(self._pairs), key=lambda item: item[1]):
            yield (*pair, self._highest[row].tobytes())
