"""`demask remove` on good input: files, folders, streams, holes, JSON, exit codes."""

from __future__ import annotations

import importlib.resources
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.extras import install_command
from demask.types import ImageU8
from tiny_networks import GREEN, make_photo


def pixels_of(path: Path) -> ImageU8:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def format_of(path: Path) -> str | None:
    with Image.open(path) as image:
        return image.format


def blueness(pixels: ImageU8) -> int:
    return int(((pixels[..., 2] > 200) & (pixels[..., 0] < 60)).sum())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a masked, a bare and an empty photo, a broken one and a file that is no photo."""
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    Image.fromarray(make_photo()).save(folder / "masked.png")
    Image.fromarray(make_photo(GREEN)).save(folder / "deep" / "bare.jpg", quality=95)
    Image.fromarray(make_photo(None)).save(folder / "deep" / "er" / "empty.webp")
    (folder / "notes.txt").write_text("not a photo")
    return folder


def test_beside_the_input_by_default(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    done = demask("remove", "photo.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert b"photo.png: 1 face restored -> photo-demasked.png" in done.stderr
    before, after = pixels_of(tmp_path / "photo.png"), pixels_of(tmp_path / "photo-demasked.png")
    assert blueness(before) == 10_000
    assert blueness(after) == 0
    assert np.array_equal(before[:90], after[:90])


def test_a_folder_keeps_its_tree_and_is_complete(demask, tree: Path, tmp_path: Path) -> None:
    done = demask("remove", "photos", "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("[!.]*.*")}
    assert written == {"masked.png", "deep/bare.jpg", "deep/er/empty.webp"}
    for name in ("deep/bare.jpg", "deep/er/empty.webp"):
        assert (tmp_path / "out" / name).read_bytes() == (tree / name).read_bytes()
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["status"] for record in records] == ["no_covering", "no_face", "restored"]
    for record in records:
        assert list(record) == ["input", "output", "status", "faces", "timings_ms", "credentials", "error"]
        assert record["error"] is None
    (face,) = records[2]["faces"]
    assert list(face) == ["box", "points", "score", "covered", "status", "confidence", "doubts"]
    assert (len(face["box"]), len(face["points"]), len(face["points"][0])) == (4, 5, 2)
    assert (face["covered"], face["status"]) == (True, "restored")
    assert set(records[2]["timings_ms"]) == {
        "decode", "find", "hole", "restore", "paste", "encode", "write"
    }  # fmt: skip


def test_one_bad_photo_does_not_stop_the_others(demask, tree: Path, tmp_path: Path) -> None:
    (tree / "aaa.jpg").write_bytes(b"\xff\xd8 no picture")
    done = demask("remove", "photos", "-o", "out", "--json", "--jobs", 1)
    assert done.returncode == 3
    first = json.loads(done.stdout.splitlines()[0])
    assert (first["status"], first["output"]) == ("failed", None)
    assert "aaa.jpg" in first["error"]
    assert done.stderr.decode().strip() == f"demask: {first['error']}"
    assert not (tmp_path / "out" / "aaa.jpg").exists()
    assert blueness(pixels_of(tmp_path / "out" / "masked.png")) == 0


def test_skip_untouched_and_fail_if_none(demask, tree: Path, tmp_path: Path) -> None:
    (tree / "masked.png").unlink()
    done = demask("remove", "photos", "-o", "out", "--skip-untouched", "--fail-if-none", "--quiet")
    assert done.returncode == 4
    assert done.stderr == b""
    assert not list((tmp_path / "out").rglob("[!.]*.*"))


def test_stdin_to_stdout(demask) -> None:
    file = io.BytesIO()
    Image.fromarray(make_photo()).save(file, "PNG")
    done = demask("remove", "-", stdin=file.getvalue())
    assert done.returncode == 0, done.stderr
    assert blueness(np.asarray(Image.open(io.BytesIO(done.stdout)))) == 0


def test_format_follows_the_output_name_then_the_option(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    assert demask("remove", "photo.png", "-o", "out.webp").returncode == 0
    assert format_of(tmp_path / "out.webp") == "WEBP"
    assert demask("remove", "photo.png", "--format", "jpg", "--quality", 80).returncode == 0
    assert format_of(tmp_path / "photo-demasked.jpg") == "JPEG"
    done = demask("remove", "photo.png", "-o", "out.webp", "--format", "tiff", "--overwrite")
    assert done.returncode == 2
    assert b"out.webp" in done.stderr


def test_an_untouched_photo_in_another_format_is_converted(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo(GREEN)).save(tmp_path / "bare.bmp")
    assert demask("remove", "bare.bmp").returncode == 0
    out = tmp_path / "bare-demasked.png"
    assert format_of(out) == "PNG"
    assert np.array_equal(pixels_of(out), pixels_of(tmp_path / "bare.bmp"))
    assert b"compositeWithTrainedAlgorithmicMedia" not in out.read_bytes()


def test_every_restored_output_is_labelled(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.jpg", quality=95)
    assert demask("remove", "photo.jpg").returncode == 0
    assert b"compositeWithTrainedAlgorithmicMedia" in (tmp_path / "photo-demasked.jpg").read_bytes()


def test_a_found_hole_can_be_edited_and_given_back(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    assert demask("remove", "photo.png", "--holes", "holes").returncode == 0
    path = tmp_path / "holes" / "photo.png.hole.png"
    hole = pixels_of(path)[..., 0] > 127
    assert 10_000 < hole.sum() < 14_000
    hole[:, :150] = False
    Image.fromarray(hole.astype(np.uint8) * 255).save(path)
    done = demask("remove", "photo.png", "--hole", path, "-o", "half.png")
    assert done.returncode == 0, done.stderr
    before, after = pixels_of(tmp_path / "photo.png"), pixels_of(tmp_path / "half.png")
    assert np.array_equal(before[~hole], after[~hole])
    assert 4_900 < blueness(after) < 5_200  # The left half stays; the feather keeps a little of the rest.


def test_a_hole_may_be_painted_where_no_face_is_found(demask, tmp_path: Path) -> None:
    # Grey instead of blue: the tiny finder sees nobody.
    photo = make_photo()
    hole = photo[..., 2] > 250
    photo[hole] = (90, 90, 90)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "hole.png")
    assert json.loads(demask("find", "photo.png").stdout)["status"] == "no_face"
    done = demask("remove", "photo.png", "--hole", "hole.png", "-o", "bare.png", "--json")
    assert json.loads(done.stdout)["status"] == "restored"
    after = pixels_of(tmp_path / "bare.png")
    assert np.array_equal(photo[~hole], after[~hole])
    assert (photo[hole] != after[hole]).any(axis=1).mean() > 0.95


@pytest.mark.parametrize("name", ["telea", "navier-stokes"])
def test_other_restorers_by_name(demask, tmp_path: Path, name: str) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    assert demask("remove", "photo.png", "--restorer", name).returncode == 0
    assert blueness(pixels_of(tmp_path / "photo-demasked.png")) == 0


def test_a_restorer_by_path(demask, tmp_path: Path, tiny_weights: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    shutil.copy(tiny_weights / "restorer.onnx", tmp_path / "mine.onnx")
    assert demask("remove", "photo.png", "--restorer", "mine.onnx").returncode == 0
    # A network of another kind is refused by name.
    done = demask("remove", "photo.png", "--restorer", tiny_weights / "hole.onnx", "-o", "x.png")
    assert done.returncode == 1
    assert b"not a restorer" in done.stderr


def test_environment_variables_mirror_flags(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    done = demask("remove", "photo.png", DEMASK_RESTORER="teleia")
    assert done.returncode == 2
    assert b"did you mean 'telea'" in done.stderr
    assert demask("remove", "photo.png", DEMASK_RESTORER="telea", DEMASK_FORMAT="webp").returncode == 0
    assert (tmp_path / "photo-demasked.webp").exists()


def test_dry_run_writes_nothing(demask, tree: Path, tmp_path: Path) -> None:
    done = demask("remove", "photos", "-o", "out", "--dry-run")
    assert done.returncode == 0
    assert b"photos/masked.png -> out/masked.png" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_second_run_over_a_folder_leaves_the_first_outputs_alone(demask, tree: Path) -> None:
    assert demask("remove", "photos").returncode == 0
    done = demask("remove", "photos", "--overwrite", "--json")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert not list(tree.rglob("*-demasked-demasked*"))


def test_an_output_folder_inside_the_input_is_not_searched(demask, tree: Path) -> None:
    assert demask("remove", "photos", "-o", "photos/out").returncode == 0
    assert demask("remove", "photos", "-o", "photos/out", "--overwrite").returncode == 0
    assert not (tree / "out" / "out").exists()


def test_a_device_that_is_not_there_is_an_error(demask, tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this runtime has CUDA")
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    done = demask("remove", "photo.png", "--device", "cuda")
    assert done.returncode == 1
    assert b"cuda" in done.stderr
    assert not (tmp_path / "photo-demasked.png").exists()


def test_help_says_that_the_face_is_invented(demask) -> None:
    text = " ".join(demask("remove", "--help").stdout.decode().split())
    assert "INVENTED" in text
    assert "not the person's face" in text
    assert "Never use it to identify anyone" in text


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only there")
def test_odd_file_names(demask, tmp_path: Path) -> None:
    names = ["Zoë  masked.png", "-dash.png", os.fsdecode(b"not\xffutf8.png"), "a\nb.png"]
    for name in names:
        Image.fromarray(make_photo(size=(200, 160), side=60)).save(tmp_path / "photo.png")
        (tmp_path / "photo.png").rename(tmp_path / name)
    done = demask("remove", "--json", "--", *names, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["input"] for line in done.stdout.splitlines()] == names
    for name in names:
        assert (tmp_path / name.replace(".png", "-demasked.png")).exists()


def test_signing_needs_its_package(demask, tmp_path: Path) -> None:
    if importlib.util.find_spec("c2pa") is not None:
        pytest.skip("c2pa-python is installed")
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    done = demask("remove", "photo.png", "--c2pa", "cert.pem", "key.pem")
    assert (done.returncode, install_command("c2pa") in done.stderr.decode()) == (2, True)
    assert not (tmp_path / "photo-demasked.png").exists()


def test_the_same_bytes_alone_in_a_folder_and_from_python(demask, tmp_path: Path) -> None:
    """With the shipped networks: alone, beside others, one thread or three, command line or Python."""
    shipped = Path(str(importlib.resources.files("demask.weights")))
    example = Path(__file__).parents[2] / "examples" / "astronaut-covered.jpg"
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        shutil.copyfile(example, tmp_path / "photos" / name)
    own = {"DEMASK_WEIGHTS": str(shipped)}
    for arguments in (
        ("photos/a.jpg", "-o", "alone.jpg"),
        ("photos/a.jpg", "-o", "threads.jpg", "--threads", "3"),
        ("photos", "-o", "folder/"),
        ("photos", "-o", "jobs/", "--jobs", "3", "--threads", "2"),
    ):
        done = demask("remove", *arguments, **own)
        assert done.returncode == 0, done.stderr
    expected = subprocess.run(
        [
            sys.executable,
            "-c",
            "import demask, sys; sys.stdout.buffer.write(demask.remove(sys.argv[1]).photo)",
            example,
        ],
        capture_output=True,
        check=True,
        env={**os.environ, **own},
    ).stdout
    assert expected != example.read_bytes()
    for made in (
        "alone.jpg",
        "threads.jpg",
        *(f"{to}/{name}.jpg" for to in ("folder", "jobs") for name in "abc"),
    ):
        assert (tmp_path / made).read_bytes() == expected, made
