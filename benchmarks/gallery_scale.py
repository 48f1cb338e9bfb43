"""Scene completion's search as the gallery grows: recall and time a query, and what 100 million would need.

OMP_NUM_THREADS=1 python benchmarks/gallery_scale.py --gallery runs/gallery --work runs/gallery_scale \
    --out docs/measured/gallery_scale.json

Queries are covered faces of the frozen set. Large galleries are made of real descriptors, each moved by half
the difference of two others, so that they vary as real ones do; each query's own bare face is planted among
them. Nothing but descriptors is made, no picture. A million takes about 1.2 GB in `--work` and 3 GB of memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import _common
from demask.dataset.frozen_set import load_frozen, read_info
from demask.dataset.gallery import measured_scales, num_lists, write_index
from demask.restorers.gallery_store import CROPS, DESCRIPTORS, FACE, FACES, Gallery
from demask.restorers.scene_descriptor import CELL_VALUES, NUM_CELLS, Description, describe_known
from demask.restorers.scene_search import INDEX, SceneSearch, load_index
from demask.rng import rng_for

SLICE = "seen"
NUM_MATCHES = 200
PROBES = (32, 128, 512)
SAMPLE = 160_000
_BLOCK = 16_384
_PAPER_SIZE = 100_000_000


def main() -> None:
    """Measure, then write the report."""
    arguments = _arguments()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("one core is what is measured: set OMP_NUM_THREADS=1 before Python starts")
    cv2.setNumThreads(1)
    gallery, info = Gallery(arguments.gallery), read_info(arguments.frozen)
    step = max(1, info["slices"][SLICE] // arguments.queries)
    pictures = list(islice(load_frozen(arguments.frozen, slices=[SLICE]), 0, step * arguments.queries, step))
    cpu = time.process_time()
    queries = [describe_known(one.masked, one.valid & ~one.hole) for one in pictures]
    describe_s = (time.process_time() - cpu) / len(queries)
    truths = [describe_known(one.face, one.valid) for one in pictures]

    rows = []
    for size in [int(text) for text in arguments.sizes.split(",")]:
        work = _common.outside_repository(arguments.work / str(size))
        try:
            rows.append(_measure(gallery, queries, truths, size, work))
        finally:
            shutil.rmtree(work, ignore_errors=True)
        _common.show_progress(len(rows), len(arguments.sizes.split(",")))
    facts = {
        "frozen_set": {"sha256": info["sha256"], "slice": SLICE, "queries": len(queries), "every": step},
        "gallery": {"faces": len(gallery), "manifest_sha256": gallery.info["manifest_sha256"]},
        "describe_cpu_s": round(describe_s, 4),
        "sizes": rows,
        "hundred_million": _on_paper(gallery, rows[-1], describe_s),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    _common.write_report(arguments.out, facts, table=_table(facts))


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    parser.add_argument("--gallery", type=Path, default=Path("runs/gallery"), help="a real gallery")
    parser.add_argument("--frozen", type=Path, default=Path("runs/frozen"), help="the frozen test set")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/gallery_scale"), help="for descriptors, emptied"
    )
    parser.add_argument("--sizes", default="10000,100000,1000000", help="descriptors, comma-separated")
    parser.add_argument("--queries", type=int, default=50, help="covered faces, evenly over the slice")
    return parser.parse_args()


def _measure(
    gallery: Gallery,
    queries: Sequence[Description],
    truths: Sequence[Description],
    size: int,
    work: Path,
) -> dict[str, Any]:
    """One size: make the descriptors and the index, then ask both searches everything."""
    values, share, planted = _grown(gallery, truths, size, work)
    scales = measured_scales(values, share, sample=SAMPLE, seed=0)
    wall, cpu = time.perf_counter(), time.process_time()
    write_index(work, values, share, scales, sample=SAMPLE, seed=0)
    row: dict[str, Any] = {
        "size": size,
        "lists": num_lists(size, min(size, SAMPLE)),
        "index_bytes_per_face": round((work / INDEX).stat().st_size / size, 1),
        "index_made_wall_s": round(time.perf_counter() - wall, 1),
        "index_made_cpu_s": round(time.process_time() - cpu, 1),
    }
    exact, row["exact"] = _asked(SceneSearch(values, share, scales), queries, planted)
    index = load_index(work)
    row["indexed"] = {}
    for probes in PROBES:
        search = SceneSearch(values, share, scales, index=index, num_probes=probes)
        found, facts = _asked(search, queries, planted)
        for top in (20, NUM_MATCHES):
            shared = [len(set(a[:top]) & set(b[:top])) / top for a, b in zip(found, exact, strict=True)]
            facts[f"recall_at_{top}"] = round(float(np.mean(shared)), 4)
        row["indexed"][str(probes)] = facts
    return row


def _grown(
    gallery: Gallery, truths: Sequence[Description], size: int, work: Path
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Descriptors on disk, their shares, and where the true faces were planted."""
    folder = gallery.folder
    real = np.load(folder / DESCRIPTORS, mmap_mode="r").astype(np.float32)
    real_fraction = np.load(folder / FACES, mmap_mode="r")["share"]
    values = np.lib.format.open_memmap(
        work / DESCRIPTORS, "w+", np.dtype("<f2"), (size, NUM_CELLS, CELL_VALUES)
    )
    share = np.empty((size, NUM_CELLS), np.uint8)
    for at in range(0, size, _BLOCK):
        rng = rng_for(0, "gallery_scale", f"{size}/{at}")
        one, two, three = rng.integers(0, len(real), (3, min(_BLOCK, size - at)))
        moved = real[one] + 0.5 * (real[two] - real[three])
        moved[..., :-3] = np.abs(moved[..., :-3])  # Energies are not negative.
        values[at : at + _BLOCK], share[at : at + _BLOCK] = moved, real_fraction[one]
    places = rng_for(0, "gallery_scale/planted", str(size)).choice(size, len(truths), replace=False)
    for place, truth in zip(places.tolist(), truths, strict=True):
        values[place], share[place] = truth.values, np.rint(truth.share * 255)
    values.flush()
    return values, share, places.tolist()


