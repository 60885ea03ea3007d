"""`fastface status`: what is done, running, failed, left."""

from dataclasses import asdict

from fastface.cli.arguments import OUT_FOLDER, Out
from fastface.cli.console import as_json, say
from fastface.cli.options import Invocation, with_settings
from fastface.commands.status import Status, read_status
from fastface.index.video_state import STATE_WORDS
from fastface.names import pluralize, shorten_lines
from fastface.runtime.progress import clock_text

_MOST_LINES = 20


@with_settings()
def status(invocation: Invocation, out: Out = OUT_FOLDER) -> None:
    """Show which videos are done, running, failed or left. This works during a run too.

    Example: fastface status -o out
    """
    found = read_status(out)
    if invocation.json:
        as_json(asdict(found))
        return
    for line in _lines(found, str(out)):
        say(line)


def _lines(found: Status, out: str) -> list[str]:
    """Describe the folder, and the first videos that are not done."""
    running = "not running" if found.process is None else f"running (process {found.process or 'unknown'})"
    if not found.states:
        return [f"{out}: {running}; no videos: nothing is scanned, or it was purged"]
    counts = [f"{found.states[state]} {words}" for state, words in STATE_WORDS.items() if found.states.get(state)]
    parts = [running, f"{found.share or 0.0:.0%} scanned"]
    parts += [f"about {clock_text(found.seconds_left)} left"] if found.seconds_left is not None else []
    total = pluralize(sum(found.states.values()), "video")
    return [f"{out}: {', '.join(parts)}; {total}: {', '.join(counts)}", *shorten_lines(found.not_done, _MOST_LINES)]
