"""What the ledger gives of many videos at once equals what it gives of each."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from index_tools import INFO

from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoRecord, VideoState


def unit(key: str, *, dense: bool = False, portraits: int = 0) -> UnitRecord:
    return UnitRecord(key, Fraction(1, 3), Fraction(2), dense=dense, portraits=portraits, covered=Fraction(7, 5))


def filled(path: Path) -> Ledger:
    """Videos with several units, one, and none; one that failed, and one that waits."""
    ledger = Ledger(path)
    ledger.put_waiting({"waiting.mp4": Path("/films/waiting.mp4")})
    info = replace(INFO, duration=Fraction(1001, 30))
    ledger.put_video(VideoRecord("b.mp4", Path("/films/b.mp4"), "1-2-c", "key", "done", info=info, num_units=2))
    ledger.put_video(VideoRecord("a.mp4", INFO.path, "1-3-c", "key", info=INFO, num_units=1))
    ledger.put_video(VideoRecord("failed.mp4", Path("/films/f"), "", "key", "failed", "no frames"))
    ledger.put_unit("b.mp4", unit("000001", portraits=3))
    ledger.put_unit("b.mp4", unit("000000"))
    ledger.put_unit("b.mp4", unit("0-2", dense=True))
    ledger.put_unit("a.mp4", unit("000000"))
    ledger.put_unit("a.mp4", unit("1-2", dense=True, portraits=2))
    return ledger


def test_videos_with_their_units_are_those_of_single_calls(tmp_path: Path) -> None:
    with filled(tmp_path / "state.sqlite") as ledger:
        found = list(ledger.iterate_videos())
        assert [record.video_id for record, _ in found] == ["a.mp4", "b.mp4", "failed.mp4", "waiting.mp4"]
        assert [record for record, _ in found] == ledger.videos()
        assert [record for record, _ in found] == [ledger.video(record.video_id) for record, _ in found]
        assert [units for _, units in found] == [[*ledger.units(record.video_id).values()] for record, _ in found]
        assert [len(units) for _, units in found] == [2, 3, 0, 0]
        assert [record.video_id for record, _ in ledger.iterate_videos({"b.mp4", "unknown.mp4"})] == ["b.mp4"]


def test_videos_without_the_facts_of_their_probes(tmp_path: Path) -> None:
    with filled(tmp_path / "state.sqlite") as ledger:
        brief = ledger.videos(with_info=False)
        assert brief == [replace(record, info=None) for record in ledger.videos()]
        assert [record.num_units > 0 for record in brief] == [record.info is not None for record in ledger.videos()]


def test_states_are_those_of_the_records(tmp_path: Path) -> None:
    with filled(tmp_path / "state.sqlite") as ledger:
        assert ledger.video_states() == [
            VideoState("a.mp4", "scanning", "", is_begun=True, duration=None),
            VideoState("b.mp4", "done", "", is_begun=True, duration=1001 / 30),
            VideoState("failed.mp4", "failed", "no frames", is_begun=True, duration=None),
            VideoState("waiting.mp4", "scanning", "", is_begun=False, duration=None),
        ]


def test_videos_are_selected_by_their_units(tmp_path: Path) -> None:
    with filled(tmp_path / "state.sqlite") as ledger:
        assert ledger.pictured_videos() == {"b.mp4"}  # a closer look keeps no pictures
        assert ledger.closer_videos() == {"a.mp4", "b.mp4"}


def test_a_folder_has_scans_once_a_video_is_begun(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state.sqlite") as ledger:
        ledger.put_waiting({"a.mp4": Path("/films/a.mp4")})
        assert not ledger.has_scans()
        ledger.put_video(VideoRecord("a.mp4", Path("/films/a.mp4"), "1-3-c", "key"))
        assert ledger.has_scans()


def test_a_ledger_can_be_written_while_its_videos_are_iterated(tmp_path: Path) -> None:
    count = 2500  # more than a block of rows
    with Ledger(tmp_path / "state.sqlite") as ledger:
        ledger.put_waiting({f"{number:04d}.mp4": Path(f"/films/{number}") for number in range(count)})
        seen = []
        for record, _ in ledger.iterate_videos():
            seen.append(record.video_id)
            if len(seen) % 1000 == 1:
                ledger.put_unit(record.video_id, unit("000000"))
        assert seen == [f"{number:04d}.mp4" for number in range(count)]
