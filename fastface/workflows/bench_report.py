"""A benchmark's figures as CSV, as a chart, and as a page that holds both."""

import base64
import csv
import html
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fastface.files import atomic_path, write_atomic
from fastface.workflows.bench import STAGES, Measurement

__all__ = ["COLUMNS", "cells", "write_report"]

COLUMNS = (
    "device", "decoders", "workers", "batch", "frames", "faces", "seconds", "start_seconds", "frames_per_second",
    "times_real_time", *(f"{stage}_ms_per_frame" for stage in STAGES), "memory_mb",
)  # fmt: skip

_WIDTH, _LABEL_WIDTH, _ROW_HEIGHT, _EDGE = 1000, 330, 34, 16
_BAR, _BEST_BAR, _INK, _PAPER = (120, 150, 190), (40, 110, 200), (20, 20, 20), (255, 255, 255)
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
    content = io.BytesIO()
    _chart(measurements, best, title).save(content, "PNG")
    write_atomic(folder / "bench.png", content.getvalue())
    write_atomic(folder / "bench.html", _page(measurements, best, title, content.getvalue()))


def _chart(measurements: Sequence[Measurement], best: int, title: str) -> Image.Image:
    """Bars of frames a second, one a combination."""
    picture = Image.new("RGB", (_WIDTH, 2 * _EDGE + _ROW_HEIGHT * (len(measurements) + 1)), _PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=15)
    draw.text((_EDGE, _EDGE), f"frames a second: {title}", fill=_INK, font=font)
    longest = max(measurement.frames_per_second for measurement in measurements)
    room = _WIDTH - _LABEL_WIDTH - 5 * _EDGE
    for row, measurement in enumerate(measurements):
        top = _EDGE + _ROW_HEIGHT * (row + 1)
        draw.text((_EDGE, top + 6), _label(measurement), fill=_INK, font=font)
        end = _LABEL_WIDTH + room * measurement.frames_per_second / longest
        colour = _BEST_BAR if row == best else _BAR
        draw.rectangle((_LABEL_WIDTH, top + 3, end, top + _ROW_HEIGHT - 5), fill=colour)
        draw.text((end + 6, top + 6), f"{measurement.frames_per_second:.1f}", fill=_INK, font=font)
    return picture


def _label(measurement: Measurement) -> str:
    chosen = measurement.combination
    return f"{chosen.device}, {chosen.decoders} dec., {chosen.workers} work., batch {chosen.batch}"


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
