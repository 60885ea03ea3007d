"""What the other commands print, write and end with: scan, find, enroll, status, models, bench, demo."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import (
    BROKEN,
    SAMPLED,
    Ran,
    contents,
    copy_of_out,
    environment,
    errors,
    fastface,
    labels,
    spans_without_clips,
)

from fastface.demo.film import expected_hits
from fastface.demo.scripts import demo_script


def test_scan_then_find_without_the_films_is_run(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    shutil.copytree(ran.films, films)
    scanned = fastface("scan", films, "--models", cartoon.models, "-o", out, "--json")
    assert scanned.returncode == 3
    report = json.loads(scanned.stdout)
    assert report["command"] == "scan"
    assert report["counts"]["sampled"] == SAMPLED
    assert report["counts"]["hits"] == report["counts"]["spans"] == 0
    assert not [path.name for path in out.iterdir() if path.suffix == ".csv"]
    shutil.rmtree(films)  # so that nothing can be decoded
    given = ("--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none", "--pad", "0")
    found = fastface("find", "-t", cartoon.photos, *given)
    assert found.returncode == 3
    assert (out / "hits.csv").read_bytes() == (ran.out / "hits.csv").read_bytes()
    assert spans_without_clips(out) == spans_without_clips(ran.out)
    for label in labels(cartoon):
        assert label in found.stdout
    counts = ran.report["counts"]
    assert f"{counts['hits']} hits, {counts['spans']} spans;" in found.stdout


def test_a_bank_finds_what_its_photos_find(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    bank = tmp_path / "family.npz"
    made = fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models)
    assert made.returncode == 0, made.stderr
    for photo in cartoon.photos.iterdir():
        assert str(photo) in made.stdout  # each photo has its line
    assert bank.stat().st_mode & 0o777 == 0o600
    with np.load(bank, allow_pickle=False) as arrays:
        assert arrays.files
    out = copy_of_out(ran, tmp_path)
    given = ("--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none", "--pad", "0")
    done = fastface("run", ran.films, "-t", bank, *given)
    assert done.returncode == 3
    assert (out / "hits.csv").read_bytes() == (ran.out / "hits.csv").read_bytes()
    assert spans_without_clips(out) == spans_without_clips(ran.out)


def test_enroll_names_every_bad_photo_and_writes_no_bank(cartoon: Cartoon, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(cartoon.photos, photos)
    assert cv2.imwrite(str(photos / "nobody.png"), np.full((400, 400, 3), 128, np.uint8))
    (photos / "text.png").write_text("no picture")
    shutil.copy(photos / f"{labels(cartoon)[0]}.png", photos / "twin.png")  # one face, two names
    bank = tmp_path / "family.npz"
    done = fastface("enroll", photos, "-b", bank, "--models", cartoon.models, "-q")
    assert (done.returncode, done.stdout) == (2, "")
    for name in ("nobody", "text", "twin"):
        assert name in done.stderr
    assert not bank.exists()


def test_enroll_of_nothing_does_not_speak_of_options_that_it_has_not(cartoon: Cartoon, tmp_path: Path) -> None:
    done = fastface("enroll", "nosuch", "-b", "bank.npz", "--models", cartoon.models, "-q", folder=tmp_path)
    assert errors(done, 2, 1) == ["fastface: target 'nosuch': no such file or folder"]


def test_enroll_into_a_place_that_cannot_be_written_is_one_line(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bank = tmp_path / "file" / "bank.npz"
    done = fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models, "-q")
    (line,) = errors(done, 2, 1)
    assert str(bank) in line
    assert "Not a directory" in line or "File exists" in line


def test_enroll_in_json_is_one_object(cartoon: Cartoon, tmp_path: Path) -> None:
    bank = tmp_path / "family.npz"
    done = fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["bank"] == str(bank)
    assert said["targets"] == labels(cartoon)
    assert len(said["report"]) == 4


def test_status_tells_what_is_done_and_what_is_not(ran: Ran) -> None:
    done = fastface("status", "-o", ran.out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not running, 100% scanned; 4 videos: 3 done, 1 failed" in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(BROKEN))
    assert "failed" in line
    said = json.loads(fastface("status", "-o", ran.out, "--json").stdout)
    assert said["states"] == {"done": 3, "failed": 1}
    assert said["process"] is None
    assert said["not_done"] == [line]


def test_status_changes_nothing_and_asks_what_cannot_be_written(ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    (out / ".fastface" / "state.sqlite").chmod(0o444)
    (out / ".fastface" / "lock").unlink()
    before = contents(out)
    done = fastface("status", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not running, 100% scanned; 4 videos: 3 done, 1 failed" in done.stdout
    assert contents(out) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_status_of_a_folder_that_is_closed_to_the_user_is_one_line(ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    code = f"""
