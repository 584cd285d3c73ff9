"""What a diffusers scheduler_config.json says of the training, whichever scheduler it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Family, Prediction
from sdcore.models.files import read_json
from sdcore.schedules import LAST_ALPHA_BAR, NoiseLevels

_PREDICTIONS: dict[str, Prediction] = {"epsilon": "epsilon", "v_prediction": "v_prediction"}


def read_scheduler(path: Path) -> tuple[NoiseLevels, Prediction]:
    """The noise levels of the training, and what the UNet predicts, by the file."""
    return levels_of(read_json(path), path)


def levels_of(config: dict[str, Any], path: Path) -> tuple[NoiseLevels, Prediction]:
    """The noise levels of the training, and what the UNet predicts; `path` is named in refusals.

    Raises:
        ModelError: a prediction, a kind of betas or a value that is not known.
    """
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in _PREDICTIONS:
        raise ModelError(f"{path} predicts '{prediction}': known: {', '.join(_PREDICTIONS)}")
    try:
        betas = _betas(config)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{path} gives no betas ({error}): copy it again") from None
    if len(betas) < 2 or not bool(((betas > 0) & (betas < 1)).all()):
        raise ModelError(f"{path} gives betas outside of 0 .. 1: copy it again")
    levels = NoiseLevels.from_betas(betas)
    if config.get("rescale_betas_zero_snr"):
        levels = levels.zero_terminal()
    return levels, _PREDICTIONS[prediction]


def for_family(levels: NoiseLevels, family: Family) -> NoiseLevels:
    """The levels, told of the family whose published schedules are meant."""
    return replace(levels, family="sdxl" if family.startswith("sdxl") else "sd1")


def is_zero_terminal(levels: NoiseLevels) -> bool:
    """Whether the last level is all noise."""
    full = ((1 - LAST_ALPHA_BAR) / LAST_ALPHA_BAR) ** 0.5
    return levels.sigma_max > 0.99 * float(full)


def _betas(config: dict[str, Any]) -> Tensor:
    """(T,) float64; defaults are those of diffusers' schedulers."""
    if config.get("trained_betas") is not None:
        return torch.tensor(config["trained_betas"], dtype=torch.float64)
    first, last = config.get("beta_start", 0.0001), config.get("beta_end", 0.02)
    steps, kind = config.get("num_train_timesteps", 1000), config.get("beta_schedule", "linear")
    if kind == "linear":
        return torch.linspace(first, last, steps, dtype=torch.float64)
    if kind == "scaled_linear":  # linear in the square root: latent diffusion's
        return torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2
    raise ValueError(f"beta_schedule '{kind}' is not linear or scaled_linear")
