"""Kill what does a batch in its middle, at random, again and again; then see that nothing is lost or doubled.

    python benchmarks/batch_kills.py --rounds 10 --out docs/measured/batch_kills.json
    python benchmarks/batch_kills.py --on ray --rounds 10 --out docs/measured/batch_kills_ray.json

The work itself is a pause: what is tried is the schedule and its engines, no networks. `local`: a worker or
the driver is killed. `ray`: a cluster of two nodes of one worker each, on this machine; a worker, a node or the
driver. Every round has its own photos; after it, each output is compared byte for byte, the manifest counted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]
PHOTOS = 48
PAUSE_S = 0.05
PORT = 6399
TOKEN = secrets.token_hex(32)
START_RAY = """
import time
from ray._private import services
found = services.get_node
def patient(address, node, deadline=[None]):
    end = time.monotonic() + 280
    while True:
        try:
            return found(address, node)
        except RuntimeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
services.get_node = patient
from ray.scripts.scripts import main
main()
"""
"""`ray start` gives a node 30 s to come up, little on a machine with much else to do; this waits longer."""


def drive(source: str, target: str, on: str) -> None:
    """What the killed process does: one batch."""
    from batch_openers import open_fake
    from demask.batch.batch_run import run_batch
    from demask.batch.batch_worker import Setup
    from demask.batch.process_engine import ProcessEngine
    from demask.batch.ray_engine import RayEngine
    from demask.batch.scheduling import Engine

    def engine(setup: Setup) -> Engine:
        if on == "local":
            return ProcessEngine(setup, workers=2)
        return RayEngine(setup, address=f"127.0.0.1:{PORT}", workers=2)

    setup = Setup(target=target, made={"restorer": "network"}, opener=open_fake)
    summary = run_batch(source, setup, engine, photos_per_task=4)
    print(json.dumps(dict(summary.counts)), flush=True)


def start(source: Path, target: Path, on: str) -> subprocess.Popen[bytes]:
    """A driver as a process of its own."""
    command = [sys.executable, __file__, "--drive", str(source), str(target), "--on", on]
    return subprocess.Popen(command, env=environment())


def environment() -> dict[str, str]:
    """Where every process finds demask and what the tests remove with."""
    paths = [str(ROOT / "src"), str(ROOT / "tests")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "DEMASK_TEST_SLEEP_S": str(PAUSE_S),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Said to each process: one that has to guess takes a cluster with tokens for one without.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_enable_metrics_collection": "0",
        "RAY_agent_register_timeout_ms": "300000",
    }


class Nodes:
    """A Ray cluster of two nodes on this machine."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
        self.second = self.count = 0

    def start_first(self) -> None:
        """The node that everything else hangs on."""
        self._start(["--head", f"--port={PORT}", f"--temp-dir={self.folder}", "--include-dashboard=false"])

    def start_second(self) -> None:
        """A node that can be killed."""
        before = raylets()
        self._start([f"--address=127.0.0.1:{PORT}"])
        (self.second,) = raylets() - before

    def _start(self, arguments: list[str]) -> None:
        first = PORT + 10 * (1 + self.count)
        self.count += 1
        # With ports of its own it need not wait for files with them.
        ports = ["dashboard-agent-grpc", "dashboard-agent-listen", "runtime-env-agent", "metrics-export"]
        command = [sys.executable, "-c", START_RAY, "start", *arguments, "--num-cpus=1"]
        command += ["--object-store-memory=80000000", "--disable-usage-stats", "--include-log-monitor=false"]
        command += [f"--{name}-port={first + index}" for index, name in enumerate(ports)]
        done = subprocess.run(command, env=environment(), capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"ray does not start: {done.stderr.decode()[-1500:]}")

    def close(self) -> None:
        """End it, and whatever it has left."""
        command = [sys.executable, "-m", "ray.scripts.scripts", "stop", "--force"]
        subprocess.run(command, capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def processes(words: str) -> set[int]:
    """Processes whose command line holds some words."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words in path.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


def raylets() -> set[int]:
    """The raylets of this machine that belong to our port."""
    return {pid for pid in processes(f"127.0.0.1:{PORT}") | processes("raylet/raylet") if is_raylet(pid)}


def is_raylet(pid: int) -> bool:
    """Whether a process is a node's own."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"raylet/raylet")
    except OSError:
        return False


def workers(driver: int, on: str) -> list[int]:
    """The processes that do photos."""
    if on != "local":
        return sorted(processes("ray::_Actor"))
    children = processes("spawn_main")
    return [pid for pid in sorted(children) if parent(pid) == driver]


def parent(pid: int) -> int:
    """Who started a process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def one_round(kind: str, on: str, nodes: Nodes | None, rng: random.Random) -> dict[str, object]:
    """Kill once, finish, look."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        for index in range(PHOTOS):
            (source / f"{index:03}.jpg").write_bytes(
                (b"covered" if index % 4 == 0 else b"plain") + bytes([index])
            )
        driver = start(source, target, on)
        threshold = rng.randint(1, PHOTOS * 2 // 3)
        while len(list(target.glob("*.jpg"))) < threshold and driver.poll() is None:
            time.sleep(0.005)
        killed = driver.poll() is None
        if kind == "driver":
            driver.kill()
        elif kind == "node":
            assert nodes is not None
            os.kill(nodes.second, signal.SIGKILL)
        else:
            os.kill(rng.choice(workers(driver.pid, on)), signal.SIGKILL)
        begun = time.monotonic()
        code = driver.wait()
        runs = 1
        if kind == "driver":
            again = start(source, target, on)
            code, runs = again.wait(), 2
        took = time.monotonic() - begun
        if kind == "node" and nodes is not None:
            nodes.start_second()
        facts = {"kind": kind, "killed_after": threshold, "killed": killed, "code": code, "runs": runs}
        return {**facts, "seconds_after": round(took, 1), **look(source, target)}


def look(source: Path, target: Path) -> dict[str, int]:
    """Compare outputs and manifest with what they should be."""
    from pyarrow import parquet

    from demask.batch.manifest_store import ManifestIndex, manifest_place

    right = 0
    for path in source.iterdir():
        data = path.read_bytes()
        expected = data + (b"network" if data.startswith(b"covered") else b"")
        right += (target / path.name).is_file() and (target / path.name).read_bytes() == expected
    rows: Counter[str] = Counter()
    for file in (target / ".demask" / "manifest").glob("*.parquet"):
        rows.update(parquet.read_table(file, columns=["name"])["name"].to_pylist())
    with ManifestIndex(manifest_place(str(target))) as index:
        counts = index.counts()
    return {
        "right": right,
        "others": len([path for path in target.glob("*") if path.name != ".demask"]) - right,
        "rows": len(rows),
        "rows_doubled": sum(count > 1 for count in rows.values()),
        "restored": counts.get("restored", 0),
        "no_face": counts.get("no_face", 0),
        "not_good": sum(counts.values()) - counts.get("restored", 0) - counts.get("no_face", 0),
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", default="local", choices=["local", "ray"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--kinds", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--drive", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.drive:
        drive(*args.drive, args.on)
        return
    rng = random.Random(args.seed)
    kinds = args.kinds or (["worker", "driver"] if args.on == "local" else ["worker", "node", "driver"])
    nodes = Nodes() if args.on == "ray" else None
    rounds = []
    try:
        if nodes is not None:
            nodes.start_first()
            nodes.start_second()
        for number in range(args.rounds):
            for kind in kinds:
                rounds.append(one_round(kind, args.on, nodes, rng))
                print(number, rounds[-1], flush=True)
                if args.out:
                    args.out.write_text(
                        json.dumps({"photos": PHOTOS, "on": args.on, "rounds": rounds}, indent=1) + "\n"
                    )
    finally:
        if nodes is not None:
            nodes.close()
    print(summary(rounds))
    if args.out:
        args.out.with_suffix(".md").write_text(as_markdown(args.on, rounds))


def summary(rounds: list[dict[str, object]]) -> str:
    """How many rounds left everything as it should be."""
    perfect = [
        r for r in rounds if r["right"] == PHOTOS == r["rows"] and not r["rows_doubled"] and not r["others"]
    ]
    perfect = [r for r in perfect if r["code"] == 0 and not r["not_good"]]
    hit = sum(bool(r["killed"]) for r in rounds)
    return (
        f"{len(perfect)} of {len(rounds)} rounds ({hit} killed before the batch was through): "
        "nothing lost, nothing doubled, manifest right"
    )


def as_markdown(on: str, rounds: list[dict[str, object]]) -> str:
    """The report for people."""
    lines = [
        "# A batch killed in its middle",
        "",
        f"Made by `python benchmarks/batch_kills.py --on {on}`: {PHOTOS} photos of {PAUSE_S:g} s each, two "
        f"workers, killed with SIGKILL after a random number of outputs. {summary(rounds)}.",
        "",
        "| killed | after outputs | s to the end | outputs right | others | rows | rows doubled | not good |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    columns = ("kind", "killed_after", "seconds_after", "right", "others", "rows", "rows_doubled", "not_good")
    lines += ["| " + " | ".join(str(r[name]) for name in columns) + " |" for r in rounds]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
