"""What is wrong with this installation, in words, and what to install.

Nothing heavy is imported here: versions are read from the packages' own records, and the
matched set is tried in a child process, which may die without taking the answer with it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from riffapp.errors import MACHINE
from riffapp.studio import checkpoints

PYTHONS = ((3, 11), (3, 14))
# The newest set whose published wheels import together.
MATCHED = {"torch": "2.11", "torchaudio": "2.11", "torchvision": "0.26"}
BASE = (
    "diffusers",
    "transformers",
    "safetensors",
    "huggingface-hub",
    "numpy",
    "scipy",
    "scikit-image",
    "pillow",
    "tokenizers",
    "tqdm",
    "librosa",
    "soundfile",
    "soxr",
    "mutagen",
    "pyloudnorm",
    "pedalboard",
    "mido",
    "praat-parselmouth",
    "espeakng-loader",
    "streamlit",
    "filelock",
    "platformdirs",
    "tomlkit",
)
EXTRAS = {
    "tts": ("coqui-tts", "spoken and sung voices"),
    "upscale": ("spandrel", "upscalers"),
    "faces": ("opencv-python-headless", "faces found by YuNet"),
    "stems": ("demucs", "stems by instrument"),
    "ray": ("ray", "batches over several machines"),
}
MIN_FREE_MB = 500
IMPORT_TIMEOUT_S = 120

# torchvision's compiled part loads with its operators, so `nms` is what a mixed set breaks on.
_TRIAL = "import torch, torchaudio, torchvision; torch.ops.torchvision.nms; import diffusers"

VersionOf = Callable[[str], str | None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the diagnosis. `ok` None is a remark: nothing is broken."""

    subject: str
    ok: bool | None
    words: str


def examine() -> tuple[Finding, ...]:
    """Every finding for this installation, the broken ones among them."""
    return (
        python(sys.version_info[:2]),
        *matched_set(version_of),
        trial(),
        *base(version_of),
        *extras(version_of),
        *embedded(),
        disk(Path.cwd()),
    )


def version_of(package: str) -> str | None:
    """The installed version of a package; None where it is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def python(version: tuple[int, int]) -> Finding:
    """Whether this Python is one that the pinned wheels exist for."""
    low, end = PYTHONS
    words = f"{version[0]}.{version[1]}"
    if low <= version < end:
        return Finding(subject="Python", ok=True, words=words)
    return Finding(
        subject="Python",
        ok=False,
        words=f"{words}: riffapp needs {low[0]}.{low[1]} to {end[0]}.{end[1] - 1}; "
        "make a new environment with one of them",
    )


def matched_set(version_of: VersionOf) -> tuple[Finding, ...]:
    """Whether torch, torchaudio and torchvision are the three that belong together."""
    cure = "pip install " + " ".join(f"'{name}=={v}.*'" for name, v in MATCHED.items())
    found = []
    for name, wanted in MATCHED.items():
        version = version_of(name)
        if version is None:
            words = f"missing: {cure}"
        elif not version.startswith(f"{wanted}."):
            words = f"{version} does not belong to the matched set ({wanted}.*): {cure}"
        else:
            found.append(Finding(subject=name, ok=True, words=version))
            continue
        found.append(Finding(subject=name, ok=False, words=words))
    builds = {_build(version_of(name)) for name in MATCHED if version_of(name) is not None} - {""}
    if len(builds) > 1:
        words = f"built for different devices ({', '.join(sorted(builds))}): {cure} from one index"
        found.append(Finding(subject="matched set", ok=False, words=words))
    return tuple(found)


def _build(version: str | None) -> str:
    """'cpu' or 'cu130' of '2.11.0+cpu'; empty where the wheel does not say."""
    return (version or "").partition("+")[2]


def trial(code: str = _TRIAL) -> Finding:
    """Whether the set imports together, tried in a child process."""
    subject = "import together"
    try:
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        words = f"no answer in {IMPORT_TIMEOUT_S} s: is the disk slow or the machine out of memory?"
        return Finding(subject=subject, ok=False, words=words)
    if run.returncode == 0:
        return Finding(subject=subject, ok=True, words="torch, torchaudio, torchvision, diffusers")
    why = (run.stderr.strip().splitlines() or [f"exit {run.returncode}"])[-1]
    cure = "reinstall in a new environment: pip install riffapp"
    return Finding(subject=subject, ok=False, words=f"{why}: {cure}")


def base(version_of: VersionOf) -> tuple[Finding, ...]:
    """The missing packages of the base, or one line that says that all are there."""
    lacking = [name for name in BASE if version_of(name) is None]
    if not lacking:
        return (Finding(subject="base", ok=True, words="complete"),)
    words = f"missing {', '.join(lacking)}: pip install {' '.join(lacking)}"
    return (Finding(subject="base", ok=False, words=words),)


def extras(version_of: VersionOf) -> tuple[Finding, ...]:
    """Which optional parts are here; a missing one is a remark with its cure."""
    found = []
    for extra, (package, what) in EXTRAS.items():
        version = version_of(package)
        if version is None:
            words = f"not installed ({what}): pip install 'riffapp[{extra}]'"
            found.append(Finding(subject=f"extra {extra}", ok=None, words=words))
        else:
            found.append(Finding(subject=f"extra {extra}", ok=True, words=f"{package} {version}"))
    return tuple(found)


def embedded() -> tuple[Finding, ...]:
    """The weights that came with riffapp."""
    found = checkpoints.names()
    if "loops" in found:
        return (Finding(subject="checkpoints", ok=True, words=", ".join(found)),)
    words = "the embedded checkpoint 'loops' is missing: reinstall riffapp"
    return (Finding(subject="checkpoints", ok=False, words=words),)


def disk(where: Path) -> Finding:
    """Room for the sounds that will be written here."""
    free_mb = shutil.disk_usage(where).free // 2**20
    if free_mb >= MIN_FREE_MB:
        return Finding(subject="disk", ok=True, words=f"{free_mb} MB free in {where}")
    words = f"only {free_mb} MB free in {where}: free some, or work in another folder"
    return Finding(subject="disk", ok=None, words=words)


def verdict(findings: tuple[Finding, ...]) -> int:
    """The exit code: 0 where nothing is broken, else the machine's."""
    return MACHINE if any(finding.ok is False for finding in findings) else 0
