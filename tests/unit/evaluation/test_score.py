"""Scoring pairs: which figures, which reasons, how NaN is counted, what the report holds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.errors import DeviceUnavailable, InputError, UsageError, WeightsError
from demask.evaluation.metrics.metric_catalogue import METRICS, columns, heading_of, parse_metrics
from demask.evaluation.metrics.networks import WEIGHTS, Networks, checksums, open_networks
from demask.evaluation.metrics.pixels import mse, psnr, ssim
from demask.evaluation.pairs import Matched, Pair
from demask.evaluation.score_report import as_csv, as_json, summarise
from demask.evaluation.scorer import Row, Scorer
from demask.types import ImageU8, Points

PIXEL_METRICS = ["mse", "psnr", "ssim", "ms_ssim"]


class MeanColour:
    """A feature network that can be checked by eye."""

    name = "mean colour"

    def __call__(self, crops: ImageU8) -> np.ndarray:
        return crops.mean(axis=(1, 2)).astype(np.float32)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (200, 190, 3), np.uint8)


@pytest.fixture
def hole() -> np.ndarray:
    hole = np.zeros((200, 190), bool)
    hole[100:160, 40:150] = True
    return hole


@pytest.fixture
def pair(tmp_path: Path, truth: np.ndarray, hole: np.ndarray) -> Pair:
    restored, masked = truth.copy(), truth.copy()
    restored[hole], masked[hole] = 128, 0
    restored[0, 0] ^= 1
    return Pair(
        name="a",
        restored=save(tmp_path / "restored.png", restored),
        truth=save(tmp_path / "truth.png", truth),
        hole=save(tmp_path / "hole.png", hole.astype(np.uint8)),
        masked=save(tmp_path / "masked.png", masked),
    )


def test_figures_are_those_of_the_metrics(pair: Pair, truth: np.ndarray, hole: np.ndarray) -> None:
    row = Scorer(PIXEL_METRICS, Networks(), holes=True, masked=True)(pair)
    restored = np.asarray(Image.open(pair.restored))
    assert row.error is None
    assert row.size == (190, 200)
    assert list(row.figures) == [*columns(PIXEL_METRICS, holes=True), "changed_outside"]
    assert row.figures["mse"] == mse(restored, truth)
    assert row.figures["hole_psnr"] == psnr(restored, truth, hole)
    assert row.figures["hole_ssim"] == ssim(restored, truth, hole)
    assert row.figures["hole_ms_ssim"] < row.figures["ms_ssim"]
    assert row.figures["changed_outside"] == pytest.approx(1 / (~hole).sum())
    assert row.masked["hole_mse"] > row.figures["hole_mse"]
    assert row.reasons == {}


def test_a_hole_is_whatever_is_not_zero(pair: Pair, tmp_path: Path, hole: np.ndarray) -> None:
    row = Scorer(["mse"], Networks(), holes=True)(pair)
    colours = np.zeros((*hole.shape, 3), np.uint8)
    colours[hole] = (0, 0, 1)
    save(tmp_path / "hole.png", colours)
    assert Scorer(["mse"], Networks(), holes=True)(pair).figures == row.figures


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"restored": (100, 190, 3)}, "restored.png is 190x100 px but .*truth.png is 190x200 px"),
        ({"hole": (200, 100)}, "hole is 100x200 but the image is 190x200"),
        ({"masked": (20, 20, 3)}, "masked.png is 20x20 px; a picture needs 32 px"),
    ],
)
def test_sizes_that_differ_are_an_error(pair: Pair, change: dict, message: str) -> None:
    for name, shape in change.items():
        save(getattr(pair, name), np.zeros(shape, np.uint8))
    row = Scorer(PIXEL_METRICS, Networks(), holes=True, masked=True)(pair)
    assert row.figures == {}
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(row.error)


def test_a_broken_file_is_an_error_that_names_it(pair: Pair) -> None:
    pair.restored.write_bytes(pair.restored.read_bytes()[:3000])
    row = Scorer(PIXEL_METRICS, Networks())(pair)
    assert row.error is not None
    assert "restored.png" in row.error
    assert "\n" not in row.error


def test_what_a_picture_lacks_is_nan_with_a_reason(pair: Pair, tmp_path: Path) -> None:
    small = np.zeros((40, 40, 3), np.uint8)
    lacking = Pair(
        name="small",
        restored=save(tmp_path / "a.png", small),
        truth=save(tmp_path / "b.png", small),
        hole=save(tmp_path / "c.png", small),
    )
    networks = Networks(by_points={"identity": lambda a, b, points: 1.0}, find_points=lambda photo: None)
    scorer = Scorer([*PIXEL_METRICS, "identity"], networks, holes=True, masked=True)
    row = scorer(lacking)
    assert row.error is None
    assert row.reasons == {
        "ms_ssim": "smaller than 176 px a side",
        "identity": "no face found in the truth",
        **dict.fromkeys(("hole_mse", "hole_psnr", "hole_ssim", "hole_ms_ssim"), "the hole is empty"),
        "changed_outside": "no masked input of that name",
    }
    assert {column for column, value in row.figures.items() if np.isnan(value)} == set(row.reasons)
    bare = scorer(Pair(name="small", restored=lacking.restored, truth=lacking.truth))
    assert bare.reasons["hole_mse"] == "no hole of that name"
    whole = scorer(pair)
    lines = summarise([row, whole], scorer.columns)
    assert lines["hole_mse"]["mean"]["value"] == pytest.approx(whole.figures["hole_mse"], abs=1e-5)
    assert lines["hole_mse"]["mean"]["num"] == 1
    assert lines["hole_mse"]["reasons"] == {"the hole is empty": 1}
    assert lines["identity"]["num_missing"] == 2


def test_a_metric_that_fails_costs_its_own_figure(pair: Pair) -> None:
    def failing(picture: ImageU8, truth: ImageU8) -> float:
        raise InputError("no such thing")

    def crashing(picture: ImageU8, truth: ImageU8, points: Points) -> float:
        raise RuntimeError("out of\nmemory")

    row = Scorer(["mse", "lpips"], Networks(distances={"lpips": failing}))(pair)
    assert row.reasons == {"lpips": "no such thing"}
    assert np.isfinite(row.figures["mse"])
    row = Scorer(["lpips"], Networks(distances={"lpips": lambda a, b: float("inf")}))(pair)
    assert row.reasons == {"lpips": "not a finite number"}
    networks = Networks(by_points={"identity": crashing}, find_points=lambda photo: np.ones((5, 2), np.float32))
    assert Scorer(["identity"], networks)(pair).error == "unexpected RuntimeError: out of memory"


def test_points_come_from_the_truth(pair: Pair, truth: np.ndarray) -> None:
    seen = []

    def find(photo: ImageU8) -> Points:
        seen.append(photo)
        return np.full((5, 2), 3, np.float32)

    def compare(picture: ImageU8, wanted: ImageU8, points: Points) -> float:
        return float(points.sum()) + float(np.array_equal(wanted, truth))

    row = Scorer(["identity"], Networks(by_points={"identity": compare}, find_points=find))(pair)
    assert row.figures == {"identity": 31.0}
    assert len(seen) == 1
    assert np.array_equal(seen[0], truth)


def test_set_figures_are_of_all_pictures(pair: Pair, tmp_path: Path) -> None:
    scorer = Scorer(["fid", "kid"], Networks(features=MeanColour()), masked=True)
    assert scorer.set_distances() == {}
    rng = np.random.default_rng(3)
    for index in range(8):
        picture = np.full((50, 60, 3), rng.integers(20, 200), np.uint8)
        scorer(
            Pair(
                name=str(index),
                restored=save(tmp_path / f"{index}.png", picture + np.uint8(4)),
                truth=save(tmp_path / f"t{index}.png", picture),
                masked=save(tmp_path / f"m{index}.png", picture if index < 4 else picture + np.uint8(9)),
            )
        )
    sets = scorer.set_distances()
    assert sets["fid"]["restored"].value == pytest.approx(3 * 4**2, rel=1e-4)
    assert sets["fid"]["restored"].num == (8, 8)
    assert sets["fid"]["masked"].value > 0
    assert set(sets) == {"fid", "kid"}


def report(rows: list[Row], names: list[str]) -> tuple[dict, list[dict[str, str]]]:
    lines = summarise(rows, names)
    data = as_json(
        rows,
        lines,
        command=["demask", "score"],
        sets={},
        feature_network=None,
        missing={"lpips": "the weights are in none of the folders"},
        weights={"lpips_sq.onnx": "14"},
        matched=Matched(pairs=(), only_truth=(Path("t/lost.png"),)),
    )
    return json.loads(data), list(csv.DictReader(as_csv(rows, names).decode().splitlines()))


def test_reports_hold_every_picture_and_no_nan(pair: Pair, tmp_path: Path) -> None:
    scorer = Scorer(PIXEL_METRICS, Networks(), holes=True, masked=True)
    failed = Row(pair=Pair(name="f", restored=Path("f.png"), truth=Path("t.png")), error='broken, "so" it is')
    bare = scorer(Pair(name="bare", restored=pair.restored, truth=pair.truth))
    whole, table = report([scorer(pair), failed, bare], scorer.columns)
    assert whole["num_pictures"] == 3
    assert whole["num_failed"] == 1
    assert whole["summary"]["mse"]["mean"]["num"] == 2
    assert whole["summary"]["hole_mse"]["reasons"] == {"no hole of that name": 1}
    assert whole["summary"]["mse"]["difference"]["num"] == 1
    assert whole["pictures"][2]["figures"]["hole_mse"] is None
    assert whole["not_taken"] == {"lpips": "the weights are in none of the folders"}
    assert whole["weights"] == {"lpips_sq.onnx": "14"}
    assert whole["only_truth"] == ["t/lost.png"]
    assert {"python", "demask", "numpy", "onnxruntime"} <= set(whole["versions"])
    assert [line["name"] for line in table] == ["a", "f", "bare"]
    assert float(table[0]["hole_mse"]) == whole["pictures"][0]["figures"]["hole_mse"]
    assert float(table[0]["masked_mse"]) == whole["pictures"][0]["masked_figures"]["mse"]
    assert table[1]["error"] == 'broken, "so" it is'
    assert table[2]["hole_mse"] == table[2]["masked_mse"] == ""


def test_a_file_named_like_a_formula_runs_nothing(pair: Pair) -> None:
    named = Pair(name="=cmd()", restored=pair.restored, truth=pair.truth)
    _, table = report([Scorer(["mse"], Networks())(named)], ["mse"])
    assert table[0]["name"] == "'=cmd()"


def test_the_same_rows_give_the_same_bytes(pair: Pair) -> None:
    rows = [Scorer(PIXEL_METRICS, Networks())(pair)] * 3
    assert report(rows, PIXEL_METRICS) == report(rows, PIXEL_METRICS)


def test_metrics_are_read_by_name() -> None:
    assert parse_metrics("ssim, MSE".lower()) == (["mse", "ssim"], True)
    assert parse_metrics("ms-ssim") == (["ms_ssim"], True)
    assert parse_metrics("all") == (list(METRICS), False)
    assert "fid" not in parse_metrics(None)[0]
    with pytest.raises(UsageError, match="did you mean 'ssim'"):
        parse_metrics("sssim")
    with pytest.raises(UsageError, match="names none"):
        parse_metrics(",")


def test_headings_keep_their_units() -> None:
    assert heading_of("hole_psnr") == "PSNR in hole, dB"
    assert heading_of("ms_ssim") == "MS-SSIM"


def test_networks_that_are_not_there_are_named(
    tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    monkeypatch.setenv("DEMASK_HOME", str(tmp_path))
    networks = open_networks(list(METRICS), device="cpu", threads=1)
    assert set(networks.missing) == {"lpips", "lpips_alex", "lpips_vgg", "identity", "expression", "fid", "kid"}
    assert set(networks.missing) == set(WEIGHTS) - {"landmarks"}  # Our own network places those.
    assert "mobileface_v2.onnx" in networks.missing["identity"]
    assert "demask weights get alexnet_backbone" in networks.missing["lpips_alex"]
    assert "demask weights get lpips_alex_linear" in networks.missing["lpips_alex"]
    assert open_networks(PIXEL_METRICS, device="cpu").missing == {}
    with pytest.raises(WeightsError):
        open_networks(["fid"], device="cpu", features=tmp_path / "none.onnx")


def test_a_device_that_is_not_there_is_an_error() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this runtime has CUDA")
    with pytest.raises(DeviceUnavailable):
        open_networks(PIXEL_METRICS, device="cuda")


def test_checksums_are_those_of_the_files(
    tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    monkeypatch.setenv("DEMASK_HOME", str(tmp_path))
    own = tmp_path / "own.onnx"
    own.write_bytes(b"abc")
    assert checksums(PIXEL_METRICS) == {}
    digests = checksums(["identity", "fid"], features=own)
    assert digests["own.onnx"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert set(digests) == {"own.onnx", "finder.onnx"}


@pytest.mark.shared
def test_the_real_networks(metric_weights: Path, drawn_face: np.ndarray, tmp_path: Path) -> None:
    from demask.geometry import FRAME_POINTS

    networks = open_networks(["lpips", "identity", "landmarks", "fid"], device="cpu", threads=1)
    if networks.missing:
        pytest.skip(f"needs more weights: {', '.join(networks.missing)}")
    damaged = drawn_face.copy()
    damaged[150:230, 70:190] = 90
    told = Networks(
        distances=networks.distances,
        by_points=networks.by_points,
        find_points=lambda photo: FRAME_POINTS,
        features=networks.features,
    )
    scorer = Scorer(["lpips", "identity", "landmarks"], told)
    truth = save(tmp_path / "truth.png", drawn_face)
    same = scorer(Pair(name="same", restored=save(tmp_path / "same.png", drawn_face), truth=truth))
    worse = scorer(Pair(name="worse", restored=save(tmp_path / "worse.png", damaged), truth=truth))
    assert same.figures == pytest.approx({"lpips": 0, "identity": 1, "landmarks": 0}, abs=1e-5)
    assert worse.figures["lpips"] > 0.01
    assert worse.figures["identity"] < 0.99
    assert worse.figures["landmarks"] > 0.001
