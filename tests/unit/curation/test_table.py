"""The table and the contact sheet's layout: what stands where."""

import csv
import os
from pathlib import Path

import numpy as np
from PIL import Image

from fastface.curation.candidates import Candidate
from fastface.curation.contact_sheet import COLUMNS, Page, lay_out
from fastface.curation.contact_sheet_page import draw_page
from fastface.curation.set_folder import COLUMNS as CELLS
from fastface.curation.set_folder import write_curation
from fastface.curation.sources import Source
from fastface.types import FramingClass, Strip, Tile


def kept(number: int, framing: FramingClass = "half") -> Candidate:
    source = Source(Path(f"/crops/{number}.jpg"), True, "/crops", 0.0)
    return Candidate(source, framing=framing, reason="chosen", name=f"{number}.jpg")


def test_pages_hold_rows_of_one_class_each(tmp_path: Path) -> None:
    pictures = [*(kept(n, "close-up") for n in range(9)), *(kept(n, "full") for n in range(9, 80))]
    pages = lay_out(pictures, tmp_path)
    assert [page.path.name for page in pages] == ["contact.png", "contact-2.png"]
    headings = [[strip.heading for strip in page.strips] for page in pages]
    assert headings == [["close-up: 9", "", "full: 71", "", "", "", "", ""], ["full, continued", "", ""]]
    tiles = [tile for page in pages for strip in page.strips for tile in strip.tiles]
    assert [tile.picture for tile in tiles] == [tmp_path / f"{n}.jpg" for n in range(80)]
    assert max(len(strip.tiles) for page in pages for strip in page.strips) == COLUMNS
    assert [len(page.strips) for page in lay_out([], tmp_path)] == [0]


def test_a_page_shows_thumbnails_in_their_places(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    tiles = []
    for number, colour in enumerate(colours):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (300, 150), colour).save(path)
        tiles.append(Tile(path, (f"a very long name of a picture {number:060}.png", "frontal · score 0.50")))
    page = Page(tmp_path / "contact.png", (Strip("half: 3", tuple(tiles)),))
    draw_page(page)
    assert page.path.stat().st_mode & 0o777 == 0o600
    with Image.open(page.path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    for number, colour in enumerate(colours):
        rows, columns = np.nonzero((pixels == colour).all(axis=2))
        # A picture of 2:1 is 160 × 80 in its tile; tiles are 170 apart.
        assert (np.ptp(columns) + 1, np.ptp(rows) + 1, columns.min()) == (160, 80, 16 + 170 * number)
    draw_page(Page(tmp_path / "empty.png", ()))
    assert (tmp_path / "empty.png").exists()


def test_names_of_all_kinds_stay_in_their_cells(tmp_path: Path) -> None:
    names = ['a,b"c.jpg', "two\nlines.jpg", os.fsdecode(b"caf\xe9.jpg")]
    candidates = [Candidate(Source(Path("/crops") / name, True, "/crops", 0.0), reason="=1+1") for name in names]
    write_curation(tmp_path / "curation.csv", candidates)
    assert (tmp_path / "curation.csv").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "curation.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == CELLS
    assert [row[0] for row in rows] == ['/crops/a,b"c.jpg', "/crops/two\nlines.jpg", "/crops/caf\\xe9.jpg"]
    assert {row[3] for row in rows} == {"'=1+1"}
    assert {tuple(row[4:]) for row in rows} == {("",) * (len(CELLS) - 4)}
