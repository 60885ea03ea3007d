"""Every odd file of the shared media: its state, and its frames at the times that ffprobe gives them."""

import av
import pytest
from video_tools import ffprobe_times, outcome

REFUSED = {
    "ae_aac.m4a": ("no_video", "no video stream"),
    "am_full_blocks.mkv": ("no_video", "no video stream"),
    "am_sample_fragmented_clearkey.mp4": ("failed", "encrypted"),
    "jurassic_trailer_output_empty.avi": ("failed", "no frames"),
    "mp4parse_bipbop_nonfragment_header.mp4": ("failed", "no frames"),
    "mp4parse_invalid_userdata.mp4": ("failed", "no frames"),
    "mp4parse_sine-3s-xhe-aac-44khz-mono.mp4": ("no_video", "no video stream"),
    "mp4parse_zero_empty_stsc.mp4": ("failed", "no frames"),
    "tc_nasa_13013.mp4.audio.mp3": ("no_video", "no video stream"),
}
PARTIAL = {
    "am_iibbibb_editlist_videoonly.mp4": "declared",  # 12 frames of a second each, 12.5 s declared
    "am_sample_edit_list_no_sync_frame_before_edit.mp4": "declared",  # what comes before its first keyframe is lost
    "am_sample_with_invalid_nalu.mp4": "packet",
    "mp4parse_no_timescale.mp4": "packet",
}
OTHER_TIMES = {
    "am_sample_with_fake_auxiliary_tracks.mp4",  # five frames with the same timestamp: they are told apart by ticks
    "mp4parse_no_timescale.mp4",  # two frames share a timestamp
    "tc_sine_stereo_mp2.mpg",  # Debian's ffprobe loses the last frame; there are 100, as its 4 s at 25 a second say
}
TOO_LONG = {"am_long_4k_av1.mp4", "am_long_1080p_lowbitrate.mp4"}
"""Six minutes each: minutes to decode."""


@pytest.fixture(autouse=True)
def quiet():
    av.logging.set_level(None)


def test_every_odd_file(shared_media) -> None:
    files = sorted(path for path in (shared_media / "odd").iterdir() if path.name not in TOO_LONG)
    assert len(files) >= 50
    for path in files:
        found = outcome(path)
        if path.name in REFUSED:
            state, reason = REFUSED[path.name]
            assert (path.name, found.state) == (path.name, state)
            assert reason in found.reason
            continue
        expected = "partial" if path.name in PARTIAL else "done"
        assert (path.name, found.state, found.reason if expected == "done" else "") == (path.name, expected, "")
        assert PARTIAL.get(path.name, "") in found.reason
        assert found.decoded == len(found.times) > 0
        if path.name not in OTHER_TIMES:
            assert list(found.times) == ffprobe_times(path), path.name
