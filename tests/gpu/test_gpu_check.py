"""`benchmarks/gpu_check.py` on a machine without a card: reasons instead of a crash, and figures where it has some."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from cartoon_tools import Cartoon
from onnx import TensorProto, helper
from places import BENCHMARKS, FAKE_NVDEC

from fastface.backends.nvidia import card_present
from fastface.models.graph import inspect_graph
from fastface.video import nvdec

sys.path.insert(0, str(BENCHMARKS))

import gpu_answers
import gpu_facts
import gpu_films
import large_networks
from gpu_child import Budget, environment

RESULTS = BENCHMARKS / "RESULTS.md"


def check(*arguments: object, cwd: Path) -> str:
    command = [sys.executable, BENCHMARKS / "gpu_check.py", *arguments]
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def parts(text: str) -> dict[str, str]:
    """{title: what is told under it}."""
    found = re.split(r"^### (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def draw_pictures(cartoon: Cartoon, folder: Path) -> tuple[Path, int]:
    """Four pictures of a film as large as the canvas is wide, and the faces in them by the script."""
    script = cartoon.scripts["film1.mp4"]
    shown = [frame for frame in range(script.num_frames) if len(script.sightings(frame))][::20][:4]
    folder.mkdir()
    for frame in shown:
        assert cv2.imwrite(str(folder / f"{frame}.png"), script.draw(frame))
    return folder, sum(len(script.sightings(frame)) for frame in shown)


@pytest.mark.skipif(card_present(), reason="there is a card, and it would be used")
def test_without_a_card_every_part_runs_or_says_what_is_missing(cartoon: Cartoon, tmp_path: Path) -> None:
    before = RESULTS.read_bytes()
    pictures, num_faces = draw_pictures(cartoon, tmp_path / "pictures")
    given = [
        "--models",
        cartoon.models,
        "--pictures",
        pictures,
        "--clips",
        tmp_path / "none",
        "--device",
        "cuda,tensorrt,cpu",
    ]
    text = check(*given, "--budget-seconds", 150, "--write", cwd=tmp_path)
    told = parts(text)
    assert len(told) == 6
    assert "card: none" in told["Machine"]
    assert "packs: cartoon" in told["Machine"]
    networks = told["First pack of the models folder"]
    for device, name in (("cuda", "CUDA"), ("tensorrt", "TensorRT")):
        assert f"**cartoon, {device}**\n\n* left out: {name} needs an NVIDIA card and its driver" in networks
        assert f"* left out: {device} does not work here" in told["Networks of the large pack's size"]
    assert f"{num_faces} of {num_faces} faces in 4 pictures found ({num_faces} in all)" in networks
    assert f"recogniser against the CPU: {num_faces} faces" in networks
    assert "least cosine 1.0000" in networks
    rates = re.findall(r"batch 1: (\d+) \(× 1\.00\), batch 4: (\d+) ", networks)
    assert len(rates) == 2
    assert all(int(rate) > 0 for pair in rates for rate in pair)
    assert "(`--decoder nvdec`): left out: PyNvVideoCodec is not installed." in told["End to end"]
    row = re.findall(r"^\| (\d+) \| 1 \| 4 \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ", told["End to end"], re.MULTILINE)
    assert len(row) == 1
    assert int(row[0][1]) % 50 == 0  # copies of two seconds of 25 frames
    assert abs(int(row[0][1]) - 2 * int(row[0][4])) <= 50  # as many as are decoded in two seconds
    assert min(map(int, row[0])) > 0
    assert "10.01 GMACs at (1, 3, 480, 640)" in told["Networks of the large pack's size"]
    assert "6.31 GMACs at (1, 3, 112, 112)" in told["Networks of the large pack's size"]
    assert "there is no other pack" in told["Other packs of the models folder"]
    assert "Nothing is written: there is no card" in text
    assert RESULTS.read_bytes() == before


def test_without_networks_pictures_and_time_it_says_so(tmp_path: Path) -> None:
    empty = tmp_path / "none"
    text = check("--models", empty, "--pictures", empty, "--device", "cpu", "--budget-seconds", 1, cwd=tmp_path)
    told = parts(text)
    assert "there is none: pictures and film are drawn" in told["Machine"]
    assert "no pack of networks in" in told["First pack of the models folder"]
    assert "takes at least 10 s, and of 1 s" in told["End to end"]
    assert "takes at least 10 s, and of 1 s" in told["Networks of the large pack's size"]


def test_the_cards_frames_are_compared_with_pyavs(
    cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(FAKE_NVDEC)
    monkeypatch.setattr(nvdec, "_require_card", lambda: None)
    nvdec._library.cache_clear()
    gpu_films.compare(cartoon.films / "film3.mp4")
    nvdec._library.cache_clear()
    del sys.modules["PyNvVideoCodec"]
    monkeypatch.undo()
    assert capsys.readouterr().out.startswith("100 and 100 frames, 100 at the same times, 100 the same to the bit; ")
    gpu_films.compare(cartoon.films / "film3.mp4")
    assert capsys.readouterr().out.startswith("left out: PyNvVideoCodec is not installed")


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_facts.missing_packages() == []
    there = gpu_facts.is_installed
    monkeypatch.setattr(gpu_facts, "is_installed", lambda name: name != "pi-heif" and there(name))
    assert gpu_facts.missing_packages() == ["pi-heif"]
    assert gpu_facts.facts()[-1] == "* missing: pi-heif: pip install pi-heif"
    monkeypatch.setattr(gpu_facts, "is_installed", lambda name: not name.startswith("onnxruntime"))
    assert gpu_facts.missing_packages() == ["onnxruntime-gpu"]


def test_answers_are_compared_hit_by_hit() -> None:
    """By hand: one hit of three is lost and one is new; 4 of 5 s are in common."""
    whose = ("a.mp4", "Alice")
    exact = gpu_answers.Answer(
        {(*whose, "0"): 0.5, (*whose, "1"): 0.6, (*whose, "2"): 0.7}, {whose: [(0.0, 2.0), (5.0, 8.0)]}, 1.0
    )
    found = gpu_answers.Answer(
        {(*whose, "0"): 0.52, (*whose, "1"): 0.6, (*whose, "3"): 0.7}, {whose: [(0.0, 3.0), (6.0, 8.0)]}, 1.0
    )
    assert gpu_answers.compare(exact, found) == "3 | 2 | 0.0200 | 5.0 | 4.0"


def test_a_run_over_a_film_with_photos_is_asked_on_each_device(cartoon: Cartoon, tmp_path: Path) -> None:
    clips, photos = tmp_path / "clips", tmp_path / "photos"
    clips.mkdir()
    photos.mkdir()
    (clips / "friends.mp4").symlink_to(cartoon.films / "film1.mp4")
    (photos / "friends").symlink_to(cartoon.photos)
    asking = gpu_answers.Asking(cartoon.models, tmp_path, environment(tmp_path), Budget(120))
    rows = list(gpu_answers.answer_rows(gpu_answers.questions_of(clips, photos), ["cpu", "cuda"], asking))
    assert rows[0] == "1 clips of real films (friends)."
    exact, found, refused = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows[-3:])
    assert int(exact[1]) > 0
    assert found[1:4] == [exact[1], exact[1], "0.0000"]
    assert float(found[5]) == float(exact[4]) > 0
    assert "the run ended with 4" in refused[1]


def test_multiplications_are_counted() -> None:
    """By hand: 8 × 5 × 5 outputs of 3 × 3 × 4 / 2 weights each; then 2 × 10 outputs of 200 weights."""
    weights = {"kernel": (8, 2, 3, 3), "matrix": (10, 200)}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "kernel"], ["y"], group=2, strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Flatten", ["y"], ["flat"], axis=1),
            helper.make_node("Gemm", ["flat", "matrix"], ["z"], transB=1),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 4, 10, 10))],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ("N", 10))],
        [
            helper.make_tensor(name, TensorProto.FLOAT, shape, np.zeros(np.prod(shape), np.float32))
            for name, shape in weights.items()
        ],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)]).SerializeToString()
    assert large_networks.count_macs(network, (2, 4, 10, 10)) == 2 * (8 * 5 * 5 * 18 + 10 * 200)


@pytest.mark.parametrize(
    ("make", "shape", "published", "kind"),
    [
        (large_networks.large_detector, (1, 3, 480, 640), 9.98e9, "detector"),
        (large_networks.large_recogniser, (1, 3, 112, 112), 6.31e9, "recogniser"),
    ],
)
def test_the_large_networks_are_as_large_as_the_published_ones(
    make, shape: tuple[int, ...], published: float, kind: str, tmp_path: Path
) -> None:
    network = make()
    assert large_networks.count_macs(network, shape) == pytest.approx(published, rel=0.005)
    (tmp_path / "n.onnx").write_bytes(network)
    facts = inspect_graph(tmp_path / "n.onnx")
    assert facts.kind == kind
    assert facts.has_landmarks == (kind == "detector")
    assert facts.dimension == (512 if kind == "recogniser" else None)
