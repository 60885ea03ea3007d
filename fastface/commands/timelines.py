"""Write timelines for editing programs and players from the spans of an output folder."""

from collections.abc import Sequence
from pathlib import Path

from fastface.errors import ConfigError
from fastface.export.timelines.writer import FORMATS, WrittenTimelines, write_timelines
from fastface.index.ledger import Ledger
from fastface.runtime.output_folder import OutputFolder, require_index


def timelines(out: Path, formats: Sequence[str], *, pretend: bool = False) -> WrittenTimelines:
    """Write timelines of the last answer into OUT/timelines. Nothing is decoded, and no network is loaded.

    Args:
        out: The output folder.
        formats: Names of formats; none for all of them.
        pretend: Whether to write and remove nothing.

    Raises:
        ConfigError: There is no answer in `out`, or a format is unknown.
        LockedError: A run holds it.
        SpaceError: No space is left; the same call continues.
    """
    unknown = sorted(set(formats) - FORMATS.keys())
    if unknown:
        raise ConfigError(f"--formats {','.join(unknown)!r}: must be some of {', '.join(FORMATS)}")
    require_index(out)
    folder = OutputFolder(out)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        wanted = [name for name in FORMATS if name in formats or not formats]
        return write_timelines(out, ledger, wanted, pretend=pretend)
