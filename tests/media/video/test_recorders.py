"""What cameras, recorders and editors really write: small files of the kinds that public reports tell of.

The right values are those of the films' makers: how many pictures were encoded, at which rate, and where the sound
ends; each was checked with ffprobe.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest
import video_tools as tools
from media_tools import ffmpeg

from fastface.types import Sampling, VideoInfo
from fastface.video.discover import VideoFile
from fastface.video.integrity.encryption import ENCRYPTED, is_encrypted
from fastface.video.probe import probe

FIVE = Sampling(Fraction(1, 5))
SAMPLINGS = [Sampling(Fraction(1, 5), keyframes=True), FIVE, tools.EVERY_FRAME]
PICTURE = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=2"
SOUND = "-f lavfi -i sine=duration=4"
H264 = "-c:v libx264 -preset ultrafast -g 10 -pix_fmt yuv420p"


@pytest.fixture(autouse=True)
def quiet() -> None:
    av.logging.set_level(None)


@dataclass(frozen=True)
class Right:
    frames: int
    seconds: float
    """Of picture, by number of frames and rate."""
    sound_end: float | None = None


GIVEN = {
    "A_false_partial_duration/audio_longer.flv": Right(200, 8.0, 9.2),
    "A_false_partial_duration/audio_longer_no_duration_tags.mkv": Right(200, 8.0, 9.0),
    "A_false_partial_duration/audio_longer_no_duration_tags.webm": Right(200, 8.0, 9.0),
    "A_false_partial_duration/hls_fmp4_joined_from_second_segment.mp4": Right(150, 6.0),
    "A_false_partial_duration/podcast_one_picture_30s.mkv": Right(1, 0.04, 30.0),
    "A_false_partial_duration/rtmp_record_absolute_clock_no_duration.flv": Right(200, 8.0),
    "A_false_partial_duration/screencast_last_picture_stands.flv": Right(50, 2.0, 8.0),
    "A_false_partial_duration/talk_60s_audio_61.5s.wmv": Right(300, 60.0, 61.5),
    "A_false_partial_duration/talk_60s_audio_63s.flv": Right(300, 60.0, 63.0),
    "B_theora_repeated_frames/theora_still_moment.ogv": Right(189, 8.0),
    "C_packets_without_picture/srs_sei_samples.mp4": Right(200, 8.0),
    "L_dahua_dav/CH01_20240305103000.dav": Right(200, 8.0),
}


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_files_of_recorders_are_done(shared_media: Path, name: str) -> None:
    right, path = GIVEN[name], shared_media / "failing" / "video" / name
    for sampling in SAMPLINGS:
        found = tools.outcome(path, sampling)
        assert (found.state, found.reason, found.flagged) == ("done", "", 0)
    assert found.decoded == right.frames
    info = _info(path)
    assert float(info.duration or 0) == pytest.approx(right.seconds, abs=0.05)
    assert (info.sound_end is None) == (right.sound_end is None)
    assert float(info.sound_end or 0) == pytest.approx(right.sound_end or 0, abs=0.1)


def _info(path: Path) -> VideoInfo:
    return probe(VideoFile(path, "v"), tools.MAX_PIXELS).info


@pytest.fixture(scope="module")
def longer_sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two seconds of picture and four of sound, in each container that declares one length for both."""
    folder = tmp_path_factory.mktemp("longer")
    base = folder / "base.mkv"
    ffmpeg(f"{PICTURE} {SOUND} {H264} -c:a aac {{0}}", base)
    recipes = {
        "flv": "-i {0} -c copy {1}",
        "unsaid.flv": "-i {0} -c copy -flvflags no_duration_filesize {1}",
        "late.flv": "-i {0} -c copy -output_ts_offset 5000 -flvflags no_duration_filesize {1}",
        "nut": "-i {0} -c copy {1}",
        "late.nut": "-i {0} -c copy -output_ts_offset 500 {1}",
        "wmv": "-i {0} -c:v wmv2 -c:a wmav2 {1}",
        "late.wmv": "-i {0} -c:v wmv2 -c:a wmav2 -output_ts_offset 500 {1}",
    }
    files = {name: folder / f"v.{name}" for name in recipes}
    for name, recipe in recipes.items():
        ffmpeg(recipe, base, files[name])
    for name in ("mkv", "late.mkv"):
        files[name] = folder / f"v.{name}"
        ffmpeg(f"-i {{0}} -c copy -output_ts_offset {300 * name.startswith('late')} {{1}}", base, files[name])
        files[name].write_bytes(files[name].read_bytes().replace(b"DURATION", b"DURATIOX"))
    return files


