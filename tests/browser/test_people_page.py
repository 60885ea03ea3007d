"""people.html in a real browser: choosing, the command, the filter, the order; hostile names stay text."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import CHROMIUM, Browser, browser
from people_tools import HOSTILE, VIDEOS, person, three, with_bodies
from PIL import Image

from fastface.export.tables.people_page import PageCensus, write_people_page
from fastface.types.people import Person

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

ORDER = "[...document.querySelectorAll('.card:not([hidden]) .title')].map((title) => title.textContent)"
PRESSED = "[...document.querySelectorAll('.pick')].map((pick) => pick.getAttribute('aria-pressed'))"
COMMAND = "document.getElementById('command').textContent"
ARGUMENTS = 'fastface() { printf "%s\\0" "$@"; }\n'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def _open(page: Browser, folder: Path, persons: list[Person], **given: Any) -> None:
    options: dict[str, Any] = {"videos": VIDEOS, "out": "out", "others": (0, 0), **given}
    write_people_page(folder / "people.html", persons, census=PageCensus("0123456789ab"), **options)
    page.show(1400, 1000)
    page.open(folder / "people.html")
    # The page's own observer, which fills the cards, was there first and is told first.
    page.run("new Promise((done) => new IntersectionObserver(() => done()).observe(document.body))")


def _type(page: Browser, field: str, text: str) -> None:
    page.run(
        f"{{ const field = document.getElementById({json.dumps(field)}); field.value = {json.dumps(text)};"
        "field.dispatchEvent(new Event('input', { bubbles: true })); }"
    )


def _click(page: Browser, selector: str) -> None:
    """Presses the mouse in the middle of an element, as a user does."""
    box = page.run(
        f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
        "one.scrollIntoView({ block: 'center' });"
        "const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)


def _card(number: int) -> str:
    return f'.card[data-number="{number}"]'


def _asked_and_told(page: Browser) -> tuple[list[str], list[Any]]:
    """What was asked for besides pictures that stand in the page, and what the console said."""
    page.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    urls = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening")
    told = [event["params"] for event in page.events if event["method"] in kinds]
    return [url for url in urls if not url.startswith("data:image/jpeg;base64,")], told


def test_the_page_opens_from_a_disk_and_asks_for_nothing(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, three(), others=(1, 3))
    assert _asked_and_told(page) == ([(tmp_path / "people.html").as_uri()], [])
    assert page.run(ORDER) == ["Alice", "person 2", "Bob"]
    text = page.run("document.body.innerText").replace("\xa0", " ")
    for shown in ("1:43 on screen · 25.0 %", "511 faces · 2 appearances · 2 videos",
                  "0:15 on screen", "<0:01 on screen", "first 0:12.0 in a.mp4, last 1:01:40.0 in b/long.mkv",
                  "3 persons · 3 videos · more than 2:06:40",
                  "Not listed: 1 person with 3 faces."):  # fmt: skip
        assert shown in text
    pictures = page.run("[...document.images].map((image) => [image.naturalWidth, image.alt])")
    assert len(pictures) == 6  # two of each of two persons, and one of each beside whom they are with
    assert all(width == 64 for width, _ in pictures)
    assert pictures[0][1] == "Alice, a.mp4 at 0:01.5"


def test_appearances_stand_where_they_were(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, three())
    bars = page.run(
        f"[...document.querySelectorAll('{_card(1)} .track')].map((track) => {{"
        "const whole = track.getBoundingClientRect();"
        "return [...track.children].map((one) => { const box = one.getBoundingClientRect();"
        "return [(box.left - whole.left) / whole.width, box.width / whole.width, one.title]; }); })"
    )
    assert [len(bar) for bar in bars] == [1, 1]
    (left, width, title), (later, _, _) = bars[0][0], bars[1][0]
    assert (left, width) == (pytest.approx(0.12, abs=0.004), pytest.approx(0.0225, abs=0.004))
    assert later == pytest.approx(3599.5 / 7500, abs=0.004)
    assert title.replace("\xa0", " ") == "0:12.0 – 0:14.3\n11 faces"


def test_a_card_says_how_long_the_face_is_not_seen(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, with_bodies())
    paragraphs = "[...document.querySelectorAll('{} .about p')].map((one) => one.innerText.replaceAll('\\u00a0', ' '))"
    assert [page.run(paragraphs.format(_card(number))) for number in (1, 11, 12)] == [
        ["1:43 on screen · 25.0 %", "", "511 faces · 2 appearances · 2 videos"],
        ["0:20 on screen · 25.0 %", "of that 0:12 without the face", "200 faces · 2 appearances · 1 video"],
        ["0:16 on screen · 25.0 %", "face not seen", "1 appearance · 1 video"],
    ]
    titles = page.run(f"[...document.querySelectorAll('{_card(11)} .track i')].map((one) => one.title)")
    assert [title.replace("\xa0", " ") for title in titles] == [
        "0:20.0 – 0:28.0\n200 faces",
        "0:40.0 – 0:52.0\nface not seen",
    ]
    seen, unseen = page.run(
        f"[...document.querySelectorAll('{_card(11)} .track i')].map((one) => getComputedStyle(one).opacity)"
    )
    assert float(unseen) < float(seen)


@pytest.mark.parametrize("number", [12, 13])
def test_all_of_a_body_is_seen(page: Browser, tmp_path: Path, number: int) -> None:
    _open(page, tmp_path, with_bodies())
    for place in (".hero", ".strip"):
        left, top, width, height = page.run(
            f"(async () => {{ const one = document.querySelector('{_card(number)} {place} img');"
            "one.scrollIntoView({ block: 'center' }); await one.decode(); await new Promise(requestAnimationFrame);"
            "const box = one.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]; })()"
        )
        assert width == pytest.approx(height)
        page.screenshot(tmp_path / "page.png")
        with Image.open(tmp_path / "page.png") as shot:
            picture = shot.convert("RGB").crop((int(left), int(top), int(left + width), int(top + height)))
        pixels = picture.getcolors(1 << 20) or []
        red = sum(count for count, (r, g, b) in pixels if r > 150 and max(g, b) < 90)
        green = sum(count for count, (r, g, b) in pixels if g > 150 and max(r, b) < 90)
        # Each end is a tenth of the longer side, which fits the square, by the shorter, which is half of it.
        assert red == pytest.approx(width * height / 20, rel=0.4)
        assert green == pytest.approx(width * height / 20, rel=0.4)


def test_those_whose_face_is_not_seen_are_hidden_when_asked(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, with_bodies())
    assert page.run("document.getElementById('faceless').innerText") == "hide those whose face is not seen"
    assert len(page.run(ORDER)) == 6
    _click(page, "#faceless span")
    assert page.run(ORDER) == ["Alice", "person 2", "Bob", "Cy"]
    assert page.run("document.getElementById('shown').textContent") == "4 of 6 shown"
    _click(page, "#faceless span")
    assert len(page.run(ORDER)) == 6


def test_where_every_face_is_seen_none_can_be_hidden(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, three())
    assert page.run("document.getElementById('faceless').offsetHeight") == 0


def test_of_many_videos_those_with_the_most_of_a_person_are_shown_first(page: Browser, tmp_path: Path) -> None:
    seen = [(f"{place}.mp4", 1.0, 1.0 + seconds, 3) for place, seconds in enumerate((5, 1, 9, 2, 8, 3))]
    others = {number: float(number) for number in range(2, 10)}
    _open(page, tmp_path, [person(1, "", *seen, together=others), person(9, "", seen[0], together={1: 9.0})])
    names = f"[...document.querySelectorAll('{_card(1)} .video')].map((video) => video.textContent)"
    mates = f"[...document.querySelectorAll('{_card(1)} .mate bdi')].map((mate) => mate.textContent)"
    assert page.run(names) == ["0.mp4", "2.mp4", "4.mp4"]
    _click(page, f"{_card(1)} .lines .more")
    assert page.run(names) == [f"{place}.mp4" for place in range(6)]
    _click(page, f"{_card(1)} .lines .more")
    assert page.run(names) == ["0.mp4", "2.mp4", "4.mp4"]
    assert page.run(mates) == [f"person {number}" for number in (9, 8, 7, 6, 5, 4)]
    _click(page, f"{_card(1)} .together .more")
    assert page.run(mates) == [f"person {number}" for number in (9, 8, 7, 6, 5, 4, 3, 2)]
    assert page.run(PRESSED) == ["false", "false"]


def test_a_click_and_a_key_choose_and_the_command_follows(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, three())
    assert page.run("document.getElementById('chosen').hidden") is True
    _click(page, f"{_card(10)} .hero")
    assert page.run(PRESSED) == ["false", "false", "true"]
    assert page.run(COMMAND) == "fastface pick 10 -o out --census 0123456789ab"
    page.run("document.querySelectorAll('.pick')[1].focus()")
    page.press("Enter", "\r")
    assert page.run(COMMAND) == "fastface pick 2 10 -o out --census 0123456789ab"
    page.run("document.querySelectorAll('.pick')[0].focus()")
    page.press(" ", " ")
    assert page.run(COMMAND) == "fastface pick 1 2 10 -o out --census 0123456789ab"
    assert page.run(PRESSED) == ["true", "true", "true"]
    page.press(" ", " ")
    _type(page, "name", "  Alice ")
    assert page.run(COMMAND) == "fastface pick 2 10 --name Alice -o out --census 0123456789ab"
    _click(page, f"{_card(2)} .pick")
    assert page.run(PRESSED) == ["false", "false", "true"]
    _click(page, "#clear")
    assert page.run(PRESSED) == ["false", "false", "false"]
    assert page.run("document.getElementById('chosen').hidden") is True


def test_who_is_with_whom_leads_there_and_chooses_nobody(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, three())
    assert page.run(f"document.querySelector('{_card(1)} .together').innerText").split() == [
        "with",
        "person",
        "2",
        "0:02",
    ]
    _type(page, "text", "alice")
    _click(page, f"{_card(1)} .mate")
    assert page.run("document.activeElement.textContent") == "person 2"
    assert page.run(PRESSED) == ["false", "false", "false"]
    assert len(page.run(ORDER)) == 3


def test_who_is_with_whom_leads_to_one_whose_face_is_hidden(page: Browser, tmp_path: Path) -> None:
    alice = person(1, "Alice", ("a.mp4", 60.0, 70.0, 9), together={12: 10.0})
    _open(page, tmp_path, [alice, *with_bodies()[4:]])
    _click(page, "#faceless span")
    assert page.run(ORDER) == ["Alice"]
    _click(page, f"{_card(1)} .mate")
    assert page.run("document.activeElement.textContent") == "person 12"
    assert len(page.run(ORDER)) == 3


@pytest.mark.parametrize(
    ("text", "least", "found"),
    [
        ("ali", "", ["Alice"]),
        ("PERSON", "", ["person 2"]),
        ("2", "", ["person 2"]),
        ("#10", "", ["Bob"]),
        ("1", "", ["Alice"]),
        ("long.mkv", "", ["Alice"]),
        ("a.mp4", "", ["Alice", "person 2"]),
        ("a.mp4 bob", "", []),
        ("", "14.5", ["Alice", "person 2"]),
        ("", "102.75", ["Alice"]),
        ("", "102.76", []),
        ("bob", "1", []),
    ],
)
def test_the_filter_shows_whom_it_names(page: Browser, tmp_path: Path, text: str, least: str, found: list[str]) -> None:
    _open(page, tmp_path, three())
    _type(page, "text", text)
    _type(page, "least", least)
    assert page.run(ORDER) == found
    visible = "[...document.querySelectorAll('.card')].filter((card) => card.offsetHeight > 0).length"
    assert page.run(visible) == len(found)
    assert page.run("document.getElementById('nobody').hidden") is bool(found)
    assert page.run("document.getElementById('shown').textContent") == f"{len(found)} of 3 shown"


def test_the_order_is_chosen(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, [*three(), person(11, "", ("a.mp4", 0.0, 60.0, 9))])
    for order, names in (
        ("seconds", ["Alice", "person 11", "person 2", "Bob"]),
        ("first", ["person 11", "person 2", "Alice", "Bob"]),
        ("number", ["Alice", "person 2", "Bob", "person 11"]),
    ):
        _type(page, "order", order)
        assert page.run(ORDER) == names


@pytest.mark.parametrize("out", ["my out", 'it\'s "here"', "$(touch x)`y`\\", "caf\udce9/ü", "-o", "a\nb", "\u202eout"])
def test_the_command_means_what_was_given_to_a_shell(page: Browser, tmp_path: Path, out: str) -> None:
    _open(page, tmp_path, three(), out=out)
    _click(page, f"{_card(2)} .pick")
    for name in ("Al O'Neil", '"x" $HOME !1 *', "-rf", "a\\'b\u202ec\u200d9", "王", ";&|<>"):
        _type(page, "name", name)
        command = page.run(COMMAND)
        told = subprocess.run(["bash", "-c", ARGUMENTS + command], capture_output=True, check=True, cwd=tmp_path)
        given = [os.fsdecode(argument) for argument in told.stdout.split(b"\0")[:-1]]
        assert given[:2] == ["pick", "2"]
        rest = [f"--name={name}"] if name == "-rf" else ["--name", name]
        assert given[2:] == [*rest, *([f"--out={out}"] if out == "-o" else ["-o", out]), "--census", "0123456789ab"]
        assert command.isprintable() or not out.isprintable()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "people.html"]


def test_a_selection_is_copied_and_saved(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, three())
    _click(page, f"{_card(10)} .pick")
    _click(page, f"{_card(1)} .pick")
    _type(page, "name", "Alice")
    page.run("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    _click(page, "#copy")
    assert (
        page.run("new Promise((done) => setTimeout(() => done(window.copied)))")
        == "fastface pick 1 10 --name Alice -o out --census 0123456789ab"
    )
    assert page.run("document.getElementById('copy').textContent") == "Copied"
    (tmp_path / "saved").mkdir()
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"), eventsEnabled=True)
    _click(page, "#save")
    page.wait("Browser.downloadProgress", state="completed")
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["selection.json"]
    text = (tmp_path / "saved" / "selection.json").read_text(encoding="utf-8")
    assert text == '{"schema_version":1,"census":"0123456789ab","people":[1,10],"name":"Alice"}\n'


def test_hostile_names_do_nothing(page: Browser, tmp_path: Path) -> None:
    persons = [
        person(number, name, (name, 1.0, 2.0, 3), (name + "2", 1.0, 2.0, 3), together={number % len(HOSTILE) + 1: 2.0})
        for number, name in enumerate(HOSTILE, 1)
    ]
    _open(page, tmp_path, persons, videos=dict.fromkeys(HOSTILE, 9.0), out=HOSTILE[0])
    for number in range(1, len(HOSTILE) + 1):
        _click(page, f"{_card(number)} .pick")
    _type(page, "name", HOSTILE[1])
    assert page.run("document.title") == "People"
    assert _asked_and_told(page) == ([(tmp_path / "people.html").as_uri()], [])
    assert page.run("document.scripts.length") == len(HOSTILE) + 2
    assert page.run("document.querySelectorAll('img[src=x], .card b, .card script').length") == 0
    names = page.run(ORDER)
    assert names[:3] == list(HOSTILE[:3])
    assert names[4] == "\\u202egpj.exe"
    refused = (
        "(() => { try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); return 'done'; }"
        "catch (error) { return error.name; } })()"
    )
    assert page.run(refused) == "TypeError"  # trusted types: no text ever becomes markup


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_is_cut_off_at_the_sides(page: Browser, tmp_path: Path, width: int) -> None:
    names = ["W" * 300, "two words " * 30, *HOSTILE]
    persons = [person(n, name, (name, 1.0, 2.0, 3)) for n, name in enumerate(names, 1)]
    _open(page, tmp_path, [*persons, person(99, "", ("a.mp4", 1.0, 2.0, 0))], out="o" * 300)
    page.show(width, 900)
    for number in range(1, 9):
        _click(page, f"{_card(number)} .pick")
    assert page.run("document.documentElement.scrollWidth") == width
    wide = "[...document.querySelectorAll('.card, .command-line > *, #tools *')].filter((one) => one.offsetWidth &&"
    assert page.run(f"{wide} one.getBoundingClientRect().right > {width}).length") == 0


def test_nobody_is_told(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, [], videos={})
    assert page.run("document.getElementById('nobody').innerText") == "No person was found."
    assert page.run("[document.getElementById('bar').hidden, document.getElementById('tools').hidden]") == [True, True]
