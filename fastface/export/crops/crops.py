"""Cut a crop of a target out of a frame, and write its file.

The export process calls it. Files are readable for their owner only.
"""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from fastface.errors import ExportError
from fastface.export.crops.framing import Subject, frame_body
from fastface.export.plan import CropFacts, CropStyle
from fastface.faces.align import align_picture
from fastface.files import atomic_path, private_folder
from fastface.persons.containment import locate_body
from fastface.types import FloatArray, Image, Size

_JPEG_QUALITY = 95
_IMAGE_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131

Box = tuple[float, float, float, float]
Cut = tuple[Image, CropFacts]


def cut_aligned(picture: Image, landmarks: npt.NDArray[np.float32], style: CropStyle) -> Cut:
    """Cut a face, turned upright and scaled.

    Args:
        picture: (H, W, 3) BGR as displayed.
        landmarks: (5, 2) in its pixels.
        style: Source of `size` and `margin`.
    """
    return align_picture(picture, landmarks, style.size, style.margin, cv2.INTER_LANCZOS4), CropFacts()


def cut_face(picture: Image, face: Box, style: CropStyle) -> Cut:
    """Cut a square of the frame around a face: moved inside the frame, and smaller only if the frame is.

    Args:
        picture: (H, W, 3) BGR as displayed.
        face: x1, y1, x2, y2 in its pixels.
        style: Source of `margin`.
    """
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = face
    side = max(1, min(round(max(x2 - x1, y2 - y1) * (1 + 2 * style.margin)), width, height))
    left = min(max(0, round((x1 + x2 - side) / 2)), width - side)
    top = min(max(0, round((y1 + y2 - side) / 2)), height - side)
    return picture[top : top + side, left : left + side], CropFacts(crop=(left, top, left + side, top + side))


def cut_body(picture: Image, face: Box, persons: FloatArray | None, style: CropStyle) -> Cut | None:
    """Cut a person in the best ratio; return None if the frame is too small for every ratio.

    Args:
        picture: (H, W, 3) BGR as displayed.
        face: x1, y1, x2, y2 in its pixels.
        persons: (n, 4) boxes of persons in the frame; None without a search for persons.
        style: Source of `ratios` and `body`.
    """
    size = picture.shape[1], picture.shape[0]
    body = locate_body(face, np.empty((0, 4), np.float32) if persons is None else persons, size)
    x1, y1, x2, y2 = body.box.tolist()
    framing = frame_body(Subject(size, face, (x1, y1, x2, y2), body.is_estimate), style.ratios, style.body)
    if framing is None:
        return None
    left, top, right, bottom = framing.box
    facts = CropFacts(
        crop=framing.box,
        ratio=framing.ratio,
        person=(x1, y1, x2, y2),
        is_estimate=body.is_estimate,
        framing=framing.framing,
        score=framing.score,
        parts=framing.parts,
    )
    return picture[top:bottom, left:right], facts


def scale_crop(picture: Image, size: Size) -> Image:
    """Scale a crop.

    Args:
        picture: (H, W, 3) BGR.
        size: Requested (width, height).
    """
    is_smaller = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LANCZOS4)
    return scaled.astype(np.uint8, copy=False)


def save_picture(path: Path, picture: Image, description: str = "", xmp: bytes = b"") -> None:
    """Write a picture of a person atomically, readable for its owner only.

    Args:
        path: `.jpg` or `.png`.
        picture: (H, W, 3) BGR.
        description: ASCII text for the file's metadata.
        xmp: XMP packet for the file's metadata; empty for none.

    Raises:
        ExportError: The picture cannot be encoded.
        SpaceError: No space is left.
    """
    image = PillowImage.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    content = BytesIO()
    try:
        if path.suffix == ".png":
            text = PngInfo()
            text.add_text("Description", description)
            if xmp:
                text.add_itxt("XML:com.adobe.xmp", xmp.decode())
            image.save(content, "PNG", pnginfo=text)
        else:
            exif = PillowImage.Exif()
            exif[_IMAGE_DESCRIPTION], exif[_SOFTWARE] = description, "fastface"
            # Store colours at full resolution: such pictures are enlarged and used for training.
            image.save(
                content, "JPEG", quality=_JPEG_QUALITY, subsampling=0, exif=exif, **({"xmp": xmp} if xmp else {})
            )
    except (OSError, ValueError) as error:
        raise ExportError(f"cannot encode {str(path)!r}: {error}") from error
    private_folder(path.parent)
    with atomic_path(path, private=True) as part:
        part.write_bytes(content.getvalue())