LONGER = ["flv", "unsaid.flv", "late.flv", "nut", "late.nut", "wmv", "late.wmv", "mkv", "late.mkv"]


@pytest.mark.parametrize("name", LONGER)
def test_a_picture_that_ends_before_the_sound_is_whole(longer_sound: dict[str, Path], name: str) -> None:
    path = longer_sound[name]
    found, info = tools.outcome(path, FIVE), _info(path)
    assert (found.state, found.reason, found.coverage) == ("done", "", 1.0)
    assert float(info.duration or 0) == pytest.approx(2, abs=0.05)
    assert float(info.sound_end or 0) == pytest.approx(4, abs=0.1)
    assert info.declared is None


@pytest.mark.parametrize("name", [name for name in LONGER if name not in ("unsaid.flv", "late.flv", "nut", "late.nut")])
def test_a_file_that_is_cut_is_not(longer_sound: dict[str, Path], tmp_path: Path, name: str) -> None:
    """A file without a declared length is not among these: nothing tells where it should end."""
    for share in (0.5, 0.9):
        path = tmp_path / name
        tools.cut(longer_sound[name], path, share)
        assert (share, tools.outcome(path, FIVE).state) == (share, "partial")


def _declare(path: Path, mark: bytes, milliseconds: float) -> None:
    content = bytearray(path.read_bytes())
    place = content.index(mark) + len(mark)
    content[place : place + 8] = struct.pack(">d", milliseconds)
    path.write_bytes(content)


@pytest.mark.parametrize(("name", "mark", "unit"), [("flv", b"duration\0", 1), ("mkv", b"\x44\x89\x88", 1000)])
def test_a_nonsense_length_of_a_file_that_is_all_there_is_remarked_upon(
    longer_sound: dict[str, Path], tmp_path: Path, name: str, mark: bytes, unit: int
) -> None:
    path = tmp_path / f"v.{name}"
    path.write_bytes(longer_sound[name].read_bytes())
    _declare(path, mark, 86_400.0 * unit)
    found, info = tools.outcome(path, FIVE), _info(path)
    assert (found.state, found.coverage) == ("done", 1.0)
    assert float(info.declared or 0) == pytest.approx(86_400, abs=1)
    tools.cut(path, path, 0.8)
    assert tools.outcome(path, FIVE).state == "partial"


RAW = {
    "a.h264": ("-c:v libx264 -preset ultrafast -pix_fmt yuv420p", 30, False),
    "slow.h264": ("-r 12 -c:v libx264 -preset ultrafast -pix_fmt yuv420p", 12, False),
    "a.hevc": ("-c:v libx265 -preset ultrafast -x265-params log-level=0 -pix_fmt yuv420p", 30, False),
    "a.m4v": ("-c:v mpeg4 -f m4v", 30, False),
    "a.m2v": ("-c:v mpeg2video", 30, False),
    "a.drc": ("-c:v vc2 -f dirac", 30, False),
    "a.mjpeg": ("-c:v mjpeg -f mjpeg", 25, True),
}


@pytest.mark.parametrize("name", sorted(RAW))
def test_a_bare_stream_is_timed_by_its_own_rate(tmp_path: Path, name: str) -> None:
    """ffmpeg without `-framerate` gives the frames of such a stream the rate of its header, or 25."""
    encoding, rate, is_assumed = RAW[name]
    path = tmp_path / name
    ffmpeg(f"-f lavfi -i testsrc2=size=160x120:rate=30:duration=2 {encoding} {{0}}", path)
    found, info = tools.outcome(path), _info(path)
    count = 26 if rate == 12 else 60
    assert (found.state, found.decoded, found.coverage) == ("done", count, None)
    assert list(found.times) == [pytest.approx(Fraction(number, rate), abs=1e-5) for number in range(count)]
    assert (info.rate, info.is_rate_assumed) == (rate, is_assumed)


def test_the_streams_of_cameras_are_timed_by_their_own_rate(shared_media: Path) -> None:
    for suffix in ("h264", "hevc"):
        found = tools.outcome(shared_media / "failing" / "video" / "D_raw_stream_frame_rate" / f"cam30.{suffix}")
        assert (found.state, found.decoded, found.times[60]) == ("done", 200, 2)


def test_a_rate_that_no_header_gives_is_assumed_and_said(tmp_path: Path) -> None:
    path = tmp_path / "v.obu"
    ffmpeg(f"{PICTURE.replace('25', '30')} -c:v libaom-av1 -cpu-used 8 -usage realtime -f obu {{0}}", path)
    info = _info(path)
    assert (info.rate, info.is_counted, info.is_rate_assumed) == (25, True, True)


