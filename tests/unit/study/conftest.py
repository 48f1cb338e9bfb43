"""What tests of the study share: drawn pictures, and a PostgreSQL server of Debian's where there is one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from study_plans import CONDITIONS, NUM_FACES

from drawn_pictures import draw_folders, write_labels


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn pictures for each condition, and labels.csv; not to be changed."""
    root = tmp_path_factory.mktemp("drawn")
    draw_folders(root, CONDITIONS, num=NUM_FACES)
    write_labels(root / "labels.csv", num=NUM_FACES)
    return root


def _find_initdb() -> Path | None:
    on_path = shutil.which("initdb")
    places = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].resolve() if places else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of an empty database of a server that lives as long as the tests."""
    initdb = _find_initdb()
    if initdb is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    pytest.importorskip("psycopg")
    # Not below pytest's own folder: another session of pytest that starts meanwhile closes that to other users.
    with tempfile.TemporaryDirectory(prefix="demask-postgres-") as folder:
        yield from _serve(initdb, Path(folder))


def _serve(initdb: Path, folder: Path) -> Iterator[str]:
    user: dict[str, str] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; Debian's package makes this account.
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("we are root and there is no account `postgres` to run the server as")
        user = {"user": "postgres"}
        os.chown(folder, account.pw_uid, account.pw_gid)
    port = _free_port()
    data, log = folder / "data", folder / "log"
    make = [initdb, "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(make, check=True, capture_output=True, cwd="/", **user)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    control = initdb.with_name("pg_ctl")
    start = [control, "-D", data, "-l", log, "-o", options, "-w", "start"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd="/", **user)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        stop = [control, "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=True, capture_output=True, cwd="/", **user)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.sqlite'}"
    import psycopg

    server = str(request.getfixturevalue("postgres_url"))
    name = f"study_{os.urandom(6).hex()}"
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
    return server.rsplit("/", 1)[0] + "/" + name
