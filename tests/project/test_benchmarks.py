"""Every script of benchmarks/ runs, on a tiny input; none writes figures unasked, none uses private names."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from media_tools import ffmpeg
from places import BENCHMARKS
from video_tools import X264

MODULES = sorted(path.stem for path in BENCHMARKS.glob("*.py"))
SCRIPTS = [name for name in MODULES if '__name__ == "__main__"' in (BENCHMARKS / f"{name}.py").read_text()]

ORDER = (
    '{{"device": "cpu", "pack": "{shared}/models/buffalo_s", "cache": "{folder}", "batches": [1], "seconds": 0.1, '
    '"pictures": [], "is_compared": true}}'
)
TINY = ["--shared", "{shared}", "--tiny"]
RUNS: dict[str, list[str]] = {
    "agreement": TINY,
    "decision": TINY,
    "free_pack": TINY,
    "coordinator": ["--minutes", "0.5", "--repeats", "1"],
    "find_scale": ["--models", "{shared}/models/buffalo_s", "--faces", "20000", "--repeats", "1"],
    "gpu_check": ["--models", "{shared}/models", "--device", "cpu", "--budget-seconds", "1"],
    "gpu_films": ["draw", "{folder}/film.mp4", "1"],
    "gpu_measure": [ORDER],
    "insightface_peer": ["{shared}/media/clips/hamilton.mp4", "{shared}/models/buffalo_s", "5", "single"],
    "large_networks": ["{folder}"],
    "levers": [*TINY, "--repeats", "1"],
    "library_scale": ["--models", "{shared}/models/buffalo_s", "--tiny"],
    "memory": TINY,
    "packs": TINY,
    "people_command": ["--models", "{shared}/models/buffalo_s", "--videos", "2"],
    "precision": TINY,
    "people_scale": ["--tracks", "2000"],
    "recall": TINY,
    "ring": [*TINY, "--repeats", "1"],
    "scaling": TINY,
    "shots": TINY,
    "start": TINY,
    "throughput": [*TINY, "--repeats", "1"],
}
"""script → arguments with which it takes a few seconds."""


@pytest.fixture(scope="module")
def drawn_shared(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What benchmarks want of the folder of networks and media, all drawn."""
    root = tmp_path_factory.mktemp("shared")
    pack = root / "models" / "buffalo_s"
    pack.mkdir(parents=True)
    (graphs,) = [folder for folder in cartoon.models.iterdir() if folder.is_dir()]
    shutil.copyfile(graphs / "cartoon_detector.onnx", pack / "det_cartoon.onnx")
    shutil.copyfile(graphs / "cartoon_recogniser.onnx", pack / "w600k_cartoon.onnx")
    media = root / "media"
    for name in ("friends", "hamilton", "hyland"):
        shutil.copytree(cartoon.photos, media / "photos" / name)
    (media / "clips").mkdir()
    (media / "reference").mkdir()
    clips = ("friends", "street", "azvi_billhyland", "azvi_testhyland", "hamilton")
    # Nobody is in it, and where it begins and ends in a joined film is a cut that encoders notice.
    ffmpeg(f"-f lavfi -i testsrc2=size=640x360:rate=25:duration=4 {X264} {{0}}", media / "clips" / "corridor.mp4")
    for name in clips:
        film = cartoon.films / "film3.mp4"  # the shortest
        ffmpeg(f"-i {{0}} -c copy -metadata title={name} {{1}}", film, media / "clips" / f"{name}.mp4")
        hits = {path.stem: [[0.0, 0.5, 10.0, 10.0, 50.0, 50.0]] for path in cartoon.photos.iterdir()}
        (media / "reference" / f"{name}.json").write_text(json.dumps({"hits": hits}))
    return root


