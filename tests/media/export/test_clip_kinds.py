"""Clips of what cameras, recorders and editors really write: one film of each kind that was cut wrongly.

Right values come from how each film is made: frame n of the drawn film is shown at n / 25 s, and beeps begin at each
whole second; where frames are lost or two takes are joined, the test says what follows.
"""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clip_tools import FRAME, beeps_of, draw_numbered_film, frames_of
from media_tools import ffmpeg

from fastface.export.clips.clips import Clip, cut_clip
from fastface.export.clips.overlay_video import write_boxed
from fastface.types import VideoInfo
from fastface.video.containers.parts import is_set_back
from fastface.video.discover import VideoFile
from fastface.video.frames.display_frames import decode_frames
from fastface.video.probe import probe

START, END = 1.24, 2.72
X264 = "-c:v libx264 -preset veryfast -crf 20 -pix_fmt yuv420p -g 20"
MODES = ("copy", "precise")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds") / "film.nut"
    draw_numbered_film(path)
    return path


@pytest.fixture(scope="module")
def plain(film: Path) -> Path:
    """An ordinary MP4 with B-frames."""
    path = film.with_name("plain.mp4")
    ffmpeg(f"-i {{0}} {X264} -bf 3 -c:a aac {{1}}", film, path)
    return path


def probed(path: Path) -> VideoInfo:
    return probe(VideoFile(path, "v"), 10**8).info


def cut(path: Path, mode: str, start: float = START, end: float = END) -> Clip:
    return cut_clip(probed(path), start, end, path.with_name("clip.mp4"), mode)  # type: ignore[arg-type]


def check(clip: Clip, *, first: int = 0, sound: bool = True, tolerance: float = 0.02) -> None:
    """The frames of the span are in the clip, each at its time, and beeps begin where they belong.

    Args:
        clip: Of START to END.
        first: Number of the frame that the film's times count from.
        sound: Whether there is sound.
        tolerance: Seconds by which sound may be off.
    """
    shown = frames_of(clip.path)
    assert shown[0][0] == 0
    for time, number in shown:
        assert clip.start + time == pytest.approx((number - first) * FRAME, abs=0.0025)
    wanted = range(round(START / FRAME) + first, round(END / FRAME) + first)
    numbers = [number for _, number in shown]
    assert set(wanted) <= set(numbers)
    assert clip.end - clip.start == pytest.approx(shown[-1][0] + FRAME, abs=0.0025)
    if clip.mode == "precise":
        assert numbers == list(wanted)
    assert clip.has_audio == sound
    if sound:
        begin = clip.start + first * FRAME
        beeps = [second - begin for second in range(4) if begin + 0.02 < second < begin + shown[-1][0] - 0.1]
        assert beeps
        assert [beep for beep in beeps_of(clip.path) if beep > 0.02] == pytest.approx(beeps, abs=tolerance)


def renamed(source: Path, target: Path, *boxes: bytes) -> None:
    """A copy of an MP4 without some boxes."""
    content = source.read_bytes()
    for box in boxes:
        assert content.count(box) >= 1
        content = content.replace(box, b"free")
    target.write_bytes(content)


@pytest.mark.parametrize("mode", MODES)
class TestNoPresentationTimes:
    """Times are those of the decoder's order, and a clip is never a copy."""

    def test_avi_with_h264(self, tmp_path: Path, film: Path, mode: str) -> None:
        ffmpeg(f"-i {{0}} {X264} -bf 3 -c:a pcm_s16le {{1}}", film, tmp_path / "a.avi")
        clip = cut(tmp_path / "a.avi", mode)
        assert clip.mode == "precise"
        check(clip)

    def test_mp4_without_composition_offsets(self, tmp_path: Path, plain: Path, mode: str) -> None:
        """Its edit list hides what is decoded in the first 80 ms: frame 0, and a later one that was decoded early."""
        renamed(plain, tmp_path / "a.mp4", b"ctts")
        clip = cut(tmp_path / "a.mp4", mode)
        assert clip.mode == "precise"
        check(clip, first=1)

    def test_mp4_without_composition_offsets_and_edit_list(self, tmp_path: Path, plain: Path, mode: str) -> None:
        """Without an edit list, the silence that AAC's encoder puts in front of the sound is heard: 21 ms."""
        renamed(plain, tmp_path / "a.mp4", b"ctts", b"edts")
        check(cut(tmp_path / "a.mp4", mode), tolerance=0.023)

    def test_program_stream(self, tmp_path: Path, film: Path, mode: str) -> None:
        """Without a time for any picture, sound has no place; it is left out by name."""
        ffmpeg("-i {0} -c:v mpeg2video -q:v 3 -bf 2 -g 12 -c:a mp2 -f dvd {1}", film, tmp_path / "a.mpg")
        content = bytearray((tmp_path / "a.mpg").read_bytes())
        place, count = content.find(b"\0\0\1\xe0"), 0
        while place >= 0:
            if content[place + 6] >> 6 == 2 and content[place + 7] & 0xC0:  # a PES header with times
                length = content[place + 8]
                content[place + 7] &= 0x3F
                content[place + 9 : place + 9 + length] = b"\xff" * length
                count += 1
            place = content.find(b"\0\0\1\xe0", place + 4)
        assert count > 5
        (tmp_path / "a.mpg").write_bytes(content)
        clip = cut(tmp_path / "a.mpg", mode)
        assert clip.mode == "precise"
        check(clip, sound=False)
        assert [name.partition(" (")[0] for name in clip.left_out] == ["audio stream 2"]


