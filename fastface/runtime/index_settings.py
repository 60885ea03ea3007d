"""How an index is made: what of settings and networks a video's index depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction

from fastface.config import ScanConfig
from fastface.index.schema import SCHEMA_VERSION
from fastface.runtime.networks import Networks
from fastface.types import LOOKS_VERSION, DecoderName, Sampling

_WITH = "+"
"""Between the digest of all that faces depend on and that of the person network."""


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How an index is made.

    Attributes:
        key: Digest of all that a video's index depends on. Processes, batches, devices and precisions are not part of
            it: another device or precision finds the same faces but for those near the threshold, and embeddings that
            can be compared.
        has_bodies: Whether persons are followed.
        metadata: What every Parquet file says about where its rows come from.
        dimension: Components of an embedding.
        decoder: What is to decode the videos.
        portrait_bytes: The most that the pictures kept of a video's faces take; 0 keeps none.
        period: Seconds between samples at their sparsest; 0 where every frame is sampled.
        clear_score: Detector score that one face of every track has at least.
    """

    key: str
    metadata: dict[str, str]
    dimension: int
    period: float
    decoder: DecoderName = "pyav"
    portrait_bytes: int = 0
    has_bodies: bool = False
    clear_score: float = 0.0

    def serves(self, key: str) -> bool:
        """Return whether an index that was made with the settings of a key has all that this one has."""
        return key == self.key or (not self.has_bodies and key.partition(_WITH)[0] == self.key)


def build_index_settings(scan: ScanConfig, networks: Networks, version: str) -> IndexSettings:
    """Return what an index depends on: settings, networks and the version of fastface."""
    facts = {
        "schema": SCHEMA_VERSION,
        "sampling": str(scan.sampling),
        "det_size": scan.det_size,
        "det_threshold": scan.det_threshold,
        "weak_threshold": scan.lowest_score,
        "min_face": scan.min_face,
        "unit_seconds": scan.unit_seconds,
        "max_pixels": scan.max_pixels,
        "detector": networks.models.detector.sha256,
        "contract": networks.contract,
        "looks": [LOOKS_VERSION, scan.close_ups, scan.turned_faces],
    }
    if scan.decoder != "pyav":
        # A card makes of a damaged stream what it likes; of a whole one it makes the same pixels as PyAV.
        facts["decoder"] = scan.decoder
    if scan.portrait_mb:
        facts["portraits"] = True
    if scan.blur_gate != "none":
        is_grid = scan.blur_gate == "grid"
        facts["blur"] = [scan.blur_threshold, *([scan.blur_tiles, scan.blur_share] if is_grid else [])]
    if scan.min_sharpness:
        facts["min_sharpness"] = scan.min_sharpness
    person = networks.models.person if scan.track == "persons" else None
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    if person is not None:
        key += _WITH + person.sha256[:32]
    metadata = {
        "fastface_version": version,
        "contract": networks.contract,
        "recogniser": networks.models.recogniser.name,
        "detector": networks.models.detector.name,
        "sampling": json.dumps(asdict(scan.sampling), default=str),
    }
    return IndexSettings(
        key=key,
        has_bodies=person is not None,
        metadata=metadata,
        dimension=networks.dimension,
        period=float(scan.sampling.period or 0),
        decoder=scan.decoder,
        portrait_bytes=int(scan.portrait_mb * (1 << 20)),
        clear_score=scan.det_threshold,
    )


def read_sampling(metadata: Mapping[str, str]) -> Sampling:
    """The sampling that an index was made with, by its metadata."""
    sampling = json.loads(metadata["sampling"])
    period = sampling["period"]
    return Sampling(None if period is None else Fraction(period), sampling["keyframes"])