def run(benchmarks: Path, name: str, arguments: list[str], shared: Path, folder: Path) -> str:
    """Run a script in an empty folder; return what it prints."""
    words = [word.format(shared=shared, folder=folder) for word in arguments]
    command = [sys.executable, str(benchmarks / f"{name}.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_script_has_a_tiny_run() -> None:
    assert len(SCRIPTS) > 10
    assert sorted(RUNS) == SCRIPTS


def test_every_other_module_is_used_by_one() -> None:
    others = sorted(set(MODULES) - set(SCRIPTS))
    assert len(others) > 5
    texts = {name: (BENCHMARKS / f"{name}.py").read_text() for name in MODULES}
    unused = [
        other
        for other in others
        if not any(f"import {other}" in text or f"from {other} import" in text or f'"{other}' in text
                   for name, text in texts.items() if name != other)
    ]  # fmt: skip
    assert unused == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_and_writes_nothing_unasked(name: str, drawn_shared: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in BENCHMARKS.glob("*.md")}
    assert len(before) == 2
    assert run(BENCHMARKS, name, RUNS[name], drawn_shared, tmp_path).strip()
    assert {path: path.read_bytes() for path in BENCHMARKS.glob("*.md")} == before


def test_figures_are_written_if_asked(tmp_path: Path) -> None:
    copy = tmp_path / "benchmarks"
    shutil.copytree(BENCHMARKS, copy, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    run(copy, "people_scale", ["--tracks", "500", "--write"], tmp_path, tmp_path)
    assert "\n## Persons of 500 tracks" in (copy / "RESULTS.md").read_text()


def test_figures_of_a_tiny_run_cannot_be_written(tmp_path: Path) -> None:
    tiny = [name for name, arguments in RUNS.items() if "--tiny" in arguments]
    assert len(tiny) == 14
    assert [name for name in tiny if "add_tiny(parser)" not in (BENCHMARKS / f"{name}.py").read_text()] == []
    command = [sys.executable, str(BENCHMARKS / "memory.py"), "--tiny", "--write"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "not allowed with argument" in done.stderr


def private_names(source: str) -> list[str]:
    """Private names of fastface in a module's source: imports, attributes, overridden methods, names in strings."""
    tree = ast.parse(source)
    own = {"self", "cls"} | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    ours = set()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fastface":
            ours |= {alias.asname or alias.name for alias in node.names}
            found += [f"{node.module}.{alias.name}" for alias in node.names if is_private(alias.name)]
            found += [node.module for part in (node.module or "").split(".") if is_private(part)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "fastface"]
            found += [name for name in names if any(map(is_private, name.split(".")))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and root_of(node) not in own | {"super"}:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and root_of(node.func) in ("getattr", "setattr", "patch", "monkeypatch"):
            found += [one.value for one in node.args if isinstance(one, ast.Constant) and is_private(one.value)]
        elif isinstance(node, ast.ClassDef) and any(root_of(base) in ours for base in node.bases):
            found += [name for name in private_members(node) if name != "__init__"]
    return found


def private_members(owner: ast.ClassDef) -> Iterator[str]:
    """Private methods that a class defines or calls: those of a base class of fastface, for all that can be seen."""
    for node in ast.walk(owner):
        name = node.name if isinstance(node, ast.FunctionDef) else node.attr if isinstance(node, ast.Attribute) else ""
        if is_private(name):
            yield f"{owner.name}.{name}"


def is_private(name: object) -> bool:
    return isinstance(name, str) and name.rpartition(".")[2].startswith("_") and not name.endswith("__")


def root_of(node: ast.expr) -> str:
    """The name with which a chain of attributes and calls begins."""
    while not isinstance(node, ast.Name):
        node = getattr(node, "value", getattr(node, "func", ast.Name("")))
    return node.id


@pytest.mark.parametrize("name", MODULES)
def test_no_private_name_of_the_package_is_used(name: str) -> None:
    assert private_names((BENCHMARKS / f"{name}.py").read_text()) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from fastface.a import _b", ["fastface.a._b"]),
        ("from fastface.a import _b as b", ["fastface.a._b"]),
        ("from fastface import _a", ["fastface._a"]),
        ("import fastface._a as a", ["fastface._a"]),
        ("from fastface.pipeline import inference as i\ni._infer(1)", ["i._infer"]),
        ("from fastface.a import C\nwith C() as c:\n    c._listen()", ["c._listen"]),
        ("from fastface import a\npatch.object(a, '_b')", ["_b"]),
        ("from fastface import a\ngetattr(a, '_b')", ["_b"]),
        ("from fastface.a import C\nclass D(C):\n    def _f(self):\n        super()._f()", ["D._f", "D._f"]),
        ("class D:\n    def _f(self):\n        return self._g", []),
        ("from fastface.a import b\nb.c.__doc__", []),
    ],
)
def test_private_names_are_seen(source: str, names: list[str]) -> None:
    assert private_names(source) == names
