"""The other commands as a user runs them, and what all commands promise."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.types import ImageU8
from tiny_networks import BLUE, GREEN, make_photo

COMMANDS = [
    ("remove",),
    ("find",),
    ("cover",),
    ("dataset", "build"),
    ("dataset", "freeze"),
    ("dataset", "info"),
    ("weights", "list"),
    ("weights", "get"),
    ("weights", "verify"),
    ("weights", "path"),
    ("doctor",),
    ("train",),
    ("export",),
    ("score",),
]


def pixels_of(path: Path) -> ImageU8:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(demask, command: tuple[str, ...]) -> None:
    done = demask(*command, "--help")
    assert done.returncode == 0
    assert f"Example: demask {' '.join(command)}" in " ".join(done.stdout.decode().split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom demask.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'numpy', 'cv2', 'PIL', 'onnxruntime', 'torch', 'rich'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_remove_loads_no_training() -> None:
    code = (
        "import sys\nimport demask.cli.remove_job, demask.cli.find_job\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('torch', 'onnx', 'rich')"
        " or name.startswith(('demask.training', 'demask.coverings', 'demask.dataset'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(demask) -> None:
    import demask as package

    assert demask("--version").stdout.decode().strip() == f"demask {package.__version__}"


def test_an_unknown_command_is_usage(demask) -> None:
    assert demask("removve").returncode == 2


def test_debug_shows_the_traceback(demask) -> None:
    assert b"Traceback" not in demask("weights", "path", "yunnet").stderr
    done = demask("weights", "path", "yunnet", "--debug")
    assert done.returncode == 1
    assert b"Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(b"demask: no weights are called 'yunnet'")


def test_find_prints_faces_as_json(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "masked.png")
    Image.fromarray(make_photo(GREEN)).save(tmp_path / "bare.png")
    done = demask("find", "masked.png", "bare.png", "--holes", "holes")
    assert done.returncode == 0, done.stderr
    masked, bare = (json.loads(line) for line in done.stdout.splitlines())
    assert (masked["status"], bare["status"]) == ("covered", "no_covering")
    assert masked["faces"][0]["covered"] is True
    assert bare["faces"][0]["covered"] is False
    # The marked square is (78, 118)..(178, 218) of the frame and (100, 155)..(200, 255) of the photo.
    assert np.allclose(masked["faces"][0]["points"][0], (90 + 22, 92 + 37), atol=2)
    hole = pixels_of(tmp_path / "holes" / "masked.png.hole.png")[..., 0] > 127
    assert hole[160:250, 105:195].all()
    assert not hole[:140].any()
    assert not (pixels_of(tmp_path / "holes" / "bare.png.hole.png") > 0).any()
    assert {path.name for path in tmp_path.iterdir()} == {"masked.png", "bare.png", "holes"}


def test_find_draws(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "masked.png")
    done = demask("find", "masked.png", "--draw", "drawn.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    before, after = pixels_of(tmp_path / "masked.png"), pixels_of(tmp_path / "drawn.png")
    tinted = after[200, 150].astype(int)
    assert tinted[0] > 100  # Blue with half of it red.
    assert (before != after).any(axis=2).mean() < 0.3
    assert demask("find", "masked.png", "--draw", "masked.png").returncode == 2


def test_cover_draws_on_bare_faces(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo(GREEN, size=(500, 420), side=150)).save(tmp_path / "bare.png")
    args = ("cover", "bare.png", "--kind", "surgical", "--hole", "hole.png", "--recipe", "recipe.json")
    done = demask(*args, "-o", "covered.png")
    assert done.returncode == 0, done.stderr
    before, after = pixels_of(tmp_path / "bare.png"), pixels_of(tmp_path / "covered.png")
    hole = pixels_of(tmp_path / "hole.png")[..., 0] > 127
    assert 0.02 < hole.mean() < 0.5
    assert (before != after).any(axis=2)[hole].mean() > 0.9
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert [entry["kind"] for entry in recipe["coverings"]] == ["surgical"]
    # Same photo, same seed, same bytes; another seed, another covering.
    assert demask("cover", "bare.png", "--kind", "surgical", "-o", "again.png").returncode == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "covered.png").read_bytes()
    assert demask("cover", "bare.png", "--seed", 1, "-o", "other.png").returncode == 0
    assert (tmp_path / "other.png").read_bytes() != (tmp_path / "covered.png").read_bytes()


def test_cover_takes_a_folder(demask, tmp_path: Path) -> None:
    for name, side in (("a.png", 150), ("deep/b.jpg", 180)):
        (tmp_path / "bare" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_photo(GREEN, size=(500, 420), side=side)).save(
            tmp_path / "bare" / name, quality=95
        )
    Image.fromarray(make_photo(None)).save(tmp_path / "bare" / "empty.png")
    done = demask("cover", "bare", "-o", "covered", "--holes", "holes", "--kind", "surgical")
    assert done.returncode == 3, done.stderr
    assert b"bare/a.png: 1 of 1 face covered -> covered/a.png" in done.stderr
    assert b"bare/empty.png: no face was found" in done.stderr
    for name in ("a.png", "deep/b.jpg"):
        before, after = pixels_of(tmp_path / "bare" / name), pixels_of(tmp_path / "covered" / name)
        hole = pixels_of(tmp_path / "holes" / f"{name}.hole.png")[..., 0] > 127
        assert (np.abs(before.astype(int) - after).max(axis=2) > 8)[hole].mean() > 0.8
        assert (np.abs(before.astype(int) - after).max(axis=2) <= 8)[~hole].mean() > 0.9
    # A photo in a folder gets what it gets alone.
    assert demask("cover", "bare/a.png", "-o", "alone.png", "--kind", "surgical").returncode == 0
    assert (tmp_path / "alone.png").read_bytes() == (tmp_path / "covered" / "a.png").read_bytes()
    assert demask("cover", "bare", "-o", "again", "--recipe", "recipe.json").returncode == 2


def test_cover_refuses(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo(None)).save(tmp_path / "empty.png")
    Image.fromarray(make_photo(GREEN)).save(tmp_path / "bare.png")
    done = demask("cover", "empty.png", "-o", "out.png")
    assert (done.returncode, b"no face was found" in done.stderr) == (1, True)
    done = demask("cover", "bare.png", "-o", "bare.png")
    assert (done.returncode, b"bare.png" in done.stderr) == (2, True)
    done = demask("cover", "bare.png", "--kind", "surgikal")
    assert (done.returncode, b"surgical" in done.stderr) == (2, True)
    done = demask("cover", "bare.png", "--hole", "bare.png")
    assert (done.returncode, b"different files" in done.stderr) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {"empty.png", "bare.png"}


def test_weights_list_names_all(demask) -> None:
    from demask.weights.registry import REGISTRY

    records = [json.loads(line) for line in demask("weights", "list", "--json").stdout.splitlines()]
    assert [record["name"] for record in records] == list(REGISTRY)
    text = demask("weights", "list").stdout.decode()
    assert all(weights.licence in text and weights.home in text for weights in REGISTRY.values())


def test_weights_path_and_verify(demask, tiny_weights: Path, tmp_path: Path) -> None:
    done = demask("weights", "path", "hole")
    assert done.stdout.decode().strip() == str(tiny_weights / "hole.onnx")
    folder = tmp_path / "weights"
    shutil.copytree(tiny_weights, folder)
    (folder / "mobileface_v2.onnx").write_bytes(b"something else")
    done = demask("weights", "verify", "mobileface", DEMASK_WEIGHTS=str(folder))
    assert done.returncode == 1
    assert b"another version" in done.stderr


def test_weights_get_without_an_address_says_what_to_do(demask, tmp_path: Path) -> None:
    done = demask("weights", "get", "facemesh", DEMASK_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert b"cannot be downloaded" in done.stderr
    assert b"MediaPipePyTorch" in done.stderr
    assert b"DEMASK_WEIGHTS" in done.stderr


def test_doctor(demask, tmp_path: Path) -> None:
    done = demask("doctor")
    assert done.returncode == 0, done.stderr
    assert b"all is well" in done.stdout
    (tmp_path / "hole.onnx").write_bytes(b"broken")
    done = demask("doctor", DEMASK_WEIGHTS=str(tmp_path))
    assert done.returncode == 1
    assert b"hole" in done.stderr


def test_dataset_info_of_no_set(demask, tmp_path: Path) -> None:
    done = demask("dataset", "info", ".")
    assert done.returncode == 1
    assert b"demask dataset build" in done.stderr


def test_dataset_build_without_a_source(demask) -> None:
    done = demask("dataset", "build", "-o", "out")
    assert done.returncode == 2
    assert b"no source" in done.stderr


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Three data sets in their publishers' layouts; no picture is opened before the plan stands."""
    for file in ("ffhq/images1024x1024/00000/00000.png", "kdef/AF01/AF01ANS.JPG", "kdef/AF31/AF31V.JPG",
                 "utkface/26_1_3_20170117175041574.jpg.chip.jpg"):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--ffhq", "ffhq", "--take", "fhq=1"], 2, "did you mean ffhq?"),
        (["--ffhq", "ffhq", "--take", "ffhq"], 2, "NAME=NUMBER"),
        (["--ffhq", "ffhq", "--take", "kdef=1"], 2, "--kdef DIR"),
        (["--ffhq", "ffhq", "--kdef", "kdef", "--mix", "study-b"], 2, "--utkface DIR"),
        (["--ffhq", "ffhq", "--mix", "study_b"], 2, "did you mean study-b?"),
        (["--ffhq", "ffhq", "--kdef-angle", "S"], 2, "no --kdef"),
        (["--kdef", "kdef", "--kdef-angle", "UP"], 2, "FL, HL, S, HR, FR"),
        (["--utkface", "utkface", "--take", "utkface=343"], 1, "utkface has 1 photographs"),
        (["--kdef", "utkface"], 1, "none of the 1 pictures"),
        (["--kdef", "nowhere"], 1, "not a folder"),
    ],
)
def test_dataset_build_of_published_sets_says_what_is_wrong(
    demask, published: Path, arguments: list[str], code: int, said: str
) -> None:
    done = demask("dataset", "build", *arguments, "-o", "out")
    assert done.returncode == code, done.stderr
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.decode().strip().splitlines()) == 1
    assert not (published / "out").exists()


