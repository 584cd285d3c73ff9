"""Layers: loops of one player each on one grid, in one key, and their mix.

    layers.json     all settings; from it the same comes again
    mix.wav         the sum of the stems, sample for sample
    stems/*.wav     what each layer gives to the mix: its gain and the headroom are in it
    takes/*         the loops as they were made, with pictures; used again while their words stand

`plan_layers` refuses and settles everything, `adjusted` and `changed` make another plan of one;
`layer_mix.make_layers` makes the takes that are lacking and mixes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from riffapp.errors import UsageError
from riffapp.studio import checkpoints, prompts
from riffapp.studio.checkpoints import Sound
from riffapp.studio.layer_words import alone, role_of
from riffapp.studio.packs import drawn_seed, located
from riffapp.studio.plan import plan_loop, warnings
from riffapp.studio.types import BIT_DEPTHS, MAX_SEED, LoopRequest
from sdcore.errors import lookup

MAX_LAYERS = 16
GAIN_RANGE_DB = (-60.0, 24.0)
SUFFIXES = (".wav", ".flac")
_NAME = re.compile(r"[^\W_](?:[\w -]{0,30}\w)?")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What is asked of one layer; a seed of None follows from the base's and the name."""

    name: str
    prompt: str
    seed: int | None = None
    gain_db: float = 0.0
    mute: bool = False
    solo: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedLayer:
    """A layer with the resolved request of its take; `prompt` is as the person wrote it."""

    name: str
    role: str | None
    prompt: str
    request: LoopRequest
    gain_db: float = 0.0
    mute: bool = False
    solo: bool = False

    @property
    def file(self) -> str:
        """The name of its files, without a suffix."""
        return slug(self.name)


@dataclass(frozen=True, kw_only=True)
class LayersPlan:
    """Planned layers, and the format of mix and stems."""

    layers: tuple[PlannedLayer, ...]
    bit_depth: str
    suffix: str
    notes: tuple[str, ...] = ()

    @property
    def audible(self) -> frozenset[str]:
        """Names of the layers that sound: no muted ones, and where there are solos, only those."""
        solos = {layer.name for layer in self.layers if layer.solo}
        return frozenset(
            layer.name
            for layer in self.layers
            if not layer.mute and (not solos or layer.name in solos)
        )


# ---- planning ---------------------------------------------------------------------------------


def plan_layers(
    base: LoopRequest,
    layers: Sequence[Layer],
    *,
    suffix: str = ".wav",
    sound_of: Callable[[str], Sound] = checkpoints.read_sound,
) -> LayersPlan:
    """Every layer with nothing left open, all in the base's tempo, bars and key.

    The base's prompt is not used. Where neither it nor a layer's words name a key, one is drawn
    from its seed. Raises UsageError for what cannot be, with the layer's name.
    """
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise UsageError(f"{len(layers)} layers: give 1 to {MAX_LAYERS}, 'drums: house drums'")
    sound = sound_of(base.checkpoint)
    base = replace(base, takes=1, key=base.key or _common_key(base.seed, layers))
    found, notes = [], []
    for layer in layers:
        role = role_of(layer.name, layer.prompt, sound)
        if role is None:
            notes.append(
                f"layer '{layer.name}' names no player (drums, bass, chords, lead): "
                "it is made as it is written"
            )
        with located(f"layer '{layer.name}'"):
            request = plan_loop(_asked(base, layer, role, sound), sound)
        notes += warnings(request, sound)
        found.append(
            PlannedLayer(
                name=layer.name,
                role=role,
                prompt=layer.prompt,
                request=request,
                gain_db=layer.gain_db,
                mute=layer.mute,
                solo=layer.solo,
            )
        )
    plan = LayersPlan(
        layers=tuple(found),
        bit_depth=base.bit_depth,
        suffix=suffix,
        notes=tuple(dict.fromkeys(notes)),
    )
    return checked(plan)


def _asked(base: LoopRequest, layer: Layer, role: str | None, sound: Sound) -> LoopRequest:
    seed = layer.seed
    if seed is None:
        seed = base.seed if base.seed == -1 else drawn_seed(base.seed, slug(layer.name))
    return replace(
        base,
        prompt=layer.prompt if role is None else alone(layer.prompt, role, sound),
        # Captions of drums alone name no key.
        key=None if role == "drums" else base.key,
        seed=seed,
        bit_depth="float",  # takes are mixed, and rounded once, in the stems
    )


