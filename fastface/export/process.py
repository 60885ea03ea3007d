"""Make clips and pictures in a separate process, with one forward decode of each video.

`ProcessPool` starts `serve`; `jobs` defines its jobs and results. The process opens the person network when the first
job needs it.
"""

from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av.logging
import cv2
import numpy as np

from fastface.export.clips.clips import cut_clip
from fastface.export.clips.overlay_video import write_boxed
from fastface.export.clips.reel import write_reel
from fastface.export.contact_sheet import draw_sheet
from fastface.export.crops.crops import Cut, cut_aligned, cut_body, cut_face, save_picture, scale_crop
from fastface.export.crops.snapshots import draw_boxes
from fastface.export.crops.xmp import format_xmp
from fastface.export.jobs import (
    BoxedJob,
    ClipJob,
    CropJob,
    ExportJob,
    ExportResult,
    ExportSettings,
    PicturesJob,
    PortraitJob,
    PortraitsJob,
    ReelJob,
    SheetJob,
)
from fastface.faces.thumbnails import draw_portrait
from fastface.names import pluralize
from fastface.persons.network import BATCH, PersonNetwork
from fastface.persons.yolo import PersonDetector, open_person_detector
from fastface.pipeline.process import HeartbeatTimer
from fastface.pipeline.task_pool import serve_tasks
from fastface.types import FloatArray, Image
from fastface.video.frames.display_frames import decode_frames

_BATCH_PIXELS = 1 << 24
"""Maximum pixels of the frames that wait for the person network together: 50 MB."""


def serve(connection: Connection, _descriptor: int, settings: ExportSettings) -> None:
    """Run an export process. `process.child_main` calls it in the child."""
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    exporter = _Exporter(settings, HeartbeatTimer(connection))
    serve_tasks(connection, exporter.do)


