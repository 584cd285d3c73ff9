"""Commands on finished pictures and on model files: upscale, restore-faces, merge, models."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp import settings, terminal
from riffapp.cli.common import add_json
from riffapp.cli.flags import add_common, library_of, parser_of, size
from riffapp.errors import USER

if TYPE_CHECKING:
    from riffapp.studio.inventory import Model, OnBytes
    from riffapp.studio.text_to_audio import OnProgress


def add(commands: Any) -> None:
    """These commands, as subcommands."""
    for one in (_add_upscale, _add_faces, _add_merge, _add_models):
        one(commands)


def _add_upscale(commands: Any) -> None:
    p = parser_of(commands, "upscale", "a picture made larger", "photo.png --scale 2 -o large.png")
    p.add_argument("picture", type=Path)
    p.add_argument("--scale", type=float, default=2.0, help="times as large (2)")
    p.add_argument("--size", type=size, help="or of this size, WxH, cut to it")
    p.add_argument("--upscaler", default="Lanczos", help="Lanczos, Nearest, or a model's name")
    p.add_argument("--second", help="a second upscaler, laid over the first")
    p.add_argument("--share", type=float, default=0.5, help="its share, 0 to 1 (0.5)")
    add_common(p)
    p.set_defaults(run=_upscale)


def _upscale(args: argparse.Namespace) -> int:
    return _enhance(
        args,
        upscaler=args.upscaler,
        second=args.second,
        share=args.share,
        to=args.scale if args.size is None else args.size,
    )


def _add_faces(commands: Any) -> None:
    example = "photo.png --method GFPGAN --models-dir models -o better.png"
    p = parser_of(commands, "restore-faces", "the faces of a picture restored", example)
    p.add_argument("picture", type=Path)
    p.add_argument("--method", default="GFPGAN", help="GFPGAN or CodeFormer (GFPGAN)")
    p.add_argument("--visibility", type=float, default=1.0, help="0 to 1 (1)")
    p.add_argument("--weight", type=float, default=0.5, help="CodeFormer's fidelity (0.5)")
    add_common(p)
    p.set_defaults(run=_restore)


def _restore(args: argparse.Namespace) -> int:
    return _enhance(
        args,
        upscaler="None",
        to=1.0,
        faces=args.method,
        visibility=args.visibility,
        weight=args.weight,
    )


def _enhance(args: argparse.Namespace, **wish: Any) -> int:
    from riffapp.studio import images
    from sdcore import picture_files
    from sdcore.types import ImageRequest

    picture = images.open_picture(args.picture)
    text = picture_files.read(args.picture) or ""
    named = ImageRequest(prompt=args.picture.stem)
    (path,) = images.targets(args.output, named, count=1)
    done, notes = images.upscale(library_of(args), picture, **wish)
    picture_files.write(path, done, text)
    if args.json:
        terminal.dump({"file": str(path), "size": list(done.size), "notes": list(notes)})
        return 0
    print(f"{path}  {done.width} x {done.height}")
    terminal.print_notes(notes)
    return 0


def _add_merge(commands: Any) -> None:
    example = "a.safetensors b.safetensors --multiplier 0.3 -o both.safetensors"
    p = parser_of(commands, "merge", "two or three checkpoints into one", example)
    p.add_argument("files", type=Path, nargs="+", help=".safetensors: A, then B, then C")
    p.add_argument("--method", default="weighted sum", help="or 'add difference'")
    p.add_argument("--multiplier", type=float, default=0.3, help="M of (1-M) A + M B (0.3)")
    p.add_argument("--vae", type=Path, help="an autoencoder to bake in")
    p.add_argument("--discard", default="", help="regular expression of tensors to leave out")
    p.add_argument("--precision", help="fp32, fp16 or bf16 (as in A)")
    p.add_argument("-o", "--output", type=Path, required=True, help=".safetensors")
    p.set_defaults(run=_merge)


def _merge(args: argparse.Namespace) -> int:
    from sdcore.models.merge import Recipe, merge

    said = {f.name: getattr(args, f.name) for f in fields(Recipe)}
    path = merge(Recipe(**said | {"files": tuple(args.files)}), args.output)
    print(f"{path}  {path.stat().st_size / 2**20:.0f} MiB")
    return 0


_MODELS = """\
examples:
  riffapp models list --kind lora
  riffapp models check ~/Downloads/dream.safetensors
  riffapp models get owner/name --kind checkpoint
