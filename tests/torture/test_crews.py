"""Every number of processes and every batch: the same tables, byte for byte."""

import itertools
import random
from pathlib import Path

from cartoon_tools import Cartoon, without_longest
from run_tools import arguments, finish, leftovers, tables
from torture_tools import Torture

WORKERS = (1, 2, 3, 4)
DECODERS = (1, 2, 3)
BATCHES = (1, 3, 8, 17, 32)


def test_tables_do_not_depend_on_any_crew_or_batch(cartoon: Cartoon, tmp_path: Path, torture: Torture) -> None:
    if not torture.whole:  # one film of two units
        films = tmp_path / "films"
        films.mkdir()
        cartoon = without_longest(cartoon, films)
    first = tmp_path / "first"
    assert finish(arguments(cartoon, first)).returncode == 0
    expected = tables(first)
    pools = list(itertools.product(WORKERS, DECODERS, BATCHES))
    chosen = random.Random(5).sample(pools, torture.count(1, len(pools)))
    others = 0
    for workers, decoders, batch in chosen:
        out = tmp_path / f"{workers}-{decoders}-{batch}"
        pool = ("--workers", str(workers), "--decoders", str(decoders), "--batch", str(batch))
        done = finish(arguments(cartoon, out, *pool))
        assert done.returncode == 0, (workers, decoders, batch, done.stderr)
        others += tables(out) != expected
        assert leftovers(out) == []
    assert others == 0
    torture.note("Crews and batches", pools=len(chosen), runs_with_other_tables=others)
