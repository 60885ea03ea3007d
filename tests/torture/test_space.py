"""Disks of every size that is too small: one line, exit 28, nothing torn, and the same command goes on elsewhere."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from run_tools import all_as_before, arguments, compared, files_read_whole, finish, leftovers
from torture_tools import Torture

STEP_KIB = 64


@contextmanager
def _disk(folder: Path, kib: int) -> Iterator[None]:
    """A folder that holds so much and no more."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def undisturbed(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert finish(arguments(cartoon, out, "--crops", "face", targets=cartoon.photos)).returncode == 0
    return out


def test_a_disk_that_is_too_small_is_told_and_nothing_is_torn(
    cartoon: Cartoon, undisturbed: Path, tmp_path: Path, torture: Torture
) -> None:
    needed = sum(path.stat().st_size for path in undisturbed.rglob("*") if path.is_file()) // 1024
    sizes = range(STEP_KIB, 2 * needed + STEP_KIB, STEP_KIB)
    quick = (STEP_KIB, needed // 2 // STEP_KIB * STEP_KIB, needed // STEP_KIB * STEP_KIB)
    full, sums = 0, Counter[str]()
    for number, kib in enumerate(sizes if torture.whole else quick):
        disk, copy = tmp_path / f"disk-{kib}", tmp_path / f"copy-{kib}"
        with _disk(disk, kib):
            done = finish(arguments(cartoon, disk / "out", "--crops", "face", targets=cartoon.photos))
            assert done.returncode in (0, 28), (kib, done.stderr)
            assert "Traceback" not in done.stderr
            if done.returncode == 28:
                full += 1
                assert "no space left" in done.stderr
            assert leftovers(disk / "out") == []
            sums["files_read_whole"] += files_read_whole(disk / "out")
            if (disk / "out").exists():  # else it was told before anything was made
                shutil.copytree(disk / "out", copy)
        again = finish(arguments(cartoon, copy, "--crops", "face", targets=cartoon.photos))
        assert again.returncode == 0, (kib, again.stderr)
        sums["resumed"] += 1
        sums.update(compared(copy, undisturbed))
        assert all_as_before(sums), (kib, sums)
        shutil.rmtree(copy)
        torture.progress(number, f"disks that are too small: {number} of {len(sizes)}")
    assert full >= 2
    torture.note("Disks that are too small", sizes=len(sizes), full=full, **sums)
