"""`fastface report`, and the page that each search writes: `forget` and `purge` know it, another search moves it."""

import json
import shutil
import stat
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import BROKEN, Ran, contents, copy_of_out, errors, fastface
from report_tools import PageContent
from run_tools import leftovers, rows

from fastface.runtime.output_folder import OutputFolder


@pytest.fixture
def out(ran: Ran, tmp_path: Path) -> Path:
    return copy_of_out(ran, tmp_path)


def _find(cartoon: Cartoon, out: Path, *more: str, photos: Path | None = None) -> list[object]:
    exports = ("--clips", "none", "--crops", "none", "--pad", "0")
    return ["find", "-t", photos or cartoon.photos, "--models", cartoon.models, "-o", out, *exports, *more]


def test_a_run_writes_the_page_with_its_spans_pictures_and_faults(ran: Ran) -> None:
    path = ran.out / "report.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    page = PageContent(path)
    facts, table = page.json("facts"), rows(ran.out / "spans.csv")
    assert len(table) > 3
    videos = [video[0] for video in facts["videos"]]
    columns = [facts["spans"][name] for name in ("video", "target", "start", "end")]
    found = [
        (videos[video], facts["targets"][target], start, end)
        for video, target, start, end in zip(*columns, strict=True)
    ]
    assert found == [(row["video"], row["target"], float(row["start"]), float(row["end"])) for row in table]
    assert facts["spans"]["clip"] == [1] * len(table)  # every clip has its usual name
    assert facts["totals"]["seconds"] == pytest.approx(sum(end - start for _, _, start, end in found))
    assert [fault["what"] for fault in facts["faults"] if fault["kind"] == "failed"] == [BROKEN]
    # Every drawn face is clear, so each span has a picture.
    items = [item for name in page.names() if name.startswith("pictures-") for item, _, _ in page.json(name)]
    assert sorted(item for item in items if item < len(table)) == list(range(len(table)))
    curves = {(videos[video], facts["targets"][target]) for video, target, _ in page.json("curves")}
    assert curves == {(row["video"], row["target"]) for row in table}


def test_written_again_the_page_is_the_same(out: Path) -> None:
    assert fastface("report", "-o", out, "-q").returncode == 0
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    done = fastface("report", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    num_spans = len(rows(out / "spans.csv"))
    assert done.stdout.startswith(f"wrote {out / 'report.html'}: {num_spans} spans, ")
    assert (out / "report.html").read_bytes() == before
    told = json.loads(fastface("report", "-o", out, "--json").stdout)
    assert (told["path"], told["num_spans"], told["left_out"]) == (str(out / "report.html"), num_spans, [])
    assert leftovers(out) == []


def test_what_would_be_written_is_printed(out: Path) -> None:
    (out / "report.html").unlink()
    before = contents(out)
    done = fastface("report", "-o", out, "--dry-run")
    assert (done.returncode, done.stdout) == (0, f"output: {str(out / 'report.html')!r}\n")
    told = json.loads(fastface("report", "-o", out, "--dry-run", "--json").stdout)
    assert told["output"] == [repr(str(out / "report.html"))]
    (out / "spans.json").rename(out / "moved.json")
    (line,) = errors(fastface("report", "-o", out, "--dry-run"), 2, 1)
    assert "holds no answer" in line
    (out / "moved.json").rename(out / "spans.json")
    assert contents(out).keys() == before.keys()


def test_what_cannot_be_written_is_refused_in_words(cartoon: Cartoon, out: Path, tmp_path: Path) -> None:
    (line,) = errors(fastface("report", "-o", tmp_path / "none"), 2, 1)
    assert "holds no scanned videos" in line
    with OutputFolder(out).hold_lock():
        (line,) = errors(fastface("report", "-o", out), 11, 1)
    assert "in use by another run" in line
    before = (out / "report.html").read_bytes()
    (out / "spans.json").write_text('[{"video": "film1.mp4"}]')
    (line,) = errors(fastface("report", "-o", out), 2, 1)
    assert "is damaged; search again" in line
    (out / "spans.json").unlink()
    (line,) = errors(fastface("report", "-o", out), 2, 1)
    assert "holds no answer; search for persons first" in line
    assert (out / "report.html").read_bytes() == before


def test_a_search_without_a_page_removes_the_one_of_before(cartoon: Cartoon, out: Path) -> None:
    done = fastface(*_find(cartoon, out, "--no-report"))
    assert done.returncode == 3, done.stderr  # one film is broken
    assert not (out / "report.html").exists()
    assert "report.html" not in done.stdout
    done = fastface(*_find(cartoon, out, "--report"))
    assert (out / "report.html").exists()
    assert "report.html" in done.stdout


def test_another_question_takes_the_page_of_the_last_one_along(cartoon: Cartoon, out: Path) -> None:
    before = (out / "report.html").read_bytes()
    photo = min(cartoon.photos.iterdir())
    assert fastface(*_find(cartoon, out, photos=photo)).returncode == 3
    (earlier,) = (out / "earlier").iterdir()
    assert (earlier / "report.html").read_bytes() == before
    assert PageContent(out / "report.html").json("facts")["targets"] == [photo.stem]
    assert fastface("forget", "film1.mp4", "-o", out, "--yes", FASTFACE_MODELS="").returncode == 0
    for page in (out / "report.html", earlier / "report.html"):
        facts = PageContent(page).json("facts")
        assert [video[0] for video in facts["videos"]] == [BROKEN, "film2.mp4", "film3.mp4"]
        assert b"film1.mp4" not in page.read_bytes()
    assert fastface("purge", "-o", out, "--yes").returncode == 0
    assert list(out.rglob("report.html")) == []


def test_nothing_of_the_videos_is_read(cartoon: Cartoon, tmp_path: Path) -> None:
    films = shutil.copytree(cartoon.films, tmp_path / "films")
    scan = ("run", films, "-t", cartoon.bank, "--models", cartoon.models, "--clips", "none", "--crops", "none")
    assert fastface(*scan, "-o", tmp_path / "out").returncode == 0
    # A nightly scan of more films leaves the answer and its page as they are.
    scanned = fastface("scan", films, "--fresh", "--models", cartoon.models, "-o", tmp_path / "out", "-q")
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["command"] == "scan"
    shutil.rmtree(films)
    before = (tmp_path / "out" / "report.html").read_bytes()
    assert fastface("report", "-o", tmp_path / "out").returncode == 0
    assert (tmp_path / "out" / "report.html").read_bytes() == before
    # The next question takes the answer aside with the record of its search, not with that of the scan.
    photo = min(cartoon.photos.iterdir())
    asked = ("find", "-t", photo, "--models", cartoon.models, "--clips", "none", "--crops", "none")
    assert fastface(*asked, "-o", tmp_path / "out").returncode == 0
    (earlier,) = (tmp_path / "out" / "earlier").iterdir()
    assert json.loads((earlier / "run.json").read_text())["command"] == "run"
    assert json.loads((tmp_path / "out" / "run.json").read_text())["command"] == "find"
    assert not (tmp_path / "out" / ".fastface" / "answer_run.json").exists()
