"""Under torchrun: the gradients of the first batch, and a short run; the first process writes what came out."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from stito.training.devices import make_fabric
from stito.training.loop import Training
from stito.training.recipe import parse_recipe
from stito.training.tasks.encoder import FXencoderTask
from stito.training.tasks.supplies import Supplies
from training.toys import RECIPE, Noise, Turner, loudness


def main(folder: Path) -> None:
    """Leave `gradients.pt` in the folder, and what the loop leaves."""
    recipe = parse_recipe(RECIPE)
    fabric = make_fabric("cpu")
    task = FXencoderTask(recipe, loudness, Supplies(Noise(), Noise(), Turner, fabric))  # type: ignore[arg-type]
    training = Training(task, recipe, fabric, folder, tensorboard=False)
    loss, _ = task.loss(training.network, task.prepare(0))
    fabric.backward(loss)
    if fabric.is_global_zero:
        torch.save([parameter.grad for parameter in training.module.parameters()], folder / "gradients.pt")
    training.optimiser.zero_grad()
    training.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
