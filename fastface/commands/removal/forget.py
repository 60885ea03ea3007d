"""Run `fastface forget`: remove videos from an output folder: index, clips, pictures, and rows in tables."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastface.census.census import corrections_path, take_census, with_shown_settings
from fastface.census.clusters.correction_log import log_path, read_corrections, write_corrections
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.numbering import Numbering
from fastface.census.photo_names import forget_videos, read_names, write_names
from fastface.census.store.base import open_existing
from fastface.commands.nights.night import forget_in_nights
from fastface.commands.people import publish
from fastface.config import Config
from fastface.errors import BackendError, ConfigError, ModelError
from fastface.export.selection_npz import forget_in_picked
from fastface.export.tables.removal import remove_videos
from fastface.files import remove_empty
from fastface.fleet.merge import write_origins
from fastface.fleet.views import list_views
from fastface.gallery.bank import forget_in_bank
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.index.track_archive import remove_track_archive
from fastface.names import valid_text
from fastface.review.report.report_page import REPORT, write_report_page
from fastface.runtime.context import open_context
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder, in_answer, list_answers, require_ledger
from fastface.runtime.run_report import find_answer_record, forget_in_run_json
from fastface.runtime.stand_ins import list_names
from fastface.search.decision_store import DecisionStore

_PICKED = "primary_person.npz"


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """Videos and files that were removed, or would be.

    Attributes:
        videos: Names in OUT.
        paths: Files of these videos, with all copies and links.
        exports: Removed clips and pictures of these videos.
        rows: Number of removed table rows.
        people: Result for the list of persons, in words; empty if there was none.
    """

    videos: tuple[str, ...]
    paths: tuple[str, ...]
    exports: int
    rows: int = 0
    people: str = ""


def forget(
    config: Config, out: Path, named: Sequence[str], observer: Observer, *, by_id: bool = False, pretend: bool = False
) -> ForgetResult:
    """Remove videos from an output folder. The video files stay unchanged.

    Each file with the content of a video names it. Tables and run.json of all answers lose their rows, and the list of
    persons is rebuilt. The views below the folder, which join it with others, lose the videos too.

    Until all is done, the videos wait in the ledger as if no scan had begun them: after a kill the same call continues.

    Args:
        config: The settings; the networks are those of the index.
        out: The output folder.
        named: Names of videos in OUT, files, or folders with all videos below them.
        observer: Receives notes.
        by_id: True if all are names in OUT: a file of that name may be another video.
        pretend: True to report the result without removing anything.

    Raises:
        ConfigError: There is no run in `out`, or a name is no video of it.
        LockedError: A run holds `out`.
        SpaceError: No space is left; the same call continues.
    """
    require_ledger(out)
    folder, num_rows = OutputFolder(out), 0
    in_views = [
        forget(config, view, chosen, observer, by_id=True, pretend=pretend)
        for view, chosen in _choose_in_views(out, named, by_id=by_id)
    ]
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        also = list_names(ledger)
        records = _choose(ledger.videos(), also, named, by_id=by_id)
        names = {record.video_id for record in records}
        known = ledger.exports().items()
        exports = [path for path, (_, facts) in known if _is_export(in_answer(path), facts, names)]
        if names and not pretend:
            num_rows = _remove(folder, ledger, names, exports, observer)
        is_empty = not ledger.has_scans()
    people = ""
    if names and not pretend:
        people = _recount(config, out, is_empty=is_empty)
        with folder.hold_lock(), Ledger(folder.ledger) as ledger:
            waiting = _list_waiting(ledger.videos(with_info=False))
            ledger.await_videos((), {name: path for name, path in waiting.items() if name not in names})
    paths = tuple(valid_text(str(path)) for one in records for path in (one.path, *also.get(one.video_id, ())))
    num_exports = len(exports) + sum(view.exports for view in in_views)
    return ForgetResult(
        tuple(sorted(names)), paths, num_exports, num_rows + sum(view.rows for view in in_views), people
    )


def _remove(
    folder: OutputFolder,
    ledger: Ledger,
    names: Collection[str],
    exports: Sequence[str],
    observer: Observer,
) -> int:
    """Remove videos, all that shows them and all that was learnt of them, but the list of persons.

    Args:
        folder: The output folder.
        ledger: Its ledger.
        names: The videos to remove.
        exports: Files of them.
        observer: Receives notes.

    Returns:
        Number of removed rows of tables.
    """
    out, every = folder.root, ledger.videos(with_info=False)
    for path in exports:
        (out / path).unlink(missing_ok=True)
        ledger.forget_export(path)
        remove_empty((out / path).parent, out)
    num_rows = sum(_forget_in_answer(answer, names) for answer in list_answers(out))
    if (out / _PICKED).is_file():
        forget_in_picked(out / _PICKED, names)
    for bank in [path for path in ledger.exports() if path.startswith("banks/") and (out / path).is_file()]:
        if not forget_in_bank(out / bank, names):
            ledger.forget_export(bank)
            remove_empty((out / bank).parent, out)
    _forget_decisions(folder, names)
    kept = {record.fingerprint for record in every if record.video_id not in names}
    contents = {record.fingerprint for record in every} - kept - {""}
    _forget_in_census(folder.state, names, contents)
    remove_track_archive(folder.index)
    forget_in_nights(folder, names)
    write_origins(folder.state, {}, names)
    for content in contents:
        ledger.forget_names(content)
    chosen = {record.video_id: record.path for record in every if record.video_id in names}
    ledger.await_videos(names, _list_waiting(every) | chosen)
    for name in names:
        VideoIndex(folder.index, name).remove()
    for answer in list_answers(out):
        if (answer / REPORT).is_file():
            _write_report(folder, ledger, answer, observer)
    return num_rows


def _forget_in_census(state: Path, names: Collection[str], fingerprints: Collection[str]) -> None:
    """Remove some videos from the corrections, their log, the names by photos, the numbers and the identities.

    Corrections and their log hold embeddings of faces; the store and the numbers hold centroids of persons. A person
    with a name stays in the store: the name is the user's. A store elsewhere stays unchanged, because other folders may
    share it.

    Args:
        state: The folder OUT/.fastface.
        names: Names of the videos in OUT.
        fingerprints: Their contents, unless a video that stays has the same.
    """
    _forget_in_corrections(state, names)
    photos = read_names(state)
    if (rest := forget_videos(photos, fingerprints)) != photos:
        write_names(state, rest)
    numbers = state / "numbers.npz"
    if numbers.exists():
        Numbering.load(numbers).without_videos(fingerprints).save(numbers)
    store = state / "identities.sqlite"
    if store.exists():
        with open_existing(str(store)) as opened:
            opened.forget(fingerprints)


def _forget_in_corrections(state: Path, names: Collection[str]) -> None:
    path, log = state / "corrections.json", log_path(state)
    own = Corrections.load(path)
    if (rest := own.without_videos(names)) != own:
        rest.save(path)
    logged = read_corrections(log)
    kept = [replace(one, before=one.before.without_videos(names)) for one in logged]
    if kept != logged:
        write_corrections(log, kept)


def _list_waiting(records: Sequence[VideoRecord]) -> dict[str, Path]:
    """Return {name: path} of the videos that no scan has begun."""
    return {record.video_id: record.path for record in records if not record.scan_key}


def _choose_in_views(out: Path, named: Sequence[str], *, by_id: bool) -> Iterator[tuple[Path, list[str]]]:
    """Yield the views below a folder that hold some of the videos to forget, with the names there.

    Raises:
        ConfigError: A name is no video of the folder.
    """
    views = list_views(out)
    if not views:
        return
    with Ledger(out / ".fastface" / "state.sqlite", read_only=True) as ledger:
        records = _choose(ledger.videos(), list_names(ledger), named, by_id=by_id)
    paths, contents = {record.path for record in records}, {record.fingerprint for record in records} - {""}
    for view in views:
        with Ledger(view / ".fastface" / "state.sqlite", read_only=True) as ledger:
            there = ledger.videos(with_info=False)
        chosen = [record.video_id for record in there if record.fingerprint in contents or record.path in paths]
        if chosen:
            yield view, chosen


def _forget_in_answer(answer: Path, names: Collection[str]) -> int:
    """Remove the rows of some videos from an answer; return their number."""
    counts = remove_videos(answer, names)
    record, last = find_answer_record(answer), answer / "run.json"
    if record.is_file():
        tables = {"hits": counts.hits, "spans": counts.spans, "clips": counts.clips, "crops": counts.crops}
        forget_in_run_json(record, names, tables)
    if last != record and last.is_file():  # a scan after the answer
        forget_in_run_json(last, names, {})
    return counts.removed


def _forget_decisions(folder: OutputFolder, names: Collection[str]) -> None:
    """Remove decisions on some videos: they hold embeddings of faces."""
    store = DecisionStore.load(folder.state)
    rest = store.without_videos({valid_text(name) for name in names})
    if rest != store:
        rest.save(folder.state)


def _write_report(folder: OutputFolder, ledger: Ledger, answer: Path, observer: Observer) -> None:
    """Write the page of an answer again, without the forgotten videos."""
    try:
        write_report_page(folder, ledger, answer)
    except ConfigError as error:  # the search was stopped before its run.json
        (answer / REPORT).unlink()
        observer.note(f"removed {valid_text(str(answer / REPORT))}, since it cannot be written again: {error}")


def _recount(config: Config, out: Path, *, is_empty: bool) -> str:
    """Rebuild the list of persons; remove the list if that fails. Its notes would be on the videos that stay."""
    folder = OutputFolder(out)
    with Ledger(folder.ledger, read_only=True) as ledger:
        is_listed = any(path.startswith("people/") for path in ledger.exports())
    if not is_listed and not (folder.state / "people.json").exists():  # a killed census has files, but no list
        return ""
    reason = "no video is left"
    if not is_empty:
        try:
            with open_context(config, out, Observer(), "forget") as opened:
                context = with_shown_settings(opened)
                publish(context, take_census(context, Corrections.load(corrections_path(context))))
            return f"counted the persons in {valid_text(str(out / 'people'))} again"
        except (BackendError, ConfigError, ModelError) as error:
            reason = str(error)
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        (folder.state / "people.json").unlink(missing_ok=True)
        for path in [path for path in ledger.exports() if path.startswith("people/")]:
            (out / path).unlink(missing_ok=True)
            ledger.forget_export(path)
            remove_empty((out / path).parent, out)
    return f"removed {valid_text(str(out / 'people'))}, since its persons cannot be counted again: {reason}"


def _choose(
    records: Sequence[VideoRecord], also: Mapping[str, Sequence[Path]], named: Sequence[str], *, by_id: bool
) -> list[VideoRecord]:
    """Return the chosen videos, by name. Any file of a video names it, unless all are names in OUT.

    Raises:
        ConfigError: A name is no video.
    """
    faults, chosen = [], set[str]()
    files = [(record.video_id, path) for record in records for path in (record.path, *also.get(record.video_id, ()))]
    for one in named:
        place = Path(one).absolute()
        found = {video_id for video_id, path in files if video_id == one or (not by_id and path.is_relative_to(place))}
        if not found:
            faults.append(f"{one!r} is no video of this folder, and none was found below it")
        chosen |= found
    if faults:
        known = ", ".join(valid_text(record.video_id) for record in records[:_MOST_NAMED])
        raise ConfigError([*faults, f"there are: {known}{', …' if len(records) > _MOST_NAMED else ''}"])
    return [record for record in records if record.video_id in chosen]


_MOST_NAMED = 10
_CROP = re.compile(r"(?P<video>.+)_\d+\.\d{3}_\d+\.\w+")


def _is_export(path: str, facts: str, videos: Collection[str]) -> bool:
    """Return whether a file below an answer was made from one of these videos; `facts` as the ledger has them."""
    folder, _, rest = path.partition("/")
    if folder in ("reels", "sheets"):  # of several videos; without facts, of unknown ones
        return not set(videos).isdisjoint(json.loads(facts).get("videos", videos))
    if folder == "audit":  # an audit is of all videos, so the page cannot be judged any more; its result stays
        return rest != "result.json"
    if folder in ("clips", "snapshots", "timelines"):
        return rest.partition("/")[0] in videos
    if folder == "crops":
        match = _CROP.fullmatch(rest.rpartition("/")[2])
        return match is not None and match["video"] in videos
    return folder == "previews" and rest.removesuffix("_people.mp4") in videos
