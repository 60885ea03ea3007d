"""Find shots: detect a hard cut between two sampled frames by their signatures. Pure array code.

The index writer and `index.store` number shots; the decoder process calls `is_cut`. The change between two samples is
a product of two distances, because each alone fails:

* layout: 1 − correlation of 8 × 8 fields, at the best of a few shifts. A flash or a change of exposure alters all
  fields equally, and a slow pan shifts them; both keep it small.
* colours: the Bhattacharyya distance of histograms. A fast pan keeps it small.

A hard cut changes both, and leaves few fields unchanged. Ideas from PySceneDetect: it compares fields and histograms
between frames. A change that is reversed within moments is a flash and no cut.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.types import FloatArray, SampledFrames
from fastface.video.frames.signature import FIELDS, SIDE

_SHIFTS = tuple((down, right) for down in (-1, 0, 1) for right in (-2, -1, 0, 1, 2))


def _find_seen(shifts: Sequence[tuple[int, int]]) -> npt.NDArray[np.intp]:
    """Return the (s, 64) numbers of the fields that each shift leaves in the picture; 64 stands for the others."""
    numbers = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    seen = np.full((len(shifts), SIDE * SIDE), SIDE * SIDE)
    for row, shift in zip(seen, shifts, strict=True):
        down, right = (slice(max(0, by), SIDE + min(0, by)) for by in shift)
        fields = numbers[down, right].ravel()
        row[: len(fields)] = fields
    return seen


_SEEN_BEFORE = _find_seen(_SHIFTS)
_SEEN_AFTER = _find_seen([(-down, -right) for down, right in _SHIFTS])
_NUM_SEEN = (_SEEN_BEFORE < SIDE * SIDE).sum(axis=1)
"""(s,) number of fields that stay in the picture."""

_NOISE = 4
"""Variance, in squared levels, below which fields are noise: two black frames are equal."""

CUT = 0.014
"""Minimum change of a cut. Cuts of films have 0.033 and more at 5 samples a second, and 0.021 at every frame. Two
slides of portraits have 0.016. All other samples but one of 1,256 have 0.005 and less."""

_STILL_SHARE = 0.5
"""Minimum share of unchanged fields without a cut, as when a person crosses the picture. At a cut it is 0.34 and less.
"""
_STILL_LEVELS = 10
_BLACK = 24

_BLACK_BINS = 16
"""Number of bins of the darkest luma; they come first."""
_LEAST_SEEN = 0.2
"""Minimum share of a picture that is not black; below it the rest counts no more."""

_FLASH_SECONDS = 0.75
"""Maximum seconds after which a shot continues. The frames between are a flash, which is a separate shot."""

_BLOCK = 256
"""Number of pairs compared at once: their shifted fields need 12 MB."""


def number_shots(frames: SampledFrames, *, is_film: bool = True) -> SampledFrames:
    """Return the same frames with their shots.

    Args:
        frames: All sampled frames of a video with their signatures, in order of time.
        is_film: True if the frames follow each other in time. If not, each picture is a separate shot.
    """
    if not is_film:
        return replace(frames, shot=np.arange(len(frames), dtype=np.int32))
    change = measure_changes(frames.signature[:-1], frames.signature[1:])
    begins = np.concatenate([[0], 1 + np.flatnonzero(change >= CUT)])[: len(frames)]
    number = np.empty(len(begins), np.int32)
    count = 0
    for part, earlier in enumerate(_find_resumed(frames, begins).tolist()):
        number[part] = count if earlier < 0 else number[earlier]
        count += earlier < 0
    return replace(frames, shot=np.repeat(number, np.diff(np.append(begins, len(frames)))))


def is_cut(before: bytes, after: bytes) -> bool:
    """Return whether a new shot starts between two consecutive frames, by their signatures."""
    left, right = (np.frombuffer(one, np.uint8)[None] for one in (before, after))
    return bool(measure_changes(left, right)[0] >= CUT)


def _find_resumed(frames: SampledFrames, begins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the (p,) latest earlier part that each part between two cuts continues after a flash; -1 for none."""
    found = np.full(len(begins), -1, np.int64)
    for back in range(2, len(begins)):
        part = np.arange(back, len(begins))
        last = begins[part - back + 1] - 1
        is_near = frames.time[begins[part]] - frames.time[last] <= _FLASH_SECONDS
        if not is_near.any():
            break
        open_ = np.flatnonzero(is_near & (found[part] < 0))
        alike = measure_changes(frames.signature[last[open_]], frames.signature[begins[part[open_]]]) < CUT
        found[part[open_[alike]]] = part[open_[alike]] - back
    return found


