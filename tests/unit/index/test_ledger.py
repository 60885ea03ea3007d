"""What the ledger gives of many videos at once equals what it gives of each."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from index_tools import INFO

from fastface.index.ledger import Ledger
from fastface.index.records import UNIT_SUMS, UnitRecord, UnitSummary, VideoRecord, VideoState, VideoSummary


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


def test_summaries_have_the_facts_of_the_whole_records(tmp_path: Path) -> None:
    with filled(tmp_path / "state.sqlite") as ledger:
        info = replace(
            INFO, duration=Fraction(10, 3), player_offset=Fraction(1, 25), sound_end=Fraction(5), is_film=False
        )
        ledger.put_video(VideoRecord("c.mp4", Path("/films/c.mp4"), "1-4-c", "key", "partial", "cut", 0.5, info, 1))
        ledger.put_unit("c.mp4", replace(unit("000000"), sampled=9, faces=4, damaged=2, seconds={"decode": 0.1}))
        found = list(ledger.iterate_summaries())
        names = ["a.mp4", "b.mp4", "c.mp4", "failed.mp4", "waiting.mp4"]
        assert [video.video_id for video in found] == names
        for video, record in zip(found, ledger.videos(), strict=True):
            assert video[:7] == (*(getattr(record, name) for name in VideoSummary._fields[:7]),)
            probed = record.info
            assert video.duration == (float(probed.duration) if probed and probed.duration else None)
            assert video.player_offset == (float(probed.player_offset) if probed else 0.0)
            assert video.is_film == (probed is None or probed.is_film)
            assert video.units == tuple(
                UnitSummary(
                    tuple(getattr(one, name) for name in UNIT_SUMS), one.seconds, one.decoder, one.decoder_reason
                )
                for one in ledger.units(video.video_id).values()
            )
        assert [len(video.units) for video in found] == [2, 3, 1, 0, 0]
        assert [video.remarkable for video in found] == [None, None, info, None, None]


def test_the_paths_of_a_video_are_one_object(tmp_path: Path) -> None:
    with filled(tmp_path / "state.sqlite") as ledger:
        first, again = ledger.videos(), list(ledger.iterate_summaries())
        assert [one.path is other.path for one, other in zip(first, again, strict=True)] == [True] * 4


def test_the_number_of_statements_does_not_grow_with_the_videos(tmp_path: Path) -> None:
    """A query a video took most of the time of a run that had nothing to do."""
    with filled(tmp_path / "state.sqlite") as ledger:
        statements: list[str] = []
        ledger._database.set_trace_callback(statements.append)
        ledger.put_waiting({f"{number}.mp4": Path(f"/films/{number}.mp4") for number in range(3000)})
        ledger.videos(with_info=False)
        assert len(list(ledger.iterate_summaries())) == 3003
        reads = [statement for statement in statements if not statement.startswith("INSERT")]
        assert len(reads) == 5, reads  # BEGIN, DELETE, COMMIT and two queries


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
        assert [video.video_id for video in ledger.video_states(with_done=False)] == [
            "a.mp4", "failed.mp4", "waiting.mp4"
        ]  # fmt: skip


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
        for (video_id,) in ledger._iterate("SELECT video_id FROM videos ORDER BY video_id"):
            seen.append(video_id)
            if len(seen) % 1000 == 1:
                ledger.put_unit(video_id, unit("000000"))
        assert seen == [f"{number:04d}.mp4" for number in range(count)]
