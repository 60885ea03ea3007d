"""`fastface scan`: with `find` after it, it gives what `run` gives."""

import json
import shutil
from pathlib import Path

from cartoon_tools import Cartoon
from cli_tools import (
    SAMPLED,
    Ran,
    errors,
    fastface,
    labels,
    spans_without_clips,
)
from prometheus_client.parser import text_string_to_metric_families


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


def test_metrics_have_the_exit_code_of_a_scan_that_does_not_start(cartoon: Cartoon, tmp_path: Path) -> None:
    """A nightly scan whose disk is absent must not leave the metrics of the night before."""
    metrics, out = tmp_path / "fastface.prom", tmp_path / "out"
    given = ("--models", cartoon.models, "-o", out)
    errors(fastface("scan", tmp_path / "absent", *given, "--metrics", metrics), 2, 1)
    families = text_string_to_metric_families(metrics.read_text())
    assert {sample.name: sample.value for one in families for sample in one.samples}["fastface_exit_code"] == 2
    assert not out.exists()
    (line,) = errors(fastface("scan", cartoon.films, *given, "--metrics", tmp_path / "absent" / "x.prom"), 2, 1)
    assert f"run.metrics: '{tmp_path / 'absent'}' is no folder" in line
