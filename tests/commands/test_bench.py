"""`fastface bench`: every combination once, figures that add up, a report that can be opened."""

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import (
    fastface,
)
from PIL import Image

from fastface.commands.evaluation.bench import (
    COLUMNS,
    Combination,
    Measurement,
    list_combinations,
    profile_text,
    write_report,
)
from fastface.config import load_config


def _measurement(rate: float, batch: int = 4) -> Measurement:
    decoder = ("read", "decode", "copy", "canvas", "wait_slot")
    worker = ("detect", "align", "embed", "picture", "wait_batch")
    stages = dict.fromkeys(decoder + worker, 0.5)
    return Measurement(Combination("auto", 1, 2, batch), 100, 7, 2.0, 0.5, rate, rate / 25, stages, 300_000_000)


def test_combinations_are_all_and_in_order() -> None:
    made = list_combinations(["a", "b"], [1], [1, 2], [4, 8])
    assert len(made) == 8
    assert made[0] == Combination("a", 1, 1, 4)
    assert made[-1] == Combination("b", 1, 2, 8)


def test_the_report_holds_all_figures_and_marks_the_best(tmp_path: Path) -> None:
    write_report(tmp_path, [_measurement(50.0), _measurement(75.5, 8)], "<script>alert(1)</script>")
    with (tmp_path / "bench.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["batch"], row["frames_per_second"], row["detect_ms_per_frame"]) for row in rows] == [
        ("4", "50.00", "5.00"),
        ("8", "75.50", "5.00"),
    ]
    assert rows[0].keys() == set(COLUMNS)
    page = (tmp_path / "bench.html").read_text()
    assert "<script" not in page
    assert "http:" not in page.replace("http-equiv", "")
    assert re.findall(r"<tr class=best>.*?</tr>", page)[0].count("75.50") == 1
    with Image.open(tmp_path / "bench.png") as picture:
        assert picture.width == 1000
        colours = {colour for _, colour in picture.getcolors(1 << 20) or []}
    assert len(colours) > 4


def test_the_profile_is_one_that_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(profile_text(_measurement(75.5, 8)))
    config = load_config(file=path, environment={})
    assert (config.scan.batch, config.scan.decoders, config.scan.workers) == (8, 1, 2)


def test_the_command_compares_and_writes(cartoon: Cartoon, tmp_path: Path) -> None:
    command = [*run_tools.COMMAND, "bench", str(cartoon.films / "film2.mp4"), "--models", str(cartoon.models)]
    options = ["--batches", "1,4", "--workers", "1", "--decoders", "2", "--every-frame", "-o", str(tmp_path / "out")]
    done = run_tools.finish([*command, *options, "--write-profile", str(tmp_path / "best.toml"), "--json", "-q"])
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["measurements"]
    assert [(row["batch"], row["decoders"], row["frames"]) for row in rows] == [("1", "2", "200"), ("4", "2", "200")]
    drawn = sum(len(cartoon.scripts["film2.mp4"].sightings(n)) for n in range(200))
    for row in rows:
        assert row["faces"] == str(drawn)
        assert float(row["frames_per_second"]) > 0
        assert float(row["memory_mb"]) > 50
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bench.csv", "bench.png", "bench.html"}
    best = max(rows, key=lambda row: float(row["frames_per_second"]))
    assert tomllib.loads((tmp_path / "best.toml").read_text())["scan"]["batch"] == int(best["batch"])


@pytest.mark.parametrize("option", ["--batches", "--workers"])
def test_what_is_no_list_of_numbers_is_told(option: str, tmp_path: Path) -> None:
    done = run_tools.finish([*run_tools.COMMAND, "bench", "-o", str(tmp_path), option, "1,x"])
    assert done.returncode == 2
    assert option in done.stderr


def test_bench_in_json_is_one_object(cartoon: Cartoon, tmp_path: Path) -> None:
    one = ("--batches", "1", "--workers", "1", "--decoders", "1")
    film = cartoon.films / "film3.mp4"
    done = fastface("bench", film, "--models", cartoon.models, *one, "-o", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
