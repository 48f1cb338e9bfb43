"""Runs the commands of a document in one process, small: `python document_runner.py FOLDER`.

bash has expanded the block's loops and variables; each line of `FOLDER/commands.jsonl` is one command. What is
changed, so that hours become seconds and nothing is fetched: training takes two steps of tiny networks, a mix
three photographs a source, a benchmark one picture a slice; downloads come from `FOLDER/wire`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
import urllib.response
from dataclasses import replace
from email.message import Message
from pathlib import Path

FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path()
ROOT = Path(__file__).parents[1]

_BODY = ("widths=(8,8)", "encoder_blocks=(1,)", "decoder_blocks=(1,)", "mixer_blocks=0", "num_heads=2")
_BODY_SETTINGS = tuple(f"model.body.{setting}" for setting in _BODY)
_OF_FACES = ("faces.workers=0", "batch_size=2", "validation_faces=2")
_FINDER = (
    "workers=0", "batch_size=2", "val_scenes=2", "variants=1", "scenes.size_px=64", "scenes.largest_px=60",
    "network.stem_channels=(8,8)", "network.widths=(8,8,8)", "network.blocks=(1,1,1)",
)  # fmt: skip
_LANDMARKS = ("model.widths=(8,8,8,8)", "model.blocks=(0,1,1,1)", "model.hidden=8")
SMALL = {
    "finder": _FINDER,
    "hole": (*_BODY_SETTINGS, *_OF_FACES),
    "restorer": (*_BODY_SETTINGS, *_OF_FACES),
    "landmarks": (*_LANDMARKS, *_OF_FACES),
    "pix2pix": ("generator.width=8", "critic.width=8", *_OF_FACES),
    "deepfill-v2": ("generator.width=8", "side_px=64", *_OF_FACES),
}
STEPS = ("trainer.steps=2", "trainer.precision=float32", "trainer.validate_every=1000", "trainer.threads=1")


class LocalWire(urllib.request.HTTPSHandler):
    """Answers https requests with the file of that name in `FOLDER/wire`."""

    handler_order = 100

    def https_open(self, request: urllib.request.Request) -> urllib.response.addinfourl:  # type: ignore[override]
        body = wire_file(request.full_url).read_bytes()
        response = urllib.response.addinfourl(io.BytesIO(body), Message(), request.full_url, 200)
        response.msg = "OK"  # type: ignore[attr-defined]
        return response


def wire_file(url: str) -> Path:
    """Which file stands for an address."""
    return FOLDER / "wire" / re.sub(r"\W+", "-", url)


def stay_here() -> None:
    """Let downloads come from the folder, and expect what lies there."""
    from demask.weights import registry, transfer

    for name, weights in registry.REGISTRY.items():
        if weights.url is not None and wire_file(weights.url).exists():
            digest = hashlib.sha256(wire_file(weights.url).read_bytes()).hexdigest()
            registry.REGISTRY[name] = replace(weights, sha256=digest)
    build = urllib.request.build_opener
    transfer.urllib.request.build_opener = lambda *handlers: build(*handlers, LocalWire)  # type: ignore[assignment]


def small(arguments: list[str]) -> list[str]:
    """The same command on little."""
    if arguments[0] == "train":
        settings = (*SMALL[arguments[1].partition("+")[0]], *STEPS)
        return [*arguments, *(part for setting in settings for part in ("--set", setting))]
    if arguments[0] == "benchmark":
        return [*arguments, "--limit", "1", "--jobs", "1"]
    if arguments[:2] == ["dataset", "build"]:
        return [*arguments, "--workers", "1", "--val-percent", "30"]
    return arguments


def demask(arguments: list[str]) -> None:
    """One command, as the console script runs it; anything but success ends the document."""
    from demask.cli import main

    if arguments[0] == "serve":
        return serve(arguments)
    sys.argv = ["demask", *small(arguments)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    return None


def serve(arguments: list[str]) -> None:
    """Start the server, wait until it answers, end it."""
    command = [sys.executable, "-m", "demask", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"http://\S+?:\d+", line):
                with urllib.request.urlopen(f"{found[0]}/v1/health", timeout=30) as answer:
                    assert answer.status == 200
                break
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 0, f"demask serve ended with {process.returncode}"


def pip(arguments: list[str]) -> None:
    """Nothing is installed, but what is named must be there to install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (argument for argument in arguments if not argument.startswith("-") and argument != "install")
    found = re.fullmatch(r"\.(?:\[([\w,]+)\])?", wanted)
    assert found, f"pip cannot install {wanted!r} from a checkout"
    for extra in (found[1] or "").split(","):
        assert not extra or extra in project["optional-dependencies"], extra


def run(command: list[str]) -> None:
    """One command of a block."""
    name, *arguments = command
    if name == "demask":
        demask(arguments)
    elif name == "pip":
        pip(arguments)
    elif name == "cp":
        shutil.copy(*arguments)
    elif name == "python-block":
        runpy.run_path(arguments[0])
    else:
        raise SystemExit(f"no way to run {name!r}")


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    stay_here()
    from demask.dataset import sources

    sources.MIXES = {name: dict.fromkeys(takes, 3) for name, takes in sources.MIXES.items()}
    for line in (FOLDER / "commands.jsonl").read_text().splitlines():
        print("+", line, flush=True)  # noqa: T201
        began = time.monotonic()
        run(json.loads(line))
        print(f"  {time.monotonic() - began:.1f} s", flush=True)  # noqa: T201
