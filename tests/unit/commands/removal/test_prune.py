"""`commands.removal.prune`: which videos are gone, by the ledger and the disk."""

from pathlib import Path

from fastface.commands.removal.prune import prune
from fastface.config import Config
from fastface.index.ledger import Ledger
from fastface.index.records import NameRecord, VideoRecord
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder
from fastface.video.identity.fingerprint import fingerprint, read_stamp


def test_a_name_that_the_file_has_lost_does_not_make_its_film_gone(tmp_path: Path) -> None:
    """b.mp4 was a copy of a.mp4, as another folder saw it; then another film took its place and was scanned."""
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    out = OutputFolder(tmp_path / "out")
    with Ledger(out.ledger) as ledger:
        for path in (first, second):
            record = VideoRecord(path.name, path, fingerprint(path), "key", "done", stamp=read_stamp(path), disk="/")
            ledger.put_video(record)
        ledger.put_names([NameRecord(second, fingerprint(first), "3-1-1", "/")])
    assert prune(Config(), out.root, Observer(), pretend=True).forgotten.videos == ()
    # Once its content is that of the first film, the second film is gone.
    second.write_bytes(b"one")
    assert prune(Config(), out.root, Observer(), pretend=True).forgotten.videos == ("b.mp4",)
