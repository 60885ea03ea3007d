"""`fastface audit`: the sample, the page, and what answers that know the truth say, on drawn films."""

import json
import shutil
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import Ran, contents, copy_of_out, drawn_hits, errors, fastface, found_hits, labels

PERIOD = 0.2


@pytest.fixture(scope="module")
def drawn(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder of which every moment is asked; tests that change it copy it."""
    out = copy_of_out(ran, tmp_path_factory.mktemp("audit"))
    done = fastface("audit", "-o", out, "-n", 2000, "--json")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def out(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "out"))


def _sample(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "audit" / "sample.json").read_text())
    return found


def _page_facts(out: Path) -> dict[str, Any]:
    page = (out / "audit" / "audit.html").read_text()
    facts: dict[str, Any] = json.loads(page.split('id="facts">')[1].split("</script>")[0])
    return facts


def _answers(out: Path, cartoon: Cartoon, folder: Path) -> Path:
    """What a user says who knows what was drawn, as the page saves it."""
    facts, sample = _page_facts(out), _sample(out)
    truth = drawn_hits(cartoon)
    found = found_hits(out)
    answers = []
    for item in sample["items"]:
        role = sample["strata"][item["stratum"]]["role"]
        key = {place: (item["video"], label, f"{item['time']:.3f}") for place, label in enumerate(sample["targets"])}
        if role == "hit":
            persons = [item["target"] + 1] if truth[key[item["target"]]] else []
        elif role == "face":
            persons = []  # where every drawn hit is found, no other face is a target's
        else:
            persons = [place + 1 for place in item["choices"] if truth[key[place]] and not found[key[place]]]
        answers.append({"id": item["id"], "persons": persons, "unsure": False})
    return _write(folder, {"schema_version": 1, "audit": facts["audit"], "seed": sample["seed"], "answers": answers})


def _write(folder: Path, value: object) -> Path:
    path = folder / "audit.json"
    path.write_text(json.dumps(value))
    return path


def test_the_strata_are_all_moments_of_the_films(drawn: Path, cartoon: Cartoon) -> None:
    sample = _sample(drawn)
    by_target: Counter[str] = Counter()
    for one in sample["strata"]:
        if one["role"] == "hit":
            by_target[sample["targets"][one["target"]]] += one["moments"]
    assert by_target == Counter(target for _, target, _ in found_hits(drawn).elements())
    assert sum(by_target.values()) > 50
    faces = sum(one["moments"] for one in sample["strata"] if one["role"] in ("hit", "near", "face"))
    report = json.loads((drawn / "run.json").read_text())
    assert faces == report["counts"]["faces"]
    times = Counter((row["video"], row["pts"]) for row in run_tools.rows(drawn / "hits.csv"))
    whole = sum(one["moments"] for one in sample["strata"] if one["role"] == "empty")
    with_face = report["counts"]["sampled"] - whole
    assert len(times) <= with_face <= report["counts"]["sampled"]
    assert all(one["drawn"] == one["moments"] for one in sample["strata"])
    assert all(one["seconds"] == pytest.approx(PERIOD * one["moments"]) for one in sample["strata"])
    assert len({item["id"] for item in sample["items"]}) == len(sample["items"])


def test_each_moment_is_a_sample_of_its_film(drawn: Path) -> None:
    sample = _sample(drawn)
    for item in sample["items"]:
        assert item["time"] / PERIOD == pytest.approx(round(item["time"] / PERIOD), abs=1e-6)
    empty = [
        (item["video"], item["pts"]) for item in sample["items"] if sample["strata"][item["stratum"]]["role"] == "empty"
    ]
    others = {(item["video"], item["pts"]) for item in sample["items"]} - set(empty)
    assert len(set(empty)) == len(empty)
    assert {(row["video"], int(row["pts"])) for row in run_tools.rows(drawn / "hits.csv")} <= others


def test_pages_and_lists_are_their_owners_alone(drawn: Path) -> None:
    assert stat.S_IMODE((drawn / "audit").stat().st_mode) == 0o700
    files = list((drawn / "audit").iterdir())
    assert sorted(path.name for path in files) == ["audit.html", "sample.json"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


def test_the_seed_decides(out: Path) -> None:
    names = {}
    for seed in (3, 3, 4):
        assert fastface("audit", "-o", out, "-n", 60, "--seed", seed, "-q").returncode == 0
        sample = _sample(out)
        names.setdefault(seed, []).append([item["id"] for item in sample["items"]])
        assert len(sample["items"]) == 60
    assert names[3][0] == names[3][1] != names[4][0]


def test_who_knows_the_truth_gets_it(out: Path, cartoon: Cartoon, tmp_path: Path) -> None:
    truth, found = drawn_hits(cartoon), found_hits(out)
    assert not truth - found  # what `_answers` takes for granted
    done = fastface("audit", _answers(out, cartoon, tmp_path), "-o", out, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert json.loads((out / "audit" / "result.json").read_text()) == result
    assert stat.S_IMODE((out / "audit" / "result.json").stat().st_mode) == 0o600
    assert [one["target"] for one in result["targets"]] == labels(cartoon)
    for one in (*result["targets"], {"target": None, **result["overall"]}):
        label = one["target"]
        right = sum(count for key, count in (truth & found).items() if label in (None, key[1]))
        said = sum(count for key, count in found.items() if label in (None, key[1]))
        real = sum(count for key, count in truth.items() if label in (None, key[1]))
        # All were asked, so the interval is the estimate.
        assert one["precision"] == {name: pytest.approx(right / said, abs=1e-4) for name in ("value", "low", "high")}
        assert one["recall"] == {name: pytest.approx(right / real, abs=1e-4) for name in ("value", "low", "high")}
        assert one["reported_seconds"] == pytest.approx(PERIOD * said)
        assert one["true_seconds"]["value"] == pytest.approx(PERIOD * real)
        assert one["error_seconds"]["value"] == pytest.approx(PERIOD * (said - real))
    assert (result["unsure"], result["open"]) == (0, 0)


def test_wrong_hits_and_misses_are_counted_and_unsure_ones_left_out(
    out: Path, cartoon: Cartoon, tmp_path: Path
) -> None:
    file = _answers(out, cartoon, tmp_path)
    sample, said = _sample(out), json.loads(file.read_text())
    place = {item["id"]: item for item in sample["items"]}
    hits = [one for one in said["answers"] if place[one["id"]]["target"] == 0]
    assert len(hits) > 5
    hits[0]["persons"] = []  # nobody
    hits[1]["persons"] = [2]  # another target
    hits[2] |= {"persons": [], "unsure": True}
    said["answers"].remove(hits[3])
    result = json.loads(fastface("audit", _write(tmp_path, said), "-o", out, "--json").stdout)
    first, second = result["targets"][:2]
    assert (result["unsure"], result["open"]) == (1, 1)
    kinds = [one for one in sample["strata"] if one["role"] == "hit" and one["target"] == 0]
    assert len(kinds) == 1  # so its share is that of the answers
    total = len(hits)
    assert first["precision"]["value"] == pytest.approx((total - 4) / (total - 2), abs=1e-4)
    assert first["precision"]["low"] < first["precision"]["value"] < first["precision"]["high"]
    # The one that was seen of the other stands for itself and its part of the two without an answer.
    real = second["reported_seconds"] + PERIOD * total / (total - 2)
    assert second["true_seconds"]["value"] == pytest.approx(real, abs=1e-3)
    assert second["recall"]["value"] == pytest.approx(second["reported_seconds"] / real, abs=1e-4)
    assert second["precision"]["value"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda said: said | {"audit": "0" * 32}, "another sample or another answer"),
        (lambda said: said | {"schema_version": 2}, "schema_version"),
        (lambda said: said | {"more": 1}, "more"),
        (lambda said: said | {"answers": [said["answers"][0] | {"id": "x"}]}, "not in the sample"),
        (lambda said: said | {"answers": [said["answers"][0]] * 2}, "answered twice"),
        (lambda said: said | {"answers": [said["answers"][0] | {"persons": [99]}]}, "allowed are"),
        (lambda said: said | {"answers": [said["answers"][0] | {"persons": ["1"]}]}, "answers.0.persons"),
        (lambda said: said | {"answers": [said["answers"][0] | {"persons": [1], "unsure": True}]}, "exclude"),
        (lambda _: [], "no file that audit.html saved"),
    ],
)
def test_a_file_that_does_not_belong_is_refused(
    change: Any, told: str, out: Path, cartoon: Cartoon, tmp_path: Path
) -> None:
    said = json.loads(_answers(out, cartoon, tmp_path).read_text())
    (line,) = errors(fastface("audit", _write(tmp_path, change(said)), "-o", out), 2, 1)
    assert told in line
    assert not (out / "audit" / "result.json").exists()


def test_broken_json_and_no_file_are_refused(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.write_bytes(b'{"schema_version": 1, "answers": [\xff')
    for file, told in ((path, "no file that audit.html saved"), (tmp_path / "none.json", "No such file")):
        (line,) = errors(fastface("audit", file, "-o", out), 2, 1)
        assert told in line


def test_another_answer_is_refused(out: Path, cartoon: Cartoon, tmp_path: Path) -> None:
    file = _answers(out, cartoon, tmp_path)
    one = next(iter(sorted(cartoon.photos.iterdir())))
    found = fastface("find", "-t", one, "-o", out, "--models", cartoon.models, "-q", "--clips", "none")
    assert found.returncode in (0, 3), found.stderr
    (line,) = errors(fastface("audit", file, "-o", out), 2, 1)
    assert "changed since the sample was drawn" in line


def test_what_is_no_answer_is_told(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    (line,) = errors(fastface("audit", "-o", tmp_path), 2, 1)
    assert "is not an output folder" in line
    out = copy_of_out(ran, tmp_path)
    (line,) = errors(fastface("audit", tmp_path / "a.json", "-o", out), 2, 1)
    assert "draw a sample first" in line
    (line,) = errors(fastface("audit", "-o", out, "-n", 1), 2, 1)
    assert "-n 1 is too few" in line
    (out / "review.csv").rename(tmp_path / "review.csv")
    (line,) = errors(fastface("audit", "-o", out), 2, 1)
    assert "fastface find" in line
    scanned = fastface("scan", ran.films, "-o", out, "--models", cartoon.models, "-q")
    assert scanned.returncode == 0, scanned.stderr  # the broken film is a known failure
    (line,) = errors(fastface("audit", "-o", out), 2, 1)
    assert "holds no answer" in line
    (tmp_path / "review.csv").rename(out / "review.csv")
    (line,) = errors(fastface("audit", "-o", out), 2, 1)
    assert "was scanned after the last answer" in line


def test_a_missing_video_is_named_and_left_out(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    films = Path(shutil.copytree(cartoon.films, tmp_path / "films"))
    out = tmp_path / "out"
    command = ("run", films, "-t", cartoon.photos, "-o", out, "--models", cartoon.models, "-q")
    done = fastface(*command, "--clips", "none", "--crops", "none")
    assert done.returncode == 0, done.stderr
    (films / "film2.mp4").unlink()
    done = fastface("audit", "-o", out, "-n", 60, "--json")
    assert done.returncode == 3
    assert "left out: film2.mp4" in done.stderr
    plan = json.loads(done.stdout)
    hits = sum(row["video"] == "film2.mp4" for row in run_tools.rows(out / "hits.csv"))
    assert [(one["video"], one["hits"], one["samples"]) for one in plan["left_out"]] == [("film2.mp4", hits, 40)]
    assert {item["video"] for item in _sample(out)["items"]} == {"film1.mp4", "film3.mp4"}


def test_a_dry_run_writes_nothing(ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    before = contents(out)
    done = fastface("audit", "-o", out, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would write" in done.stdout
    assert contents(out) == before


def test_photos_of_targets_stand_in_the_page(out: Path, cartoon: Cartoon) -> None:
    assert fastface("audit", "-o", out, "-n", 40, "-t", cartoon.photos, "-q").returncode == 0
    page = (out / "audit" / "audit.html").read_text()
    assert page.count('id="photo-') == len(labels(cartoon)) == 4
    (line,) = errors(fastface("audit", "-o", out, "-t", "none.jpg", "-q"), 2, 1)
    assert "none.jpg" in line


def test_purge_takes_the_audit_along(out: Path, cartoon: Cartoon, tmp_path: Path) -> None:
    assert fastface("audit", _answers(out, cartoon, tmp_path), "-o", out, "-q").returncode == 0
    assert (out / "audit" / "result.json").exists()
    assert fastface("purge", "-o", out, "--yes").returncode == 0
    assert not (out / "audit").exists()
