"""audit.html in a real browser: keys, persons, progress, the saved file; hostile names stay text."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import CHROMIUM, Browser, browser
from people_tools import HOSTILE
from PIL import Image

from fastface.review.audit_files import AuditItem, AuditSample, DrawnStratum, answered_moments, read_answers
from fastface.review.audit_page import MomentPicture, write_audit_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

PROGRESS = "document.getElementById('progress').textContent"
SAID = "[...document.querySelectorAll('.answer')].map((one) => one.textContent)"
BOX = (1.0, 2.0, 30.0, 40.0)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def _picture(colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "JPEG")
    return file.getvalue()


def _sample(targets: tuple[str, ...], video: str = "a.mp4") -> AuditSample:
    """One moment of each role: a hit of the first target, a face, a sample with faces, one without."""
    roles: list[tuple[Any, int | None, Any]] = [("hit", 0, BOX), ("face", None, BOX), ("beside", None, None)]
    roles += [("empty", None, None)]
    strata = tuple(
        DrawnStratum(role=role, kind="", target=target, moments=9, seconds=1.8, drawn=1) for role, target, _ in roles
    )
    items = tuple(
        AuditItem(
            id=f"{place:016x}",
            stratum=place,
            video=video,
            time=3725.25,
            pts=place,
            period=0.2,
            target=target,
            box=box,
            choices=tuple(range(len(targets))) if role != "beside" else tuple(range(1, len(targets))),
        )
        for place, (role, target, box) in enumerate(roles)
    )
    return AuditSample(answer="0" * 32, seed=5, targets=targets, strata=strata, items=items)


def _open(page: Browser, folder: Path, sample: AuditSample) -> Path:
    path = folder / "audit.html"
    pictures = {item.id: MomentPicture(_picture(), _picture() if item.box else b"") for item in sample.items}
    write_audit_page(path, sample, pictures, {0: _picture("red")}, f"fastface audit audit.json -o {sample.targets[0]}")
    page.run("window.onbeforeunload = null")
    page.show(1400, 1000)
    page.open(path)
    page.run("new Promise((done) => new IntersectionObserver(() => done()).observe(document.body))")
    return path


def _key(page: Browser, key: str) -> None:
    code = {"ArrowUp": 38, "ArrowDown": 40, "Enter": 13}.get(key) or ord(key.upper())
    text = {"text": key} if len(key) == 1 else {}
    page.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
    page.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)


def _asked_and_told(page: Browser) -> tuple[list[str], list[Any]]:
    page.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    urls = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening")
    told = [event["params"] for event in page.events if event["method"] in kinds]
    return [url for url in urls if not url.startswith("data:image/jpeg;base64,")], told


def test_the_page_asks_in_words_and_for_nothing_else(page: Browser, tmp_path: Path) -> None:
    path = _open(page, tmp_path, _sample(("Alice", "Bob", "Cy")))
    assert _asked_and_told(page) == ([path.as_uri()], [])
    assert page.run("[...document.querySelectorAll('.question')].map((one) => one.textContent)") == [
        "Is this Alice?",
        "Is this one of them? Which?",
        "Is one of them also on screen, outside the boxes? Who?",
        "Is one of these persons on screen? Who?",
    ]
    assert page.run("document.querySelector('.time').textContent") == "1:02:05.3"
    assert page.run("[...document.querySelectorAll('.row:first-child img')].map((one) => one.alt)") == [
        "a.mp4 at 1:02:05.3",
        "The face, closer",
        "Photo of Alice",
    ]
    assert page.run(PROGRESS) == "0 of 4 answered"


def test_keys_answer_and_the_saved_file_is_read(page: Browser, tmp_path: Path) -> None:
    sample = _sample(("Alice", "Bob", "Cy"))
    _open(page, tmp_path, sample)
    for key in ("y", "2", "1", "2", "3", "y", "u"):  # of the third, Alice has a box: her number does nothing
        _key(page, key)
    assert page.run(SAID) == ["yes", "Bob", "Bob, Cy", "unsure"]
    assert page.run(PROGRESS) == "4 of 4 answered, 1 of them unsure"
    for key in ("ArrowUp", "n", "ArrowUp", "ArrowUp", "3"):
        _key(page, key)
    assert page.run(SAID) == ["Cy", "Bob", "none of them", "unsure"]
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"), eventsEnabled=True)
    _key(page, "s")
    page.wait("Browser.downloadProgress", state="completed")
    answers = read_answers(tmp_path / "saved" / "audit.json", sample)
    assert answers.seed == 5
    assert [(one.stratum, set(one.persons)) for one in answered_moments(sample, answers)] == [
        (0, {2}),
        (1, {1}),
        (2, set()),
    ]
    assert "fastface audit audit.json -o Alice" in page.run("document.getElementById('saved').innerText")


def test_a_click_answers_its_own_row(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _sample(("Alice", "Bob", "Cy")))
    page.run("document.querySelectorAll('.row')[1].querySelector('.who[data-number=\"3\"]').click()")
    page.run("document.querySelectorAll('.row')[3].querySelectorAll('.answers button')[0].click()")
    assert page.run(SAID) == ["", "Cy", "", "none of them"]


def test_of_one_target_all_is_yes_or_no(page: Browser, tmp_path: Path) -> None:
    sample = _sample(("Alice",))
    items = tuple(item for item in sample.items if item.choices)
    _open(page, tmp_path, sample.model_copy(update={"items": items}))
    questions = page.run("[...document.querySelectorAll('.question')].map((one) => one.textContent)")
    assert questions == ["Is this Alice?", "Is this Alice?", "Is Alice on screen?"]
    for key in ("y", "n", "y"):
        _key(page, key)
    assert page.run(SAID) == ["yes", "no", "yes"]


def test_many_targets_have_numbers_of_several_digits(page: Browser, tmp_path: Path) -> None:
    _open(page, tmp_path, _sample(tuple(f"person{number}" for number in range(1, 15))))
    for key in ("ArrowDown", "1", "2", "ArrowUp", "ArrowUp", "7", "ArrowDown", "ArrowDown"):
        _key(page, key)
    assert page.run(SAID)[:2] == ["person7", "person12"]
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "1", "Enter"):
        _key(page, key)
    assert page.run(SAID)[0] == "yes"


def test_hostile_names_do_nothing(page: Browser, tmp_path: Path) -> None:
    names = tuple(name.encode(errors="replace").decode() for name in HOSTILE)
    path = _open(page, tmp_path, _sample(names, names[1]))
    for key in ("2", "3", "Enter", "4", "y", "n"):
        _key(page, key)
    assert page.run("document.title") == "Audit"
    assert _asked_and_told(page) == ([path.as_uri()], [])
    assert page.run("document.querySelectorAll('img[src=x], .row b, .row script').length") == 0
    refused = (
        "(() => { try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); return 'done'; }"
        "catch (error) { return error.name; } })()"
    )
    assert page.run(refused) == "TypeError"


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1600, "dark")])
def test_nothing_is_cut_off_at_the_sides(page: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    _open(page, tmp_path, _sample(("W" * 300, "two words " * 30, "Bob"), "v" * 300))
    page.show(width, 900, scheme)
    assert page.run("document.documentElement.scrollWidth") == width
    wide = "[...document.querySelectorAll('.row, .row *, #bar *')].filter((one) => one.offsetWidth &&"
    assert page.run(f"{wide} one.getBoundingClientRect().right > {width}).length") == 0
