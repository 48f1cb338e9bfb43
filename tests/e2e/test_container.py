"""The container files, as far as they can be checked without an engine: parsed, and their steps run by hand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    text = (REPOSITORY / "Containerfile").read_text("utf-8")
    text = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    pairs = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in pairs]


def test_the_image_is_modest() -> None:
    lines = instructions()
    words = [word for word, _ in lines]
    known = "FROM WORKDIR COPY RUN ENV USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT"
    assert set(words) <= set(known.split())
    last = lines[len(words) - 1 - words[::-1].index("FROM") :]
    assert all(":" in rest.split()[0] and ":latest" not in rest for word, rest in lines if word == "FROM")
    (user,) = [rest for word, rest in last if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    # What runs in the end was made before rights were given away, and nothing is made after.
    assert [word for word, _ in last if word in ("RUN", "COPY")] == ["COPY"]
    kept = (REPOSITORY / ".containerignore").read_text("utf-8").splitlines()
    for word, rest in lines:
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (REPOSITORY / source).exists(), source
                assert f"!{source}" in kept


def test_compose_gives_no_rights() -> None:
    yaml = pytest.importorskip("yaml")
    service = yaml.safe_load((REPOSITORY / "compose.yaml").read_text("utf-8"))["services"]["demask"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "volumes" not in service
    assert service["build"]["dockerfile"] == "Containerfile"


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.name != "posix", reason="runs a Linux image's steps")
def test_the_steps_of_the_image_give_a_server_without_rights(tmp_path: Path) -> None:
    pytest.importorskip("httpx")
    rights = {} if os.geteuid() else {"user": 10001, "group": 10001, "extra_groups": []}
    closed = [folder for folder in Path(sys.executable).resolve().parents if not folder.stat().st_mode & 1]
    if rights and closed:
        pytest.skip(f"this Python lies in {closed[0]}, where only root may look; use one that all can run")
    place, source = tmp_path / "image", tmp_path / "source"
    source.mkdir()
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for name in rest.split()[:-1]:
                copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
                copy(REPOSITORY / name, source / name)
        if word == "RUN":
            command = re.sub(r"^python ", f"{sys.executable} ", rest).replace("/opt/demask", str(place))
            subprocess.run(command, shell=True, cwd=source, check=True, timeout=900)
    shutil.rmtree(source)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):  # pytest's own are closed to others.
        folder.chmod(folder.stat().st_mode | 0o055)
    environment = {"PATH": f"{place}/bin", "DEMASK_HOST": "0.0.0.0", "DEMASK_KEY": "x" * 20, "DEMASK_PORT": "0"}
    (entry,) = [rest for word, rest in instructions() if word == "ENTRYPOINT"]
    assert entry == '["demask", "serve"]'
    process = subprocess.Popen(
        [place / "bin/demask", "serve"],
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        stderr=subprocess.PIPE,
        text=True,
        **rights,
    )
    try:
        assert process.stderr is not None
        port = next(match[1] for line in process.stderr if (match := re.search(r'"http://[^:]+:(\d+)/"', line)))
        photo = (REPOSITORY / "examples/astronaut-covered.jpg").read_bytes()
        import httpx

        url, key = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {'x' * 20}"}
        answer = httpx.post(f"{url}/v1/remove", files={"photo": photo}, headers=key, timeout=60)
        assert answer.headers["x-demask-status"] == "restored"
        (check,) = [rest for word, rest in instructions() if word == "HEALTHCHECK"]
        code = eval(check.partition("CMD ")[2])[2]
        subprocess.run([sys.executable, "-c", code], env={"DEMASK_PORT": port}, check=True, timeout=20)
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stderr.close()  # type: ignore[union-attr]
