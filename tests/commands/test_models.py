"""`fastface models`: which networks are there, and what is said of damaged, changed and missing ones."""

import json
import re
import shutil
from pathlib import Path

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import (
    errors,
    fastface,
)


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


def test_the_list_names_the_licence_of_each_network(cartoon: Cartoon, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(cartoon.models, models)
    (folder,) = (path for path in models.iterdir() if path.is_dir())
    (folder / "cartoon_recogniser.onnx").rename(folder / "dlib_resnet.onnx")
    (folder / "cut.onnx").write_bytes(b"cut")
    listed = fastface("models", "list", "--models", models)
    assert listed.returncode == 0, listed.stderr
    assert "    cartoon_detector.onnx: detector, licence unknown" in listed.stdout
    assert "    dlib_resnet.onnx: recogniser, CC0 1.0" in listed.stdout
    assert "cut.onnx' is not a complete ONNX file" in listed.stdout
    yunet = "  face_detection_yunet_2023mar, face_detection_yunet_2026may: detector, any use (MIT License"
    edgeface = (
        "  edgeface_base, edgeface_s_gamma_05, edgeface_xs_gamma_06, edgeface_xxs: recogniser, research only (CC BY-NC"
    )
    for line in (
        yunet,
        edgeface,
        "  buffalo_l: 326 MB, research only (InsightFace",
        "  free: 107 MB, any use (centerface: MIT",
    ):
        assert line in listed.stdout
    found = json.loads(fastface("models", "list", "--models", models, "--json").stdout)
    (packs,) = found["places"].values()
    by_file = {one["file"]: one["commercial"] for one in packs[folder.name]["networks"]}
    assert by_file == {"cartoon_detector.onnx": False, "dlib_resnet.onnx": True}
    assert len(packs[folder.name]["faults"]) == 1
    assert found["can_be_installed"]["free"]["centerface"]["commercial"] is True
    assert found["can_be_named"]["auraface"] == {"licence": "Apache License 2.0", "commercial": True}


@pytest.mark.parametrize("command", ["models list", "models verify"])
def test_networks_in_json_are_one_object(command: str, cartoon: Cartoon) -> None:
    done = fastface(*command.split(), "--models", cartoon.models, "--json")
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), dict)


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
