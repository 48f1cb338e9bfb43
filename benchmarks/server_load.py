"""How the server stands a load: latency, pictures a second beside a plain loop, memory, start, rest.

    python benchmarks/server_load.py --out docs/measured/server_load.json

A real `demask serve` in its own process; the clients are in this one. Requests come in rounds; after each the
plain loop works through the same photos without HTTP, so that both see the same machine. Two loops: one photo
after the other with all cores per network (`loop`), and as many threads as the server has (`pool`).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

import _common
from demask.parallel import usable_cores
from demask.remover import Remover

MEGAPIXELS = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0)


def main() -> None:
    """Measure and write the report."""
    parser = _common.parser(__doc__)
    example = _common.REPOSITORY / "examples/astronaut-covered.jpg"
    parser.add_argument("--photo", type=Path, default=example, help="a photo of one covered face, scaled up")
    parser.add_argument("--clients", type=int, default=8, help="requests under way at the same time")
    parser.add_argument("--requests", type=int, default=500, help="answered requests in all")
    parser.add_argument("--rounds", type=int, default=5, help="parts that the requests are split into")
    parser.add_argument("--workers", type=int, default=None, help="of the server; default: its own")
    parser.add_argument("--set-ups", action="store_true", help="also compare workers x threads, briefly")
    parser.add_argument("--batching", action="store_true", help="also time crops of one and of many in a batch")
    arguments = parser.parse_args()
    _common.use_neighbouring_weights()
    photos = _photos(arguments.photo)
    workers, threads = arguments.workers or usable_cores(), arguments.threads or 1
    results: dict[str, Any] = {
        "photo": arguments.photo.name,
        "clients": arguments.clients,
        "megapixels": MEGAPIXELS,
        "workers": workers,
        "threads": threads,
    }
    results |= _load(photos, arguments, workers=workers, threads=threads)
    if arguments.set_ups:
        results["set_ups"] = _set_ups(photos, arguments.clients)
    if arguments.batching:
        results["batching"] = _batching()
    _common.write_report(arguments.out, results, table=_table(results))


def _photos(path: Path) -> list[bytes]:
    """The same photo at each size, as JPEG."""
    photos = []
    with Image.open(path) as picture:
        covered = picture.convert("RGB")
    for megapixels in MEGAPIXELS:
        scale = (megapixels * 1e6 / (covered.width * covered.height)) ** 0.5
        size = (round(covered.width * scale), round(covered.height * scale))
        buffer = io.BytesIO()
        covered.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=90)
        photos.append(buffer.getvalue())
    return photos


class _Server:
    """A `demask serve` of our own."""

    def __init__(self, *, workers: int, threads: int) -> None:
        command = [sys.executable, "-m", "demask", "serve", "--port", "0"]
        # A deadline would cut short what is to be measured where the machine has other work as well.
        command += ["--workers", str(workers), "--threads", str(threads), "--deadline-s", "600"]
        started = time.perf_counter()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if '"listening"' in line)
        self.url = str(json.loads(line)["url"])
        httpx.get(self.url + "v1/ready").raise_for_status()
        self.start_s = time.perf_counter() - started
        # Nobody reads the log here, but it must not fill the pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60) != 0:
            raise SystemExit(f"the server ended with {self.process.returncode}")

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _load(
    photos: Sequence[bytes], arguments: argparse.Namespace, *, workers: int, threads: int
) -> dict[str, Any]:
    order = np.random.default_rng(0).integers(len(photos), size=arguments.requests)
    parts = np.array_split(order, arguments.rounds)
    loop, pool = Remover(), Remover(threads=threads)
    for photo in photos:  # Warm.
        loop(photo)
        pool(photo)
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    rounds: dict[str, list[float]] = {"server": [], "loop": [], "pool": []}
    memory: list[tuple[int, float]] = []
    with _Server(workers=workers, threads=threads) as server:
        time.sleep(1)
        before = server.cpu_s()
        time.sleep(10)
        idle = (server.cpu_s() - before) / 10
        _ask_all(server, photos, order[: 2 * workers], arguments.clients, [], {}, lambda: None)
        for number, part in enumerate(parts):

            def remember() -> None:
                memory.append((len(latencies), server.memory_mb()))

            spent_s = _ask_all(server, photos, part, arguments.clients, latencies, statuses, remember)
            rounds["server"].append(len(part) / spent_s)
            started = time.perf_counter()
            for index in part:
                loop(photos[index])
            rounds["loop"].append(len(part) / (time.perf_counter() - started))
            started = time.perf_counter()
            with ThreadPoolExecutor(workers) as executor:
                list(executor.map(lambda index: pool(photos[index]), part))
            rounds["pool"].append(len(part) / (time.perf_counter() - started))
            _common.show_progress(number + 1, len(parts))
    ratios = {
        name: [mine / theirs for mine, theirs in zip(rounds["server"], rounds[name], strict=True)]
        for name in ("loop", "pool")
    }
    return {
        "start_s": round(server.start_s, 2),
        "idle_percent_of_a_core": round(100 * idle, 2),
        "statuses": statuses,
        "latency_ms": {
            f"p{level}": round(float(np.percentile(latencies, level)) * 1000, 1) for level in (50, 95, 99)
        },
        "pictures_per_s": {name: round(float(np.median(rates)), 2) for name, rates in rounds.items()},
        "rounds": {name: [round(rate, 2) for rate in rates] for name, rates in rounds.items()},
        "server_fraction_of": {name: round(float(np.median(fraction)), 3) for name, fraction in ratios.items()},
        "memory_mb": _memory(memory),
    }


def _ask_all(
    server: _Server,
    photos: Sequence[bytes],
    order: Sequence[int] | np.ndarray[Any, Any],
    clients: int,
    latencies: list[float],
    statuses: dict[str, int],
    after_each: Callable[[], None],
) -> float:
    """Have `clients` threads ask for all photos in `order`; seconds that it took."""
    todo, lock = list(order)[::-1], threading.Lock()

    def work() -> None:
        with httpx.Client(base_url=server.url, timeout=300) as client:
            while True:
                with lock:
                    if not todo:
                        return
                    photo = photos[todo.pop()]
                while True:
                    started = time.perf_counter()
                    answer = client.post("/v1/remove", files={"photo": photo})
                    spent_s = time.perf_counter() - started
                    with lock:
                        statuses[str(answer.status_code)] = statuses.get(str(answer.status_code), 0) + 1
                    if answer.status_code != 503:
                        break
                    time.sleep(float(answer.headers["retry-after"]))
                if answer.status_code != 200 or answer.headers["x-demask-status"] != "restored":
                    todo.clear()  # The other clients need not go on.
                    raise SystemExit(f"the server answered {answer.status_code}: {answer.text[:300]}")
                with lock:
                    latencies.append(spent_s)
                    after_each()

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as executor:
        for future in [executor.submit(work) for _ in range(clients)]:
            future.result()
    return time.perf_counter() - started


def _memory(samples: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """Resident memory, median over each hundred answers after the first, and the peak, in MB."""
    hundreds = range(100, samples[-1][0] + 1, 100)
    medians = [[used for count, used in samples if start <= count < start + 100] for start in hundreds]
    return {
        "by_hundred": [round(float(np.median(used)), 1) for used in medians if len(used) >= 50],
        "peak": round(max(used for _, used in samples), 1),
    }


def _set_ups(photos: Sequence[bytes], clients: int) -> dict[str, float]:
    """Pictures a second of workers x threads, in turns."""
    cores = usable_cores()
    pairs = sorted({(cores, 1), (1, cores), (cores, cores), (2 * cores, 1)})
    rates: dict[str, list[float]] = {}
    order = np.random.default_rng(1).integers(len(photos), size=40)
    for _ in range(3):
        for workers, threads in pairs:
            with _Server(workers=workers, threads=threads) as server:
                _ask_all(server, photos, order[:8], clients, [], {}, lambda: None)
                spent_s = _ask_all(server, photos, order, clients, [], {}, lambda: None)
                rates.setdefault(f"{workers} x {threads}", []).append(len(order) / spent_s)
    return {name: round(float(np.median(found)), 2) for name, found in rates.items()}


def _batching() -> dict[str, dict[str, float]]:
    """Processor ms a crop of the two networks that could be batched over requests, one thread each."""
    from demask.faces.crop_networks import HoleFinder
    from demask.restorers.by_name import fill, get_restorer

    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (8, 256, 256, 3), np.uint8)
    holes = np.zeros((8, 256, 256), bool)
    holes[:, 130:230, 60:196] = True
    finder, restorer = HoleFinder.shipped(device="cpu", threads=1), get_restorer("network", threads=1)
    found: dict[str, dict[str, float]] = {"hole": {}, "restorer": {}}
    for size in (1, 2, 4, 8):
        runs: dict[str, Callable[[], object]] = {
            "hole": lambda size=size: finder(crops[:size]),  # type: ignore[misc]
            "restorer": lambda size=size: fill(restorer, crops[:size], holes[:size]),  # type: ignore[misc]
        }
        for name, run in runs.items():
            times = []
            for _ in range(13):
                started = time.process_time()
                run()
                times.append((time.process_time() - started) * 1000 / size)
            found[name][str(size)] = round(float(np.median(times[3:])), 2)
    return found


def _table(results: dict[str, Any]) -> str:
    memory, latency = results["memory_mb"], results["latency_ms"]
    rates, fraction = results["pictures_per_s"], results["server_fraction_of"]
    hundreds = memory["by_hundred"]
    ends = ", ".join(f"{later / hundreds[0] - 1:+.1%}" for later in hundreds[1:])
    refused = {status: count for status, count in results["statuses"].items() if status not in ("200", "503")}
    lines = [
        "| | measured | goal |",
        "| --- | --- | --- |",
        f"| answers by status | {results['statuses']} | only 200 and 503{' (MISSED)' if refused else ''} |",
        f"| latency p50, p95 | {latency['p50']} ms, {latency['p95']} ms | |",
        f"| pictures/s, server | {rates['server']} | |",
        f"| pictures/s, plain loop | {rates['loop']}; the server has {100 * fraction['loop']:.0f} % | 85 % |",
        f"| pictures/s, loop of {results['workers']} threads | {rates['pool']}; the server has "
        f"{100 * fraction['pool']:.0f} % | |",
        f"| memory, answers 101 to 200; each hundred after it; peak | {hundreds[0]} MB; {ends}; "
        f"{memory['peak']} MB | flat |",
        f"| start to first answer | {results['start_s']} s | 2 s |",
        f"| idle | {results['idle_percent_of_a_core']} % of a core | 0 % |",
    ]
    for name, rate in results.get("set_ups", {}).items():
        lines.append(f"| pictures/s, {name} (workers x threads) | {rate} | |")
    for name, times in results.get("batching", {}).items():
        text = ", ".join(f"{size}: {spent}" for size, spent in times.items())
        lines.append(f"| processor ms a crop by batch size, {name} network | {text} | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
