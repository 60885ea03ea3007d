"""Findings → clips, crops, snapshots: planned here, made in child processes, recorded in the ledger.

A file that is there and was made of the same video, span and settings is kept; a file of an earlier search that is no
longer wanted is removed; nothing that fastface did not make is touched.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fastface.config import ExportConfig
from fastface.export.clips import clip_name
from fastface.export.tables import CropRow, CutFacts, SpanRow
from fastface.index.ledger import Ledger
from fastface.pipeline.crew import Crew
from fastface.pipeline.errands import Refused, run_errands
from fastface.types import Span
from fastface.workflows.export_process import ClipJob, PicturesJob
from fastface.workflows.find import Findings
from fastface.workflows.interrupt import Interruption
from fastface.workflows.machine import num_cores
from fastface.workflows.output import OutputFolder
from fastface.workflows.pictures import plan_pictures

__all__ = ["Exporter", "Exports"]


@dataclass(slots=True)
class Exports:
    """What was exported.

    Attributes:
        spans: Every span with its clip.
        crops: Every crop.
        failures: What could not be made, and why.
    """

    spans: list[SpanRow] = field(default_factory=list)
    crops: list[CropRow] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def num_clips(self) -> int:
        """Clips that are there now."""
        return sum(bool(row.clip) for row in self.spans)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Files to be there: who makes them, and the key that says of what."""

    paths: tuple[str, ...]
    key: str
    job: ClipJob | PicturesJob


class Exporter:
    """Plans, makes and records the exports of one command."""

    def __init__(self, out: OutputFolder, ledger: Ledger, config: ExportConfig, interruption: Interruption) -> None:
        self._out = out
        self._ledger = ledger
        self._config = config
        self._interruption = interruption
        self._known = ledger.exports()
        self._wanted: list[_Wanted] = []
        self._spans: list[tuple[Span, str]] = []
        self._crops: list[CropRow] = []

    def plan(self, found: Findings) -> None:
        """Notes what is wanted of one video; no file is touched yet."""
        fingerprint = found.record.fingerprint
        for span in found.spans:
            self._spans.append((span, self._plan_clip(span, found, fingerprint)))
        plan = plan_pictures(found, self._config, self._out.root)
        self._crops += plan.crops
        if plan.job is not None:
            self._wanted.append(_Wanted(plan.files, _key(fingerprint, plan.job), plan.job))

    def _plan_clip(self, span: Span, found: Findings, fingerprint: str) -> str:
        mode = self._config.clips
        if mode == "none":
            return ""
        path = f"clips/{span.video_id}/{clip_name(span.target, span.start, span.end)}"
        job = ClipJob(found.info, span.start, span.end, self._out.root / path, mode)
        self._wanted.append(_Wanted((path,), _key(fingerprint, job), job))
        return path

    def make(self) -> Exports:
        """Makes what is missing and removes what is no longer wanted.

        Raises:
            InterruptError: The user stopped it; what is made stays.
        """
        self._remove_unwanted()
        missing = {id(wanted.job): wanted for wanted in self._wanted if not self._is_there(wanted)}
        failures: list[str] = []
        crew = Crew("exporter", "fastface.workflows.export_process:serve", min(num_cores(), len(missing) or 1), None)
        for job, result in run_errands(crew, [wanted.job for wanted in missing.values()], self._interruption):
            wanted = missing[id(job)]
            if isinstance(result, Refused):
                failures.append(f"{wanted.paths[0]}: {result.reason}")
                continue
            failures += [f"{wanted.paths[0]}: {line}" for line in result.missing]
            for path in wanted.paths:
                if (self._out.root / path).exists():
                    self._ledger.put_export(path, wanted.key, json.dumps(result.facts))
        facts = {path: said for path, (_, said) in self._ledger.exports().items()}
        spans = [self._row(span, path, facts) for span, path in self._spans]
        crops = [row for row in self._crops if self._exists(row.file)]
        return Exports(spans, crops, failures)

    def _row(self, span: Span, path: str, facts: dict[str, str]) -> SpanRow:
        if path not in facts or not self._exists(path):
            return SpanRow(span)
        return SpanRow(span, path, CutFacts(**json.loads(facts[path])))

    def _exists(self, path: str) -> bool:
        return bool(path) and (self._out.root / path).exists()

    def _is_there(self, wanted: _Wanted) -> bool:
        return all(
            path in self._known and self._known[path][0] == wanted.key and self._exists(path) for path in wanted.paths
        )

    def _remove_unwanted(self) -> None:
        wanted = {path for item in self._wanted for path in item.paths}
        for path in sorted(set(self._known) - wanted):
            (self._out.root / path).unlink(missing_ok=True)
            self._ledger.forget_export(path)
            _remove_empty(list(PurePosixPath(path).parents)[:-1], self._out.root)


def _remove_empty(folders: Iterable[PurePosixPath], root: Path) -> None:
    """Removes folders that are empty now, the innermost first."""
    for folder in folders:
        try:
            (root / folder).rmdir()
        except OSError:  # it holds something, or is gone
            return


def _key(fingerprint: str, job: Any) -> str:
    """Digest of the video's content and of everything that the job says."""
    return hashlib.sha256(f"{fingerprint}\n{job!r}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
