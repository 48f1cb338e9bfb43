import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from demask.errors import UsageError
from demask.training.engine.run_log import Sink


def test_figures_and_pictures_are_kept_by_step(tmp_path: Path) -> None:
    sink = Sink(tmp_path, from_step=0)
    sink.scalars(3, "train", {"l1": 0.123456789})
    grid = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    sink.picture(3, grid)
    sink.close()
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    facts = json.loads(line)
    assert (facts["step"], facts["group"], facts["l1"]) == (3, "train", 0.123457)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["0000003.png"]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (shown,) = board.Images("samples")
    assert (shown.step, shown.height, shown.width) == (3, 8, 12)
    for encoded in (shown.encoded_image_string, (tmp_path / "samples" / "0000003.png").read_bytes()):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded))), grid)


def test_a_process_that_does_not_write_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sink = Sink(None, from_step=0, mlflow="nowhere")
    sink.scalars(1, "train", {"l1": 0.5})
    sink.picture(1, np.zeros((8, 8, 3), np.uint8))
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_mlflow_gets_figures_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    address = (tmp_path / "mlruns").as_uri()
    sink = Sink(tmp_path, from_step=0, mlflow=address, described={"task": "hole", "run": tmp_path})
    sink.scalars(7, "val", {"iou": 0.9})
    sink.close()
    (run,) = mlflow.search_runs(experiment_names=["demask"], output_format="list")
    assert run.data.metrics == {"val/iou": 0.9}
    assert run.info.status == "FINISHED"


def test_without_mlflow_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(UsageError, match="pip install"):
        Sink(tmp_path, from_step=0, mlflow="http://localhost:1")
