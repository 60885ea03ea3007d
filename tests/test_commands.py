"""The command line and the Python functions, as users meet them: help, errors, exit codes, what is printed."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import run_tools
from conftest import Cartoon
from PIL import Image

import fastface
from fastface.errors import ConfigError, FastfaceError

COMMANDS = ("run", "scan", "find", "enroll", "status", "demo", "models")


def _fastface(*arguments: object, folder: Path | None = None, **environment: str) -> CompletedProcess[str]:
    return subprocess.run(
        [*run_tools.COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=run_tools.DEADLINE_SECONDS,
        check=False,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", **environment},
    )


def _one_line(done: CompletedProcess[str], exit_code: int, *parts: str) -> None:
    """The command ended with one line of error that holds all parts."""
    lines = done.stderr.strip().splitlines()
    assert done.returncode == exit_code, done.stderr
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    for part in parts:
        assert part in lines[0]


@pytest.fixture(scope="module")
def scanned(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a run without exports; tests that change it copy it."""
    out = tmp_path_factory.mktemp("scanned") / "out"
    done = run_tools.run(cartoon, out)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")  # it was asked to be quiet
    return out


def _find(cartoon: Cartoon, out: Path, *more: object) -> CompletedProcess[str]:
    fixed = ("--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none")
    return _fastface("find", *fixed, *more)


