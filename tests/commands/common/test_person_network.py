"""Which person network a run takes, what is said of one that cannot be, and exporting one from weights."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import errors, fastface
from models_tools import NAMES, tiny_yolo

from fastface.backends import DeviceInfo
from fastface.config import load_config
from fastface.errors import ConfigError, ModelError
from fastface.models.selection import ModelSet, WantedNetworks, find_models
from fastface.persons.export import export_person, exported_path
from fastface.runtime.networks import Networks, open_networks

CPU = DeviceInfo("openvino", "CPU", "float32", "EPYC", "openvino 2026.4.1")


@pytest.fixture
def models(cartoon: Cartoon, tmp_path: Path) -> Path:
    """A pack and nothing else."""
    folder = tmp_path / "models"
    folder.mkdir()
    for pack in cartoon.models.iterdir():
        (folder / pack.name).symlink_to(pack)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def chosen(folder: Path, person: str | None = None) -> ModelSet:
    return find_models(folder, CPU, WantedNetworks(person=person))


def networks_of(folder: Path, **keys: str) -> Networks:
    given = {"dir": str(folder), "device": "cpu", **keys}
    return open_networks(load_config(environment={}, flags={"models": given}))


def put(folder: Path, name: str = "x", family: str = "yolo") -> Path:
    folder.mkdir(exist_ok=True)
    return tiny_yolo(folder / f"{name}.onnx", family)


def test_without_a_person_network_there_is_none(models: Path) -> None:
    assert chosen(models).person is None
    assert networks_of(models).person is None
    assert "None" not in chosen(models).names


def test_the_folder_person_is_found_and_its_largest_file_taken(models: Path) -> None:
    files = put(models / "person", "b"), put(models / "person", "a", "yolox")
    small, large = sorted(files, key=lambda path: path.stat().st_size)
    assert small.stat().st_size < large.stat().st_size
    models_found = chosen(models)
    assert models_found.person is not None
    assert (models_found.person.path, models_found.person.kind) == (large, "person")
    assert models_found.names == f"{models_found.pack}: cartoon_detector + cartoon_recogniser + {large.stem}"
    assert models_found.notes == chosen(models, None).notes


def test_a_pack_may_hold_one_and_the_folder_person_goes_before_it(cartoon: Cartoon, tmp_path: Path) -> None:
    folder, pack = tmp_path / "all", tmp_path / "all" / "mine"
    pack.mkdir(parents=True)
    for file in cartoon.models.rglob("*.onnx"):
        (pack / file.name).symlink_to(file)
    inside = put(pack, "inside")
    for place in (folder, pack):  # a folder of packs, and one pack
        person = chosen(place).person
        assert person is not None
        assert person.path == inside
    beside = put(folder / "person", "beside")
    person = chosen(folder).person
    assert person is not None
    assert person.path == beside


def test_one_that_cannot_be_read_is_passed_over_unless_it_is_named(models: Path) -> None:
    put(models / "person").write_bytes(b"no network")
    assert chosen(models).person is None
    with pytest.raises(ModelError, match=r"x\.onnx.*cut") as caught:
        chosen(models, "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("by_path", [True, False])
def test_one_is_named_by_its_file_or_its_name(models: Path, tmp_path: Path, by_path: bool) -> None:
    put(models / "person", "a")
    other = put(tmp_path if by_path else models / "person", "b", "yolox")
    person = networks_of(models, person_model=str(other) if by_path else "b").person
    assert person is not None
    assert (person.family, person.canvas) == ("yolox", (64, 64))


def test_what_is_no_person_network_is_refused_in_one_line(models: Path, shared_models: Path, tmp_path: Path) -> None:
    strange = tiny_yolo(tmp_path / "strange.onnx", "yolox", classes=20)
    for named, told in (
        ("cartoon_detector", r"cartoon_detector\.onnx' is no person network; its graph is that of: detector"),
        (
            str(strange),
            r"strange\.onnx' is no person network; it names no classes, and it has 20 classes, but COCO has 80",
        ),
        ("none", r"no person network 'none': neither a file nor one of: cartoon_detector, cartoon_recogniser$"),
        (str(tmp_path / "none.onnx"), r"none\.onnx.*No such file"),
    ):
        with pytest.raises(ModelError, match=told) as caught:
            chosen(models, named)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"yolox_nano\.onnx' is no detector; its graph is that of: person network"):
        find_models(models, CPU, WantedNetworks(detector=str(shared_models / "person/yolox_nano.onnx")))


def test_an_option_a_setting_and_a_variable_name_it(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("models", "build", "--dry-run", "--models", models, "--device", "cpu")
    for given, environment in ((("--person-model", "no one"), {}), ((), {"FASTFACE_MODELS__PERSON_MODEL": "no one"})):
        (line,) = errors(fastface(*command, *given, folder=tmp_path, **environment), 1, 1)
        assert "no person network 'no one'" in line


def test_another_process_is_sent_all_that_it_needs_and_onnx_is_read_once(models: Path) -> None:
    put(models / "person")
    networks = networks_of(models)
    assert networks.person is not None
    assert pickle.loads(pickle.dumps(networks)).person == networks.person
    assert networks.person.graph.is_file()
    code = f"""
