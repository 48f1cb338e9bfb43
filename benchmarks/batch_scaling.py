"""What a batch costs beside its work: listing, handing out, writing, the manifest; and how it grows.

    python benchmarks/batch_scaling.py --out docs/measured/batch_scaling.json

Photographs are made: small JPEGs of noise, all different, nearly all without a face, so that what is read and
written dominates. Some parts use the shipped networks, some a stand-in that gives each photo back at once
(`fake`) or after a pause; every figure says which. Processor seconds are what to compare on a busy machine.

driver: many photos, one driver: its memory by the number of photos, listing, photographs a second.
handing: the driver by itself: reading a list, looking up, handing out, writing down; no photo is read.
speed: networks: one loop in one process, `xargs -P2 demask remove`, a batch of one and of two workers.
workers: a pause instead of work: 1, 2, 16, 64 workers.
ray: the same photos through the process pool and through Ray, with networks.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _common import machine

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from batch_openers import open_fake  # noqa: E402
from demask.batch.batch_run import Summary, run_batch  # noqa: E402
from demask.batch.batch_worker import Answer, Setup  # noqa: E402
from demask.batch.manifest_row import Row, made_with  # noqa: E402
from demask.batch.manifest_store import ManifestIndex, manifest_place  # noqa: E402
from demask.batch.photo_source import list_photos  # noqa: E402
from demask.batch.process_engine import ProcessEngine  # noqa: E402
from demask.batch.scheduling import Engine  # noqa: E402
from demask.photo.handed_in import Output  # noqa: E402


def make_photos(folder: Path, count: int, *, px: int = 96) -> None:
    """Write small JPEGs that all differ: one picture of noise, and a number behind its end."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(16):
        rough = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize((px, px))
        file = io.BytesIO()
        rough.save(file, "JPEG", quality=80)
        pictures.append(file.getvalue())
    for index in range(count):
        below = folder / f"{index // 1000:03}"
        if index % 1000 == 0:
            below.mkdir(parents=True)
        data = pictures[index % 16]
        # A comment right after the first marker: other bytes, the same picture.
        comment = f"{index:09}".encode()
        mark = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (below / f"{index:06}.jpg").write_bytes(data[:2] + mark + data[2:])


