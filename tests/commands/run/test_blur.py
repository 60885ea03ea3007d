"""`--blur-gate` and `scan.min_sharpness`, end to end: what is left out, and that it is counted."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from cartoon_tools import Cartoon
from cli_tools import fastface
from media_tools import ffmpeg

RATE, BLURRED = 25, range(40, 90)


@pytest.fixture(scope="module")
def film(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without loss; of its 200 frames those from 40 to 89 are blurred, and the last ten of these stand still."""
    path = tmp_path_factory.mktemp("blur") / "film.mkv"
    blur = f"gblur=sigma=1.6:enable='between(n,{BLURRED[0]},{BLURRED[-1]})'"
    still = "split[a][b];[a][b]freezeframes=first=80:last=89:replace=80"
    ffmpeg(f"-i {{0}} -filter_complex [0:v]{blur},{still} -c:v ffv1 {{1}}", cartoon.films / "film2.mp4", path)
    return path


def scanned(cartoon: Cartoon, film: Path, out: Path, *more: object) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The run's counts and the table of faces; every frame is sampled."""
    done = fastface("scan", film, "--models", cartoon.models, "-o", out, "--every-frame", *more)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "run.json").read_text())
    (video,) = report["videos"]
    assert {name: video[name] for name in ("blurred", "unsharp", "sampled")} == {
        name: report["counts"][name] for name in ("blurred", "unsharp", "sampled")
    }
    table = pq.read_table(out / ".fastface" / "index" / film.name / "faces.parquet").to_pydict()
    return {**report["counts"], "told": done.stdout}, table


def frames_of(table: dict[str, list[Any]]) -> list[int]:
    return [round(time * RATE) for time in table["time"]]


@pytest.fixture(scope="module")
def plain(cartoon: Cartoon, film: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    counts, table = scanned(cartoon, film, tmp_path_factory.mktemp("plain") / "out")
    assert (counts["blurred"], counts["unsharp"], counts["sampled"]) == (0, 0, 200)
    assert "too blurred" not in counts["told"]
    assert "not sharp" not in counts["told"]
    assert set(frames_of(table)) & set(BLURRED)  # the drawn network sees them all the same
    return table


@pytest.mark.parametrize(
    "options", ["--blur-gate global --batch 1", "--blur-gate global", "--blur-gate grid --batch 7"]
)
def test_blurred_frames_are_not_searched_and_are_counted(
    cartoon: Cartoon, film: Path, plain: dict[str, list[Any]], tmp_path: Path, options: str
) -> None:
    counts, table = scanned(cartoon, film, tmp_path / "out", *options.split())
    assert (counts["sampled"], counts["inferred"], counts["quarantined"]) == (200, 200, 0)
    assert counts["blurred"] == len(BLURRED)
    assert "200 frames searched, 50 of them too blurred" in counts["told"]
    sharp = [row for row, frame in enumerate(frames_of(plain)) if frame not in BLURRED]
    for name in ("pts", "x1", "det_score", "embedding"):
        assert table[name] == [plain[name][row] for row in sharp], name


def test_the_threshold_decides(cartoon: Cartoon, film: Path, plain: dict[str, list[Any]], tmp_path: Path) -> None:
    counts, table = scanned(cartoon, film, tmp_path / "a", "--blur-gate", "grid", "-s", "scan.blur_threshold=0.001")
    assert counts["blurred"] == 0
    assert frames_of(table) == frames_of(plain)
    counts, table = scanned(cartoon, film, tmp_path / "b", "--blur-gate", "global", "-s", "scan.blur_threshold=90000")
    assert (counts["blurred"], counts["inferred"], len(table["pts"])) == (200, 200, 0)


def test_another_gate_is_another_index_and_settings_of_none_are_none(
    cartoon: Cartoon, film: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    index = out / ".fastface" / "index" / film.name / "faces.parquet"
    scanned(cartoon, film, out)
    before = index.stat().st_mtime_ns
    scanned(cartoon, film, out, "-s", "scan.blur_threshold=50")
    assert index.stat().st_mtime_ns == before
    counts, _ = scanned(cartoon, film, out, "--blur-gate", "global")
    assert counts["blurred"] == len(BLURRED)
    assert index.stat().st_mtime_ns != before
    middle = index.stat().st_mtime_ns
    scanned(cartoon, film, out, "--blur-gate", "global", "-s", "scan.blur_tiles=9")
    assert index.stat().st_mtime_ns == middle


@pytest.mark.parametrize("batch", [1, 4])
def test_faces_that_are_not_sharp_enough_are_left_out_and_counted(
    cartoon: Cartoon, film: Path, plain: dict[str, list[Any]], tmp_path: Path, batch: int
) -> None:
    least = float(np.median(plain["sharpness"]))
    given = ("-s", f"scan.min_sharpness={least!r}", "--batch", batch)
    counts, table = scanned(cartoon, film, tmp_path / "out", *given)
    kept = [row for row, sharp in enumerate(plain["sharpness"]) if sharp >= least]
    assert 0 < len(kept) < len(plain["pts"])
    assert counts["unsharp"] == len(plain["pts"]) - len(kept)
    assert f"{counts['unsharp']} faces not sharp enough" in counts["told"]
    for name in ("pts", "x1", "sharpness", "embedding"):
        assert table[name] == [plain[name][row] for row in kept], name
    portraits = pq.read_table(tmp_path / "out" / ".fastface" / "index" / film.name / "portraits.parquet").to_pydict()
    assert set(portraits["pts"]) <= set(table["pts"])


def test_the_film_is_blurred_as_intended(film: Path) -> None:
    """By OpenCV alone: the variances on both sides of the default threshold are far from it."""
    capture, variances = cv2.VideoCapture(str(film)), []
    while (read := capture.read())[0]:
        grey = cv2.cvtColor(cv2.resize(read[1], (640, 360)), cv2.COLOR_BGR2GRAY)
        variances.append(cv2.Laplacian(grey, cv2.CV_64F).var())
    assert len(variances) == 200
    assert max(variances[BLURRED[0] : BLURRED[-1] + 1]) < 60
    assert min(variances[: BLURRED[0]] + variances[BLURRED[-1] + 1 :]) > 180
