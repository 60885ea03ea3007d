"""`fleet.knowledge`: what the user decided in several folders is one, and contradictions are reported, not chosen."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from store_tools import D, axis, between, opened

from fastface.census.clusters.correction_log import LoggedCorrection, append_correction, log_path, read_corrections
from fastface.census.clusters.corrections import Corrections
from fastface.census.photo_names import read_names, write_names
from fastface.census.store.base import Encounter, Identity, Sighting, open_existing
from fastface.errors import FaceIndexError
from fastface.fleet.knowledge import KnowledgeFolder, merge_knowledge
from fastface.index.anchor_record import Anchor
from fastface.index.anchors import encode_look
from fastface.search.decision_store import AppliedFile, DecidedFace, DecisionStore, StoredDecision

CONTRACT = "arcface"
THRESHOLD = 0.5


class Folders:
    """A target and some folders to merge."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.target = self.state("target")

    def state(self, name: str) -> Path:
        state = self.root / name / ".fastface"
        state.mkdir(parents=True, exist_ok=True)
        return state

    def merge(self, *names: str, renamed: Mapping[str, str] | None = None) -> list[str]:
        return merge_knowledge(
            self.target, [KnowledgeFolder(self.state(name), repr(name), renamed or {}, CONTRACT) for name in names]
        )


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def decision(video: str, verdict: str, *, time: float = 1.5, target: str = "Ann", start: float = 0.0) -> StoredDecision:
    look = encode_look(np.array([0.6, 0.8], np.float16), CONTRACT)
    face = DecidedFace(time=time, box=(1.0, 2.0, 3.0, 4.0), look=look, quality=0.5, yaw=0.0, is_typical=True)
    person = None if verdict != "given" else "Bob"
    return StoredDecision.model_validate(
        {
            "video": video,
            "target": target,
            "start": start,
            "end": start + 2,
            "what": "span",
            "verdict": verdict,
            "person": person,
            "tracks": ((face,),),
        }
    )


def decide(state: Path, digest: str, *decisions: StoredDecision) -> None:
    DecisionStore.load(state).with_file(AppliedFile(digest=digest, decisions=decisions)).save(state)


def decided(state: Path) -> list[tuple[str, str, str]]:
    return [(one.video, one.target, one.verdict) for one in DecisionStore.load(state).decisions]


def test_decisions_are_joined_in_order_and_follow_the_names_of_their_videos(folders: Folders) -> None:
    decide(folders.target, "own", decision("own.mp4", "confirmed"))
    decide(folders.state("A"), "a", decision("a.mp4", "rejected"))
    decide(folders.state("B"), "b", decision("b.mp4", "given"))
    assert folders.merge("A", "B", renamed={"b.mp4": "b.mp4.12345678"}) == []
    wanted = [("own.mp4", "Ann", "confirmed"), ("a.mp4", "Ann", "rejected"), ("b.mp4.12345678", "Ann", "given")]
    assert decided(folders.target) == wanted
    assert folders.merge("A", "B") == []
    assert decided(folders.target) == wanted


@pytest.mark.parametrize(
    ("first", "second"), [("confirmed", "rejected"), ("given", "confirmed"), ("rejected", "given")]
)
def test_a_contradicting_decision_is_left_out_and_reported(folders: Folders, first: str, second: str) -> None:
    decide(folders.state("A"), "a", decision("film.mp4", first))
    agrees = first == "rejected"  # given to Bob is rejected for Ann
    decide(folders.state("B"), "b", decision("film.mp4", second, start=0.5), decision("other.mp4", "confirmed"))
    notes = folders.merge("A", "B")
    kept = [("film.mp4", "Ann", second)] if agrees else []
    assert decided(folders.target) == [("film.mp4", "Ann", first), *kept, ("other.mp4", "Ann", "confirmed")]
    assert len(notes) == (not agrees)
    assert all(f"Ann in film.mp4 at 0.500–2.500 s is {second} in 'B'" in note for note in notes)


