"""The thresholds from which a face, or a track, is a target's."""

from dataclasses import dataclass, replace
from typing import Self

from fastface.impostors import ImpostorDistribution

_SHARE_ANYWHERE, _SHARE_IN_FILM, _SHARE_IN_SHOT = 0.8, 0.1, 0.1
"""How the risk is shared out: most of it to the tracks of which nothing else is known."""

_LEAST_PAIRS_ANYWHERE, _LEAST_PAIRS_IN_FILM, _LEAST_PAIRS_IN_SHOT = 10_000, 1_000, 30
"""Pairs that are counted at least. A person asks many questions of small archives, one after the other: each gets the
threshold of an archive of some size, so that all of them together stay within the risk."""


@dataclass(frozen=True, slots=True)
class ComparisonCounts:
    """Numbers of comparisons of a track with a target in one question."""

    anywhere: int  # every track with every target
    in_film: int = 0  # tracks of a film in which the target surely is, with that target
    in_shot: int = 0  # tracks of a shot in which the target surely is, with that target


def counted_pairs(pairs: ComparisonCounts) -> int:
    """Comparisons of any track with any target that the risk is for: those of an archive of some size at least."""
    return max(pairs.anywhere, _LEAST_PAIRS_ANYWHERE)


def allowed_rate(false_tracks: float, pairs: ComparisonCounts) -> float:
    """Share of comparisons of different persons that may reach the threshold for any track."""
    return _SHARE_ANYWHERE * false_tracks / counted_pairs(pairs)


@dataclass(frozen=True, slots=True)
class TrackRule:
    """Evidence (see `gallery.track_voting`) from which a whole track is a target's."""

    anywhere: float  # of any track
    in_film: float  # of a track in a film in which another track is the target's by `anywhere`
    in_shot: float  # of a track in a shot in which another track is the target's
    expected_false: float  # expected number of false tracks in the whole question
    least_faces: int = 1  # faces that a track needs to count
    review: float = 0.08  # a track this far below `anywhere` is listed for review

    @classmethod
    def from_risk(cls, usual: ImpostorDistribution, false_tracks: float, pairs: ComparisonCounts) -> Self:
        """The lowest thresholds with which so few false tracks are expected.

        Args:
            usual: How alike strangers are.
            false_tracks: Most false tracks that are expected in the whole question, for all targets together.
            pairs: How many comparisons it makes.
        """
        anywhere = usual.threshold(allowed_rate(false_tracks, pairs))
        in_film = usual.threshold(_SHARE_IN_FILM * false_tracks / max(pairs.in_film, _LEAST_PAIRS_IN_FILM))
        in_shot = usual.threshold(_SHARE_IN_SHOT * false_tracks / max(pairs.in_shot, _LEAST_PAIRS_IN_SHOT))
        in_film = min(in_film, anywhere)
        if not usual.is_measured:
            in_film = in_shot = anywhere  # a guess is no ground to ask for less
        return cls.from_thresholds(usual, (anywhere, in_film, min(in_shot, in_film)), pairs)

    @classmethod
    def from_thresholds(
        cls, usual: ImpostorDistribution, thresholds: tuple[float, float, float], pairs: ComparisonCounts
    ) -> Self:
        """The rule with these thresholds, anywhere, in a film and in a shot, and what is expected of it."""
        anywhere, in_film, in_shot = map(usual.rate, thresholds)
        # Of the tracks in a film, those that are false anywhere are counted already.
        expected = (
            pairs.anywhere * anywhere + pairs.in_film * (in_film - anywhere) + pairs.in_shot * (in_shot - in_film)
        )
        return cls(*thresholds, expected_false=expected)

    def raised_to(self, usual: ImpostorDistribution, anywhere: float, pairs: ComparisonCounts) -> Self:
        """The rule with another threshold for any track; the others keep their distance from it."""
        shift = anywhere - self.anywhere
        return self.from_thresholds(usual, (anywhere, self.in_film + shift, self.in_shot + shift), pairs)


@dataclass(frozen=True, slots=True)
class MatchThresholds:
    """Cosines between which a face alone is a target's, and the rule for whole tracks.

    Attributes:
        enter: Minimum similarity that starts a hit.
        exit: Minimum similarity that continues it; at most `enter`.
        margin: Minimum lead over every other target and lookalike.
        tracks: The rule for whole tracks; None decides each face by itself and its neighbours.
    """

    enter: float
    exit: float
    margin: float
    tracks: TrackRule | None = None

    def relax(self, by: float) -> Self:
        """The limits for faces that are nearly a target's."""
        return replace(self, enter=self.enter - by, exit=self.exit - by, margin=max(0.0, self.margin - by))
