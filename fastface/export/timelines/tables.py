"""Write tables: segments for LosslessCut, and presence by the second as CSV and as Parquet."""

from collections.abc import Collection
from math import ceil, floor

import pyarrow as pa
import pyarrow.parquet as pq

from fastface.csv_cells import format_csv, seconds_cell
from fastface.export.timelines.timeline import Timeline, format_label
from fastface.names import text_cell, valid_text

_KEY = "second"
"""First column of the table of presence."""


def render_losslesscut(timeline: Timeline) -> dict[str, str]:
    """Return `losslesscut.csv`: start and end in seconds of a player, and a label; no header."""
    rows = (
        (
            seconds_cell(float(span.player_start)),
            seconds_cell(float(span.player_end)),
            text_cell(format_label(span.person)),
        )
        for span in timeline.spans
    )
    return {"losslesscut.csv": format_csv(rows)}


def render_presence(timeline: Timeline) -> dict[str, str | bytes]:
    """Return `presence.csv` and `presence.parquet`: a row a second, a column a person.

    A cell is 1 (true) if any part of the second lies in a span of the person, else 0 (false). Seconds are those of a
    player, from 0 to the end of the video.
    """
    seen = {_name_column(person, timeline.persons): flags for person, flags in _list_presence(timeline).items()}
    length = len(next(iter(seen.values())))
    columns = (_KEY, *map(text_cell, seen))
    rows = ((second, *(flags[second] for flags in seen.values())) for second in range(length))
    names, arrays = [_KEY], [pa.array(range(length), pa.int32())]
    for column, flags in seen.items():
        names.append(valid_text(column))
        arrays.append(pa.array(map(bool, flags), pa.bool_()))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, names), sink)
    return {"presence.csv": format_csv((columns, *rows)), "presence.parquet": sink.getvalue().to_pybytes()}


def _name_column(person: str, persons: Collection[str]) -> str:
    """Return the name of a person's column; a person with the name of the first column has another one."""
    name = person
    while name == _KEY or (name != person and name in persons):
        name += " (person)"
    return name


def _list_presence(timeline: Timeline) -> dict[str, bytearray]:
    """Return {person: a byte for each second, 1 if the person is seen}."""
    length = ceil(max(timeline.player_end or 0, *(span.player_end for span in timeline.spans)))
    seen = {person: bytearray(length) for person in timeline.persons}
    for span in timeline.spans:
        first, end = floor(span.player_start), ceil(span.player_end)
        seen[span.person][first:end] = b"\1" * (end - first)
    return seen
