"""Tables of fastface are read by the names of their columns, and a damaged table is an error of one kind."""

from pathlib import Path

import pytest

from fastface.csv_cells import read_csv


def test_columns_are_found_by_name_and_quoted_cells_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'a,b,c\r\n1,"x,\n""y""",3\r\n,,\r\n')
    assert list(read_csv(path, ("c", "b"))) == [("3", 'x,\n"y"'), ("", "")]
    path.write_bytes(b"a,b\r\n")
    assert list(read_csv(path, ("a", "b"))) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not in list"),
        (b"a,c\r\n1,2\r\n", "not in list"),
        (b"a,b\r\n1\r\n", "1 cells in a row of 2 columns"),
        (b"a,b\r\n1,\xe9\r\n", "utf-8"),
        (b"a,b\r\n1," + b"x" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_a_damaged_table_is_an_error_of_values(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        list(read_csv(path, ("a", "b")))