def _asked(
    search: SceneSearch, queries: Sequence[Description], planted: Sequence[int]
) -> tuple[list[list[int]], dict[str, Any]]:
    search.nearest(queries[0], NUM_MATCHES)  # Warms up: pages of the files, tables.
    found, wall_s, cpu_s = [], [], []
    for query in queries:
        wall, cpu = time.perf_counter(), time.process_time()
        numbers, _ = search.nearest(query, NUM_MATCHES)
        wall_s.append(time.perf_counter() - wall)
        cpu_s.append(time.process_time() - cpu)
        found.append(numbers.tolist())
    hits = {
        f"true_face_in_{top}": sum(
            place in numbers[:top] for place, numbers in zip(planted, found, strict=True)
        )
        for top in (1, 20, NUM_MATCHES)
    }
    return found, {**hits, "cpu_s": _spread(cpu_s), "wall_s": _spread(wall_s)}


def _spread(values: Sequence[float]) -> dict[str, float]:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {"median": round(float(middle), 4), "p10": round(float(low), 4), "p90": round(float(high), 4)}


def _on_paper(gallery: Gallery, largest: dict[str, Any], describe_s: float) -> dict[str, Any]:
    """What 100 million faces would take, from the bytes and times measured here."""
    crop_bytes = (gallery.folder / CROPS).stat().st_size / len(gallery)
    descriptor_bytes = NUM_CELLS * CELL_VALUES * 2
    gigabytes = {
        "index_memory": largest["index_bytes_per_face"],
        "descriptors_disk": descriptor_bytes,
        "records_disk": FACE.itemsize,
        "crops_disk": crop_bytes,
    }
    lists = num_lists(_PAPER_SIZE, _PAPER_SIZE)
    return {
        "gigabytes": {name: round(each * _PAPER_SIZE / 1e9, 1) for name, each in gigabytes.items()},
        "bytes_per_face": {name: round(each, 1) for name, each in gigabytes.items()},
        "lists": lists,
        "faces_scanned_with_512_probes": round(512 * _PAPER_SIZE / lists),
        "describe_core_days": round(describe_s * _PAPER_SIZE / 86_400, 1),
        "candidate_bytes_read_per_query": 4000 * descriptor_bytes,
    }


def _table(facts: dict[str, Any]) -> str:
    queries = facts["frozen_set"]["queries"]
    lines = [
        f"{queries} covered faces of the slice `{SLICE}`; the {NUM_MATCHES} nearest of so many descriptors. "
        "Recall: fraction of the exactly nearest that the index finds too. True: how often the query's own "
        "bare face is among the nearest 1, 20, 200. Processor seconds of one core; wall time is in the JSON.",
        "",
        "| descriptors | search | recall at 20 | at 200 | true in 1 | 20 | 200 | median s | p90 s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in facts["sizes"]:
        searches = {"all": row["exact"]} | {f"{n} probes": one for n, one in row["indexed"].items()}
        for name, one in searches.items():
            recall = [f"{one[key]:.3f}" if key in one else "1" for key in ("recall_at_20", "recall_at_200")]
            true = [str(one[f"true_face_in_{top}"]) for top in (1, 20, NUM_MATCHES)]
            cells = [f"{row['size']:,}", name, *recall, *true]
            cells += [f"{one['cpu_s'][key]:.4f}" for key in ("median", "p90")]
            lines.append(f"| {' | '.join(cells)} |")
    paper = facts["hundred_million"]
    sizes = ", ".join(f"{name.replace('_', ' on ')} {size:,} GB" for name, size in paper["gigabytes"].items())
    lines += [
        "",
        f"100 million on paper: {sizes}; {paper['lists']:,} lists, {paper['faces_scanned_with_512_probes']:,} "
        f"codes scanned a query with 512 probes; {paper['describe_core_days']} core days to describe them.",
        "",
        f"Peak memory of this run: {facts['peak_memory_gb']} GB.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
