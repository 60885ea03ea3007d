"""The Python functions, as programs meet them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import run_tools
from cartoon_tools import Cartoon

import fastface
from fastface.errors import ConfigError, FastfaceError


@pytest.fixture(scope="module")
def scanned(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a run without exports; tests that change it copy it."""
    out = tmp_path_factory.mktemp("scanned") / "out"
    done = run_tools.run(cartoon, out)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")  # it was asked to be quiet
    return out


def test_the_package_is_light_to_import() -> None:
    code = "import sys, fastface; print([name for name in ('cv2', 'av', 'onnx', 'pyarrow', 'pydantic', 'openvino') " \
        "if name in sys.modules])"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
    results = ["EnrollResult", "FastfaceError", "MergeResult", "PeopleResult", "RunResult"]
    assert sorted(fastface.__all__) == [*results, "enroll", "find", "merge", "people", "pick", "run", "scan"]


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
    merged = fastface.merge([out, tmp_path / "new"], tmp_path / "merged")
    assert isinstance(merged, fastface.MergeResult)
    assert (merged.videos, merged.counted_once) == (len(found.videos), 1)
    census = fastface.people(out, models=models)
    assert isinstance(census, fastface.PeopleResult)
    picked = fastface.pick([1], out, name="Somebody", models=models, export=nothing)
    assert picked.counts.hits == census.persons[0].faces
    assert picked.targets == ("Somebody",)
    assert ran.counts.sampled == 20  # four seconds, five samples each


def test_errors_are_of_one_family(cartoon: Cartoon, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scan\.batch"):
        fastface.run(cartoon.films, cartoon.photos, tmp_path, scan={"batch": 1000})
    with pytest.raises(FastfaceError):
        fastface.find(cartoon.photos, tmp_path / "none", models={"dir": cartoon.models})
