"""`--decoder`: what decoded each video, and why, reaches run.json; an index says by which it was asked for."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import fastface
from places import FAKE_NVDEC

from fastface.index.records import UNIT_SUMS, UnitRecord, UnitSummary, VideoSummary
from fastface.runtime.context import _outcome
from fastface.video.nvdec import is_installed

UNIT = UnitRecord("000000", Fraction(0), None, dense=False, decoder="nvdec")


@pytest.mark.skipif(is_installed(), reason="PyNvVideoCodec is installed here")
def test_a_decoder_that_is_not_there_is_told_before_anything_is_decoded(cartoon: Cartoon, tmp_path: Path) -> None:
    done = fastface("scan", cartoon.films, "--models", cartoon.models, "-o", tmp_path / "out", "--decoder", "nvdec")
    assert done.returncode == 4
    remedy = "make env EXTRA=nvdec, or pip install '.[nvdec]'"
    assert f"PyNvVideoCodec is not installed; in fastface's clone: {remedy}" in done.stderr


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a card")
def test_the_reason_for_another_decoder_is_told_and_kept(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["scan", cartoon.films / "film3.mp4", "--models", cartoon.models, "-o", out]
    plain = fastface(*given)
    assert plain.returncode == 0, plain.stderr
    (video,) = json.loads((out / "run.json").read_text())["videos"]
    assert (video["decoder"], video["decoder_reason"], video["sampled"]) == ("pyav", "", 20)

    asked = fastface(*given, "--decoder", "auto", PYTHONPATH=str(FAKE_NVDEC))
    assert asked.returncode == 0, asked.stderr
    (line,) = [line for line in asked.stderr.splitlines() if "film3.mp4: decoded by pyav: no card" in line]
    assert "scanning 1 video again: settings or networks have changed" in asked.stderr
    report = json.loads((out / "run.json").read_text())
    assert report["videos"][0]["decoder"] == "pyav"
    assert line.endswith(report["videos"][0]["decoder_reason"])
    assert report["config"]["scan"]["decoder"] == "auto"


def test_an_unknown_decoder_is_refused(tmp_path: Path) -> None:
    done = fastface("scan", "--decoder", "cuvid", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "--decoder cuvid: must be pyav, nvdec or auto" in done.stderr


def test_a_video_of_several_units_names_all_that_decoded_it() -> None:
    nothing = (0,) * len(UNIT_SUMS)
    card, left = UnitSummary(nothing, {}, "nvdec", ""), UnitSummary(nothing, {}, "pyav", "the card failed")
    lost = UnitSummary(nothing, {}, "", "")
    done = VideoSummary("a.mp4", Path("a.mp4"), state="done")
    video = _outcome(done._replace(units=(card, left, left, lost)), fresh=False)
    assert (video.decoder, video.decoder_reason) == ("nvdec+pyav", "the card failed")
    assert (_outcome(done, fresh=False).decoder, _outcome(done, fresh=False).decoder_reason) == ("", "")


def test_records_come_back_as_they_were_written() -> None:
    assert UnitRecord.from_text(UNIT.to_text()) == UNIT