"""


def _add_models(commands: Any) -> None:
    p = commands.add_parser(
        "models",
        help="models that are here: list them, check files, fetch some from the hub",
        epilog=_MODELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = p.add_subparsers(metavar="WHAT", required=True, dest="what")
    show = what.add_parser("list", help="what there is, and what is wrong with it")
    show.add_argument("--kind", help="of this kind only: checkpoint, vae, lora, embedding ...")
    show.add_argument("--sha256", action="store_true", help="compute hashes that are not known")
    show.set_defaults(run=_list)
    check = what.add_parser("check", help="whether files or folders are whole, and what they are")
    check.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    check.add_argument("--kind", help="what they should be: checkpoint, vae, lora, embedding ...")
    check.set_defaults(run=_check)
    where = what.add_parser("where", help="the folders that models of each kind go to")
    where.set_defaults(run=_where)
    get = what.add_parser("get", help="fetch one from the hub: safetensors and texts alone")
    get.add_argument("ref", help="owner/name, owner/name/file.safetensors, or its page")
    get.add_argument("--kind", required=True, help="what it is: checkpoint, vae, lora ...")
    get.set_defaults(run=_get)
    for one in (show, check, where, get):
        add_json(one)
    for one in (show, where, get):
        one.add_argument(
            "--models-dir", action="append", type=Path, default=[], help="a folder of models"
        )


def _list(args: argparse.Namespace) -> int:
    from riffapp.studio import inventory

    found = _settings(args)
    kind = _kind(args)
    models = [one for one in inventory.models(found) if kind in (None, one.kind)]
    if args.sha256:
        models = [_with_hash(one, found) for one in models]
    if args.json:
        terminal.dump([asdict(one) | {"path": str(one.path)} for one in models])
        return 0
    marks = {True: "ok     ", False: "BROKEN ", None: "note   "}
    for one in models:
        facts = (one.kind, one.family, f"{one.bytes / 2**20:,.1f} MiB", one.licence, one.sha256)
        print(f"{marks[one.ok]}{one.name}  {', '.join(filter(None, facts))}")
        print(f"         {one.path if one.ok else one.remark}")
    return 0


def _with_hash(model: Model, found: settings.Settings) -> Model:
    from riffapp.studio.inventory import Hashes, weights

    if model.ok is False or not weights(model.path):
        return model
    with terminal.Bar(shown=not found.plain) as bar:
        digest = Hashes(found.home).of(model.path, on_progress=_watched(bar))
    return replace(model, sha256=digest)


def _check(args: argparse.Namespace) -> int:
    from riffapp.studio.model_check import check

    kind = _kind(args)
    verdicts = [(path, check(path.expanduser(), kind)) for path in args.paths]
    if args.json:
        plain = [{"path": str(p), "ok": one.ok, "words": one.words} for p, one in verdicts]
        terminal.dump(plain)
    else:
        for path, one in verdicts:
            print(f"{path}: {one.words}" if one.ok is not False else f"BROKEN {one.words}")
    return USER if any(one.ok is False for _, one in verdicts) else 0


def _where(args: argparse.Namespace) -> int:
    from riffapp.studio.inventory import places

    found = places(_settings(args))
    if args.json:
        terminal.dump([asdict(one) | {"folder": str(one.folder)} for one in found])
    else:
        for one in found:
            print(f"{one.kind:11}{one.folder}\n{'':11}{one.words}")
    return 0


def _get(args: argparse.Namespace) -> int:
    from riffapp.studio.inventory import places
    from riffapp.studio.model_check import check
    from riffapp.studio.model_download import download

    found, kind = _settings(args), _kind(args)
    into = next(one.folder for one in places(found) if one.kind == kind)
    with terminal.Bar(shown=not (args.json or found.plain)) as bar:
        path = download(args.ref, into=into, on_progress=_watched(bar))
    verdict = check(path, kind)
    if args.json:
        terminal.dump({"path": str(path), "ok": verdict.ok, "words": verdict.words})
    else:
        print(f"{path}: {verdict.words}")
    return USER if verdict.ok is False else 0


def _watched(bar: OnProgress) -> OnBytes:
    """A bar that counts MiB."""
    from riffapp.studio.text_to_audio import Progress

    return lambda done, total: bar(Progress(done=done >> 20, total=max(total >> 20, 1)))


def _settings(args: argparse.Namespace) -> settings.Settings:
    """The settings, the flag's folders of models first."""
    found = settings.load()
    return replace(found, models_dirs=(*args.models_dir, *found.models_dirs))


def _kind(args: argparse.Namespace) -> Any:
    from riffapp.studio.weight_files import CALLED
    from sdcore.errors import lookup

    if args.kind is None:
        return None
    return lookup({one: one for one in CALLED}, args.kind.lower(), "kind of model")
