"""Write remarks on a completely scanned video whose header and pictures disagree.

The reports of a run call it. Remarks do not change the video's state.
"""

from collections.abc import Iterator, Sequence

from fastface.index.records import VideoSummary
from fastface.names import pluralize
from fastface.types import VideoInfo
from fastface.video.discover import LeftOut

_MOST_SIZES = 4


def describe_video(video: VideoSummary, sampled: int, faces: int) -> str:
    """Return the remarks on a video, joined; empty if there are none.

    Args:
        video: The video.
        sampled: Number of frames that were searched.
        faces: Number of faces that were found.
    """
    remarks = [] if video.remarkable is None else list(_remarks(video.remarkable, video.state))
    if sampled and not faces and video.state != "scanning":
        remarks.append(_no_face(sampled, is_film=video.is_film))
    return "; ".join(remarks)


def _remarks(info: VideoInfo, state: str) -> Iterator[str]:
    """Yield remarks on properties. A property that is not in `REMARKABLE` must be added there."""
    if info.is_rate_assumed:
        yield (
            f"times are assumed: it holds neither times nor a frame rate, so {_rate(info)} frames a second are taken; "
            "put it into an MP4 at its own rate for other times"
        )
    elif info.is_counted and info.codec != "images":
        yield f"times are counted: it holds none, and its header says {_rate(info)} frames a second"
    if info.num_other_films > 0:
        others = pluralize(info.num_other_films, "more stream")
        yield f"it holds {others} of video, not searched: cut out each to search it"
    if info.other_sizes:
        sizes = ", ".join(f"{width}x{height}" for width, height in (info.size, *info.other_sizes)[:_MOST_SIZES])
        yield f"its picture changes size: {sizes}; boxes are in the pixels of their own frame"
    if state != "done":
        return
    if info.declared is not None and info.duration is not None:
        yield f"its header declares {float(info.declared):.1f} s, and all of it is {float(info.duration):.1f} s"
    if info.sound_end is not None and info.duration is not None:
        yield f"the picture ends at {float(info.duration):.1f} s, the sound goes on to {float(info.sound_end):.1f} s"


def _rate(info: VideoInfo) -> str:
    assert info.rate is not None
    return f"{float(info.rate):.6g}"


def _no_face(sampled: int, *, is_film: bool) -> str:
    """Remark on a video or folder in which no face was found."""
    if not is_film:
        pictures = pluralize(sampled, "picture")
        return f"no face was found in {pictures}; a smaller --det-threshold or scan.min_face finds more"
    advice = "try a larger --det-size for small faces, a smaller --det-threshold, or more --sample-fps"
    return f"no face was found in {pluralize(sampled, 'frame')}; if there are some, {advice}"


def describe_left_out(left_out: Sequence[LeftOut]) -> str:
    """Return one line that counts the ignored content of folders, by reason."""
    counts = "; ".join(f"{item.reason}: {item.count}" for item in left_out)
    return f"left out of folders (-v lists them; a file that is named itself is always taken): {counts}"
