"""An output folder remembers the networks and the export settings of its run."""

import json
import shutil
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import errors, fastface, labels
from run_tools import rows

from fastface import api
from fastface.config import load_config
from fastface.runtime.saved_settings import read_remembered, remember_settings

EXPORT = ("--crops", "none", "--clips", "precise", "--pad", "0,0.5")


@pytest.fixture(scope="module")
def made(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a run of one film with networks, a pack and settings of its own."""
    out = tmp_path_factory.mktemp("remembered") / "out"
    pack = next(cartoon.models.iterdir()).name
    named = ("-t", cartoon.photos, "--models", cartoon.models, "--pack", pack)
    done = fastface("run", cartoon.films / "film3.mp4", *named, "-o", out, "-q", *EXPORT)
    assert (done.returncode, done.stderr) == (0, "")
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


def test_later_commands_need_no_networks_named(cartoon: Cartoon, out: Path) -> None:
    for asked in (
        ("people", "-o", out),
        ("pick", "1", "-o", out),
        ("pick", "1", "--reject", "-o", out),
        ("audit", "-o", out),
        ("scan", cartoon.films / "film3.mp4", "-o", out),
        ("calibrate", "-t", cartoon.photos, "--index", out, "-o", out.parent),
        ("find", "-t", cartoon.photos / f"{labels(cartoon)[0]}.png", "-o", out),
        ("scan", cartoon.films / "film3.mp4", "-o", out, "--fresh"),
    ):
        # Where networks usually are says nothing of those that this index was made with.
        done = fastface(*asked, "-q", FASTFACE_MODELS=str(out.parent / "nothing"))
        # These photos are too few to calibrate by, which is said after the networks have looked at them.
        assert done.returncode == 0 or (asked[0] == "calibrate" and "no pack" not in done.stderr), done
    assert api.people(out).faces == len_of_index(out)


def len_of_index(out: Path) -> int:
    return sum(video["faces"] for video in json.loads((out / "run.json").read_text())["videos"])


def test_photos_name_the_persons(cartoon: Cartoon, out: Path) -> None:
    found = {row["target"] for row in rows(out / "hits.csv")}
    assert len(found) > 1
    everyone = api.people(out, people={"min_faces": 1, "min_quality": 0}).persons
    named = {person.name: person for person in everyone if person.name}
    assert named.keys() == found
    hits = {label: sum(row["target"] == label for row in rows(out / "hits.csv")) for label in found}
    assert {label: person.faces for label, person in named.items()} == hits
    # One more question adds its names, and a name that was given by hand goes first.
    first = min(found)
    assert fastface("pick", first, "--name", "Zoe", "-o", out, "-q", "--clips", "none").returncode == 0
    photo = cartoon.photos / f"{max(found)}.png"
    assert fastface("find", "-t", photo, "-t", f"Max={photo}", "-o", out, "-q", "--clips", "none").returncode == 2
    assert fastface("find", "-t", f"Max={photo}", "-o", out, "-q", "--clips", "none").returncode == 0
    everyone = api.people(out, people={"min_faces": 1, "min_quality": 0}).persons
    assert {person.name for person in everyone if person.name} == (found - {first, max(found)}) | {
        "Zoe",
        "Max",
    }


def test_flags_override(cartoon: Cartoon, out: Path) -> None:
    (line,) = errors(fastface("people", "-o", out, "-q", "--models", cartoon.films), 1, 1)
    assert f"no pack in {cartoon.films}" in line


def test_find_keeps_the_settings_of_export_and_says_so(cartoon: Cartoon, out: Path) -> None:
    photo = cartoon.photos / f"{labels(cartoon)[0]}.png"
    done = fastface("find", "-t", photo, "-o", out)
    assert done.returncode == 0
    assert f"as in the last run in {out}: spans.pad=0,0.5, export.clips=precise, export.crops=none" in done.stderr
    shown = json.loads((out / "run.json").read_text())["config"]
    assert (shown["export"]["clips"], shown["export"]["crops"], shown["spans"]["pad"]) == ("precise", "none", [0, 0.5])
    assert {row["clip"] != "" for row in rows(out / "spans.csv")} == {True}
    # A flag goes first, and a profile is a recipe of its own.
    done = fastface("find", "-t", photo, "-o", out, "--pad", "0", "--clips", "none", "-q")
    assert {row["clip"] for row in rows(out / "spans.csv")} == {""}
    done = fastface("find", "-t", photo, "-o", out, "--profile", "faces", "-q")
    assert json.loads((out / "run.json").read_text())["config"]["spans"]["pad"] == [1, 1]


def test_flags_are_checked_together_with_what_is_remembered(cartoon: Cartoon, out: Path) -> None:
    """A size of 64x96 is one of body crops; that crops are of bodies is what OUT remembers."""
    saved = out / ".fastface" / "settings.json"
    content = json.loads(saved.read_text())
    photo = cartoon.photos / f"{labels(cartoon)[0]}.png"
    asked = ("find", "-t", photo, "-o", out, "--clips", "none", "--dry-run")

    def remember(**export: object) -> None:
        saved.write_text(json.dumps({**content, "run": {"export": export}}))

    lines = errors(fastface(*asked, "--size", "64x96"), 2, 1)  # the last run made no crops
    assert "export: size: no crops are made: add --crops face or --crops body" in lines[0]
    remember()
    lines = errors(fastface(*asked, "--size", "64x96"), 2, 1)
    assert "export: size: 64x96 is no square" in lines[0]
    remember(crops="body")
    assert fastface(*asked, "--size", "64x96").returncode == 0
    assert api._load(out, {"export": {"size": "64x96"}}, with_export=True).export.size == (64, 96)
    # Another kind of crops has a size and a ratio of its own.
    remember(crops="body", size=[64, 96], ratio=["1:1"], min_gap=3.0)
    config = api._load(out, {"export": {"crops": "face"}}, with_export=True)
    assert (config.export.crops, config.export.size, config.export.min_gap) == ("face", None, 3.0)
    assert config.export.ratio == load_config(environment={}).export.ratio
    assert fastface(*asked, "--crops", "face").returncode == 0
    assert api._load(out, {"export": {"crops": "body"}}, with_export=True).export.size == (64, 96)
    remember(crops="body", size=[64, 96], count=7)
    assert api._load(out, {"export": {"crops": "none"}}, with_export=True).export.count == 0
    # A run that starts over remembers the networks alone.
    fresh = api._load(out, {"run": {"fresh": True}}, with_export=True)
    assert (fresh.models.folder, fresh.export.crops) == (cartoon.models, load_config(environment={}).export.crops)
    assert fastface("run", cartoon.films / "film3.mp4", *asked[1:], "--fresh", "--size", "64x96").returncode == 2


def test_what_is_remembered_comes_before_all_that_is_said_now(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    config = load_config(
        environment={},
        flags={
            "models": {"dir": str(models), "detector": "a/b.onnx", "recogniser": "net"},
            "export": {"replace": True},
        },
    )
    (tmp_path / "out" / ".fastface").mkdir(parents=True)
    remember_settings(tmp_path / "out" / ".fastface", config, "pack", with_export=True)
    remembered = read_remembered(tmp_path / "out", with_export=True)
    whole = str(Path("a/b.onnx").absolute())
    assert remembered == {"models": {"dir": str(models), "pack": "pack", "detector": whole, "recogniser": "net"}}

    def given(**flags: str) -> tuple[object, ...]:
        settings = load_config(
            environment={"FASTFACE_MODELS": "/usual"}, flags={"models": flags}, remembered=remembered
        )
        return (str(settings.models.folder), settings.models.pack, settings.models.detector)

    assert given() == (str(models), "pack", whole)
    assert given(pack="other") == (str(models), "other", None)
    assert given(dir="/new") == ("/new", None, None)
    models.rmdir()
    assert read_remembered(tmp_path / "out", with_export=True)["models"].keys() == {"pack", "detector", "recogniser"}
    assert read_remembered(tmp_path / "none", with_export=True) == {"models": {}}
