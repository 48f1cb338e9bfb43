"""`demask ARGS...` as a process of its own that starts at once: forked from one that has imported the package.

A second of every `python -m demask` goes into the same imports. All else is as from a shell: own arguments,
working folder, environment, streams, signals and exit code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

IMPORTED = (
    "demask.cli.app", "demask.cli.find_job", "demask.cli.remove_job", "demask.restorers.network",
    "demask.extras", "demask.parallel", "demask.photo.encode", "demask.photo.jpeg_blocks",
    "demask.photo.provenance",
    "onnxruntime", "PIL.PngImagePlugin", "numpy.random", "pydantic", "typer._adapters", "importlib.metadata",
    "urllib.request",
)  # fmt: skip
"""Once, before the first command, where it is there; none of it starts a thread or reads a setting."""
_MOST_BYTES = 2**17  # Of a request: arguments and environment.


class ForkedDemask:
    """Runs commands, one at a time.

    Args:
        modules: More to import once.
    """

    def __init__(self, *modules: str) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *IMPORTED, *modules],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def run(
        self, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: bytes, patience_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, as `subprocess.run` does.

        Raises:
            TimeoutError: It took longer and was killed.
        """
        request = json.dumps({"args": list(args), "cwd": str(cwd), "env": dict(env)}).encode()
        assert len(request) < _MOST_BYTES
        (their_in, our_in), (our_out, their_out), (our_err, their_err), (status, noted) = (
            os.pipe() for _ in range(4)
        )
        theirs = [their_in, their_out, their_err, noted]
        socket.send_fds(self._channel, [request], theirs)
        for fd in theirs:
            os.close(fd)
        with os.fdopen(status, "rb") as end, ThreadPoolExecutor(3) as pool:
            pid = int(end.readline())
            pool.submit(_write, our_in, stdin)
            out, err = (pool.submit(_read, fd) for fd in (our_out, our_err))
            try:
                said = out.result(patience_s), err.result(patience_s)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
            return subprocess.CompletedProcess(["demask", *args], int(end.readline()), *said)

    def close(self) -> None:
        """End the process that commands are forked from."""
        self._channel.close()
        self._process.wait(60)


def _write(fd: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(fd, "wb") as stream:
        stream.write(data)


def _read(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as stream:
        return stream.read()


def _wait_for_commands(channel: socket.socket) -> list[str] | None:
    """Returns in a fresh process for each request: what it shall run; None when all is over."""
    while True:
        request, fds, *_ = socket.recv_fds(channel, _MOST_BYTES, 4)
        if not request:
            return None
        if os.fork() == 0:
            break
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass  # One that had waited for a command and has ended.
    channel.close()
    *streams, noted = fds
    pid = os.fork()
    if pid:
        for fd in streams:
            os.close(fd)
        os.write(noted, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(noted, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(noted)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    wanted = json.loads(request)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    return wanted["args"]  # type: ignore[no-any-return]


if __name__ == "__main__":
    for module in sys.argv[2:]:
        with contextlib.suppress(ImportError):  # Which then costs a command its time, and nothing else.
            importlib.import_module(module)
    gc.freeze()  # What is never looked at again is never copied.
    arguments = _wait_for_commands(socket.socket(fileno=int(sys.argv[1])))
    if arguments is not None:
        sys.argv[1:] = arguments
        runpy.run_module("demask", run_name="__main__", alter_sys=True)
