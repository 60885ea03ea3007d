"""Write the cartoon pack: two small real networks, in the layout of any other pack.

The demo and the tests call it.
"""

from pathlib import Path
from typing import Final

from fastface.demo.detector import detector_bytes
from fastface.demo.recogniser import recogniser_bytes
from fastface.files import write_atomic

PACK: Final = "cartoon"


def write_pack(folder: Path) -> Path:
    """Write both networks to `folder/cartoon/`, always the same bytes, and return that folder.

    Raises:
        SpaceError: No space is left.
    """
    pack = folder / PACK
    write_atomic(pack / "cartoon_detector.onnx", detector_bytes())
    write_atomic(pack / "cartoon_recogniser.onnx", recogniser_bytes())
    return pack