def _zero_length_frames(path: Path) -> None:
    """A screen recorder's AVI: a picture that stays is a chunk of no bytes (OpenDML 1.02: a dropped frame)."""
    ffmpeg(f"{PICTURE} -c:v mjpeg {{0}}", path)
    content = path.read_bytes()
    movi = content.index(b"movi") + 4
    place, chunks = movi, []
    while content[place : place + 4] == b"00dc":
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        chunks.append(content[place : place + 8 + size + size % 2])
        place += len(chunks[-1])
    assert len(chunks) == 50
    chunks = [b"00dc" + bytes(4) if 20 <= number < 30 or number > 44 else chunk for number, chunk in enumerate(chunks)]
    index, offset = b"", 4
    for chunk in chunks:
        index += b"00dc" + struct.pack("<III", 16, offset, int.from_bytes(chunk[4:8], "little"))
        offset += len(chunk)
    body = b"movi" + b"".join(chunks)
    head = content[: movi - 8]
    whole = head + struct.pack("<I", len(body)) + body + b"idx1" + struct.pack("<I", len(index)) + index
    path.write_bytes(b"RIFF" + struct.pack("<I", len(whole) - 8) + whole[8:])


def test_a_picture_that_is_repeated_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    _zero_length_frames(path)
    for sampling in SAMPLINGS:
        found = tools.outcome(path, sampling)
        assert (found.state, found.reason, found.coverage, found.flagged) == ("done", "", 1.0, 0)
    assert found.decoded == 35
    assert [time for time in found.times if Fraction(20, 25) <= time < Fraction(30, 25)] == []


def test_an_encrypted_film_is_not_searched(shared_media: Path, tmp_path: Path) -> None:
    clear, hidden = tmp_path / "clear.mp4", tmp_path / "hidden.mp4"
    key = "-encryption_scheme cenc-aes-ctr -encryption_key 0123456789abcdef0123456789abcdef"
    ffmpeg(f"{PICTURE} {H264} {{0}}", clear)
    ffmpeg(f"-i {{0}} -c copy {key} -encryption_kid 00112233445566778899aabbccddeeff {{1}}", clear, hidden)
    for path in (hidden, shared_media / "failing" / "video" / "O_encrypted" / "drm_G.mp4"):
        for sampling in SAMPLINGS:
            found = tools.outcome(path, sampling)
            assert (found.state, found.reason, found.times) == ("failed", ENCRYPTED, ())
    assert tools.outcome(clear).state == "done"


def _scramble_transport(content: bytearray) -> None:
    """Marks the packets of video as scrambled (ISO 13818-1, 2.4.3.2), as they leave a receiver without its card."""
    for place in range(0, len(content), 188):
        if int.from_bytes(content[place + 1 : place + 3]) & 0x1FFF == 0x100:
            content[place + 3] |= 0xC0
            content[place + 4 : place + 188] = bytes(byte ^ 0x5A for byte in content[place + 4 : place + 188])


def _scramble_program(content: bytearray) -> None:
    """Marks two packets of three as a DVD's are."""
    place, number = content.find(b"\0\0\1\xe0"), 0
    while place >= 0:
        number += 1
        if number % 3:
            content[place + 6] |= 0x10
            content[place + 128 : place + 2000] = bytes(byte ^ 0x5A for byte in content[place + 128 : place + 2000])
        place = content.find(b"\0\0\1\xe0", place + 2000)


@pytest.mark.parametrize(
    ("suffix", "scramble"), [("ts", _scramble_transport), ("mpg", _scramble_program)], ids=["ts", "mpg"]
)
def test_a_scrambled_stream_is_not_searched(tmp_path: Path, suffix: str, scramble: Callable[[bytearray], None]) -> None:
    path, muxer = tmp_path / f"v.{suffix}", "-f vob" if suffix == "mpg" else ""
    ffmpeg(f"-f lavfi -i testsrc2=size=320x240:rate=25:duration=3 -c:v mpeg2video -q:v 2 {muxer} {{0}}", path)
    assert tools.outcome(path, FIVE).state == "done"
    content = bytearray(path.read_bytes())
    scramble(content)
    path.write_bytes(content)
    found = tools.outcome(path, FIVE)
    assert (found.state, found.reason, found.times) == ("failed", ENCRYPTED, ())


