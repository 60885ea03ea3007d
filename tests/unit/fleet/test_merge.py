"""`fleet.origins`: from which folder each video of a merge came."""

import stat
from pathlib import Path

import pytest

from fastface.errors import FaceIndexError
from fastface.fleet.merge import Origin, read_origins, write_origins


def test_origins_are_added_and_removed(tmp_path: Path) -> None:
    assert read_origins(tmp_path) == {}
    write_origins(tmp_path, {"a.mp4": Origin("/one", "1"), "b.mp4": Origin("/two\udcff", "2")}, gone=())
    path = tmp_path / "origins.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_origins(tmp_path, {"c.mp4": Origin("/one", "3"), "b.mp4": Origin("/three", "4")}, gone=["a.mp4", "unknown"])
    assert read_origins(tmp_path) == {"b.mp4": Origin("/three", "4"), "c.mp4": Origin("/one", "3")}
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_origins(tmp_path, {"c.mp4": Origin("/one", "3")}, gone=["a.mp4"])
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": 2}', '{"schema_version": 1, "folders": []}'])
def test_a_damaged_file_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "origins.json").write_text(content)
    with pytest.raises(FaceIndexError, match="outdated scans of changed videos may stay"):
        read_origins(tmp_path)
