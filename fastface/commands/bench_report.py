"""A benchmark's figures as CSV, as a chart, and as a page that holds both."""

import base64
import csv
import html
from collections.abc import Sequence
from pathlib import Path

from fastface.commands.bench import STAGES, Measurement
from fastface.files import atomic_path, write_atomic

__all__ = ["COLUMNS", "cells", "write_report"]

COLUMNS = (
    "device", "decoders", "workers", "batch", "frames", "faces", "seconds", "start_seconds", "frames_per_second",
    "times_real_time", *(f"{stage}_ms_per_frame" for stage in STAGES), "memory_mb",
)  # fmt: skip

_STYLE = (
    "body{font:15px sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse}"
    "td,th{padding:.3em .7em;text-align:right;border-bottom:1px solid #ddd}tr.best{font-weight:bold}img{max-width:100%}"
)


def cells(measurement: Measurement) -> tuple[str, ...]:
    """One row, in the order of `COLUMNS`; times of stages are milliseconds of their processes a frame."""
    chosen, frames = measurement.combination, max(1, measurement.frames)
    return (
        *map(str, (chosen.device, chosen.decoders, chosen.workers, chosen.batch)),
        *map(str, (measurement.frames, measurement.faces)),
        *(f"{value:.2f}" for value in (measurement.seconds, measurement.start_seconds)),
        *(f"{value:.2f}" for value in (measurement.frames_per_second, measurement.times_real_time)),
        *(f"{measurement.stages[stage] * 1000 / frames:.2f}" for stage in STAGES),
        f"{measurement.memory_bytes / 1e6:.0f}",
    )


def write_report(folder: Path, measurements: Sequence[Measurement], title: str) -> None:
    """Writes bench.csv, bench.png and bench.html.

    Args:
        folder: Made if it is not there.
        measurements: At least one.
        title: The machine and the networks, for the page and the chart.

    Raises:
        SpaceError: No space is left.
    """
    best = max(range(len(measurements)), key=lambda i: measurements[i].frames_per_second)
    with atomic_path(folder / "bench.csv") as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *map(cells, measurements)])
    from fastface.commands.bench_chart import draw_chart  # noqa: PLC0415 - Pillow, which all other commands can spare

    chart = draw_chart(measurements, best, title)
    write_atomic(folder / "bench.png", chart)
    write_atomic(folder / "bench.html", _page(measurements, best, title, chart))


def _page(measurements: Sequence[Measurement], best: int, title: str, chart: bytes) -> str:
    head = "".join(f"<th>{html.escape(column.replace('_', ' '))}</th>" for column in COLUMNS)
    rows = "".join(
        f"<tr{' class=best' if row == best else ''}>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(measurement))
        + "</tr>"
        for row, measurement in enumerate(measurements)
    )
    picture = base64.b64encode(chart).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>fastface bench</title><style>{_STYLE}</style><h1>fastface bench</h1><p>{html.escape(title)}</p>"
        f'<img alt="frames a second of each combination" src="data:image/png;base64,{picture}">'
        f"<table><tr>{head}</tr>{rows}</table></html>\n"
    )
