"""The process that looks at photos: a hostile one cannot end the run, and the networks' memory goes with it."""

from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from fastface.errors import InputError
from fastface.faces.analyse import FaceAnalyser
from fastface.pipeline.analyser import open_analyser
from fastface.pipeline.errands import serve_errands
from fastface.pipeline.messages import Alive, WorkerSettings
from fastface.types import Faces, Image
from fastface.video.picture import read_picture

__all__ = ["serve"]


def serve(connection: Connection, _descriptor: int, settings: WorkerSettings) -> None:
    """The life of the enrolment process; called by `process.child_main` in the child."""
    cv2.setNumThreads(1)
    analyser: FaceAnalyser | None = None

    def look(path: Path) -> Faces | InputError:
        nonlocal analyser
        try:
            picture = read_picture(path)
            connection.send(Alive())
            analyser = analyser or open_analyser(settings)  # pictures that cannot be read need no networks
            return _faces(analyser, path, picture)
        except InputError as error:
            return error

    serve_errands(connection, look)


def _faces(analyser: FaceAnalyser, path: Path, picture: Image) -> Faces:
    try:
        return analyser.analyse_picture(picture)
    except cv2.error as error:
        # OpenCV 4 turns and cuts no picture with a side of 32768 pixels or more.
        height, width = picture.shape[:2]
        reason = f"no face can be cut out of a picture of {width}×{height} pixels; scale it down"
        raise InputError(path, reason) from error
