"""Define the settings and networks that a video's index depends on, and their digest.

Scans store the digest; later commands compare it. A new setting that changes an index must enter the digest.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache

from fastface.config import ScanConfig
from fastface.index.schema import SCHEMA_VERSION
from fastface.runtime.networks import Networks
from fastface.types import LOOKS_VERSION, DecoderName, Sampling

_WITH = "+"
"""Separator between the digest for faces and the digest of the person network."""


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Settings of an index.

    Attributes:
        key: Digest of all that a video's index depends on, without processes, batches, devices and precisions. Another
            device or precision finds the same faces, except near the threshold, and comparable embeddings.
        has_bodies: True if persons are followed.
        metadata: Metadata of every Parquet file: the origin of its rows.
        dimension: Components of an embedding.
        decoder: Decoder of the videos.
        portrait_bytes: Maximum bytes of the stored pictures of a video's faces; 0 stores none.
        period: Maximum seconds between samples; 0 if every frame is sampled.
        clear_score: Minimum detector score of the best face of every track.
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
        """Return whether an index with this key contains everything that these settings require."""
        return key == self.key or (not self.has_bodies and key.partition(_WITH)[0] == self.key)


def build_index_settings(scan: ScanConfig, networks: Networks, version: str) -> IndexSettings:
    """Build the index settings from settings, networks and the version of fastface."""
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
        # A card decodes a damaged stream differently; a whole stream gives the same pixels as PyAV.
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
    """Read the sampling of an index from its metadata."""
    return _parse_sampling(metadata["sampling"])


@cache
def _parse_sampling(text: str) -> Sampling:
    """Parse a sampling; the videos of a folder have few different ones."""
    sampling = json.loads(text)
    period = sampling["period"]
    return Sampling(None if period is None else Fraction(period), sampling["keyframes"])
