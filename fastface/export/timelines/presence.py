"""Write a table of presence: a row a second, a column a person."""

from math import ceil, floor

from fastface.csv_cells import format_csv
from fastface.export.timelines.timeline import Timeline
from fastface.names import text_cell


def render_presence(timeline: Timeline) -> dict[str, str]:
    """Return `presence.csv`: 1 if any part of the second lies in a span of the person, else 0.

    Seconds are those of a player, from 0 to the end of the video.
    """
    persons = timeline.persons
    length = ceil(max(timeline.player_end or 0, *(span.player_end for span in timeline.spans)))
    seen = {person: bytearray(length) for person in persons}
    for span in timeline.spans:
        first, end = floor(span.player_start), ceil(span.player_end)
        seen[span.person][first:end] = b"\1" * (end - first)
    columns = ("second", *map(text_cell, persons))
    rows = ((second, *(seen[person][second] for person in persons)) for second in range(length))
    return {"presence.csv": format_csv((columns, *rows))}