@pytest.mark.parametrize("mode", MODES)
class TestKeyframes:
    def test_of_an_index_without_the_first_frame(self, tmp_path: Path, plain: Path, mode: str) -> None:
        """FFmpeg refuses to seek to before the first keyframe that the index names."""
        content = bytearray(plain.read_bytes())
        place = content.index(b"stss")
        count = int.from_bytes(content[place + 8 : place + 12])
        assert count == 5
        content[place + 8 : place + 12] = (count - 1).to_bytes(4)
        content[place + 12 : place + 28] = content[place + 16 : place + 32]
        (tmp_path / "a.mp4").write_bytes(content)
        clip = cut(tmp_path / "a.mp4", mode, 0.2, 0.9)
        assert set(range(5, 22)) <= {number for _, number in frames_of(clip.path)}
        check(cut(tmp_path / "a.mp4", mode))

    @pytest.mark.parametrize("flag", [0x80, 0], ids=["on every frame", "on none"])
    def test_flags_that_are_wrong(self, tmp_path: Path, film: Path, mode: str, flag: int) -> None:
        ffmpeg(f"-i {{0}} {X264} -bf 0 -c:a aac {{1}}", film, tmp_path / "a.mkv")
        content = bytearray((tmp_path / "a.mkv").read_bytes())
        places = [place for place in block_places(bytes(content)) if content[place] & 0x7F == 1]
        assert len(places) == 100
        for place in places:
            content[place + 3] = content[place + 3] & 0x7F | flag
        (tmp_path / "a.mkv").write_bytes(content)
        clip = cut(tmp_path / "a.mkv", mode)
        check(clip)
        if clip.mode == "copy":
            assert frames_of(clip.path)[0][1] == 20  # the one from which decoding may begin


def block_places(content: bytes) -> list[int]:
    """Where the contents of the SimpleBlocks of a Matroska file begin (RFC 9559)."""
    places, place = [], 0
    while place < len(content):
        length = 9 - content[place].bit_length()
        identity = content[place : place + length]
        place += length
        length = 9 - content[place].bit_length()
        size = int.from_bytes(content[place : place + length]) & (1 << 7 * length) - 1
        place += length
        if identity == b"\xa3":
            places.append(place)
        if identity not in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
            place += size
    return places