import sys
from fastface.config import load_config
from fastface.runtime.networks import open_networks
flags = {{"models": {{"dir": {str(models)!r}, "device": "cpu"}}}}
person = open_networks(load_config(environment={{}}, flags=flags)).person
print(person.graph, [name for name in ("onnx", "cv2", "openvino", "onnxruntime", "av") if name in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert told.stdout == f"{networks.person.graph} []\n"


def test_it_is_listed_like_the_others(models: Path) -> None:
    put(models / "person", "yolo11n")
    listed = fastface("models", "list", "--models", models)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "  person:\n    yolo11n.onnx: person network, licence unknown" in listed.stdout
    verified = fastface("models", "verify", "--models", models)
    assert any("yolo11n.onnx: unknown person" in line for line in verified.stdout.splitlines())


ULTRALYTICS = """
import json, os, pathlib, shutil, sys

class YOLO:
    def __init__(self, weights, task):
        self.weights = pathlib.Path(weights)

    def export(self, **options):
        content = self.weights.read_text()
        if content == "broken":
            raise TypeError("these are no weights")
        variables = {name: value for name, value in os.environ.items() if name.startswith("YOLO_")}
        told = {"options": options, "variables": variables, "folder": os.getcwd()}
        pathlib.Path(__file__).with_name("told.json").write_text(json.dumps(told))
        shutil.copyfile(content, self.weights.with_suffix(".onnx"))
"""


@pytest.fixture
def ultralytics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that exports the network whose path is in the file of weights; the file where it notes its orders."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "ultralytics.py").write_text(ULTRALYTICS)
    monkeypatch.syspath_prepend(folder)
    return folder / "told.json"


def weights_of(folder: Path, content: str) -> Path:
    folder.mkdir(exist_ok=True)
    weights = folder / "yolo11n.pt"
    weights.write_text(content)
    return weights


def test_weights_are_exported_into_the_folder_person_and_nothing_else_is_left(
    ultralytics: Path, tmp_path: Path, models: Path
) -> None:
    weights = weights_of(tmp_path / "weights", str(tiny_yolo(tmp_path / "y.onnx", "yolo", names=NAMES)))
    assert export_person(weights, models, 320) == models / "person" / "yolo11n.onnx"
    told = json.loads(ultralytics.read_text())
    assert told["options"] == {"format": "onnx", "imgsz": 320, "device": "cpu", "simplify": False}
    assert (told["variables"]["YOLO_OFFLINE"], told["variables"]["YOLO_AUTOINSTALL"]) == ("true", "false")
    assert not Path(told["variables"]["YOLO_CONFIG_DIR"]).exists()
    assert not Path(told["folder"]).exists()
    assert list(weights.parent.iterdir()) == [weights]
    assert list((models / "person").iterdir()) == [models / "person" / "yolo11n.onnx"]
    person = networks_of(models).person
    assert person is not None
    assert person.family == "yolo"


@pytest.mark.usefixtures("ultralytics")
def test_what_cannot_be_exported_is_told_in_one_line_and_leaves_nothing(tmp_path: Path, models: Path) -> None:
    faces = tiny_yolo(tmp_path / "f.onnx", "yolo", names="{0: 'face'}", classes=1)
    for content, told in (
        ("broken", r"ultralytics cannot export 'yolo11n\.pt': it ended with 1: TypeError: these are no weights"),
        (str(faces), r"yolo11n\.pt' is no person network: its first class is 'face', not 'person'"),
    ):
        with pytest.raises(ModelError, match=told) as caught:
            export_person(weights_of(tmp_path, content), models, 640)
        assert "\n" not in str(caught.value)
        assert not (models / "person").exists()


def test_missing_weights_a_wrong_size_and_a_missing_package_are_told_before_anything_is_done(tmp_path: Path) -> None:
    weights = weights_of(tmp_path, "")
    with pytest.raises(ModelError, match=r"no weights 'yolo11n\.pt'.*nothing is downloaded"):
        exported_path(Path("yolo11n.pt"), tmp_path, 640)
    with pytest.raises(ConfigError, match=r"--size 100: .*multiple of 32 from 64 to 2048"):
        exported_path(weights, tmp_path, 100)
    (line,) = errors(fastface("models", "export-person", weights, "--models", tmp_path / "nets"), 1, 1)
    assert line.endswith(
        "ultralytics is not installed; in fastface's clone: make env EXTRA=person, or pip install '.[person]'"
    )
    assert not (tmp_path / "nets").exists()


def test_the_command_exports_or_says_what_it_would(ultralytics: Path, tmp_path: Path, models: Path) -> None:
    weights = weights_of(tmp_path, str(tiny_yolo(tmp_path / "y.onnx", "yolo", names=NAMES)))
    command = ("models", "export-person", weights, "--models", models, "--size", 64, "--json")
    path = {"PYTHONPATH": str(ultralytics.parent)}
    done = fastface(*command, "--dry-run", **path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["output"] == [repr(str(models / "person" / "yolo11n.onnx"))]
    assert not (models / "person").exists()
    done = fastface(*command, **path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"exported": str(models / "person" / "yolo11n.onnx")}
