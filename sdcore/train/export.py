"""Trained networks -> a folder in the layout of Stable Diffusion 1.x, fp16 safetensors."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from diffusers import AutoencoderDC, SchedulerMixin, UNet2DConditionModel
from transformers import CLIPTextModel


def write_checkpoint(
    folder: Path,
    *,
    unet: UNet2DConditionModel,
    vae: AutoencoderDC,
    text_encoder: CLIPTextModel,
    tokenizer: Path,
    scheduler: SchedulerMixin,
    edge: Sequence[str],
) -> None:
    """Write or replace the checkpoint's parts in `folder`; other files there are left alone.

    Args:
        tokenizer: folder of the tokenizer's files, copied as they are.
        edge: the UNet's convolutions that were trained without wrapping, "circular_edge" in its
        config.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in (("unet", unet), ("vae", vae), ("text_encoder", text_encoder)):
        shutil.rmtree(folder / name, ignore_errors=True)
        # a copy: .half() would change the network that is being trained or judged
        copy.deepcopy(network).half().save_pretrained(folder / name, safe_serialization=True)
        config_path = folder / name / "config.json"
        config = json.loads(config_path.read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)  # where it lay on the machine that trained it
        if name == "unet":
            config["circular_edge"] = list(edge)
        config_path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    scheduler.save_pretrained(folder / "scheduler")
    shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", type(vae).__name__],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", type(scheduler).__name__],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
