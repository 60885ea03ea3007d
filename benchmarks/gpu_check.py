"""What one NVIDIA machine does with fastface: is it right, how fast is it, and what holds it up? One command.

    python benchmarks/gpu_check.py [--models ../shared/models] [--pictures ../shared/media/photos]
                                   [--clips ../shared/media/clips] [--write]

Prints, in under eight minutes: what is installed; how far CUDA's and TensorRT's outputs are from the CPU's; pictures a
second by batch; the answers of a run over real clips beside the processor's; `fastface scan` on a film of 1080p by
decoders, workers and batch, against decoding alone and insightface, and how much of their time the workers wait for
frames; last, the speed of networks of the large pack's size, with weights of chance. Nothing needs to be installed but
the packages that fastface imports. Whatever the machine lacks, the part that needs it is left out with the reason.
`--device cpu` goes through the same parts, small, on a machine without a card.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpu_answers import Asking, answer_rows, peer_rate, questions_of
from gpu_child import HERE, Budget, Skipped, environment, run_child
from gpu_facts import card_name, facts, missing_packages
from gpu_scans import Bench, Films, compare_decoders, decode_rate, draw_films, layouts, scan_rows
from results import write_section

DEVICES = ("cuda", "tensorrt", "cpu")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LEAST_SECONDS = {"cpu": 5.0, "cuda": 15.0, "tensorrt": 30.0}
"""What opening two networks takes at least; TensorRT builds their engines."""


@dataclass
class Check:
    """What the parts share, and what earlier ones found out."""

    devices: list[str]
    models: Path
    photos: Path
    clips: Path
    pictures: list[Path]
    budget: Budget
    folder: Path
    cache: Path
    variables: dict[str, str]
    small: bool
    working: list[str] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    films: Films | None = None
    decoding: dict[int, float] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Cores that this process may use."""
        return len(os.sched_getaffinity(0))

    @property
    def packs(self) -> list[Path]:
        """Folders with at least two networks."""
        folders = [self.models, *sorted(path for path in self.models.glob("*") if path.is_dir())]
        return [folder for folder in folders if len(list(folder.glob("*.onnx"))) > 1]


def main() -> None:
    options = _options()
    card = card_name()
    devices = [name for name in DEVICES if name in options.device.split(",")]
    with tempfile.TemporaryDirectory(prefix="fastface-gpu-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        check = Check(
            devices=devices,
            models=options.models.absolute(),
            photos=options.pictures.absolute(),
            clips=options.clips.absolute(),
            pictures=_pictures(options.pictures),
            budget=Budget(options.budget_seconds),
            folder=folder,
            cache=(options.cache or folder / "cache").absolute() / "fastface",
            variables=environment(folder),
            small=card is None or devices == ["cpu"],
        )
        check.variables["XDG_CACHE_HOME"] = str(check.cache.parent)
        lines = [f"`python benchmarks/gpu_check.py`, {options.budget_seconds:.0f} s at most.", ""]
        for title, part in PARTS.items():
            lines += [*_told(title, part, check), ""]
    text = "\n".join(lines)
    if options.write and card is None:
        print("Nothing is written: there is no card to name the section after.")
    elif options.write:
        write_section(f"GPU: {card}", text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("../shared/models"), help="folder of packs")
    parser.add_argument("--pictures", type=Path, default=Path("../shared/media/photos"), help="photos of faces")
    parser.add_argument("--clips", type=Path, default=Path("../shared/media/clips"), help="films of their persons")
    parser.add_argument("--device", default="cuda,tensorrt", help=f"of {', '.join(DEVICES)}")
    parser.add_argument("--budget-seconds", type=float, default=480.0)
    parser.add_argument("--cache", type=Path, help="keeps TensorRT's engines; default: made anew each time")
    parser.add_argument("--write", action="store_true", help="replace this card's section of RESULTS.md")
    return parser.parse_args()


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)


def _told(title: str, part: Callable[[Check], Iterator[str]], check: Check) -> list[str]:
    """One part's lines, printed as they come."""
    lines: list[str] = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    tell(f"### {title}")
    tell("")
    try:
        for line in part(check):
            tell(line)
    except Skipped as skipped:
        tell(f"Left out: {skipped}.")
    print(flush=True)
    return lines


def machine_part(check: Check) -> Iterator[str]:
    """What is installed."""
    yield from facts()
    yield f"* packs: {', '.join(path.name for path in check.packs) or f'none in {str(check.models)!r}'}"
    drawn = "" if check.pictures else "; there is none: pictures and film are drawn"
    yield f"* pictures: {len(check.pictures)}{drawn}"


def networks_part(check: Check) -> Iterator[str]:
    """The first pack: parity and rates."""
    _require_packages()
    if not check.packs:
        raise Skipped(f"no pack of networks in {str(check.models)!r}: give --models")
    for device in check.devices:
        yield from _measured(check, check.packs[0], device, is_compared=True)


def other_packs_part(check: Check) -> Iterator[str]:
    """The other packs, since they are there."""
    _require_packages()
    if not check.packs[1:]:
        raise Skipped(f"there is no other pack in {str(check.models)!r}")
    for pack in check.packs[1:]:
        for device in check.devices:
            yield from _measured(check, pack, device, is_compared=True)


def answers_part(check: Check) -> Iterator[str]:
    """A run over real clips."""
    _require_packages()
    question = questions_of(check.clips, check.photos)
    if not check.working:
        raise Skipped(f"none of {', '.join(check.devices)} works here")
    asking = Asking(check.packs[0], check.folder / "answers", check.variables, check.budget)
    yield from answer_rows(question, check.working, asking)


