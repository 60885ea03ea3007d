"""Corrections in people.html in a real browser: many persons at once, keys, undo, and the saved file."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from browser_tools import CHROMIUM, Browser, browser
from people_tools import HOSTILE, VIDEOS, person, three

from fastface.export.tables.people_page import PageCensus, write_people_page
from fastface.types.people import Person

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

PRESSED = "[...document.querySelectorAll('.card:not([hidden]) .pick')].map((one) => one.getAttribute('aria-pressed'))"
CHANGES = "[...document.querySelectorAll('.change')].map((one) => one.textContent)"
TITLES = "[...document.querySelectorAll('.title')].map((one) => one.textContent)"
TROUBLE = "document.getElementById('trouble').textContent"
MARKS = {number: [f"{number:010x}"] for number in range(1, 30)}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def _open(page: Browser, folder: Path, persons: list[Person], rejected: Sequence[int] = (), **given: Any) -> None:
    options: dict[str, Any] = {"videos": VIDEOS, "out": "my out", "others": (0, 0), **given}
    census = PageCensus("0123456789ab", [MARKS[one.number] for one in persons], rejected)
    write_people_page(folder / "people.html", persons, census=census, **options)
    page.show(1400, 1000)
    page.run("typeof isSaved === 'undefined' || (isSaved = true)")  # the page asks before it closes with unsaved steps
    page.open(folder / "people.html")
    page.run("new Promise((done) => new IntersectionObserver(() => done()).observe(document.body))")


def _six() -> list[Person]:
    return [*three(), *(person(number, "", ("a.mp4", float(number), number + 2.0, 9)) for number in (11, 12, 13))]


def _click(page: Browser, selector: str, modifiers: int = 0) -> None:
    box = page.run(
        f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
        "one.scrollIntoView({ block: 'center' });"
        "const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        common = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1, "modifiers": modifiers}
        page.call("Input.dispatchMouseEvent", type=kind, **common)


SHIFT, CONTROL = 8, 2


def _key(page: Browser, key: str, modifiers: int = 0) -> None:
    common = {"key": key, "code": key, "modifiers": modifiers}
    text = {"text": key} if len(key) == 1 and not modifiers else {}
    page.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
    page.call("Input.dispatchKeyEvent", type="keyUp", **common)


def _type(page: Browser, text: str) -> None:
    page.run(f"{{ const name = document.getElementById('name'); name.focus(); name.value = {json.dumps(text)}; }}")


def _hero(number: int) -> str:
    return f'.card[data-number="{number}"] .hero'


def _save(page: Browser, folder: Path) -> dict[str, Any]:
    """The file that the button saves."""
    saved = folder / "saved"
    saved.mkdir()
    page.events.clear()
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(saved), eventsEnabled=True)
    _click(page, "#save-corrections")
    page.wait("Browser.downloadProgress", state="completed")
    (path,) = saved.iterdir()
    assert path.name == "people-corrections.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_many_persons_are_corrected_and_saved_as_one_file(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six(), rejected=[4, 5])
    for number in (2, 11):
        _click(page, _hero(number))
    _type(page, "  Bea ")
    _click(page, "#merge")
    assert page.run(CHANGES) == ["", "will be one person with #11", "", "will be one person with #2", "", ""]
    assert page.run(TITLES) == ["Alice", "Bea", "Bob", "Bea", "person 12", "person 13"]
    for number in (12, 13):
        _click(page, _hero(number))
    _click(page, "#reject")
    _click(page, _hero(10))
    _type(page, "Robert")
    _key(page, "Enter")
    _click(page, '.card[data-number="1"]')
    _click(page, '.card[data-number="1"] .cut[data-video="b/long.mkv"]')
    _click(page, "#rejected button")
    assert page.run(CHANGES)[0] == "another person in b/long.mkv"
    assert page.run("document.getElementById('steps').textContent").replace("\xa0", " ") == "5 corrections"
    assert page.run("document.getElementById('correct').textContent") == (
        "fastface correct people-corrections.json -o 'my out'"
    )
    assert _save(page, tmp_path) == {
        "schema_version": 1,
        "kind": "people",
        "census": "0123456789ab",
        "merge": [[2, 11]],
        "split": [[1, "b/long.mkv"]],
        "reject": [12, 13],
        "restore": [4],
        "names": {"2": "Bea", "10": "Robert"},
        "persons": {str(number): MARKS[number] for number in (1, 2, 10, 11, 12, 13)},
    }
    assert page.run("document.getElementById('steps').textContent").endswith(", saved")
    kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert [event for event in page.events if event["method"] in kinds] == []


def test_each_step_is_taken_back(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six())
    before = page.run(CHANGES), page.run(TITLES)
    for number, button, shown in ((2, "#reject", "will be rejected"), (2, "#split", "will be split into two")):
        _click(page, _hero(number))
        _click(page, button)
        assert page.run(CHANGES)[1] == shown
    _click(page, "#undo")
    assert page.run(CHANGES)[1] == "will be rejected"
    page.run("document.activeElement.blur()")
    _key(page, "z", CONTROL)
    assert (page.run(CHANGES), page.run(TITLES)) == before
    assert page.run("document.getElementById('corrections').hidden") is True
    _key(page, "u")
    assert (page.run(CHANGES), page.run(TITLES)) == before


def test_shift_chooses_all_between(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six())
    _click(page, _hero(2))
    _click(page, _hero(12), SHIFT)
    assert page.run(PRESSED) == ["false", "true", "true", "true", "true", "false"]
    _click(page, _hero(10))
    assert page.run(PRESSED) == ["false", "true", "false", "true", "true", "false"]


def test_keys_do_all_that_buttons_do(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six())
    _key(page, "ArrowRight")
    _key(page, "ArrowRight")
    assert page.run("document.activeElement.textContent") == "person 2"
    page.press(" ", " ")
    _key(page, "ArrowRight", SHIFT)
    assert page.run(PRESSED) == ["false", "true", "true", "false", "false", "false"]
    _key(page, "m")
    assert page.run(CHANGES)[1] == "will be one person with #10"
    assert "true" not in page.run(PRESSED)
    _key(page, "a")
    assert "false" not in page.run(PRESSED)
    _key(page, "Escape")
    assert "true" not in page.run(PRESSED)
    _key(page, "ArrowLeft")
    page.press(" ", " ")
    _key(page, "r")
    assert page.run(CHANGES)[1] == "will be rejected"
    _key(page, "n")
    assert page.run(TROUBLE) == "Choose a person first."
    page.press(" ", " ")
    _key(page, "n")
    assert page.run("document.activeElement.id") == "name"
    _key(page, "m")
    assert page.run("document.getElementById('name').value") == "m"
    _key(page, "Escape")
    for _ in range(2):
        _key(page, "u")
    assert page.run(CHANGES) == [""] * 6


def test_two_names_are_asked_about(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six())
    for number in (1, 10):
        _click(page, _hero(number))
    _click(page, "#merge")
    assert page.run(TROUBLE) == "They are called Alice and Bob: type the name that is right."
    assert page.run(CHANGES) == [""] * 6
    _type(page, "Alice")
    _click(page, "#merge")
    assert (page.run(TROUBLE), page.run(CHANGES)[0]) == ("", "will be one person with #10")
    assert page.run(TITLES)[2] == "Alice"
    _click(page, _hero(2))
    _click(page, "#merge")
    assert page.run(TROUBLE) == "Choose at least two persons to join."
    _click(page, "#undo")


def test_an_empty_name_removes_the_name(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six())
    _click(page, _hero(1))
    _click(page, "#rename")
    assert page.run(TITLES)[0] == "person 1"
    assert _save(page, tmp_path)["names"] == {"1": ""}


def test_a_later_correction_replaces_an_earlier_one(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six())
    for number in (2, 11, 12):
        _click(page, _hero(number))
    _click(page, "#merge")
    _click(page, _hero(11))
    _click(page, "#reject")
    _click(page, _hero(13))
    _click(page, "#split")
    saved = _save(page, tmp_path)
    assert (saved["merge"], saved["reject"], saved["split"]) == ([[2, 12]], [11], [[13]])


def test_what_would_be_refused_later_is_refused_at_once(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _six())
    _click(page, _hero(2))
    for name, told in (
        ("Alice", "Person 1 is called Alice too: choose both to join them."),
        ("12", "12 cannot be the name of a person."),
        ("person 3", "person 3 cannot be the name of a person."),
    ):
        _type(page, name)
        _click(page, "#rename")
        assert page.run(TROUBLE) == told
    for video, told in (("a.mp4", ""), ("b/long.mkv", "One video must stay with the person.")):
        _click(page, f'.card[data-number="1"] .cut[data-video="{video}"]')
        assert page.run(TROUBLE) == told
    assert _save(page, tmp_path)["split"] == [[1, "a.mp4"]]


def test_hostile_names_are_saved_as_they_are(page: Browser, tmp_path: Path) -> None:
    persons = [
        person(number, "", (name, 1.0, 2.0, 3), (name + "2", 1.0, 2.0, 3)) for number, name in enumerate(HOSTILE, 1)
    ]
    _open(page, tmp_path, persons, videos=dict.fromkeys(HOSTILE, 9.0))
    for number, name in enumerate(HOSTILE, 1):
        _click(page, _hero(number))
        _type(page, name.encode("utf-8", "ignore").decode())
        _click(page, "#rename")
        _click(page, f'.card[data-number="{number}"] .cut')
    assert page.run("document.title") == "People"
    assert page.run("document.querySelectorAll('img[src=x], .card b, .card script').length") == 0
    saved = _save(page, tmp_path)
    assert saved["names"]["1"] == HOSTILE[0]
    assert len(saved["split"]) == len(HOSTILE)


@pytest.mark.parametrize("width", [400, 1000, 1800])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_at_the_sides(page: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    _open(page, tmp_path, _six(), out="o" * 300, rejected=list(range(14, 29)))
    page.show(width, 900, scheme)
    for number in (2, 10, 11):
        _click(page, _hero(number))
    _click(page, "#reject")
    for number in (1, 2, 12):
        _click(page, _hero(number))
    assert page.run("document.documentElement.scrollWidth") == width
    wide = "[...document.querySelectorAll('.card, #bar *, #rejected *')].filter((one) => one.offsetWidth &&"
    inside = "!one.closest('#chips') && !one.closest('code')"
    assert page.run(f"{wide} {inside} && one.getBoundingClientRect().right > {width}).length") == 0
    page.screenshot(tmp_path / "page.png")
    _click(page, "#undo")
