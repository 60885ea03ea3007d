"""The tables: columns, digits, order and quoting are a contract; equal results are equal bytes."""

import json
import math
import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import run_tools
from export_tools import make_faces, make_hits, write_hits

from fastface.csv_cells import clock_cell
from fastface.export.crops.framing import PARTS
from fastface.export.plan import CropFacts
from fastface.export.tables.results import CropRow, ReviewRow, VideoHits, write_crops_table, write_review, write_spans
from fastface.types import ClipCut, Hits, NearMiss, Span, SpanRow


def _span(video: str = "a.mp4", target: str = "Ross", start: float = 1.0) -> Span:
    return Span(video, target, start, start + 2.5, start + 1, start + 1.4666, 3, 0.71236, 0.65)


def test_spans_csv_is_what_the_contract_says_byte_for_byte(tmp_path: Path) -> None:
    cut = ClipCut("copy", 0.33366, 3.50016)
    album = SpanRow(_span(video="b"), path=Path("/films/b"), pictures=("IMG_1.heic", "IMG_9.heic"))
    film = SpanRow(_span(), "clips/a.mp4/Ross.mp4", cut, Path("/films/a.mp4"), player_offset=1.704)
    write_spans(tmp_path, [film, album])
    assert (tmp_path / "spans.csv").read_bytes() == (
        b"video,target,start,end,first_hit,last_hit,hits,best_similarity,mean_similarity,clip,"
        b"path,clip_start,clip_end,start_hms,end_hms,picture,last_picture,player_start,player_end\r\n"
        b"a.mp4,Ross,1.000,3.500,2.000,2.467,3,0.7124,0.6500,clips/a.mp4/Ross.mp4,"
        b"/films/a.mp4,0.334,3.500,0:00:01.000,0:00:03.500,,,2.704,5.204\r\n"
        b"b,Ross,1.000,3.500,2.000,2.467,3,0.7124,0.6500,,"
        b"/films/b,,,0:00:01.000,0:00:03.500,IMG_1.heic,IMG_9.heic,1.000,3.500\r\n"
    )


def test_spans_json_has_the_same_values_as_numbers(tmp_path: Path) -> None:
    cut = ClipCut("copy", 0.33366, 3.50016, ("audio stream 2 (unknown codec)",), "its picture is interlaced")
    write_spans(tmp_path, [SpanRow(_span()), SpanRow(_span(start=2.0), "clips/a.mp4/b.mp4", cut)])
    common = {"video": "a.mp4", "target": "Ross", "hits": 3, "best_similarity": 0.7124, "mean_similarity": 0.65}
    assert json.loads((tmp_path / "spans.json").read_text(encoding="utf-8")) == [
        {**common, "start": 1.0, "end": 3.5, "first_hit": 2.0, "last_hit": 2.467,
         "clip": None, "clip_mode": None, "clip_start": None, "clip_end": None, "path": None,
         "player_start": 1.0, "player_end": 3.5, "clip_left_out": None, "clip_reason": None},
        {**common, "start": 2.0, "end": 4.5, "first_hit": 3.0, "last_hit": 3.467,
         "clip": "clips/a.mp4/b.mp4", "clip_mode": "copy", "clip_start": 0.334, "clip_end": 3.5, "path": None,
         "player_start": 2.0, "player_end": 4.5, "clip_left_out": ["audio stream 2 (unknown codec)"],
         "clip_reason": "its picture is interlaced"},
    ]  # fmt: skip


