"""Compare a smart clip with the film around its joins, frame by frame.

`clips` calls it before the clip gets its name.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import dropwhile
from pathlib import Path
from typing import Any

import av.error
import numpy as np
import numpy.typing as npt

from fastface.errors import ExportError
from fastface.export.clips.precise import frames_from
from fastface.export.clips.reading import demux, open_video, seek
from fastface.export.clips.smart import SmartPlan
from fastface.types import VideoInfo

_MOST_DIFFERENT = 16.0
"""Maximum mean difference of luma of an encoded frame, 0-255. A wrong picture differs more, the encoder's loss less."""


def check_joins(path: Path, info: VideoInfo, plan: SmartPlan, check_stop: Callable[[], object]) -> None:
    """Check that the clip shows the film's frames from its start to the second copied keyframe, and at its end.

    Copied frames must be equal. The first group of pictures behind a join shows whether a frame refers to one that is
    not in the clip.

    Args:
        path: The clip.
        info: The video.
        plan: Plan of the clip.
        check_stop: Called with each packet; its exceptions pass through.

    Raises:
        ExportError: A frame differs.
    """
    settled = min((pts for pts in plan.keys if pts > plan.middle.first), default=plan.end)
    _compare(path, info, plan, (plan.first, settled), check_stop)
    if settled < plan.end:
        last = max(pts for pts in plan.keys if pts <= max(plan.middle.pts))
        _compare(path, info, plan, (last, plan.end), check_stop)


def _compare(
    path: Path, info: VideoInfo, plan: SmartPlan, bounds: tuple[int, int], check_stop: Callable[[], object]
) -> None:
    """Compare the frames in [start, end), in ticks of the film.

    Raises:
        ExportError: A frame differs.
    """
    copied = set(plan.middle.pts)
    with closing(frames_from(info, *bounds, check_stop)) as wanted, open_video(path) as (container, video):
        base = video.time_base
        assert base is not None

        def find_pts(frame: Any) -> int:
            return int(plan.first + round(frame.pts * base / info.time_base))

        if bounds[0] > plan.first and not seek(container, video, int((bounds[0] - plan.first) * info.time_base / base)):
            raise ExportError("a keyframe of the clip is not found")
        shown = dropwhile(lambda frame: find_pts(frame) < bounds[0], _decode(container, video, check_stop))
        for placed in wanted:
            frame = next(shown, None)
            if frame is None or find_pts(frame) != placed.pts:
                raise ExportError("a frame at a join is missing")
            _compare_frames(frame, placed.content, is_copied=placed.pts in copied)


def _decode(container: Any, video: Any, check_stop: Callable[[], object]) -> Iterator[Any]:
    """Yield the frames of the clip.

    Raises:
        ExportError: A packet cannot be decoded.
    """
    try:
        for packet in demux(container, video):
            check_stop()
            yield from packet.decode()
        yield from video.codec_context.decode(None)
    except av.error.FFmpegError as error:
        raise ExportError(f"a packet of the clip cannot be decoded: {error}") from error


def _compare_frames(shown: Any, wanted: Any, *, is_copied: bool) -> None:
    """Compare two frames: their pixels, or the mean of their luma if one was encoded.

    Raises:
        ExportError: They differ.
    """
    if (shown.width, shown.height, shown.format.name) != (wanted.width, wanted.height, wanted.format.name):
        raise ExportError("the clip changes its pixels")
    pairs = list(zip(_planes(shown), _planes(wanted), strict=True))
    if is_copied and not all(np.array_equal(one, other) for one, other in pairs):
        raise ExportError("a copied frame differs from the film")
    luma, wanted_luma = (plane.astype(np.int16) for plane in pairs[0])
    if np.abs(luma - wanted_luma).mean() > _MOST_DIFFERENT:
        raise ExportError("an encoded frame differs from the film")


def _planes(frame: Any) -> list[npt.NDArray[np.uint8]]:
    """Return the planes of a frame of 4:2:0, without padding."""
    planes = []
    for number, plane in enumerate(frame.planes):
        half = 2 if number else 1
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: -(-frame.height // half), : -(-frame.width // half)])
    return planes