def test_streams_of_video_that_are_not_searched_are_counted(tmp_path: Path) -> None:
    """A car's recorder writes front and rear into one file, a drone a cover as a stream like others."""
    base, cover = tmp_path / "base.mp4", tmp_path / "cover.avi"
    ffmpeg(f"{PICTURE} {H264} {{0}}", base)
    ffmpeg("-f lavfi -i testsrc2=size=320x240:rate=1:duration=1 -c:v mjpeg {0}", cover)
    ffmpeg("-i {0} -i {0} -map 0 -map 1 -c copy {1}", base, tmp_path / "two.mp4")
    ffmpeg("-i {0} -i {1} -map 1 -map 0 -c copy -disposition:v 0 {2}", base, cover, tmp_path / "drone.mp4")
    assert _info(base).num_other_films == 0
    assert _info(tmp_path / "two.mp4").num_other_films == 1
    drone = _info(tmp_path / "drone.mp4")
    assert (drone.num_other_films, drone.codec) == (0, "h264")
    assert tools.outcome(tmp_path / "drone.mp4").decoded == 50


def test_a_rate_that_no_camera_has_is_not_taken(tmp_path: Path) -> None:
    """FFmpeg gives 60000 frames a second for a bare DV stream."""
    path = tmp_path / "v.dv"
    ffmpeg("-f lavfi -i testsrc2=size=720x576:rate=25:duration=0.4 -c:v dvvideo -pix_fmt yuv420p {0}", path)
    assert _info(path).rate == 25
    assert tools.outcome(path).coverage == 1.0


def _with_packets(source: Path, target: Path, extra: Callable[[bytes, bytes], list[bytes]]) -> None:
    """Copies a film; before each picture come packets of their own, made of the stream's header and the picture."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        header = bytes(stream.codec_context.extradata or b"")
        for packet in read.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            for number, content in enumerate(extra(header, bytes(packet))):
                made = av.Packet(content)
                made.pts = made.dts = packet.dts - 100 + number
                made.time_base, made.is_keyframe, made.stream = packet.time_base, packet.is_keyframe, copy
                written.mux(made)
            packet.stream = copy
            written.mux(packet)


def _unit(content: bytes) -> bytes:
    return len(content).to_bytes(4) + content


def _parameters_of_h264(header: bytes, picture: bytes) -> list[bytes]:
    """The sets in the header (ISO 14496-15, 5.2.4.1), as a packet before each IDR picture."""
    size = int.from_bytes(header[6:8])
    sequence, rest = header[8 : 8 + size], header[8 + size :]
    shown = rest[3 : 3 + int.from_bytes(rest[1:3])]
    return [_unit(sequence) + _unit(shown)] if picture[4] & 31 in (5, 6, 7) else []


def _messages_of_hevc(header: bytes, picture: bytes) -> list[bytes]:
    """A delimiter, and a message of an unknown kind (ITU-T H.265, 7.3.2.5 and 7.3.5)."""
    return [_unit(b"\x46\x01\x50"), _unit(b"\x4e\x01\x05\x02\xaa\xaa\x80")]


@pytest.mark.parametrize(
    ("encoder", "extra"),
    [
        (f"{H264} -bf 0", _parameters_of_h264),
        ("-c:v libx265 -preset ultrafast -x265-params log-level=0:bframes=0 -pix_fmt yuv420p", _messages_of_hevc),
    ],
    ids=["parameters", "messages"],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_packets_without_a_picture_are_no_loss(
    tmp_path: Path, suffix: str, encoder: str, extra: Callable[[bytes, bytes], list[bytes]]
) -> None:
    base, path = tmp_path / "base.mp4", tmp_path / f"v.{suffix}"
    ffmpeg(f"{PICTURE} {encoder} {{0}}", base)
    _with_packets(base, path, extra)
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) > 51
    for sampling in SAMPLINGS:
        found = tools.outcome(path, sampling)
        assert (found.state, found.reason, found.flagged) == ("done", "", 0)
    assert found.decoded == 50


class _SideData:
    """A packet of which only its side data are known."""

    def __init__(self, *numbers: int, parts: tuple[tuple[int, int], ...] = ()) -> None:
        head = b"cenc" + b"".join(number.to_bytes(4) for number in (*numbers, len(parts)))
        key_and_vector = bytes(numbers[2] + numbers[3])
        self._content = head + key_and_vector + b"".join(a.to_bytes(4) + b.to_bytes(4) for a, b in parts)

    def has_sidedata(self, _kind: str) -> bool:
        return True

    def get_sidedata(self, _kind: str) -> bytes:
        return self._content


def test_a_sample_all_of_whose_parts_are_clear_is_not_encrypted() -> None:
    """As before the licence of a rented film is needed; the layout is that of FFmpeg's `encryption_info.c`."""
    assert is_encrypted(_SideData(0, 0, 16, 8))
    assert is_encrypted(_SideData(1, 9, 16, 0, parts=((97, 4000), (20, 0))))
    assert not is_encrypted(_SideData(0, 0, 16, 8, parts=((400, 0), (20, 0))))
