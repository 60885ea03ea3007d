"""A reel shows each frame of its spans at its time, with sound in sync, and a chapter for each span.

Frame n of each film carries n as a barcode and a beep begins at each whole second; both are drawn by ffmpeg, and
ffprobe reads the chapters.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clip_tools import FRAME, beeps_of, draw_numbered_film, frames_of, read_number
from media_tools import ffmpeg

from fastface.errors import ExportError, VideoError
from fastface.export.clips import reel
from fastface.export.clips.precise import PlacedFrame, frames_from
from fastface.export.clips.reel import choose_canvas, write_reel
from fastface.export.jobs import ReelPart
from fastface.types import VideoInfo
from fastface.video.discover import VideoFile
from fastface.video.probe import probe

X264 = "-c:v libx264 -preset veryfast -crf 16 -pix_fmt yuv420p -g 20"
FILMS = {
    "plain": f"{X264} -bf 3 -c:a aac",
    "varying": f"-vf select=not(mod(n\\,3))+gt(n\\,60) -fps_mode passthrough {X264} -c:a aac -ar 44100 -ac 1",
    "tall": f"-vf crop=128:64,pad=128:128:0:64:gray {X264} -c:a libvorbis",
    "silent": f"{X264} -an",
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, VideoInfo]:
    folder = tmp_path_factory.mktemp("reels")
    draw_numbered_film(folder / "film.nut")
    made = {}
    for name, options in FILMS.items():
        path = folder / f"{name}.mkv"
        ffmpeg(f"-i {{0}} {options} {{1}}", folder / "film.nut", path)
        made[name] = probe(VideoFile(path, name), 10**8).info
    return made


def numbers_within(start: float, end: float) -> list[int]:
    return [number for number in range(100) if start <= round(number * FRAME, 6) < end]


def test_spans_follow_each_other_with_frames_and_sound_at_their_times(
    tmp_path: Path, films: dict[str, VideoInfo]
) -> None:
    parts = [
        ReelPart(films["plain"], 0.8, 2.4, "plain"),
        ReelPart(films["silent"], 0.0, 0.6, "silent"),
        ReelPart(films["varying"], 1.6, 3.6, "varying"),
    ]
    assert write_reel(parts, tmp_path / "reel.mp4", alive=lambda: None) == ()
    assert (tmp_path / "reel.mp4").stat().st_mode & 0o777 == 0o600
    varying = [number for number in numbers_within(1.6, 3.6) if number % 3 == 0 or number > 60]
    spans = [(0.0, 0.8, numbers_within(0.8, 2.4)), (1.6, 0.0, numbers_within(0.0, 0.6)), (2.2, 1.6, varying)]
    wanted = [(begin + number * FRAME - start, number) for begin, start, numbers in spans for number in numbers]
    shown = frames_of(tmp_path / "reel.mp4")
    assert [number for _, number in shown] == [number for _, number in wanted]
    assert [shown[place][0] for place in range(len(shown)) if place != 55] == pytest.approx(
        [time for place, (time, _) in enumerate(wanted) if place != 55], abs=0.001
    )
    assert shown[55][0] == pytest.approx(2.2, abs=0.001)  # the first frame of a span begins with it: 42 is at 1.68 s
    # Beeps at 1 s and 2 s of the first film, and at 2 s and 3 s of the last; the first frame of "silent" is mute.
    assert beeps_of(tmp_path / "reel.mp4") == pytest.approx([0.2, 1.2, 2.6, 3.6], abs=0.02)
    with av.open(str(tmp_path / "reel.mp4")) as container:
        (sound,) = container.streams.audio
        assert (sound.rate, sound.layout.name) == (48000, "stereo")


def test_chapters_have_the_names_and_times_of_the_spans(tmp_path: Path, films: dict[str, VideoInfo]) -> None:
    hostile = "<script>\n;[CHAPTER]\x07 -o \udce9 Ä.mp4 0:00:01.500"
    parts = [ReelPart(films["plain"], 0.5, 1.5, "plain 0:00:00.500"), ReelPart(films["silent"], 1.5, 3.0, hostile)]
    write_reel(parts, tmp_path / "-reel.mp4", alive=lambda: None)
    command = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", tmp_path / "-reel.mp4"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["chapters"]
    assert [(float(one["start_time"]), float(one["end_time"])) for one in found] == [(0.0, 1.0), (1.0, 2.5)]
    assert found[0]["tags"]["title"] == "plain 0:00:00.500"
    assert found[1]["tags"]["title"].isprintable()
    assert found[1]["tags"]["title"].startswith("<script>")


def test_other_sizes_are_fitted_into_the_size_of_most_seconds(tmp_path: Path, films: dict[str, VideoInfo]) -> None:
    parts = [ReelPart(films["plain"], 0.0, 0.4, "plain"), ReelPart(films["tall"], 1.0, 3.0, "tall")]
    assert choose_canvas(parts) == (128, 128)
    write_reel(parts, tmp_path / "reel.mp4", alive=lambda: None)
    with av.open(str(tmp_path / "reel.mp4")) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(pictures) == 60
    assert {picture.shape for picture in pictures} == {(128, 128)}
    for number, picture in enumerate(pictures[:10]):
        assert np.abs(picture[:28].astype(int)).mean() < 20  # black above and below
        assert np.abs(picture[100:].astype(int)).mean() < 20
        assert read_number(picture[32:96]) == number


def test_damage_within_a_part_is_reported(
    tmp_path: Path, films: dict[str, VideoInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_after_ten(*given: Any) -> Iterator[PlacedFrame]:
        numbered = enumerate(frames_from(*given))
        if given[0].video_id == "silent":
            yield from (frame for number, frame in numbered if number < 10)
            raise VideoError(given[0].path, "the disk failed")
        yield from (frame for _, frame in numbered)

    monkeypatch.setattr(reel, "frames_from", break_after_ten)
    parts = [ReelPart(films["silent"], 0.0, 1.0, "silent"), ReelPart(films["plain"], 0.0, 0.4, "plain")]
    (line,) = write_reel(parts, tmp_path / "reel.mp4", alive=lambda: None)
    # The tenth frame, at 0.36 s, is the last one.
    assert line.startswith("silent: the last 0.6 s show no new frame: ")
    assert "the disk failed" in line
    assert [number for _, number in frames_of(tmp_path / "reel.mp4")] == [*range(10), *range(10)]


def test_a_film_that_cannot_be_read_is_left_out_with_the_reason(tmp_path: Path, films: dict[str, VideoInfo]) -> None:
    gone = tmp_path / "gone.mkv"
    gone.write_bytes(films["plain"].path.read_bytes())
    info = probe(VideoFile(gone, "gone"), 10**8).info
    gone.unlink()
    parts = [ReelPart(info, 0.0, 1.0, "gone"), ReelPart(films["plain"], 0.0, 1.0, "plain")]
    (line,) = write_reel(parts, tmp_path / "reel.mp4", alive=lambda: None)
    assert line.startswith("gone: ")
    assert [number for _, number in frames_of(tmp_path / "reel.mp4")] == list(range(25))
    with pytest.raises(ExportError, match="gone"):
        write_reel(parts[:1], tmp_path / "none.mp4", alive=lambda: None)
    assert not (tmp_path / "none.mp4").exists()
