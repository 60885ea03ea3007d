"""Run the demo: the main job on a drawn film, with networks that recognise its figures, checked against the truth."""

from dataclasses import dataclass
from pathlib import Path

from fastface.backends import resolve_device
from fastface.commands.run import run
from fastface.config import load_config
from fastface.demo.film import draw_film, draw_photo, expected_hits
from fastface.demo.networks import write_pack
from fastface.demo.persons import ADA, BO, CLEO
from fastface.demo.scripts import demo_script
from fastface.errors import FastfaceError
from fastface.export.crops.crops import save_picture
from fastface.runtime.events.observer import Observer
from fastface.runtime.networks import cache_folder
from fastface.runtime.run_report import RunResult

_PERSONS = (ADA, BO, CLEO)
_FILM = "demo.mp4"


@dataclass(frozen=True, slots=True)
class _Truth:
    """Samples in which a person must be found."""

    label: str
    times: tuple[float, ...]


def run_demo(out: Path, observer: Observer, device: str = "auto", precision: str = "auto") -> RunResult:
    """Draw the film and the photos, run the main job on them, and compare every hit with the truth.

    Args:
        out: Output folder; also gets `input/` with film, photos and networks.
        observer: Receives the progress and the comparison.
        device: Device that runs the networks.
        precision: Arithmetic of the networks. All other settings are the demo's own.

    Raises:
        BackendError: The device is not available.
        FastfaceError: The result differs from the drawn film.
    """
    resolve_device(device, cache_folder())  # fails before anything is drawn
    source = out / "input"
    script = demo_script()
    film = source / "film" / _FILM
    film.parent.mkdir(parents=True, exist_ok=True)
    draw_film(film, script)
    for person in _PERSONS:
        photo = source / "photos" / f"{person.name}.png"
        save_picture(photo, draw_photo(person))
    write_pack(source / "networks")
    models = {"dir": source / "networks", "device": device, "precision": precision}
    config = load_config(environment={}, flags={"models": models, "export": {"snapshots": True}})
    result = run(config, [str(film)], [str(source / "photos")], out, observer, command="demo")
    drawn = expected_hits(demo_script(), period=config.scan.sampling.period)
    truth = [_Truth(person.name, tuple(float(time) for time in drawn[person.name])) for person in _PERSONS]
    _compare(result, truth, observer)
    return result


def _compare(result: RunResult, truth: list[_Truth], observer: Observer) -> None:
    wrong = []
    for person in truth:
        spans = [row.span for row in result.spans if row.span.target == person.label]
        hits = sum(span.hits for span in spans)
        inside = all(any(span.first_hit <= time <= span.last_hit for span in spans) for time in person.times)
        agrees = hits == len(person.times) and inside
        observer.note(f"truth: {person.label} is in {len(person.times)} samples, found in {hits}")
        if not agrees:
            wrong.append(person.label)
    if wrong:
        raise FastfaceError(f"the results differ from the drawn film for: {', '.join(wrong)}")
    observer.note("the demo found exactly what was drawn")
