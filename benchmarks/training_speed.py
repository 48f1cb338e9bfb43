"""Pictures per second of our trainer on the pix2pix recipe, beside a plain loop of the same architecture.

The plain loop trains as the public implementations of pix2pix do: float32, batch 1, NCHW, eager, pairs
prepared on disk and read by worker processes. Both take turns in one run; ratios are per round. What each
part of a step costs is measured apart, with torch's own profiler for the operators. One process and two
(by `torchrun`) take turns as well, each process with one thread.

python benchmarks/training_speed.py --data runs/faces --out docs/measured/training_speed.json
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

import _common
from demask.evaluation.bootstrap import mean_interval
from demask.training.data.covered_crops import CoveredFaces
from demask.training.engine.trainer import Trainer
from demask.training.models.critics import PatchGanConfig
from demask.training.models.unet256 import Unet256Config
from demask.training.recipes import resolve
from demask.training.tasks.register import make_task

GOAL = 3.0


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Masked and bare faces side by side in PNG files, scaled to [-1, 1] as float32 [3, 256, 256]."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.png"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        both = np.asarray(Image.open(self.paths[index]).convert("RGB"), np.float32) / 127.5 - 1
        masked, face = (torch.from_numpy(part.transpose(2, 0, 1).copy()) for part in np.split(both, 2, axis=1))
        return masked, face


class PlainLoop:
    """pix2pix as one would write it first: every choice the simplest."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        torch.manual_seed(0)
        self.generator, self.critic = Unet256Config().build(), PatchGanConfig().build()
        rates = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.of_generator = torch.optim.Adam(self.generator.parameters(), **rates)  # type: ignore[arg-type]
        self.of_critic = torch.optim.Adam(self.critic.parameters(), **rates)  # type: ignore[arg-type]
        self.loader = DataLoader(
            Pairs(folder), batch_size=1, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        )
        self.pictures = self._endless()

    def _endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader

    def step(self) -> None:
        """One picture: critic, then generator."""
        masked, face = next(self.pictures)
        fake = self.generator(masked)
        real_logits, fake_logits = self.critic(masked, face), self.critic(masked, fake.detach())
        ones, zeros = torch.ones_like(real_logits), torch.zeros_like(fake_logits)
        judge = F.binary_cross_entropy_with_logits
        self.of_critic.zero_grad()
        (0.5 * (judge(real_logits, ones) + judge(fake_logits, zeros))).backward()
        self.of_critic.step()
        self.critic.requires_grad_(False)
        self.of_generator.zero_grad()
        (judge(self.critic(masked, fake), ones) + 100 * F.l1_loss(fake, face)).backward()
        self.of_generator.step()
        self.critic.requires_grad_(True)


def main() -> None:
    """Take turns, then write the report."""
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of `demask dataset build`")
    parser.add_argument("--recipe", default="pix2pix")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=48, help="pictures per turn")
    parser.add_argument("--batch-sizes", default="1,4,8,16", help="for memory and speed by batch size")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="let torch.compile fuse our operators")
    parser.add_argument("--one-size", type=int, default=0, help="measure this batch size alone, print JSON")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.one_size:
        with tempfile.TemporaryDirectory() as scratch:
            # All processes of one run share its folder.
            run = Path(os.environ.get("DEMASK_SPEED_RUN", scratch)) / "run"
            measured = _ours(arguments, run, batch_size=arguments.one_size)
        if measured:
            print(json.dumps(measured))
        return
    with tempfile.TemporaryDirectory() as scratch:
        pairs = Path(scratch) / "pairs"
        recipe = _recipe(arguments, Path(scratch) / "run", batch_size=8)
        _prepare(pairs, recipe, count=64)
        plain = PlainLoop(pairs, workers=arguments.workers)
        plain.step()
        rounds = []
        for _ in range(arguments.rounds):
            theirs = _timed(plain.step, arguments.pictures)
            ours = _apart("--one-size", "8")
            compiled = _apart("--one-size", "8", "--compile")["pictures_per_s"]
            ratios = {"ratio": ours["pictures_per_s"] / theirs, "compiled_ratio": compiled / theirs}
            rounds.append({"plain": theirs, **ours, "compiled": compiled, **ratios})
            print(json.dumps(rounds[-1]))
        profile = _profile(recipe)
    by_size = {size: _apart("--one-size", size) for size in arguments.batch_sizes.split(",")}
    by_size["8, compiled"] = _apart("--one-size", "8", "--compile")
    by_size["16, compiled"] = _apart("--one-size", "16", "--compile")
    by_processes = [
        {str(number): _apart("--one-size", "8", "--threads", "1", processes=number) for number in (1, 2)}
        for _ in range(arguments.rounds)
    ]
    results = {
        "recipe": arguments.recipe,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rounds": rounds,
        "ratio": mean_interval([one["ratio"] for one in rounds], seed=0).as_json(),
        "compiled_ratio": mean_interval([one["compiled_ratio"] for one in rounds], seed=0).as_json(),
        "by_batch_size": by_size,
        "by_processes": by_processes,
        "process_ratio": mean_interval([_grown(one) for one in by_processes], seed=0).as_json(),
        "flops_per_picture": _flops(),
        "profile": profile,
    }
    _common.write_report(arguments.out, results, table=_table(results))


