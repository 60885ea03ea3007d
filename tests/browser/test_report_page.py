"""report.html in a real browser: timelines, clips, filters, tables, review by keys; hostile names stay text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import CHROMIUM, Browser, browser
from media_tools import run_ffmpeg
from report_tools import Drawn, DrawnAnswer, write_answer, write_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

HOSTILE = "</script><img src=x onerror=alert(1)>\n\"'&\u202e"
DRAWN = DrawnAnswer(
    targets=("Alice", "Bob", HOSTILE),
    lengths={"a.mp4": 20.0, "b<i>.mp4": 50.0, "c.mp4": 9.0},
    spans=(
        Drawn("a.mp4", "Alice", 2.0, 6.5, 0.75, "clips/a.mp4/Alice_2.000-6.500.mp4", 1.0),
        Drawn("a.mp4", "Bob", 3.0, 5.0, 0.5),
        Drawn("a.mp4", "Alice", 10.0, 12.0, 0.9),
        Drawn("b<i>.mp4", HOSTILE, 1.0, 4.0, 0.62),
    ),
    near=(Drawn("a.mp4", "Alice", 15.0, 17.0, 0.41), Drawn("b<i>.mp4", "Bob", 7.125, 9.0, 0.33)),
    with_pictures=("a.mp4", "b<i>.mp4"),
    states={"c.mp4": ("failed", "no frames")},
)
SHOWN_HOSTILE = HOSTILE.replace("\n", "\\u000a").replace("\u202e", "\\u202e")
PERSONS = "[...document.querySelectorAll('#span-rows .person bdi')].map((one) => one.textContent)"
SCORES = "[...document.querySelectorAll('#span-rows .score')].map((one) => one.textContent)"
VIDEOS = "[...document.querySelectorAll('#video-rows h3')].map((one) => one.textContent)"
ASKED = "document.getElementById('ask-text').textContent"
PLACE = "document.getElementById('place').textContent"
PLAYING = (
    "new Promise((done) => { const film = document.querySelector('#screen video'); const look = () => {"
    "if (film.readyState < 2 || film.seeking) setTimeout(look, 10); else { film.pause(); done(film.currentTime); } };"
    "look(); })"
)
"""Waits until the film shows a frame; the time of the frame."""
PLAYED = "new URL(document.querySelector('#screen video').src)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_answer(folder / "out", DRAWN, folder / "films")
    write_report(folder / "out")
    # VP8 is a codec that every build of the browser plays.
    (folder / "films").mkdir()
    (folder / "out" / "clips" / "a.mp4").mkdir(parents=True)
    for path, seconds in ((folder / "films" / "a.mp4", 20), (folder / "out" / DRAWN.spans[0].clip, 6)):
        source = f"testsrc=size=160x120:rate=5:duration={seconds}"
        options = ["-f", "lavfi", "-i", source, "-c:v", "libvpx", "-g", "5", "-f", "webm"]
        run_ffmpeg([*options, path])
    return folder / "out"


def _open(page: Browser, out: Path, tab: str = "timelines", width: int = 1400, scheme: str = "light") -> None:
    page.show(width, 1000, scheme)
    page.open(out / "report.html")
    page.run("localStorage.clear()")
    page.open(out / "report.html")
    _tab(page, tab)


def _tab(page: Browser, tab: str) -> None:
    page.run(f"document.getElementById('tab-{tab}').click()")


def _type(page: Browser, field: str, text: str) -> None:
    page.run(
        f"{{ const field = document.getElementById({json.dumps(field)}); field.value = {json.dumps(text)};"
        "field.dispatchEvent(new Event('input', { bubbles: true })); }"
    )


def _press(page: Browser, *keys: str) -> None:
    """Presses keys on what has the focus, as a keyboard does."""
    codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
    for key in keys:
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key) or ord(key.upper())}
        if key in codes:
            page.call("Input.dispatchKeyEvent", type="rawKeyDown", code=key, **common)
        else:
            page.call("Input.dispatchKeyEvent", type="keyDown", text=key, **common)
        page.call("Input.dispatchKeyEvent", type="keyUp", **common)


def _click(page: Browser, selector: str, share: float = 0.5) -> None:
    """Presses the mouse in an element, at a share of its width."""
    x, y = page.run(
        f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
        "one.scrollIntoView({ block: 'center' }); const box = one.getBoundingClientRect();"
        f"return [box.x + box.width * {share}, box.y + box.height / 2]; }})()"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def _told(page: Browser) -> list[Any]:
    """What the console said, and every address outside the page and its disk that was asked for."""
    page.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening")
    told = [event["params"] for event in page.events if event["method"] in kinds]
    urls = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    return told + [url for url in urls if not url.startswith(("file:", "data:image/jpeg", "blob:"))]


def _saved(page: Browser) -> Any:
    """The content of the file that a press of `s` saves."""
    page.run(
        "{ globalThis.saved = null; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { globalThis.saved = blob.text(); return make.call(URL, blob); };"
        "HTMLAnchorElement.prototype.click = function () { globalThis.savedAs = this.download; }; }"
    )
    _press(page, "s")
    assert page.run("globalThis.savedAs") == "decisions.json"
    return json.loads(page.run("globalThis.saved"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1000, 1800])
def test_the_console_stays_empty_and_nothing_is_wider_than_the_window(
    page: Browser, out: Path, width: int, scheme: str
) -> None:
    _open(page, out, width=width, scheme=scheme)
    for tab in ("timelines", "times", "spans", "review", "run"):
        _tab(page, tab)
        assert page.run("document.documentElement.scrollWidth") == width, tab
        assert page.run(f"document.getElementById('{tab}').getBoundingClientRect().height") > 30, tab
    _press(page, "Escape")
    assert _told(page) == []
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(245, 245, 242)", "dark": "rgb(20, 21, 24)"}[scheme]


def test_the_head_says_what_was_asked_and_what_is_missing(page: Browser, out: Path) -> None:
    _open(page, out)
    text = page.run("document.querySelector('header').innerText").replace("\xa0", " ")
    for shown in ("Alice, Bob, ", "in 3 videos · fastface find, 2026-01-02 03:05 UTC", "3 of 3", "Not everything was",
                  "failed", "c.mp4", "no frames"):  # fmt: skip
        assert shown in text
    totals = page.run("[...document.querySelectorAll('#totals dd')].map((one) => one.textContent)")
    assert totals == ["3 of 3", "0:12", "1:19", "4", "2"]  # 4.5 + 2 + 2 + 3 seconds of 79


def test_hostile_names_are_text(page: Browser, out: Path) -> None:
    _open(page, out, "spans")
    assert SHOWN_HOSTILE in page.run(PERSONS)
    for tab in ("timelines", "times", "review"):
        _tab(page, tab)
        assert SHOWN_HOSTILE in page.run("document.body.innerText") or tab == "review"
    assert page.run("document.querySelectorAll('img:not(.picture), i:not(.mark)').length") == 0
    assert _told(page) == []


def test_a_lane_shows_spans_where_they_are(page: Browser, out: Path) -> None:
    _open(page, out)
    assert page.run(VIDEOS) == ["a.mp4", "b<i>.mp4", "c.mp4"]
    shapes = page.run(
        "(() => { const lane = document.querySelector('.lane').getBoundingClientRect();"
        "return [...document.querySelectorAll('.lane')[0].querySelectorAll('.item')].map((one) => {"
        "const box = one.querySelector('.body').getBoundingClientRect();"
        "return [(box.left - lane.left) / lane.width, box.width / lane.width, one.getAttribute('aria-label')]; }); })()"
    )
    assert len(shapes) == 3  # two spans and a near miss of Alice
    places = [(left, width) for left, width, _ in shapes]
    expected = [(2 / 20, 4.5 / 20), (10 / 20, 2 / 20), (15 / 20, 2 / 20)]
    assert places == [pytest.approx(one, abs=0.004) for one in expected]
    assert [label for _, _, label in shapes] == [
        "Alice, 0:02.0 – 0:06.5, similarity 0.75",
        "Alice, 0:10.0 – 0:12.0, similarity 0.90",
        "Alice, near miss, 0:15.0 – 0:17.0, similarity 0.41",
    ]


def test_the_mouse_and_the_focus_show_time_and_similarity(page: Browser, out: Path) -> None:
    _open(page, out)
    _click(page, ".lane", 10.02 / 20)
    tip = "document.getElementById('tip').innerText"
    assert page.run(tip).split("\n") == ["Alice", "0:10.0 · similarity 0.90", "0:10.0 – 0:12.0"]
    assert page.run("document.querySelector('#tip img').naturalWidth") == 144
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    assert page.run("document.getElementById('tip').hidden") is True
    page.run("document.querySelector('.lane .item').focus()")
    _press(page, "ArrowRight")
    assert page.run(tip).split("\n")[1] == "0:10.0 · similarity 0.90"
    assert page.run("document.activeElement.dataset.item") == "2"


def test_a_click_plays_the_clip_at_that_time(page: Browser, out: Path) -> None:
    _open(page, out)
    _click(page, ".lane", 4 / 20)  # 3 s after the start of the clip
    address = page.run(f"{PLAYED}.href")
    assert address.startswith((out / "clips" / "a.mp4" / "Alice_2.000-6.500.mp4").as_uri() + "#t=")
    assert page.run(PLAYING) == pytest.approx(3.0, abs=1.0)
    assert page.run("document.getElementById('player-title').textContent") == "Alice in a.mp4"
    assert page.run("document.querySelector('#screen video').error") is None


def test_without_a_clip_the_source_is_played(page: Browser, out: Path) -> None:
    _open(page, out)
    page.run("document.querySelectorAll('.lane .item')[1].focus()")
    _press(page, "Enter")
    assert page.run(f"{PLAYED}.href") == f"{(out.parent / 'films' / 'a.mp4').as_uri()}#t=10.000"
    assert page.run(PLAYING) == pytest.approx(10.0, abs=1.0)


def test_what_the_browser_cannot_play_is_said(page: Browser, out: Path) -> None:
    _open(page, out)
    _type(page, "words", "b<i>")
    page.run("document.querySelector('.lane .item').focus()")
    _press(page, "Enter")
    page.run("new Promise((done) => setTimeout(done, 300))")
    assert page.run("document.querySelectorAll('#screen video').length") == 0
    assert page.run("document.getElementById('player-note').textContent").startswith("This browser cannot play")
    links = page.run("[...document.querySelectorAll('#player-links a')].map((one) => one.textContent)")
    assert links == ["open the source"]


def test_tables_filter_and_sort(page: Browser, out: Path) -> None:
    _open(page, out, "spans")
    assert page.run(PERSONS) == ["Alice", "Bob", "Alice", "Alice", SHOWN_HOSTILE, "Bob"]
    by_score = "[...document.querySelectorAll('#span-head .sort')].find((one) => one.title === 'similarity').click()"
    page.run(by_score)
    assert page.run(SCORES) == ["0.90", "0.75", "0.62", "0.50", "0.41", "0.33"]
    page.run(by_score)
    assert page.run(SCORES) == ["0.33", "0.41", "0.50", "0.62", "0.75", "0.90"]
    _type(page, "person", "0")
    assert page.run(SCORES) == ["0.41", "0.75", "0.90"]
    _type(page, "kind", "span")
    assert page.run(SCORES) == ["0.75", "0.90"]
    _type(page, "person", "-1")
    _type(page, "words", "B<I>")
    assert page.run(SCORES) == ["0.62"]
    assert page.run("document.getElementById('shown').textContent").replace("\xa0", " ") == "1 row"
    _tab(page, "timelines")
    assert page.run(VIDEOS) == ["b<i>.mp4"]


def test_the_table_of_screen_time_sums_and_sorts(page: Browser, out: Path) -> None:
    _open(page, out, "times")
    rows = (
        "[...document.querySelectorAll('#matrix .row')].map((row) => [...row.children].map((one) => one.textContent))"
    )
    head, total, *videos = page.run(rows)
    assert head == ["video↑", "Alice", "Bob", SHOWN_HOSTILE, "all"]
    assert [one.replace("\xa0", " ") for one in total] == ["3 videos", "0:07", "0:02", "0:03", "0:12"]
    assert videos == [
        ["a.mp4", "0:07", "0:02", "", "0:09"],
        ["b<i>.mp4", "", "", "0:03", "0:03"],
        ["c.mp4", "", "", "", "0:00"],
    ]
    page.run("document.querySelectorAll('#matrix-head .sort')[3].click()")
    assert [row[0] for row in page.run(rows)[2:]] == ["b<i>.mp4", "a.mp4", "c.mp4"]
    page.run("document.querySelector('#matrix-rows .time button').click()")
    assert page.run(VIDEOS) == ["b<i>.mp4"]
    assert page.run("document.querySelectorAll('.lane').length") == 1


def test_review_by_keys_and_the_saved_file(page: Browser, out: Path) -> None:
    _open(page, out, "review")
    assert page.run(PLACE).startswith("1 of 6")
    asked = []
    for keys in (("y",), ("n",), ("g", "2"), ("y",)):
        asked.append(page.run(ASKED))
        _press(page, *keys)
    asked.append(page.run(ASKED))
    assert page.run(PLACE).startswith("5 of 6")
    _press(page, "ArrowRight")
    assert page.run(PLACE).startswith("6 of 6")
    _press(page, "n")
    # The least similar comes first: near misses of 0.33 and 0.41, spans of 0.5, 0.62, 0.75 and 0.9.
    assert asked == ["Is this Bob?", "Is this Alice?", "Is this Bob?", f"Is this {SHOWN_HOSTILE}?", "Is this Alice?"]
    assert page.run("document.getElementById('count').textContent").replace("\xa0", " ") == (
        "5 decisions: 2 confirmed, 2 rejected, 1 given to another person"
    )
    saved = _saved(page)
    assert saved.keys() == {"schema_version", "kind", "decisions"}
    assert (saved["schema_version"], saved["kind"]) == (1, "decisions")
    keys = ("video", "target", "start", "end", "what", "verdict", "person")
    assert [tuple(one[key] for key in keys) for one in saved["decisions"]] == [
        ("a.mp4", "Bob", 3.0, 5.0, "span", "given", HOSTILE),
        ("a.mp4", "Alice", 10.0, 12.0, "span", "rejected", None),
        ("b<i>.mp4", HOSTILE, 1.0, 4.0, "span", "confirmed", None),
        ("a.mp4", "Alice", 15.0, 17.0, "near_miss", "rejected", None),
        ("b<i>.mp4", "Bob", 7.125, 9.0, "near_miss", "confirmed", None),
    ]
    assert all(one.keys() == set(keys) for one in saved["decisions"])
    assert page.run("document.getElementById('command').textContent") == f"fastface correct decisions.json -o {out}"
    assert page.run("document.getElementById('saved').hidden") is False


def test_expressions_head_the_page_and_only_persons_are_reviewed(page: Browser, tmp_path: Path) -> None:
    both = "Alice and not Bob"
    drawn = DrawnAnswer(
        targets=("Alice", "Bob"),
        lengths={"a.mp4": 20.0},
        spans=(Drawn("a.mp4", "Alice", 2.0, 6.0, 0.75), Drawn("a.mp4", both, 2.0, 5.0, 0.7)),
        near=(Drawn("a.mp4", "Bob", 7.0, 9.0, 0.33),),
        run={"where": [both, "alone(Bob)"]},
    )
    write_answer(tmp_path / "out", drawn, tmp_path / "films")
    write_report(tmp_path / "out")
    _open(page, tmp_path / "out", "review")
    assert page.run("document.getElementById('question').textContent").startswith(f"{both}, alone(Bob) in 1\xa0video ")
    facts = page.run("document.getElementById('totals').textContent")
    assert facts.startswith("expressions found1 of 2"), facts
    assert page.run(PLACE).startswith("1 of 2")
    assert page.run(ASKED) == "Is this Bob?"
    _press(page, "g")
    assert page.run("document.getElementById('give-list').textContent") == "1Alice"
    _press(page, "1")
    assert page.run(ASKED) == "Is this Alice?"
    assert _told(page) == []
    _tab(page, "spans")
    row = f"[...document.querySelectorAll('#span-rows .person')].find((one) => one.textContent === '{both}')"
    page.run(f"{row}.click()")
    _press(page, "n")
    assert [(one["target"], one["person"]) for one in _saved(page)["decisions"]] == [("Bob", "Alice")]


def test_a_span_of_an_expression_has_a_lane_and_no_decision(page: Browser, tmp_path: Path) -> None:
    where = "Alice and not 'Bob <b>'"
    spans = (Drawn("a.mp4", "Alice", 2.0, 6.0), Drawn("a.mp4", where, 4.0, 6.0))
    near = (Drawn("a.mp4", "Bob <b>", 8.0, 9.0, 0.4),)
    drawn = DrawnAnswer(("Alice", "Bob <b>"), {"a.mp4": 20.0}, spans, near, run={"where": [where]})
    write_answer(tmp_path / "out", drawn, tmp_path)
    write_report(tmp_path / "out")
    _open(page, tmp_path / "out")
    lanes = "[...document.querySelectorAll('.lane-name bdi')].map((one) => one.textContent)"
    assert page.run(lanes) == ["Alice", "Bob <b>", where]
    page.run("document.querySelectorAll('.lane')[2].querySelector('.item').focus()")
    _press(page, "Enter")
    assert "follow from your decisions" in page.run("document.getElementById('player-answers').textContent")
    _press(page, "y", "n", "g")
    assert page.run("document.getElementById('bar').hidden") is True
    _press(page, "Escape")
    _tab(page, "review")
    assert page.run(PLACE).startswith("1 of 2")  # the span of Alice and the near miss
    _press(page, "g")
    others = "[...document.querySelectorAll('#give-list bdi')].map((one) => one.textContent)"
    assert page.run(others) == ["Alice"]  # the first question is about Bob
    _press(page, "1", "y")
    assert [(one["target"], one["person"]) for one in _saved(page)["decisions"]] == [
        ("Alice", None),
        ("Bob <b>", "Alice"),
    ]


def test_keys_work_at_once_after_a_person_was_chosen(page: Browser, out: Path) -> None:
    """The closed dialog keeps the focus until the page is drawn: it must not take the keys."""
    _open(page, out, "review")
    _press(page, "g", "1")
    assert page.run(PLACE).startswith("2 of 6")
    key = "new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, cancelable: true })"
    page.run(f"document.querySelector('#give-list button').dispatchEvent({key})")
    assert page.run(PLACE).startswith("3 of 6")


def test_undo_takes_back_one_decision_after_the_other(page: Browser, out: Path) -> None:
    _open(page, out, "review")
    count = "verdicts.size"
    _press(page, "y", "n")
    assert page.run(count) == 2
    _press(page, "u")
    assert page.run(count) == 1
    assert page.run(PLACE).startswith("2 of 6")
    _press(page, "ArrowLeft", "u")  # on a decided one, its own decision is taken back
    assert page.run(count) == 0
    assert page.run(PLACE).startswith("1 of 6")


def test_many_are_decided_at_once_by_similarity(page: Browser, out: Path) -> None:
    _open(page, out, "review")
    _press(page, "n")  # 0.33: what is decided stays
    _type(page, "limit", "0.6")
    page.run("document.getElementById('bulk').open = true")
    texts = [page.run(f"document.getElementById('{one}').textContent") for one in ("confirm-all", "reject-all")]
    assert [text.replace("\xa0", " ") for text in texts] == [
        "Confirm 3 undecided items ≥ 0.6",
        "Reject 2 undecided items < 0.6",
    ]
    _click(page, "#confirm-all")
    verdicts = "[...verdicts].map(([item, { verdict }]) => [item, verdict]).sort(([one], [other]) => one - other)"
    assert page.run(verdicts) == [[0, "confirmed"], [2, "confirmed"], [3, "confirmed"], [5, "rejected"]]
    _click(page, "#undo")
    assert page.run(verdicts) == [[5, "rejected"]]


def test_decisions_survive_a_reload_until_the_answer_changes(page: Browser, out: Path, tmp_path: Path) -> None:
    _open(page, out, "review")
    _press(page, "y", "n")
    page.open(out / "report.html")
    assert page.run("[...verdicts.values()].map(({ verdict }) => verdict)") == ["confirmed", "rejected"]
    changed = DrawnAnswer(("Alice",), {"a.mp4": 20.0}, DRAWN.spans[:1], DRAWN.near[:1])
    write_answer(tmp_path / "out", changed, tmp_path)
    write_report(tmp_path / "out")
    page.open(tmp_path / "out" / "report.html")
    assert page.run("verdicts.size") == 0


def test_only_another_person_can_be_given(page: Browser, tmp_path: Path) -> None:
    alone = DrawnAnswer(("Alice",), {"a.mp4": 20.0}, DRAWN.spans[:1])
    write_answer(tmp_path / "out", alone, tmp_path)
    write_report(tmp_path / "out")
    _open(page, tmp_path / "out", "review")
    _press(page, "g")
    assert page.run("document.getElementById('give').open") is False
    assert page.run("document.querySelector('#answers .given').disabled") is True


def test_a_page_without_results_says_so(page: Browser, tmp_path: Path) -> None:
    write_answer(tmp_path / "out", DrawnAnswer(("Alice",), {"a.mp4": 20.0}, ()), tmp_path)
    write_report(tmp_path / "out")
    for tab, text in (("spans", "No span and no near miss matches."), ("review", "Nothing to review.")):
        _open(page, tmp_path / "out", tab)
        assert page.run("document.getElementById('nothing').textContent") == text
    assert _told(page) == []


def test_print_shows_the_rows_of_the_view(page: Browser, tmp_path: Path) -> None:
    spans = tuple(Drawn(f"{place:03}.mp4", "Alice", 1.0, 2.0) for place in range(400))
    write_answer(tmp_path / "out", DrawnAnswer(("Alice",), {one.video: 9.0 for one in spans}, spans), tmp_path)
    write_report(tmp_path / "out")
    _open(page, tmp_path / "out", "spans")
    count = "document.querySelectorAll('#span-rows .row').length"
    assert 0 < page.run(count) < 60
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run(count) == 300
    note = page.run("document.querySelector('#span-rows .note').textContent")
    assert note == "and 100 more: see spans.csv and review.csv"
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run(count) < 60


def test_two_thousand_videos_of_twenty_persons(page: Browser, tmp_path: Path) -> None:
    persons = tuple(f"Person {number:02}" for number in range(20))
    videos = [f"folder_of_videos_{number:04} a film with a rather long name.mp4" for number in range(2000)]
    spans = []
    for number, video in enumerate(videos):
        for place, person in enumerate(persons * 2):
            start, best = 60.0 * place + number % 40, 0.4 + (number * place) % 50 / 100
            spans.append(Drawn(video, person, start, start + 1.5 + place % 3, best))
    near = [Drawn(video, persons[n % 20], 3000.0, 3002.0, 0.3 + n % 10 / 100) for n, video in enumerate(videos)]
    drawn = DrawnAnswer(persons, dict.fromkeys(videos, 3600.0), spans, near, videos[:150])
    write_answer(tmp_path / "out", drawn, tmp_path)
    done = write_report(tmp_path / "out")
    size = (tmp_path / "out" / "report.html").stat().st_size
    assert 5_000_000 < size <= 20_000_000
    assert done.num_pictures > 1000
    times = []
    for _ in range(3):
        _open(page, tmp_path / "out")
        # From the start of the navigation until a click on a view has been drawn.
        drawn_at = "requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0))"
        click = "document.getElementById('tab-spans').click()"
        times.append(page.run(f"new Promise((done) => {{ {click}; {drawn_at}; }})"))
    assert min(times) < 2000, times
    assert page.run("document.querySelectorAll('#span-rows .row').length") < 80
    num_rows = done.num_spans + done.num_near_misses
    assert page.run("document.getElementById('shown').textContent").startswith(f"{num_rows:,}")
    page.run("scrollTo(0, document.body.scrollHeight)")
    page.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert page.run("[...document.querySelectorAll('#span-rows .video bdi')].at(-1).textContent") == videos[-1]
    for tab in ("timelines", "times", "review"):
        _tab(page, tab)
    assert _told(page) == []