def test_a_face_that_is_confirmed_for_two_persons_is_a_contradiction(folders: Folders) -> None:
    decide(folders.state("A"), "a", decision("film.mp4", "confirmed", target="Ann"))
    decide(folders.state("B"), "b", decision("film.mp4", "confirmed", target="Eve"))
    assert len(folders.merge("A", "B")) == 1
    assert decided(folders.target) == [("film.mp4", "Ann", "confirmed")]


def test_what_was_taken_back_in_the_target_stays_taken_back(folders: Folders) -> None:
    decide(folders.state("A"), "a", decision("a.mp4", "rejected"))
    folders.merge("A")
    DecisionStore().save(folders.target)
    folders.merge("A")
    assert decided(folders.target) == []
    decide(folders.state("A"), "later", decision("a.mp4", "confirmed", time=9.5, start=8.0))
    folders.merge("A")  # only the new file there counts
    assert decided(folders.target) == [("a.mp4", "Ann", "confirmed")]


def test_corrections_that_were_taken_back_in_the_target_stay_taken_back(folders: Folders) -> None:
    one, two, three = anchor("a.mp4"), anchor("a.mp4", 5.0), anchor("a.mp4", 9.0)
    correct(folders.state("A"), Corrections(same=((one, two),), rejected=((three,),)))
    folders.merge("A")
    correct(folders.target, Corrections())
    correct(folders.state("A"), Corrections(same=((one, two), (two, three)), rejected=((three,),)))
    folders.merge("A")
    assert corrected(folders.target) == Corrections(same=((two, three),))


def anchor(video: str, time: float = 1.0) -> Anchor:
    return Anchor(video, time, (1.0, 2.0, 3.0, 4.0))


def correct(state: Path, corrections: Corrections) -> None:
    corrections.save(state / "corrections.json")


def corrected(state: Path) -> Corrections:
    return Corrections.load(state / "corrections.json")


def test_corrections_are_joined(folders: Folders) -> None:
    one, two = anchor("a.mp4"), anchor("a.mp4", 5.0)
    three, four = anchor("b.mp4"), anchor("b.mp4", 5.0)
    correct(folders.state("A"), Corrections(same=((one, two),), rejected=((one,),)))
    correct(folders.state("B"), Corrections(different=(((three,), (four,)),), cuts=((three, four),)))
    before = Corrections(same=((anchor("own.mp4"), anchor("own.mp4", 3.0)),))
    correct(folders.target, before)
    append_correction(log_path(folders.target), LoggedCorrection("merge", (1, 2), "census", Corrections()))
    assert folders.merge("A", "B", renamed={"b.mp4": "B"}) == []
    renamed = anchor("B"), anchor("B", 5.0)
    assert corrected(folders.target) == Corrections(
        same=(*before.same, (one, two)),
        different=(((renamed[0],), (renamed[1],)),),
        rejected=((one,),),
        cuts=(renamed,),
    )
    # To undo the older correction would discard the corrections of the folders.
    assert read_corrections(log_path(folders.target)) == []


def test_contradicting_corrections_are_left_out_and_reported(folders: Folders) -> None:
    one, two, three = anchor("a.mp4"), anchor("a.mp4", 5.0), anchor("a.mp4", 9.0)
    joined = Corrections(same=((one, two),))
    correct(folders.state("A"), joined)
    correct(folders.state("B"), Corrections(different=(((one,), (two,)), ((one,), (three,)))))
    (note,) = folders.merge("A", "B")
    assert "a.mp4 at 1.000 s: two persons in 'B', but one in a folder before it" in note
    assert corrected(folders.target) == Corrections(same=joined.same, different=(((one,), (three,)),))
    correct(folders.state("C"), Corrections(same=((one, three),)))
    (note,) = folders.merge("C")
    assert "one person in 'C', but two in a folder before it" in note
    assert corrected(folders.target).same == joined.same


def test_tracks_that_photos_name_are_joined(folders: Folders) -> None:
    write_names(folders.state("A"), {"Ann": {"film1": [1, 2]}, "Bob": {"film1": []}})
    write_names(folders.state("B"), {"Ann": {"film2": [7]}})
    write_names(folders.target, {"Ann": {"film1": [1]}})
    folders.merge("A", "B")
    assert read_names(folders.target) == {"Ann": {"film1": [1], "film2": [7]}, "Bob": {"film1": []}}


