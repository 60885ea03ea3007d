"""Names in pictures: drawn in a font that knows them, or said in words; never boxes."""

from pathlib import Path

import pytest
from PIL import ImageFont

from fastface.drawing import lettering as module
from fastface.drawing.lettering import lettering

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


@pytest.fixture
def _no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_font_files", lambda: ())


@pytest.mark.usefixtures("_no_fonts")
@pytest.mark.parametrize("name", ["Иван Петров", "王小明", "سارة", "👨\u200d👩\u200d👧", "", "?!"])
def test_a_name_that_no_font_knows_is_said_in_words(name: str) -> None:
    assert lettering(name, 17, "person 3")[1] == "person 3"


@pytest.mark.usefixtures("_no_fonts")
@pytest.mark.parametrize(("name", "drawn"), [("Alice", "Alice"), ("Alice 👩", "Alice"), ("R2-D2", "R2-D2")])
def test_letters_that_every_font_knows_are_drawn_without_the_rest(name: str, drawn: str) -> None:
    assert lettering(name, 17, "person 3")[1] == drawn


@pytest.mark.skipif(not DEJAVU.exists(), reason="DejaVu Sans is not installed")
@pytest.mark.parametrize(
    ("name", "drawn"), [("Иван Петров 👨\u200d👩\u200d👧", "Иван Петров"), ("Renée", "Renée"), ("王小明", "person 3")]
)
def test_an_installed_font_draws_what_it_knows(name: str, drawn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_font_files", lambda: (DEJAVU,))
    font, text = lettering(name, 17, "person 3")
    assert text == drawn
    assert isinstance(font, ImageFont.FreeTypeFont)
    box = bytes(font.getmask("\U0010fffe"))
    assert all(bytes(font.getmask(sign)) != box for sign in text if not sign.isspace())
