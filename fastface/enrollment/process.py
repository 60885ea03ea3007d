"""Analyse photos in a child process: a hostile photo cannot end the run, and the networks' memory is freed with it."""

from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fastface.errors import InputError
from fastface.faces.align import Alignment, align_picture
from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.gallery.photo_set.test_time_augmentation import Resampling, jittered_landmarks, mean_embedding
from fastface.pipeline.inference.analyser import open_analyser, open_warm_analyser
from fastface.pipeline.messages import Heartbeat, WorkerSettings
from fastface.pipeline.task_pool import serve_tasks
from fastface.types import Faces, Image, PhotoFaces
from fastface.video.frames.image_file import MAX_PIXELS, read_picture


def serve(connection: Connection, _descriptor: int, settings: tuple[WorkerSettings, Resampling, int]) -> None:
    """Run the enrolment process; `process.child_main` calls it in the child.

    The settings are: networks, looks at each face, and the maximum width × height of a photo in pixels.
    """
    worker, resampling, max_pixels = settings
    read = read_picture if max_pixels == MAX_PIXELS else partial(read_picture, max_pixels=max_pixels)
    open_networks = open_analyser if worker.device.is_gpu else open_warm_analyser
    cv2.setNumThreads(1)
    analyser: FaceAnalyser | None = None

    def look(path: Path) -> PhotoFaces | InputError:
        nonlocal analyser
        try:
            picture = read(path)
            connection.send(Heartbeat())
            analyser = analyser or open_networks(worker)  # unreadable pictures need none
            faces = _faces(analyser, path, picture)
            if resampling.name:
                faces = _resample(faces, picture, analyser.recogniser, resampling, connection)
            return PhotoFaces(faces, (picture.shape[1], picture.shape[0]))
        except InputError as error:
            return error

    serve_tasks(connection, look)


def _faces(analyser: FaceAnalyser, path: Path, picture: Image) -> Faces:
    try:
        found = analyser.analyse_photo(picture)
    except cv2.error as error:
        # OpenCV 4 rotates and crops no picture with a side of 32768 pixels or more.
        height, width = picture.shape[:2]
        reason = f"no face can be cut out of a picture of {width}×{height} pixels; scale it down"
        raise InputError(path, reason) from error
    if not found.is_sure:
        raise InputError(path, "it is unclear which way up it is: turn the photo upright and save it")
    return found.faces


def _resample(
    faces: Faces, picture: Image, recogniser: Recogniser, resampling: Resampling, connection: Connection
) -> Faces:
    """Return the faces with the mean embedding of several looks at each. A crowd takes minutes, so it sends heartbeats.

    A look that the network cannot embed does not count; if none can be embedded, the first embedding stays.
    """
    embedding = faces.embedding.copy()
    for row, landmarks in enumerate(faces.landmarks):
        found, valid = recogniser.embed(_looks(picture, landmarks, resampling, recogniser.alignment))
        if valid.any():
            embedding[row] = mean_embedding(found[valid])
        connection.send(Heartbeat())
    return replace(faces, embedding=embedding)


def _looks(
    picture: Image, landmarks: npt.NDArray[np.float32], resampling: Resampling, alignment: Alignment
) -> npt.NDArray[np.uint8]:
    """Return (n, size, size, 3) BGR: the face, its jittered cuts, then the mirror images of all these."""
    jittered = jittered_landmarks(landmarks, resampling.jitter)
    cuts = np.stack([align_picture(picture, points, alignment=alignment) for points in jittered])
    # Mirrored after the alignment, as in ArcFace's evaluation: the template's two halves differ by half a pixel.
    return np.concatenate([cuts, cuts[:, :, ::-1]]) if resampling.flip else cuts