def scan_part(check: Check) -> Iterator[str]:
    """From end to end."""
    _require_packages()
    seconds = 2.0 if check.small else 20.0
    check.budget.need(10)
    check.films = draw_films(check.folder, seconds, check.pictures[:24], check.variables, check.budget)
    wanted = layouts(check.cores, small=check.small)
    for decoders in sorted({layout.decoders for layout in wanted}):
        rate = decode_rate(check.films, decoders, check.variables, min(60.0, check.budget.left))
        check.decoding[decoders] = rate
        yield f"Decoding alone, processes {decoders}: {rate:.0f} frames a second of 1080p H.264."
    try:
        compared = compare_decoders(check.films, check.variables, min(60.0, check.budget.left))
    except Skipped as skipped:
        compared = f"left out: {skipped}"
    yield f"PyAV's frames and the card's (`--decoder nvdec`): {compared}."
    if check.packs and check.working:
        try:
            yield f"{peer_rate(check.films.long, check.packs[0], check.working[0], check.variables, check.budget)}."
        except Skipped as skipped:
            yield f"Peer left out: {skipped}."
    yield ""
    if not check.packs:
        raise Skipped(f"no scan: no pack of networks in {str(check.models)!r}")
    if not check.working:
        raise Skipped(f"no scan: none of {', '.join(check.devices)} works here")
    bench = Bench(
        films=check.films,
        folder=check.folder,
        models=check.models,
        device="tensorrt" if "tensorrt" in check.working else check.working[0],
        variables=check.variables,
        budget=check.budget,
        target_seconds=2.0 if check.small else 10.0,
    )
    yield from scan_rows(bench, wanted, check.decoding, reserve=0.0 if check.small else check.budget.seconds / 4)


def large_part(check: Check) -> Iterator[str]:
    """Networks of the large pack's size."""
    _require_packages()
    check.budget.need(10)
    ended = run_child([sys.executable, HERE / "large_networks.py", check.folder], check.budget.left, check.variables)
    if ended.reason:
        raise Skipped(f"making the networks {ended.reason}")
    yield from (f"* {line}" for line in ended.output.splitlines())
    yield ""
    for device in check.devices:
        yield from _measured(check, check.folder / "large_random", device, is_compared=False)


PARTS = {
    "Machine": machine_part,
    "First pack of the models folder": networks_part,
    "Answers about real clips": answers_part,
    "End to end": scan_part,
    "Networks of the large pack's size": large_part,
    "Other packs of the models folder": other_packs_part,
}


def _require_packages() -> None:
    if missing := missing_packages():
        raise Skipped(f"Python packages are missing: pip install {' '.join(missing)}")


def _measured(check: Check, pack: Path, device: str, *, is_compared: bool) -> Iterator[str]:
    """What gpu_measure.py says of one pack on one device."""
    yield f"**{pack.name}, {device}**"
    yield ""
    try:
        if device in check.absent:
            raise Skipped(f"{device} does not work here, as said above")
        check.budget.need(LEAST_SECONDS[device])
    except Skipped as skipped:
        yield f"* left out: {skipped}"
        yield ""
        return
    step = max(1, len(check.pictures) // (6 if check.small else 32))
    order = {
        "device": device,
        "pack": str(pack),
        "cache": str(check.cache),
        "batches": [1, 4] if check.small else [1, 8, 32, 64],
        "seconds": 0.2 if check.small else 0.7,
        "pictures": [str(path) for path in check.pictures[::step]],
        "is_compared": is_compared,
    }
    command = [sys.executable, HERE / "gpu_measure.py", json.dumps(order)]
    ended = run_child(command, min(check.budget.left, check.budget.seconds / 3), check.variables)
    answers = [json.loads(line) for line in ended.output.splitlines() if line.startswith("{")]
    kinds = {answer["kind"] for answer in answers}
    if "rate" in kinds and device not in check.working:
        check.working.append(device)
    if "missing" in kinds and "device" not in kinds:
        check.absent.add(device)
    yield from _sentences(answers)
    if ended.reason:
        yield f"* the measurement {ended.reason}"
    yield ""


def _sentences(answers: list[dict[str, Any]]) -> Iterator[str]:
    """One line an answer; the rates of one network share a line."""
    rates: dict[str, list[str]] = {}
    alone: dict[str, float] = {}
    for answer in answers:
        if answer["kind"] != "rate":
            yield f"* {SENTENCES[answer['kind']].format(**answer)}"
            continue
        network, batch, rate = answer["network"], answer["batch"], answer["rate"]
        if rate is None:
            rates.setdefault(network, []).append(f"batch {batch}: {answer['reason']}")
            continue
        alone.setdefault(network, rate)
        rates.setdefault(network, []).append(f"batch {batch}: {rate:.0f} (× {rate / alone[network]:.2f})")
    for network, told in rates.items():
        yield f"* {network}, pictures a second (against one at a time): {', '.join(told)}"


SENTENCES = {
    "device": "{name}, {versions}, {provider} {precision}",
    "open": "{network}: ready after {seconds:.1f} s, {precision}",
    "capture": "{network}: {reason}",
    "detections": "detector against the CPU: {common} of {expected} faces in {pictures} pictures "
    "found ({found} in all); boxes within {box:.3f} pixels, scores within {score:.5f}",
    "embeddings": "recogniser against the CPU: {faces} faces, least cosine {least:.6f}, median {median:.6f}",
    "note": "{reason}",
    "missing": "left out: {reason}",
    "unusable": "left out: {reason}",
}


if __name__ == "__main__":
    main()
