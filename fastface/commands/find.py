"""Run `fastface find`: search the index of an output folder. The CLI and `api` call it.

Photos that are not known are read while the search is imported and the index is opened.
"""

from collections.abc import Sequence
from pathlib import Path

from fastface.commands.command_frame import apply_decisions, write_report
from fastface.commands.enroll import begin_enrolment
from fastface.config import Config
from fastface.diagnostics.preflight import look_back
from fastface.runtime.context import open_context
from fastface.runtime.events.observer import Observer
from fastface.runtime.run_report import RunResult


def find(config: Config, targets: Sequence[str], out: Path, observer: Observer) -> RunResult:
    """Search the index in `out`. Decodes only for exports, and for exact boundaries that are new to the index.

    Raises:
        ConfigError: There is no index in `out`, or the targets cannot be used.
        InterruptError, FastfaceError: See `commands.run.run`.
    """
    look_back(config, targets, out)
    with open_context(config, out, observer, "find") as context, write_report(context, "find") as result:
        apply_decisions(context)
        with begin_enrolment(context, targets) as enrolment:
            from fastface.commands import search_steps as steps  # noqa: PLC0415 - photos are read meanwhile
            from fastface.indexing.engine import open_engine  # noqa: PLC0415

            archive = context.track_archive()
            records = context.answered_records(with_info=False)
            references = steps.enrol_targets(context, enrolment, result)
        searcher = steps.open_searcher(context, references, records, archive, result)
        with open_engine(context) as engine:
            steps.look_closer(context, searcher, records, engine, result)
        steps.answer(context, searcher, records, result)
    return result
