"""What the user said of who is who: kept whole, taken back, refused if damaged, and found again after another scan."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people_tools import HOSTILE

from fastface.census.clusters.corrections import Corrections
from fastface.errors import FaceIndexError
from fastface.index.anchor_record import Anchor

BOX = (100.0, 50.0, 180.0, 150.0)


def anchor(number: int, video: str = "a.mp4") -> Anchor:
    return Anchor(video, number / 10, (float(number), 0.5, number + 80.25, 100.125))


A, B, C, D, E = (anchor(number) for number in range(5))


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────

finite = st.floats(allow_nan=False, allow_infinity=False)
anchors = st.builds(
    Anchor,
    st.text(st.characters(), max_size=20) | st.sampled_from(HOSTILE),
    finite,
    st.tuples(finite, finite, finite, finite),
    st.booleans(),
)
groups = st.lists(anchors, max_size=3).map(tuple)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.builds(
        Corrections,
        st.lists(groups, max_size=3).map(tuple),
        st.lists(st.tuples(groups, groups), max_size=3).map(tuple),
        st.lists(groups, max_size=3).map(tuple),
    )
)
def test_all_that_was_said_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, said: Corrections
) -> None:
    path = tmp_path_factory.getbasetemp() / "corrections.json"
    said.save(path)
    assert Corrections.load(path) == said


def test_hostile_names_of_videos_survive(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    names = [*HOSTILE, "a\x00b", "\udcff\udcfe.mp4", "\ud83d"]
    group = tuple(anchor(place, name) for place, name in enumerate(names))
    Corrections().with_merge(group).save(path)
    assert {one.video_id for one in Corrections.load(path).anchors} == set(names)
    path.read_bytes().decode("ascii")


def test_the_file_is_its_owners_and_the_same_for_the_same(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    said = Corrections().with_merge([B, A]).with_split([C], [D]).with_rejection([E])
    said.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    Corrections.load(path).save(path)
    assert path.read_bytes() == first
    assert json.loads(first)["schema_version"] == 1


def test_bodies_are_told_from_faces_and_a_file_from_before_there_were_any_is_of_faces(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    body = replace(A, is_body=True)
    said = Corrections().with_merge([A, body]).with_rejection([body]).with_split([A], [body])
    said.save(path)
    assert Corrections.load(path) == said
    assert [one["is_body"] for one in json.loads(path.read_bytes())["rejected"][0]] == [True]
    assert {one.is_body for one in Corrections.load(path).anchors} == {True, False}
    path.write_text(written(same=[[GOOD, {**GOOD, "is_body": True}]]))
    assert [one.is_body for one in Corrections.load(path).anchors] == [False, True]


def test_no_file_is_nothing_said(tmp_path: Path) -> None:
    assert Corrections.load(tmp_path / "none.json") == Corrections()


def written(**changes: object) -> str:
    return json.dumps({"schema_version": 1, "same": [], "different": [], "rejected": [], **changes})


GOOD = {"video_id": "a", "time": 1.0, "box": [0, 0, 1, 1]}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"7", b"{}", b"\xff\xfe", b'{"schema_version": 1}',
        written(schema_version=2), written(schema_version="1"), written(schema_version=None),
        written(same=7), written(same=[7]), written(same=["abc"]), written(same=[[{}]]), written(same=None),
        written(same=[[{**GOOD, "more": 1}]]), written(same=[[{**GOOD, "box": [1, 2, 3]}]]),
        written(same=[[{**GOOD, "box": "abcd"}]]), written(same=[[{**GOOD, "time": "soon"}]]),
        written(rejected=[[{**GOOD, "time": None}]]), written(same=[[{**GOOD, "box": None}]]),
        written(different=[[]]), written(different=[[[GOOD]]]), written(different=[[[GOOD], [GOOD], [GOOD]]]),
    ],
)  # fmt: skip
def test_a_damaged_file_is_told_in_one_line_and_left_as_it_is(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "c.json"
    kept = content.encode() if isinstance(content, str) else content
    path.write_bytes(kept)
    with pytest.raises(FaceIndexError) as caught:
        Corrections.load(path)
    (line,) = str(caught.value).splitlines()
    assert "c.json" in line
    assert path.read_bytes() == kept


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(FaceIndexError, match="cannot read"):
        Corrections.load(tmp_path)


# ── what is said takes back what was said ───────────────────────────────────────────────────────────────────────────


def test_what_is_merged_is_not_different_any_more() -> None:
    said = Corrections().with_split([A], [B]).with_split([C], [D])
    assert said.different == (((A,), (B,)), ((C,), (D,)))
    merged = said.with_merge([B, A])
    assert merged.same == ((A, B),)
    assert merged.different == (((C,), (D,)),)
    # Of a pair, one alone says nothing against it.
    assert said.with_merge([A, C]).different == said.different


def test_what_is_split_is_not_the_same_any_more() -> None:
    said = Corrections().with_merge([A, B, C, D]).with_merge([E, anchor(9)])
    split = said.with_split([A, B], [C, D])
    assert set(split.same) == {(A, B), (C, D), (E, anchor(9))}
    assert split.different == (((A, B), (C, D)),)
    assert set(Corrections().with_merge([A, B]).with_split([A], [B]).same) == set()


def test_they_take_each_other_back_again_and_again() -> None:
    said = Corrections()
    for _ in range(3):
        said = said.with_merge([A, B])
        assert (set(said.same), said.different) == ({(A, B)}, ())
        said = said.with_split([A], [B])
        assert (said.same, said.different) == ((), (((A,), (B,)),))


def test_what_is_parted_is_one_with_nobody_any_more() -> None:
    body, other = (replace(anchor(number), is_body=True) for number in (6, 7))
    said = (
        Corrections()
        .with_merge([A, body, B])
        .with_merge([body, other])
        .with_merge([C, D])
        .with_split([E], [body])
        .with_rejection([body])
    )
    parted = said.without_links([body])
    # Faces that were one person's stay so; a body that is alone is one with nobody.
    assert parted.same == ((A, B), (C, D))
    assert (parted.different, parted.rejected) == (said.different, said.rejected)
    assert said.without_links([body, other, A]).same == ((C, D),)
    assert said.without_links([other]).same == ((A, B, body), (C, D))
    assert said.without_links([E]) == said.without_links([]) == said
    assert parted.with_merge([body, A]).same == ((A, B), (C, D), (A, body))


def test_nothing_of_a_forgotten_film_stays() -> None:
    gone = [anchor(number, "gone.mp4") for number in range(3)]
    said = Corrections(
        same=((A, B, gone[0]), (C, gone[1])),
        different=(((A,), (gone[0],)), ((A, gone[0]), (C,))),
        rejected=((D, gone[2]), (gone[0],)),
        cuts=((A, B), (gone[0], gone[1])),
    )
    rest = Corrections(same=((A, B),), different=(((A,), (C,)),), rejected=((D,),), cuts=((A, B),))
    assert said.without_videos({"gone.mp4"}) == rest
    assert rest.without_videos({"gone.mp4"}) == rest


def test_what_is_said_twice_is_kept() -> None:
    said = Corrections().with_rejection([A, B]).with_rejection([C]).with_merge([A, D])
    assert said.rejected == ((A, B), (C,))
    assert set(said.anchors) == {A, B, C, D}


def test_what_was_said_before_is_not_changed() -> None:
    said = Corrections().with_merge([A, B])
    before = replace(said)
    said.with_split([A], [B])
    said.with_merge([C, D])
    said.with_rejection([A])
    said.without_links([A])
    assert said == before


def test_after_another_scan_it_is_the_same_under_the_new_faces() -> None:
    said = Corrections().with_merge([A, B, C]).with_split([D], [E, A]).with_rejection([D, C])
    one, two = anchor(11), anchor(12)
    now = said.with_anchors({A: one, B: one, D: two, anchor(77): two})
    assert now == Corrections(same=((one, C),), different=(((two,), (E, one)),), rejected=((two, C),))
    assert now.with_split([one], [C]).same == ()
    assert said.with_anchors({}) == said
