"""Try a built wheel in fresh environments: with each Python that is here, bare, and with each extra alone.

    python -m build
    python benchmarks/fresh_install.py dist --pythons python3.11 python3.13 --extras serve c2pa heic

Each environment must install from wheels, import, pass `demask doctor` and restore the example; size and
import time are printed and, with --out, written as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import _common

EXAMPLE = Path(__file__).resolve().parents[1] / "examples/astronaut-covered.jpg"


def try_one(wheel: Path, python: str, extra: str | None, folder: Path) -> dict[str, Any]:
    """One environment; raises CalledProcessError where anything fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DEMASK"))}
    run = partial(subprocess.check_output, env=clean)
    run([python, "-m", "venv", str(folder)])
    binary = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    began = time.monotonic()
    run([binary, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", wanted], stderr=subprocess.STDOUT)
    installed_s = time.monotonic() - began
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    timed = (
        "import time; t = time.perf_counter(); import demask; demask.Remover; print(time.perf_counter() - t)"
    )
    imported_s = float(run([binary, "-c", timed]))
    run([binary, "-m", "demask", "doctor"], stderr=subprocess.STDOUT)
    out = folder / "out.jpg"
    run([binary, "-m", "demask", "remove", str(EXAMPLE), "-o", str(out)], stderr=subprocess.STDOUT)
    status = json.loads(run([binary, "-m", "demask", "inspect", str(out), "--json"]))
    version = run(
        [binary, "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"], text=True
    ).strip()
    return {
        "python": version,
        "extra": extra or "",
        "megabytes": round(size / 1e6),
        "install_s": round(installed_s, 1),
        "import_s": round(imported_s, 2),
        "restored": status["restored"],
    }


def main() -> None:
    """Try them all; fail at the first that does not work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dist", type=Path, help="folder with one wheel, or the wheel")
    parser.add_argument("--pythons", nargs="+", default=[sys.executable])
    parser.add_argument("--extras", nargs="*", default=["serve", "c2pa", "heic"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    wheel = arguments.dist if arguments.dist.is_file() else next(arguments.dist.glob("*.whl"))
    rows = []
    for python in arguments.pythons:
        for extra in (None, *arguments.extras):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    rows.append(try_one(wheel.resolve(), python, extra, Path(folder) / "venv"))
                except subprocess.CalledProcessError as error:
                    raise SystemExit(
                        f"{python}, {extra or 'bare'}: {error}\n{error.output.decode()}"
                    ) from error
            print(json.dumps(rows[-1]), flush=True)
            assert rows[-1]["restored"], rows[-1]
        if arguments.out:
            _common.write_report(arguments.out, {"environments": rows}, table=table_of(rows))


def table_of(rows: list[dict[str, Any]]) -> str:
    """The report for people; columns as in a row."""
    lines = [
        "Fresh environments, wheels only: `demask doctor` and the example restored in each. Megabytes on the "
        "disk, pip itself included; seconds on a machine with other work on it.",
        "",
        "| Python | extra | MB | seconds to install | seconds to import |",
        "|---|---|---|---|---|",
    ]
    columns = ("python", "extra", "megabytes", "install_s", "import_s")
    return "\n".join(lines + ["| " + " | ".join(str(row[name]) for name in columns) + " |" for row in rows])


if __name__ == "__main__":
    main()
