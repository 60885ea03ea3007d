"""`fastface report`: the page of the last answer, again."""

from dataclasses import asdict

from fastface.cli.arguments import OUT_FOLDERS, Outs
from fastface.cli.options import Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.names import pluralize


@with_settings()
def report(invocation: Invocation, out: Outs = OUT_FOLDERS) -> None:
    """Write report.html of the last answer again, to look through and to correct. Nothing is decoded.

    Example: fastface report -o out
    """
    from fastface.cli.console import make_observer, show
    from fastface.commands.merge import find_joined
    from fastface.commands.report import check_report
    from fastface.commands.report import report as report_workflow
    from fastface.review.report.report_page import REPORT

    where = find_joined(out)
    if invocation.dry_run:
        from fastface.diagnostics.dry_run import Preview

        check_report(where)
        show(Preview(output=(repr(str(where / REPORT)),)), invocation)
    observer = make_observer(invocation)
    done = report_workflow(where)
    for line in done.left_out:
        observer.note(f"left out of {REPORT}, which has a limit of size: {line}")
    if invocation.json:
        as_json({**asdict(done), "path": str(done.path)})
    elif not invocation.quiet:
        spans = pluralize(done.num_spans, "span")
        near_misses = pluralize(done.num_near_misses, "near miss", "near misses")
        say(f"wrote {done.path}: {spans}, {near_misses}, {pluralize(done.num_pictures, 'picture')}")
