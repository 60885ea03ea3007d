"""What is said of a file that no container reader takes, whatever sizes its first bytes claim."""

from pathlib import Path

import av
import pytest

from fastface.errors import VideoError
from fastface.video.container import open_video


@pytest.mark.parametrize("size", [b"\xff" * 8, b"\x7f" + b"\xff" * 7, (1 << 40).to_bytes(8, "big"), bytes(8)])
@pytest.mark.parametrize(("kind", "reason"), [(b"gB\x80\x80", "not a video"), (b"ftyp", "no index")])
def test_a_box_of_impossible_size_ends_the_look_at_boxes(tmp_path: Path, kind: bytes, size: bytes, reason: str) -> None:
    # A raw stream begins with 0, 0, 0, 1, which in an MP4 means that a size of 64 bits follows the type.
    path = tmp_path / "v.mp4"
    path.write_bytes(b"\0\0\0\1" + kind + size + b"\xff" * 400)
    av.logging.set_level(None)
    with pytest.raises(VideoError) as caught, open_video(path):
        pass
    assert caught.value.state == "failed"
    assert reason in caught.value.reason
