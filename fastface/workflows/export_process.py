"""The process that makes exports: clips by ffmpeg, pictures by one forward decode a video."""

from multiprocessing.connection import Connection

import av.logging
import cv2
import numpy as np

from fastface.export.clips import cut_clip
from fastface.export.crops import cut_crop, save_picture
from fastface.export.snapshots import draw_boxes
from fastface.pipeline.errands import serve_errands
from fastface.pipeline.process import Heartbeat
from fastface.video.pictures import frames_at
from fastface.workflows.export_jobs import ClipJob, CropJob, Made, PicturesJob

__all__ = ["serve"]


def serve(connection: Connection, _descriptor: int, _settings: None) -> None:
    """The life of an export process; called by `process.child_main` in the child."""
    av.logging.set_level(None)
    cv2.setNumThreads(1)

    def do(job: ClipJob | PicturesJob) -> Made:
        if isinstance(job, ClipJob):
            return _clip(job, connection)
        return _pictures(job, connection)

    serve_errands(connection, do)


def _clip(job: ClipJob, connection: Connection) -> Made:
    clip = cut_clip(job.info, job.start, job.end, job.destination, job.mode, check_stop=Heartbeat(connection))
    return Made({"mode": clip.mode, "start": clip.start, "end": clip.end})


def _pictures(job: PicturesJob, connection: Connection) -> Made:
    crops: dict[int, list[CropJob]] = {}
    for crop in job.crops:
        crops.setdefault(crop.pts, []).append(crop)
    snapshots = {snapshot.pts: snapshot for snapshot in job.snapshots}
    seen = set()
    for pts, picture in frames_at(job.info, [*crops, *snapshots], Heartbeat(connection)):
        seen.add(pts)
        for crop in crops.get(pts, ()):
            box, landmarks = np.array(crop.box, np.float32), np.array(crop.landmarks, np.float32).reshape(5, 2)
            save_picture(crop.path, cut_crop(picture, box, landmarks, job.style))
        if pts in snapshots:
            save_picture(snapshots[pts].path, draw_boxes(picture, list(snapshots[pts].labels)))
    lost = len({*crops, *snapshots} - seen)
    return Made(missing=(f"frames that could not be decoded again: {lost}",) if lost else ())
