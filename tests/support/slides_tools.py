"""Slide shows of portraits: one photo a second, every face at one place, neighbours of different persons."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from media_tools import ffmpeg_command

from fastface.types import Faces
from fastface.video.frames.image_file import read_picture

SIZE = (640, 360)
FACE_HEIGHT = 150
RATE = 25

Analyse = Callable[[Path], Faces]


@dataclass(frozen=True, eq=False)
class Slide:
    label: str
    picture: np.ndarray  # (360, 640, 3) BGR
    embedding: np.ndarray  # (D,) of the photo's only face


def make_slides(folders: Sequence[Path], analyse: Analyse, most: int = 1000) -> list[Slide]:
    """Photos with exactly one face, so many a folder, each turned into a slide with the face in the middle."""
    slides = []
    for folder in folders:
        count = 0
        for path in sorted(folder.iterdir()):
            if count == most or len(faces := analyse(path)) != 1:
                continue
            count += 1
            x1, y1, x2, y2 = faces.boxes[0].tolist()
            scale = FACE_HEIGHT / (y2 - y1)
            move = [SIZE[0] / 2 - scale * (x1 + x2) / 2, SIZE[1] / 2 - scale * (y1 + y2) / 2]
            matrix = np.array([[scale, 0, move[0]], [0, scale, move[1]]])
            picture = cv2.warpAffine(read_picture(path), matrix, SIZE, flags=cv2.INTER_LINEAR)
            slides.append(Slide(folder.name, picture, faces.embedding[0].astype(np.float32)))
    return slides


def order_slides(slides: Sequence[Slide]) -> list[Slide]:
    """An order in which neighbours are different persons, as alike as can be: the hardest for tracks."""
    rest, order = list(slides[1:]), [slides[0]]
    while rest:
        others = [one for one in rest if one.label != order[-1].label]
        if not others:
            break
        order.append(max(others, key=lambda one: float(one.embedding @ order[-1].embedding)))
        rest.remove(order[-1])
    return order


def write_slides(path: Path, slides: Sequence[Slide], *, seconds: float = 1, dissolve: int = 0) -> None:
    """A film of slides of so many seconds; the first frames of each but the first fade from the one before."""
    words = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(RATE), "-i", "-"]
    words += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-g", "50", "-pix_fmt", "yuv420p", str(path)]
    process = subprocess.Popen(ffmpeg_command(words), stdin=subprocess.PIPE)
    assert process.stdin is not None
    before = slides[0].picture
    for slide in slides:
        for number in range(round(seconds * RATE)):
            share = min(1, (number + 1) / (dissolve + 1)) if slide is not slides[0] else 1
            process.stdin.write(cv2.addWeighted(slide.picture, share, before, 1 - share, 0).tobytes())
        before = slide.picture
    process.stdin.close()
    assert process.wait() == 0
