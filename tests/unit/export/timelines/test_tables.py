"""LosslessCut's segments and the table of presence, read by Python's csv and Arrow."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.tables import render_losslesscut, render_presence
from fastface.export.timelines.timeline import Timeline
from fastface.names import valid_text


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def _parquet(shown: Timeline) -> pa.Table:
    return pq.read_table(io.BytesIO(bytes(render_presence(shown)["presence.parquet"])))


def test_losslesscut_gets_start_end_and_label_in_the_time_of_a_player() -> None:
    files = render_losslesscut(timeline(span("Alice", "1", "3.5", "0.25"), span("Bob, B.", "2", "2.04")))
    assert files == {"losslesscut.csv": '1.250,3.750,Alice\r\n2.000,2.040,"Bob, B."\r\n'}


def test_a_hostile_label_of_losslesscut_is_one_cell_on_one_line() -> None:
    (text,) = render_losslesscut(hostile_timeline()).values()
    assert text.count("\n") == len(HOSTILE)
    found = _rows(text)
    assert [row[:2] for row in found] == [[f"{2 * place}.000", f"{2 * place + 3}.000"] for place in range(len(HOSTILE))]
    labels = [row[2] for row in found]
    assert {"'=1+1", "quote \" and ' and `", ", comma"} <= set(labels)
    assert not any(label.startswith(("=", "+", "-", "@")) for label in labels)


def test_presence_has_a_row_a_second_and_a_column_a_person() -> None:
    shown = timeline(span("Alice", "1", "2"), span("Bob", "1.999", "4.001"), end="5.5")
    assert (
        render_presence(shown)["presence.csv"]
        == "second,Alice,Bob\r\n0,0,0\r\n1,1,1\r\n2,0,1\r\n3,0,1\r\n4,0,1\r\n5,0,0\r\n"
    )


def test_presence_counts_the_seconds_of_a_player_and_reaches_the_last_span() -> None:
    shown = timeline(span("Alice", "0.5", "1.4", "0.6"), end="1")
    assert render_presence(shown)["presence.csv"] == "second,Alice\r\n0,0\r\n1,1\r\n"  # from 1.1 to 2.0


def test_hostile_names_are_columns_of_presence() -> None:
    files = render_presence(hostile_timeline())
    header, *rest = _rows(str(files["presence.csv"]))
    assert len(header) == len(HOSTILE) + 1
    assert {len(row) for row in rest} == {len(header)}
    assert "'=1+1" in header
    assert "line\nbreak\r\nhere" in header
    # Each person is in three seconds of its span; spans begin on whole seconds.
    assert [sum(int(row[place]) for row in rest) for place in range(1, len(header))] == [3] * len(HOSTILE)
    table = _parquet(hostile_timeline())
    assert set(table.column_names) == {"second", *map(valid_text, HOSTILE)}
    assert [sum(table[valid_text(name)].to_pylist()) for name in HOSTILE] == [3] * len(HOSTILE)


def test_a_person_of_the_name_of_the_first_column_has_a_column() -> None:
    shown = timeline(span("second", "1", "2"), span("second (person)", "0", "1"), end="2")
    assert _parquet(shown).to_pydict() == {
        "second": [0, 1],
        "second (person)": [True, False],
        "second (person) (person)": [False, True],
    }


def test_parquet_has_the_cells_of_the_csv_table() -> None:
    table = _parquet(timeline(span("Alice", "1", "2"), span("Bob", "1.999", "4.001"), end="5.5"))
    assert table.to_pydict() == {
        "second": [0, 1, 2, 3, 4, 5],
        "Alice": [False, True, False, False, False, False],
        "Bob": [False, True, True, True, True, False],
    }
