"""`people` of an index with bodies."""

from pathlib import Path

import numpy as np
import pytest
from body_index import ANN, BO, EVERYONE, NOTHING, A, B, Draw, seconds, table
from census_tools import Command, census, identities, rows
from people_tools import body_portrait, portrait

from fastface.demo.recogniser import DIMENSION


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
    assert len(before) == 1 + 7 + 7  # people.json, the tables with names.csv, and the pictures
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
