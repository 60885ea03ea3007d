"""Plan the files that gather all spans of a person: the reel and the pages of the contact sheet.

`exporter` adds the findings of each video and then asks for the jobs. No file is touched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastface.config import ExportConfig
from fastface.csv_cells import clock_cell
from fastface.export.crops.plan import find_best_face
from fastface.export.jobs import ReelJob, ReelPart, SheetJob, SheetTile
from fastface.index.records import VideoRecord
from fastface.names import label_name, pluralize, valid_text
from fastface.search.searcher import VideoFindings

_PAGE = 32
"""Number of spans on a page of a contact sheet."""


@dataclass(frozen=True, slots=True)
class GatheredJob:
    """A job over several videos, and the file that it makes below OUT."""

    path: str
    records: tuple[VideoRecord, ...]
    job: ReelJob | SheetJob


@dataclass(frozen=True, slots=True)
class _Appearance:
    """A span with what the reel and the sheet need of it."""

    record: VideoRecord
    part: ReelPart
    tile: SheetTile
    is_film: bool


class PersonFiles:
    """Collect the spans of each person over all videos of a command.

    Args:
        config: Settings of the export.
        root: The output folder.
    """

    def __init__(self, config: ExportConfig, root: Path) -> None:
        self._config = config
        self._root = root
        self._found: dict[str, list[_Appearance]] = {}
        self._labels: Mapping[str, int] = {}

    def add(self, found: VideoFindings) -> None:
        """Add the spans of one video."""
        if not (self._config.reel or self._config.contact_sheet):
            return
        self._labels = found.colours
        video = valid_text(found.record.video_id)
        for span in found.spans:
            part = ReelPart(found.info, span.start, span.end, f"{video} {clock_cell(span.start)}")
            face = find_best_face(found, span)
            pts = None if face is None else int(found.faces.pts[face])
            time = span.first_hit if face is None else float(found.faces.time[face])
            shown = found.pictures[pts] if pts is not None and pts < len(found.pictures) else clock_cell(time)
            note = "face not seen" if face is None else f"similarity {span.best_similarity or 0.0:.2f}"
            box = None if face is None else tuple(found.faces.boxes[face].tolist())
            tile = SheetTile(found.info, pts, box, (video, f"{valid_text(shown)} · {note}"))
            appearance = _Appearance(found.record, part, tile, not found.info.path.is_dir())
            self._found.setdefault(span.target, []).append(appearance)

    def list_jobs(self) -> Iterator[GatheredJob]:
        """Yield the jobs of all persons, by their labels."""
        for label, spans in sorted(self._found.items()):
            spans.sort(key=lambda one: (one.record.video_id, one.part.start))
            name = label_name(label, self._labels)
            films = [one for one in spans if one.is_film]
            if self._config.reel and films:
                path = f"reels/{name}.mp4"
                parts = tuple(one.part for one in films)
                yield GatheredJob(path, _list_records(films), ReelJob(parts, self._root / path))
            if self._config.contact_sheet:
                yield from self._list_pages(label, name, spans)

    def _list_pages(self, label: str, name: str, spans: list[_Appearance]) -> Iterator[GatheredJob]:
        num_pages = -(-len(spans) // _PAGE)
        for page in range(num_pages):
            shown = spans[page * _PAGE : (page + 1) * _PAGE]
            counts = f"{pluralize(len(spans), 'span')}, page {page + 1} of {num_pages}"
            path = f"sheets/{name}-{page + 1}.jpg"
            tiles = tuple(one.tile for one in shown)
            job = SheetJob(f"{valid_text(label)}: {counts}", tiles, self._root / path)
            yield GatheredJob(path, _list_records(shown), job)


def _list_records(spans: list[_Appearance]) -> tuple[VideoRecord, ...]:
    return tuple({one.record.video_id: one.record for one in spans}.values())
