"""Write timelines for editing programs and players from the spans of an output folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fastface.errors import ConfigError
from fastface.export.timelines.writer import WrittenTimelines, write_timelines
from fastface.index.ledger import Ledger
from fastface.runtime.output_folder import OutputFolder, require_index
from fastface.types import TimelineFormat


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
    known = get_args(TimelineFormat)
    if unknown := sorted(set(formats) - set(known)):
        raise ConfigError(f"--as {','.join(unknown)!r}: must be some of {', '.join(known)}")
    require_index(out)
    folder = OutputFolder(out)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        return write_timelines(out, ledger, formats or known, pretend=pretend)
