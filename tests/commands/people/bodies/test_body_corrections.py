"""Corrections of persons who are seen by the body."""

import json
from pathlib import Path

import numpy as np
import pytest
from body_index import (
    ANN,
    BO,
    EVERYONE,
    SEEN_2_6,
    SEEN_3,
    SEEN_8,
    Draw,
    Passage,
    seconds,
    table,
)
from census_tools import Command, census
from cli_tools import errors

from fastface.index.store import VideoIndex


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
