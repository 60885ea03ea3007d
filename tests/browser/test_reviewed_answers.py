"""A real answer is reviewed by keys in report.html: once `correct` has applied the file, every later answer is right.

Rachel is asked for with a threshold so low that other persons' faces are hits, one span a sample. What is right comes
from the labels by eye in shared/media/truth.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import CHROMIUM, Browser, browser
from cli_tools import fastface
from run_tools import rows

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

FALSE_HITS = ("--threshold", "0.05", "--no-grow", "-s", "spans.merge_gap=0", "-s", "spans.min_span=0", "--pad", "0")
CURRENT = (
    "(() => { const item = current(); return item === null ? null : [targets[targetOf(item)], startOf(item)]; })()"
)
SAVE = (
    "{ const make = URL.createObjectURL; URL.createObjectURL = (blob) => { globalThis.saved = blob.text();"
    "return make.call(URL, blob); }; HTMLAnchorElement.prototype.click = () => undefined; }"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def truth(shared_media: Path) -> dict[str, list[tuple[float, float]]]:
    """When each person of friends.mp4 is in the picture."""
    found: dict[str, list[tuple[float, float]]] = {}
    with (shared_media / "truth" / "friends.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if "no face" not in row["note"]:
                found.setdefault(row["person"], []).append((float(row["start"]), float(row["end"])))
    return found


def _is_there(bounds: list[tuple[float, float]], time: float) -> bool:
    return any(start <= time < end for start, end in bounds)


def _review(page: Browser, out: Path, kind: str, bounds: list[tuple[float, float]]) -> int:
    """Answers each span or near miss by a key; returns how many were confirmed."""
    page.show(1400, 1000)
    page.open(out / "report.html")
    page.run(SAVE)
    page.run("document.getElementById('tab-review').click()")
    page.run(
        f"{{ const one = document.getElementById('review-kind'); one.value = '{kind}';"
        "one.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    keys = []
    for _ in range(page.run("queue.length")):
        _, start = page.run(CURRENT)
        keys.append("y" if _is_there(bounds, start) else "n")
        page.press(keys[-1], keys[-1])
    page.press("s", "s")
    decisions: dict[str, Any] = json.loads(page.run("globalThis.saved"))
    assert len(decisions["decisions"]) == len(keys)
    file = out.parent / "decisions.json"
    file.write_text(json.dumps(decisions))
    done = fastface("correct", file, "-o", out, "-q")
    assert done.returncode == 0, done.stderr
    return keys.count("y")


def _list_marks(page: Browser, out: Path) -> list[str]:
    """Lists what the page says of each span of friends.mp4."""
    page.open(out / "report.html")
    page.run("document.getElementById('tab-spans').click()")
    marks: list[str] = page.run(
        "[...document.querySelectorAll('#span-rows .row:not(.is-near)')]"
        ".filter((row) => row.innerText.includes('friends.mp4'))"
        ".map((row) => row.querySelector('.state').textContent)"
    )
    return marks


def test_a_reviewed_answer_stays_right(
    page: Browser,
    shared_media: Path,
    shared_models: Path,
    truth: dict[str, list[tuple[float, float]]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"

    def scan(clip: str) -> None:
        film = shared_media / "clips" / clip
        done = fastface("scan", film, "--models", shared_models, "-o", out, "-q", "--sample-fps", 1)
        assert done.returncode == 0, done.stderr

    def ask(person: str, *more: str) -> list[float]:
        """Returns the times of the hits in friends.mp4."""
        photo = shared_media / "photos" / "friends" / f"{person}.png"
        exports = ("--clips", "none", "--crops", "none", "-q")
        done = fastface("find", "-t", photo, "--models", shared_models, "-o", out, *exports, *more)
        assert done.returncode == 0, done.stderr
        return [float(row["time"]) for row in rows(out / "hits.csv") if row["video"] == "friends.mp4"]

    def check() -> None:
        seen = ask("Rachel", *FALSE_HITS)
        assert seen == right
        assert {row["by"] for row in rows(out / "hits.csv") if row["video"] == "friends.mp4"} == {"decision"}
        marks = _list_marks(page, out)
        assert len(marks) == 7 and set(marks) == {"✓ confirmed earlier"}
        assert missed in ask("Monica")

    scan("friends.mp4")
    asked = ask("Rachel", *FALSE_HITS)
    right = [time for time in asked if _is_there(truth["Rachel"], time)]
    assert (len(asked), len(right)) == (25, 7)
    assert _review(page, out, "span", truth["Rachel"]) == 7

    ask("Monica")
    (near_miss,) = rows(out / "review.csv")
    missed = float(near_miss["start"])
    assert _review(page, out, "near", truth["Monica"]) == 1

    check()
    scan("hamilton.mp4")
    check()
