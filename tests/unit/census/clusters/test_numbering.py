"""Numbers of persons: who has which in the next census. Tracks and persons are made up; no file but the numbers'."""

from pathlib import Path

import numpy as np
import pytest

from fastface.census.clusters.numbering import CensusTracks, Numbering
from fastface.errors import FaceIndexError

ALIKE = 0.9


def census(*places: int, source: str = "film", weights: list[int] | None = None, turned: bool = False) -> CensusTracks:
    """Track 0, 1, … of one film, each of the person at that place; each person has a direction of its own."""
    count = max(places, default=-1) + 1
    centroid = np.eye(max(count, 1), 8, dtype=np.float16)[:count]
    return CensusTracks(
        sources=[source],
        video=np.zeros(len(places), np.int64),
        is_body=np.zeros(len(places), np.bool_),
        number=np.arange(len(places)),
        weight=np.array(weights or [1] * len(places), np.int64),
        place=np.array(places, np.int64),
        centroid=centroid[::-1] if turned else centroid,
        contract="net",
        num_persons=count,
    )


def after(*shown: CensusTracks) -> Numbering:
    numbering = Numbering()
    for tracks in shown:
        numbering = numbering.with_census(tracks, numbering.assign(tracks, ALIKE))
    return numbering


def test_the_first_census_numbers_by_rank_and_another_order_changes_nothing() -> None:
    assert Numbering().assign(census(0, 1, 2), ALIKE).numbers == (1, 2, 3)
    assert after(census(0, 1, 2)).assign(census(2, 0, 1), ALIKE).numbers == (2, 3, 1)


def test_a_merger_keeps_the_smaller_number_and_the_other_leads_to_it() -> None:
    found = after(census(0, 1, 2, 3)).assign(census(0, 1, 1, 2), ALIKE)
    assert (found.numbers, found.aliases) == ((1, 2, 4), {3: 2})


def test_parts_of_a_merger_get_their_numbers_back() -> None:
    assert after(census(0, 1, 2, 3), census(0, 1, 1, 2)).assign(census(0, 1, 2, 3), ALIKE).numbers == (1, 2, 3, 4)


def test_the_larger_part_of_a_person_keeps_the_number_and_the_other_gets_a_new_one() -> None:
    found = after(census(0, 0, 1, weights=[1, 5, 1])).assign(census(0, 1, 2, weights=[1, 5, 1]), ALIKE)
    assert found.numbers == (3, 1, 2)


def test_a_number_of_nobody_listed_waits_and_is_given_to_nobody_else() -> None:
    numbering = after(census(0, 1), census(0, -1))
    found = numbering.assign(census(0, -1), ALIKE)
    assert (found.numbers, found.unlisted) == ((1,), {2})
    assert numbering.assign(census(0, 1), ALIKE).numbers == (1, 2)


def test_after_another_scan_the_look_says_whose_number_it_is() -> None:
    found = after(census(0, 1, 2)).assign(census(0, 1, 2, source="scanned anew", turned=True), ALIKE)
    assert found.numbers == (3, 2, 1)


def test_a_forgotten_film_takes_the_looks_of_its_persons_along_but_their_numbers_stay_used() -> None:
    first, other = census(0, 1, source="a key"), census(0, source="b key")
    both = CensusTracks(
        sources=["a key", "b key"],
        video=np.array([0, 0, 1]),
        is_body=np.zeros(3, np.bool_),
        number=np.array([0, 1, 0]),
        weight=np.ones(3, np.int64),
        place=np.array([0, 1, 0]),
        centroid=first.centroid,
        contract="net",
        num_persons=2,
    )
    rest = after(both).without_videos({"a"})
    assert (rest.owner.tolist(), rest.source.tolist(), list(rest.look)) == ([1], ["b key"], [1])
    assert rest.last == 2
    assert rest.assign(other, ALIKE).numbers == (1,)
    # Scanned again, the person of the forgotten film alone is new.
    assert rest.assign(both, ALIKE).numbers == (1, 3)


def test_numbers_are_read_as_they_were_written(tmp_path: Path) -> None:
    numbering = after(census(0, 1, 2), census(0, 1, 1))
    numbering.save(tmp_path / "numbers.npz")
    assert (tmp_path / "numbers.npz").stat().st_mode & 0o777 == 0o600
    for tracks in (census(0, 1, 1), census(0, 1, 2), census(0, 1, 2, source="scanned anew")):
        assert Numbering.load(tmp_path / "numbers.npz").assign(tracks, ALIKE) == numbering.assign(tracks, ALIKE)
    (tmp_path / "numbers.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(FaceIndexError, match="remove it"):
        Numbering.load(tmp_path / "numbers.npz")
