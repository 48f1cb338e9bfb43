"""A run's averaged weights to a file that others can use."""

from __future__ import annotations

from pathlib import Path

from demask.training.engine.start import blend_with
from demask.training.export.model_card import model_card
from demask.training.export.weights_file import save_weights
from demask.training.recipes import open_trainer
from demask.training.tasks.register import Recipe, trainings


def export_run(
    recipe: Recipe,
    path: Path,
    *,
    checkpoint_name: str = "last.pt",
    card: Path | None = None,
    blend: tuple[Path, float] | None = None,
) -> None:
    """Export the averaged weights of a run; its training set may be gone.

    Args:
        recipe: As saved with the run.
        path: An .onnx file, checked against torch, or a .safetensors file.
        checkpoint_name: Which of the run's checkpoints.
        card: Where a model card goes; None writes none.
        blend: An exported network of the same kind and the fraction its weights count; see
            `start.blend_with`.

    Raises:
        ConfigError: The fraction is none.
        OutputError: A file cannot be written.
        TrainingError: No checkpoint, one of another architecture, or an export that differs from torch.
    """
    trainer = open_trainer(recipe, checkpoint_name=checkpoint_name)
    task, network = trainer.task, trainer.average.network
    if blend:
        blend_with(network, *blend, export=task.export)
    if path.suffix == ".safetensors":
        save_weights(network, path, about={"task": task.name, "steps": str(trainer.num_steps)})
    else:
        task.export(network, path)
    if card:
        training = trainings()[task.name]
        text = model_card(
            task.name, recipe, does=training.does, invents=training.invents, run=recipe.trainer.run,
            num_steps=trainer.num_steps, parameters=sum(p.numel() for p in network.parameters()), blend=blend,
        )  # fmt: skip
        card.write_text(text, encoding="utf-8")
