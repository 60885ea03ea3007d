"""What `people` prints and stores, read as a program would."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pyarrow.parquet as pq

from fastface.census.store.base import open_existing


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


Command = Callable[..., "CompletedProcess[str]"]


def census(command: Command, out: Path, *more: object) -> dict[str, Any]:
    """What `people --json` says: one object on standard output, nothing else."""
    done = command("people", "-o", out, "--json", *more)
    assert done.returncode == 0, done.stderr
    said, end = json.JSONDecoder().raw_decode(done.stdout)
    assert done.stdout[end:].strip() == ""
    assert isinstance(said, dict)
    assert said["faces"] == said["listed"] + said["unlisted"][1] + said["poor"] + said["rejected"] == num_faces(out)
    return said


def listed(said: dict[str, Any]) -> list[tuple[str, int]]:
    return [(person["name"], person["faces"]) for person in said["persons"]]


def numbered(said: dict[str, Any]) -> dict[int, int]:
    """{number: faces} of the persons that are listed."""
    return {person["number"]: person["faces"] for person in said["persons"]}


def num_faces(out: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in out.glob(".fastface/index/*/faces.parquet"))


def identities(path: Path) -> list[tuple[str, int]]:
    """(name, faces) of all that a store knows."""
    with open_existing(str(path)) as store:
        return [(one.name, one.count) for one in store.identities()]
