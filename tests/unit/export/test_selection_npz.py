"""A chosen person for other tools: one video is in memory at a time, however many there are."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gallery_tools import axis, faces_of

from fastface.export.selection_npz import PickedVideo, write_picked
from fastface.types import Bodies, Hits


def hits_at(rows: list[int]) -> Hits:
    count = len(rows)
    return Hits(
        face=np.array(rows, np.int64),
        time=np.array(rows, np.float64),
        pts=np.array(rows, np.int64),
        period=np.full(count, 0.2),
        similarity=np.full(count, 0.5, np.float32),
        margin=np.zeros(count, np.float32),
        by=np.zeros(count, np.int8),
    )


def test_faces_of_one_video_are_held_at_a_time(tmp_path: Path) -> None:
    held: list[weakref.ref[np.ndarray]] = []

    def videos() -> Iterator[PickedVideo]:
        for number in range(5):
            assert sum(one() is not None for one in held) <= 1
            faces = faces_of([axis(0)] * 4, [0.0, 1.0, 2.0, 3.0])
            held.append(weakref.ref(faces.embedding))
            yield PickedVideo(f"{number}.mp4", faces, hits_at([1, 3]), Bodies.empty())
            del faces

    write_picked(tmp_path / "p.npz", "Ann", videos())
    with np.load(tmp_path / "p.npz", allow_pickle=False) as file:
        assert file["video"].tolist() == [f"{number}.mp4" for number in range(5) for _ in range(2)]
        assert file["time"].tolist() == [1.0, 3.0] * 5
        assert file["body_box"].shape == (0, 4)
