"""Checkpoints of the hub, fetched into its own cache when one is named that is not here."""

from __future__ import annotations

import re
from pathlib import Path

from sdcore.errors import ModelError
from sdcore.models.files import PARTS, TOWERS, read_json, towers_in

_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_NETWORKS = ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model")
_WEIGHTS = (*_NETWORKS, *(f"{encoder}/model" for encoder, _ in TOWERS))
_FOLDERS = (*PARTS, *(part for pair in TOWERS for part in pair))
_REST = (
    "*.json",
    "README.md",
    *(f"{part}/*.json" for part in _FOLDERS),
    *(f"{tokenizer}/merges.txt" for _, tokenizer in TOWERS),
)


def fetch(ref: str) -> Path:
    """The folder of the hub id `ref` (owner/name), downloaded once and then read from the cache.

    Of the weights those files are taken that are read: safetensors, in fp16 where there are no
    others.

    Raises:
        ModelError: no such id, or no connection.
    """
    if not _ID.fullmatch(ref):
        raise ModelError(f"no folder {ref}: give a folder in diffusers layout, or a hub id")
    folder = _snapshot(ref, variant="")
    towers = towers_in(read_json(folder / "model_index.json"))
    wanted = (*_NETWORKS, *(f"{encoder}/model" for encoder, _ in towers))
    if not all((folder / f"{name}.safetensors").is_file() for name in wanted):
        folder = _snapshot(ref, variant=".fp16")
    return folder


def name_of(folder: Path) -> str:
    """What a checkpoint's folder is called; the hub's cache names folders by commit."""
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.rpartition("--")[2]
    return folder.resolve().name


def _snapshot(ref: str, *, variant: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = [*_REST, *(f"{name}{variant}.safetensors" for name in _WEIGHTS)]
    try:
        return Path(snapshot_download(ref, allow_patterns=wanted))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(
            f"{ref} is no folder here, and the hub did not give it ({first}): "
            "check the name and the connection"
        ) from None
