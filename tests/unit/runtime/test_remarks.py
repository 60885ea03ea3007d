"""What is said of a video that is done, and yet not as its header has it."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from index_tools import plain_info

from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord, VideoSummary
from fastface.runtime.remarks import describe_video
from fastface.types import VideoInfo

INFO = plain_info(
    path=Path("v.flv"), video_id="v", size=(640, 360), coded_size=(640, 360), rate=Fraction(30), duration=Fraction(8)
)


def summary(tmp_path: Path, info: VideoInfo, state: str = "done") -> VideoSummary:
    """The summary that a ledger gives of a video with this result of its probe."""
    with Ledger(tmp_path / "state.sqlite") as ledger:
        ledger.put_video(VideoRecord("v", info.path, "", "", state=state, info=info))
        (found,) = ledger.iterate_summaries()
    return found


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, ""),
        ({"sound_end": Fraction(46, 5)}, "the picture ends at 8.0 s, the sound goes on to 9.2 s"),
        ({"declared": Fraction(86400)}, "its header declares 86400.0 s, and all of it is 8.0 s"),
        ({"is_counted": True}, "times are counted: it holds none, and its header says 30 frames a second"),
        ({"num_other_films": 1}, "it holds 1 more stream of video, not searched: cut out each to search it"),
        (
            {"other_sizes": ((360, 640),)},
            "its picture changes size: 640x360, 360x640; boxes are in the pixels of their own frame",
        ),
        (
            {"is_counted": True, "is_rate_assumed": True},
            "times are assumed: it holds neither times nor a frame rate, so 30 frames a second are taken; put it into "
            "an MP4 at its own rate for other times",
        ),
    ],
)
def test_remarks(tmp_path: Path, facts: dict[str, object], text: str) -> None:
    info = replace(INFO, **facts)  # type: ignore[arg-type]
    video = summary(tmp_path, info)
    assert (video.remarkable is None) == (text == "")  # only the few with remarks are parsed
    assert describe_video(video, sampled=10, faces=3) == text
    whole = describe_video(video, sampled=10, faces=0)
    assert whole.startswith(text)
    assert "no face was found in 10 frames" in whole


def test_a_film_that_was_cut_has_its_reason_and_no_second_one(tmp_path: Path) -> None:
    info = replace(INFO, sound_end=Fraction(9))
    assert describe_video(summary(tmp_path, info, "partial"), sampled=10, faces=3) == ""