def meet(state: Path, *persons: tuple[str, np.ndarray]) -> None:
    """A census of some persons, and their names."""
    with opened(str(state / "identities.sqlite"), contract=CONTRACT, dimension=D, threshold=THRESHOLD) as store:
        encounters = [
            Encounter(face, (Sighting("film", f"track {number}", 1),)) for number, (_, face) in enumerate(persons)
        ]
        for number, (name, _) in zip(store.tell(encounters, seen=1.0), persons, strict=True):
            store.name(number, name)
    (state / "people.json").write_text(json.dumps({"settings": {"link_threshold": THRESHOLD, "store": ""}}))


def known(state: Path) -> list[Identity]:
    with open_existing(str(state / "identities.sqlite")) as store:
        return store.identities()


def test_named_persons_are_known_in_the_target(folders: Folders) -> None:
    meet(folders.state("A"), ("Ann", axis(0)), ("", axis(1)))
    meet(folders.state("B"), ("Bob", axis(2)), ("Ann", between(0, 3, 0.9)))
    before = {path: path.read_bytes() for path in (folders.root / "A").rglob("*") if path.is_file()}
    assert folders.merge("A", "B") == []
    assert [one.name for one in known(folders.target)] == ["Ann", "Bob"]
    assert [float(one.centroid @ axis(n)) for one, n in zip(known(folders.target), (0, 2), strict=True)] == [1.0, 1.0]
    assert [one.sources for one in known(folders.target)] == [0, 0]
    assert folders.merge("A", "B") == []
    assert len(known(folders.target)) == 2
    assert {path: path.read_bytes() for path in (folders.root / "A").rglob("*") if path.is_file()} == before


def test_a_person_without_a_name_gets_it_and_keeps_its_number(folders: Folders) -> None:
    meet(folders.target, ("", axis(1)), ("", axis(0)))
    meet(folders.state("A"), ("Ann", between(0, 3, 0.9)))
    folders.merge("A")
    assert [(one.number, one.name) for one in known(folders.target)] == [(1, ""), (2, "Ann")]


def test_another_name_for_the_same_face_is_left_out_and_reported(folders: Folders) -> None:
    meet(folders.state("A"), ("Ann", axis(0)))
    meet(folders.state("B"), ("Anna", between(0, 3, 0.9)))
    (note,) = folders.merge("A", "B")
    assert note == "Anna in 'B' is Ann in a folder before it: Ann is kept"
    assert [one.name for one in known(folders.target)] == ["Ann"]


def test_one_name_for_two_faces_is_kept_twice_and_reported(folders: Folders) -> None:
    meet(folders.state("A"), ("Ann", axis(0)))
    meet(folders.state("B"), ("Ann", axis(1)))
    (note,) = folders.merge("A", "B")
    assert "Ann in 'B' does not look like Ann in a folder before it" in note
    assert [one.name for one in known(folders.target)] == ["Ann", "Ann"]


def test_names_without_a_census_wait_for_it(folders: Folders) -> None:
    meet(folders.state("A"), ("Ann", axis(0)))
    census = (folders.state("A") / "people.json").read_text()
    (folders.state("A") / "people.json").unlink()
    (note,) = folders.merge("A")
    assert "the names in 'A' are left out: run fastface people" in note
    (folders.state("A") / "people.json").write_text(census)
    assert folders.merge("A") == []
    assert [one.name for one in known(folders.target)] == ["Ann"]


def test_a_name_that_was_taken_back_in_the_target_stays_taken_back(folders: Folders) -> None:
    meet(folders.state("A"), ("Ann", axis(0)), ("", axis(1)))
    folders.merge("A")
    with open_existing(str(folders.target / "identities.sqlite")) as store:
        store.name(1, "")
    with open_existing(str(folders.state("A") / "identities.sqlite")) as store:
        store.name(2, "Bob")
    folders.merge("A")
    assert [one.name for one in known(folders.target)] == ["Bob"]


def test_a_damaged_record_of_merges_is_reported(folders: Folders) -> None:
    (folders.target / "merged.json").write_text("{")
    with pytest.raises(FaceIndexError, match="remove it: then all is merged again"):
        folders.merge()
