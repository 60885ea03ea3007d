"""A census' files: the tables, the page and the picture; whatever users named does no harm in any of them."""

import base64
import csv
import hashlib
import io
import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from people_tools import HOSTILE, VIDEOS, person, portrait, three, with_bodies
from PIL import Image, ImageDraw

from fastface.cli.commands.people import tell
from fastface.cli.options import Invocation
from fastface.commands.people import PeopleResult
from fastface.config import Config
from fastface.export.tables.people_page import PageCensus, write_people_page
from fastface.export.tables.people_sheet import draw_people_table
from fastface.export.tables.people_tables import write_appearances, write_people_table, write_together
from fastface.types.people import Person


class Page(HTMLParser):
    """The elements of a page, (tag, attributes), and the text within each script that has an id."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and self.cdata_elem == "script":
            name = self.elements[-1][1].get("id")
            self.scripts[name] = self.scripts.get(name, "") + data

    def json(self, name: str) -> Any:
        return json.loads(self.scripts[name])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _write(path: Path, persons: list[Person], **given: Any) -> Path:
    options: dict[str, Any] = {"videos": VIDEOS, "out": "out", "others": (0, 0), **given}
    write_people_page(path / "people.html", persons, census=PageCensus("0123456789ab"), **options)
    return path / "people.html"


def test_people_csv_is_what_the_contract_says_byte_for_byte(tmp_path: Path) -> None:
    write_people_table(tmp_path / "people.csv", reversed(three()))
    assert (tmp_path / "people.csv").read_bytes().decode() == (
        "person,faces,tracks,seconds,first,last,videos,best_quality,crop,name,share,first_video,last_video,"
        "body_seconds,first_hms,last_hms\r\n"
        "1,511,2,102.750,12.000,3700.000,2,0.8765,people/1/1.jpg,Alice,0.2500,a.mp4,b/long.mkv,0.000,"
        "0:00:12.000,1:01:40.000\r\n"
        "2,70,1,14.500,0.500,15.000,1,0.8765,people/2/1.jpg,,0.2500,a.mp4,a.mp4,0.000,0:00:00.500,0:00:15.000\r\n"
        "10,2,1,0.400,7.000,7.400,1,0.8765,,Bob,0.2500,live.mkv,live.mkv,0.000,0:00:07.000,0:00:07.400\r\n"
    )


def test_a_person_whose_face_is_never_seen_has_no_quality(tmp_path: Path) -> None:
    write_people_table(tmp_path / "p.csv", with_bodies())
    table = _rows(tmp_path / "p.csv")
    columns = ("person", "faces", "seconds", "best_quality", "body_seconds")
    assert [tuple(row[column] for column in columns) for row in table[3:]] == [
        ("11", "200", "20.000", "0.8765", "12.000"),
        ("12", "0", "15.500", "", "15.500"),
        ("13", "0", "15.500", "", "15.500"),
    ]


def test_appearances_are_a_row_each_by_person_video_and_start(tmp_path: Path) -> None:
    write_appearances(tmp_path / "a.csv", reversed(three()))
    assert (tmp_path / "a.csv").read_bytes().decode() == (
        "person,name,video,start,end,faces,start_hms,end_hms\r\n"
        "1,Alice,a.mp4,12.000,14.250,11,0:00:12.000,0:00:14.250\r\n"
        "1,Alice,b/long.mkv,3599.500,3700.000,500,0:59:59.500,1:01:40.000\r\n"
        "2,,a.mp4,0.500,15.000,70,0:00:00.500,0:00:15.000\r\n"
        "10,Bob,live.mkv,7.000,7.400,2,0:00:07.000,0:00:07.400\r\n"
    )


def test_each_pair_that_is_together_stands_once(tmp_path: Path) -> None:
    more = [*three(), person(11, "", together={1: 0.5, 2: 61.0})]
    write_together(tmp_path / "t.csv", reversed(more))
    assert (tmp_path / "t.csv").read_bytes().decode() == (
        "person,other,seconds,person_name,other_name\r\n1,2,2.250,Alice,person 2\r\n1,11,0.500,Alice,person 11\r\n"
        "2,11,61.000,person 2,person 11\r\n"
    )


def test_nobody_is_headers(tmp_path: Path) -> None:
    for write in (write_people_table, write_appearances, write_together):
        write(tmp_path / "t.csv", [])
        assert (tmp_path / "t.csv").read_bytes().count(b"\r\n") == 1


def test_a_person_without_an_appearance_has_no_first_and_no_last(tmp_path: Path) -> None:
    write_people_table(tmp_path / "p.csv", [person(1)])
    row = _rows(tmp_path / "p.csv")[0]
    assert [row[name] for name in ("first", "last", "first_video", "last_video")] == [""] * 4


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_cells_in_tables(tmp_path: Path, name: str) -> None:
    hostile = person(1, name, (name, 1.0, 2.0, 3))
    write_people_table(tmp_path / "p.csv", [hostile])
    write_appearances(tmp_path / "a.csv", [hostile])
    people, seen = _rows(tmp_path / "p.csv"), _rows(tmp_path / "a.csv")
    assert len(people) == len(seen) == 1
    text = {"caf\udce9 \ud83d": "caf\\xe9 \\ud83d", "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0"}.get(name, name)
    assert (people[0]["name"], people[0]["first_video"], people[0]["last_video"]) == (text, text, text)
    assert (seen[0]["name"], seen[0]["video"]) == (text, text)


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    page = Page(_write(tmp_path, three()))
    assert len(page.elements) > 50
    for tag, attributes in page.elements:
        assert not {"src", "href", "style", "srcset", "action", "data"} & attributes.keys(), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    assert not {tag for tag, _ in page.elements} & {"link", "iframe", "object", "embed", "base", "form", "img", "a"}
    text = (tmp_path / "people.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]+\.|url\(|@import|fetch\(|XMLHttp|innerHTML|insertAdjacent|eval\(", text)


def test_the_policy_lets_its_own_script_and_style_run_alone(tmp_path: Path) -> None:
    path = _write(tmp_path, three())
    text = path.read_text(encoding="utf-8")
    policy = next(meta["content"] for _, meta in Page(path).elements if "http-equiv" in meta) or ""
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    style = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    script = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    assert (len(style), len(script)) == (1, 1)
    for rule, content in (("style-src", style[0]), ("script-src", script[0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    rules.pop("trusted-types"), rules.pop("require-trusted-types-for")
    assert rules == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    before_policy = text[: text.index("Content-Security-Policy")]
    assert "<script" not in before_policy
    assert "<style" not in before_policy


def test_the_page_holds_the_persons(tmp_path: Path) -> None:
    page = Page(_write(tmp_path, three(), out="my out", others=(3, 8)))
    facts = page.json("facts")
    assert facts["out"] == "my out"
    assert facts["others"] == [3, 8]
    assert facts["videos"] == [["a.mp4", 100.0], ["b/long.mkv", 7500.0], ["live.mkv", None]]
    assert [one["number"] for one in facts["people"]] == [1, 2, 10]
    assert facts["people"][0] == {
        "number": 1, "name": "Alice", "faces": 511, "seconds": 102.75, "bodySeconds": 0.0, "share": 0.25, "videos": 2,
        "appearances": [[0, 12.0, 14.25, 11], [1, 3599.5, 3700.0, 500]], "together": [[2, 2.25]],
        "marks": [],
    }  # fmt: skip
    assert facts["rejected"] == []
    pictures = page.json("portraits-1")
    assert [base64.b64decode(one["jpeg"]) for one in pictures] == [portrait(1).jpeg, portrait(1, 2).jpeg]
    assert page.json("portraits-10") == []


def test_the_page_holds_how_long_the_body_alone_is_seen(tmp_path: Path) -> None:
    people = Page(_write(tmp_path, with_bodies())).json("facts")["people"]
    assert [one["bodySeconds"] for one in people] == [0.0, 0.0, 0.0, 12.0, 15.5, 15.5]


def test_six_portraits_of_a_person_are_on_the_page(tmp_path: Path) -> None:
    many = person(1, portraits=tuple(portrait(1, place) for place in range(1, 10)))
    assert [one["time"] for one in Page(_write(tmp_path, [many])).json("portraits-1")] == [1.5, 3.0, 4.5, 6.0, 7.5, 9.0]


def test_a_video_that_nobody_told_of_is_on_the_page(tmp_path: Path) -> None:
    facts = Page(_write(tmp_path, [person(1, "", ("z.mp4", 1.0, 2.0, 3))], videos={"a.mp4": 4.0})).json("facts")
    assert facts["videos"] == [["a.mp4", 4.0], ["z.mp4", None]]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_on_the_page(tmp_path: Path, name: str) -> None:
    harmless = Page(_write(tmp_path / "a", [person(1, "x", ("x", 1.0, 2.0, 3))], videos={"x": 9.0}, out="x"))
    hostile = person(1, name, (name, 1.0, 2.0, 3), portraits=(portrait(1, 1, name), portrait(1, 2, name)))
    page = Page(_write(tmp_path / "b", [hostile], videos={name: 9.0}, out=name))
    assert len(page.elements) > 50
    assert page.elements == harmless.elements
    facts = page.json("facts")
    assert facts["out"] == name
    shown = {"caf\udce9 \ud83d": "caf\\xe9 \\ud83d", "\u202egpj.exe": "\\u202egpj.exe"}.get(name, name)
    shown = re.sub("[\n\t\x1b]", lambda match: f"\\u{ord(match[0]):04x}", shown)
    assert (facts["people"][0]["name"], facts["videos"][0][0]) == (shown, shown)
    assert page.json("portraits-1")[0]["video"] == shown


def test_the_page_is_its_owners_alone_and_equal_persons_are_equal_bytes(tmp_path: Path) -> None:
    one, other = _write(tmp_path / "one", three()), _write(tmp_path / "other", three())
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert one.read_bytes() == other.read_bytes()


def test_the_picture_has_a_row_for_each_person(tmp_path: Path) -> None:
    pages = draw_people_table(tmp_path, three())
    assert pages == [tmp_path / "table.png"]
    assert stat.S_IMODE(pages[0].stat().st_mode) == 0o600
    with Image.open(pages[0]) as picture:
        three_high, width = picture.height, picture.width
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
    with Image.open(io.BytesIO(portrait(1).jpeg)) as drawn:
        ground = drawn.convert("RGB").getpixel((2, 2))
    assert ground in colours
    draw_people_table(tmp_path / "two", three()[:2])
    with Image.open(tmp_path / "two" / "table.png") as picture:
        assert picture.width == width
        assert three_high - picture.height > 64  # a row is higher than a portrait of it


def test_the_picture_says_whose_face_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def noted(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, **given: Any) -> None:
        written.append(text)
        draw(pen, place, text, **given)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    draw_people_table(tmp_path, with_bodies())
    found = [text for text in written if "face" in text]
    assert found == [
        "511 faces, 2 tracks", "70 faces, 1 track", "2 faces, 1 track", "200 faces, 2 tracks",
        "face not seen", "face not seen",
    ]  # fmt: skip
    assert [text for text in written if "body" in text] == ["0:12 by body"]
    assert written.count("0:16") == 2  # their screen time


def test_many_persons_are_several_pictures(tmp_path: Path) -> None:
    persons = [person(number, "", ("a.mp4", 1.0, 2.0, 3)) for number in range(1, 42)]
    pages = draw_people_table(tmp_path, persons)
    assert [page.name for page in pages] == ["table.png", "table-2.png", "table-3.png"]
    assert sorted(tmp_path.iterdir()) == sorted(pages)


def test_nobody_is_one_picture_that_says_so(tmp_path: Path) -> None:
    assert [page.name for page in draw_people_table(tmp_path, [])] == ["table.png"]


def test_equal_persons_are_equal_pictures_whatever_their_names(tmp_path: Path) -> None:
    persons = [person(n, name, (name, 1.0, 2.0, 3), ("zz" + name, 1.0, 9.0, 3)) for n, name in enumerate(HOSTILE, 1)]
    persons.append(person(99, "王" * 5000, ("long/" * 900 + "end.mp4", 0.0, 0.1, 1), share=0.0001))
    pages = [draw_people_table(tmp_path / folder, persons)[0] for folder in ("one", "other")]
    assert pages[0].read_bytes() == pages[1].read_bytes()


@pytest.mark.parametrize(
    ("persons", "heading", "rows"),
    [
        (three(), ["person", "name", "screen time", "tracks", "share"], [["1", "Alice", "102.8 s", "2", "25%", "511"]]),
        (
            with_bodies(),
            ["person", "name", "screen time", "by body", "share"],
            [
                ["1", "Alice", "102.8 s", "0.0 s", "25%", "511"],
                ["11", "Cy", "20.0 s", "12.0 s", "25%", "200"],
                ["12", "", "15.5 s", "15.5 s", "25%", "–"],
            ],
        ),
    ],
    ids=["faces", "bodies"],
)
def test_the_terminal_tells_of_bodies_where_there_are_any(
    persons: list[Person],
    heading: list[str],
    rows: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    result = PeopleResult(Path("out"), tuple(persons), 783, 783, unlisted=(0, 0), poor=0, rejected=0, passing=0)
    tell(result, Invocation(Config, json=False, quiet=False, verbose=False, dry_run=False))
    table = [re.split("[┃│]", line)[1:-1] for line in capsys.readouterr().out.splitlines() if re.match("[┃│]", line)]
    cells = [[cell.strip() for cell in line] for line in table]
    assert len(cells) == 1 + len(persons)
    assert cells[0][: len(heading)] == heading
    for row in rows:
        assert row in [line[: len(row)] for line in cells]