import os, pathlib
from fastface.commands.status import read_status
os.chdir({str(tmp_path)!r})
os.setuid(65534)
try:
    read_status(pathlib.Path("out"))
except Exception as error:
    print(type(error).__name__, error)
"""
    out.parent.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == "ConfigError 'out' cannot be read: Permission denied\n"


def test_networks_are_listed_and_verified(cartoon: Cartoon) -> None:
    for listed in (
        fastface("models", "list", "--models", cartoon.models),
        fastface("models", "list", FASTFACE_MODELS=str(cartoon.models)),
    ):
        assert (listed.returncode, listed.stderr) == (0, "")
        for part in (str(cartoon.models), "cartoon_detector.onnx", "cartoon_recogniser.onnx", "buffalo_l"):
            assert part in listed.stdout
    verified = fastface("models", "verify", "--models", cartoon.models)
    assert (verified.returncode, verified.stderr) == (0, "")
    lines = verified.stdout.splitlines()
    assert len(lines) == 2
    assert all("unknown" in line for line in lines)  # nobody published these


def test_a_network_cut_short_is_told_by_verify_and_by_a_run(cartoon: Cartoon, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(cartoon.models, models)
    (file,) = models.rglob("cartoon_recogniser.onnx")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    verified = fastface("models", "verify", "--models", models)
    assert verified.returncode == 1
    damaged = [line for line in verified.stdout.splitlines() if "damaged" in line]
    assert len(damaged) == 1
    assert str(file) in damaged[0]
    ran = fastface("run", cartoon.films, "-t", cartoon.photos, "--models", models, "-o", tmp_path / "out")
    (line,) = errors(ran, 1, 1)
    assert "cartoon_recogniser.onnx" in line
    assert run_tools.num_units(tmp_path / "out") == 0


def test_a_network_that_differs_from_the_published_one_is_told_by_verify_and_by_a_run(
    cartoon: Cartoon, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    shutil.copytree(cartoon.models, models)
    (file,) = models.rglob("cartoon_detector.onnx")
    file.rename(file.with_name("det_500m.onnx"))
    verified = fastface("models", "verify", "--models", models)
    assert verified.returncode == 0
    (told,) = (line for line in verified.stdout.splitlines() if "det_500m.onnx: differs" in line)
    ran = fastface(
        *("run", cartoon.films / "film3.mp4", "-t", cartoon.photos, "--models", models, "-o", tmp_path / "out"),
        *("--clips", "none", "--crops", "none"),
    )
    assert ran.returncode == 0, ran.stderr
    (noted,) = (line for line in ran.stderr.splitlines() if "differs from the published" in line)
    for line in (told, noted):
        assert "det_500m.onnx" in line
        assert "fastface models install buffalo_s --accept-license" in line


@pytest.mark.parametrize("command", ["models list", "models verify"])
def test_networks_in_json_are_one_object(command: str, cartoon: Cartoon) -> None:
    done = fastface(*command.split(), "--models", cartoon.models, "--json")
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), dict)


def test_bench_in_json_is_one_object(cartoon: Cartoon, tmp_path: Path) -> None:
    one = ("--batches", "1", "--workers", "1", "--decoders", "1")
    film = cartoon.films / "film3.mp4"
    done = fastface("bench", film, "--models", cartoon.models, *one, "-o", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)


def _check_demo(out: Path, told: str) -> None:
    """The demo says of each person in how many samples they were drawn and found, and the tables agree."""
    drawn = {name: len(times) for name, times in expected_hits(demo_script(), period=Fraction(1, 5)).items()}
    asked = {name: drawn[name] for name in ("Ada", "Bo", "Cleo")}
    assert all(asked.values())
    for name, count in asked.items():
        assert f"truth: {name} is in {count} samples, found in {count}" in told
    assert "found exactly what was drawn" in told
    with (out / "hits.csv").open(newline="", encoding="utf-8") as file:
        assert Counter(row["target"] for row in csv.DictReader(file)) == asked
    assert list((out / "clips").rglob("*.mp4"))
    assert list((out / "snapshots").rglob("*.jpg"))


def test_the_demo_agrees_with_its_truth(tmp_path: Path) -> None:
    done = fastface("demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    _check_demo(tmp_path / "out" / "demo", done.stderr)
    assert re.search(r"^written to out/demo: .*run\.json$", done.stdout, re.MULTILINE)


def test_nothing_in_in_video_is_the_demo(tmp_path: Path) -> None:
    (tmp_path / "in_video").mkdir()
    (tmp_path / "in_video" / "README.md").write_text("videos go here")
    done = fastface("run", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "in_video/ is empty" in done.stderr
    _check_demo(tmp_path / "out" / "demo", done.stderr)
    assert json.loads(done.stdout)["counts"]["videos"] == 1


def test_python_m_is_not_needed_and_the_installed_command_is_this_one() -> None:
    command = Path(sys.executable).with_name("fastface")
    done = subprocess.run([str(command), "--version"], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == fastface("--version").stdout


def test_a_bank_of_another_network_is_refused(cartoon: Cartoon, ran: Ran, shared_models: Path, tmp_path: Path,
                                              shared_media: Path) -> None:  # fmt: skip
    bank = tmp_path / "friends.npz"
    photo = sorted((shared_media / "photos" / "friends").iterdir())[0]
    done = fastface("enroll", photo, "-b", bank, "--models", shared_models / "buffalo_s", "-q")
    assert done.returncode == 0, done.stderr
    out = copy_of_out(ran, tmp_path)
    refused = fastface("find", "-t", bank, "-q", "--models", cartoon.models, "-o", out)
    assert refused.returncode == 2, refused.stderr
    assert "friends.npz" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_networks_that_are_there_are_listed_and_verified(cartoon: Cartoon, shared_models: Path) -> None:
    listed = fastface("models", "list", "--models", shared_models)
    assert listed.returncode == 0
    for name in ("buffalo_s", "det_500m.onnx", "w600k_mbf.onnx", "buffalo_l", "antelopev2"):
        assert name in listed.stdout
    verified = fastface("models", "verify", "--models", shared_models)
    assert verified.returncode == 0, verified.stdout
    assert any("det_500m.onnx" in line and "ok" in line for line in verified.stdout.splitlines())


def test_networks_that_are_not_there_are_told_with_what_to_do(cartoon: Cartoon, tmp_path: Path) -> None:
    done = fastface("run", cartoon.films, "-t", cartoon.photos, "--models", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr
    assert re.search(r"fastface models install \w+ --accept-license", done.stderr)


def test_a_star_takes_every_face(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    done = fastface("find", "-t", "*", "--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none")
    assert done.returncode == 3, done.stderr  # the broken film is still there
    assert len(run_tools.rows(out / "hits.csv")) == ran.report["counts"]["faces"] > 0