class _Exporter:
    """Run the jobs of one process."""

    def __init__(self, settings: ExportSettings, alive: HeartbeatTimer) -> None:
        self._settings = settings
        self._alive = alive
        self._detectors: dict[PersonNetwork, PersonDetector] = {}

    def do(self, job: ExportJob | PortraitsJob) -> ExportResult | dict[int, bytes]:
        """Run one job and return its result."""
        match job:
            case PortraitsJob():
                return self._portraits(job)
            case ClipJob():
                return self._clip(job)
            case BoxedJob():
                write_boxed(job.info, job.start, job.end, job.tracks, job.destination, alive=self._alive)
                return ExportResult({job.destination: {"kind": "boxes"}})
            case PicturesJob():
                return self._pictures(job)
            case ReelJob():
                missing = write_reel(job.parts, job.destination, alive=self._alive)
                videos = sorted({part.info.video_id for part in job.parts})
                return ExportResult({job.destination: {"videos": videos}}, missing)
            case SheetJob():
                missing = draw_sheet(job, alive=self._alive)
                videos = sorted({tile.info.video_id for tile in job.tiles})
                return ExportResult({job.destination: {"videos": videos}}, missing)

    def _clip(self, job: ClipJob) -> ExportResult:
        clip = cut_clip(
            job.info, job.start, job.end, job.destination, job.mode, check_stop=self._alive, is_damaged=job.is_damaged
        )
        facts: dict[str, Any] = {"mode": clip.mode, "start": clip.start, "end": clip.end, "left_out": clip.left_out}
        facts["reason"] = clip.reason
        return ExportResult({job.destination: facts})

    def _portraits(self, job: PortraitsJob) -> dict[int, bytes]:
        wanted: dict[int, list[PortraitJob]] = {}
        for portrait in job.portraits:
            wanted.setdefault(portrait.pts, []).append(portrait)
        return {
            portrait.number: draw_portrait(picture, np.array(portrait.landmarks, np.float32).reshape(5, 2))
            for pts, picture in decode_frames(job.info, sorted(wanted), self._alive)
            for portrait in wanted[pts]
        }

    def _pictures(self, job: PicturesJob) -> ExportResult:
        crops: dict[int, list[CropJob]] = {}
        for crop in job.crops:
            crops.setdefault(crop.pts, []).append(crop)
        snapshots = {snapshot.pts: snapshot for snapshot in job.snapshots}
        wanted = {*crops, *snapshots}
        facts: dict[Path, dict[str, Any]] = {}
        num_unfit = 0
        for pts, picture, persons in self._frames(job, sorted(wanted)):
            wanted.discard(pts)
            for crop in crops.get(pts, ()):
                cut = _cut_clip(picture, persons, crop, job)
                if cut is None:
                    num_unfit += 1
                    continue
                save_picture(crop.path, cut[0], crop.description, _format_crop_xmp(crop, cut))
                facts[crop.path] = cut[1].to_facts()
            if pts in snapshots:
                snapshot = snapshots[pts]
                xmp = format_xmp(snapshot.faces, (picture.shape[1], picture.shape[0]))
                save_picture(snapshot.path, draw_boxes(picture, list(snapshot.labels)), xmp=xmp)
                facts[snapshot.path] = {"kind": "snapshot"}
        return ExportResult(facts, tuple(_report(len(wanted), num_unfit)))

    def _frames(self, job: PicturesJob, pts: Sequence[int]) -> Iterator[tuple[int, Image, FloatArray | None]]:
        """Yield the frames, and the boxes (n, 4) of the persons in each; None without a person network."""
        frames = decode_frames(job.info, pts, self._alive)
        if job.persons is None:
            yield from ((number, picture, None) for number, picture in frames)
            return
        detector = self._detector(job.persons)
        most = max(1, min(BATCH, _BATCH_PIXELS // (job.info.size[0] * job.info.size[1])))
        batch: list[tuple[int, Image]] = []
        for frame in frames:
            batch.append(frame)
            if len(batch) == most:
                yield from _find_persons(batch, detector)
                batch.clear()
        yield from _find_persons(batch, detector)

    def _detector(self, network: PersonNetwork) -> PersonDetector:
        if network not in self._detectors:
            settings = self._settings
            self._detectors[network] = open_person_detector(
                network, settings.device, threads=settings.threads, cache_folder=settings.cache_folder
            )
        return self._detectors[network]


def _find_persons(
    batch: list[tuple[int, Image]], detector: PersonDetector
) -> Iterator[tuple[int, Image, FloatArray | None]]:
    found = detector.detect([picture for _, picture in batch])
    for (pts, picture), persons in zip(batch, found, strict=True):
        yield pts, picture, persons.boxes


def _cut_clip(picture: Image, persons: FloatArray | None, crop: CropJob, job: PicturesJob) -> Cut | None:
    style = job.style
    cut: Cut | None
    if style.kind == "body":
        cut = cut_body(picture, crop.box, persons, style)
    elif style.kind == "face":
        cut = cut_face(picture, crop.box, style)
    else:
        cut = cut_aligned(picture, np.array(crop.landmarks, np.float32).reshape(5, 2), style)
    if cut is None or style.scaled is None:
        return cut
    return scale_crop(cut[0], style.scaled), cut[1]


def _format_crop_xmp(crop: CropJob, cut: Cut) -> bytes:
    """Return the metadata of a crop: the name and, unless the face was turned, its place in the crop."""
    picture, facts = cut
    height, width = picture.shape[:2]
    if facts.crop is None:
        return format_xmp([(crop.name, None)], (width, height))
    left, top, right, bottom = facts.crop
    across, down = width / (right - left), height / (bottom - top)
    x1, y1, x2, y2 = crop.box
    face = ((x1 - left) * across, (y1 - top) * down, (x2 - left) * across, (y2 - top) * down)
    return format_xmp([(crop.name, face)], (width, height))


def _report(num_lost: int, num_unfit: int) -> Iterator[str]:
    if num_lost:
        yield f"{pluralize(num_lost, 'frame')} could not be decoded again"
    if num_unfit:
        yield f"{pluralize(num_unfit, 'frame')} too small for the ratio of the crop"
