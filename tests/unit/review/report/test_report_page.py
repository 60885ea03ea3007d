"""The facts of report.html: what it reads from the files of an answer, and what it leaves out to keep its size."""

import base64
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from night_tools import night, record, span
from report_tools import Drawn, DrawnAnswer, PageContent, picture, write_answer, write_report

from fastface.errors import ConfigError
from fastface.review.nights.night_record import NightRecord
from fastface.review.report import report_page

FORMULA = "=1+1"
HOSTILE = "</script><img src=x onerror=alert(1)>\n\"'&\u202e"

DRAWN = DrawnAnswer(
    targets=("Alice", FORMULA, HOSTILE),
    lengths={"a.mp4": 100.0, "b.mp4": 50.0, "c.mp4": 9.0},
    spans=(
        Drawn("a.mp4", "Alice", 10.5, 20.25, 0.75, "clips/a.mp4/Alice_10.500-20.250.mp4", 9.0),
        Drawn("a.mp4", FORMULA, 15.0, 18.0, 0.5, "clips/elsewhere.mp4", 15.0),
        Drawn("a.mp4", "Alice", 40.0, 41.5, 0.9),
        Drawn("b.mp4", HOSTILE, 1.0, 4.0, 0.625),
    ),
    near=(Drawn("a.mp4", "Alice", 60.0, 62.0, 0.41), Drawn("b.mp4", FORMULA, 7.0, 9.0, 0.33)),
    with_pictures=("a.mp4", "b.mp4"),
    states={"c.mp4": ("failed", "no frames")},
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_answer(folder / "out", DRAWN, folder / "films")
    write_report(folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def page(out: Path) -> PageContent:
    return PageContent(out / "report.html")


def _pictures(page: PageContent, video: int) -> dict[int, tuple[float, bytes]]:
    return {item: (time, base64.b64decode(jpeg)) for item, time, jpeg in page.json(f"pictures-{video}")}


def test_the_page_is_private_and_loads_nothing_from_a_network(out: Path, page: PageContent) -> None:
    assert stat.S_IMODE((out / "report.html").stat().st_mode) == 0o600
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["media-src"] == "'self' file:"
    assert rules["script-src"].startswith("'sha256-")
    assert rules["style-src"].startswith("'sha256-")
    assert not {"link", "iframe", "img", "object", "embed"} & set(page.tags)


def test_spans_and_near_misses_have_the_numbers_and_names_of_the_tables(page: PageContent) -> None:
    facts = page.json("facts")
    assert facts["targets"] == ["Alice", FORMULA, HOSTILE]
    assert [video[0] for video in facts["videos"]] == ["a.mp4", "b.mp4", "c.mp4"]
    spans, near = facts["spans"], facts["near"]
    assert list(zip(spans["video"], spans["target"], spans["start"], spans["end"], strict=True)) == [
        (0, 0, 10.5, 20.25),
        (0, 1, 15.0, 18.0),
        (0, 0, 40.0, 41.5),
        (1, 2, 1.0, 4.0),
    ]
    assert spans["best"] == [0.75, 0.5, 0.9, 0.625]
    # 1 stands for the usual name of the clip, which the script derives; 0 for none.
    assert spans["clip"] == [1, "clips/elsewhere.mp4", 0, 0]
    assert spans["clipStart"] == [9.0, 0, 0, 0]
    assert list(zip(near["video"], near["target"], near["start"], near["end"], strict=True)) == [
        (0, 0, 60.0, 62.0),
        (1, 1, 7.0, 9.0),
    ]
    assert [facts["reasons"][place] for place in near["reason"]] == ["just below the threshold"] * 2


def test_totals_are_those_of_all_spans(page: PageContent) -> None:
    facts = page.json("facts")
    assert facts["totals"] == {"videos": 3, "spans": 4, "nearMisses": 2, "seconds": 17.25, "duration": 159.0}
    # Alice is in a.mp4 for 9.75 s and 1.5 s.
    assert sorted(facts["pairs"]) == [[0, 0, 11.25, 2], [0, 1, 3.0, 1], [1, 2, 3.0, 1]]
    assert [(fault["kind"], fault["what"], fault["reason"]) for fault in facts["faults"]] == [
        ("failed", "c.mp4", "no frames")
    ]


def test_a_curve_has_the_highest_similarity_of_each_stretch(page: PageContent) -> None:
    curves = {(video, target): base64.b64decode(text) for video, target, text in page.json("curves")}
    assert curves.keys() == {(0, 0), (0, 1), (1, 2)}
    alice = np.frombuffer(curves[0, 0], np.uint8)
    assert len(alice) == page.json("facts")["bins"] == 1500
    # 100 s in 1500 stretches: 15 a second. Hits at 11, 12 … 20 s fall from 0.75 by 0.01, those at 40 and 41 s from 0.9.
    assert np.flatnonzero(alice).tolist() == [15 * second for second in (*range(11, 21), 40, 41)]
    assert [alice[15 * second] for second in (11, 20, 40)] == [1 + round(254 * one) for one in (0.75, 0.66, 0.9)]


def test_each_span_and_near_miss_gets_the_picture_of_its_best_moment(page: PageContent) -> None:
    first, second = _pictures(page, 0), _pictures(page, 1)
    # Items 0 to 3 are spans, 4 and 5 near misses; the first face of a span is the most similar.
    assert {item: time for item, (time, _) in first.items()} == {0: 11.0, 1: 15.0, 2: 40.0, 4: 60.0}
    assert {item: time for item, (time, _) in second.items()} == {3: 1.0, 5: 7.0}
    # Pictures are numbered in the order of time, then track: 11 to 14 s have one face each, 15 s has two.
    assert (first[0][1], first[1][1]) == (picture(0), picture(5))


def test_of_two_tracks_at_one_time_the_near_miss_shows_its_own(tmp_path: Path) -> None:
    twice = (Drawn("a.mp4", "Alice", 60.0, 62.0, 0.41), Drawn("a.mp4", "Bob", 60.0, 62.0, 0.4))
    write_answer(tmp_path / "out", DrawnAnswer(("Alice", "Bob"), {"a.mp4": 100.0}, (), twice, ("a.mp4",)), tmp_path)
    write_report(tmp_path / "out")
    pictures = _pictures(PageContent(tmp_path / "out" / "report.html"), 0)
    assert pictures == {0: (60.0, picture(0)), 1: (60.0, picture(1))}


def test_a_track_that_is_elsewhere_since_another_scan_is_not_shown(tmp_path: Path) -> None:
    near = (Drawn("a.mp4", "Alice", 60.0, 62.0, 0.41), Drawn("a.mp4", "Alice", 70.0, 72.0, 0.4))
    write_answer(tmp_path / "out", DrawnAnswer(("Alice",), {"a.mp4": 100.0}, (), near, ("a.mp4",)), tmp_path)
    path = tmp_path / "out" / "review.csv"
    path.write_text(path.read_text().replace("70.000", "70.500"))
    assert write_report(tmp_path / "out").num_pictures == 1


def test_a_span_of_an_expression_shows_its_persons_and_has_no_decision(tmp_path: Path) -> None:
    where = "alice and not Bob"
    spans = (
        Drawn("a.mp4", "Alice", 10.0, 20.0, 0.8),
        Drawn("a.mp4", "Bob", 10.0, 12.0, 0.9),
        Drawn("a.mp4", where, 13.0, 20.0, 0.77),
    )
    drawn = DrawnAnswer(
        ("Alice", "Bob"), {"a.mp4": 100.0}, spans, with_pictures=("a.mp4",), run={"where": [where, "alone(Bob)"]}
    )
    write_answer(tmp_path / "out", drawn, tmp_path)
    table = tmp_path / "out" / "hits.csv"
    rows = table.read_text().splitlines(keepends=True)
    table.write_text("".join(row for row in rows if where not in row))  # hits.csv has persons alone
    write_report(tmp_path / "out")
    page = PageContent(tmp_path / "out" / "report.html")
    facts = page.json("facts")
    assert (facts["targets"], facts["expressions"]) == (["Alice", "Bob", where, "alone(Bob)"], [2, 3])
    # Bob is gone from 13 s on; of Alice's hits there the first is the most similar.
    assert {item: time for item, (time, _) in _pictures(page, 0).items()} == {0: 10.0, 1: 10.0, 2: 13.0}
    curves = {target: np.frombuffer(base64.b64decode(text), np.uint8) for _, target, text in page.json("curves")}
    assert np.flatnonzero(curves[2]).tolist() == [15 * second for second in range(13, 21)]
    shown = {group["heading"]: group["facts"] for group in facts["run"]}["Run"]
    assert [value for name, value in shown if name == "expression"] == [where, "alone(Bob)"]


def test_hits_by_earlier_decisions_are_counted_for_each_span(tmp_path: Path) -> None:
    spans = (
        Drawn("a.mp4", "Alice", 10.0, 12.0),
        Drawn("a.mp4", "Bob", 10.0, 12.0),
        Drawn("a.mp4", "Alice", 20.0, 23.0),
        Drawn("a.mp4", "Alice", 30.0, 31.0),
    )
    write_answer(tmp_path / "out", DrawnAnswer(("Alice", "Bob"), {"a.mp4": 100.0}, spans), tmp_path)
    write_report(tmp_path / "out")
    assert PageContent(tmp_path / "out" / "report.html").json("facts")["spans"]["decided"] == []
    table = tmp_path / "out" / "hits.csv"
    rows = table.read_text().splitlines(keepends=True)
    decided = ("a.mp4,Alice,10.000", "a.mp4,Alice,11.000", "a.mp4,Alice,12.000", "a.mp4,Alice,22.000")
    table.write_text("".join(row.replace(",face,", ",decision,") if row.startswith(decided) else row for row in rows))
    write_report(tmp_path / "out")
    assert PageContent(tmp_path / "out" / "report.html").json("facts")["spans"]["decided"] == [3, 0, 1, 0]


def test_a_span_without_a_picture_in_the_index_shows_its_best_crop(tmp_path: Path) -> None:
    spans = (
        Drawn("a.mp4", "Alice", 10.0, 12.0),
        Drawn("a.mp4", "Alice", 20.0, 23.0),
        Drawn("b.mp4", "Alice", 1.0, 2.0),
    )
    drawn = DrawnAnswer(("Alice",), {"a.mp4": 100.0, "b.mp4": 9.0}, spans, with_pictures=("b.mp4",))
    write_answer(tmp_path / "out", drawn, tmp_path)
    crops = tmp_path / "out" / "crops"
    (crops / "Alice").mkdir(parents=True)
    lines = ["video,target,time,similarity,file"]
    for video, second, similarity in (("a.mp4", 11, 0.5), ("a.mp4", 12, 0.7), ("a.mp4", 50, 0.9), ("b.mp4", 1, 0.9)):
        colour = np.full((400, 200, 3), min(255, 10 * second), np.uint8)
        (crops / "Alice" / f"{second}.png").write_bytes(cv2.imencode(".png", colour)[1].tobytes())
        lines.append(f"{video},Alice,{second}.000,{similarity},crops/Alice/{second}.png")
    (crops / "crops.csv").write_text("\n".join([*lines, "a.mp4,Alice,21.000,0.8,crops/Alice/gone.png"]) + "\n")
    write_report(tmp_path / "out")
    page = PageContent(tmp_path / "out" / "report.html")
    ((item, (time, jpeg)),) = _pictures(page, 0).items()
    assert (item, time) == (0, 12.0)
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None and shown.shape == (144, 144, 3)
    assert abs(float(shown.mean()) - 120) < 3
    assert _pictures(page, 1)[2][1] == picture(0)  # the picture of the index comes first


def test_tables_reels_and_sheets_of_the_answer_are_listed(tmp_path: Path) -> None:
    write_answer(tmp_path / "out", DrawnAnswer(("Alice",), {"a.mp4": 9.0}, ()), tmp_path)
    for name in ("reels/Alice.mp4", "sheets/#<i>-1.jpg", "sheets/.part", "clips/a.mp4"):
        (tmp_path / "out" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "out" / name).touch()
    write_report(tmp_path / "out")
    files = PageContent(tmp_path / "out" / "report.html").json("facts")["files"]
    tables = ["spans.json", "hits.csv", "review.csv", "run.json"]
    assert files == [*tables, "reels/Alice.mp4", "sheets/#<i>-1.jpg"]


def test_spans_of_an_album_name_their_pictures(tmp_path: Path) -> None:
    spans = (Drawn("album", "Alice", 0.0, 1.0), Drawn("album", "Alice", 4.0, 5.0), Drawn("a.mp4", "Alice", 1.0, 2.0))
    write_answer(tmp_path / "out", DrawnAnswer(("Alice",), {"album": 9.0, "a.mp4": 9.0}, spans), tmp_path)
    path = tmp_path / "out" / "spans.json"
    first, second, film = json.loads(path.read_text())
    first |= {"picture": "1.jpg", "last_picture": "3.jpg"}
    second |= {"picture": "8.jpg", "last_picture": "8.jpg"}
    path.write_text(json.dumps([first, second, film], indent=1))  # as another program may format it
    write_report(tmp_path / "out")
    facts = PageContent(tmp_path / "out" / "report.html").json("facts")
    assert facts["spans"]["picture"] == ["1.jpg – 3.jpg", "8.jpg", ""]


def test_without_an_index_the_page_has_no_pictures(tmp_path: Path) -> None:
    write_answer(
        tmp_path / "out", DrawnAnswer(("Alice",), {"a.mp4": 9.0}, (Drawn("a.mp4", "Alice", 1.0, 4.0),)), tmp_path
    )
    done = write_report(tmp_path / "out")
    assert (done.num_spans, done.num_near_misses, done.num_pictures, done.left_out) == (1, 0, 0, ())


def test_what_does_not_fit_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "_SPAN_BYTES", 4 * 48)
    monkeypatch.setattr(report_page, "_MOST_NEAR_MISSES", 1)
    monkeypatch.setattr(report_page, "_PAGE_BYTES", 12_000)
    spans = tuple(Drawn("a.mp4", "Alice", 10.0 * place, 10.0 * place + place, 0.5) for place in range(1, 7))
    near = (Drawn("a.mp4", "Alice", 80.0, 82.0, 0.3), Drawn("a.mp4", "Alice", 90.0, 92.0, 0.4))
    write_answer(tmp_path / "out", DrawnAnswer(("Alice",), {"a.mp4": 100.0}, spans, near, ("a.mp4",)), tmp_path)
    done = write_report(tmp_path / "out")
    page = PageContent(tmp_path / "out" / "report.html")
    facts = page.json("facts")
    assert facts["spans"]["start"] == [30.0, 40.0, 50.0, 60.0]  # the longest
    assert facts["near"]["start"] == [90.0]  # the most similar
    assert facts["totals"]["seconds"] == 21.0
    assert facts["pairs"] == [[0, 0, 21.0, 6]]
    assert done.left_out == ("1 near miss", "2 short spans", "3 pictures")
    assert page.json("left-out-facts") == list(done.left_out)


def test_a_page_needs_an_answer(tmp_path: Path) -> None:
    write_answer(tmp_path / "out", DRAWN, tmp_path)
    run = tmp_path / "out" / "run.json"
    told = json.loads(run.read_text())
    run.write_text(json.dumps({**told, "command": "scan"}))
    with pytest.raises(ConfigError, match=r"the last search in .* was stopped"):
        write_report(tmp_path / "out")
    run.write_text(json.dumps(told))
    spans = tmp_path / "out" / "spans.json"
    spans.write_text(spans.read_text()[:-60])
    with pytest.raises(ConfigError, match="is damaged"):
        write_report(tmp_path / "out")
    spans.unlink()
    with pytest.raises(ConfigError, match="holds no answer"):
        write_report(tmp_path / "out")
    assert not (tmp_path / "out" / "report.html").exists()


def test_faults_come_in_the_order_of_their_weight(tmp_path: Path) -> None:
    run: dict[str, Any] = {
        "export_failures": ["clips/a.mp4/x.mp4: no space"],
        "skipped": [{"path": "notes.txt", "reason": "no video"}],
        "left_out": [{"reason": "hidden", "count": 2}, {"reason": "text", "count": 1}],
        "remarks": ["a photo is turned"],
    }
    states = {"a.mp4": ("partial", "3 packets"), "b.mp4": ("quarantined", "crashed")}
    drawn = DrawnAnswer(("Alice",), {"a.mp4": 9.0, "b.mp4": 9.0}, (), states=states, run=run)
    write_answer(tmp_path / "out", drawn, tmp_path)
    write_report(tmp_path / "out")
    faults = PageContent(tmp_path / "out" / "report.html").json("facts")["faults"]
    assert [(one["kind"], one["what"], one["reason"]) for one in faults] == [
        ("skipped after crashes", "b.mp4", "crashed"),
        ("partly read", "a.mp4", "3 packets"),
        ("not exported", "", "clips/a.mp4/x.mp4: no space"),
        ("skipped", "notes.txt", "no video"),
        ("left out", "3 files", "hidden: 2; text: 1"),
        ("remark", "", "a photo is turned"),
    ]


def test_the_facts_of_the_run_name_networks_licence_and_settings(page: PageContent) -> None:
    groups = {group["heading"]: dict(group["facts"]) for group in page.json("facts")["run"]}
    assert groups["Run"]["command"] == "fastface find"
    assert groups["Networks"]["licence"] == "a licence"
    assert groups["Networks"]["detector"] == "net · float32 · sha256 abababababababab"
    assert groups["Thresholds"]["enter"] == "0.45"
    assert groups["Settings"] == {"scan.batch": "8", "spans.exact": "no"}


def test_a_hostile_name_cannot_end_its_element(out: Path) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "onerror=alert" in text
    assert "<img src=x" not in text
    assert "\u202e" not in text


def test_the_news_since_the_last_run_is_a_part_of_the_page(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_answer(out, DRAWN, tmp_path / "films")
    started = json.loads((out / "run.json").read_text(encoding="utf-8"))["started"]
    first = night(NightRecord(), [record("a.mp4")], started=started)
    first.report.save(out)
    write_report(out)
    assert PageContent(out / "report.html").json("facts")["night"] is None  # all is new
    spans = [span("a.mp4", HOSTILE, 61, 65)]
    later = night(first.record, [record("a.mp4")], spans, persons=(HOSTILE,), started=started).report
    replace(later, started="2026-01-03T03:04:05+00:00").save(out)  # a later scan, which has no page
    write_report(out)
    assert PageContent(out / "report.html").json("facts")["night"] is None
    later.save(out)
    write_report(out)
    shown = PageContent(out / "report.html").json("facts")["night"]
    assert shown["summary"] == "1 new span of 1 person"
    assert "    a.mp4: 1:01-1:05" in shown["lines"]
    (line,) = [line for line in shown["lines"] if "onerror" in line]
    assert line.endswith("1 span, 4.0 s, 1 video, searched for the first time")
    assert line.isprintable()
