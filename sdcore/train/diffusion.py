"""Train a small text-to-image model on latents: the UNet and its text encoder together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sdcore.models.circular import circular
from sdcore.train.labels import Labels, Table
from sdcore.train.run import Run, batches
from sdcore.train.task import Recipe
from sdcore.train.tokens import LENGTH, token_ids
from sdcore.types import Tiling

Captions = Callable[[Sequence[int], torch.Generator], list[str]]
UNCONDITIONAL = 0.1
# A network of circular convolutions alone cannot know where a loop begins. One convolution that
# sees the edge tells it.
EDGE = ("down_blocks.0.resnets.0.conv1",)


def small_unet(
    *,
    latent_channels: int,
    height: int,
    width: int,
    text_width: int,
    widths: tuple[int, int, int] = (64, 128, 192),
    layers: int = 2,
) -> UNet2DConditionModel:
    """A UNet of 16 M parameters (7 M of widths 48, 96, 160 and one of its `layers` a level), head
    dimension 32, no attention at the top: quick on a CPU."""
    return UNet2DConditionModel(
        sample_size=(height, width),
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=widths,
        layers_per_block=layers,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        # diffusers means the number of heads
        attention_head_dim=tuple(width // 32 for width in widths),
        cross_attention_dim=text_width,
        # The words as a whole are added to the time, as a fact about all of the picture.
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        norm_num_groups=16,
    )


def small_text_encoder(vocabulary: int, *, width: int, layers: int = 3) -> CLIPTextModel:
    """A CLIP text model of few layers that is trained along with the UNet."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=LENGTH,
        projection_dim=width,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    return CLIPTextModel(config)


def load_networks(folder: Path) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """UNet and text encoder of a checkpoint folder in float32, to be trained further."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    return unet, text_encoder


def noise_schedule() -> DDIMScheduler:
    """Stable Diffusion's betas with v-prediction (Salimans and Ho 2022, arXiv:2202.00512)."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def train_diffusion(
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    groups: Sequence[tuple[Tensor, Captions]],
    recipe: Recipe,
    *,
    folder: Path,
    device: torch.device,
    labels: Labels | None = None,
    tiling: Tiling = "x",
    weights: Sequence[Tensor] | None = None,
) -> Run:
    """Train on latents with v-prediction; resumes from `folder`.

    High noise levels come more often, for there it is decided what the words say.

    Args:
        groups: sets of one size each: latents (n, channels, h, w) and a function that writes
        captions for indices; every step takes its batch from one group, chosen in proportion to
        its number of pictures.
        labels: what is shown as a vector instead of the pooled words, of the pictures of a single
        group; the run then has a module "table".
        tiling: axes on which the pictures join themselves, "x" for loops.
        weights: of each group, how much each cell of a picture counts (n, h, w), about 1 in the
        mean; None is all the same.
    """
    # On a CPU the backward pass of fused attention is several times slower than that of plain
    # products.
    if device.type == "cpu":
        unet.set_attn_processor(AttnProcessor())
        text_encoder.set_attn_implementation("eager")
    modules: dict[str, nn.Module] = {"unet": unet, "text_encoder": text_encoder}
    table = None
    if labels is not None:
        table = modules["table"] = Table(labels, unet.time_embedding.linear_2.out_features)
    run = Run(modules, recipe, folder, device)
    rng = torch.Generator().manual_seed(recipe.seed + run.step)
    alphas = noise_schedule().alphas_cumprod.to(device)
    sizes = torch.tensor([float(len(latents)) for latents, _ in groups])
    orders = [
        iter(batches(len(latents), recipe.batch, seed=recipe.seed + k, start=run.step))
        for k, (latents, _) in enumerate(groups)
    ]
    with circular([unet], axes=tiling, edge=EDGE):
        for _ in run.steps("diffusion"):
            group = int(torch.multinomial(sizes, 1, generator=rng))
            latents, captions = groups[group]
            index = next(orders[group])
            x0 = latents[index].float().to(device)
            texts = captions(index.tolist(), rng)
            keep = (torch.rand(len(texts), generator=rng) >= UNCONDITIONAL).tolist()
            texts = [text if kept else "" for text, kept in zip(texts, keep, strict=True)]
            tokens = token_ids(tokenizer, texts).to(device)
            t = (torch.rand(len(x0), generator=rng).sqrt() * len(alphas)).long()
            t = t.clamp(max=len(alphas) - 1).to(device)
            noise = torch.randn(x0.shape, generator=rng).to(device)
            a = alphas[t].sqrt()[:, None, None, None]
            b = (1 - alphas[t]).sqrt()[:, None, None, None]
            with ExitStack() as shown:
                if labels is not None and table is not None:
                    ids = labels.of(index.tolist(), texts).to(device)
                    shown.enter_context(table.shown(unet, ids))
                shown.enter_context(torch.autocast(device.type, dtype=torch.bfloat16))
                context = text_encoder(input_ids=tokens).last_hidden_state
                v = unet(a * x0 + b * noise, t, encoder_hidden_states=context).sample
            error = (v.float() - (a * noise - b * x0)).square()
            if weights is not None:
                error = error * weights[group][index][:, None].to(device)
            run.update(error.mean())
    return run