def measure_changes(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], *, least: float = CUT
) -> npt.NDArray[np.float64]:
    """Return the (k,) change between each two signatures: 0 for none, up to 2.

    Args:
        before: (k, SIGNATURE_SIZE) signatures.
        after: (k, SIGNATURE_SIZE) signatures of the frames after them.
        least: Changes that cannot reach this are 0, which saves most of the time.
    """
    found = np.zeros(len(before))
    for begin in range(0, len(before), _BLOCK):
        # Sums of whole numbers below 2²⁴ are exact in any order: results do not depend on the block or the machine.
        left, right = (part[begin : begin + _BLOCK].astype(np.float32) for part in (before, after))
        colours = _colour_distance(left[:, FIELDS:], right[:, FIELDS:])
        # The product cannot reach a cut if the colour distance is too small: most frames need no layout distance.
        possible = np.flatnonzero(2 * colours >= least)
        shape = (len(possible), SIDE, SIDE, 3)
        fields = left[possible, :FIELDS].reshape(shape), right[possible, :FIELDS].reshape(shape)
        change = colours[possible] * _layout_distance(*fields)
        found[begin + possible] = np.where(_still_share(*fields) < _STILL_SHARE, change, 0)
    return found


def _colour_distance(before: FloatArray, after: FloatArray) -> npt.NDArray[np.float64]:
    """Return (k,) 1 − the Bhattacharyya coefficient of (k, 128) roots of histograms, 0–1.

    Black in both counts little: it is bars, or the surroundings of a portrait.
    """
    norm = np.sqrt(_dot(before, before) * _dot(after, after))
    common = np.minimum(before[:, :_BLACK_BINS], after[:, :_BLACK_BINS])
    black = _dot(common, common) / np.maximum(norm, 1)
    distance: npt.NDArray[np.float64] = 1 - _dot(before, after) / np.maximum(norm, 1)
    return (distance / np.maximum(1 - black, _LEAST_SEEN)).clip(0, 1)


def _layout_distance(before: FloatArray, after: FloatArray) -> npt.NDArray[np.float64]:
    """Return (k,) 1 − the correlation of two pictures' (k, 8, 8, 3) fields at the best shift, 0–2.

    A correlation is of all channels together, each about its own mean. All shifts are computed at once: a decoder
    compares one pair at a time, and the calls would cost more than the arithmetic.
    """
    left, right = (
        np.append(part.reshape(len(part), SIDE * SIDE, 3), np.zeros((len(part), 1, 3), np.float32), axis=1)
        .transpose(0, 2, 1)
        .take(seen, axis=2)
        for part, seen in ((before, _SEEN_BEFORE), (after, _SEEN_AFTER))
    )
    correlation = _covariance(left, right) / np.sqrt(_covariance(left, left) * _covariance(right, right))
    best: npt.NDArray[np.float64] = correlation.max(axis=1)
    return 1 - best


def _covariance(left: FloatArray, right: FloatArray) -> npt.NDArray[np.float64]:
    """Return the (k, s) sums of the covariances of the channels of two (k, 3, s, 64) fields, with what noise adds."""
    sums = left.sum(axis=-1).astype(np.float64) * right.sum(axis=-1)
    products = np.einsum("kcsn,kcsn->kcs", left, right).astype(np.float64)
    of_channels = (products - sums / _NUM_SEEN) / _NUM_SEEN
    total: npt.NDArray[np.float64] = of_channels[:, 0] + of_channels[:, 1] + of_channels[:, 2] + _NOISE
    return total


def _still_share(before: FloatArray, after: FloatArray) -> npt.NDArray[np.float64]:
    """Return the (k,) share of unchanged fields, without black fields: every shot has bars."""
    is_still = np.abs(after - before).max(axis=-1) <= _STILL_LEVELS
    is_seen = np.maximum(before[..., 0], after[..., 0]) >= _BLACK
    found: npt.NDArray[np.float64] = (is_still & is_seen).sum(axis=(1, 2)) / np.maximum(is_seen.sum(axis=(1, 2)), 1)
    return found


def _dot(left: FloatArray, right: FloatArray) -> npt.NDArray[np.float64]:
    """Return the (k,) products of the rows of two (k, n) arrays."""
    found: npt.NDArray[np.float64] = np.einsum("kn,kn->k", left, right).astype(np.float64)
    return found
