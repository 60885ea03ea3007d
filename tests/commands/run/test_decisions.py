"""Decisions on real films: from twenty corrected moments the next question is right in all, and stays so."""

import json
from pathlib import Path
from typing import Any

import run_tools
from cli_tools import fastface

BOLD = ("--threshold", "0.1", "--margin", "0", "-s", "match.review=0.2")
"""Every track is a hit or a near miss of a person."""
TIMID = ("--threshold", "0.95")


def _find(out: Path, shared_media: Path, *more: str) -> str:
    photos = shared_media / "photos" / "friends"
    plain = ("--clips", "none", "--crops", "none", "--allow-faults", "--no-grow", "-s", "spans.merge_gap=0.5")
    done = fastface("find", "-t", photos, "-o", out, "--precision", "float32", "--pad", "0", *plain, *more)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _is_true(moment: dict[str, Any], labels: list[dict[str, str]]) -> bool:
    """Whether the person is seen for most of a moment, by labels that were made by eye."""
    if moment["video"] != "friends.mp4":
        return False
    shared = [
        min(moment["end"], float(row["end"])) - max(moment["start"], float(row["start"]))
        for row in labels
        if row["person"] == moment["target"]
    ]
    return sum(max(0.0, one) for one in shared) > (moment["end"] - moment["start"]) / 2


def _wrong(out: Path, decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The decided moments that an answer has otherwise: a rejected one returned, or a confirmed one is gone."""
    moments = {name: run_tools.rows(out / f"{name}.csv") for name in ("hits", "spans", "review")}
    times = {"hits": ("time", "time"), "spans": ("start", "end"), "review": ("start", "end")}
    tables = [
        [(row["video"], row["target"], float(row[times[name][0]]), float(row[times[name][1]])) for row in rows]
        for name, rows in moments.items()
    ]
    found = []
    for one in decisions:
        has_hits, has_span, is_near = (
            any(
                (video, target) == (one["video"], one["target"]) and start < one["end"] and end >= one["start"]
                for video, target, start, end in table
            )
            for table in tables
        )
        is_right = has_hits and has_span if one["verdict"] == "confirmed" else not (has_hits or has_span or is_near)
        found += [] if is_right else [one]
    return found


def test_the_next_question_is_right_in_all_corrected_moments(
    shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    out, clips = tmp_path / "out", shared_media / "clips"
    films = [clips / "friends.mp4", clips / "azvi_testhyland.mp4"]
    scan = ("--models", shared_models, "--precision", "float32", "-o", out, "-q", "--sample-fps", "4")
    assert fastface("scan", *films, *scan).returncode == 0
    _find(out, shared_media, *BOLD)
    labels = run_tools.rows(shared_media / "truth" / "friends.csv")
    decisions: list[dict[str, Any]] = []
    for table, what in (("spans.csv", "span"), ("review.csv", "near_miss")):
        for row in run_tools.rows(out / table):
            moment = {"video": row["video"], "target": row["target"]}
            moment |= {name: float(row[name]) for name in ("start", "end")}
            verdict = "confirmed" if _is_true(moment, labels) else "rejected"
            decisions.append({**moment, "what": what, "verdict": verdict, "person": None})
    verdicts = [one["verdict"] for one in decisions]
    assert len(decisions) >= 20
    assert min(verdicts.count("confirmed"), verdicts.count("rejected")) >= 8
    assert len(_wrong(out, decisions)) >= 2
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps({"schema_version": 1, "kind": "decisions", "decisions": decisions}), encoding="utf-8")
    done = fastface("correct", file, "-o", out)
    assert done.returncode == 0, done.stderr
    for settings in (BOLD, TIMID):
        told = _find(out, shared_media, *settings)
        assert f"uses {len(decisions)} decisions of your review\n" in told
        assert _wrong(out, decisions) == [], settings
    hits = run_tools.rows(out / "hits.csv")
    assert {row["video"] for row in hits} == {"friends.mp4"}
    references = run_tools.rows(out / "bank_growth.csv")
    assert {row["anchor"] for row in references} == {"decision"}
    assert {row["target"] for row in references} >= {"Chandler", "Monica", "Ross"}

    # Another film comes, and then everything is scanned again at other times.
    assert fastface("scan", clips / "hamilton.mp4", *scan).returncode == 0
    for settings in (BOLD, TIMID):
        _find(out, shared_media, *settings)
        assert _wrong(out, decisions) == [], settings
    assert fastface("scan", *films, *scan[:-1], "7", "--fresh").returncode == 0
    for settings in (BOLD, TIMID):
        _find(out, shared_media, *settings)
        assert _wrong(out, decisions) == [], settings
