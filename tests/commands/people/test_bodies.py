"""`people` and `pick` of an index with bodies: drawn, so that every figure can be worked out by hand."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from census_tools import Command, census, identities, listed, rows
from cli_tools import errors
from index_tools import INFO
from people_tools import body_portrait, portrait

from fastface.config import load_config
from fastface.demo.film import Encoding, draw_film
from fastface.demo.recogniser import DIMENSION
from fastface.demo.script import Script
from fastface.distribution import VERSION
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.runtime.index_settings import build_index_settings
from fastface.runtime.networks import open_networks
from fastface.runtime.output_folder import OutputFolder
from fastface.types import NUM_COLOURS, Bodies, Faces, SampledFrames, Thumbnails

RATE = 5
"""Samples a second: 0.2 s each."""

LENGTH = 20
"""Seconds of each video; both together are 40."""

ANN, BO, ZOE, POOR = range(4)
"""Axes of embeddings: nobody is like anybody else."""

Stretch = tuple[float, float]
"""[from, to) in seconds."""


@dataclass(frozen=True)
class Passage:
    """Somebody who is one body track, and a track of faces for each stretch in which the face is seen."""

    who: int = POOR
    body: tuple[Stretch, ...] = ()
    face: tuple[Stretch, ...] = ()
    score: float = 0.8
    quality: float = 0.75
    pictured: tuple[tuple[float, float], ...] = ()
    """(time, score) of the bodies of which there is a picture."""
    portraits: tuple[float, ...] = ()
    """Times of the faces of which there is one."""


A = (
    # 10 s, of which 2 s by body, from 4 s on.
    Passage(ANN, body=((0, 10),), face=((0, 4), (6, 10)), portraits=(1.0, 3.0, 7.0), pictured=((5.0, 0.9),)),
    # 5.2 s: 2 s by body, hidden for 1.8 s, 3.2 s by face.
    Passage(BO, body=((5, 7), (8.8, 12)), face=((8.8, 12),), pictured=((6.0, 0.7), (9.0, 0.99))),
    Passage(body=((11, 14),), pictured=((12.0, 0.9),)),  # never a face: 3 s, of which 1 s beside Bo
    Passage(body=((15, 20),), score=0.5),  # a vase
    Passage(ZOE, body=((17.2, 18.4),), face=((18, 18.4),)),  # two faces: too few to be listed, as 0.8 s by body are
)
B = (
    Passage(ANN, body=((2, 4),), face=((2, 4),)),
    Passage(body=((5, 13),), pictured=((6.0, 0.85), (9.0, 0.95))),  # never a face: 8 s
    Passage(body=((12, 13),), score=0.7),  # never, and for 1 s, beside the one before
    Passage(body=((15, 17.6),), face=((15, 17),), quality=0.1),  # 2.6 s, of which 2 s with a face that is too poor
)
FILMS = {"a.mp4": A, "b.mp4": B}

SEEN_8, SEEN_3, SEEN_2_6 = "3", "4", "5"
"""The numbers of those whose face is never seen: after Ann, of 12 s, and Bo, of 5.2 s."""

NOTHING = ("--clips", "none", "--crops", "none")


# ── an index without a film ─────────────────────────────────────────────────────────────────────────────────────────


def samples(stretches: tuple[Stretch, ...], rate: int) -> list[float]:
    return [k / rate for start, end in stretches for k in range(round(start * rate), round(end * rate))]


def body_box(place: int) -> tuple[float, float, float, float]:
    return 20.0 + 350 * place, 100.0, 320.0 + 350 * place, 1000.0


def face_box(place: int) -> tuple[float, float, float, float]:
    return 120.0 + 350 * place, 120.0, 220.0 + 350 * place, 240.0


def drawn_faces(film: tuple[Passage, ...], rate: int, first: int) -> tuple[Faces, list[int]]:
    """All faces by time, and the passage that each is of."""
    drawn = []
    tracks = first
    for place, one in enumerate(film):
        for stretch in one.face:
            drawn += [(time, place, tracks) for time in samples((stretch,), rate)]
            tracks += 1
    drawn.sort()
    count, places = len(drawn), [place for _, place, _ in drawn]
    time = np.array([time for time, _, _ in drawn], np.float64)
    faces = Faces(
        time=time,
        pts=np.round(time * 1000).astype(np.int64),
        boxes=np.array([face_box(place) for place in places], np.float32).reshape(-1, 4),
        landmarks=np.zeros((count, 5, 2), np.float32),
        det_score=np.full(count, 0.9, np.float32),
        quality=np.array([film[place].quality for place in places], np.float32),
        sharpness=np.full(count, 500, np.float32),
        yaw=np.zeros(count, np.float32),
        track=np.array([track for _, _, track in drawn], np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=np.eye(DIMENSION, dtype=np.float16)[[film[place].who for place in places]],
    )
    return faces, places


def drawn_bodies(film: tuple[Passage, ...], rate: int, first: int, faces: Faces, of_faces: list[int]) -> Bodies:
    """All bodies by time."""
    drawn = sorted((time, place) for place, one in enumerate(film) for time in samples(one.body, rate))
    row = {(pts, place): number for number, (pts, place) in enumerate(zip(faces.pts.tolist(), of_faces, strict=True))}
    count, time = len(drawn), np.array([time for time, _ in drawn], np.float64)
    score = {(time, place): score for place, one in enumerate(film) for time, score in one.pictured}
    jpeg = np.full(count, None, np.object_)
    for number, (_, place) in enumerate(drawn):
        if drawn[number] in score:
            jpeg[number] = body_portrait(place).jpeg
    return Bodies(
        time=time,
        pts=np.round(time * 1000).astype(np.int64),
        boxes=np.array([body_box(place) for _, place in drawn], np.float32).reshape(-1, 4),
        person_score=np.array([score.get(one, film[one[1]].score) for one in drawn], np.float32),
        colours=np.eye(NUM_COLOURS, dtype=np.float16)[[place for _, place in drawn]],
        face=np.array([row.get((round(time * 1000), place), -1) for time, place in drawn], np.int32),
        track=np.array([first + place for _, place in drawn], np.int32),
        jpeg=jpeg,
    )


def write_index(
    index: VideoIndex,
    film: tuple[Passage, ...],
    metadata: dict[str, str],
    *,
    rate: int = RATE,
    first: int = 0,
    scale: float = 1.0,
    bodies: bool = True,
) -> None:
    """The index of one video, as a scan leaves it; tracks are numbered from `first` on."""
    faces, places = drawn_faces(film, rate, first)
    faces.boxes[:] *= scale
    pictured = [row for row, place in enumerate(places) if faces.time[row] in film[place].portraits]
    shown = faces[np.array(pictured, np.int64)]
    pictures = Thumbnails.of(shown, shown.quality, [portrait(places[row]).jpeg for row in pictured])
    wanted = drawn_bodies(film, rate, first, faces, places)
    wanted.boxes[:] *= scale
    told = (lambda _: wanted) if bodies else None
    index.write_frames(SampledFrames.empty(), metadata)
    index.write_faces([faces], DIMENSION, metadata, lambda found: found.track, lambda _: pictures, bodies=told)


Draw = Callable[..., None]


@pytest.fixture(scope="module")
def draw(pack: Path, command: Command) -> Draw:
    """Makes OUT an index of some videos, in place of what it knows of them."""

    def drawn(out: Path, films: dict[str, tuple[Passage, ...]] = FILMS, *, rate: int = RATE, **more: Any) -> None:
        config = load_config(flags={"models": {"dir": pack}, "scan": {"sample_fps": rate}})
        index_settings, folder = build_index_settings(config.scan, open_networks(config), VERSION), OutputFolder(out)
        with Ledger(folder.ledger) as ledger:
            for video_id, film in films.items():
                write_index(VideoIndex(folder.index, video_id), film, index_settings.metadata, rate=rate, **more)
                facts = {"rotation": 0, "time_base": Fraction(1, 1000), "rate": Fraction(25), "start_pts": 0}
                info = replace(INFO, video_id=video_id, duration=Fraction(LENGTH), **facts)
                ledger.put_video(
                    VideoRecord(video_id, info.path, video_id, index_settings.key, "done", coverage=1.0, info=info)
                )

    return drawn


@pytest.fixture(scope="module")
def counted(draw: Draw, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of the two videos, and of `people`; tests that change it copy it."""
    out = tmp_path_factory.mktemp("counted") / "out"
    draw(out)
    done = command("people", "-o", out, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


@pytest.fixture
def out(counted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(counted, tmp_path / "out")


def seconds(said: dict[str, Any]) -> list[tuple[float, float, int]]:
    """(seconds, of which only the body is seen, faces) of each listed person."""
    return [(round(one["seconds"], 6), round(one["body_seconds"], 6), one["faces"]) for one in said["persons"]]


EVERYONE = [(12.0, 2.0, 50), (5.2, 2.0, 16), (8.0, 8.0, 0), (3.0, 3.0, 0), (2.6, 2.6, 0)]


def table(out: Path, name: str, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in rows(out / "people" / name)]


# ── the census ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_persons_go_on_while_their_faces_are_not_seen(counted: Path) -> None:
    columns = ("person", "faces", "tracks", "seconds", "body_seconds", "share", "best_quality", "videos")
    assert table(counted, "people.csv", *columns) == [
        ("1", "50", "3", "12.000", "2.000", "0.3000", "0.7500", "2"),
        ("2", "16", "1", "5.200", "2.000", "0.1300", "0.7500", "1"),
        ("3", "0", "0", "8.000", "8.000", "0.2000", "", "1"),
        ("4", "0", "0", "3.000", "3.000", "0.0750", "", "1"),
        ("5", "0", "0", "2.600", "2.600", "0.0650", "", "1"),
    ]
    assert table(counted, "people.csv", "first_video", "first", "last_video", "last") == [
        ("a.mp4", "0.000", "b.mp4", "4.000"),
        ("a.mp4", "5.000", "a.mp4", "12.000"),
        ("b.mp4", "5.000", "b.mp4", "13.000"),
        ("a.mp4", "11.000", "a.mp4", "14.000"),
        ("b.mp4", "15.000", "b.mp4", "17.600"),
    ]


def test_every_face_is_counted_once(out: Path, command: Command) -> None:
    said = census(command, out)
    assert seconds(said) == EVERYONE
    # 50 and 16; Zoe's two; of the ten that are too poor nothing is known but that a body is there.
    assert (said["faces"], said["listed"], said["unlisted"], said["poor"]) == (78, 66, [1, 2], 10)
    assert said["passing"] == 1
    # Zoe's bodies are hers, listed or not.
    said = census(command, out, "--min-faces", "1")
    assert seconds(said) == [*EVERYONE[:2], (1.2, 0.8, 2), *EVERYONE[2:]]
    assert (said["unlisted"], said["passing"]) == ([0, 0], 1)


@pytest.mark.parametrize("gap", [2.0, 1.0])
def test_appearances_tell_where_no_face_is_seen(out: Path, command: Command, gap: float) -> None:
    assert command("people", "-o", out, "-q", "-s", f"people.join_gap={gap}").returncode == 0
    bo = [("2", "a.mp4", "5.000", "12.000", "16")]
    if gap < 1.8:
        bo = [("2", "a.mp4", "5.000", "7.000", "0"), ("2", "a.mp4", "8.800", "12.000", "16")]
    assert table(out, "appearances.csv", "person", "video", "start", "end", "faces") == [
        ("1", "a.mp4", "0.000", "10.000", "40"),
        ("1", "b.mp4", "2.000", "4.000", "10"),
        *bo,
        ("3", "b.mp4", "5.000", "13.000", "0"),
        ("4", "a.mp4", "11.000", "14.000", "0"),
        ("5", "b.mp4", "15.000", "17.600", "0"),
    ]


def test_who_is_seen_by_the_body_alone_is_there_too(out: Path, command: Command) -> None:
    # From 5 to 6 s Ann and Bo are both seen by the body alone, up to 7 s only Bo is; from 8.8 to 10 s none is.
    # From 11 to 12 s Bo is seen, and the one whose face never is.
    expected = [("1", "2", "3.200"), ("2", "4", "1.000")]
    assert table(out, "together.csv", "person", "other", "seconds") == expected
    # The one who is seen for a second is so beside another whose face is never seen.
    assert command("people", "-o", out, "--min-seconds", "0.9", "-q").returncode == 0
    assert table(out, "together.csv", "person", "other", "seconds") == [*expected, ("3", "6", "1.000")]


def test_videos_in_which_nobody_was_followed_are_told(out: Path, command: Command, pack: Path) -> None:
    told = "persons were followed in 1 of 2 videos"
    assert told not in command("people", "-o", out).stderr
    (out / ".fastface" / "index" / "b.mp4" / "bodies.parquet").unlink()
    assert told in command("people", "-o", out).stderr
    # There is no person network here, and none is wanted to count.
    assert not list(pack.rglob("*yolo*"))
    assert command("people", "-o", out, "-s", "scan.track=persons", "-q").returncode == 0


def test_who_shows_the_face_hardly_is_listed_if_the_body_is_seen_long_enough(out: Path, command: Command) -> None:
    # Zoe's two faces are too few, her body is seen for 0.8 s.
    assert seconds(census(command, out, "--min-seconds", "0.8"))[2] == (1.2, 0.8, 2)
    assert seconds(census(command, out, "--min-seconds", "0.9"))[2] == EVERYONE[2]


def test_who_is_never_seen_by_the_face_comes_last_however_they_are_ranked(out: Path, command: Command) -> None:
    ann, bo, *rest = EVERYONE
    assert rest[0][0] > bo[0]
    for rank, first in (("seconds", [ann, bo]), ("quality", [ann, bo]), ("coverage", [ann, bo])):
        assert seconds(census(command, out, "--rank", rank)) == [*first, *rest], rank
    # Faces of the second from the left are nearer the middle than those of the first. Bodies are no nearer than faces.
    assert seconds(census(command, out, "--rank", "centrality")) == [bo, ann, *rest]


def test_who_is_hardly_seen_is_told_of_and_not_listed(out: Path, command: Command) -> None:
    shortly = "not listed: the face is never seen, the body only briefly"
    for least, unlisted in (("2", "1 person "), ("2.7", "2 persons "), ("3", "2 persons "), ("3.1", "3 persons ")):
        done = command("people", "-o", out, "--min-seconds", least)
        assert done.returncode == 0
        (line,) = [line for line in done.stdout.splitlines() if line.endswith(shortly)]
        assert line == unlisted + shortly
        said = census(command, out, "--min-seconds", least)
        assert seconds(said) == [*EVERYONE[:2], *(one for one in EVERYONE[2:] if one[0] >= float(least))]
        assert (said["passing"], said["unlisted"]) == (int(unlisted[0]), [1, 2])
    assert shortly not in command("people", "-o", out, "--min-seconds", "0.9").stdout
    assert seconds(census(command, out, "--min-seconds", "0.9")) == [*EVERYONE, (1.0, 1.0, 0)]


def test_who_is_beyond_the_first_few_is_not_said_to_be_hardly_seen(out: Path, command: Command) -> None:
    assert census(command, out, "--top", "2")["passing"] == 1


def test_the_first_few_are_listed_whether_or_not_their_faces_are_seen(out: Path, command: Command) -> None:
    for top in range(1, 6):
        said = census(command, out, "--top", str(top))
        assert seconds(said) == EVERYONE[:top]
        assert [row["person"] for row in rows(out / "people" / "people.csv")] == [str(n + 1) for n in range(top)]
    assert seconds(census(command, out, "--top", "6")) == EVERYONE


def test_portraits_are_of_faces_and_of_bodies_only_where_there_is_none(counted: Path) -> None:
    people = counted / "people"
    pictures = {path.relative_to(people).as_posix(): path.read_bytes() for path in people.glob("*/*.jpg")}
    assert pictures == {
        # One of each track before the second of one; the body is left out.
        "1/a.mp4_1.000_0.jpg": portrait(0).jpeg,
        "1/a.mp4_7.000_1.jpg": portrait(0).jpeg,
        "1/a.mp4_3.000_2.jpg": portrait(0).jpeg,
        # No picture was kept of the face: where it is seen, a picture of the body is none of who is not seen.
        "2/a.mp4_6.000_0.jpg": body_portrait(1).jpeg,
        "3/b.mp4_9.000_0.jpg": body_portrait(1).jpeg,
        "3/b.mp4_6.000_1.jpg": body_portrait(1).jpeg,
        "4/a.mp4_12.000_0.jpg": body_portrait(2).jpeg,
    }
    assert [row["crop"] for row in rows(people / "people.csv")] == [
        "people/1/a.mp4_1.000_0.jpg",
        "people/2/a.mp4_6.000_0.jpg",
        "people/3/b.mp4_9.000_0.jpg",
        "people/4/a.mp4_12.000_0.jpg",
        "",
    ]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_bodies_take_no_room_from_faces(out: Path, command: Command, most: int) -> None:
    assert command("people", "-o", out, "-q", "-s", f"people.portraits={most}").returncode == 0
    counts = {folder: len(list((out / "people" / folder).glob("*.jpg"))) for folder in ("1", "2", "3", "4")}
    assert counts == {"1": most, "2": 1, "3": min(most, 2), "4": 1}


def test_the_mean_of_no_face_is_none(counted: Path) -> None:
    with np.load(counted / "people" / "embeddings.npz", allow_pickle=False) as file:
        found = dict(file)
    assert (found["person"].tolist(), found["faces"].tolist()) == ([1, 2], [50, 16])
    np.testing.assert_allclose(found["embedding"], np.eye(DIMENSION)[[ANN, BO]], atol=1e-3)
    assert len(set(found["identity"].tolist())) == 2
    assert identities(counted / ".fastface" / "identities.sqlite") == [("", 50), ("", 16)]


def test_a_second_census_changes_nothing(out: Path, command: Command) -> None:
    census(command, out)  # the page names the folder, which is a copy

    def state() -> dict[str, bytes]:
        files = [path for path in (out / "people").rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in (*files, out / ".fastface" / "people.json")}

    before, known = state(), identities(out / ".fastface" / "identities.sqlite")
    assert len(before) == 1 + 6 + 7
    for _ in range(2):
        census(command, out)
        assert state() == before
        assert identities(out / ".fastface" / "identities.sqlite") == known


def test_an_index_without_bodies_is_of_faces_alone(out: Path, draw: Draw, command: Command) -> None:
    draw(out, bodies=False)
    said = census(command, out)
    assert seconds(said) == [(10.0, 0.0, 50), (3.2, 0.0, 16)]
    assert (said["listed"], said["unlisted"], said["poor"], said["passing"]) == (66, [1, 2], 10, 0)
    assert table(out, "appearances.csv", "person", "video", "start", "end", "faces") == [
        ("1", "a.mp4", "0.000", "10.000", "40"),
        ("1", "b.mp4", "2.000", "4.000", "10"),
        ("2", "a.mp4", "8.800", "12.000", "16"),
    ]
    assert table(out, "together.csv", "person", "other", "seconds") == [("1", "2", "1.200")]
    assert [path.name for path in (out / "people").iterdir() if path.is_dir()] == ["1"]
    # One video with bodies among others without them is no worse off.
    draw(out, {"a.mp4": A})
    assert seconds(census(command, out)) == [*EVERYONE[:2], EVERYONE[3]]
    draw(out)
    assert seconds(census(command, out)) == EVERYONE


def test_where_nobody_shows_a_face_all_are_persons_without_one(draw: Draw, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    draw(out, {"b.mp4": B[1:3]})
    said = census(command, out)
    assert (seconds(said), said["faces"], said["passing"]) == ([(8.0, 8.0, 0)], 0, 1)
    with np.load(out / "people" / "embeddings.npz", allow_pickle=False) as file:
        assert (file["person"].tolist(), file["embedding"].shape) == ([], (0, DIMENSION))
    assert command("pick", "1", "-o", out, *NOTHING, "-q").returncode == 0
    assert [row["hits"] for row in rows(out / "spans.csv")] == ["0"]
    draw(out, {"b.mp4": ()})
    assert census(command, out)["persons"] == []


# ── pick ────────────────────────────────────────────────────────────────────────────────────────────────────────────

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


# ── corrections ─────────────────────────────────────────────────────────────────────────────────────────────────────


def corrected(command: Command, out: Path, *given: str) -> list[tuple[float, float, int]]:
    """What `pick --json` says there is now, and `people` says again."""
    done = command("pick", *given, "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["faces"] == said["listed"] + said["unlisted"][1] + said["poor"] + said["rejected"] == 78
    assert seconds(said) == seconds(census(command, out))
    return seconds(said)


def test_a_body_is_joined_to_a_person_until_it_is_split_off(out: Path, command: Command) -> None:
    for _ in range(2):
        shown = json.loads((out / ".fastface" / "people.json").read_text())["census"]
        joined = corrected(command, out, "1", SEEN_8, "--merge")
        assert joined == [(20.0, 10.0, 50), EVERYONE[1], *EVERYONE[3:]]
        assert table(out, "appearances.csv", "person", "video", "start", "end", "faces")[:2] == [
            ("1", "a.mp4", "0.000", "10.000", "40"),
            ("1", "b.mp4", "2.000", "13.000", "10"),  # a second lies between
        ]
        assert not (out / "hits.csv").exists()
        # The fourth was another one before.
        (line,) = errors(command("pick", SEEN_3, "--reject", "--census", shown, "-o", out, "-q"), 2, 1)
        assert line.endswith("open people.html again")
        assert corrected(command, out, "1", "--split") == EVERYONE
    # Told by a face, and one track of faces: there is nothing more to take off.
    (line,) = errors(command("pick", "2", "--split", "-o", out, "-q"), 2, 1)
    assert "person 2 has a single track and cannot be split: " in line


def test_a_track_that_is_two_persons_is_split_for_good(draw: Draw, command: Command, tmp_path: Path) -> None:
    out, film = tmp_path / "out", (Passage(ANN, face=((0, 4),)), Passage(BO, face=((4, 9),)))
    index = VideoIndex(out / ".fastface" / "index", "a.mp4")

    def scan_again() -> None:
        draw(out, {"a.mp4": film}, bodies=False)
        index.rewrite_tracks(np.zeros(45, np.int32))  # as where a dissolve led from one to the other

    scan_again()
    assert command("people", "-o", out, "-q").returncode == 0
    assert table(out, "people.csv", "faces") == [("45",)]
    done = command("pick", "1", "--split", "-o", out, "-q")
    assert done.returncode == 0, done.stderr
    assert sorted(table(out, "people.csv", "faces")) == [("20",), ("25",)]
    tracks = index.faces().tracks
    assert len(set(tracks[:20].tolist())) == len(set(tracks[20:].tolist())) == 1
    assert tracks[0] != tracks[20]
    scan_again()
    assert command("people", "-o", out, "-q").returncode == 0
    assert sorted(table(out, "people.csv", "faces")) == [("20",), ("25",)]
    (line,) = errors(command("pick", "1", "--split", "-o", out, "-q"), 2, 1)
    assert line.endswith("cannot be split: each cut is between faces with a similarity of 1.00 or more")


def test_two_without_a_face_are_one_until_they_are_split(out: Path, command: Command) -> None:
    assert corrected(command, out, SEEN_3, SEEN_8, "--merge") == [*EVERYONE[:2], (11.0, 11.0, 0), EVERYONE[4]]
    assert table(out, "people.csv", "person", "videos")[2] == ("3", "2")
    # And a third, and all of them with Bo, beside whom one is seen for a second: that counts once.
    assert corrected(command, out, "3", SEEN_2_6, "--merge") == [*EVERYONE[:2], (13.6, 13.6, 0)]
    joined = corrected(command, out, "2", "3", "--merge")
    assert [(total, faces) for total, _, faces in joined] == [(17.8, 16), (12.0, 50)]
    assert corrected(command, out, "2", "--split") == EVERYONE
    (line,) = errors(command("pick", SEEN_8, "--split", "-o", out, "-q"), 2, 1)
    assert line.endswith("person 3 has a single track and cannot be split")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # Ann and Bo, who are both seen by the body alone from 5 to 6 s: 12 s of the first video, 4 to 6 s by body.
        (("1", "2", "--merge"), [(14.0, 2.0, 66), *EVERYONE[2:]]),
        # Ann's second and third track of faces, and the first: up to 4.8 s the body is the first one's, then theirs.
        (("1", "--split"), [(7.0, 1.0, 30), EVERYONE[1], (5.0, 1.0, 20), *EVERYONE[2:]]),
    ],
    ids=["merge", "split"],
)
def test_bodies_go_with_the_faces_that_are_merged_and_split(
    out: Path, command: Command, said: tuple[str, ...], expected: list[tuple[float, float, int]]
) -> None:
    assert corrected(command, out, *said) == expected


def test_what_is_seen_twice_is_once_in_the_time_by_body(out: Path, command: Command) -> None:
    assert seconds(census(command, out, "--min-seconds", "1"))[5] == (1.0, 1.0, 0)
    # The last second of eight is that of both.
    done = command("pick", SEEN_8, "6", "--merge", "-o", out, "--json")
    assert seconds(json.loads(done.stdout)) == EVERYONE
    # For one of three seconds Bo's face is seen.
    done = command("pick", "2", SEEN_3, "--merge", "-o", out, "--json")
    assert seconds(json.loads(done.stdout))[1] == (7.2, 4.0, 16)


def test_what_was_said_of_bodies_outlives_another_scan(out: Path, draw: Draw, command: Command) -> None:
    assert corrected(command, out, "1", SEEN_8, "--merge")[0] == (20.0, 10.0, 50)
    assert corrected(command, out, SEEN_3, "--reject") == [(20.0, 10.0, 50), EVERYONE[1], EVERYONE[4]]
    # Twice as many samples, so that Zoe has faces enough, and other numbers of all tracks.
    draw(out, rate=10, first=30)
    assert seconds(census(command, out)) == [(20.0, 10.0, 100), (5.2, 2.0, 32), (1.2, 0.8, 4), EVERYONE[4]]
    # Without bodies there is nothing that it speaks of.
    draw(out, bodies=False)
    assert seconds(census(command, out)) == [(10.0, 0.0, 50), (3.2, 0.0, 16)]
    assert command("pick", "2", "--reject", "-o", out, "-q").returncode == 0
    draw(out)
    assert seconds(census(command, out)) == [(20.0, 10.0, 50), EVERYONE[4]]
    assert command("pick", "--restore", "-o", out, "-q").returncode == 0
    assert seconds(census(command, out)) == [(20.0, 10.0, 50), EVERYONE[1], *EVERYONE[3:]]
    assert corrected(command, out, "1", "--split") == EVERYONE


def test_who_is_rejected_is_listed_no_more_by_face_or_by_body(out: Path, command: Command) -> None:
    done = command("pick", SEEN_8, "--reject", "-o", out)
    assert done.returncode == 0
    assert "person 3 is no longer listed" in done.stderr
    said = census(command, out)
    assert (seconds(said), said["rejected"], said["passing"]) == ([*EVERYONE[:2], *EVERYONE[3:]], 0, 1)
    assert seconds(census(command, out, "--min-seconds", "0.9")) == [*EVERYONE[:2], *EVERYONE[3:], (1.0, 1.0, 0)]
    # What only Ann's body is seen in goes with her faces.
    census(command, out)
    assert corrected(command, out, "1", "--reject") == [EVERYONE[1], *EVERYONE[3:]]
    said = census(command, out)
    assert (said["rejected"], said["listed"], said["passing"]) == (50, 16, 1)
    assert table(out, "together.csv", "person", "other", "seconds") == [("2", SEEN_3, "1.000")]
    assert corrected(command, out, "--restore") == EVERYONE


def test_who_was_put_together_is_rejected_as_one(out: Path, command: Command) -> None:
    assert corrected(command, out, "1", SEEN_8, "--merge")[0] == (20.0, 10.0, 50)
    assert corrected(command, out, "1", "--reject") == [EVERYONE[1], *EVERYONE[3:]]
    assert corrected(command, out, "--restore")[0] == (20.0, 10.0, 50)
    assert corrected(command, out, "1", "--split") == EVERYONE
