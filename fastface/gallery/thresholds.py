"""Compute the thresholds for hits, by single faces and by whole tracks, from the accepted risk.

The search, `calibrate` and the run context use them.
"""

from dataclasses import dataclass, replace
from typing import Self

from fastface.impostors import ImpostorDistribution

_SHARE_ANYWHERE, _SHARE_IN_FILM, _SHARE_IN_SHOT = 0.8, 0.1, 0.1
"""Shares of the risk: most of it is for tracks without other evidence."""

_LEAST_PAIRS_ANYWHERE, _LEAST_PAIRS_IN_FILM, _LEAST_PAIRS_IN_SHOT = 10_000, 1_000, 30
"""Minimum number of comparisons that the risk applies to. A user searches small archives many times. Each search gets
the threshold of a larger archive, so all searches together stay within the risk."""


@dataclass(frozen=True, slots=True)
class ComparisonCounts:
    """Numbers of comparisons of a track with a target in one search."""

    anywhere: int  # comparisons of every track with every target
    in_film: int = 0  # comparisons of tracks with a target that is certainly in their film
    in_shot: int = 0  # comparisons of tracks with a target that is certainly in their shot


def counted_pairs(pairs: ComparisonCounts) -> int:
    """Return the number of comparisons that the risk applies to, at least the minimum for small archives."""
    return max(pairs.anywhere, _LEAST_PAIRS_ANYWHERE)


def allowed_rate(false_tracks: float, pairs: ComparisonCounts) -> float:
    """Return the share of comparisons of different persons that may reach the threshold for any track."""
    return _SHARE_ANYWHERE * false_tracks / counted_pairs(pairs)


@dataclass(frozen=True, slots=True)
class TrackRule:
    """Minimum evidence (see `gallery.track_voting`) of a target's track."""

    anywhere: float  # for any track
    in_film: float  # for a track in a film with a certain track of the target
    in_shot: float  # for a track in a shot with a certain track of the target
    expected_false: float  # expected number of false tracks in the whole search
    least_faces: int = 1  # minimum number of faces in a track
    review: float = 0.08  # a track this far below `anywhere` is listed for review

    @classmethod
    def from_risk(cls, usual: ImpostorDistribution, false_tracks: float, pairs: ComparisonCounts) -> Self:
        """Return the lowest thresholds for the expected number of false tracks.

        Args:
            usual: Distribution of the similarities of strangers.
            false_tracks: Maximum expected number of false tracks in the whole search, for all targets together.
            pairs: Numbers of comparisons in the search.
        """
        anywhere = usual.threshold(allowed_rate(false_tracks, pairs))
        in_film = usual.threshold(_SHARE_IN_FILM * false_tracks / max(pairs.in_film, _LEAST_PAIRS_IN_FILM))
        in_shot = usual.threshold(_SHARE_IN_SHOT * false_tracks / max(pairs.in_shot, _LEAST_PAIRS_IN_SHOT))
        in_film = min(in_film, anywhere)
        if not usual.is_measured:
            in_film = in_shot = anywhere  # an estimate does not justify a lower threshold
        return cls.from_thresholds(usual, (anywhere, in_film, min(in_shot, in_film)), pairs)

    @classmethod
    def from_thresholds(
        cls, usual: ImpostorDistribution, thresholds: tuple[float, float, float], pairs: ComparisonCounts
    ) -> Self:
        """Return the rule with thresholds (anywhere, in a film, in a shot) and the expected number of false tracks."""
        anywhere, in_film, in_shot = map(usual.rate, thresholds)
        # Tracks in a film that are false anywhere are counted already.
        expected = (
            pairs.anywhere * anywhere + pairs.in_film * (in_film - anywhere) + pairs.in_shot * (in_shot - in_film)
        )
        return cls(*thresholds, expected_false=expected)

    def raised_to(self, usual: ImpostorDistribution, anywhere: float, pairs: ComparisonCounts) -> Self:
        """Return the rule with another threshold for any track; the other thresholds keep their distance from it."""
        shift = anywhere - self.anywhere
        return self.from_thresholds(usual, (anywhere, self.in_film + shift, self.in_shot + shift), pairs)


@dataclass(frozen=True, slots=True)
class MatchThresholds:
    """Cosine thresholds of a single face, and the rule for whole tracks.

    Attributes:
        enter: Minimum similarity that starts a hit.
        exit: Minimum similarity that continues a hit; at most `enter`.
        margin: Minimum lead over every other target and lookalike.
        tracks: Rule for whole tracks; None decides each face by itself and its neighbours.
    """

    enter: float
    exit: float
    margin: float
    tracks: TrackRule | None = None

    def relax(self, by: float) -> Self:
        """Return lower thresholds for faces that are nearly hits."""
        return replace(self, enter=self.enter - by, exit=self.exit - by, margin=max(0.0, self.margin - by))
