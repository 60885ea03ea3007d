"""Serve `photo_reader` in a child process: read pictures, draw the contact sheet. A hostile picture ends only this."""

import hashlib
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from fastface.curation.candidates import ReadPicture
from fastface.curation.contact_sheet import Page
from fastface.curation.contact_sheet_page import draw_page
from fastface.curation.measures import measure
from fastface.errors import InputError
from fastface.faces.analyse import FaceAnalyser
from fastface.pipeline.inference.analyser import open_analyser
from fastface.pipeline.messages import Heartbeat, WorkerSettings
from fastface.pipeline.task_pool import serve_tasks
from fastface.types import Image
from fastface.video.frames.image_file import read_format, read_picture

_SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "HEIF": ".heic",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "JPEG2000": ".jp2",
    "PPM": ".ppm",
}
"""File suffix by Pillow's name of the format."""


def serve(connection: Connection, _descriptor: int, settings: WorkerSettings) -> None:
    """Run the child process of `curate`; `process.child_main` calls it in the child."""
    cv2.setNumThreads(1)
    analyser: FaceAnalyser | None = None

    def do(task: Path | Page) -> ReadPicture | InputError | None:
        nonlocal analyser
        connection.send(Heartbeat())
        if isinstance(task, Page):
            draw_page(task)
            return None
        try:
            picture = read_picture(task)
            connection.send(Heartbeat())
            analyser = analyser or open_analyser(settings)  # unreadable pictures need no networks
            return _read_picture(analyser, task, picture)
        except InputError as error:
            return error

    serve_tasks(connection, do)


def _read_picture(analyser: FaceAnalyser, path: Path, picture: Image) -> ReadPicture:
    try:
        measures, faces = measure(picture), analyser.analyse_picture(picture)
    except cv2.error as error:
        # OpenCV rotates and crops no picture with a side of 32768 pixels or more.
        height, width = picture.shape[:2]
        raise InputError(path, f"a picture of {width}×{height} pixels cannot be measured; scale it down") from error
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            suffix = _SUFFIXES[read_format(stream)]
    except (OSError, KeyError) as error:
        raise InputError(path, "it changed while it was read") from error
    return ReadPicture(measures, faces, suffix, sha256)
