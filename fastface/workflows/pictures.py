"""Which crops and snapshots are wanted of one video's findings, and what they are called."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastface.config import Config, ExportConfig
from fastface.export.choosing import choose_hits
from fastface.export.plans import BoxLabel, CropKind, CropStyle
from fastface.export.tables import CropRow
from fastface.faces.wholeness import is_uncut
from fastface.gallery.matching import EVERYONE
from fastface.names import safe_name
from fastface.persons.network import PersonNetwork
from fastface.types import HitKind, Hits, Size
from fastface.workflows.export_jobs import CropJob, PicturesJob, SnapshotJob
from fastface.workflows.find import Findings

__all__ = ["PicturePlan", "plan_pictures"]


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """The pictures of one video: the job (None if there are none), their paths below OUT, rows of crops.csv."""

    job: PicturesJob | None
    files: tuple[str, ...]
    crops: tuple[CropRow, ...]


def plan_pictures(found: Findings, config: Config, persons: PersonNetwork | None, root: Path) -> PicturePlan:
    """Plans all pictures of one video; touches no file.

    Args:
        found: What was found in it.
        config: The settings.
        persons: What finds bodies; None where there is no such network.
        root: The output folder.
    """
    export = config.export
    planned: list[tuple[CropRow, CropJob]] = []
    if export.crops != "none":
        for label, hits in sorted((label, hits) for label, hits in found.hits.items() if len(hits)):
            planned += _plan_crops(found, label, hits, export, root)
    rows, jobs = [row for row, _ in planned], [job for _, job in planned]
    snapshots = _snapshots(found, export, root) if export.snapshots else []
    files = (*(row.file for row in rows), *(item.path.relative_to(root).as_posix() for item in snapshots))
    wanted = persons if export.crops == "body" else None
    job = PicturesJob(found.info, _style(config), wanted, tuple(jobs), tuple(snapshots)) if files else None
    return PicturePlan(job, files, tuple(rows))


def _style(config: Config) -> CropStyle:
    export = config.export
    kind: CropKind = "face" if export.crops == "none" else export.crops
    return CropStyle(kind, export.crop_margin, export.crop_size, export.ratio, config.body)


def _plan_crops(
    found: Findings, label: str, hits: Hits, config: ExportConfig, root: Path
) -> Iterator[tuple[CropRow, CropJob]]:
    video_id, faces = found.record.video_id, found.faces
    if not found.info.is_film:
        # The times of pictures say nothing: each is a moment of its own.
        config = config.model_copy(update={"min_gap": 0.0})
    for number, row in enumerate(_chosen(found, label, hits, config)):
        face, time = int(hits.face[row]), float(hits.time[row])
        file = f"crops/{safe_name(label)}/{video_id}_{time:.3f}_{number}.{config.crop_format}"
        x1, y1, x2, y2 = faces.boxes[face].tolist()
        crop = CropRow(
            video_id=video_id,
            target=label,
            time=time,
            box=(x1, y1, x2, y2),
            similarity=float(hits.similarity[row]),
            quality=float(faces.quality[face]),
            file=file,
        )
        landmarks = tuple(faces.landmarks[face].reshape(-1).tolist())
        yield crop, CropJob(int(faces.pts[face]), crop.box, landmarks, root / file, _description(crop))


def _chosen(found: Findings, label: str, hits: Hits, config: ExportConfig) -> list[int]:
    """Rows of the hits that are worth a crop; of everyone's, each track's by itself, since they are many persons."""
    faces = found.faces
    # Nobody wants a picture of a turned, blurred or damaged face, or of one half of which the frame cuts off.
    is_good = (hits.by == HitKind.FACE) & ~faces.damaged[hits.face]
    if (frame := _frame_of(found)) is not None:
        is_good &= is_uncut(faces.boxes[hits.face], faces.landmarks[hits.face], frame, config.min_shown)
    good = np.flatnonzero(is_good)
    tracks = faces.tracks[hits.face[good]] if label == EVERYONE else np.zeros(len(good), np.int64)
    rows = [good[tracks == track] for track in np.unique(tracks)]
    return sorted(row for part in rows for row in part[choose_hits(faces, hits[part], config)].tolist())


def _frame_of(found: Findings) -> Size | None:
    """The size of all frames; None where that is not known, as pictures, and some films, change it.

    A face whose middle lies outside of what the header says shows that it does not hold for every frame.
    """
    width, height = found.info.size
    boxes = found.faces.boxes
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    is_one = found.info.is_film and bool(((x <= width) & (y <= height)).all())
    return found.info.size if is_one else None


def _description(crop: CropRow) -> str:
    """What a crop's metadata say of it."""
    box = [round(side, 1) for side in crop.box]
    facts = {"video": crop.video_id, "time": round(crop.time, 3), "target": crop.target, "box": box}
    return json.dumps({**facts, "similarity": round(crop.similarity, 4)})


def _snapshots(found: Findings, config: ExportConfig, root: Path) -> list[SnapshotJob]:
    """The best moment of each span in which a face is seen, with a box for every hit of that frame."""
    chosen: dict[int, float] = {}
    for span in found.spans:
        hits = found.hits[span.target]
        inside = hits[(hits.time >= span.first_hit) & (hits.time <= span.last_hit)]
        if not len(inside):
            continue
        best = int(inside.face[inside.similarity.argmax()])
        chosen[int(found.faces.pts[best])] = float(found.faces.time[best])
    folder = root / "snapshots" / found.record.video_id
    return [
        SnapshotJob(pts, _labels_at(found, pts), folder / f"{time:.3f}.{config.crop_format}")
        for pts, time in sorted(chosen.items())
    ]


def _labels_at(found: Findings, pts: int) -> tuple[BoxLabel, ...]:
    labels = []
    for label, hits in sorted(found.hits.items()):
        colour = found.colours.get(label, 0)
        for face, similarity in zip(hits.face.tolist(), hits.similarity.tolist(), strict=True):
            if int(found.faces.pts[face]) == pts:
                x1, y1, x2, y2 = found.faces.boxes[face].tolist()
                labels.append(BoxLabel((x1, y1, x2, y2), f"{label} {similarity:.2f}", colour))
    return tuple(labels)
