"""Define `fastface status`: print which videos are done, running, failed or left.

`cli.app` registers it. The work is in `commands.status`; this module only parses options and prints.
"""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.options import Invocation, with_settings
from fastface.cli.output import as_json, out_option, say
from fastface.names import clean_text, pluralize, shorten_lines
from fastface.runtime.events.progress import clock_text, speed_text

if TYPE_CHECKING:
    from fastface.commands.status import Status

_MOST_LINES = 20
_MOST_SCANS = 5
_MOST_NAMED = 5
"""Maximum number of persons, and of expressions, of an answer that are named."""


@with_settings()
def status(invocation: Invocation, out: Out = OUT_FOLDER) -> None:
    """Show which videos are done, running, failed or left. This works during a run too.

    Example: fastface status -o out
    """
    from fastface.commands.status import read_status

    found = read_status(out)
    if invocation.json:
        as_json(asdict(found))
        return
    for line in _lines(found, str(out)):
        say(line)


def _lines(found: "Status", out: str) -> list[str]:
    """Describe the folder, its scans, and the first videos that are not done."""
    from fastface.index.video_state import STATE_WORDS

    running = "not running" if found.process is None else f"running (process {found.process or 'unknown'})"
    scans = _describe_scans(found)
    if not found.states:
        what = "nothing is scanned"
        if found.purged is not None:
            what = f"all faces were removed by purge on {_local(found.purged)}"
        return [f"{out}: {running}; {what}; to scan: fastface scan VIDEOS{out_option(out)}", *scans]
    num_left = found.states.get("scanning", 0) + found.states.get("waiting", 0)
    share = f"{found.share or 0.0:.0%} scanned" if num_left else "nothing left to scan"
    if not num_left and found.states.get("unstable"):
        share = "nothing left to scan but files that were still being written"
    parts = [running, share]
    parts += [speed_text(found.speed)] if found.speed is not None else []
    parts += [f"about {clock_text(found.seconds_left)} left"] if found.seconds_left is not None else []
    counts = [f"{found.states[state]} {words}" for state, words in STATE_WORDS.items() if found.states.get(state)]
    total = pluralize(sum(found.states.values()), "video")
    first = f"{out}: {', '.join(parts)}; {total}: {', '.join(counts)}"
    kept = [f"{pluralize(found.decisions, 'decision')} of your review in every question"] if found.decisions else []
    return [first, *scans, *_describe_answers(found), *kept, *shorten_lines(found.not_done, _MOST_LINES)]


def _describe_answers(found: "Status") -> list[str]:
    """Describe the answers in the folder, one a line, the last one first."""
    lines = []
    for answer in found.answers:
        title = ", ".join(map(clean_text, shorten_lines(answer.targets, _MOST_NAMED)))
        if answer.where:
            title += f" where {'; '.join(map(clean_text, shorten_lines(answer.where, _MOST_NAMED)))}"
        name = f" {clean_text(answer.name)!r}" if answer.is_named else ""
        place = f"answer{name} in {answer.folder}" if answer.folder else f"last answer{name}"
        lines.append(f"{_local(answer.asked)} {place}: {title}")
    return shorten_lines(lines, _MOST_LINES)


def _describe_scans(found: "Status") -> list[str]:
    """Describe the last scans of the folder, one a line, the last one first."""
    lines = []
    for place, scan in enumerate(found.scans[:_MOST_SCANS]):
        if scan.end is None:
            end = "running" if found.process is not None and place == 0 else "killed"
        else:
            end = f"ended early: {scan.end.splitlines()[0].partition('. ')[0]}" if scan.end else "ended"
        what = f"{pluralize(scan.videos, 'video')} named, {scan.scanned} scanned"
        what += f", {scan.failed} failed" if scan.failed else ""
        lines.append(f"{_local(scan.started)} {scan.command}: {what}; {end}")
    if len(found.scans) > _MOST_SCANS:
        lines.append(f"and {pluralize(len(found.scans) - _MOST_SCANS, 'earlier scan')}")
    return lines


def _local(time: str) -> str:
    """Convert a UTC time of the log to the local time zone."""
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M}"