def test_train_refuses_what_it_does_not_know(demask) -> None:
    pytest.importorskip("torch")
    done = demask("train", "hole", "--data", "faces", "--dry-run", "--set", "trainer.step=7")
    assert (done.returncode, b"did you mean 'steps'" in done.stderr) == (2, True)
    done = demask("train", "nose", "--data", "faces")
    assert (done.returncode, b"nose" in done.stderr) == (2, True)


def test_export_of_no_run(demask) -> None:
    pytest.importorskip("torch")
    done = demask("export", "nowhere")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1].startswith("demask: nowhere is no training run")


def test_python_reads_what_the_command_writes(demask, tmp_path: Path, tiny_weights, monkeypatch) -> None:
    from demask.remover import Remover

    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    assert demask("remove", "photo.png", "-o", "out.png").returncode == 0
    data = Remover(device="cpu")(tmp_path / "photo.png").photo
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), pixels_of(tmp_path / "out.png"))


def test_the_lines_of_the_readme_one_after_the_other(demask, tmp_path: Path) -> None:
    """The block under "Use" as it stands: what one line writes, the next may read."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    block = readme.split("## Use", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert ["demask", "remove", "photo.jpg"] in lines
    assert any("--hole" in line for line in lines)
    (tmp_path / "holiday").mkdir()
    for name, covering in (("photo.jpg", BLUE), ("holiday/a.jpg", BLUE), ("portrait.jpg", GREEN)):
        Image.fromarray(make_photo(covering)).save(tmp_path / name, quality=95)
    for line in lines:
        if line[1] != "serve":
            done = demask(*line[1:])
            assert done.returncode == 0, (line, done.stderr)
