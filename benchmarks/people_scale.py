"""How long, and how much memory, persons take of very many tracks: drawn embeddings, with and without FAISS.

    python benchmarks/people_scale.py [--tracks N] [--write]

The tracks of a person lie around a direction of its own, as far as those of films do with a small recogniser: a third
of them turned away so far that they are only just alike.
"""

import argparse
import resource
import sys
from time import perf_counter

import numpy as np
from results import machine, write_section

from fastface.census.clusters import neighbours
from fastface.census.clusters.clustering import LinkRule, cluster_tracks
from fastface.types import Tracks

DIMENSION = 512
TRACKS_A_PERSON = 50
RULE = LinkRule(0.45, 0.6, 0.6)
NONE = np.empty((0, 2), np.int64)


def drawn(count: int, seed: int = 1) -> tuple[Tracks, np.ndarray]:
    """Tracks of count / 50 persons, in any order, and whose each is."""
    rng = np.random.default_rng(seed)
    num_persons = max(1, count // TRACKS_A_PERSON)
    persons = rng.standard_normal((num_persons, DIMENSION)).astype(np.float32)
    person = rng.integers(num_persons, size=count)
    embedding = np.empty((count, DIMENSION), np.float16)
    for begin in range(0, count, 65536):
        rows = person[begin : begin + 65536]
        spread = rng.choice([0.6, 0.9, 1.2], size=(len(rows), 1)).astype(np.float32)
        looks = persons[rows] + spread * rng.standard_normal((len(rows), DIMENSION)).astype(np.float32)
        embedding[begin : begin + 65536] = looks / np.linalg.norm(looks, axis=1, keepdims=True)
    number = np.arange(count)
    ones = np.ones(count)
    return Tracks(
        video=(number // 1000).astype(np.int32),
        number=number % 1000,
        start=ones,
        end=ones,
        seconds=ones,
        faces=ones.astype(np.int64),
        best=number,
        quality=np.full(count, 0.7, np.float32),
        det_score=np.full(count, 0.8, np.float32),
        plain=ones.astype(np.float32),
        centrality=ones.astype(np.float32),
        embedding=embedding,
    ), person


def scores(label: np.ndarray, person: np.ndarray) -> tuple[float, float]:
    """Pairwise precision and recall."""

    def pairs(*columns: np.ndarray) -> float:
        _, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
        return float((counts * (counts - 1.0)).sum())

    both = pairs(label, person)
    return both / max(pairs(label), 1.0), both / max(pairs(person), 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--exact", action="store_true", help="compare every pair, whatever it takes")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.exact:
        neighbours.EXACT_ROWS = sys.maxsize
    tracks, person = drawn(options.tracks)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = perf_counter()
    label, centroid = cluster_tracks(tracks, RULE, apart=NONE, together=NONE)
    seconds = perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    precision, recall = scores(label, person)
    how = "every pair" if options.exact or options.tracks <= neighbours.EXACT_ROWS else "FAISS"
    rows = {
        "tracks": f"{options.tracks:,}",
        "persons drawn, found": f"{len(np.unique(person)):,}, {len(centroid):,}",
        "neighbours by": how,
        "seconds": f"{seconds:.0f}",
        "pairwise precision, recall": f"{precision:.4f}, {recall:.4f}",
        "memory: tracks themselves, peak": f"{before:.0f} MiB, {peak:.0f} MiB",
    }
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
    print(table)
    if options.write:
        write_section(f"Persons of {options.tracks:,} tracks ({how})", f"{machine()}\n\n{table}")


if __name__ == "__main__":
    main()
