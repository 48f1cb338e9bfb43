"""A study served by the real command in a process of its own, which a test may kill and start again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

ADMIN_KEY = "a-key-for-tests-only"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServedStudy:
    """`demask study serve FOLDER` on loopback.

    Args:
        folder: The study.
        options: More of the command line.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        self.said = ""
        self._command = [sys.executable, "-m", "demask", "study", "serve", str(folder)]
        self._command += ["--port", str(self.port), *options]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> ServedStudy:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        """Start, and wait until it says that it answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DEMASK_")}
        environment = {**kept, "DEMASK_STUDY_ADMIN_KEY": ADMIN_KEY, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(self._command, env=environment, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said += line
            if line.startswith("admin:"):
                break
        else:
            raise AssertionError(f"the server did not start: {self.said}")
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        self._end(signal.SIGKILL, -signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM; it finishes what it does."""
        self._end(signal.SIGTERM, -signal.SIGTERM)

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        self.said += self._process.stderr.read()

    def _end(self, sign: signal.Signals, code: int) -> None:
        assert self._process is not None
        self._process.send_signal(sign)
        found = self._process.wait(60)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None
        assert found == code, self.said


def without_own_address(study: ServedStudy) -> str:
    """What the server said, but for the two lines that tell where it is."""
    return re.sub(rf"(study|admin):  {re.escape(study.address)}\S*\n", "", study.said)
