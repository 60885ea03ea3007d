"""Choose a picture for each span and near miss, from those that the scan kept. Nothing is decoded.

`report_page` calls it. The picture of a span shows its hit with the highest similarity among the hits with a picture.
That of a near miss is the best picture of its track. A track that another scan has changed since the answer has none,
because a wrong picture would mislead a reviewer. A span without a picture in the index shows its best crop.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fastface.csv_cells import read_csv
from fastface.errors import ConfigError, FaceIndexError
from fastface.gallery.matching import VideoFaces
from fastface.index.ledger import Ledger
from fastface.index.store import VideoIndex
from fastface.names import text_cell
from fastface.review.report.answer import Answer, SpanFinder
from fastface.review.report.hit_table import HitBlock
from fastface.runtime.index_settings import read_sampling
from fastface.search.video_faces import read_video_faces
from fastface.types import Thumbnails

_EDGE = 0.06
"""Maximum difference of a left edge from its cell in hits.csv, in pixels: the cell has one decimal."""
_ROUNDING = 0.0005 + 1e-9
"""Seconds by which a time in review.csv may differ from the exact one."""
_SIDE, _CROP_BYTES = 144, 12_000
"""Side of a crop in the page in pixels, and its size at most."""
_SMALL = 80
"""Side in pixels of pictures that are made smaller, because there are many."""


@dataclass(frozen=True, slots=True)
class ChosenPicture:
    """Picture of a span or near miss: its row among the pictures of its video, its time, and its size in bytes."""

    item: int  # place among the spans; near misses follow them
    video: int
    row: int  # -1 if the picture is a crop
    time: float
    size: int
    crop: str = ""  # path of the crop below the folder of the answer


class PictureChooser:
    """Choice of pictures while the hits are read.

    Args:
        root: Folder of the index.
        ledger: Ledger of the output folder.
        answer: The answer.
    """

    def __init__(self, root: Path, ledger: Ledger, answer: Answer) -> None:
        self._root = root
        self._ledger = ledger
        self._answer = answer
        self._spans = SpanFinder(answer)
        self._near_misses: dict[int, list[int]] = defaultdict(list)
        for place, near_miss in enumerate(answer.near_misses):
            self._near_misses[near_miss.video].append(place)
        self._best: dict[int, tuple[float, ChosenPicture]] = {}
        self._loaded: tuple[int, Thumbnails] = (-1, Thumbnails.empty())

    def add(self, hits: HitBlock) -> None:
        """Add hits, in the order of the table."""
        edges = np.flatnonzero(np.diff(hits.video, prepend=-1, append=-1))
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            self._add_video(int(hits.video[start]), hits, start, end)

    def _add_video(self, video: int, hits: HitBlock, start: int, end: int) -> None:
        portraits = self._load(video)
        rows = _number_rows(portraits)
        for hit in (start + np.flatnonzero(np.isin(hits.pts[start:end], portraits.pts))).tolist():
            near = [row for row in rows[int(hits.pts[hit])] if abs(portraits.x1[row] - hits.x1[hit]) < _EDGE]
            if near:
                row, target, time = near[0], int(hits.target[hit]), float(hits.time[hit])
                self._offer(video, target, time, float(hits.similarity[hit]), row)

    def _offer(self, video: int, target: int, time: float, similarity: float, row: int) -> None:
        """Take a picture for the span at its time, if it is better than the one before."""
        item = self._spans.find(video, target, time)
        if item is not None and (item not in self._best or similarity > self._best[item][0]):
            size = len(self._load(video).jpeg[row])
            self._best[item] = similarity, ChosenPicture(item, video, row, time, size)

    def choose(self) -> list[ChosenPicture]:
        """Return the pictures of all spans and near misses that have one; call it after the last hit."""
        found = [picture for _, picture in self._best.values()]
        for video in self._near_misses:
            found += self._choose_near_misses(video)
        return sorted(found, key=lambda picture: picture.item)

    def _choose_near_misses(self, video: int) -> Iterator[ChosenPicture]:
        portraits = self._load(video)
        found = self._read_tracks(video) if len(portraits) else None
        if found is None:
            return
        faces, numbers = found.faces, found.faces.tracks
        bounds = dict(
            zip(found.tracks.number.tolist(), zip(found.tracks.start, found.tracks.end, strict=True), strict=True)
        )
        shown: dict[int, list[tuple[float, int, int]]] = defaultdict(list)  # by track: worth, picture and face
        rows = _number_rows(portraits)
        for face in np.flatnonzero(np.isin(faces.pts, portraits.pts)).tolist():
            for row in rows[int(faces.pts[face])]:
                if abs(portraits.x1[row] - faces.boxes[face, 0]) < _EDGE:
                    shown[int(numbers[face])].append((float(portraits.worth[row]), -row, face))
        for place in self._near_misses[video]:
            wanted = self._answer.near_misses[place]
            if not shown[wanted.track]:
                continue
            apart = np.subtract(bounds[wanted.track], (wanted.start, wanted.end))
            if np.abs(apart).max() < _ROUNDING:
                _, negative_row, face = max(shown[wanted.track])
                size, time = len(portraits.jpeg[-negative_row]), float(faces.time[face])
                yield ChosenPicture(len(self._answer.spans) + place, video, -negative_row, time, size)

    def _read_tracks(self, video: int) -> VideoFaces | None:
        """Return the faces and tracks that the answer was made of; None if they cannot be read."""
        record = self._ledger.video(self._answer.videos[video].key)
        if record is None or record.info is None:
            return None
        index = VideoIndex(self._root, record.video_id)
        units = self._ledger.units(record.video_id).values()
        try:
            sampling = read_sampling(index.metadata())
            return read_video_faces(index, record.info, sampling, tuple(units), exact=self._answer.is_exact)
        except FaceIndexError:
            return None

    def _load(self, video: int) -> Thumbnails:
        """Return the pictures of a video; none if they cannot be read. One video is in memory at a time."""
        if self._loaded[0] != video:
            try:
                found = VideoIndex(self._root, self._answer.videos[video].key).portraits()
            except FaceIndexError:
                found = Thumbnails.empty()
            self._loaded = video, found
        return self._loaded[1]


def _number_rows(portraits: Thumbnails) -> dict[int, list[int]]:
    """Return the rows of pictures, by pts."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row, pts in enumerate(portraits.pts.tolist()):
        rows[pts].append(row)
    return rows


