"""Whether a model's file or folder is whole and what it says it is, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from riffapp.errors import UsageError
from riffapp.studio.weight_files import (
    CALLED,
    PICKLES,
    SAFE,
    Header,
    Kind,
    Layout,
    called,
    layout_of,
    read_header,
    refuse_unread,
)

# Kinds of which a pickle's tensors are read all the same, by torch's reader of tensors alone.
_READ_AS_PICKLES = ("upscaler", "restorer", "voice")
# Kinds whose networks only show when they are loaded: any tensors will do.
_ANY_TENSORS = ("upscaler", "restorer", "preview", "voice")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check found. `ok` None is a remark: it can be used, and something is to be known."""

    ok: bool | None
    words: str
    # Of a single safetensors file that is whole: what it holds, and the texts in its header.
    layout: Layout | None = None
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


def check(path: Path, kind: Kind | None = None) -> Verdict:
    """Whether a file, or a folder in diffusers layout, is whole; `kind` is what it should be.

    Reads headers, never a tensor, and unpickles nothing.
    """
    try:
        if path.is_dir():
            return _folder(path, kind)
        if path.suffix.lower() in PICKLES:
            return _pickle(path, kind)
        if path.suffix.lower() != SAFE:
            raise UsageError(f"{called(path)} is no model's file: give a {SAFE} file or a folder")
        header = read_header(path)
        layout = layout_of(header)
        return replace(_file(path, header, layout, kind), layout=layout, texts=header.texts)
    except UsageError as error:
        return Verdict(ok=False, words=str(error))
    except OSError as error:
        return Verdict(ok=False, words=f"{called(path)} cannot be read ({error.strerror})")


def parts(folder: Path) -> tuple[Path, ...]:
    """The weight files of a folder in diffusers layout, in the order in which they are hashed.

    Raises UsageError for one that is missing.
    """
    from sdcore.errors import ModelError
    from sdcore.models.files import read_json, towers_in, weights_file

    try:
        if not (folder / "model_index.json").is_file():
            return (weights_file(folder, "diffusion_pytorch_model"),)
        towers = towers_in(read_json(folder / "model_index.json"))
        return (
            weights_file(folder / "unet", "diffusion_pytorch_model"),
            weights_file(folder / "vae", "diffusion_pytorch_model"),
            *(weights_file(folder / encoder, "model") for encoder, _ in towers),
        )
    except ModelError as error:
        raise UsageError(str(error)) from error


def voice_weights(folder: Path) -> tuple[Path, ...]:
    """The weight files of a voice's folder, its vocoder's too."""
    return tuple(
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (SAFE, *PICKLES) and path.is_file()
    )


def _file(path: Path, header: Header, layout: Layout, kind: Kind | None) -> Verdict:
    size = f"{len(header.shapes):,} tensors, {header.bytes:,} bytes"
    if layout.kind is None:
        if kind in _ANY_TENSORS:
            return Verdict(ok=True, words=f"whole: {CALLED[kind]}, {size}")
        return Verdict(ok=False, words=f"{called(path)} is {layout.words}")
    if kind is not None and kind != layout.kind and kind not in ("preview", "voice"):
        return Verdict(
            ok=False,
            words=f"{called(path)} is {CALLED[layout.kind]}, not {CALLED[kind]}: move it to the "
            "folder of its kind",
        )
    said = [CALLED[kind or layout.kind], layout.words, layout.family and f"({layout.family})"]
    return Verdict(ok=True, words=f"whole: {' '.join(filter(None, said))}, {size}")


def _pickle(path: Path, kind: Kind | None) -> Verdict:
    refuse_unread(path)
    danger = f"{called(path)} is a pickle, which can run code when it is read"
    if kind in _READ_AS_PICKLES:
        return Verdict(ok=None, words=f"{danger}: only its tensors are; {SAFE} would be safer")
    return Verdict(ok=False, words=f"{danger}: riffapp does not open it, give a {SAFE} file")


def _folder(path: Path, kind: Kind | None) -> Verdict:
    if kind == "voice":
        return _voice(path)
    is_checkpoint = (path / "model_index.json").is_file()
    if not is_checkpoint and not (path / "config.json").is_file():
        raise UsageError(
            f"{called(path)} has neither model_index.json nor config.json: it is no model"
        )
    files = parts(path)
    if is_checkpoint:
        _refuse_without_texts(path, [file.parent for file in files[2:]])
    for file in files:
        if not (file.parent / "config.json").is_file():
            raise UsageError(f"{called(file.parent)}/config.json is missing: copy the folder again")
        read_header(file)
    what = "a checkpoint" if is_checkpoint else CALLED[kind or "vae"]
    total = sum(file.stat().st_size for file in files)
    return Verdict(ok=True, words=f"whole: {what}, {len(files)} networks, {total:,} bytes")


def _refuse_without_texts(path: Path, encoders: Sequence[Path]) -> None:
    """A checkpoint's folder must say its noise levels, and have the words of each text encoder."""
    if not (path / "scheduler" / "scheduler_config.json").is_file():
        raise UsageError(
            f"{path.name}/scheduler/scheduler_config.json is missing: copy the folder again"
        )
    for encoder in encoders:
        words = path / encoder.name.replace("text_encoder", "tokenizer")
        if not any((words / name).is_file() for name in ("vocab.json", "tokenizer.json")):
            raise UsageError(f"{called(words)}/vocab.json is missing: copy the folder again")


def _voice(path: Path) -> Verdict:
    if not (path / "config.json").is_file():
        raise UsageError(f"{called(path)} has no config.json: copy the voice's folder again")
    files = voice_weights(path)
    if not files:
        raise UsageError(f"{called(path)} has no weights: copy the voice's folder again")
    pickles = [file for file in files if file.suffix.lower() in PICKLES]
    for file in files:
        if file in pickles:
            refuse_unread(file)
        else:
            read_header(file)
    if pickles:
        return _pickle(pickles[0], "voice")
    total = sum(file.stat().st_size for file in files)
    return Verdict(ok=True, words=f"whole: a voice, {total:,} bytes")
