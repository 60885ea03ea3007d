"""The state of a video out of its units' accounts, by hand arithmetic."""

from fractions import Fraction

import pytest

from fastface.index.records import UnitRecord
from fastface.index.video_state import judge


def unit(index: int, **facts: object) -> UnitRecord:
    values = {"decoded": 100, "sampled": 20, "inferred": 20, "covered": Fraction(4), **facts}
    return UnitRecord(f"{index:06d}", Fraction(4 * index), Fraction(4 * index + 4), dense=False, **values)  # type: ignore[arg-type]


def test_all_of_it_decoded_is_done() -> None:
    verdict = judge([unit(0), unit(1)], Fraction(8))
    assert (verdict.state, verdict.reason, verdict.coverage) == ("done", "", 1.0)


def test_no_declared_duration_has_no_coverage() -> None:
    assert judge([unit(0)], None).state == "done"
    assert judge([unit(0)], None).coverage is None


@pytest.mark.parametrize(("covered", "state"), [("3.92", "done"), ("3.9199", "partial")])
def test_the_limit_is_98_percent(covered: str, state: str) -> None:
    assert judge([unit(0, covered=Fraction(covered))], Fraction(4)).state == state


@pytest.mark.parametrize(
    ("fact", "word"),
    [({"errors": 1}, "1 packet could"), ({"quarantined": 1, "inferred": 19}, "searched 1 frame crashed")],
)
def test_one_failed_packet_or_frame_is_never_done(fact: dict[str, int], word: str) -> None:
    verdict = judge([unit(0, **fact)], Fraction(4))
    assert verdict.state == "partial"
    assert word in verdict.reason


def test_a_lost_unit_is_partial_and_all_lost_is_their_state() -> None:
    lost = unit(1, decoded=0, sampled=0, inferred=0, covered=Fraction(0), lost="quarantined: it ended 3 decoders")
    assert judge([unit(0), lost], Fraction(8)).state == "partial"
    verdict = judge([lost], Fraction(4))
    assert (verdict.state, verdict.reason, verdict.coverage) == ("quarantined", "it ended 3 decoders", 0.0)


def test_no_frame_at_all_is_a_failure_and_never_an_empty_film() -> None:
    verdict = judge([unit(0, decoded=0, sampled=0, inferred=0, covered=Fraction(0))], Fraction(4))
    assert (verdict.state, verdict.reason) == ("failed", "no frames")


def test_encrypted_packets_are_named() -> None:
    verdict = judge([unit(0), unit(1, decoded=0, sampled=0, inferred=0, errors=100, encrypted=100)], Fraction(8))
    assert (verdict.state, verdict.reason) == ("partial", "100 encrypted packets could not be decoded")
    verdict = judge([unit(0, errors=103, encrypted=100)], Fraction(4))
    assert verdict.reason == "3 packets could not be decoded; 100 encrypted packets could not be decoded"
    verdict = judge([unit(0, decoded=0, sampled=0, inferred=0, errors=100, encrypted=100)], Fraction(4))
    assert verdict.state == "failed"
    assert verdict.reason.startswith("encrypted")
