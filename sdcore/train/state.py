"""The state of a user's training: a `Run` whose failures are sentences, and that saves memory."""

from __future__ import annotations

import importlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdcore.errors import MachineError, ModelError
from sdcore.train.run import Run

STATE = "state.pt"  # as `Run` calls it


@dataclass(eq=False)
class OwnRun(Run):
    """A `Run` in evaluation mode, so that nothing but the step's own numbers is drawn.

    Without a moving average (`ema` 0) none is held. Raises ModelError for a state that cannot be
    read, MachineError where it cannot be written: the one before stays.
    """

    eight_bit: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for module in self.modules.values():
            module.eval()
        if not self.state_file.exists():
            self._choose_optimiser()
        self._share_average()

    def save(self) -> None:
        part = self.state_file.with_suffix(".part")
        try:
            super().save()
            self._write_losses()
        except (OSError, RuntimeError) as error:  # torch has its own words for a full disk
            part.unlink(missing_ok=True)
            said = getattr(error, "strerror", None) or str(error).strip().split("\n")[0]
            raise MachineError(
                f"{self.state_file} cannot be written ({said}): free some space, then give the "
                "same command to go on from the state before"
            ) from error

    def _resume(self) -> None:
        self._choose_optimiser()
        try:
            super()._resume()
        except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
            first = str(error).strip().split("\n")[0]
            raise ModelError(
                f"{self.state_file} is no state of this training ({first}): give another work "
                "folder, or delete it to begin anew"
            ) from error

    def _write_losses(self) -> None:
        """losses.csv beside the state: what stands in the state, for people and plots."""
        rows = [f"{step},{loss:.6g},{self.recipe.rate(step):.4g}" for step, loss in self.losses]
        write_text(self.folder / "losses.csv", "\n".join(["step,loss,rate", *rows]) + "\n")

    def _choose_optimiser(self) -> None:
        """The one with 8-bit states where it is wanted and there; else torch's fused one stays."""
        if not self.eight_bit:
            return
        try:
            library: Any = importlib.import_module("bitsandbytes")
        except ImportError:
            self.notes = (
                "bitsandbytes is not installed: the optimiser's states take four times the memory "
                "of 8-bit ones (pip install bitsandbytes, then begin anew)",
            )
            return
        self.optimiser = library.optim.AdamW8bit(
            self.parameters,
            lr=self.recipe.lr,
            weight_decay=self.recipe.weight_decay,
            betas=(0.9, 0.99),
        )

    def _share_average(self) -> None:
        """Where nothing is averaged, the average is the weights themselves."""
        if self.recipe.ema == 0:
            self.average = [parameter.detach() for parameter in self.parameters]


def write_text(path: Path, text: str) -> None:
    """The file with this text, whole or as it was."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
