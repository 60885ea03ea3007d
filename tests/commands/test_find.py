"""`fastface find`: every face, and banks that do not fit."""

from pathlib import Path

import run_tools
from cartoon_tools import Cartoon
from cli_tools import (
    Ran,
    copy_of_out,
    fastface,
)


def test_a_bank_of_another_network_is_refused(cartoon: Cartoon, ran: Ran, shared_models: Path, tmp_path: Path,
                                              shared_media: Path) -> None:  # fmt: skip
    bank = tmp_path / "friends.npz"
    photo = sorted((shared_media / "photos" / "friends").iterdir())[0]
    done = fastface("enroll", photo, "-b", bank, "--models", shared_models / "buffalo_s", "-q")
    assert done.returncode == 0, done.stderr
    out = copy_of_out(ran, tmp_path)
    refused = fastface("find", "-t", bank, "-q", "--models", cartoon.models, "-o", out)
    assert refused.returncode == 2, refused.stderr
    assert "friends.npz" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_star_takes_every_face(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    done = fastface("find", "-t", "*", "--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none")
    assert done.returncode == 3, done.stderr  # the broken film is still there
    assert len(run_tools.rows(out / "hits.csv")) == ran.report["counts"]["faces"] > 0