def _apart(*settings: str, processes: int = 1) -> dict[str, float]:
    """What this script says of our trainer in processes of their own."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    with tempfile.TemporaryDirectory() as scratch:
        said = subprocess.run(
            [*launcher, *sys.argv, *settings],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "DEMASK_SPEED_RUN": scratch},
        ).stdout
    measured: dict[str, float] = json.loads(said.splitlines()[-1])
    return measured


def _grown(round_: dict[str, dict[str, float]]) -> float:
    return round_["2"]["pictures_per_s"] / round_["1"]["pictures_per_s"]


def _recipe(arguments: Any, run: Path, *, batch_size: int) -> Any:
    settings = (f"batch_size={batch_size}", f"faces.workers={arguments.workers}", "trainer.log_every=1")
    recipe = resolve(arguments.recipe, data=arguments.data, run=run, settings=settings)
    steps = 3 + max(2, arguments.pictures // batch_size)
    trainer = dataclasses.replace(recipe.trainer, steps=steps, validate_every=10**6, save_every_s=10**6)
    trainer = dataclasses.replace(trainer, compile=arguments.compile, threads=arguments.threads or 0)
    return dataclasses.replace(
        recipe, task=dataclasses.replace(recipe.task, lpips_backbone=None, lpips_linear=None), trainer=trainer
    )


def _prepare(folder: Path, recipe: Any, *, count: int) -> None:
    """Draw coverings once and store the pairs, as the public implementations expect them."""
    folder.mkdir()
    faces = CoveredFaces(recipe.task.faces, split="train")
    for number in range(count):
        item = faces[number]
        Image.fromarray(np.concatenate([item["masked"], item["face"]], axis=1)).save(
            folder / f"{number:05d}.png"
        )


def _timed(step: Callable[[], None], pictures: int) -> float:
    began = time.perf_counter()
    for _ in range(pictures):
        step()
    return pictures / (time.perf_counter() - began)


def _ours(arguments: Any, run: Path, *, batch_size: int) -> dict[str, float]:
    """Pictures/s of the trainer itself, the first steps left out, and the fraction spent waiting for data.

    Nothing in a process that is not the first of its run.
    """
    recipe = _recipe(arguments, run, batch_size=batch_size)
    rates: list[tuple[float, float]] = []
    task = make_task(recipe.task)
    trainer = Trainer(task, recipe.trainer)
    stop = recipe.trainer.steps - 1  # The last step validates.
    trainer.fit(
        lambda progress: rates.append((progress.pictures_per_s, progress.waiting_fraction)),
        should_stop=lambda: len(rates) >= stop,
    )
    if not rates:
        return {}
    seconds = np.array([batch_size / rate for rate, _ in rates[3:]])
    waits = np.array([fraction for _, fraction in rates[3:]])
    return {
        "pictures_per_s": float(len(seconds) * batch_size / seconds.sum()),
        "waiting_fraction": float((waits * seconds).sum() / seconds.sum()),
        "peak_gb": _peak_gb(),
    }


def _peak_gb() -> float:
    """Of this program alone; getrusage would remember the program that started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**20


def _flops() -> dict[str, float]:
    """Multiply-adds times two of one forward pass, batch 1."""
    picture = torch.zeros(1, 3, 256, 256)
    generator, critic = Unet256Config().build().eval(), PatchGanConfig().build().eval()
    counts = {}
    for name, call in (("generator", lambda: generator(picture)), ("critic", lambda: critic(picture, picture))):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            call()
        counts[name] = float(counter.get_total_flops())
    return counts


def _profile(recipe: Any) -> list[dict[str, Any]]:
    """The ten operators that take most of two steps' time."""
    trainer = Trainer(make_task(recipe.task), recipe.trainer)
    trainer.rehearse()
    batch = next(trainer.task.batches(start_step=0, num_steps=1, share=trainer.share))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in range(2):
            trainer._step(batch, 0.5)
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [
        {"operator": event.key, "fraction": round(event.self_cpu_time_total / total, 4), "calls": event.count}
        for event in events[:10]
    ]


def _table(results: dict[str, Any]) -> str:
    rounds = results["rounds"]
    ours = f"demask train {results['recipe']}: bfloat16, batch 8, channels last, coverings drawn live"
    lines = [
        f"| | pictures/s (median of rounds) | ratio per round | goal at least {GOAL:g} |",
        "| --- | --- | --- | --- |",
    ]
    plain = np.median([one["plain"] for one in rounds])
    lines.append(f"| plain loop: float32, batch 1, NCHW, eager, pairs on disk | {plain:.2f} | | |")
    for what, rate, ratio in (
        (ours, "pictures_per_s", "ratio"),
        (f"{ours}, compiled", "compiled", "compiled_ratio"),
    ):
        value, low, high = (results[ratio][key] for key in ("value", "low", "high"))
        median = np.median([one[rate] for one in rounds])
        met = "met" if value >= GOAL else "missed"
        lines.append(f"| {what} | {median:.2f} | {value:.2f} [{low:.2f}, {high:.2f}] | {met} |")
    lines += [
        "",
        "| batch size | pictures/s | waiting for data | peak of memory, GB |",
        "| --- | --- | --- | --- |",
    ]
    for size, facts in results["by_batch_size"].items():
        rate, waiting, peak = (facts[key] for key in ("pictures_per_s", "waiting_fraction", "peak_gb"))
        lines.append(f"| {size} | {rate:.2f} | {waiting:.1%} | {peak:.2f} |")
    grown = results["process_ratio"]
    one, two = (
        np.median([round_[key]["pictures_per_s"] for round_ in results["by_processes"]]) for key in ("1", "2")
    )
    lines.append(
        f"\nBatch 8 over processes of one thread each: {one:.2f} pictures/s with one, {two:.2f} with two; "
        f"ratio per round {grown['value']:.2f} [{grown['low']:.2f}, {grown['high']:.2f}]."
    )
    lines += ["", "| operator | fraction of the step's processor time | calls |", "| --- | --- | --- |"]
    lines += [f"| {one['operator']} | {one['fraction']:.1%} | {one['calls']} |" for one in results["profile"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