JOINED = {
    "mkv": f"{X264} -bf 0 -c:a aac",
    "webm": "-c:v libvpx -b:v 1M -deadline realtime -cpu-used -8 -c:a libvorbis -live 1",
    "mp4": f"{X264} -bf 3 -c:a alac -movflags +frag_keyframe+empty_moov+default_base_moof",
    "ts": f"{X264} -bf 3 -c:a mp2",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suffix", sorted(JOINED))
def test_two_takes_joined_byte_by_byte_have_one_clock(tmp_path: Path, film: Path, mode: str, suffix: str) -> None:
    """The second take, frames 50 to 99, begins where the first one ends."""
    takes = []
    for name, trim in (("one", "-t 2"), ("two", "-ss 2")):
        takes.append(tmp_path / f"{name}.{suffix}")
        ffmpeg(f"{trim} -i {{0}} {JOINED[suffix]} {{1}}", film, takes[-1])
    path = tmp_path / f"both.{suffix}"
    path.write_bytes(b"".join(take.read_bytes() for take in takes))
    assert is_set_back(path, lambda: None) == (suffix != "ts")  # whose packets are read through
    clip = cut(path, mode)
    assert clip.mode == "precise"
    check(clip, tolerance=0.045)  # the first take's last block of sound is longer than its pictures
    clip = cut(path, mode, 2.2, 3.2)
    assert [number for _, number in frames_of(clip.path)] == list(range(55, 80))


def test_one_take_is_not_set_back(tmp_path: Path, film: Path) -> None:
    for suffix in ("mkv", "webm", "mp4"):
        ffmpeg(f"-i {{0}} {JOINED[suffix]} {{1}}", film, tmp_path / f"a.{suffix}")
        assert not is_set_back(tmp_path / f"a.{suffix}", lambda: None)


@pytest.mark.parametrize("mode", MODES)
def test_a_film_that_grows_when_its_clock_is_set_back(tmp_path: Path, film: Path, mode: str) -> None:
    ffmpeg(f"-t 2 -i {{0}} {X264} -c:a mp2 {{1}}", film, tmp_path / "small.ts")
    ffmpeg(f"-ss 2 -i {{0}} -vf scale=256:128:flags=neighbor {X264} -c:a mp2 {{1}}", film, tmp_path / "large.ts")
    path = tmp_path / "both.ts"
    path.write_bytes((tmp_path / "small.ts").read_bytes() + (tmp_path / "large.ts").read_bytes())
    clip = cut(path, mode)
    check(clip, tolerance=0.045)


@pytest.mark.parametrize("mode", MODES)
def test_sound_of_an_unknown_codec_is_left_out_by_name(tmp_path: Path, film: Path, mode: str) -> None:
    """As the spatial sound of a telephone, which FFmpeg does not know; the ordinary track beside it is kept."""
    ffmpeg(f"-i {{0}} -map 0:v -map 0:a -map 0:a {X264} -c:a:0 aac -c:a:1 pcm_s16le {{1}}", film, tmp_path / "a.mov")
    content = (tmp_path / "a.mov").read_bytes()
    assert content.count(b"sowt") == 1
    (tmp_path / "a.mov").write_bytes(content.replace(b"sowt", b"apac"))
    clip = cut(tmp_path / "a.mov", mode)
    check(clip)
    assert clip.left_out == ("audio stream 2 (unknown codec)",)


@pytest.mark.parametrize(("mode", "timecode"), [("copy", "10:00:00:20"), ("precise", "10:00:01:06")])
def test_a_clip_has_its_own_timecode(tmp_path: Path, film: Path, mode: str, timecode: str) -> None:
    """Frame 0 is 10:00:00:00; the copy begins with frame 20, a keyframe, the other with frame 31."""
    ffmpeg(f"-i {{0}} {X264} -c:a aac -timecode 10:00:00:00 {{1}}", film, tmp_path / "a.mov")
    clip = cut(tmp_path / "a.mov", mode)
    assert clip.mode == mode
    with av.open(str(clip.path)) as container:
        assert container.streams.video[0].metadata["timecode"] == timecode


@pytest.mark.parametrize("lines", [720, 480])
def test_pictures_of_red_green_and_blue_keep_their_colours(tmp_path: Path, lines: int) -> None:
    """The whole frame is compared, as a player reads it by its tags: of a clip, of one with boxes, of a snapshot."""
    bars = f"-f lavfi -i smptebars=size=1280x{lines}:rate=25:duration=0.4,format=gbrp"
    ffmpeg(f"{bars} -c:v libx264rgb -preset ultrafast -qp 0 {{0}}", tmp_path / "a.mkv")
    with av.open(str(tmp_path / "a.mkv")) as container:
        source = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    info = probed(tmp_path / "a.mkv")
    write_boxed(info, 0.0, 0.4, (), tmp_path / "boxed.mp4", alive=lambda: None)
    for path in (cut(tmp_path / "a.mkv", "precise", 0.0, 0.4).path, tmp_path / "boxed.mp4"):
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            assert int(frame.colorspace) in ((1,) if lines == 720 else (5, 6))  # BT.709; BT.601 by two names
            assert int(frame.color_range) == 1
            shown = frame.reformat(format="rgb24", src_colorspace=int(frame.colorspace), dst_color_range="JPEG")
        difference = np.abs(shown.to_ndarray().astype(int) - source)
        assert difference.mean() < 2
        assert np.median(difference.max(axis=2)) <= 3
    ((_, snapshot),) = decode_frames(info, [info.start_pts])
    assert np.array_equal(snapshot[:, :, ::-1], source)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_film_is_turned_once(tmp_path: Path, plain: Path, angle: int) -> None:
    """Upright is what ffmpeg shows: a copy keeps the display matrix, a precise clip has its pixels turned and none."""
    ffmpeg(f"-i {{0}} -c copy -metadata:s:v:0 rotate={angle} {{1}}", plain, tmp_path / "a.mp4")
    for mode, number in (("copy", 20), ("precise", 31)):
        clip = cut(tmp_path / "a.mp4", mode)
        assert clip.mode == mode
        wanted = upright(tmp_path / "a.mp4", number)
        shown = upright(clip.path, 0)
        assert wanted.shape == shown.shape == ((64, 128) if angle == 180 else (128, 64))
        assert np.abs(wanted - shown).mean() < 4
        with av.open(str(clip.path)) as container:
            assert (next(container.decode(video=0)).rotation == 0) == (mode == "precise")


def upright(path: Path, number: int) -> np.ndarray:
    """A frame as ffmpeg turns it, grey."""
    (path.parent / "frame.png").unlink(missing_ok=True)
    ffmpeg(f"-i {{0}} -vf select=eq(n\\,{number}) -frames:v 1 {{1}}", path, path.parent / "frame.png")
    return cv2.imread(str(path.parent / "frame.png"), cv2.IMREAD_GRAYSCALE).astype(int)


@pytest.mark.parametrize("mode", MODES)
def test_missing_sound_moves_no_other(tmp_path: Path, film: Path, mode: str) -> None:
    """Every ninth packet is lost: were the rest put together, the beep at 2 s would begin 0.2 s early."""
    ffmpeg(f"-i {{0}} {X264} -c:a pcm_s16le {{1}}", film, tmp_path / "whole.mkv")
    ffmpeg("-i {0} -c copy -bsf:a noise=drop='not(mod(n,9))' {1}", tmp_path / "whole.mkv", tmp_path / "a.mkv")
    check(cut(tmp_path / "a.mkv", mode))


@pytest.mark.parametrize("mode", MODES)
def test_sound_whose_channels_change(tmp_path: Path, film: Path, mode: str) -> None:
    """A film in surround sound is followed by an advertisement in stereo."""
    parts = []
    for name, options in (("one.ac3", "-t 1.92 -i {0} -ac 6"), ("two.ac3", "-ss 1.92 -i {0} -ac 2")):
        parts.append(tmp_path / name)
        ffmpeg(f"{options} -vn -c:a ac3 {{1}}", film, parts[-1])
    (tmp_path / "both.ac3").write_bytes(b"".join(part.read_bytes() for part in parts))
    merged = tmp_path / "a.ts"
    ffmpeg(f"-i {{0}} -i {{1}} -map 0:v -map 1:a {X264} -c:a copy {{2}}", film, tmp_path / "both.ac3", merged)
    check(cut(merged, mode))


def test_text_that_is_shown_stays_with_a_copied_clip(tmp_path: Path, film: Path) -> None:
    """The copy begins at 0.8 s: the line from 1.0 to 2.0 s is shown from 0.2 to 1.2 s."""
    (tmp_path / "s.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello <i>you</i>\n")
    paths = film, tmp_path / "s.srt", tmp_path / "a.mkv"
    ffmpeg(f"-i {{0}} -i {{1}} -map 0 -map 1 {X264} -c:a aac -c:s srt {{2}}", *paths)
    clip = cut(tmp_path / "a.mkv", "copy")
    with av.open(str(clip.path)) as container:
        (stream,) = container.streams.subtitles
        lines = [(packet.pts * stream.time_base, packet.duration * stream.time_base, bytes(packet))
                 for packet in container.demux(stream) if packet.size > 2]  # fmt: skip
    assert [(float(start), float(length), text[2:]) for start, length, text in lines] == [(0.2, 1.0, b"hello you")]


def test_a_player_counts_from_the_first_stream(tmp_path: Path, film: Path) -> None:
    """Sound begins at 0, pictures at 1.6 s."""
    ffmpeg(f"-itsoffset 1.6 -i {{0}} -i {{0}} -map 0:v -map 1:a {X264} -c:a pcm_s16le {{1}}", film, tmp_path / "a.mkv")
    ffmpeg("-i {0} -c copy -output_ts_offset 1000 {1}", tmp_path / "a.mkv", tmp_path / "late.mkv")
    for name in ("a.mkv", "late.mkv"):
        assert float(probed(tmp_path / name).player_offset) == pytest.approx(1.6, abs=0.001)
