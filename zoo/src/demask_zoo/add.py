"""From a training run to a network of the zoo: exported, made small, compared with torch, with its card.

Needs demask's extra `train`, the run's own data set, and for LPIPS its weights.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch

from demask.atomic import write_atomic
from demask.dataset.shards import FaceShards
from demask.errors import ConfigError, DemaskError, TrainingError, UsageError, WeightsError
from demask.evaluation.metrics.lpips_metric import open_lpips
from demask.geometry import FRAME_PX
from demask.restorers.by_name import fill, get_restorer
from demask.restorers.zoo_names import ZOO
from demask.training.data.loading import fixed_batch
from demask.training.export.graphs import restorer_graph, translator_graph
from demask.training.recipes import open_trainer, saved_recipe
from demask.training.tasks.faces_task import FacesTask
from demask.types import ImageU8
from demask.weights.registry import sha256_of
from demask_zoo.card import NETWORKS, Card, card_text, read_card
from demask_zoo.published import SYSTEMS
from demask_zoo.small_weights import to_int8

MOST_BYTES, MOST_TOGETHER_BYTES = 30_000_000, 90_000_000
HALVES_UP_TO_BYTES = 10_000_000
"""Larger files have their weights as int8."""

MOST_MEAN_LEVELS, MOST_LPIPS = 1.0, 0.01
"""What storing the weights may change; LPIPS of two shots of one face is ten times that."""

LICENCE = "research and personal use, as its photographs (see the card's `data`)"

Weights = Literal["float16", "int8"]


def add(
    run: Path,
    name: str,
    *,
    into: Path = NETWORKS,
    weights: Weights | None = None,
    checkpoint: str = "last.pt",
    pictures: int = 16,
) -> Card:
    """Add the network of a run, or put it in the place of an older one.

    Args:
        run: Folder of a training run; nothing in it is changed.
        name: Of `SYSTEMS`.
        into: Folder of networks and cards.
        weights: How they are stored; None decides by the size.
        checkpoint: Which of the run's.
        pictures: How many validation faces it is compared on.

    Raises:
        UsageError: The name is none of the zoo's, or the run is of another recipe.
        TrainingError: The run cannot be used, or the network is too large or not the same picture.
        DatasetError: The run's data set is not at hand.
    """
    if name not in SYSTEMS:
        raise UsageError(f"the zoo has no {name!r}; it is one of {', '.join(SYSTEMS)}")
    task_name, recipe = saved_recipe(run)
    if (got := _recipe_name(task_name, recipe.task)) != SYSTEMS[name].recipe:
        raise UsageError(f"{run} is a run of {got!r}, but {name!r} is {SYSTEMS[name].recipe!r}; name another")
    if not (run / checkpoint).is_file():
        raise TrainingError(f"{run} has no checkpoint {checkpoint}; train first, or name another")
    trainer = open_trainer(recipe, checkpoint_name=checkpoint)
    task, network = trainer.task, trainer.average.network
    assert isinstance(task, FacesTask)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / f"{name}.onnx"
        task.export(network, small)
        if weights is None:
            weights = "int8" if small.stat().st_size > HALVES_UP_TO_BYTES else "float16"
        if weights == "int8":
            model = onnx.load(str(small))
            to_int8(model)
            onnx.checker.check_model(model)
            onnx.save(model, str(small))
        _require_room(name, small.stat().st_size, into)
        same = _same_picture(network, small, task, pictures)
        blind = _is_blind(small)
        data, digest = small.read_bytes(), sha256_of(small)
    old = into / f"{name}.json"
    system = SYSTEMS[name]
    side = int(getattr(recipe.task, "side_px", FRAME_PX))
    card = Card(
        name=name,
        version=read_card(old).version + 1 if old.is_file() else 1,
        what=ZOO[name],
        paper=system.paper,
        recipe=system.recipe,
        side_px=side,
        width=_width(recipe.task),
        published_width=system.width,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        pictures_seen=trainer.num_steps * recipe.task.batch_size,
        minutes=round(_minutes(run, recipe.task.batch_size, trainer.num_steps), 3),
        published_budget=system.budget,
        figures=_figures(run, trainer.num_steps),
        data=_data(_data_folder(recipe.task)),
        licence=LICENCE,
        blind=blind,
        weights=weights,
        same_picture=same,
        bytes=len(data),
        sha256=digest,
        departures=_departures(name, side, _width(recipe.task)),
    )
    write_atomic(into / card.file, data, overwrite=True)
    write_atomic(old, card_text(card).encode(), overwrite=True)
    return card


def _recipe_name(task: str, config: Any) -> str:
    """The recipe that a run's settings amount to."""
    if task == "pix2pix":
        terms = ("+pixel" if config.pixel_weight else "") + ("+landmark" if config.landmark_weight else "")
        return task + terms
    if task == "denoising-autoencoder" and config.model.patch_px < config.model.picture_px:
        return "denoising-autoencoder-patches"
    return task


def _require_room(name: str, size_bytes: int, into: Path) -> None:
    """Refuse a file above the limit of one, or that brings all above theirs."""
    together = size_bytes + sum(
        path.stat().st_size for path in into.glob("*.onnx") if path.name != f"{name}.onnx"
    )
    for what, got, most in (
        (f"{name} is", size_bytes, MOST_BYTES),
        (f"with {name} the zoo is", together, MOST_TOGETHER_BYTES),
    ):
        if got > most:
            raise TrainingError(
                f"{what} {got / 1e6:.1f} MB, above the {most / 1e6:g} MB that are allowed; store its weights "
                "as int8, or train a narrower network"
            )