def test_spans_are_sorted_by_video_start_and_target(tmp_path: Path) -> None:
    keys = [("a.mp4", 1.0, "Joey"), ("a.mp4", 1.0, "Ross"), ("a.mp4", 9.5, "Ross"), ("a.mp4", 10.0, "Joey"),
            ("b.mp4", 0.0, "Ross")]  # fmt: skip
    rows = [SpanRow(_span(video, target, start)) for video, start, target in keys]
    write_spans(tmp_path / "one", rows)
    write_spans(tmp_path / "other", [rows[i] for i in (3, 4, 0, 2, 1)])
    assert [
        (r["video"], float(r["start"]), r["target"]) for r in run_tools.rows(tmp_path / "one" / "spans.csv")
    ] == keys
    for name in ("spans.csv", "spans.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_no_spans_are_a_header_and_an_empty_array(tmp_path: Path) -> None:
    write_spans(tmp_path, [])
    assert (tmp_path / "spans.csv").read_bytes().count(b"\r\n") == 1
    assert json.loads((tmp_path / "spans.json").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("label", "in_csv", "in_json"),
    [
        ("O'Neil, Ed", "O'Neil, Ed", "O'Neil, Ed"),
        ('the "boss"', 'the "boss"', 'the "boss"'),
        ("two\nlines", "two\nlines", "two\nlines"),
        ("Renée 王", "Renée 王", "Renée 王"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9", "caf\\xe9"),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)", "@SUM(1)"),
        ("-1", "'-1", "-1"),
    ],
)
def test_any_label_stays_valid_and_no_formula(tmp_path: Path, label: str, in_csv: str, in_json: str) -> None:
    write_spans(tmp_path, [SpanRow(_span(target=label))])
    assert [row["target"] for row in run_tools.rows(tmp_path / "spans.csv")] == [in_csv]
    assert json.loads((tmp_path / "spans.json").read_bytes().decode("utf-8"))[0]["target"] == in_json


def test_hits_csv_is_what_the_contract_says_byte_for_byte(tmp_path: Path) -> None:
    faces = make_faces([0.0, 0.2, 0.4], boxes=[(-1.25, 2, 30.06, 40), (-0.01, 2, 3, 4), (5, 6, 7, 8)])
    hits = {"Ross": make_hits(faces, [0, 1], [0.70004, -0.00001]), "Joey": make_hits(faces, [1], [0.5])}
    assert write_hits(tmp_path / "hits.csv", [VideoHits("a.mp4", faces, hits, player_offset=1.704)]) == 3
    assert (tmp_path / "hits.csv").read_bytes() == (
        b"video,target,time,pts,similarity,margin,det_score,quality,x1,y1,x2,y2,track,by,time_hms,picture,player_time\r\n"
        b"a.mp4,Ross,0.000,0,0.7000,0.2500,0.7500,0.1000,-1.2,2.0,30.1,40.0,0,face,0:00:00.000,,1.704\r\n"
        b"a.mp4,Joey,0.200,200,0.5000,0.2500,0.7500,0.2000,0.0,2.0,3.0,4.0,1,face,0:00:00.200,,1.904\r\n"
        b"a.mp4,Ross,0.200,200,0.0000,0.2500,0.7500,0.2000,0.0,2.0,3.0,4.0,1,face,0:00:00.200,,1.904\r\n"
    )


def test_a_hit_in_an_album_names_its_picture_and_one_target_has_no_margin(tmp_path: Path) -> None:
    faces = make_faces([0.0, 0.001])
    names = ("=a.heic", "b.jpg")
    videos = [VideoHits("album", faces, {"Ross": make_hits(faces, [0, 1])}, pictures=names, has_rivals=False)]
    write_hits(tmp_path / "hits.csv", videos)
    told = [(row["pts"], row["picture"], row["margin"]) for row in run_tools.rows(tmp_path / "hits.csv")]
    assert told == [("0", "'=a.heic", ""), ("1", "b.jpg", "")]


def test_times_are_shown_as_players_show_them() -> None:
    assert [clock_cell(seconds) for seconds in (0, 59.9996, 3599.5, 360_000.25)] == [
        "0:00:00.000", "0:01:00.000", "0:59:59.500", "100:00:00.250",
    ]  # fmt: skip


def test_a_target_without_hits_and_a_video_without_hits_are_no_rows(tmp_path: Path) -> None:
    faces = make_faces([0.5])
    none: Hits = make_hits(faces, [])
    videos = [VideoHits("a", faces, {}), VideoHits("b", faces, {"X": none, "Y": make_hits(faces, [0])})]
    assert write_hits(tmp_path / "hits.csv", videos) == 1
    assert [row["target"] for row in run_tools.rows(tmp_path / "hits.csv")] == ["Y"]


def test_videos_out_of_order_leave_no_table(tmp_path: Path) -> None:
    faces = make_faces([0.5])
    with pytest.raises(ValueError, match="not in order"):
        write_hits(tmp_path / "hits.csv", [VideoHits("b", faces, {}), VideoHits("a", faces, {})])
    assert list(tmp_path.iterdir()) == []


def test_many_hits_are_never_all_python_objects(tmp_path: Path) -> None:
    count = 10_000
    faces = make_faces([i / 25 for i in range(count)])
    hits = make_hits(faces, list(range(count)))

    def videos() -> Iterator[VideoHits]:
        for number in range(3):
            yield VideoHits(f"video {number}", faces, {"Ross": hits})

    tracemalloc.start()
    assert write_hits(tmp_path / "hits.csv", videos()) == 3 * count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rows = run_tools.rows(tmp_path / "hits.csv")
    assert len(rows) == 3 * count
    assert rows[-1]["time"] == f"{(count - 1) / 25:.3f}"
    # One video's arrays and a chunk of rows; 30,000 rows of thirteen texts would be 20 MB.
    assert peak < 8_000_000


def test_review_csv_is_what_the_contract_says_byte_for_byte(tmp_path: Path) -> None:
    late = NearMiss("Ross", 12, 3599.5, 3661.25, 7, 0.4, 0.35, 0.34, math.nan, "too poor")
    soon = NearMiss("Joey", 3, 0.0, 0.04, 2, 0.41239, 0.3, 0.2, 0.125, "too near to another person")
    rows = [
        ReviewRow("a.mp4", late, path=Path("/films/a.mp4"), player_offset=1.5),
        ReviewRow("=album", soon, pictures=("=1.heic", "2.jpg")),
    ]
    write_review(tmp_path / "review.csv", rows)
    assert (tmp_path / "review.csv").read_bytes() == (
        b"video,target,start,end,faces,best_similarity,similarity,evidence,margin,reason,start_hms,end_hms,"
        b"path,picture,last_picture,player_start,player_end,track\r\n"
        b"'=album,Joey,0.000,0.040,2,0.4124,0.3000,0.2000,0.1250,too near to another person,0:00:00.000,0:00:00.040,"
        b",'=1.heic,2.jpg,0.000,0.040,3\r\n"
        b"a.mp4,Ross,3599.500,3661.250,7,0.4000,0.3500,0.3400,,too poor,0:59:59.500,1:01:01.250,"
        b"/films/a.mp4,,,3601.000,3662.750,12\r\n"
    )


def test_crops_csv_is_what_the_contract_says_byte_for_byte(tmp_path: Path) -> None:
    parts = {name: number / 8 for number, name in enumerate(PARTS)}
    facts = CropFacts((0, 1, 20, 31), "2:3", (0, 1.5, 20, 31), is_estimate=True, framing="half", score=2, parts=parts)
    late = CropRow("a", "Ross", 10.0, (1, 2.25, 3.04, 4), 0.6, 0.5, "crops/Ross/a_10.000_1.jpg", facts)
    soon = CropRow("a", "Ross", 9.0, (1, 2, 3, 4), 0.61239, 0.5, "crops/Ross/a_9.000_1.jpg")
    soon = replace(soon, path=Path("/a"), picture="b.heic", player_offset=0.25)
    write_crops_table(tmp_path / "crops.csv", [late, soon])
    assert (tmp_path / "crops.csv").read_bytes() == (
        b"video,target,time,box,similarity,quality,ratio,file,crop,framing,person,estimated,score,"
        b"growth,cut,side,top,headroom,torso,large,small,aim,path,time_hms,picture,player_time\r\n"
        b"a,Ross,9.000,1.0 2.0 3.0 4.0,0.6124,0.5000,1:1,crops/Ross/a_9.000_1.jpg,,,,,,,,,,,,,,,"
        b"/a,0:00:09.000,b.heic,9.250\r\n"
        b"a,Ross,10.000,1.0 2.2 3.0 4.0,0.6000,0.5000,2:3,crops/Ross/a_10.000_1.jpg,0 1 20 31,half,0.0 1.5 20.0 31.0,"
        b"yes,2.0000,0.0000,0.1250,0.2500,0.3750,0.5000,0.6250,0.7500,0.8750,1.0000,,0:00:10.000,,10.000\r\n"
    )
