"""`fastface demo`, and `run` without any video: the demo agrees with its truth."""

import csv
import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

from cli_tools import (
    fastface,
)

from fastface.demo.film import expected_hits
from fastface.demo.scripts import demo_script


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
