"""The cartoon film as a file: its times, its barcodes, its truth, against ffprobe and arithmetic by hand."""

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from cartoon_tools import decoded

from fastface.demo.backdrops import Backdrop
from fastface.demo.film import Encoding, draw_film, expected_hits, film_frames, read_barcode
from fastface.demo.persons import ADA, BO, Person
from fastface.demo.script import Appearance, Scene, Script
from fastface.demo.scripts import demo_script, random_script

NTSC = Fraction(30000, 1001)


def ffprobe(path: Path, *arguments: str) -> dict:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-of", "json", *arguments, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


def times_of(path: Path) -> list[Fraction]:
    """Presentation times of all video frames, exactly, in order."""
    found = ffprobe(path, "-select_streams", "v:0", "-show_entries", "packet=pts:stream=time_base")
    base = Fraction(found["streams"][0]["time_base"])
    return sorted(packet["pts"] * base for packet in found["packets"])


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("a.mp4", Encoding()),
        ("b.mp4", Encoding(rate=NTSC, bframes=3)),
        ("c.ts", Encoding(rate=NTSC, start=Fraction(1001, 30))),
        ("d.mkv", Encoding(start=Fraction(2))),
        ("f.mp4", Encoding(start=Fraction(3))),
        ("e.mp4", Encoding(skipped=frozenset({0, 1, *range(20, 45), 50}))),
    ],
)
def test_each_frame_carries_its_number_at_its_time(tmp_path: Path, name: str, encoding: Encoding) -> None:
    script = random_script(1, 60)
    draw_film(tmp_path / name, script, encoding)
    times = times_of(tmp_path / name)
    written = [number for number in range(60) if number not in encoding.skipped]
    # Transport streams put a lead before the first frame; only distances are exact there.
    assert [time - times[0] for time in times] == [(number - written[0]) / encoding.rate for number in written]
    assert encoding.times(script) == [time - times[0] for time in times]
    if not name.endswith(".ts"):
        assert times[0] == encoding.start + written[0] / encoding.rate
    assert [read_barcode(picture) for _, picture in decoded(tmp_path / name)] == written


def test_keyframes_come_at_cuts_and_at_the_asked_distance(tmp_path: Path) -> None:
    scenes = (Scene(0, Backdrop.HILLS), Scene(37, Backdrop.NIGHT))
    draw_film(tmp_path / "film.mp4", Script(80, (), scenes), Encoding(gop=20))
    keys = [number for number, (frame, _) in enumerate(decoded(tmp_path / "film.mp4")) if frame.key_frame]
    assert {0, 37} <= set(keys)
    assert max(np.diff([*keys, 80])) <= 20


def test_sound_lasts_as_long_as_the_film(tmp_path: Path) -> None:
    draw_film(tmp_path / "film.mp4", Script(50, ()), Encoding(sound=True))
    streams = ffprobe(tmp_path / "film.mp4", "-show_streams")["streams"]
    assert [(one["codec_name"], one["codec_type"]) for one in streams] == [("h264", "video"), ("aac", "audio")]
    assert [round(float(one["duration"]), 1) for one in streams] == [2.0, 2.0]


def test_a_film_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_script: Script, frame: int) -> None:
        raise RuntimeError(f"no paint left at frame {frame}")

    monkeypatch.setattr(Script, "draw", fail)
    with pytest.raises(RuntimeError, match="no paint left"):
        draw_film(tmp_path / "film.mp4", Script(5, ()))
    assert list(tmp_path.iterdir()) == []


def test_barcodes_are_read_at_any_size_or_not_at_all() -> None:
    script = Script(200_001, (), barcode=True)
    number, picture = next(film_frames(script, Encoding(skipped=frozenset(range(200_000)))))
    assert number == 200_000
    assert read_barcode(picture) == 200_000
    for size in ((320, 180), (1920, 1080), (480, 270)):
        assert read_barcode(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)) == 200_000
    with pytest.raises(ValueError, match="no readable barcode"):
        read_barcode(Script(1, ()).draw(0))


def test_expected_hits_are_the_first_frames_of_the_cells() -> None:
    # Ten frames a second, samples every 0.25 s: frames 0, 3 (0.3), 5 (0.5), 8 (0.8), 10, 13 (1.3), 15, 18.
    script = Script(20, (Appearance(ADA, 3, 9, (120, 176)), Appearance(BO, 8, 16, (400, 176))))
    encoding = Encoding(rate=Fraction(10))
    hits = expected_hits(script, encoding, Fraction(1, 4))
    assert hits["Ada"] == [Fraction(3, 10), Fraction(5, 10), Fraction(8, 10)]
    assert hits["Bo"] == [Fraction(8, 10), Fraction(1), Fraction(13, 10), Fraction(15, 10)]
    every = expected_hits(script, encoding)
    assert every["Ada"] == [Fraction(n, 10) for n in range(3, 9)]
    # Frames 0–4 are not written: time begins at frame 5. Ada is in 5, 6, 7, 8.
    late = expected_hits(script, Encoding(rate=Fraction(10), skipped=frozenset(range(5))))
    assert late["Ada"] == [Fraction(n, 10) for n in range(4)]


def test_the_demo_shows_everyone_for_as_long_as_its_script_says() -> None:
    hits = expected_hits(demo_script())
    # Ada walks in from x = -88 by 408 px in 49 steps: all of her glasses are in (x ≥ 32) from the 15th step, frame
    # 65, to 160, then from 470 to 590. The stranger's walk of -768 px in 47 steps shows them from step 6 to step 41.
    counts = {name: len(times) for name, times in hits.items()}
    assert counts == {"Ada": 95 + 120, "Bo": 150 + 50, "Cleo": 60 + 90, "Stranger": 30 + 36 + 90}
    assert (hits["Ada"][0], hits["Ada"][94]) == (Fraction(65, 25), Fraction(159, 25))
    assert hits["Stranger"][30] == Fraction(358, 25)


def test_random_scripts_repeat_and_have_many_comings_and_goings() -> None:
    script = random_script(3, 400)
    assert script == random_script(3, 400)
    assert script != random_script(4, 400)
    assert len(script.appearances) > 20
    assert len({one.person for one in script.appearances}) == 6
    together = [len(script.sightings(number)) for number in range(400)]
    assert min(together) == 0
    assert max(together) == 3


def test_scripts_without_an_exact_truth_are_refused() -> None:
    behind, before = Appearance(ADA, 0, 5, (320, 176)), Appearance(BO, 0, 5, (392, 176))
    with pytest.raises(ValueError, match="'Bo' stands before 'Ada'"):
        Script(5, (behind, before)).sightings(2)
    with pytest.raises(ValueError, match="appears twice"):
        Script(5, (behind, Appearance(ADA, 0, 5, (80, 176)))).sightings(2)
    with pytest.raises(ValueError, match="off the grid of 16 pixels"):
        Appearance(ADA, 0, 5, (328, 176), scale=2)
    with pytest.raises(ValueError, match="cut by the frame's edge"):
        Script(5, (Appearance(ADA, 0, 5, (320, 64)),))
    with pytest.raises(ValueError, match="appears in no frame"):
        Appearance(ADA, 5, 5, (320, 176))
    with pytest.raises(ValueError, match="scale 3"):
        Appearance(ADA, 0, 5, (320, 176), scale=3)
    with pytest.raises(ValueError, match="scenes must start at frame 0"):
        Script(5, (), (Scene(1, Backdrop.HILLS),))
    with pytest.raises(ValueError, match="code 64"):
        Person("nobody", 64)