@contextmanager
def memory_watched(every_s: float = 1.0) -> Iterator[list[tuple[float, float]]]:
    """Seconds and MB of this process, again and again while the block runs."""
    seen: list[tuple[float, float]] = []
    done = threading.Event()
    start = time.monotonic()

    def watch() -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not done.wait(every_s):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            seen.append((round(time.monotonic() - start, 1), round(pages * page / 2**20, 1)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def fake_setup(target: Path) -> Setup:
    """A worker without networks."""
    return Setup(target=str(target), made={"restorer": "network"}, opener=open_fake)


def real_setup(target: Path) -> Setup:
    """A worker with the shipped networks."""
    made = made_with(restorer="network", faces="all", output=Output(), skip_untouched=False)
    return Setup(target=str(target), made=made, device="cpu")


def pool(workers: int) -> Callable[[Setup], Engine]:
    """The engine of one machine."""
    return lambda setup: ProcessEngine(setup, workers=workers)


def cpu_s(who: int) -> float:
    """Processor seconds of this process, or of those that it waited for."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def run(source: Path, setup: Setup, engine: Callable[[Setup], Engine], **options: Any) -> dict[str, Any]:
    """A batch, and what it took."""
    before = cpu_s(resource.RUSAGE_SELF), cpu_s(resource.RUSAGE_CHILDREN)
    summary: Summary = run_batch(str(source), setup, engine, **options)
    return {
        "photos": summary.total,
        "failed": summary.failed,
        "seconds": round(summary.seconds, 2),
        "photos_per_s": round(summary.total / summary.seconds, 2),
        "work_s": round(summary.work_s, 2),
        "driver_cpu_s": round(cpu_s(resource.RUSAGE_SELF) - before[0], 2),
        "workers_cpu_s": round(cpu_s(resource.RUSAGE_CHILDREN) - before[1], 2),
    }


def part_driver(folder: Path, count: int) -> dict[str, Any]:
    """One driver over many photos."""
    source, target = folder / "many", folder / "out"
    start = time.monotonic()
    make_photos(source, count)
    made_s = time.monotonic() - start
    start = time.monotonic()
    first_s, listed = None, 0
    for _ in list_photos(str(source)):
        first_s = first_s or time.monotonic() - start
        listed += 1
    listing_s = time.monotonic() - start
    with memory_watched() as memory:
        at: list[tuple[int, float]] = []

        def note(_: Any, summary: Summary) -> None:
            if summary.total % max(1, count // 50) == 0 and memory:
                at.append((summary.total, memory[-1][1]))

        first = run(source, fake_setup(target), pool(2), on_row=note)
    start = time.monotonic()
    with memory_watched() as index_memory, ManifestIndex(manifest_place(str(target))) as index:
        counts = index.counts()
    index_s = time.monotonic() - start
    again = run(source, fake_setup(target), pool(2))
    files = list((target / ".demask" / "manifest").iterdir())
    return {
        "work": "fake",
        "making_s": round(made_s, 1),
        "listed": listed,
        "listing_s": round(listing_s, 2),
        "first_photo_s": round(first_s or 0, 4),
        "first_run": first,
        "driver_mb_by_photos": at,
        "manifest_files": len(files),
        "manifest_bytes": sum(file.stat().st_size for file in files),
        "index_s": round(index_s, 2),
        "index_mb": max((mb for _, mb in index_memory), default=None),
        "counts": counts,
        "run_again": again,
    }


class NoWork:
    """An engine that answers at once, without a worker; four tasks between two looks, as of two workers."""

    def __init__(self) -> None:
        self._asked = 0

    def has_room(self, *, alone: bool) -> bool:
        """See `Engine`."""
        self._asked = (self._asked + (not alone)) % 5
        return not alone and self._asked > 0

    def submit(self, task: Any, *, alone: bool) -> Any:
        """See `Engine`."""
        rows = [
            Row(name=ref.name, output=ref.name, key="0" * 64, status="no_face", worker="none", at=time.time())
            for ref, _ in task.photos
        ]
        future: Future[Answer] = Future()
        future.set_result(Answer(rows=rows))
        return future

    def pending(self) -> list[Any]:
        """See `Engine`."""
        return []

    def close(self) -> None:
        """See `Engine`."""


def part_handing(folder: Path, count: int) -> dict[str, Any]:
    """The driver by itself, and its memory by the number of photos."""
    listed, target = folder / "list.jsonl", folder / "handed"
    with listed.open("w") as file:
        for index in range(count):
            file.write(f'{{"path": "{index // 1000:05}/photo-{index:09}.jpg"}}\n')
    at: list[tuple[int, float]] = []
    page = os.sysconf("SC_PAGE_SIZE") / 2**20

    def note(_: Any, summary: Summary) -> None:
        if summary.total % max(1, count // 20) == 0:
            at.append((summary.total, round(int(Path("/proc/self/statm").read_text().split()[1]) * page, 1)))

    before = time.process_time()
    run(listed, fake_setup(target), lambda setup: NoWork(), on_row=note)
    handing_s = time.process_time() - before
    before = time.process_time()
    with ManifestIndex(manifest_place(str(target))) as index:
        rows = sum(index.counts().values())
    index_s = time.process_time() - before
    files = list((target / ".demask" / "manifest").iterdir())
    return {
        "photos": count,
        "driver_cpu_us_per_photo": round(handing_s / count * 1e6, 1),
        "index_cpu_us_per_row": round(index_s / rows * 1e6, 1),
        "manifest_bytes_per_row": round(sum(file.stat().st_size for file in files) / rows, 1),
        "manifest_files": len(files),
        "driver_mb_by_photos": at,
    }


def part_speed(folder: Path, count: int) -> dict[str, Any]:
    """Real networks: a batch against what people do without it."""
    source = folder / "some"
    make_photos(source, count)
    names = sorted(str(path) for path in source.rglob("*.jpg"))
    found: dict[str, Any] = {"work": "shipped networks", "photos": count}
    for workers in (1, 2):
        found[f"batch_{workers}"] = run(source, real_setup(folder / f"batch{workers}"), pool(workers))
    found["loop"] = timed_command(
        [sys.executable, "-c", LOOP, str(folder / "loop"), *names], {"OMP_NUM_THREADS": "1"}, count
    )
    listed = folder / "names"
    listed.write_text("\n".join(names))
    command = f"xargs -a {listed} -P2 -n {max(1, count // 8)} {sys.executable} -m demask remove --quiet "
    command += f"--jobs 1 --threads 1 --device cpu -o {folder / 'xargs'}/"
    found["xargs_P2"] = timed_command(["sh", "-c", command], {}, count)
    return found


LOOP = """
import sys
from pathlib import Path
from demask import Remover
remover = Remover(device="cpu", threads=1)
target = Path(sys.argv[1])
target.mkdir()
for name in sys.argv[2:]:
    (target / Path(name).name).write_bytes(remover(Path(name)).photo)
"""


def timed_command(command: list[str], variables: dict[str, str], count: int) -> dict[str, Any]:
    """A command, and what it took."""
    before, start = cpu_s(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env={**os.environ, **variables}, check=True)
    seconds = time.monotonic() - start
    return {
        "photos": count,
        "seconds": round(seconds, 2),
        "photos_per_s": round(count / seconds, 2),
        "cpu_s": round(cpu_s(resource.RUSAGE_CHILDREN) - before, 2),
    }


def part_workers(folder: Path, per_worker: int, pause_s: float) -> dict[str, Any]:
    """A pause instead of work: what handing out and writing down cost as workers grow in number."""
    os.environ["DEMASK_TEST_SLEEP_S"] = str(pause_s)
    found: dict[str, Any] = {"work": f"pause of {pause_s:g} s", "runs": []}
    for workers in (1, 2, 16, 64):
        source = folder / f"pause{workers}"
        make_photos(source, per_worker * workers)
        # Small machines cannot start 64 interpreters at once: threads stand for machines.
        facts = run(
            source, fake_setup(folder / f"paused{workers}"), lambda setup, n=workers: ThreadEngine(setup, n)
        )
        facts |= {
            "workers": workers,
            "efficiency": round(facts["photos"] * pause_s / workers / facts["seconds"], 3),
        }
        found["runs"].append(facts)
    return found


class ThreadEngine:
    """Workers as threads, each with a worker of its own: simulated machines, whose work is a pause."""

    def __init__(self, setup: Setup, workers: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._setup, self._workers = setup, workers
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(workers)
        self._load = 0

    def has_room(self, *, alone: bool) -> bool:
        """See `Engine`."""
        return not alone and self._load < 2 * self._workers

    def submit(self, task: Any, *, alone: bool) -> Any:
        """See `Engine`."""
        self._load += 1
        future = self._pool.submit(self._work, task)
        future.add_done_callback(self._done)
        return future

    def pending(self) -> list[Any]:
        """See `Engine`."""
        return []

    def close(self) -> None:
        """See `Engine`."""
        self._pool.shutdown()

    def _done(self, _: Any) -> None:
        self._load -= 1

    def _work(self, task: Any) -> Any:
        from demask.batch.batch_worker import BatchWorker

        if not hasattr(self._own, "worker"):
            self._own.worker = BatchWorker(self._setup)
        return self._own.worker(task)


def part_ray(folder: Path, count: int) -> dict[str, Any]:
    """The same photos through the process pool and through Ray, twice each, in turn."""
    from demask.batch.ray_engine import RayEngine

    source = folder / "for-ray"
    make_photos(source, count)
    found: dict[str, Any] = {"work": "shipped networks", "runs": []}
    for turn in range(2):
        for name, engine in (("local", pool(2)), ("ray", lambda setup: RayEngine(setup, workers=2))):
            facts = run(source, real_setup(folder / f"{name}{turn}"), engine)
            found["runs"].append({"engine": name, **facts})
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="*", default=["driver", "handing", "speed", "workers", "ray"])
    parser.add_argument("--many", type=int, default=100_000, help="photos of `driver`")
    parser.add_argument("--some", type=int, default=2_000, help="photos of `speed` and `ray`")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds of work in `workers`")
    args = parser.parse_args()
    report = json.loads(args.out.read_text()) if args.out.exists() else {}
    folder = Path(tempfile.mkdtemp(prefix="batch-"))
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "driver": lambda: part_driver(folder, args.many),
        "handing": lambda: part_handing(folder, args.many),
        "speed": lambda: part_speed(folder, args.some),
        "workers": lambda: part_workers(folder, 100, args.pause),
        "ray": lambda: part_ray(folder, args.some),
    }
    try:
        for part in args.parts:
            load = os.getloadavg()
            report[part] = {**parts[part](), "load_before": load, "load_after": os.getloadavg()}
            report["machine"] = machine()
            args.out.write_text(json.dumps(report, indent=1) + "\n")
            print(part, json.dumps(report[part])[:600], flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
