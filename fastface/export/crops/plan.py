"""Plan the crops and snapshots of one video's findings, and name their files.

`exporter` calls it. It touches no file, and the same findings and settings give the same names.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, replace
from math import gcd
from pathlib import Path

import numpy as np

from fastface.config import Config, ExportConfig
from fastface.export.crops.choosing import choose_crops
from fastface.export.crops.xmp import NamedFace
from fastface.export.jobs import CropJob, PicturesJob, SnapshotJob
from fastface.export.plan import BoxLabel, CropKind, CropStyle
from fastface.export.tables.results import CropRow
from fastface.faces.wholeness import is_uncut
from fastface.gallery.matching import EVERYONE
from fastface.names import label_name, pluralize
from fastface.persons.network import PersonNetwork
from fastface.search.searcher import VideoFindings
from fastface.types import PROFILE_YAW, HitKind, Hits, Size, Span


@dataclass(slots=True)
class CropTally:
    """Number of hits of one target, and of those without a crop, by reason."""

    hits: int = 0
    crops: int = 0
    unfit: int = 0
    near: int = 0
    alike: int = 0
    beyond: int = 0

    def add(self, other: "CropTally") -> None:
        """Add the counts of another video."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    def describe(self, config: ExportConfig) -> str:
        """Describe the counts: `71 hits; left out: 59 by --min-gap 1.5`."""
        limit = f"--count {config.count}" if config.count else f"--max-crops {config.max_crops}"
        reasons = {
            f"by --min-gap {config.min_gap:g}": self.near,
            f"by {limit}": self.beyond,
            "turned, damaged or cut off by the frame": self.unfit,
            "as good as equal to a better one": self.alike,
        }
        missing = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
        return f"{pluralize(self.hits, 'hit')}, {pluralize(self.crops, 'crop')}{missing and f'; left out: {missing}'}"


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """The pictures of one video.

    Attributes:
        job: Job that makes them; None if there are none.
        files: Their paths below OUT.
        crops: Rows of crops.csv.
        worth: (step of the gap, negative quality) of each crop; the smallest are best.
        tallies: {label: counts of crops and omitted hits}.
    """

    job: PicturesJob | None
    files: tuple[str, ...]
    crops: tuple[CropRow, ...]
    worth: tuple[tuple[int, float], ...] = ()
    tallies: dict[str, CropTally] = field(default_factory=dict)

    def limited_to(self, files: Collection[str]) -> "PicturePlan":
        """Return the plan without the crops that are not among these files."""
        left_out = {row.file for row in self.crops} - set(files)
        if not left_out or self.job is None:
            return self
        kept = tuple(file for file in self.files if file not in left_out)
        rows = tuple(row for row in self.crops if row.file not in left_out)
        names = {Path(row.file).name for row in rows}
        crops = tuple(crop for crop in self.job.crops if crop.path.name in names)
        job = replace(self.job, crops=crops) if kept else None
        return replace(self, job=job, files=kept, crops=rows)


def plan_pictures(found: VideoFindings, config: Config, persons: PersonNetwork | None, root: Path) -> PicturePlan:
    """Plan all pictures of one video; touch no file.

    Args:
        found: Findings in the video.
        config: The settings.
        persons: Network that detects bodies; None without one.
        root: The output folder.
    """
    export = config.export
    planned: list[tuple[CropRow, CropJob, tuple[int, float]]] = []
    tallies: dict[str, CropTally] = {}
    if export.crops != "none":
        fit = found.hits if found.crop_hits is None else found.crop_hits
        for label, hits in sorted((label, hits) for label, hits in fit.items() if len(hits)):
            tallies[label] = CropTally(hits=len(hits))
            planned += _plan_crops(found, label, hits, export, root, tally=tallies[label])
    rows, jobs = [row for row, _, _ in planned], [job for _, job, _ in planned]
    snapshots = _snapshots(found, export, root) if export.snapshots else []
    files = (*(row.file for row in rows), *(item.path.relative_to(root).as_posix() for item in snapshots))
    wanted = persons if export.crops == "body" else None
    job = PicturesJob(found.info, _style(config), wanted, tuple(jobs), tuple(snapshots)) if files else None
    return PicturePlan(job, files, tuple(rows), tuple(worth for _, _, worth in planned), tallies)


def _style(config: Config) -> CropStyle:
    export = config.export
    kind: CropKind = "face" if export.crops == "none" else export.crops
    if export.size is None:
        return CropStyle(kind, export.crop_margin, export.crop_size, export.ratio, config.body)
    width, height = export.size
    common = gcd(width, height)
    ratios = (f"{width // common}:{height // common}",)
    return CropStyle(kind, export.crop_margin, width, ratios, config.body, scaled=export.size)


