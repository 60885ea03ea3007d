"""Which crops and snapshots are wanted of one video's findings, and what they are called."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastface.config import ExportConfig
from fastface.export.plans import BoxLabel, CropStyle, choose_crops
from fastface.export.tables import CropRow
from fastface.names import safe_name
from fastface.types import Hits
from fastface.workflows.export_jobs import CropJob, PicturesJob, SnapshotJob
from fastface.workflows.find import Findings

__all__ = ["PicturePlan", "plan_pictures"]


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """The pictures of one video: the job (None if there are none), their paths below OUT, rows of crops.csv."""

    job: PicturesJob | None
    files: tuple[str, ...]
    crops: tuple[CropRow, ...]


def plan_pictures(found: Findings, config: ExportConfig, root: Path) -> PicturePlan:
    """Plans all pictures of one video; touches no file."""
    kind = config.crops
    style = CropStyle("face" if kind == "none" else kind, config.crop_margin, config.crop_size)
    planned: list[tuple[CropRow, CropJob]] = []
    if kind != "none":
        for label, hits in sorted(found.hits.items()):
            planned += _plan_crops(found, label, hits, config, root)
    rows, jobs = [row for row, _ in planned], [job for _, job in planned]
    snapshots = _snapshots(found, config, root) if config.snapshots else []
    files = (*(row.file for row in rows), *(item.path.relative_to(root).as_posix() for item in snapshots))
    job = PicturesJob(found.info, style, tuple(jobs), tuple(snapshots)) if files else None
    return PicturePlan(job, files, tuple(rows))


def _plan_crops(
    found: Findings, label: str, hits: Hits, config: ExportConfig, root: Path
) -> Iterator[tuple[CropRow, CropJob]]:
    video_id, faces = found.record.video_id, found.faces
    for number, row in enumerate(choose_crops(faces, hits, config.crop_gap).tolist()):
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
            ratio="1:1",
            file=file,
        )
        landmarks = tuple(faces.landmarks[face].reshape(-1).tolist())
        yield crop, CropJob(int(faces.pts[face]), crop.box, landmarks, root / file)


def _snapshots(found: Findings, config: ExportConfig, root: Path) -> list[SnapshotJob]:
    """The best moment of each span, with a box for every hit of that frame if boxes are wanted."""
    chosen: dict[int, float] = {}
    for span in found.spans:
        hits = found.hits[span.target]
        inside = hits[(hits.time >= span.first_hit) & (hits.time <= span.last_hit)]
        best = int(inside.face[inside.similarity.argmax()])
        chosen[int(found.faces.pts[best])] = float(found.faces.time[best])
    folder = root / "snapshots" / found.record.video_id
    return [
        SnapshotJob(pts, _labels_at(found, pts) if config.boxes else (), folder / f"{time:.3f}.{config.crop_format}")
        for pts, time in sorted(chosen.items())
    ]


def _labels_at(found: Findings, pts: int) -> tuple[BoxLabel, ...]:
    labels = []
    for colour, (label, hits) in enumerate(sorted(found.hits.items())):
        for face, similarity in zip(hits.face.tolist(), hits.similarity.tolist(), strict=True):
            if int(found.faces.pts[face]) == pts:
                x1, y1, x2, y2 = found.faces.boxes[face].tolist()
                labels.append(BoxLabel((x1, y1, x2, y2), f"{label} {similarity:.2f}", colour))
    return tuple(labels)
