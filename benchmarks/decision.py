"""How alike are strangers, is the expected number of false tracks honest, and what do the constants cost or gain?

    python benchmarks/decision.py [--shared ../shared] [--pack buffalo_s] [--models DIR] [--write]

1. Scans the eight real clips, reads the photo folders, and compares every track with every person who is not in its
   clip: the figures of `ImpostorDistribution` for the network, as `models/catalog.py` has them.
2. Draws questions (one person or several, one photo or several, some clips) with at least 20,000 comparisons of a track
   with a person who is not there, and counts the false tracks that were expected and that were found.
3. Finds the labelled persons with everything at its default, with constants that were estimated without the clip that
   is asked (leave one clip out), and with each constant that was chosen from data made smaller and larger.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from results import add_tiny, machine, write_section
from scipy import stats

import fastface
from fastface.export.tables.results import write_spans
from fastface.gallery.decision import decide_tracks
from fastface.gallery.growth import GalleryGrower, GrowthRule
from fastface.gallery.matching import VideoFaces, match_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import ComparisonCounts, MatchThresholds, TrackRule
from fastface.gallery.track_voting import Cohort, EvidenceModel
from fastface.impostors import ImpostorDistribution
from fastface.index.store import VideoIndex
from fastface.models.catalog import DEFAULT_THRESHOLDS, PACKS, THRESHOLDS
from fastface.timeline import build_spans
from fastface.types import Gallery, SpanRow, Target

CAST: dict[str, tuple[str, ...]] = {
    "friends": ("friends", "friends_tv"),
    "azvi_herapheri": ("azvi_herapheri",),
    "plastic_bubble_02": ("plastic_bubble",),
    "hamilton": ("hamilton",),
    "azvi_billhyland": ("hyland",),
    "azvi_testhyland": (),
    "street": (),
    "corridor": (),
}
"""Folders of photos whose persons are in each clip."""

TRUTH = {"friends": "friends", "azvi_herapheri": "azvi_herapheri", "plastic_bubble_02": "plastic_bubble"}
"""Labelled clips, and the photos to ask them for."""

Models = dict[str, object]
"""The settings that choose the networks."""

PAIRS = 20_000
MARGIN, GROWTH_LEAD = 0.05, 0.2


@dataclass(frozen=True)
class Clip:
    """One scanned clip."""

    name: str
    video: VideoFaces


@dataclass(frozen=True)
class Person:
    """One person of a folder of photos."""

    folder: str
    target: Target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--pack", default="buffalo_s", choices=PACKS)
    parser.add_argument("--models", type=Path, help="folder of packs; without it the models of --shared")
    add_tiny(parser)
    options = parser.parse_args()
    pack = PACKS[options.pack]
    models: Models = {"dir": options.models or options.shared / "models", "pack": pack.name}
    names = ["friends", "street"] if options.tiny else list(CAST)
    with tempfile.TemporaryDirectory() as folder:
        clips = list(scan(options.shared, models, names, Path(folder)))
        persons = list(enroll(options.shared, models, Path(folder)))
        in_use = THRESHOLDS.get(pack.recogniser, DEFAULT_THRESHOLDS).impostors
        measured = measure(clips, persons)
        lines = [
            machine(),
            "",
            f"`python benchmarks/decision.py --pack {pack.name}`: {pack.recogniser}.",
            "",
            *describe(measured, in_use),
            "",
            *honesty(clips, persons, in_use, 100 if options.tiny else PAIRS),
            "",
            *recall(options.shared, clips, persons, in_use, Path(folder)),
        ]
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section(
            "Which tracks are whose"
            if pack.name == "buffalo_s"
            else f"Which tracks are whose, with the pack {pack.name}",
            text,
        )


def scan(shared: Path, models: Models, names: Sequence[str], folder: Path) -> Iterator[Clip]:
    """The index of each clip, at the default settings."""
    for name in names:
        out = folder / name
        films = [str(shared / "media" / "clips" / f"{name}.mp4")]
        fastface.scan(films, out=out, models=models)
        index = VideoIndex(out / ".fastface" / "index", f"{name}.mp4")
        faces = index.faces()
        yield Clip(name, VideoFaces(faces, index.tracks(), np.full(len(faces), 0.2)))


def enroll(shared: Path, models: Models, folder: Path) -> Iterator[Person]:
    """The persons of all folders of photos; those with the photos of somebody else among theirs, as a user has them."""
    for photos in sorted({name for folders in CAST.values() for name in folders} | {"jurassic"}):
        if not (shared / "media" / "photos" / photos).is_dir():
            continue
        bank = folder / f"{photos}.npz"
        found = fastface.enroll([str(shared / "media" / "photos" / photos)], bank=bank, models=models)
        yield from (Person(photos, target) for target in found.gallery.targets)


def is_stranger(person: Person, clip: Clip) -> bool:
    """Whether a person is not in a clip."""
    return person.folder not in CAST[clip.name]


def measure(clips: Sequence[Clip], persons: Sequence[Person], seed: int = 0) -> ImpostorDistribution:
    """The figures of strangers, of all photos of each person and of drawn parts of them."""
    chance = np.random.default_rng(seed)
    flat = ImpostorDistribution(0, 1, 0, 1, nearest_gain=0, film_shift=0, film_correlation=0)
    centroid, gain = [], []
    for person in persons:
        for count in (1, 2, 3, 5, 8, 12, 20):
            if count > len(person.target.embeddings):
                continue
            part = chance.choice(len(person.target.embeddings), count, replace=False)
            photos = person.target.embeddings[part].astype(np.float64)
            mean = photos.sum(axis=0) / np.linalg.norm(photos.sum(axis=0))
            for clip in clips:
                if is_stranger(person, clip):
                    means = clip.video.tracks.embedding.astype(np.float64)
                    centroid.append(means @ mean)
                    if count > 1:
                        nearest = (means @ photos.T).max(axis=1)
                        gain.append((nearest - centroid[-1]).mean() / np.sqrt(2 * np.log(count)))
    evidence = np.concatenate(centroid)
    start = float(np.quantile(evidence, 0.95))
    shift, correlation = measure_films(clips, replace(flat, nearest_gain=float(np.mean(gain))), evidence.mean())
    return ImpostorDistribution(
        mean=float(evidence.mean()),
        deviation=float(evidence.std()),
        tail_start=start,
        tail_scale=float((evidence[evidence > start] - start).mean()),
        tail_shape=min(0.0, pareto_shape(evidence[evidence > start] - start)),
        nearest_gain=float(np.mean(gain)),
        film_shift=shift,
        film_correlation=correlation,
    )


def pareto_shape(exceedances: np.ndarray) -> float:
    """The shape of a generalized Pareto law, by probability-weighted moments (Hosking and Wallis 1987)."""
    ranked = np.sort(exceedances)
    beyond = 1 - (np.arange(1, len(ranked) + 1) - 0.35) / len(ranked)
    mean, weighted = float(ranked.mean()), float((ranked * beyond).mean())
    return 2 - mean / (mean - 2 * weighted)


def measure_films(clips: Sequence[Clip], usual: ImpostorDistribution, mean: float) -> tuple[float, float]:
    """By how much tracks of one film are more alike, of persons who are in one frame together; and the correlation."""
    by_photo, by_film = [], []
    for clip in clips:
        tracks, faces = clip.video.tracks, clip.video.faces
        for one in np.flatnonzero(tracks.faces >= 6).tolist():
            rows = np.flatnonzero((faces.tracks == tracks.number[one]) & (faces.quality >= 0.5))
            if len(rows) < 6:
                continue
            photo, film = rows[::5], np.delete(rows, np.s_[::5])
            meets = (tracks.start <= tracks.end[one]) & (tracks.end >= tracks.start[one])
            meets[one] = False
            others = tracks.embedding[meets].astype(np.float64)
            anchor = faces.embedding[photo].astype(np.float64).mean(axis=0)
            by_photo += (others @ anchor / np.linalg.norm(anchor)).tolist()
            nearest = (others @ faces.embedding[film].astype(np.float64).T).max(axis=1, initial=-1)
            by_film += (nearest - usual.gain(len(film))).tolist()
    return float(np.mean(by_film) - mean), float(np.corrcoef(by_photo, by_film)[0, 1])


def describe(measured: ImpostorDistribution, in_use: ImpostorDistribution) -> Iterator[str]:
    """The table of the distribution."""
    yield "| figure | measured | in use |"
    yield "|---|---|---|"
    for name in (
        "mean",
        "deviation",
        "tail_start",
        "tail_scale",
        "nearest_gain",
        "film_shift",
        "film_correlation",
        "tail_shape",
    ):
        yield f"| {name} | {getattr(measured, name):.3f} | {getattr(in_use, name):.3f} |"
    for pairs in (1_000, 100_000, 10_000_000):
        thresholds = [TrackRule.from_risk(usual, 0.1, ComparisonCounts(pairs)).anywhere for usual in (measured, in_use)]
        yield f"| threshold of {pairs:,} comparisons | {thresholds[0]:.3f} | {thresholds[1]:.3f} |"


def honesty(
    clips: Sequence[Clip], persons: Sequence[Person], usual: ImpostorDistribution, least: int, seed: int = 1
) -> Iterator[str]:
    """Expected and observed false tracks of drawn questions, at several risks."""
    chance = np.random.default_rng(seed)
    pairs, expected, observed, questions = 0, np.zeros(4), np.zeros(4, np.int64), 0
    risks = (0.1, 1.0, 10.0, 100.0)
    while pairs < least:
        asked = [clips[i] for i in chance.choice(len(clips), chance.integers(1, len(clips) + 1), replace=False)]
        strangers = [one for one in persons if all(is_stranger(one, clip) for clip in asked)]
        if not strangers:
            continue
        chosen = chance.choice(len(strangers), min(len(strangers), int(chance.integers(1, 7))), replace=False)
        targets = [draw_photos(strangers[i], chance) for i in chosen]
        gallery = Gallery(tuple(targets), (), "")
        count = sum(len(clip.video.tracks) for clip in asked) * len(targets)
        questions, pairs = questions + 1, pairs + count
        model = fitted(gallery, usual, asked)
        for place, risk in enumerate(risks):
            rule = TrackRule.from_risk(usual, risk, ComparisonCounts(count))
            expected[place] += rule.expected_false
            for clip in asked:
                evidence = model.weigh(clip.video.tracks.embedding, rule.in_shot)
                observed[place] += int((decide_tracks(clip.video.tracks, evidence, rule, MARGIN).owner >= 0).sum())
    yield f"{questions} drawn questions with {pairs:,} comparisons of a track with a person who is not there:"
    yield ""
    yield "| false_tracks | expected in all | 95 % interval of a Poisson number | observed |"
    yield "|---|---|---|---|"
    for risk, mean, count in zip(risks, expected, observed, strict=True):
        low, high = stats.poisson.interval(0.95, mean)
        yield f"| {risk:g} | {mean:.3g} | {low:.0f} to {high:.0f} | {count} |"


def draw_photos(person: Person, chance: np.random.Generator) -> Target:
    """The person with some of the photos."""
    target = person.target
    count = int(chance.integers(1, len(target.embeddings) + 1))
    rows = np.sort(chance.choice(len(target.embeddings), count, replace=False))
    return replace(
        target,
        label=f"{person.folder} {target.label}",
        embeddings=target.embeddings[rows],
        sources=tuple(target.sources[row] for row in rows.tolist()),
    )


def fitted(gallery: Gallery, usual: ImpostorDistribution, clips: Iterable[Clip]) -> EvidenceModel:
    """Weighs tracks against a gallery, with these clips as the archive."""
    references, cohort = ReferenceSet(gallery), Cohort(len(gallery.targets), usual)
    plain = EvidenceModel(references, usual)
    for clip in clips:
        plain.observe(clip.video.tracks.embedding, cohort)
    return plain.with_archive(references, cohort)


def ask(
    clip: Clip,
    gallery: Gallery,
    usual: ImpostorDistribution,
    risk: float = 0.1,
    *,
    grow: bool = True,
) -> list[SpanRow]:
    """The spans of a gallery in one clip, as `find --pad 0,0 --merge-gap 1` gives them."""
    tracks = clip.video.tracks
    model, pairs = fitted(gallery, usual, [clip]), ComparisonCounts(len(tracks) * len(gallery.targets))
    rule = TrackRule.from_risk(usual, risk, pairs)
    evidence = model.weigh(tracks.embedding, rule.in_shot)
    decision = decide_tracks(tracks, evidence, rule, MARGIN)
    references = ReferenceSet(gallery)
    if grow:
        grower = GalleryGrower(references, GrowthRule(rule.anywhere, GROWTH_LEAD))
        grower.take(clip.name, clip.video.faces, tracks, evidence)
        references = ReferenceSet(grower.grown()[0])
        model = fitted(references.gallery, usual, [clip])
    rule = TrackRule.from_risk(usual, risk, replace(pairs, in_film=decision.in_film, in_shot=decision.in_shot))
    found = match_tracks(clip.video, references, MatchThresholds(0.45, 0.4, MARGIN, rule), model)
    rows = []
    for label, hits in found.hits.items():
        spans = build_spans(clip.name, label, hits, pad=(0, 0), merge_gap=1.0, min_span=0.0, duration=None)
        rows += [SpanRow(span) for span in spans]
    return rows


def recall(
    shared: Path, clips: Sequence[Clip], persons: Sequence[Person], in_use: ImpostorDistribution, folder: Path
) -> Iterator[str]:
    """The table of the labelled clips."""
    yield "Labelled by eye, scored by `../shared/tools/truth_score.py`; clear and all are shares of seconds found:"
    yield ""
    yield "| constants | clip | clear | all | false, s |"
    yield "|---|---|---|---|---|"
    labels = shared / "media" / "truth"
    labelled = [clip for clip in clips if clip.name in TRUTH and (labels / f"{clip.name}.csv").exists()]
    for clip in labelled:
        gallery = Gallery(tuple(one.target for one in persons if one.folder == TRUTH[clip.name]), (), "")
        others = [other for other in clips if other.name != clip.name]
        strangers = [one for one in persons if one.folder not in CAST[clip.name]]
        foreign = measure(others, strangers)
        shorter, longer = (
            replace(in_use, tail_scale=0.9 * in_use.tail_scale),
            replace(in_use, tail_scale=1.1 * in_use.tail_scale),
        )
        cases = {
            "in use": ask(clip, gallery, in_use),
            "estimated without this clip and its persons": ask(clip, gallery, foreign),
            "without growth": ask(clip, gallery, in_use, grow=False),
            "false_tracks 0.01": ask(clip, gallery, in_use, 0.01),
            "false_tracks 1": ask(clip, gallery, in_use, 1.0),
            "film_shift 0.03": ask(clip, gallery, replace(in_use, film_shift=0.03)),
            "film_shift 0.09": ask(clip, gallery, replace(in_use, film_shift=0.09)),
            "tail_scale × 0.9": ask(clip, gallery, shorter),
            "tail_scale × 1.1": ask(clip, gallery, longer),
        }
        for name, spans in cases.items():
            clear, everything, false = score(shared, clip.name, spans, folder)
            yield f"| {name} | {clip.name} | {clear} | {everything} | {false} |"


def score(shared: Path, clip: str, spans: list[SpanRow], folder: Path) -> tuple[str, str, str]:
    """(clear, all, false seconds) as the labels' own script prints them."""
    write_spans(folder, spans)
    tool, truth = shared / "tools" / "truth_score.py", shared / "media" / "truth" / f"{clip}.csv"
    command = [sys.executable, str(tool), "spans", str(truth), str(folder / "spans.csv"), "0"]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]
    words = line.split()
    return words[3], words[words.index("presence") + 1], words[words.index("(false") + 1]


if __name__ == "__main__":
    main()
