"""Which networks are taken out of real packs, and what is said when none fits."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fastface.backends import DeviceInfo
from fastface.errors import ModelError
from fastface.models.catalog import DEFAULT_THRESHOLDS, INSIGHTFACE_LICENCE, KNOWN_NETWORKS
from fastface.models.packs import PackFolder, read_network, verify
from fastface.models.selection import WantedNetworks, build_contract, find_models, places

CPU = DeviceInfo("openvino", "CPU", "float32", "EPYC", "openvino 2026.4.1")
GPU = DeviceInfo("onnxruntime", "CUDA", "float32", "H200", "onnxruntime 1.31.1")

# sha256sum of FACTS' published det_500m, and of the w600k_mbf that was brought back from an int8 copy
DET_500M = "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a"


def link(files: dict[str, Path], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, source in files.items():
        (folder / name).symlink_to(source)
    return folder


@pytest.fixture
def det(shared_models: Path) -> Path:
    return shared_models / "buffalo_s" / "det_500m.onnx"


@pytest.fixture
def rec(shared_models: Path) -> Path:
    return shared_models / "buffalo_s" / "w600k_mbf.onnx"


def test_pack_is_chosen_and_its_networks_told_apart(shared_models: Path) -> None:
    models = find_models(shared_models, CPU)
    assert (models.pack, models.detector.name, models.recogniser.name) == ("buffalo_s", "det_500m", "w600k_mbf")
    assert (models.detector.kind, models.recogniser.kind) == ("detector", "recogniser")
    assert models.recogniser.dimension == 512
    assert "non-commercial" in models.licence


def test_file_that_differs_is_used_and_flagged(shared_models: Path) -> None:
    models = find_models(shared_models, CPU, WantedNetworks(pack="buffalo_s"))
    assert (models.detector.verified, models.detector.sha256) == (True, DET_500M)
    assert not models.recogniser.verified
    assert len(models.notes) == 1
    assert "w600k_mbf.onnx differs from the published file" in models.notes[0]
    assert models.notes[0].endswith("fastface models install buffalo_s --accept-license")


def test_one_pack_is_as_good_as_a_folder_of_packs(shared_models: Path) -> None:
    models = find_models(shared_models / "single", CPU)
    assert (models.pack, models.recogniser.dimension) == ("single", 128)
    assert models.notes == ()
    assert "catalogue" in models.licence


def test_unknown_recogniser_has_the_careful_thresholds(shared_models: Path) -> None:
    models = find_models(shared_models, CPU, WantedNetworks(pack="single"))
    assert models.thresholds.enter == 0.50


@pytest.mark.parametrize(("device", "expected"), [(CPU, "buffalo_s"), (GPU, "buffalo_l")])
def test_small_on_a_cpu_large_on_a_card(
    device: DeviceInfo, expected: str, det: Path, rec: Path, tmp_path: Path
) -> None:
    for name in ("aaa", "antelopev2", "buffalo_l", "buffalo_s", "buffalo_sc"):
        link({"d.onnx": det, "r.onnx": rec}, tmp_path / name)
    assert find_models(tmp_path, device).pack == expected


def test_unknown_packs_count_by_name_after_known_ones(det: Path, rec: Path, tmp_path: Path) -> None:
    for name in ("zebra", "mine"):
        link({"d.onnx": det, "r.onnx": rec}, tmp_path / name)
    assert find_models(tmp_path, CPU).pack == "mine"
    link({"d.onnx": det, "r.onnx": rec}, tmp_path / "antelopev2")
    assert find_models(tmp_path, CPU).pack == "antelopev2"


def test_folder_without_both_is_no_pack(shared_models: Path) -> None:
    with pytest.raises(ModelError, match=r"person: no detector and no recogniser.*fastface models install buffalo_s"):
        find_models(shared_models, CPU, WantedNetworks(pack="person"))


def test_known_pack_with_a_damaged_file_is_passed_over_aloud(det: Path, rec: Path, tmp_path: Path) -> None:
    link({"det_500m.onnx": det, "w600k_mbf.onnx": rec}, tmp_path / "buffalo_sc")
    link({"w600k_mbf.onnx": rec}, tmp_path / "buffalo_s")
    (tmp_path / "buffalo_s" / "det_500m.onnx").write_bytes(det.read_bytes()[:100_000])
    models = find_models(tmp_path, CPU)
    assert models.pack == "buffalo_sc"
    assert any(note.startswith("buffalo_s: no detector") and "det_500m.onnx" in note for note in models.notes)


@pytest.mark.parametrize("by_path", [True, False])
def test_one_network_is_replaced(shared_models: Path, by_path: bool) -> None:
    path = shared_models / "single" / "scrfd_2.5g_bnkps.onnx"
    models = find_models(shared_models, CPU, WantedNetworks(detector=str(path) if by_path else path.stem))
    assert (models.pack, models.detector.path, models.recogniser.name) == ("buffalo_s", path, "w600k_mbf")


def test_both_networks_named_need_no_pack(det: Path, rec: Path, tmp_path: Path) -> None:
    assert find_models(tmp_path, CPU, WantedNetworks(detector=str(det), recogniser=str(rec))).pack == "custom"


def test_detector_alone_completes_a_pack_without_one(det: Path, rec: Path, tmp_path: Path) -> None:
    link({"r.onnx": rec}, tmp_path / "half")
    assert find_models(tmp_path, CPU, WantedNetworks(pack="half", detector=str(det))).recogniser.name == "r"


def test_network_of_the_wrong_kind_is_refused(shared_models: Path) -> None:
    with pytest.raises(ModelError, match=r"w600k_mbf\.onnx' is no detector; its graph is that of: recogniser"):
        find_models(shared_models, CPU, WantedNetworks(detector="w600k_mbf"))


def test_unknown_network_lists_those_there_are(shared_models: Path) -> None:
    with pytest.raises(ModelError, match=r"no detector 'x'.*det_500m, mobilefacenet, scrfd_2\.5g_bnkps"):
        find_models(shared_models, CPU, WantedNetworks(detector="x"))


def test_file_of_another_format_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "retail.xml").write_text("<net/>")
    with pytest.raises(ModelError, match=r"retail\.xml' is no ONNX file; convert it to ONNX"):
        find_models(tmp_path, CPU, WantedNetworks(recogniser=str(tmp_path / "retail.xml")))


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx"):
        find_models(tmp_path, CPU, WantedNetworks(detector=str(tmp_path / "none.onnx")))


def test_unknown_pack_lists_those_there_are(shared_models: Path) -> None:
    with pytest.raises(ModelError, match=r"no pack 'x' in .*models; there: buffalo_s, person, single"):
        find_models(shared_models, CPU, WantedNetworks(pack="x"))


def test_nothing_anywhere_says_where_it_looked_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    with pytest.raises(ModelError) as caught:
        find_models(None, GPU)
    message = str(caught.value)
    assert str(tmp_path / "share" / "fastface" / "models") in message
    assert str(tmp_path / ".insightface" / "models") in message
    assert "fastface models install buffalo_l --accept-license" in message
    assert caught.value.exit_code == 1


def test_insightface_cache_is_used(det: Path, rec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    link({"det_500m.onnx": det, "w600k_mbf.onnx": rec}, tmp_path / ".insightface" / "models" / "buffalo_sc")
    assert find_models(None, CPU).pack == "buffalo_sc"
    assert places(tmp_path / "mine") == (tmp_path / "mine",)


def test_of_several_detectors_the_catalogues_is_taken_then_the_first(
    shared_models: Path, det: Path, rec: Path, tmp_path: Path
) -> None:
    other = shared_models / "single" / "scrfd_2.5g_bnkps.onnx"
    files = {"a.onnx": other, "det_500m.onnx": det, "w600k_mbf.onnx": rec}
    chosen = PackFolder(link(files, tmp_path / "buffalo_s")).choose("detector")
    assert chosen is not None
    assert chosen.name == "det_500m"
    chosen = PackFolder(link({"b.onnx": other, "a.onnx": other}, tmp_path / "mine")).choose("detector")
    assert chosen is not None
    assert chosen.name == "a"


def test_a_renamed_network_keeps_its_licence_and_thresholds(
    det: Path, rec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AuraFace is published as glintr100.onnx, the name of a network of antelopev2.
    digest = read_network(rec).sha256
    monkeypatch.setitem(KNOWN_NETWORKS, "auraface", replace(KNOWN_NETWORKS["auraface"], sha256=digest))
    link({"scrfd_10g_bnkps.onnx": det, "glintr100.onnx": rec}, tmp_path / "auraface")
    models = find_models(tmp_path, CPU)
    assert (models.recogniser.name, models.recogniser.verified) == ("glintr100", True)
    assert models.thresholds == DEFAULT_THRESHOLDS
    assert models.licence == "; ".join(
        (f"scrfd_10g_bnkps: {INSIGHTFACE_LICENCE.text}", "glintr100: Apache License 2.0")
    )
    (states,) = ([check.facts for check in verify(tmp_path) if check.path.stem == "glintr100"],)
    assert states == ["recogniser, as published as auraface"]


def test_contract_follows_the_file_not_its_name(rec: Path, shared_models: Path, tmp_path: Path) -> None:
    copy = tmp_path / "renamed.onnx"
    shutil.copyfile(rec, copy)
    contract = build_contract(read_network(rec))
    assert contract == build_contract(read_network(copy))
    assert contract != build_contract(read_network(shared_models / "single" / "mobilefacenet.onnx"))
    assert len(contract) == 64


def test_verify_tells_each_file(shared_models: Path, det: Path, tmp_path: Path) -> None:
    found = {check.path.name: check.state for check in verify(shared_models)}
    assert found == {
        "det_500m.onnx": "ok",
        "w600k_mbf.onnx": "differs",
        "mobilefacenet.onnx": "unknown",
        "scrfd_2.5g_bnkps.onnx": "unknown",
        "yolo11n_int8_mwc.onnx": "unknown",
        "yolox_nano.onnx": "unknown",
    }
    assert {check.path.name: check.detail for check in verify(shared_models)}["w600k_mbf.onnx"].endswith(
        "replace it: fastface models install buffalo_s --accept-license"
    )
    (tmp_path / "det_500m.onnx").write_bytes(det.read_bytes()[:-1000])
    (check,) = verify(tmp_path)
    assert (check.path.name, check.state) == ("det_500m.onnx", "damaged")


def test_verify_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no ONNX file.*--accept-license"):
        verify(tmp_path)
