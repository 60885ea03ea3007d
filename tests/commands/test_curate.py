"""`fastface curate`: what it keeps, writes, leaves alone, and ends with."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import contents, errors, fastface
from PIL import Image
from places import python_path

from fastface.commands.curate import curate
from fastface.config import load_config
from fastface.curation import photo_reader as curate_looking
from fastface.curation import reader_process as curate_process
from fastface.errors import WorkerError
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.process_pool import ProcessPool
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder

KILLER = "killer.png"


@pytest.fixture
def crops(cartoon: Cartoon, tmp_path: Path) -> Path:
    """Four persons; the first also smaller and with borders, the second twice; a blank picture, text, a list."""
    folder = tmp_path / "crops"
    shutil.copytree(cartoon.photos, folder)
    first, second, *_ = sorted(folder.iterdir())
    picture = cv2.imread(str(first))
    boxed = cv2.copyMakeBorder(picture, 160, 160, 0, 0, cv2.BORDER_CONSTANT)
    drawn = {"small.jpg": cv2.resize(picture, (320, 320)), "boxed.png": boxed, "blank.png": np.full_like(picture, 128)}
    for name, content in drawn.items():
        assert cv2.imwrite(str(folder / name), content)
    (folder / "more").mkdir()
    shutil.copy(second, folder / "more" / "equal.dat")  # a PNG, whatever it is called
    (folder / "broken.jpg").write_bytes(b"this is no picture")
    (folder / "crops.csv").write_text("video,time,file\n")
    return folder


def command(cartoon: Cartoon, crops: Path, out: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return fastface("curate", crops, "-o", out, "--models", cartoon.models, "--device", "cpu", *more)


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder by its content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def table(out: Path) -> dict[str, dict[str, str]]:
    """curation.csv by the name of the source."""
    rows = run_tools.rows(out / "curation.csv")
    found = {Path(row["file"]).name: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_every_picture_has_a_row_with_its_reason(cartoon: Cartoon, crops: Path, tmp_path: Path) -> None:
    out, persons = tmp_path / "set", sorted(path.name for path in cartoon.photos.iterdir())
    before = contents(crops), digests(crops)
    done = command(cartoon, crops, out, "--json")
    assert done.returncode == 3, done.stderr
    report, rows = json.loads(done.stdout), table(out)
    assert len(rows) == len(report["pictures"]) == len(persons) + 6
    assert rows["blank.png"]["reason"] == "no face found"
    assert rows["broken.jpg"]["reason"] == "not a picture, or of a format that is not read"
    assert [fault.split(":")[0] for fault in report["faults"]] == [repr(str(crops / "broken.jpg"))]
    assert rows["crops.csv"]["kept"] == "no"  # nobody meant it as a picture: it is no fault
    doubles = {name for name, row in rows.items() if row["reason"].startswith("double of")}
    assert len(doubles & {persons[0], "small.jpg"}) == 1
    assert len(doubles & {persons[1], "equal.dat"}) == 1
    assert float(rows["boxed.png"]["border"]) == pytest.approx(1 / 3, abs=0.01)
    kept = {name: row["name"] for name, row in rows.items() if row["kept"] == "yes"}
    assert set(persons[2:]) <= set(kept)
    assert len(kept) >= 4
    assert report["kept"] == len(kept) == len(set(kept.values()))
    assert report["left_out"]["double of another"] == len(doubles)
    assert report["left_out"]["no face found"] == sum(
        row["reason"].startswith("no face found") for row in rows.values()
    )
    assert sum(report["left_out"].values()) == len(rows) - len(kept)
    for name, row in rows.items():
        if name in kept:
            assert (out / row["name"]).read_bytes() == Path(row["file"]).read_bytes()
            assert row["sha256"] == hashlib.sha256((out / row["name"]).read_bytes()).hexdigest()
    files = {path.name for path in out.iterdir()}
    assert files == {".fastface", "curation.csv", "contact.png", *kept.values()}
    assert {path.suffix for path in out.iterdir()} <= {"", ".csv", ".png", ".jpg"}
    assert (contents(crops), digests(crops)) == before


def test_what_could_not_begin_leaves_no_folder(cartoon: Cartoon, tmp_path: Path) -> None:
    for targets, models in (((), tmp_path), (("-t", cartoon.models), cartoon.models)):
        done = fastface("curate", cartoon.photos, "-o", tmp_path / "new" / "set", "--models", models, *targets)
        assert done.returncode in (1, 2), done
        assert not (tmp_path / "new").exists()


def test_the_set_is_its_owners_alone_and_the_sheet_shows_it(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "new" / "set"
    done = command(cartoon, cartoon.photos, out)
    assert done.returncode == 0, done.stderr
    assert "kept 4 of 4 files" in done.stdout
    assert "left out" not in done.stdout
    assert out.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in out.iterdir() if path.is_file()} == {0o600}
    with Image.open(out / "contact.png") as sheet:
        assert sheet.format == "PNG"
        assert len(sheet.convert("RGB").getcolors(1 << 24)) > 100


def test_the_order_of_arguments_and_a_second_run_change_nothing(cartoon: Cartoon, crops: Path, tmp_path: Path) -> None:
    files = sorted(path for path in crops.rglob("*") if path.is_file())
    settings = ("--models", cartoon.models, "--device", "cpu", "-q")
    assert fastface("curate", *files, "-o", tmp_path / "one", *settings).returncode == 3
    first = digests(tmp_path / "one")
    assert fastface("curate", *reversed(files), "-o", tmp_path / "two", *settings).returncode == 3
    assert fastface("curate", crops, *files[:2], "-o", tmp_path / "one", *settings).returncode == 3
    assert len(first) >= 7
    locks = ".fastface/lock"
    for again in (digests(tmp_path / "one"), digests(tmp_path / "two")):
        assert {name: digest for name, digest in again.items() if name != locks} == {
            name: digest for name, digest in first.items() if name != locks
        }


def test_a_second_run_replaces_what_the_first_wrote_and_nothing_else(
    cartoon: Cartoon, crops: Path, tmp_path: Path
) -> None:
    out, names = tmp_path / "set", sorted(path.name for path in cartoon.photos.iterdir())
    out.mkdir()
    (out / names[3]).write_bytes(b"the user's own")  # called as one that will be kept
    (out / "notes.txt").write_bytes(b"the user's too")
    assert command(cartoon, crops, out, "-q").returncode == 3
    assert (out / names[3]).read_bytes() == b"the user's own"
    kept = {row["name"] for row in table(out).values() if row["kept"] == "yes"}
    assert any(name.startswith(Path(names[3]).stem) and name != names[3] for name in kept)
    (out / names[2]).write_bytes(b"changed by the user")
    assert command(cartoon, cartoon.photos / names[1], out, "-q").returncode == 0
    left = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert set(left) == {names[1], names[2], names[3], "notes.txt", "curation.csv", "contact.png"}
    assert left[names[2]] == b"changed by the user"
    assert left[names[3]] == b"the user's own"


@pytest.mark.parametrize("name", ["curation.csv", "contact.png", "contact-3.png"])
def test_a_file_of_the_users_is_not_replaced(cartoon: Cartoon, tmp_path: Path, name: str) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / name).write_bytes(b"mine")
    (line,) = errors(command(cartoon, cartoon.photos, tmp_path / "set", "-q"), 2, 1)
    assert name in line
    assert (tmp_path / "set" / name).read_bytes() == b"mine"


def test_a_record_that_is_damaged_or_names_other_places_removes_nothing(cartoon: Cartoon, tmp_path: Path) -> None:
    out, precious = tmp_path / "set", tmp_path / "precious.png"
    assert command(cartoon, cartoon.photos, out, "-q").returncode == 0
    shutil.copy(min(cartoon.photos.iterdir()), precious)
    record = out / ".fastface" / "curation.json"
    written = json.loads(record.read_text())
    written["files"] |= {"../precious.png": ["*"], str(precious): ["*"], ".fastface": ["*"]}
    record.write_text(json.dumps(written))
    assert command(cartoon, cartoon.photos, out, "-q").returncode == 0
    assert precious.exists()
    for damage in ("{", "[]", '{"schema_version": 2, "files": {}}', '{"schema_version": 1, "files": {"a": 1}}'):
        record.write_text(damage)
        (line,) = errors(command(cartoon, cartoon.photos, out, "-q"), 2, 1)
        assert "curation.json" in line


def test_a_dry_run_tells_and_writes_nothing(cartoon: Cartoon, crops: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    done = command(cartoon, crops, tmp_path / "set", "--dry-run")
    assert done.returncode == 3, done.stderr
    assert contents(tmp_path) == before
    would = [line for line in done.stdout.splitlines() if line.startswith("would keep: ")]
    assert command(cartoon, crops, tmp_path / "set", "-q").returncode == 3
    assert len(would) == sum(row["kept"] == "yes" for row in table(tmp_path / "set").values())


def test_a_target_leaves_others_out(cartoon: Cartoon, tmp_path: Path) -> None:
    photos = sorted(cartoon.photos.iterdir())
    assert command(cartoon, cartoon.photos, tmp_path / "set", "-t", photos[1], "-q").returncode == 0
    rows = table(tmp_path / "set")
    assert [name for name, row in rows.items() if row["kept"] == "yes"] == [photos[1].name]
    assert float(rows[photos[1].name]["similarity"]) > 0.9
    assert sum(row["reason"].startswith("another person: similarity") for row in rows.values()) == 3


def test_max_and_quotas_are_settings(cartoon: Cartoon, tmp_path: Path) -> None:
    assert command(cartoon, cartoon.photos, tmp_path / "set", "--max", 2, "-q").returncode == 0
    rows = table(tmp_path / "set")
    assert Counter(row["kept"] for row in rows.values()) == {"yes": 2, "no": 2}
    assert sum(row["reason"].startswith("beyond the quota: ") for row in rows.values()) == 2


def test_usage_errors_are_told_before_anything_is_written(cartoon: Cartoon, tmp_path: Path) -> None:
    source = Path(shutil.copytree(cartoon.photos, tmp_path / "crops"))
    before = contents(tmp_path)
    for crops, out in ((source, source), (source, source / "set"), (tmp_path / "none", tmp_path / "set")):
        errors(command(cartoon, crops, out), 2, 1)
    (line,) = errors(command(cartoon, source, tmp_path / "set", "--max", 0), 2, 1)
    assert "--max 0: must be at least 1" in line
    assert contents(tmp_path) == before


def test_a_glob_that_takes_along_the_tables_of_a_run_is_no_fault(cartoon: Cartoon, tmp_path: Path) -> None:
    crops = tmp_path / "out" / "crops"
    person = sorted(cartoon.photos.iterdir())[0]
    (crops / "Ann").mkdir(parents=True)
    shutil.copy(person, crops / "Ann" / "film_1.000_0.png")
    # The header of crops.csv as the contract has it.
    (crops / "crops.csv").write_text("video,target,time,box,similarity,quality,ratio,file\r\n")
    plain = ("--models", cartoon.models, "--device", "cpu", "-o", tmp_path / "set")
    done = fastface("curate", crops / "Ann", crops / "crops.csv", *plain)
    assert (done.returncode, done.stderr.count("not read")) == (0, 0), done.stderr
    (crops / "crops.csv").write_text("a,table,of,the,user's\n")
    done = fastface("curate", crops / "Ann", crops / "crops.csv", *plain)
    assert done.returncode == 3
    assert "crops.csv" in done.stderr


def test_a_folder_in_use_is_exit_code_11(cartoon: Cartoon, tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "set").hold_lock():
        errors(command(cartoon, cartoon.photos, tmp_path / "set"), 11, 1)


def test_pictures_are_opened_by_children_alone(cartoon: Cartoon, tmp_path: Path) -> None:
    heavy = ("cv2", "PIL", "openvino", "onnxruntime")
    code = (
        "import sys\nfrom fastface.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    given = ("curate", cartoon.photos, "-o", tmp_path / "set", "--models", cartoon.models, "--device", "cpu", "-q")
    done = subprocess.run([sys.executable, "-c", code, *map(str, given)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "[]"]


# ── pictures that end the process ───────────────────────────────────────────────────────────────────────────────────


def hostile(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """The curating process, in which a picture of one name does what a fault of a decoder would."""
    read = curate_process.read_picture

    def read_or_die(path: Path) -> Any:
        if path.name == KILLER:
            os.kill(os.getpid(), signal.SIGSEGV)
        return read(path)

    curate_process.read_picture = read_or_die
    curate_process.serve(connection, descriptor, settings)


@pytest.fixture
def served_by_hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(role: str, _serve: str, size: int, settings: object) -> ProcessPool:
        return ProcessPool(role, f"{Path(__file__).stem}:hostile", size, settings)

    monkeypatch.setenv("PYTHONPATH", python_path(__file__))
    monkeypatch.setattr(curate_looking, "ProcessPool", pool)


@pytest.mark.usefixtures("served_by_hostile")
def test_a_picture_that_kills_the_process_loses_only_itself(cartoon: Cartoon, tmp_path: Path) -> None:
    source = Path(shutil.copytree(cartoon.photos, tmp_path / "crops"))
    (source / KILLER).write_bytes(b"x")
    config = load_config(environment={}, flags={"models": {"dir": cartoon.models, "device": "cpu"}})
    result = curate(config, [str(source)], tmp_path / "set", Observer())
    assert (result.exit_code, len(result.kept)) == (3, 4)
    assert table(tmp_path / "set")[KILLER]["reason"] == "cannot be read: its process was ended (status -11)"
    assert run_tools.children(os.getpid()) == []


@pytest.mark.usefixtures("served_by_hostile")
def test_a_process_that_ends_whatever_it_is_given_is_given_up(cartoon: Cartoon, tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / "crops" / str(number)).mkdir(parents=True)
        (tmp_path / "crops" / str(number) / KILLER).touch()
    config = load_config(environment={}, flags={"models": {"dir": cartoon.models, "device": "cpu"}})
    with pytest.raises(WorkerError, match="status -11"):
        curate(config, [str(tmp_path / "crops")], tmp_path / "set", Observer())


# ── real pictures ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_hostile_pictures_end_in_rows(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    odd, out = shared_media / "odd_photos", tmp_path / "set"
    before = digests(odd)
    done = fastface("curate", odd, "-o", out, "--models", shared_models, "--device", "cpu", "-q")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    rows = table(out)
    assert set(rows) == set(before)
    assert all(row["reason"] for row in rows.values())
    for name in ("tc_heapbof.png", "tc_corrupt.jpg", "am_white-1x1.jpg", "tc_sigsegv.png"):
        assert rows[name]["kept"] == "no"
    assert digests(odd) == before


def test_photos_of_a_person_make_a_set(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    tv, out = shared_media / "photos" / "friends_tv", tmp_path / "set"
    source, ours = tmp_path / "photos", tv / "Rachel_Green"
    shutil.copytree(ours, source)
    stranger = min((tv / "Ross_Geller").iterdir())
    shutil.copy(stranger, source / "stranger.jpg")
    first = min(source.iterdir())
    with Image.open(first) as picture:
        width, height = picture.size
        picture.convert("RGB").resize((width * 3 // 4, height * 3 // 4)).save(source / "again.jpg", quality=80)
    done = fastface("curate", source, "-o", out, "--models", shared_models, "--device", "cpu", "-q", "--max", 12)
    assert done.returncode in {0, 3}, done.stderr
    rows = table(out)
    assert rows["stranger.jpg"]["reason"].startswith("looks like someone else")
    reasons = rows["again.jpg"]["reason"], rows[first.name]["reason"]
    assert sum(reason.startswith("double of") for reason in reasons) == 1
    kept = [row for row in rows.values() if row["kept"] == "yes"]
    assert len(kept) == 12
    assert len({row["framing"] for row in kept}) >= 2
