"""`demask inspect` and `demask c2pa test-cert`, by what they print."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from demask.cli.app import app
from demask.photo.provenance import labelled
from demask.weights.registry import fingerprint

run = CliRunner().invoke


def jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def test_inspect_tells_label_networks_and_what_is_installed(tmp_path: Path) -> None:
    xmp = labelled(None, networks={"finder": fingerprint("finder"), "restorer": "0" * 16})
    photo = tmp_path / "a-demasked.jpg"
    photo.write_bytes(jpeg(xmp=xmp))
    (tmp_path / "b.jpg").write_bytes(jpeg(comment=b"hello"))
    done = run(app, ["inspect", str(tmp_path)])
    assert done.exit_code == 0
    first, second = done.stdout.split(f"{tmp_path / 'b.jpg'}: ")
    assert "restored by demask" in first
    assert f"finder: {fingerprint('finder')}, the one installed here" in first
    assert f"restorer: {'0' * 16}\n" in first
    assert "compositeWithTrainedAlgorithmicMedia" in first
    assert "nothing says that demask restored it" in second
    assert "holds: comment" in second


def test_inspect_as_json_and_with_a_bad_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(jpeg())
    bad.write_bytes(b"no picture")
    done = run(app, ["inspect", str(good), str(bad), "--json"])
    assert done.exit_code == 3
    known, failed = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert (known["restored"], known["manifest"]["state"], known["holds"]) == (False, "none", [])
    assert (known["width"], known["height"]) == (48, 32)
    assert "no picture" in failed["error"]


def test_a_trial_certificate_signs_and_is_trusted_by_its_own_root(tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    made = run(app, ["c2pa", "test-cert", "-o", str(tmp_path / "trial")])
    assert made.exit_code == 0
    key = tmp_path / "trial" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run(app, ["c2pa", "test-cert", "-o", str(tmp_path / "trial")]).exit_code == 1

    from demask.photo.credentials import Original, sign
    from demask.photo.decode import read_photo

    data = jpeg()
    original = Original(data=data, format="JPEG", pixels=read_photo(data).pixels)
    signed = tmp_path / "signed.jpg"
    signed.write_bytes(sign(data, "JPEG", tmp_path / "trial" / "chain.pem", key, original=original))
    assert "valid, untrusted" in run(app, ["inspect", str(signed)]).stdout
    trusted = run(app, ["inspect", str(signed), "--trust", str(tmp_path / "trial" / "root.pem")]).stdout
    assert "valid, trusted; signed by demask trial" in trusted
    assert "made from the photograph" in trusted
    assert " at 20" in trusted
