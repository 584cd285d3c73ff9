"""What a user's training leaves: files that this and other tools read, with their settings inside.

LoRA                kohya's layout: lora_unet_..., lora_te_..., alpha; "ss_" entries in the header
textual inversion   A1111's: emb_params, or clip_l and clip_g for SDXL's two towers
full                the checkpoint's own layout, folder or single file, float16
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save, save_file
from torch import Tensor

from sdcore.errors import MachineError
from sdcore.models.checkpoint import Checkpoint, Family
from sdcore.models.files import read_json, towers_in
from sdcore.models.single import write_single
from sdcore.train.adapters import Adapters
from sdcore.train.own import Examples, Learned
from sdcore.train.subjects import Vectors
from sdcore.train.task import Task

# As kohya's trainer calls the families.
_BASES: dict[Family, str] = {"sd1": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0"}
_WEIGHTS = (".safetensors", ".bin", ".index.json")


def lora_file(learned: Learned, groups: Sequence[Examples]) -> bytes:
    """A .safetensors of kohya's layout."""
    adapters = learned.subject.modules["lora"]
    assert isinstance(adapters, Adapters)
    return _with_header(adapters.tensors(), header(learned, groups))


def embedding_file(learned: Learned, groups: Sequence[Examples]) -> bytes:
    """A .safetensors of A1111's layout."""
    vectors = learned.subject.modules["embedding"]
    assert isinstance(vectors, Vectors)
    towers = [one.detach().float().cpu().contiguous() for one in vectors.towers]
    names = ("emb_params",) if len(towers) == 1 else ("clip_l", "clip_g")
    if learned.subject.checkpoint.family == "sdxl-refiner":
        names = ("clip_g",)
    return _with_header(dict(zip(names, towers, strict=True)), header(learned, groups))


def header(learned: Learned, groups: Sequence[Examples]) -> dict[str, str]:
    """The settings and what the captions say, under the names that kohya's trainer gave them.

    Nothing in it tells the time, so that the same training gives the same bytes.
    """
    task, checkpoint = learned.subject.task, learned.subject.checkpoint
    recipe, count = task.recipe, sum(len(group.captions) for group in groups)
    said: dict[str, object] = {
        "ss_output_name": task.name,
        "ss_sd_model_name": checkpoint.name,
        "ss_new_sd_model_hash": checkpoint.sha256,
        "ss_base_model_version": _BASES.get(checkpoint.family, checkpoint.family),
        "ss_v2": checkpoint.family == "sd2",
        "ss_max_train_steps": recipe.steps,
        "ss_steps": recipe.steps,
        "ss_num_train_images": count,
        "ss_batch_size_per_device": recipe.batch,
        "ss_total_batch_size": recipe.batch,
        "ss_learning_rate": recipe.lr,
        "ss_lr_scheduler": "cosine",
        "ss_lr_warmup_steps": recipe.warmup,
        "ss_optimizer": "torch.optim.AdamW" + ("8bit" if task.eight_bit else ""),
        "ss_seed": recipe.seed,
        "ss_clip_skip": task.clip_skip,
        "ss_caption_dropout_rate": task.dropout,
        "ss_min_snr_gamma": task.min_snr,
        "ss_gradient_checkpointing": task.checkpointing,
        "ss_resolution": ", ".join(_sizes(groups, checkpoint.factor)),
        "ss_tag_frequency": json.dumps({task.name: _tags(groups)}, ensure_ascii=False),
        "ss_dataset_dirs": json.dumps({task.name: {"n_repeats": 1, "img_count": count}}),
    }
    if task.what == "lora":
        said |= _network(task)
    said["ss_training_comment"] = f"loss {learned.losses[-1][1]:.4f}" if learned.losses else ""
    return {name: str(value) for name, value in said.items()}


def _network(task: Task) -> dict[str, object]:
    alpha = float(task.rank if task.alpha is None else task.alpha)
    own = {"conv_dim": task.rank, "conv_alpha": alpha} if task.convolutions else {}
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": task.rank,
        "ss_network_alpha": alpha,
        "ss_network_args": json.dumps(own),
        "ss_unet_lr": task.recipe.lr,
        "ss_text_encoder_lr": task.recipe.lr if task.text else 0.0,
    }


def _sizes(groups: Sequence[Examples], factor: int) -> list[str]:
    """'512x768' of each group, in pixels."""
    shapes = (group.latents.shape for group in groups)
    return sorted({f"{shape[-1] * factor}x{shape[-2] * factor}" for shape in shapes})


def _tags(groups: Sequence[Examples]) -> dict[str, int]:
    """How often each part between commas stands in a caption."""
    captions = (caption for group in groups for caption in group.captions)
    tags = Counter(tag.strip() for caption in captions for tag in caption.split(","))
    del tags[""]
    return dict(tags.most_common())


def _with_header(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> bytes:
    """The file's bytes, with the hash of its tensors (A1111's AutoV3) in the header.

    The library writes entries in an order that changes from run to run: here they are sorted.
    """
    plain: bytes = save(dict(tensors))
    start = 8 + int.from_bytes(plain[:8], "little")
    digest = hashlib.sha256(plain[start:]).hexdigest()
    entries = dict(sorted({**said, "sshs_model_hash": digest}.items()))
    text = json.dumps({"__metadata__": entries, **json.loads(plain[8:start])}, ensure_ascii=False)
    head = text.encode()
    head += b" " * (-len(head) % 8)  # tensors begin where 8 bytes do
    return len(head).to_bytes(8, "little") + head + plain[start:]


def write_full(checkpoint: Checkpoint, source: Path, target: Path, *, text: bool) -> None:
    """Write the checkpoint, once read from `source`, to `target` in the same layout.

    All that was not trained is copied as it lies there; `text` says that the text encoders were.
    `target` is there when it is whole, in the place of an older one. Raises MachineError where it
    cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        if source.is_file():
            write_single(checkpoint, part, dtype=torch.float16)
        else:
            _write_folder(checkpoint, source, part, text=text)
        if target.is_dir():
            shutil.rmtree(target)
        part.replace(target)
    except (OSError, SafetensorError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or str(error).strip().split("\n")[0]
        raise MachineError(
            f"{target} cannot be written ({said}): free some space or choose another place"
        ) from error
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        part.unlink(missing_ok=True)


def _write_folder(checkpoint: Checkpoint, source: Path, target: Path, *, text: bool) -> None:
    names = [encoder for encoder, _ in towers_in(read_json(source / "model_index.json"))]
    trained = {"unet", *(names if text else ())}

    def passed_by(folder: str, inside: list[str]) -> list[str]:
        if Path(folder).name in trained and Path(folder).parent == source:
            return [name for name in inside if name.endswith(_WEIGHTS)]
        return [name for name in inside if name.endswith(".md")]  # they tell of the other weights

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=passed_by)
    # the weights alone: config.json says more than the network knows, such as its edge
    state = {k: v.half().cpu().contiguous() for k, v in checkpoint.unet.state_dict().items()}
    save_file(state, target / "unet" / "diffusion_pytorch_model.safetensors")
    for name, tower in zip(names if text else (), checkpoint.towers, strict=False):
        copy.deepcopy(tower.encoder).half().save_pretrained(target / name)
