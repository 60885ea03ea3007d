"""`pick` of persons who are seen by the body."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from body_index import (
    ANN,
    EVERYONE,
    FILMS,
    NOTHING,
    SEEN_3,
    SEEN_8,
    B,
    Draw,
    Passage,
    body_box,
    face_box,
    seconds,
    write_index,
)
from census_tools import Command, census, listed, rows
from cli_tools import errors

from fastface.demo.film import Encoding, draw_film
from fastface.demo.script import Script
from fastface.index.store import VideoIndex
from fastface.runtime.output_folder import OutputFolder

SPAN = ("video", "target", "start", "end", "first_hit", "last_hit", "hits", "best_similarity", "mean_similarity")


def spans(out: Path, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns or SPAN) for row in rows(out / "spans.csv")]


def primary(out: Path) -> dict[str, Any]:
    with np.load(out / "primary_person.npz", allow_pickle=False) as file:
        return dict(file)


def test_who_has_no_face_is_picked_by_the_body(out: Path, command: Command) -> None:
    done = command("pick", SEEN_8, "-o", out, "--pad", "0", *NOTHING)
    assert done.returncode == 0, done.stderr
    told = "person 3: the face is never seen, so no bank was written"
    assert told in done.stderr
    expected = ("b.mp4", "person 3", "5.000", "13.000", "5.000", "12.800", "0", "", "")
    assert spans(out) == [expected]
    (span,) = json.loads((out / "spans.json").read_text(encoding="utf-8"))
    assert (span["hits"], span["best_similarity"], span["mean_similarity"]) == (0, None, None)
    assert (rows(out / "hits.csv"), (out / "banks").exists()) == ([], False)
    report = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (report["targets"], report["counts"]["hits"], report["counts"]["spans"]) == (["person 3"], 0, 1)
    found = primary(out)
    assert str(found["name"]) == "person 3"
    assert (found["video"].shape, found["box"].shape, found["similarity"].shape) == ((0,), (0, 4), (0,))
    assert found["body_video"].tolist() == ["b.mp4"] * 40
    np.testing.assert_allclose(found["body_time"], np.arange(25, 65) / 5)
    assert found["body_pts"].tolist() == list(range(5000, 13000, 200))
    assert found["body_box"].tolist() == [list(body_box(1))] * 40
    assert found["body_track"].tolist() == [1] * 40
    np.testing.assert_allclose(found["person_score"][[0, 5, 20]], [0.8, 0.85, 0.95])


def test_spans_hold_what_is_seen_by_face_and_by_body(out: Path, command: Command) -> None:
    done = command("pick", "1", "-o", out, "--pad", "0", *NOTHING)
    assert (done.returncode, "no bank" in done.stderr) == (0, False)
    # Between the faces of the first span lie 2.2 s: by them alone it would be two.
    assert spans(out) == [
        ("a.mp4", "person 1", "0.000", "10.000", "0.000", "9.800", "40", "1.0000", "1.0000"),
        ("b.mp4", "person 1", "2.000", "4.000", "2.000", "3.800", "10", "1.0000", "1.0000"),
    ]
    assert (len(rows(out / "hits.csv")), (out / "banks" / "person 1.npz").exists()) == (50, True)
    found = primary(out)
    assert found["video"].tolist() == ["a.mp4"] * 40 + ["b.mp4"] * 10
    assert found["body_video"].tolist() == ["a.mp4"] * 10
    np.testing.assert_allclose(found["body_time"], np.arange(20, 30) / 5)
    assert found["body_box"].tolist() == [list(body_box(0))] * 10
    # Bo is not seen at all for 1.8 s, but from 5 s on.
    assert command("pick", "2", "-o", out, "--pad", "0", *NOTHING, "-q").returncode == 0
    assert spans(out, "start", "end", "first_hit", "hits", "best_similarity") == [
        ("5.000", "7.000", "5.000", "0", ""),
        ("8.800", "12.000", "8.800", "16", "1.0000"),
    ]


@pytest.fixture(scope="module")
def filmed(command: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Script, Path]:
    """A film of six seconds without anybody, and OUT, whose index says: Ann's face, from 2 s on her body, then Cy's."""
    root, script = tmp_path_factory.mktemp("filmed"), Script(150, ())
    draw_film(root / "film.mp4", script, Encoding(gop=25))
    assert command("scan", root / "film.mp4", "-o", root / "out", "-q").returncode == 0
    index = VideoIndex(OutputFolder(root / "out").index, "film.mp4")
    film = (Passage(ANN, body=((0, 3),), face=((0, 2),)), Passage(body=((3.4, 5.4),)))
    write_index(index, film, index.metadata(), scale=1 / 3)
    assert command("people", "-o", root / "out", "--video", "-q").returncode == 0
    return script, root / "out"


def frames_of(path: Path) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        found.append(read[1])
    capture.release()
    return found


def test_a_preview_film_shows_the_face_or_else_the_body(filmed: tuple[Script, Path]) -> None:
    script, out = filmed
    frames = frames_of(out / "previews" / "film.mp4_people.mp4")
    assert len(frames) == script.num_frames

    def colour(box: tuple[float, ...], seconds: float) -> np.ndarray | None:
        """Of the left side of a box, in the middle of its height; None if the film is as it was drawn there."""
        x1, y1, _, y2 = (round(side / 3) for side in box)
        place = slice((y1 + y2) // 2 - 8, (y1 + y2) // 2 + 8), slice(x1 - 1, x1 + 2)
        shown, drawn = (np.median(one[place], axis=(0, 1)) for one in (frames[round(seconds * 25)], script.draw(0)))
        return shown if np.abs(shown - drawn).max() > 40 else None

    boxes = {"face": face_box(0), "Ann": body_box(0), "Cy": body_box(1)}
    seen = {time: [name for name, box in boxes.items() if colour(box, time) is not None] for time in (1, 2.4, 4, 5.8)}
    assert seen == {1: ["face"], 2.4: ["Ann"], 4: ["Cy"], 5.8: []}
    face, ann, cy = (colour(box, time) for box, time in ((boxes["face"], 1), (boxes["Ann"], 2.4), (boxes["Cy"], 4)))
    assert face is not None
    assert ann is not None
    assert cy is not None
    assert np.abs(face - ann).max() < 25 < np.abs(face - cy).max()  # a person has one colour


def test_clips_are_cut_where_only_the_body_is_seen(
    filmed: tuple[Script, Path], command: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(filmed[1], tmp_path / "out")
    for number, expected in (("2", ("3.400", "5.400", "0")), ("1", ("0.000", "3.000", "10"))):
        done = command("pick", number, "-o", out, "--pad", "0", "--clips", "precise", "-q")
        assert (done.returncode, done.stderr) == (0, "")
        (row,) = rows(out / "spans.csv")
        assert (row["start"], row["end"], row["hits"]) == expected
        length = round((float(row["end"]) - float(row["start"])) * 25)
        assert len(frames_of(out / row["clip"])) == length
        crops = rows(out / "crops" / "crops.csv")
        assert bool(crops) == (number == "1")


def test_of_who_is_seen_by_the_body_alone_there_is_a_snapshot_or_none(
    filmed: tuple[Script, Path], command: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(filmed[1], tmp_path / "out")
    done = command("pick", "2", "-o", out, *NOTHING, "--snapshots", "-q")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_name_of_two_who_have_no_face_is_for_once_too(out: Path, command: Command) -> None:
    done = command("pick", SEEN_8, SEEN_3, "--name", "Cy", "-o", out, *NOTHING)
    assert done.returncode == 0
    assert [name for name, _ in listed(census(command, out))] == [""] * 4
    assert "the name is not kept" in done.stderr


def test_the_name_of_who_has_no_face_is_for_once(out: Path, command: Command) -> None:
    done = command("pick", SEEN_3, "--name", "Di", "-o", out, *NOTHING)
    assert done.returncode == 0
    assert "the name is not kept: a person whose face is never seen cannot be recognised in another shot" in done.stderr
    assert spans(out, "target", "hits") == [("Di", "0")]
    assert [name for name, _ in listed(census(command, out))] == [""] * 5
    done = command("pick", "1", "--name", "Ann", "-o", out, *NOTHING)
    assert "not kept" not in done.stderr
    assert [name for name, _ in listed(census(command, out))] == ["Ann", "", "", "", ""]


def test_who_is_picked_with_another_is_one_with_them_from_then_on(out: Path, command: Command) -> None:
    done = command("pick", "1", SEEN_8, "--name", "Ann", "-o", out, "--pad", "0", *NOTHING)
    assert done.returncode == 0, done.stderr
    assert "1 and 3 are one person from now on" in done.stderr
    assert spans(out, "video", "target", "start", "end", "hits") == [
        ("a.mp4", "Ann", "0.000", "10.000", "40"),
        ("b.mp4", "Ann", "2.000", "13.000", "10"),
    ]
    assert (out / "banks" / "Ann.npz").exists()
    found = primary(out)
    assert (len(found["time"]), len(found["body_time"])) == (50, 10 + 40)
    assert command("pick", "2", "-o", out, *NOTHING, "-q").returncode == 0  # who is still the second
    said = census(command, out)
    assert seconds(said) == [(20.0, 10.0, 50), *EVERYONE[1:2], *EVERYONE[3:]]
    assert said["persons"][0]["name"] == "Ann"
    assert command("pick", "Ann", "--split", "-o", out, "-q").returncode == 0
    said = census(command, out)
    assert (seconds(said), said["persons"][0]["name"]) == (EVERYONE, "Ann")


def test_numbers_are_refused_once_bodies_tell_something_else(out: Path, draw: Draw, command: Command) -> None:
    for films, bodies in ((FILMS, False), ({"b.mp4": (*B[:3], replace(B[3], body=((15, 17.4),)))}, True)):
        draw(out, films, bodies=bodies)
        (line,) = errors(command("pick", "1", "-o", out, *NOTHING, "-q"), 2, 1)
        assert "who is who has changed" in line
        census(command, out)
        assert command("pick", "1", "-o", out, *NOTHING, "-q").returncode == 0