def checked(plan: LayersPlan) -> LayersPlan:
    """The plan itself. Raises UsageError for names, gains or a format that cannot be."""
    taken: dict[str, str] = {}
    for layer in plan.layers:
        if not _NAME.fullmatch(layer.name):
            raise UsageError(
                f"layer name '{layer.name[:40]}': give up to 32 letters, digits, spaces and dashes"
            )
        if layer.file in taken:
            raise UsageError(
                f"layers '{taken[layer.file]}' and '{layer.name}' would share their files: "
                "name them apart"
            )
        taken[layer.file] = layer.name
        low, high = GAIN_RANGE_DB
        if not (math.isfinite(layer.gain_db) and low <= layer.gain_db <= high):
            raise UsageError(
                f"gain {layer.gain_db:g} dB of layer '{layer.name}' is outside {low:g} to "
                f"{high:g}: give one within, or mute it"
            )
    if plan.suffix not in SUFFIXES:
        raise UsageError(
            f"unknown format '{plan.suffix}': stems that sum to their mix are .wav or .flac"
        )
    if plan.bit_depth not in BIT_DEPTHS:
        known = ", ".join(BIT_DEPTHS)
        raise UsageError(f"unknown bit depth '{plan.bit_depth}': known are {known}")
    if plan.suffix == ".flac" and plan.bit_depth == "float":
        raise UsageError("FLAC holds 16 or 24 bit: take one of them, or format wav for float")
    if not plan.audible:
        raise UsageError("every layer is muted: let at least one sound")
    return plan


def slug(name: str) -> str:
    """A layer's name as its files': 'lead-2'."""
    return re.sub(r"[\W_]+", "-", name.strip().lower())


def _common_key(seed: int, layers: Sequence[Layer]) -> str:
    """The key that the layers' words name, else one drawn from the seed."""
    said = {layer.name: prompts.key_in(layer.prompt) for layer in layers}
    keys = list(dict.fromkeys(key for key in said.values() if key is not None))
    if len(keys) > 1:
        names = [next(name for name, key in said.items() if key == one) for one in keys[:2]]
        raise UsageError(
            f"layer '{names[0]}' says {keys[0].name()} and '{names[1]}' says {keys[1].name()}: "
            "layers play in one key, give it once"
        )
    if keys:
        return keys[0].name()
    drawn = drawn_seed(seed, "key")
    return f"{prompts.SHARPS[drawn % 12]} {('minor', 'major')[drawn // 12 % 2]}"


# ---- changing a plan --------------------------------------------------------------------------


def adjusted(
    plan: LayersPlan,
    *,
    gains: Mapping[str, float],
    mutes: Sequence[str] | None = None,
    solos: Sequence[str] | None = None,
    seeds: Mapping[str, int],
) -> LayersPlan:
    """The plan with other gains (dB) and seeds by layer, and just these muted or soloed.

    None leaves mutes or solos as they are. Raises UsageError, or sdcore's UnknownName for a name
    that no layer has.
    """
    known = {layer.name: layer.name for layer in plan.layers}

    def named(names: Iterable[str]) -> set[str]:
        return {lookup(known, name, "layer") for name in names}

    named([*gains, *seeds])
    for name, seed in seeds.items():
        if not 0 <= seed <= MAX_SEED:
            raise UsageError(f"seed {seed} of layer '{name}' is outside 0 to {MAX_SEED}")
    muted, soloed = named(mutes or ()), named(solos or ())
    layers = [
        replace(
            layer,
            request=replace(layer.request, seed=seeds.get(layer.name, layer.request.seed)),
            gain_db=gains.get(layer.name, layer.gain_db),
            mute=layer.mute if mutes is None else layer.name in muted,
            solo=layer.solo if solos is None else layer.name in soloed,
        )
        for layer in plan.layers
    ]
    return checked(replace(plan, layers=tuple(layers)))


def changed(
    plan: LayersPlan,
    changes: Mapping[str, Any],
    *,
    suffix: str | None = None,
    sound_of: Callable[[str], Sound] = checkpoints.read_sound,
) -> LayersPlan:
    """The plan with other settings for all layers, by LoopRequest's fields: bpm, key, steps ...,
    and maybe another format.

    A seed is the one from which the layers' seeds follow. Raises UsageError as `plan_layers`.
    """
    own = dict(changes)
    depth, seed = own.pop("bit_depth", plan.bit_depth), own.pop("seed", None)
    layers = []
    for layer in plan.layers:
        request = replace(layer.request, **own)
        if layer.role == "drums":
            request = replace(request, key=layer.request.key)
        if seed is not None:
            request = replace(request, seed=drawn_seed(seed, layer.file))
        request = plan_loop(request, sound_of(request.checkpoint))
        layers.append(replace(layer, request=request))
    plan = replace(plan, layers=tuple(layers), bit_depth=depth, suffix=suffix or plan.suffix)
    return checked(plan)
