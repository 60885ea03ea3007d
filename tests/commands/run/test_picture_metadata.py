"""Names and places of persons in crops and snapshots, as exiftool reads them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, copy_of_out, fastface
from run_tools import rows

EXIFTOOL = shutil.which("exiftool")

pytestmark = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """{path: XMP tags} of all pictures in a folder."""
    assert EXIFTOOL
    done = subprocess.run(
        [EXIFTOOL, "-j", "-r", "-struct", "-n", "-XMP:all", "-ImageSize", str(folder)], capture_output=True, check=True
    )
    found = {entry["SourceFile"]: entry for entry in json.loads(done.stdout)}
    return {path: entry for path, entry in found.items() if Path(path).suffix in (".jpg", ".png")}


def area_of(region: dict[str, Any], size: str) -> list[float]:
    """x1, y1, x2, y2 in pixels."""
    width, height = map(int, size.split())
    area = region["Area"]
    x, y, w, h = (area[key] for key in "XYWH")
    return [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]


def _find(ran: Ran, cartoon: Cartoon, tmp_path: Path, *options: str) -> Path:
    out = copy_of_out(ran, tmp_path)
    done = fastface(
        "find", "-t", cartoon.bank, "-o", out, "--models", cartoon.models, "--clips", "none", "-q", *options
    )
    assert done.returncode in {0, 3}, done.stderr
    return out


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_crop_names_its_person_and_shows_where(ran: Ran, cartoon: Cartoon, tmp_path: Path, suffix: str) -> None:
    out = _find(ran, cartoon, tmp_path, "--crop-format", suffix, "--max-crops", "2")
    found, table = read(out / "crops"), rows(out / "crops" / "crops.csv")
    assert len(table) > 3
    for row in table:
        entry = found[str(out / row["file"])]
        assert entry["PersonInImage"] == [row["target"]]
        (region,) = entry["RegionInfo"]["RegionList"]
        assert (region["Name"], region["Type"], region["Area"]["Unit"]) == (row["target"], "Face", "normalized")
        width, height = map(int, entry["ImageSize"].split())
        applied = entry["RegionInfo"]["AppliedToDimensions"]
        assert (applied["W"], applied["H"], applied["Unit"]) == (width, height, "pixel")
        left, top, _, _ = map(int, row["crop"].split())
        x1, y1, x2, y2 = map(float, row["box"].split())
        inside = [max(x1 - left, 0), max(y1 - top, 0), min(x2 - left, width), min(y2 - top, height)]
        assert area_of(region, entry["ImageSize"]) == pytest.approx(inside, abs=0.1)


def test_a_scaled_crop_shows_the_same_place_and_a_turned_one_none(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    out = _find(ran, cartoon, tmp_path, "--size", "96x96", "--max-crops", "1")
    for row in (table := rows(out / "crops" / "crops.csv")):
        entry = read(out / row["file"])[str(out / row["file"])]
        left, top, right, _ = map(int, row["crop"].split())
        scale = 96 / (right - left)
        x1, y1, _, _ = (float(side) for side in row["box"].split())
        (region,) = entry["RegionInfo"]["RegionList"]
        expected = [max((x1 - left) * scale, 0), max((y1 - top) * scale, 0)]
        assert area_of(region, entry["ImageSize"])[:2] == pytest.approx(expected, abs=0.1)
    assert table
    (tmp_path / "more").mkdir()
    turned = read(_find(ran, cartoon, tmp_path / "more", "--crops", "aligned", "--max-crops", "1") / "crops")
    assert turned
    assert all("PersonInImage" in one and "RegionInfo" not in one for one in turned.values())


def test_a_snapshot_names_all_its_persons(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    out = _find(ran, cartoon, tmp_path, "--snapshots", "--crops", "none")
    hits = rows(out / "hits.csv")
    found = read(out / "snapshots")
    assert len(found) > 2
    for path, entry in found.items():
        time = Path(path).stem
        video = str(Path(path).parent.relative_to(out / "snapshots"))
        own = [hit for hit in hits if (hit["video"], hit["time"]) == (video, time)]
        regions = entry["RegionInfo"]["RegionList"]
        assert sorted(entry["PersonInImage"]) == sorted({hit["target"] for hit in own})
        assert sorted(one["Name"] for one in regions) == sorted(hit["target"] for hit in own)
        for hit in own:
            places = [area_of(one, entry["ImageSize"]) for one in regions if one["Name"] == hit["target"]]
            wanted = [float(hit[side]) for side in ("x1", "y1", "x2", "y2")]
            assert any(place == pytest.approx(wanted, abs=0.2) for place in places)


def test_without_the_setting_there_is_no_name(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    found = read(_find(ran, cartoon, tmp_path, "-s", "export.xmp=false", "--snapshots"))
    assert found
    assert not any("PersonInImage" in one or "RegionInfo" in one for one in found.values())
