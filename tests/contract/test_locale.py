"""The tables are the same in a locale whose decimal sign is a comma."""

import csv
import locale
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from export_tools import make_faces, make_hits, write_hits

from fastface.export.tables.results import VideoHits


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture
def german_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A locale whose point is a comma, in force for C code too."""
    compiled = tmp_path / "locales" / "de_DE.UTF-8"
    compiled.parent.mkdir()
    tool = shutil.which("localedef")
    made = tool and subprocess.run([tool, "-i", "de_DE", "-f", "UTF-8", compiled], capture_output=True, check=False)
    if not compiled.is_dir():
        pytest.skip(f"localedef cannot make de_DE here: {made}")
    monkeypatch.setenv("LOCPATH", str(compiled.parent))
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.usefixtures("german_locale")
def test_the_point_is_a_point_in_a_locale_with_commas(tmp_path: Path) -> None:
    assert f"{1234.5:n}" == "1.234,5"
    faces = make_faces([1234.5])
    write_hits(tmp_path / "hits.csv", [VideoHits("a", faces, {"Ross": make_hits(faces, [0])})])
    (row,) = _read(tmp_path / "hits.csv")
    assert (row["time"], row["similarity"]) == ("1234.500", "0.5000")
