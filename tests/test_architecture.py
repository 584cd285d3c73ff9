"""The rules of the house, read off the source: who may import whom, and what importing may do."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sdcore", "audio", "riffapp")
DOORS = ("riffapp.ui", "riffapp.api", "riffapp.cli", "riffapp.batch")

# Where each third party may be imported: modules, with everything below them.
HOMES = {
    "diffusers": ("sdcore.models", "sdcore.train"),
    "tokenizers": ("sdcore.models", "sdcore.train"),
    "transformers": ("sdcore.models", "sdcore.train", "audio.speech.transformers"),
    "spandrel": ("sdcore.models", "sdcore.post"),
    "spandrel_extra_arches": ("sdcore.post",),
    "cv2": ("sdcore.post",),
    "skimage": ("sdcore.post",),
    "torchaudio": ("audio",),
    "streamlit": ("app", "riffapp.ui"),
    "fastapi": ("riffapp.api",),
    "ray": ("riffapp.batch",),
    # The child that decodes uploads knows nothing but what decodes.
    "soundfile": ("audio.files", "audio.stream", "riffapp.uploads.child"),
    "mutagen": ("audio",),
    "soxr": ("audio",),
    "librosa": ("audio.compiled",),
    "TTS": ("audio.speech",),
    "espeakng_loader": ("audio.speech",),
    "parselmouth": ("audio.speech", "audio.align"),
}
EXTRAS_ONLY = ("TTS", "spandrel", "spandrel_extra_arches", "cv2", "ray")
DISTRIBUTION = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "parselmouth": "praat-parselmouth",
    "skimage": "scikit-image",
    "spandrel_extra_arches": "spandrel-extra-arches",
    "TTS": "coqui-tts",
}
# Comes with streamlit, whose App is built upon it.
COME_ALONG = {"starlette", "uvicorn"}


@dataclass(frozen=True)
class Import:
    """One import: who, what, and whether merely importing `who` carries it out."""

    module: str
    name: str
    at_import: bool
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def sources() -> Iterator[tuple[str, Path]]:
    yield "app", ROOT / "app.py"
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports_of(module: str, path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    yield from _walk(tree, module, package, at_import=True)


def _walk(node: ast.AST, module: str, package: str, *, at_import: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue  # never carried out
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module, alias.name, at_import, child.lineno)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = package.split(".")[: len(package.split(".")) - child.level + 1]
                base = ".".join([*above, *([child.module] if child.module else [])])
            for alias in child.names:
                full = f"{base}.{alias.name}"
                yield Import(module, full if full in MODULES else base, at_import, child.lineno)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, module, package, at_import=at_import and not inside)


MODULES = dict(sources())
IMPORTS = [found for module, path in MODULES.items() for found in imports_of(module, path)]


def within(name: str, *roots: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def broken(rule: str, found: list[Import]) -> str:
    return f"{rule}:\n" + "\n".join(map(str, found))


def test_the_picture_core_knows_nothing_of_sound_or_of_the_app() -> None:
    found = [
        i for i in IMPORTS if within(i.module, "sdcore") and within(i.name, "audio", "riffapp")
    ]
    assert not found, broken("sdcore imports neither audio nor riffapp", found)


def test_the_sound_library_knows_nothing_of_diffusion_or_of_the_app() -> None:
    found = [
        i for i in IMPORTS if within(i.module, "audio") and within(i.name, "sdcore", "riffapp")
    ]
    assert not found, broken("audio imports neither sdcore nor riffapp", found)


def test_doors_never_import_one_another_and_nobody_imports_a_door() -> None:
    found = [
        i
        for i in IMPORTS
        for door in DOORS
        if within(i.name, door) and not within(i.module, door, "app", "riffapp.__main__")
    ]
    assert not found, broken("doors are imported by nobody", found)


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_third_party_has_one_home(library: str) -> None:
    homes = HOMES[library]
    found = [i for i in IMPORTS if within(i.name, library) and not within(i.module, *homes)]
    assert not found, broken(f"{library} lives in {', '.join(homes)}", found)


def test_the_environment_is_read_in_settings_only() -> None:
    found = []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            reads = isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv"}
            if reads and module != "riffapp.settings":
                found.append(f"{module}:{node.lineno}")
    assert not found, f"os.environ lives in riffapp.settings: {found}"


def test_what_a_user_may_lack_is_imported_in_the_function_that_needs_it() -> None:
    found = [i for i in IMPORTS if i.at_import and within(i.name, *EXTRAS_ONLY)]
    assert not found, broken("libraries of extras are imported lazily", found)


def test_every_third_party_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    declared = {re.split(r"[\[=<>~! ]", line)[0].lower() for line in wanted}
    found = []
    for i in IMPORTS:
        top = i.name.partition(".")[0]
        if top in sys.stdlib_module_names or top in PACKAGES or top in COME_ALONG:
            continue
        if DISTRIBUTION.get(top, top).lower().replace("_", "-") not in declared:
            found.append(i)
    assert not found, broken("pyproject.toml names what is imported", found)


def test_making_a_loop_never_reaches_the_procedural_band() -> None:
    roots = ("text_to_audio", "files", "checkpoints", "record")
    todo = [f"riffapp.studio.{name}" for name in roots]
    reached: set[str] = set()
    while todo:
        module = todo.pop()
        if module in reached:
            continue
        reached.add(module)
        todo += [i.name for i in IMPORTS if i.module == module and i.name in MODULES]
        todo += [module.rpartition(".")[0]] * (module.rpartition(".")[0] in MODULES)
    assert "audio.codec" in reached  # the walk does walk
    found = sorted(name for name in reached if within(name, "audio.synth"))
    assert not found, f"the loop command imports the band that taught it: {found}"


def _child(code: str) -> object:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_the_command_line_answers_before_anything_heavy_is_imported() -> None:
    code = "import json, sys, riffapp.cli; print(json.dumps(sorted(sys.modules)))"
    loaded = _child(code)
    assert isinstance(loaded, list)
    heavy = {"torch", "numpy", "streamlit", "diffusers", "transformers", "PIL", "tqdm", "scipy"}
    assert not heavy & set(loaded)


def test_importing_does_no_work() -> None:
    """No network, no file written, no global random state touched, by any module of the three."""
    names = [name for name in MODULES if within(name, "sdcore", "audio") or _plain(name)]
    code = f"""
import importlib, json, os, random, sys
import numpy, torch
broken = []
def audit(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        broken.append(f"{{event}} {{args[-1]}}")
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        if not str(args[0]).endswith((".pyc", os.devnull)) and "__pycache__" not in str(args[0]):
            broken.append(f"wrote {{args[0]}}")
import diffusers, transformers  # what these do while they are imported is not ours
sys.addaudithook(audit)
state = lambda: (torch.get_rng_state().tolist(), str(numpy.random.get_state()), random.getstate())
before = state()
for name in {names!r}:
    importlib.import_module(name)
if state() != before:
    broken.append("global random state")
print(json.dumps(broken))
"""
    assert _child(code) == []


def _plain(name: str) -> bool:
    """Modules of the app that are not scripts: a page and a __main__ are meant to act."""
    return within(name, "riffapp") and not within(name, "riffapp.ui", "riffapp.__main__")
