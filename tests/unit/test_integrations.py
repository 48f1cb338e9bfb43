"""ComfyUI's nodes by its contract, driven by a small graph; the Gradio page; raw frames; a watched folder."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demask.cli.remove_job import arrivals
from demask.errors import InputError
from demask.photo.plain_pictures import raw_frames
from tiny_networks import GREEN, make_photo

INTEGRATIONS = Path(__file__).parents[2] / "integrations"


def load(path: Path, name: str) -> ModuleType:
    """A folder or file as a module, as ComfyUI and a Space load it."""
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent)] if path.name == "__init__.py" else None
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def nodes(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    pytest.importorskip("torch")
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    pack = load(INTEGRATIONS / "comfyui" / "__init__.py", "comfyui_demask")
    assert pack.NODE_CLASS_MAPPINGS.keys() == pack.NODE_DISPLAY_NAME_MAPPINGS.keys()
    return dict(pack.NODE_CLASS_MAPPINGS)


def run_graph(nodes: dict[str, Any], graph: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """A graph in ComfyUI's prompt format, its nodes in an order that works; types are checked."""
    done: dict[str, tuple[Any, ...]] = {}
    for key, node in graph.items():
        if node["class_type"] == "Value":
            done[key] = (node["value"],)
            continue
        kind = nodes[node["class_type"]]
        wants = kind.INPUT_TYPES()
        known = {**wants["required"], **wants.get("optional", {})}
        assert wants["required"].keys() <= node["inputs"].keys() <= known.keys()
        values = {
            name: done[value[0]][value[1]] if isinstance(value, list) else value
            for name, value in node["inputs"].items()
        }
        outputs = getattr(kind(), kind.FUNCTION)(**values)
        assert len(outputs) == len(kind.RETURN_TYPES) == len(kind.RETURN_NAMES)
        for output, type_ in zip(outputs, kind.RETURN_TYPES, strict=True):
            if type_ == "STRING":
                assert isinstance(output, str)
            else:
                assert output.ndim == (4 if type_ == "IMAGE" else 3)
                assert output.dtype.is_floating_point
                assert 0 <= float(output.min()) <= float(output.max()) <= 1
        done[key] = outputs
    return done


def test_a_graph_finds_and_removes(nodes: dict[str, Any]) -> None:
    import torch

    photos = torch.from_numpy(np.stack([make_photo(), make_photo(GREEN)]).astype(np.float32) / 255)
    image = (photos * 0.999 + 0.0001).clamp(0, 1)  # Values that 8 bits do not hold.
    graph = {
        "1": {"class_type": "Value", "value": image},
        "2": {"class_type": "DemaskFind", "inputs": {"image": ["1", 0]}},
        "3": {
            "class_type": "DemaskRemove",
            "inputs": {"image": ["1", 0], "restorer": "network", "faces": "all", "hole": ["2", 0]},
        },
        "4": {"class_type": "DemaskSamples", "inputs": {"image": ["1", 0], "restorers": "network,telea"}},
    }
    done = run_graph(nodes, graph)
    hole, found = done["2"]
    assert [bool(one.any()) for one in hole] == [True, False]
    assert [face["covered"] for face in json.loads(found)[0]] == [True]
    out, changed, status = done["3"]
    assert status == "restored\nno_covering"
    where = changed[..., None].expand_as(out) > 0.5
    assert torch.equal(out[~where], image[~where])
    assert not torch.equal(out[0], image[0])
    samples, names = done["4"]
    assert (len(samples), names) == (2, "network,telea")
    assert not torch.equal(samples[0], samples[1])


def test_a_hole_of_another_size_is_refused(nodes: dict[str, Any]) -> None:
    import torch

    image = torch.zeros(1, 64, 64, 3)
    with pytest.raises(ValueError, match="the hole is"):
        nodes["DemaskRemove"]().remove(image, "network", "all", torch.ones(1, 32, 32))


def test_the_gradio_page_restores(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    app = load(INTEGRATIONS / "gradio" / "app.py", "gradio_app")
    photo, says = app.restore(make_photo())
    assert photo.shape == make_photo().shape
    assert "invented" in says
    assert app.page.title == "demask"


def test_raw_frames_are_cut_from_a_stream() -> None:
    frames = [np.full((2, 3, 3), value, np.uint8) for value in range(3)]
    data = b"".join(frame.tobytes() for frame in frames)
    read = list(raw_frames(io.BytesIO(data), width=3, height=2))
    assert all(np.array_equal(*pair) for pair in zip(read, frames, strict=True))
    with pytest.raises(InputError, match="ends within frame 2: 17 of 18"):
        list(raw_frames(io.BytesIO(data[:-1]), width=3, height=2))


def test_a_photo_is_told_once_it_is_whole(tmp_path: Path) -> None:
    looks = 0
    path = tmp_path / "sub" / "a.jpg"
    path.parent.mkdir()
    (tmp_path / "note.txt").write_text("no picture")

    def sleep(_: float) -> None:
        """What happens between two looks: the file grows, then stays, then is replaced."""
        nonlocal looks
        looks += 1
        if looks <= 3:
            with path.open("ab") as file:
                file.write(b"part")
        if looks == 6:
            path.write_bytes(b"another")

    told = list(arrivals(tmp_path, sleep=sleep, done=lambda: looks >= 9))
    assert told == [[path], [path]]


def test_compare_writes_what_its_name_says(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from demask.cli.app import app
    from demask.photo.inspection import inspect_photo

    for name, colour in (("a.png", None), ("b.png", GREEN)):
        Image.fromarray(make_photo() if colour is None else make_photo(colour)).save(tmp_path / name)
    for name in ("both.png", "both.jpg", "both.gif", "both.html"):
        done = CliRunner().invoke(
            app, ["compare", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "-o", str(tmp_path / name)]
        )
        assert done.exit_code == 0, done.exception
    assert inspect_photo(tmp_path / "both.png").restored
    assert inspect_photo(tmp_path / "both.jpg").restored
    assert b"input type" in (tmp_path / "both.html").read_bytes()


def test_raw_pipes_frames_through(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from demask.cli.app import app

    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    frames = [make_photo(), make_photo(GREEN), make_photo()]
    height, width = frames[0].shape[:2]
    done = CliRunner().invoke(
        app,
        ["raw", "--size", f"{width}x{height}", "--jobs", "2"],
        input=b"".join(frame.tobytes() for frame in frames),
    )
    assert done.exit_code == 0, done.exception
    out = np.frombuffer(done.stdout_bytes, np.uint8).reshape(3, height, width, 3)
    assert np.array_equal(out[1], frames[1])
    assert not np.array_equal(out[0], frames[0])
    assert np.array_equal(out[0], out[2])
