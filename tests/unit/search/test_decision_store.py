"""The file of decisions: kept whole, private, in order; refused if it is damaged; without forgotten videos."""

import stat
from pathlib import Path

import numpy as np
import pytest

from fastface.errors import FaceIndexError
from fastface.index.anchors import encode_look
from fastface.search.decision_store import AppliedFile, DecidedFace, DecisionStore, StoredDecision

FACE = DecidedFace(
    time=1.5,
    box=(1.0, 2.0, 3.0, 4.0),
    look=encode_look(np.array([0.6, 0.8], np.float16), "arcface"),
    quality=0.5,
    yaw=-10.0,
    is_typical=True,
)


def decision(video: str, start: float = 0.0, **changes: object) -> StoredDecision:
    said = {"target": "Ann", "what": "span", "verdict": "rejected", "person": None, "tracks": ((FACE, FACE), (FACE,))}
    return StoredDecision(video=video, start=start, end=start + 2, **{**said, **changes})


STORE = DecisionStore(
    files=(
        AppliedFile(digest="one", decisions=(decision("a.mp4"), decision("b.mp4", 3.25))),
        AppliedFile(digest="two", decisions=(decision("'<b>\n.mp4", verdict="given", person="Bob"),)),
    )
)


def test_all_that_was_decided_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert DecisionStore.load(tmp_path) == DecisionStore()
    STORE.save(tmp_path)
    path = tmp_path / "decisions.json"
    assert DecisionStore.load(tmp_path) == STORE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.video for one in STORE.decisions] == ["a.mp4", "b.mp4", "'<b>\n.mp4"]


def test_the_last_file_goes_alone_and_nothing_leaves_no_file(tmp_path: Path) -> None:
    assert STORE.without_last("one") == STORE
    rest = STORE.without_last("two")
    assert [file.digest for file in rest.files] == ["one"]
    rest.without_last("one").save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_decisions_on_forgotten_videos_go_with_their_faces() -> None:
    rest = STORE.without_videos({"'<b>\n.mp4", "a.mp4"})
    assert [(file.digest, [one.video for one in file.decisions]) for file in rest.files] == [("one", ["b.mp4"])]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"schema_version":1', '"schema_version":2'),
        ('"quality":0.5', '"quality":"0.5"'),
        ('"quality":0.5', '"quality":NaN'),
        (f'"look":"{FACE.look}"', '"look":"arcface:?"'),
        (f'"look":"{FACE.look}"', '"look":"arcface:AAAA"'),  # three bytes are no float16s
        ('"person":"Bob"', '"person":null'),
        ("}", ""),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, before: str, after: str) -> None:
    STORE.save(tmp_path)
    path = tmp_path / "decisions.json"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(FaceIndexError, match=r"decisions\.json.*remove it: then no decision is kept"):
        DecisionStore.load(tmp_path)