def _same_picture(network: torch.nn.Module, small: Path, task: FacesTask, count: int) -> dict[str, float]:
    """How far the file's pictures are from those of torch in float32 on validation faces.

    Raises:
        TrainingError: Too far.
    """
    batch = fixed_batch(task.val_faces, count)
    masked, hole = batch["masked"], batch["hole"] > 0
    holes = hole.reshape(masked.shape[:3])
    network = network.cpu().float().eval()
    with torch.no_grad():
        if _is_blind(small):
            drawn = translator_graph(network)(masked)
        else:
            drawn = restorer_graph(network)(masked * ~holes[..., None], holes.to(torch.uint8))
    theirs = np.asarray(drawn.numpy(), np.uint8)
    ours = fill(get_restorer(str(small), device="cpu", threads=1), masked.numpy(), holes.numpy())
    difference = np.abs(ours.astype(int) - theirs)
    same = {"mean_levels": float(difference.mean()), "largest_levels": float(difference.max())}
    if (lpips := _lpips(ours, theirs)) is not None:
        same["lpips"] = lpips
    same = {key: round(value, 5) for key, value in same.items()}
    if same["mean_levels"] > MOST_MEAN_LEVELS or same.get("lpips", 0.0) > MOST_LPIPS:
        raise TrainingError(
            f"stored so, the network draws other pictures: {same} over {len(ours)} faces, allowed are a mean "
            f"of {MOST_MEAN_LEVELS:g} levels and LPIPS {MOST_LPIPS:g}; store its weights as float16"
        )
    return same


def _is_blind(path: Path) -> bool:
    return "hole" not in {node.name for node in onnx.load(str(path)).graph.input}


def _lpips(ours: ImageU8, theirs: ImageU8) -> float | None:
    try:
        distance = open_lpips("squeeze", device="cpu", threads=1)
    except WeightsError as error:
        print(f"LPIPS is left out: {error}", file=sys.stderr)  # noqa: T201
        return None
    return float(np.mean([distance(one, other) for one, other in zip(ours, theirs, strict=True)]))


def _width(config: Any) -> int:
    """Channels of the first layer, or units of the hidden ones."""
    generator = getattr(config, "generator", None)
    return int(config.model.hidden if generator is None else generator.width)


def _departures(name: str, side_px: int, width: int) -> list[str]:
    system = SYSTEMS[name]
    found = list(system.departures)
    if width != system.width:
        found.append(f"{width} channels or units where the paper has {system.width}.")
    if side_px != FRAME_PX:
        found.append(f"Learned from pictures of {side_px} px; its answers are drawn up to {FRAME_PX} px.")
    return found


def _lines(run: Path) -> list[dict[str, Any]]:
    path = run / "metrics.jsonl"
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    )


def _minutes(run: Path, batch_size: int, num_steps: int) -> float:
    """Time that the steps took by the run's log, pauses left out."""
    minutes, before = 0.0, 0
    for facts in sorted((f for f in _lines(run) if f["group"] == "speed"), key=lambda f: int(f["step"])):
        if facts["step"] <= num_steps and facts["pictures_per_s"] > 0:
            minutes += (facts["step"] - before) * batch_size / facts["pictures_per_s"] / 60
            before = facts["step"]
    return minutes


def _figures(run: Path, num_steps: int) -> dict[str, float]:
    """The last validation at or before these steps."""
    found = [facts for facts in _lines(run) if facts["group"] == "val" and facts["step"] <= num_steps]
    return {k: v for k, v in found[-1].items() if k not in ("time", "group")} if found else {}


def _data_folder(config: Any) -> Path:
    return Path(config.faces.data)


def _data(folder: Path) -> list[Mapping[str, Any]]:
    """Sources, faces and rights of the training split; DatasetError where it is not at hand."""
    counts = Counter(
        (entry.source, entry.labels.get("licence") or entry.licence)
        for entry in FaceShards(folder, split="train").entries
    )
    return [
        {"source": source, "faces": count, "licence": licence}
        for (source, licence), count in sorted(counts.items())
    ]


def main() -> None:
    """`python zoo/add.py RUN NAME`."""
    parser = argparse.ArgumentParser(prog="python zoo/add.py", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished training run")
    parser.add_argument("name", help=f"one of {', '.join(SYSTEMS)}")
    parser.add_argument("--weights", choices=("float16", "int8"), help="default: int8 from 10 MB on")
    parser.add_argument("--checkpoint", default="last.pt", help="last.pt or best.pt")
    parser.add_argument("--pictures", type=int, default=16, help="validation faces to compare on")
    parser.add_argument("--into", type=Path, default=NETWORKS, help="folder; default: the package's own")
    asked = parser.parse_args()
    try:
        if asked.pictures < 1:
            raise ConfigError(f"--pictures is {asked.pictures}; it must be 1 or more")
        asked.into.mkdir(parents=True, exist_ok=True)
        card = add(
            asked.run,
            asked.name,
            into=asked.into,
            weights=asked.weights,
            checkpoint=asked.checkpoint,
            pictures=asked.pictures,
        )
    except DemaskError as error:
        print(f"zoo: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(error.exit_code) from None
    print(f"{asked.into / card.file}: {card.bytes / 1e6:.1f} MB, {card.weights}, {dict(card.same_picture)}")  # noqa: T201
