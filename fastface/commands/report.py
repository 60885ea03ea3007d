"""Write report.html of the last answer: at the end of a search, or again without a search."""

from pathlib import Path

from fastface.index.ledger import Ledger
from fastface.review.report.answer import read_answer
from fastface.review.report.report_page import REPORT, WrittenReport, write_report_page
from fastface.runtime.context import RunContext
from fastface.runtime.output_folder import OutputFolder, require_free, require_index
from fastface.runtime.run_report import RunResult


def report(out: Path) -> WrittenReport:
    """Write the page of the last answer in `out` again. Nothing is searched, and no network is loaded.

    Raises:
        ConfigError: There is no answer in `out`.
        LockedError: A run holds it.
        SpaceError: No space is left; the same call continues.
    """
    require_index(out)
    folder = OutputFolder(out)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        return write_report_page(folder, ledger)


def check_report(out: Path) -> None:
    """Check that `report` could write the page. Writes and locks nothing.

    Raises:
        ConfigError: There is no answer in `out`.
        LockedError: A run holds it.
    """
    require_index(out)
    require_free(out)
    with Ledger(out / ".fastface" / "state.sqlite", read_only=True) as ledger:
        read_answer(out, ledger)


def finish_report(context: RunContext, result: RunResult) -> None:
    """Write the page at the end of a search, once run.json is there; remove an outdated page if it is not wanted."""
    if context.config.export.report:
        written = write_report_page(context.out, context.ledger)
        result.more_files += (written.path.name,)
    else:
        (context.out.root / REPORT).unlink(missing_ok=True)