# ── help and usage ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_help_names_every_command_and_the_version_is_that_of_the_package() -> None:
    done = _fastface("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout
    version = _fastface("--version")
    assert version.stdout.strip().startswith("fastface ")
    assert version.stdout.split()[1][0].isdigit()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = _fastface(command, "--help", TERM="dumb")
    assert done.returncode == 0
    assert done.stderr == ""
    if command in {"run", "scan", "find"}:
        for option in ("--config", "--set", "--profile", "--models", "--device", "--json", "--quiet", "--out"):
            assert option in done.stdout
    if command == "run":
        for option in ("--sample-fps", "--every-frame", "--det-size", "--det-threshold", "--min-face", "--batch",
                       "--decoders", "--workers", "--ring-mb", "--threshold", "--exit-threshold", "--margin", "--not",
                       "--pad", "--merge-gap", "--min-span", "--exact", "--clips", "--crops", "--snapshots", "--boxes",
                       "--fresh", "--targets"):  # fmt: skip
            assert option in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [("run", "--no-such-option"), ("no-such-command",), ("enroll",), ("models", "install"), ("run", "--batch")],
)
def test_a_command_that_does_not_exist_is_told_as_usage(arguments: tuple[str, ...]) -> None:
    done = _fastface(*arguments)
    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_all_wrong_settings_are_told_before_anything_is_done(tmp_path: Path) -> None:
    done = _fastface("run", "--batch", "1000", "--pad", "1,nan", "-s", "scan.bach=1", folder=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 3
    for key in ("scan.batch", "spans.pad", "scan.bach"):
        assert key in done.stderr
    assert list(tmp_path.iterdir()) == []
    _one_line(_fastface("run", "-s", "nonsense"), 2, "section.key=value")
    _one_line(_fastface("run", "--profile", "no such"), 2, "highlights")


# ── input, targets, devices ─────────────────────────────────────────────────────────────────────────────────────────


def test_no_usable_target_is_never_everybody(cartoon: Cartoon, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    blank = tmp_path / "blank"
    blank.mkdir()
    shutil.copy(cartoon.photos / sorted(p.name for p in cartoon.photos.iterdir())[0], tmp_path / "film.png")
    (blank / "nobody.png").write_bytes(_plain_png())
    for target in (empty, blank, tmp_path / "missing.jpg"):
        done = _fastface("run", cartoon.films, "-t", target, "--models", cartoon.models, "-o", tmp_path / "out")
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert target.name in done.stderr
        assert not (tmp_path / "out" / "spans.csv").exists()
        assert run_tools.num_units(tmp_path / "out") == 0


def _plain_png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (200, 200), (90, 120, 90)).save(file, "PNG")
    return file.getvalue()


def test_input_that_is_not_there_is_named(cartoon: Cartoon, tmp_path: Path) -> None:
    fixed = ("-t", cartoon.photos, "--models", cartoon.models, "-o", tmp_path / "out")
    done = _fastface("run", tmp_path / "no such folder", *fixed)
    assert done.returncode == 2
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_index_that_is_not_there_is_told_with_the_command_that_makes_it(cartoon: Cartoon, tmp_path: Path) -> None:
    _one_line(_find(cartoon, tmp_path, "-t", cartoon.photos), 2, "fastface scan")


def test_networks_that_are_not_there_are_told_with_what_to_do(cartoon: Cartoon, tmp_path: Path) -> None:
    done = _fastface("run", cartoon.films, "-t", cartoon.photos, "--models", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr
    assert "fastface models install" in done.stderr


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="this machine has an NVIDIA card")
@pytest.mark.parametrize("device", ["CUDA", "TensorRT"])
def test_a_card_that_is_not_there_is_exit_code_4_in_one_line(cartoon: Cartoon, tmp_path: Path, device: str) -> None:
    fixed = ("-t", cartoon.photos, "--models", cartoon.models, "-o", tmp_path / "out", "-q")
    _one_line(_fastface("run", cartoon.films, *fixed, "--device", device.lower()), 4, device, "driver")


def test_an_output_folder_in_use_is_exit_code_11(cartoon: Cartoon, scanned: Path, tmp_path: Path) -> None:
    out = shutil.copytree(scanned, tmp_path / "out")
    with (out / ".fastface" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _one_line(_find(cartoon, out, "-t", cartoon.photos), 11, str(out))
        assert _fastface("status", "-o", out).returncode == 0


# ── what is printed ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_is_one_object_as_the_contract_has_it(cartoon: Cartoon, scanned: Path, tmp_path: Path) -> None:
    out = shutil.copytree(scanned, tmp_path / "out")
    films = tmp_path / "films"
    shutil.copytree(cartoon.films, films)
    (films / "broken.mp4").write_text("this is no film")
    fixed = ("-t", cartoon.photos, "--models", cartoon.models, "-o", out, "--every-frame")
    done = _fastface("run", films, *fixed, "--clips", "none", "--crops", "none", "--json", "-s", "scan.unit_seconds=2")
    assert done.returncode == 3
    said = json.loads(done.stdout)
    assert said == json.loads((out / "run.json").read_text())
    assert {"schema_version", "command", "version", "started", "finished", "seconds", "device", "models", "counts",
            "videos", "config"} <= said.keys()  # fmt: skip
    assert {"backend", "provider", "precision", "name"} <= said["device"].keys()
    assert {"detector", "recogniser", "person"} <= said["models"].keys()
    assert len(said["models"]["detector"]["sha256"]) == 64
    counts = said["counts"]
    assert {"videos", "sampled", "inferred", "quarantined", "faces", "embeddings", "hits", "spans", "clips",
            "crops"} <= counts.keys()  # fmt: skip
    assert counts["videos"] == 4
    assert counts["sampled"] == counts["inferred"] + counts["quarantined"] == 600
    assert counts["hits"] == len(run_tools.rows(out / "hits.csv"))
    assert counts["spans"] == len(run_tools.rows(out / "spans.csv"))
    videos = {video["id"]: video for video in said["videos"]}
    assert len(videos) == 4
    for video in videos.values():
        assert {"path", "id", "state", "reason", "coverage", "duration", "sampled", "faces", "seconds"} <= video.keys()
    assert videos["broken.mp4"]["state"] == "failed"
    assert videos["broken.mp4"]["reason"]
    assert {videos[f"film{n}.mp4"]["state"] for n in (1, 2, 3)} == {"done"}
    assert said["config"]["scan"]["every_frame"] is True


def test_a_run_tells_what_it_used_and_what_it_found(cartoon: Cartoon, scanned: Path, tmp_path: Path) -> None:
    out = shutil.copytree(scanned, tmp_path / "out")
    done = _find(cartoon, out, "-t", cartoon.photos, "-v")
    assert done.returncode == 0
    assert "device:" in done.stderr
    assert "networks:" in done.stderr
    for label in sorted(path.stem for path in cartoon.photos.iterdir()):
        assert label in done.stdout
    assert "600 frames sampled = 600 searched + 0 given up" in done.stdout
    assert "run.json" in done.stdout


def test_a_reader_that_goes_away_is_no_crash(cartoon: Cartoon, scanned: Path, tmp_path: Path) -> None:
    out = shutil.copytree(scanned, tmp_path / "out")
    read, write = os.pipe()
    os.close(read)
    fixed = ["find", "-t", str(cartoon.photos), "--models", str(cartoon.models), "-o", str(out)]
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            [*run_tools.COMMAND, *fixed, "--clips", "none", "--crops", "none"],
            stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=run_tools.DEADLINE_SECONDS, check=False,
        )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert run_tools.tables(out) == run_tools.tables(scanned)


def test_a_dry_run_touches_nothing(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = _fastface("run", cartoon.films, "-t", cartoon.photos, "--models", cartoon.models, "-o", out, "--dry-run")
    assert done.returncode == 0, done.stderr
    for name in ("film1.mp4", "film2.mp4", "film3.mp4", "networks", "device", "decoders"):
        assert name in done.stdout
    assert not out.exists()


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_scan_then_find_is_run(cartoon: Cartoon, scanned: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = _fastface(
        "scan", cartoon.films, "--models", cartoon.models, "-o", out, "--every-frame", "-s", "scan.unit_seconds=2"
    )
    assert done.returncode == 0, done.stderr
    assert not (out / "spans.csv").exists()
    moved = cartoon.films.rename(cartoon.films.with_name("moved"))  # so that nothing can be decoded
    try:
        assert _find(cartoon, out, "-t", cartoon.photos).returncode == 0
    finally:
        moved.rename(cartoon.films)
    assert run_tools.tables(out) == run_tools.tables(scanned)
    status = _fastface("status", "-o", out)
    assert "not running" in status.stdout
    assert "3 done" in status.stdout
    assert json.loads(_fastface("status", "-o", out, "--json").stdout)["states"] == {"done": 3}


def test_a_bank_finds_what_its_photos_find(cartoon: Cartoon, scanned: Path, tmp_path: Path) -> None:
    bank = tmp_path / "family.npz"
    done = _fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models)
    assert done.returncode == 0, done.stderr
    assert "4 persons" in done.stdout
    assert bank.stat().st_mode & 0o777 == 0o600
    out = shutil.copytree(scanned, tmp_path / "out")
    assert _find(cartoon, out, "-t", bank).returncode == 0
    assert run_tools.tables(out) == run_tools.tables(scanned)
    everybody = _find(cartoon, out, "-t", "*")
    assert everybody.returncode == 0, everybody.stderr
    drawn = sum(len(script.sightings(n)) for script in cartoon.scripts.values() for n in range(script.num_frames))
    assert len(run_tools.rows(out / "hits.csv")) == drawn


def test_a_bank_of_another_network_is_refused(cartoon: Cartoon, scanned: Path, shared_models: Path, tmp_path: Path,
                                              shared_media: Path) -> None:  # fmt: skip
    bank = tmp_path / "friends.npz"
    photo = sorted((shared_media / "photos" / "friends").iterdir())[0]
    done = _fastface("enroll", photo, "-b", bank, "--models", shared_models / "buffalo_s", "-q")
    assert done.returncode == 0, done.stderr
    out = shutil.copytree(scanned, tmp_path / "out")
    refused = _find(cartoon, out, "-t", bank, "-q")
    assert refused.returncode == 2, refused.stderr
    assert "friends.npz" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_networks_that_are_there_are_listed_and_verified(cartoon: Cartoon, shared_models: Path) -> None:
    listed = _fastface("models", "list", "--models", shared_models)
    assert listed.returncode == 0
    for name in ("buffalo_s", "det_500m.onnx", "w600k_mbf.onnx", "buffalo_l", "antelopev2"):
        assert name in listed.stdout
    verified = _fastface("models", "verify", "--models", shared_models)
    assert verified.returncode == 0, verified.stdout
    assert any("det_500m.onnx" in line and "ok" in line for line in verified.stdout.splitlines())


def test_nothing_in_in_video_is_the_demo(tmp_path: Path) -> None:
    done = _fastface("run", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["videos"] == 1
    assert "this is the demo" in done.stderr
    assert "the demo found exactly what was drawn" in done.stderr
    assert (tmp_path / "out" / "demo" / "spans.csv").exists()
    own = _fastface("demo", "-o", tmp_path / "out" / "demo")
    assert own.returncode == 0, own.stderr
    assert "the demo found exactly what was drawn" in own.stderr


# ── Python ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_package_is_light_to_import() -> None:
    code = "import sys, fastface; print([name for name in ('cv2', 'av', 'onnx', 'pyarrow', 'pydantic', 'openvino') " \
        "if name in sys.modules])"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
    assert sorted(fastface.__all__) == ["EnrollResult", "RunResult", "enroll", "find", "run", "scan"]


def test_the_functions_give_what_the_commands_write(cartoon: Cartoon, scanned: Path, tmp_path: Path) -> None:
    out = shutil.copytree(scanned, tmp_path / "out")
    models = {"dir": cartoon.models}
    nothing = {"clips": "none", "crops": "none"}
    bank = fastface.enroll(cartoon.photos, tmp_path / "b.npz", models=models)
    assert [target.label for target in bank.gallery.targets] == sorted(path.stem for path in cartoon.photos.iterdir())
    found = fastface.find(tmp_path / "b.npz", out, models=models, export=nothing)
    assert isinstance(found, fastface.RunResult)
    assert found.exit_code == 0
    rows = run_tools.rows(out / "spans.csv")
    assert [(row.span.video_id, row.span.target, f"{row.span.start:.3f}") for row in sorted(
        found.spans, key=lambda row: (row.span.video_id, row.span.start, row.span.target)
    )] == [(row["video"], row["target"], row["start"]) for row in rows]  # fmt: skip
    ran = fastface.run([cartoon.films / "film3.mp4"], [cartoon.photos], tmp_path / "new", models=models, export=nothing)
    assert [(video.id, video.state) for video in ran.videos] == [("film3.mp4", "done")]
    assert ran.counts.sampled == 20  # four seconds, five samples each


def test_errors_are_of_one_family(cartoon: Cartoon, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scan\.batch"):
        fastface.run(cartoon.films, cartoon.photos, tmp_path, scan={"batch": 1000})
    with pytest.raises(FastfaceError):
        fastface.find(cartoon.photos, tmp_path / "none", models={"dir": cartoon.models})
