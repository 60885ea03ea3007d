"""Define an anchor, as corrections of the census and decisions on an answer store it.

`anchors` makes and finds them. `status` counts decisions without arrays, so this module imports neither NumPy nor a
module that does.
"""

import base64
from dataclasses import dataclass

_CONTRACT_LENGTH = 12
_COMPONENT_BYTES = 2


@dataclass(frozen=True, slots=True)
class Anchor:
    """A face or body that represents its track by its place in the picture, independent of the track's number.

    Attributes:
        video_id: ID of the video.
        time: Seconds from the first frame.
        box: x1, y1, x2, y2 in pixels of the frame as displayed.
        is_body: True for a body whose track never shows a face.
        look: Appearance of the face or body, from `encode_look`; empty if unknown. It detects that another video now
            has the same ID and time.
    """

    video_id: str
    time: float
    box: tuple[float, float, float, float]
    is_body: bool = False
    look: str = ""


def pack_look(components: bytes, contract: str) -> str:
    """Encode the components of a face or body, little-endian float16, as text.

    Args:
        components: The bytes.
        contract: Contract of the recogniser, or `anchors.CLOTHES`.
    """
    return f"{contract[:_CONTRACT_LENGTH]}:{base64.b64encode(components).decode('ascii')}"


def unpack_look(look: str, contract: str) -> bytes | None:
    """Decode the result of `pack_look`; return None if it is empty or of another contract.

    Raises:
        ValueError: The text is damaged.
    """
    recogniser, _, text = look.partition(":")
    if not contract or recogniser != contract[:_CONTRACT_LENGTH]:
        return None
    components = base64.b64decode(text, validate=True)
    if len(components) % _COMPONENT_BYTES:
        raise ValueError(f"{len(components)} bytes are no float16 components")
    return components