def _plan_crops(
    found: VideoFindings, label: str, hits: Hits, config: ExportConfig, root: Path, *, tally: CropTally
) -> Iterator[tuple[CropRow, CropJob, tuple[int, float]]]:
    video_id, faces = found.record.video_id, found.faces
    if not found.info.is_film:
        # The times of pictures have no meaning: each picture is a separate moment.
        config = config.model_copy(update={"min_gap": 0.0})
    chosen = _chosen(found, label, hits, config, tally)
    tally.crops = len(chosen)
    for number, (row, step) in enumerate(chosen):
        face, time = int(hits.face[row]), float(hits.time[row])
        file = f"crops/{label_name(label, found.colours)}/{video_id}_{time:.3f}_{number}.{config.crop_format}"
        x1, y1, x2, y2 = faces.boxes[face].tolist()
        crop = CropRow(
            video_id=video_id,
            target=label,
            time=time,
            box=(x1, y1, x2, y2),
            similarity=float(hits.similarity[row]),
            quality=float(faces.quality[face]),
            file=file,
            path=found.record.path,
            picture=_get_picture(found, int(faces.pts[face])),
            player_offset=float(found.info.player_offset),
        )
        landmarks = tuple(faces.landmarks[face].reshape(-1).tolist())
        worth = (step, -crop.quality)
        name = label if config.xmp and label != EVERYONE else ""
        job = CropJob(int(faces.pts[face]), crop.box, landmarks, root / file, _description(crop), name)
        yield crop, job, worth


def _chosen(
    found: VideoFindings, label: str, hits: Hits, config: ExportConfig, tally: CropTally
) -> list[tuple[int, int]]:
    """Return (row, step) of the hits worth a crop. For everyone's hits, choose by track: they are many persons."""
    faces = found.faces
    # Omit turned, blurred or damaged faces, and faces that the frame cuts off.
    is_confirmed = (hits.by == HitKind.DECISION) & (np.abs(faces.yaw[hits.face]) <= PROFILE_YAW)
    is_good = ((hits.by == HitKind.FACE) | is_confirmed) & ~faces.damaged[hits.face]
    if (frame := _get_frame(found)) is not None:
        is_good &= is_uncut(faces.boxes[hits.face], faces.landmarks[hits.face], frame, config.min_shown)
    good = np.flatnonzero(is_good)
    tally.unfit = len(hits) - len(good)
    tracks = faces.tracks[hits.face[good]] if label == EVERYONE else np.zeros(len(good), np.int64)
    rows = [good[tracks == track] for track in np.unique(tracks)]
    chosen: list[tuple[int, int]] = []
    for part in rows:
        choice = choose_crops(faces, hits[part], config)
        tally.near, tally.alike = tally.near + choice.near, tally.alike + choice.alike
        tally.beyond += choice.beyond
        chosen += zip(part[choice.rows].tolist(), choice.step.tolist(), strict=True)
    return sorted(chosen)


def _get_frame(found: VideoFindings) -> Size | None:
    """Return the size of all frames; None if there are several, as in folders of pictures and in some films."""
    is_one = found.info.is_film and not found.info.other_sizes
    return found.info.size if is_one else None


def _get_picture(found: VideoFindings, pts: int) -> str:
    return found.pictures[pts] if 0 <= pts < len(found.pictures) else ""


def _description(crop: CropRow) -> str:
    """Describe a crop for its metadata."""
    box = [round(side, 1) for side in crop.box]
    facts: dict[str, object] = {"video": crop.video_id, "time": round(crop.time, 3)}
    facts |= {"target": crop.target, "box": box} | ({"picture": crop.picture} if crop.picture else {})
    return json.dumps({**facts, "similarity": round(crop.similarity, 4)})


def find_best_face(found: VideoFindings, span: Span) -> int | None:
    """Return the row of the face that is most similar to a person of a span; None if no face is seen."""
    parts = found.span_hits(span.target)
    if not span.hits or not parts:
        return None
    hits = Hits.concatenate(parts)
    inside = hits[(hits.time >= span.first_hit) & (hits.time <= span.last_hit)]
    return int(inside.face[inside.similarity.argmax()]) if len(inside) else None


def _snapshots(found: VideoFindings, config: ExportConfig, root: Path) -> list[SnapshotJob]:
    """Plan a snapshot of the best moment of each span with a visible face, with boxes for all hits."""
    chosen: dict[int, float] = {}
    for span in found.spans:
        best = find_best_face(found, span)
        if best is not None:
            chosen[int(found.faces.pts[best])] = float(found.faces.time[best])
    folder = root / "snapshots" / found.record.video_id
    return [
        SnapshotJob(
            pts,
            _list_labels(found, pts),
            folder / f"{time:.3f}.{config.crop_format}",
            tuple(_list_named(found, pts)) if config.xmp else (),
        )
        for pts, time in sorted(chosen.items())
    ]


def _list_labels(found: VideoFindings, pts: int) -> tuple[BoxLabel, ...]:
    labels = []
    for label, hits in sorted(found.hits.items()):
        colour = found.colours.get(label, 0)
        for face, similarity in zip(hits.face.tolist(), hits.similarity.tolist(), strict=True):
            if int(found.faces.pts[face]) == pts:
                x1, y1, x2, y2 = found.faces.boxes[face].tolist()
                labels.append(BoxLabel((x1, y1, x2, y2), f"{label} {similarity:.2f}", colour))
    return tuple(labels)


def _list_named(found: VideoFindings, pts: int) -> Iterator[NamedFace]:
    """Yield the name and the box of each target in a frame."""
    for label, hits in sorted(found.hits.items()):
        if label != EVERYONE:
            for face in hits.face[found.faces.pts[hits.face] == pts].tolist():
                x1, y1, x2, y2 = found.faces.boxes[face].tolist()
                yield label, (x1, y1, x2, y2)
