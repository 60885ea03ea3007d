"""Photos as people have them: turned, of other colour spaces, moving, damaged, too large, or no photos at all."""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_tools import run_ffmpeg
from PIL import Image

from fastface.errors import InputError
from fastface.video.frames.image_file import read_picture

RED, GREEN, BLUE, WHITE = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255)
"""BGR."""


def saved(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def quarters() -> Image.Image:
    """16×8: left half red, right half blue."""
    picture = Image.new("RGB", (16, 8), (255, 0, 0))
    picture.paste((0, 0, 255), (8, 0, 16, 8))
    return picture


def near(pixel: np.ndarray, expected: tuple[int, int, int], tolerance: int = 6) -> bool:
    return bool(np.abs(pixel.astype(int) - expected).max() <= tolerance)


# Outcomes from other decoders: sizes are ffprobe's and file(1)'s, turned by the EXIF orientation.
ODD = [
    ("am_pixel-motion-photo-shortened.jpg", (4032, 3024)),
    ("am_ultraHDR.jpg", (4080, 3072)),
    ("am_white-1x1.jpg", (1, 1)),
    ("tc_animated.gif", (48, 64)),
    ("tc_animated.heic", (48, 64)),
    ("tc_bad_huffman.jpg", (768, 1024)),
    ("tc_cmyk.jpg", (720, 1280)),
    ("tc_corrupt.jpg", "damaged"),
    ("tc_frame_exceeds_screen.gif", (8, 8)),
    ("tc_heapbof.png", "not a picture"),
    ("tc_sigsegv.png", "damaged"),
]


@pytest.mark.parametrize(("name", "outcome"), ODD, ids=[name for name, _ in ODD])
def test_odd_photos_are_read_or_refused_with_a_reason(shared_media, name, outcome):
    path = shared_media / "odd_photos" / name
    if isinstance(outcome, str):
        with pytest.raises(InputError, match=outcome):
            read_picture(path)
        return
    picture = read_picture(path)
    assert picture.shape == (*outcome, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert picture.flags.writeable


def test_every_odd_photo_is_in_the_table(shared_media):
    assert sorted(path.name for path in (shared_media / "odd_photos").iterdir()) == sorted(name for name, _ in ODD)


def test_cmyk_colours_agree_with_ffmpeg(shared_media):
    path = shared_media / "odd_photos" / "tc_cmyk.jpg"
    raw = run_ffmpeg(["-i", path, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"])
    expected = np.frombuffer(raw, np.uint8).reshape(720, 1280, 3)
    assert np.abs(read_picture(path).astype(int) - expected).mean() < 3


def test_photos_agree_with_opencv(shared_media):
    paths = sorted((shared_media / "photos").rglob("*.jpg"))[:5] + sorted((shared_media / "photos").rglob("*.png"))[:3]
    assert len(paths) == 8
    for path in paths:
        assert np.abs(read_picture(path).astype(int) - cv2.imread(str(path))).mean() < 1.5


@pytest.mark.parametrize(
    ("orientation", "shape", "corner", "opposite"),
    [
        (1, (8, 16), RED, BLUE),
        (2, (8, 16), BLUE, RED),
        (3, (8, 16), BLUE, RED),
        (6, (16, 8), RED, BLUE),
        (8, (16, 8), BLUE, RED),
    ],
)
def test_exif_orientation_is_applied(tmp_path, orientation, shape, corner, opposite):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(tmp_path / "turned.png", quarters(), exif=exif))
    assert picture.shape == (*shape, 3)
    assert tuple(picture[0, 0]) == corner
    assert tuple(picture[-1, -1]) == opposite


def test_a_damaged_exif_costs_the_rotation_only(tmp_path):
    path = saved(tmp_path / "a.jpg", quarters(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=95)
    assert read_picture(path).shape == (8, 16, 3)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    expected = [0, 0, 1, 128, 255]
    for name in ("grey.png", "grey.tif"):
        cv2.imwrite(str(tmp_path / name), values)
        picture = read_picture(tmp_path / name)
        assert picture[0, :, 0].tolist() == expected
        assert (picture == picture[:, :, :1]).all()
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([values] * 3))
    assert np.abs(read_picture(tmp_path / "colour.png")[0, :, 1].astype(int) - expected).max() <= 1


def test_transparency_lies_on_white(tmp_path):
    grey = Image.new("LA", (4, 4), (0, 255))
    grey.putpixel((0, 0), (0, 0))
    picture = read_picture(saved(tmp_path / "la.png", grey))
    assert tuple(picture[0, 0]) == WHITE
    assert tuple(picture[1, 1]) == (0, 0, 0)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 1), 1)
    picture = read_picture(saved(tmp_path / "p.png", palette, transparency=0))
    assert tuple(picture[0, 0]) == WHITE
    assert tuple(picture[1, 1]) == BLUE


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif", "avif"])
def test_the_first_frame_of_many_is_taken(tmp_path, suffix):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    path = saved(tmp_path / f"moving.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    assert near(read_picture(path)[16, 16], RED)


@pytest.mark.parametrize("suffix", ["heic", "avif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_of_phones_are_upright(tmp_path, suffix, orientation):
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.new("RGB", (64, 32), (255, 0, 0))
    stored.paste((0, 0, 255), (0, 0, 64, 16))  # blue above, red below
    picture = read_picture(saved(tmp_path / f"a.{suffix}", stored, exif=exif.tobytes()))
    # By the EXIF standard: 3 is turned by 180°, 6 by 90° clockwise, 8 by 90° counter-clockwise.
    height, width = picture.shape[:2]
    assert (width, height) == ((64, 32) if orientation in (1, 3) else (32, 64))
    blue = {1: (4, width // 2), 3: (height - 4, width // 2), 6: (height // 2, width - 4), 8: (height // 2, 4)}
    assert near(picture[blue[orientation]], BLUE)
    opposite = height - 1 - blue[orientation][0], width - 1 - blue[orientation][1]
    assert near(picture[opposite], RED)


def test_ten_bits_of_a_heic_are_scaled(tmp_path):
    pixels = np.zeros((32, 64, 3), np.uint16)
    pixels[..., 0], pixels[..., 1] = 1023 << 6, 512 << 6
    heif = pillow_heif.from_bytes(mode="RGB;16", size=(64, 32), data=pixels.tobytes())
    heif.save(tmp_path / "a.heic", quality=-1, chroma=444)
    assert pillow_heif.open_heif(tmp_path / "a.heic", convert_hdr_to_8bit=False).info["bit_depth"] == 10
    assert near(read_picture(tmp_path / "a.heic")[16, 32], (0, 128, 255))


def test_the_main_picture_of_a_heic_is_taken(tmp_path):
    heif = pillow_heif.HeifFile()
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        heif.add_from_pillow(Image.new("RGB", (64, 64), colour))
    heif.save(tmp_path / "many.heic", primary_index=2)
    assert near(read_picture(tmp_path / "many.heic")[32, 32], BLUE)


def test_what_reads_heic_is_loaded_with_the_first_one(tmp_path):
    code = (
        "import sys, pathlib\nfrom fastface.video.frames.image_file import read_picture\n"
        "for name in sys.argv[1:]:\n"
        "    read_picture(pathlib.Path(name))\n    print('pi_heif' in sys.modules, end=' ')"
    )
    pillow_heif.register_heif_opener()
    files = [saved(tmp_path / f"a.{suffix}", quarters()) for suffix in ("jpg", "avif", "heic")]
    told = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "False", "True"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_becomes_bgr(tmp_path, mode):
    suffix = "tif"
    picture = Image.new("L", (4, 2), 255).convert(mode) if mode != "I;16" else Image.new(mode, (4, 2), 65535)
    assert near(read_picture(saved(tmp_path / f"a.{suffix}", picture))[0, 0], WHITE)


def test_the_content_decides_not_the_name(tmp_path):
    path = saved(tmp_path / "photo.txt", quarters(), format="PNG")
    assert tuple(read_picture(path)[0, 0]) == RED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"x", "not a picture"),
        (b"hello, this is text\n" * 20, "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged|not a picture"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "damaged|not a picture"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_picture(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "bmp", "heic", "avif"])
def test_half_a_picture_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    pillow_heif.register_heif_opener()
    path = saved(tmp_path / f"cut.{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"damaged|not a picture"):
        read_picture(path)


def test_floating_point_is_refused(tmp_path):
    path = saved(tmp_path / "a.tif", Image.new("F", (4, 4), 0.5))
    with pytest.raises(InputError, match="floating point"):
        read_picture(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    huge = BytesIO()
    Image.new("1", (15_000, 15_000)).save(huge, "PNG")
    path = tmp_path / "bomb.png"
    path.write_bytes(huge.getvalue())
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match=r"15000×15000|decompression bomb"):
        read_picture(path)
    with pytest.raises(InputError, match="16×8 is more than the 127 pixels"):
        read_picture(saved(tmp_path / "a.png", quarters()), max_pixels=127)
    assert read_picture(tmp_path / "a.png", max_pixels=128).shape == (8, 16, 3)


@pytest.mark.parametrize(("suffix", "mode"), [("jpg", "RGB"), ("jpg", "L"), ("png", "L"), ("png", "P"), ("png", "1")])
def test_pictures_of_108_megapixels_are_halved(tmp_path, suffix, mode):
    picture = Image.new(mode, (12_000, 9_000), 0)
    picture.paste(255 if mode in ("L", "1") else 1 if mode == "P" else (255, 255, 255), (6_000, 0, 12_000, 9_000))
    if mode == "P":
        picture.putpalette([0, 0, 0, 255, 255, 255])
    exif = Image.Exif()
    exif[0x0112] = 3  # stands on its head
    found = read_picture(saved(tmp_path / f"large.{suffix}", picture, exif=exif))
    assert found.shape == (4_500, 6_000, 3)
    assert near(found[100, 1_000], WHITE)
    assert near(found[100, 5_000], (0, 0, 0))


def test_a_refusal_names_the_limit_and_the_setting(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.new("L", (400, 300)))
    with pytest.raises(InputError, match=r"400×300 is more than the 1666 pixels .* the setting scan.max_pixels"):
        read_picture(path, max_pixels=1_000)
    assert read_picture(path, max_pixels=100_000).shape == (300, 400, 3)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.jpg")
    for path in (tmp_path / "fifo.jpg", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="not a file"):
            read_picture(path)
    with pytest.raises(InputError, match="No such file"):
        read_picture(tmp_path / "nothing.jpg")
    with pytest.raises(InputError, match="not a valid path"):
        read_picture(Path("a\0b.jpg"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "PPM"]),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_mutants_are_read_or_refused_and_raise_nothing_else(tmp_path, form, changes):
    stream = BytesIO()
    quarters().save(stream, form)
    content = bytearray(stream.getvalue())
    for position, value in changes:
        content[position % len(content)] = value
    path = tmp_path / "mutant"
    path.write_bytes(content)
    try:
        assert read_picture(path, max_pixels=1_000_000).ndim == 3
    except InputError as error:
        assert error.reason
