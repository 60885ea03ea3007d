"""Write subtitles: SubRip (.srt) and WebVTT (.vtt), one file a person, with the name on the screen during each span."""

from fractions import Fraction

from fastface.export.timelines.timeline import Timeline, format_label

_SUBRIP_SYNTAX = {"<": "‹", ">": "›", "{": "(", "}": ")"}
"""Players read tags in both brackets, and SubRip has no way to escape them; `-->` is the mark of a time line."""

_WEBVTT_SYNTAX = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""Character references of the W3C's WebVTT; with them `-->` cannot stand in a text."""


def render_srt(timeline: Timeline) -> dict[str, str]:
    """Return `<person>.srt` for each person. Times are those of a player."""
    return {
        timeline.name_file(person, ".srt"): "\n".join(
            f"{number}\n{start} --> {end}\n{format_label(person, _SUBRIP_SYNTAX)}\n"
            for number, (start, end) in enumerate(_list_times(timeline, person, ","), 1)
        )
        for person in timeline.persons
    }


def render_vtt(timeline: Timeline) -> dict[str, str]:
    """Return `<person>.vtt` for each person. Times are those of a player."""
    return {
        timeline.name_file(person, ".vtt"): "WEBVTT\n"
        + "".join(
            f"\n{start} --> {end}\n{format_label(person, _WEBVTT_SYNTAX)}\n"
            for start, end in _list_times(timeline, person, ".")
        )
        for person in timeline.persons
    }


def _list_times(timeline: Timeline, person: str, point: str) -> list[tuple[str, str]]:
    own = [span for span in timeline.spans if span.person == person]
    return [(_format_time(span.player_start, point), _format_time(span.player_end, point)) for span in own]


def _format_time(seconds: Fraction, point: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
