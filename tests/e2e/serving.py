"""A real `demask serve` in another process, watched: what it logs, and every file that it opens to write."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

WATCH = """
import os, sys
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
ALWAYS = ("tempfile.mkstemp", "tempfile.mkdtemp", "os.mkdir", "os.rename", "os.link", "socket.connect")
def watch(event, arguments):
    # What is open already was told when it was opened by its name; what has none is in memory (memfd).
    named = event == "open" and not isinstance(arguments[0], int)
    if named and isinstance(arguments[2], int) and arguments[2] & WRITES:
        os.write(2, b"WRITES " + os.fsencode(str(arguments[0])) + b"\\n")
    elif event in ALWAYS:
        os.write(2, b"WRITES " + event.encode() + b"\\n")
sys.addaudithook(watch)
"""


class RunningServer:
    """One server process.

    Args:
        folder: Where it may put things; it must not.
        weights: Folder with the networks.
        arguments: Of `demask serve`, beside the port; ignored if `code` is given.
        code: Python to run instead of the command line.
        environment: More variables.
    """

    def __init__(
        self,
        folder: Path,
        weights: Path,
        *arguments: str,
        code: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        watch, self.home = folder / "watch", folder / "home"
        watch.mkdir(parents=True)
        self.home.mkdir()
        (watch / "sitecustomize.py").write_text(WATCH)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DEMASK_")}
        command = ["-c", code] if code else ["-m", "demask", "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **kept,
                "DEMASK_WEIGHTS": str(weights),
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join([str(watch), *filter(None, [os.environ.get("PYTHONPATH")])]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": str(self.home),
                "TMPDIR": str(self.home),
                **(environment or {}),
            },
        )
        self.lines: list[str] = []
        self.url = ""
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._listening.wait(60), self.text
        assert self.url, self.text
        # A server with short limits hangs up on a quiet connection: never send into one that it may be closing.
        self.http = httpx.Client(base_url=self.url, timeout=60, limits=httpx.Limits(keepalive_expiry=0.5))

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.decode().rstrip("\n"))
            if '"message": "listening"' in self.lines[-1]:
                self.url = json.loads(self.lines[-1])["url"]
                self._listening.set()
        self._listening.set()

    @property
    def text(self) -> str:
        """All that it said on stderr."""
        return "\n".join(self.lines)

    @property
    def writes(self) -> list[str]:
        """Files that it opened to write, and the like."""
        return [line for line in self.lines if line.startswith("WRITES") and line != f"WRITES {os.devnull}"]

    @property
    def address(self) -> tuple[str, int]:
        """For sockets."""
        return "127.0.0.1", int(self.url.rsplit(":", 1)[1].rstrip("/"))

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(self.address, timeout=30)

    def logged(self, **facts: Any) -> list[dict[str, Any]]:
        """Log lines that hold these facts."""
        lines = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [line for line in lines if all(line.get(name) == value for name, value in facts.items())]

    def wait_for(self, **facts: Any) -> dict[str, Any]:
        """Wait up to 20 s for such a log line."""
        for _ in range(400):
            if found := self.logged(**facts):
                return found[-1]
            time.sleep(0.05)
        raise AssertionError(f"no line with {facts} in\n{self.text}")

    def metric(self, name: str) -> float:
        """A sum of samples of /metrics."""
        lines = self.http.get("/metrics").text.splitlines()
        mine = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in mine)

    def memory_bytes(self) -> int:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def stop(self, sent: signal.Signals | None = signal.SIGTERM) -> int:
        """Stop it, or with None wait for its end; the exit code."""
        if sent is not None and self.process.poll() is None:
            self.process.send_signal(sent)
        code = self.process.wait(60)
        self._reader.join(10)
        self.http.close()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code
