"""The whole story on drawn data: train a little, go on, export, and remove with what was trained."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from demask.training.engine import checkpoint
from tiny_networks import make_photo

TINY_BODY = (
    "--set", "model.body.widths=(8, 8)", "--set", "model.body.encoder_blocks=(1,)",
    "--set", "model.body.decoder_blocks=(1,)", "--set", "model.body.mixer_blocks=0",
    "--set", "model.body.num_heads=2",
)  # fmt: skip
SHORT = (
    "--set", "faces.workers=0", "--set", "batch_size=2", "--set", "validation_faces=2",
    "--set", "trainer.log_every=1", "--quiet",
)  # fmt: skip


def steps_of(run: Path) -> list[int]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines if line["group"] == "train"]


def test_train_resume_export_remove(demask, shards: Path, tiny_weights: Path, tmp_path: Path) -> None:
    # Train the hole segmenter for two steps, then ask for three: the third is all that is left to do.
    train_hole = ("train", "hole", "--data", shards, "--run", "hole", *TINY_BODY, *SHORT)
    done = demask(*train_hole, "--set", "trainer.steps=2")
    assert done.returncode == 0, done.stderr.decode()
    done = demask(*train_hole, "--set", "trainer.steps=3")
    assert done.returncode == 0, done.stderr.decode()
    assert steps_of(tmp_path / "hole") == [1, 2, 3]

    # The restorer, with its critic from the start and without the third-party weights LPIPS needs.
    alone = ("--set", "perceptual_weight=0", "--set", "critic_from=0", "--set", "trainer.steps=2")
    done = demask("train", "restorer", "--data", shards, "--run", "restorer", *TINY_BODY, *SHORT, *alone)
    assert done.returncode == 0, done.stderr.decode()

    # Export both. The finder stays the tiny one, which knows the marked photographs.
    weights = tmp_path / "weights"
    weights.mkdir()
    shutil.copy(tiny_weights / "finder.onnx", weights)
    for name in ("hole", "restorer"):
        done = demask("export", name, "-o", weights / f"{name}.onnx", "--quiet")
        assert done.returncode == 0, done.stderr.decode()

    # To share: the same weights as safetensors, and a card that says what they are.
    done = demask("export", "restorer", "-o", "restorer.safetensors", "--card")
    assert done.returncode == 0, done.stderr.decode()
    state = checkpoint.load(tmp_path / "restorer" / "last.pt")["average"]
    shared = load_file(tmp_path / "restorer.safetensors")
    assert all(torch.equal(shared[name], value) for name, value in state.items())
    card = (tmp_path / "restorer.md").read_text()
    for said in ("**invented**", "drawn", "2 of 2 steps", "hole_psnr", "batch_size", "Never to identify"):
        assert said in card, said
    assert str(tmp_path) not in card
    done = demask("export", "restorer", "-o", "restorer.safetensors", "--card")
    assert done.returncode == 1
    assert b"--overwrite" in done.stderr

    # Train it on in another run, and blend what comes out with what it began with.
    on = ("--run", "on", "--set", "trainer.start_from=restorer.safetensors", "--set", "learning_rate=1e-2")
    done = demask("train", "restorer", "--data", shards, *on, *TINY_BODY, *SHORT, *alone)
    assert done.returncode == 0, done.stderr.decode()
    blend = ("--blend-with", "restorer.safetensors", "--blend", "0.25", "--card")
    done = demask("export", "on", "-o", "on.safetensors", *blend)
    assert done.returncode == 0, done.stderr.decode()
    new, between = (
        checkpoint.load(tmp_path / "on" / "last.pt")["average"],
        load_file(tmp_path / "on.safetensors"),
    )
    assert any(not torch.equal(new[name], value) for name, value in state.items())
    for name, value in between.items():
        torch.testing.assert_close(value, 0.75 * new[name] + 0.25 * state[name])
    assert "blended with `restorer.safetensors`, which counts 25%" in (tmp_path / "on.md").read_text()
    done = demask("export", "on", "-o", "nothing.onnx", "--blend-with", "nowhere.onnx")
    assert done.returncode == 1
    assert b"nowhere.onnx" in done.stderr
    done = demask("export", "on", "-o", "nothing.onnx", "--blend", "0.25")
    assert done.returncode != 0
    assert b"--blend-with" in done.stderr
    assert not (tmp_path / "nothing.onnx").exists()

    # Two steps teach no one what a covering is, so the hole is given; the trained restorer fills it.
    photo = make_photo()
    Image.fromarray(photo).save(tmp_path / "photo.png")
    hole = (photo == (0, 0, 255)).all(axis=2)
    assert hole.any()
    Image.fromarray(hole).save(tmp_path / "own.png")
    done = demask("remove", "photo.png", "-o", "-", "--hole", "own.png", DEMASK_WEIGHTS=str(weights))
    assert done.returncode == 0, done.stderr.decode()
    restored = np.asarray(Image.open(io.BytesIO(done.stdout)).convert("RGB"))
    assert np.array_equal(restored[~hole], photo[~hole])
    assert not np.array_equal(restored[hole], photo[hole])


def test_a_dry_run_shows_settings_and_one_step(demask, shards: Path, tmp_path: Path) -> None:
    done = demask("train", "hole", "--data", shards, *TINY_BODY, *SHORT, "--dry-run")
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["task"]["model"]["body"]["widths"] == [8, 8]
    assert told["parameters"]["network"] > 100
    assert told["first_step"]["cross_entropy"] > 0
    assert list(tmp_path.iterdir()) == []


def test_recipes_are_listed(demask) -> None:
    done = demask("train", "--list")
    assert done.returncode == 0, done.stderr.decode()
    lines = dict(line.split(maxsplit=1) for line in done.stdout.decode().splitlines())
    assert {"finder", "hole", "restorer", "landmarks", "pix2pix", "pix2pix+pixel+landmark"} <= lines.keys()
    assert all(lines.values())


def test_training_tells_what_it_lacks(demask, shards: Path, tmp_path: Path) -> None:
    done = demask("train", "restorer", "--data", shards, *TINY_BODY, *SHORT, DEMASK_WEIGHTS=str(tmp_path))
    assert done.returncode == 1
    assert b"perceptual_weight=0" in done.stderr
    done = demask("train", "hole", "--data", shards, "--set", "batch_sice=2")
    assert done.returncode == 2
    assert b"batch_size" in done.stderr
    done = demask("train", "hole", "--data", tmp_path / "nothing")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    done = demask("train", "walls", "--data", shards)
    assert done.returncode == 2
    assert b"hole" in done.stderr


@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "group"])
def test_a_killed_training_saves_its_last_step(
    environment: dict[str, str], shards: Path, tmp_path: Path, whole_group: bool
) -> None:
    command = [sys.executable, "-m", "demask", "train", "hole", "--data", str(shards), "--run", "hole"]
    workers = ("--set", "faces.workers=1") if whole_group else ()
    settings = (
        *TINY_BODY,
        *SHORT,
        *workers,
        "--set",
        "trainer.steps=100000",
        "--set",
        "trainer.validate_every=100000",
    )
    with subprocess.Popen(
        [*command, *settings], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        for _ in range(1200):
            if (tmp_path / "hole" / "metrics.jsonl").exists() and len(steps_of(tmp_path / "hole")) >= 2:
                break
            time.sleep(0.1)
        if whole_group:  # As a scheduler does it: the loader's workers get the signal too.
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    assert b"Traceback" not in said
    state = checkpoint.load(tmp_path / "hole" / "last.pt")
    assert state["num_steps"] == steps_of(tmp_path / "hole")[-1]
