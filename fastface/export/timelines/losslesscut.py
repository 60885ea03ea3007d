"""Write segments for LosslessCut: CSV without a header, start and end in seconds, and a label."""

from fastface.csv_cells import format_csv, seconds_cell
from fastface.export.timelines.timeline import Timeline, format_label
from fastface.names import text_cell


def render_losslesscut(timeline: Timeline) -> dict[str, str]:
    """Return `losslesscut.csv`. Times are those of a player."""
    rows = (
        (
            seconds_cell(float(span.player_start)),
            seconds_cell(float(span.player_end)),
            text_cell(format_label(span.person)),
        )
        for span in timeline.spans
    )
    return {"losslesscut.csv": format_csv(rows)}
