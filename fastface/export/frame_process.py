"""Make the pictures of an audit in a separate process: a hostile video or photo ends only that process.

`ProcessPool` starts `serve`; `frame_jobs` defines its jobs and results.
"""

from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

import av.logging
import cv2
import numpy as np

from fastface.export.frame_jobs import Box, CellsJob, FrameImages, FramePicture, FramesJob, PhotoJob
from fastface.pipeline.process import HeartbeatTimer
from fastface.pipeline.task_pool import serve_tasks
from fastface.types import Image
from fastface.video.frames.display_frames import decode_frames, decode_samples
from fastface.video.frames.image_file import read_picture

_LONGEST = 880
_CLOSE_UP = 260
_THUMBNAIL = 220
_JPEG_QUALITY = 82
_ROOM = 0.6
"""Margin around a face in its close-up, as a share of the face's size."""


def serve(connection: Connection, _descriptor: int, _settings: object) -> None:
    """Run the process. `process.child_main` calls it in the child."""
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    alive = HeartbeatTimer(connection)

    def do(job: FramesJob | CellsJob | PhotoJob) -> list[FrameImages]:
        match job:
            case FramesJob():
                return list(_frames(job, alive))
            case CellsJob():
                shots = decode_samples(job.info, job.cells, job.size, alive)
                return [FrameImages(cell, pts, _jpeg(picture, _LONGEST)) for cell, pts, picture in shots]
            case PhotoJob():
                longest, boxes = (_THUMBNAIL, ()) if job.box is None else (_LONGEST, (job.box,))
                return [FrameImages(job.target, 0, _jpeg(read_picture(job.path), longest, boxes))]

    serve_tasks(connection, do)


def _frames(job: FramesJob, alive: HeartbeatTimer) -> Iterator[FrameImages]:
    wanted: dict[int, list[FramePicture]] = {}
    for one in job.wanted:
        wanted.setdefault(one.pts, []).append(one)
    for pts, picture in decode_frames(job.info, sorted(wanted), alive):
        for one in wanted[pts]:
            close = b"" if one.close is None else _jpeg(_close_up(picture, one.close), _CLOSE_UP)
            yield FrameImages(one.number, pts, _jpeg(picture, _LONGEST, one.boxes), close)


def _jpeg(picture: Image, longest: int, boxes: Sequence[Box] = ()) -> bytes:
    """Encode a picture as JPEG, no larger than `longest`, with boxes drawn into it."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shown = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture.copy()
    for box in boxes:
        x1, y1, x2, y2 = (round(min(max(side * scale, -1e6), 1e6)) for side in box)
        cv2.rectangle(shown, (x1 - 3, y1 - 3), (x2 + 3, y2 + 3), (20, 20, 20), 5)
        cv2.rectangle(shown, (x1 - 3, y1 - 3), (x2 + 3, y2 + 3), (60, 200, 255), 2)
    encoded: bytes = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    return encoded


def _close_up(picture: Image, box: Box) -> Image:
    """Cut a square around a face, as far as the frame reaches."""
    height, width = picture.shape[:2]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = max(4.0, max(box[2] - box[0], box[3] - box[1]) * (0.5 + _ROOM))
    left, right = np.clip([round(x - half), round(x + half)], 0, width).tolist()
    top, bottom = np.clip([round(y - half), round(y + half)], 0, height).tolist()
    return picture[top:bottom, left:right] if right > left and bottom > top else picture