def choose_crops(folder: Path, answer: Answer, chosen: Sequence[ChosenPicture]) -> list[ChosenPicture]:
    """Choose the crop with the highest similarity for each span that has no other picture.

    Args:
        folder: Folder of the answer.
        answer: The answer.
        chosen: The pictures of the index.

    Raises:
        ConfigError: The table of crops is damaged.
    """
    table = folder / "crops" / "crops.csv"
    if not table.is_file():
        return []
    with_picture = {picture.item for picture in chosen}
    videos = {text_cell(video.id): place for place, video in enumerate(answer.videos)}
    targets = {text_cell(label): place for place, label in enumerate(answer.targets)}
    spans, best = SpanFinder(answer), dict[int, tuple[float, ChosenPicture]]()
    try:
        for video, target, cell, score, file in read_csv(table, ("video", "target", "time", "similarity", "file")):
            time, similarity = float(cell), float(score or 0)
            item = spans.find(videos.get(video, -1), targets.get(target, -1), time)
            if item is None or item in with_picture or similarity <= best.get(item, (-np.inf,))[0]:
                continue
            best[item] = similarity, ChosenPicture(item, videos[video], -1, time, _CROP_BYTES, file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(table)!r} is damaged; search again, to write it: fastface find -t PHOTOS") from error
    return [picture for _, picture in best.values()]


def read_crop(path: Path) -> bytes:
    """Return a crop as JPEG in the size of a picture of the index; empty if it cannot be read."""
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return b""
    if picture is None:
        return b""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 4, (width - side) // 2  # of a high crop, the part with the face
    square = cv2.resize(picture[top : top + side, left : left + side], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", square, (cv2.IMWRITE_JPEG_QUALITY, 80))[1].tobytes()


def limit_pictures(chosen: list[ChosenPicture], answer: Answer, most_bytes: int) -> tuple[list[ChosenPicture], bool]:
    """Choose the pictures that fit into the page: those of near misses and of long spans first.

    Near misses get at most half. Their order is that of similarity; of each person and video the longest span comes
    first, then the second longest.

    Returns:
        The pictures, by video, and whether they must be made smaller.
    """
    if sum(picture.size for picture in chosen) <= most_bytes:
        return sorted(chosen, key=lambda picture: (picture.video, picture.item)), False
    num_spans = len(answer.spans)
    near = [picture for picture in chosen if picture.item >= num_spans]
    near.sort(key=lambda picture: -(answer.near_misses[picture.item - num_spans].best or 0.0))
    spans = [picture for picture in chosen if picture.item < num_spans]
    spans.sort(key=lambda picture: answer.spans[picture.item].start - answer.spans[picture.item].end)
    rank: dict[tuple[int, int], int] = defaultdict(int)
    ranked: list[tuple[int, int, ChosenPicture]] = []
    for picture in spans:
        pair = picture.video, answer.spans[picture.item].target
        ranked.append((rank[pair], len(ranked), picture))
        rank[pair] += 1
    kept = near[: most_bytes // _SMALL_BYTES // 2]
    kept += [picture for _, _, picture in sorted(ranked)[: most_bytes // _SMALL_BYTES - len(kept)]]
    return sorted(kept, key=lambda picture: (picture.video, picture.item)), True


_SMALL_BYTES = 2600
"""Size of a smaller picture, at most; larger ones are left out."""


def shrink_picture(jpeg: bytes) -> bytes:
    """Return a picture in a small size; empty if it needs more bytes than a small one may."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return b""
    small = cv2.resize(picture, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    content = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 72))[1].tobytes()
    return content if len(content) <= _SMALL_BYTES else b""
