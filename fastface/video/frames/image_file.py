"""Read one picture from a file, as displayed. The content decides the format, not the name.

The enrolment, the curation and image sequences call `read_picture`, in child processes: the files are untrusted.
"""

import logging
import stat
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from fastface.errors import InputError
from fastface.types import Image

MAX_PIXELS = 150_000_000
"""Default limit of width × height."""

_MAX_WHOLE = 100_000_000
"""Width × height above which pictures are halved. The JPEG decoder halves them itself, others need 4 bytes a pixel."""

_JPEG_FACTOR = 5 / 3
"""Factor by which JPEGs may exceed the limit, because they are never whole in memory: phones write 200 megapixels."""

_JPEGS = ("JPEG", "MPO")

_REDUCIBLE = ("L", "RGB", "RGBA", "LA", "CMYK", "YCbCr")

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "PPM")
"""JPEG includes MPO. Pillow's rarer plugins are excluded: EPS starts Ghostscript, and the old ones are fuzzed little.
"""

# Pillow's decoders raise these for damaged files: OSError (base of UnidentifiedImageError) for a short or broken
# stream, SyntaxError for a broken header or chunk, the others if a plugin trusts a field of the file.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
    RuntimeError,
    PillowImage.DecompressionBombError,
)

# Some plugins also log what they raise; without a handler the log would go to stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
"""Brands of ISO media files with pictures that Pillow cannot read by itself."""
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_LONGEST_BRANDS = 256
"""Number of bytes of a file's first box that are searched for brands."""


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a photo as a viewer shows it: upright, transparency on white, the first or main frame of many.

    Args:
        path: A regular file, or a link to one: JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP, TIFF, JPEG 2000 or PNM.
        max_pixels: Limit of width × height; JPEGs may have 5/3 of it.

    Returns:
        (H, W, 3) uint8 BGR, contiguous; the caller owns it. Of 10 to 16 bits the upper 8 are kept; colour profiles are
        not applied. Pictures of more than 100 megapixels are halved in width and height.

    Raises:
        InputError: It is no picture, of an unsupported format, damaged, cut, or too large.
    """
    try:
        # Opening a FIFO would block forever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(path, "not a file")
        with path.open("rb") as stream, warnings.catch_warnings():
            # Pillow warns about odd metadata and about sizes that are checked here.
            warnings.simplefilter("ignore")
            return _decode(path, stream, max_pixels)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(path, f"not a valid path: {error}") from error


def _decode(path: Path, stream: BinaryIO, max_pixels: int) -> Image:
    start = stream.read(_LONGEST_BRANDS)
    stream.seek(0)
    if not start:
        raise InputError(path, "empty file")
    try:
        picture = PillowImage.open(stream, formats=_formats(start))
    except UnidentifiedImageError as error:
        raise InputError(path, "not a picture, or of a format that is not read") from error
    except _DAMAGE as error:
        raise InputError(path, _reason("damaged picture", error)) from error
    with picture:
        width, height = picture.size
        is_jpeg = picture.format in _JPEGS
        limit = int(max_pixels * _JPEG_FACTOR) if is_jpeg else max_pixels
        if width * height > limit:
            reason = f"{width}×{height} is more than the {limit} pixels that are allowed"
            raise InputError(path, f"{reason}: scale it down, or allow more with the setting scan.max_pixels")
        is_halved = width * height > _MAX_WHOLE
        try:
            if is_halved and is_jpeg:
                picture.draft(None, (width // 2, height // 2))
            picture.load()
            if is_halved and not is_jpeg and picture.mode in _REDUCIBLE:
                rgb = _as_rgb(_upright(_halve(picture)))
            elif is_halved and not is_jpeg:
                rgb = _as_rgb(_upright(picture)).reduce(2)
            else:
                rgb = _as_rgb(_upright(picture))
        except _DAMAGE as error:
            raise InputError(path, _reason("damaged or unusual picture", error)) from error
    return np.ascontiguousarray(np.asarray(rgb)[:, :, ::-1])


def read_format(stream: BinaryIO) -> str:
    """Return Pillow's name for the format of a picture that `read_picture` has read.

    Raises:
        OSError: The file is no such picture any more.
    """
    start = stream.read(_LONGEST_BRANDS)
    stream.seek(0)
    with PillowImage.open(stream, formats=_formats(start)) as opened:
        return opened.format or ""


def _formats(start: bytes) -> tuple[str, ...]:
    return (_heif_format(),) if _is_heif(start) else _FORMATS


def _is_heif(start: bytes) -> bool:
    """Return whether a file starts like HEIC or HEIF, and not like AVIF."""
    if start[4:8] != b"ftyp" or start[8:12] not in _HEIF_BRANDS:
        return False
    end = min(len(start), int.from_bytes(start[:4]))
    return _AVIF_BRANDS.isdisjoint(start[place : place + 4] for place in range(16, end, 4))


def _heif_format() -> str:
    """Register the HEIF plugin and return Pillow's name for HEIF.

    The package is loaded with the first such picture. It decodes the main picture of a file with its stored rotation.
    """
    import pi_heif  # noqa: PLC0415 - costs most users start-up time for nothing

    pi_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    return str(pi_heif.HeifImageFile.format)


def _halve(picture: PillowImage.Image) -> PillowImage.Image:
    """Return a smaller picture with the same metadata, and release the larger one's memory."""
    small = picture.reduce(2)
    small.info = picture.info
    small._exif = picture.getexif()  # no public method copies it
    return small


def _upright(picture: PillowImage.Image) -> PillowImage.Image:
    """Rotate a picture by its EXIF. If the EXIF is damaged, keep the picture as stored: the pixels are still good."""
    try:
        return ImageOps.exif_transpose(picture)
    except _DAMAGE:
        return picture


def _as_rgb(picture: PillowImage.Image) -> PillowImage.Image:
    if picture.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips at 255 instead of scaling.
        grey = np.asarray(picture).astype(np.int64).clip(0, 65535) >> 8
        return PillowImage.fromarray(grey.astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError("its pixels are floating point")
    if picture.has_transparency_data:
        # Colours under transparent pixels are arbitrary; a cut-out person is usually seen on white.
        layered = picture.convert("RGBA")
        white = PillowImage.new("RGBA", layered.size, "white")
        return PillowImage.alpha_composite(white, layered).convert("RGB")
    return picture.convert("RGB")


def _reason(what: str, error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{what}: {text or type(error).__name__}"
