"""Models fetched from the hub into a folder of models: weights in safetensors and texts, no code.

What was asked for appears in its place when all of it is whole, its bytes compared to the hashes
that the hub states. Until then it lies in a hidden folder beside it, from which the same call goes
on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from riffapp.errors import MachineError, UsageError
from riffapp.studio.inventory import OnBytes, ignore
from riffapp.studio.weight_files import PICKLES, SAFE

CARD = "README.md"
_SOUND = "sound.json"
_TEXTS = (".json", ".txt")
_INDEXES = ("model_index.json", "config.json")
_REF = re.compile(
    r"(?:https://(?:huggingface\.co|hf\.co)/)?(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)"
    r"(?:/(?:blob|resolve|tree)/(?P<revision>[\w.-]+))?(?:/(?P<file>[^?#]+?))?/?(?:[?#].*)?"
)
# Folders of texts that a model in diffusers layout has besides its networks'.
_TEXT_FOLDERS = ("", "scheduler", "tokenizer", "tokenizer_2")
# What libraries call every file of theirs: the model's own name says more.
_NO_NAMES = ("model", "pytorch_lora_weights", "diffusion_pytorch_model", "adapter_model")
_BLOCK_BYTES = 1 << 20
_TIMEOUT_S = 15.0
_SHOWN = 8  # names in a refusal


@dataclass(frozen=True, kw_only=True)
class _Remote:
    """A file on the hub, and what it is to be called here, below a folder."""

    name: str
    target: str
    bytes: int
    # Of the content, for large files; or as git has it, of a header and the content.
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where files come from: a repository at one commit."""

    repo: str
    commit: str
    token: str | None
    endpoint: str | None


class _Meter:
    """What the hub's library takes for a progress bar, over all files."""

    def __init__(self, total: int, on_progress: OnBytes) -> None:
        self.done, self._total, self._on_progress = 0, total, on_progress

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, n: float | None = 1) -> None:
        self.done += int(n or 0)
        self._on_progress(min(self.done, self._total), self._total)


def download(
    ref: str,
    *,
    into: Path,
    on_progress: OnBytes = ignore,
    token: str | None = None,
    endpoint: str | None = None,
) -> Path:
    """The file or folder in `into` that a hub id became; what is there whole is not fetched again.

    Args:
        ref: 'owner/name', 'owner/name/file.safetensors', or the address of either's page.
        on_progress: bytes done and in all; what it raises stops the download, and the same call
            goes on from there.
        token: of an account, for models that ask for one; None is the one that is logged in here.
        endpoint: another hub than huggingface.co.
    Raises:
        UsageError: no such model, one of pickles alone, several to choose from, or another thing
            in its place. MachineError: no way to the hub, or no space.
    """
    found = _REF.fullmatch(ref.strip())
    if found is None:
        raise UsageError(
            f"'{ref[:80]}' is no id of the hub: give owner/name, or owner/name/file{SAFE}"
        )
    source, names = _listed(found["repo"], found["revision"], token=token, endpoint=endpoint)
    is_folder, files = _chosen(found["repo"], found["file"], names)
    target = into / (found["repo"].partition("/")[2] if is_folder else files[0].target)
    if target.exists():
        there = [(target / one.target, one) for one in files] if is_folder else [(target, files[0])]
        if all(_is_whole(path, one) for path, one in there):
            return target
        raise UsageError(f"{target} is there already and is something else: move it away")
    meter = _Meter(sum(one.bytes for one in files), on_progress)
    with _working(into / f".{target.name}.part") as work:
        _refuse_without_space(work, files)
        before = 0
        for one in files:
            meter.done = before
            _fetch(source, one, work, meter)
            before += one.bytes
        _put(work, target, () if is_folder else files)
    return target


# ---- what there is on the hub -----------------------------------------------------------------


def _listed(
    repo: str, revision: str | None, *, token: str | None, endpoint: str | None
) -> tuple[_Source, dict[str, Any]]:
    """The repository at its commit, and what the hub says of each file, by name."""
    from huggingface_hub import HfApi

    with _refusals(repo, endpoint):
        info = HfApi(endpoint=endpoint, token=token).model_info(
            repo, revision=revision, files_metadata=True, timeout=_TIMEOUT_S
        )
    commit = info.sha or revision or "main"
    source = _Source(repo=repo, commit=commit, token=token, endpoint=endpoint)
    return source, {one.rfilename: one for one in info.siblings or ()}


def _chosen(
    repo: str, wanted: str | None, names: Mapping[str, Any]
) -> tuple[bool, tuple[_Remote, ...]]:
    """Whether it becomes a folder, and of which files; of a file alone, the file comes first."""
    safe = sorted(name for name in names if name.lower().endswith(SAFE))
    if wanted is not None:
        if wanted not in safe:
            raise UsageError(f"'{repo}' has no {wanted[:80]} in safetensors: it has {_some(safe)}")
        return False, _alone(repo, wanted, names)
    if not safe:
        pickles = [name for name in names if name.lower().endswith(PICKLES)]
        what = f"pickles alone ({pickles[0]}), which can run code" if pickles else "no weights"
        raise UsageError(f"'{repo}' holds {what}: give a model that is there in safetensors")
    diffusers, alone = _INDEXES
    if diffusers in names:
        return True, _folder(repo, _of_diffusers(safe), names)
    top = [name for name in safe if "/" not in name]
    if alone in names and top:
        return True, _folder(repo, _one_variant(top), names)
    if len(safe) > 1:
        raise UsageError(f"'{repo}' has {len(safe)} models: name one, as in {repo}/{_some(safe)}")
    return False, _alone(repo, safe[0], names)


def _of_diffusers(safe: Sequence[str]) -> list[str]:
    """The weights of the networks that are read, each in one variant."""
    from sdcore.models.files import PARTS, TOWERS

    folders = {*PARTS, *(part for pair in TOWERS for part in pair)}
    return _one_variant([name for name in safe if name.rpartition("/")[0] in folders])


def _one_variant(safe: Sequence[str]) -> list[str]:
    """Of a folder's model.safetensors, model.fp16.safetensors ... the first that is there."""
    best: dict[str, str] = {}
    for name in sorted(safe, key=_variant_rank):
        best.setdefault(name.partition(".")[0], name)
    return sorted(best.values())


def _variant_rank(name: str) -> int:
    variant = name.split(".")[1:-1]
    return 0 if not variant else 1 if variant == ["fp16"] else 2


def _folder(repo: str, weights: Sequence[str], names: Mapping[str, Any]) -> tuple[_Remote, ...]:
    """The weights, and the texts in their folders; what makes a folder a model comes last."""
    folders = {*_TEXT_FOLDERS, *(name.rpartition("/")[0] for name in weights)}
    texts = [name for name in sorted(names) if name.rpartition("/")[0] in folders]
    texts = [name for name in texts if name.lower().endswith(_TEXTS) or name == CARD]
    texts.sort(key=_INDEXES.__contains__)
    return tuple(_remote(repo, name, name, names) for name in (*weights, *texts))


def _alone(repo: str, name: str, names: Mapping[str, Any]) -> tuple[_Remote, ...]:
    """A file of weights; model card and sound.json come along under its name."""
    stem = PurePosixPath(name).name[: -len(SAFE)]
    if stem.partition(".")[0] in _NO_NAMES:
        stem = repo.partition("/")[2]
    sound = next((one for one in (f"{name[: -len(SAFE)]}.{_SOUND}", _SOUND) if one in names), None)
    more = [(CARD, f"{stem}.md")] if CARD in names else []
    more += [(sound, f"{stem}.{_SOUND}")] if sound is not None else []
    pairs = [(name, f"{stem}{SAFE}"), *more]
    return tuple(_remote(repo, source, target, names) for source, target in pairs)


def _remote(repo: str, name: str, target: str, names: Mapping[str, Any]) -> _Remote:
    parts = PurePosixPath(target).parts
    if target.startswith("/") or ".." in parts or not target.isprintable() or "\\" in target:
        raise UsageError(f"'{repo}' calls a file {target[:80]!r}, which no file may be: leave it")
    said = names[name]
    large = said.lfs
    return _Remote(
        name=name,
        target=target,
        bytes=int((said.size if large is None else large.size) or 0),
        sha256=None if large is None else large.sha256,
        git_sha1=said.blob_id if large is None else None,
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more if names else "none"


# ---- fetching ---------------------------------------------------------------------------------


@contextmanager
def _working(work: Path) -> Iterator[Path]:
    """The hidden folder, made at need, for one process at a time."""
    work.mkdir(parents=True, exist_ok=True)
    held = os.open(work, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield work
    except BlockingIOError:
        raise UsageError(
            f"{work.name.removeprefix('.').removesuffix('.part')} is being downloaded already: "
            "wait until that is done"
        ) from None
    finally:
        os.close(held)


def _refuse_without_space(work: Path, files: Sequence[_Remote]) -> None:
    have = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    need, free = sum(one.bytes for one in files) - have, shutil.disk_usage(work).free
    if need > free:
        raise MachineError(
            f"{work.parent} has {free / 2**30:.1f} GiB free, and {need / 2**30:.1f} GiB are to "
            "come: free some space, or give another folder of models"
        )


def _fetch(source: _Source, file: _Remote, work: Path, meter: _Meter) -> None:
    """Put a file into the work folder, going on with what is there of it."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    whole = work / file.target
    if whole.exists():
        return  # its hash was right, or it would not have this name
    whole.parent.mkdir(parents=True, exist_ok=True)
    hashed = file.sha256 or file.git_sha1 or "0"
    part = whole.with_name(f"{whole.name}.{hashed[:12]}.part")
    url = hf_hub_url(source.repo, file.name, revision=source.commit, endpoint=source.endpoint)
    with part.open("ab") as out:
        have = out.tell()
        if have > file.bytes:
            have = out.truncate(0)
        meter.update(have)
        with _refusals(source.repo, source.endpoint):
            http_get(
                url,
                out,
                resume_size=have,
                headers=build_hf_headers(token=source.token),
                expected_size=file.bytes,
                tqdm_class=lambda **_: meter,  # type: ignore[arg-type]
            )
        out.flush()
        os.fsync(out.fileno())
    if not _is_whole(part, file):
        part.unlink()
        raise MachineError(
            f"what came of {file.name} is not what the hub has: it was damaged on the way, so "
            "start the download again"
        )
    part.replace(whole)


def _put(work: Path, target: Path, files: Sequence[_Remote]) -> None:
    """What is whole takes its place: the folder, or of `files` the first one last."""
    if not files:
        work.rename(target)
        return
    for one in reversed(files):
        place = target.with_name(one.target)
        if place == target or not place.exists():  # what somebody wrote beside it stays
            (work / one.target).replace(place)
    shutil.rmtree(work)


def _is_whole(path: Path, file: _Remote) -> bool:
    if not path.is_file() or path.stat().st_size != file.bytes:
        return False
    if file.sha256 is None and file.git_sha1 is None:
        return True
    digest = hashlib.sha256() if file.sha256 is not None else hashlib.sha1(usedforsecurity=False)
    if file.sha256 is None:
        digest.update(b"blob %d\0" % file.bytes)
    with path.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest() == (file.sha256 or file.git_sha1)


@contextmanager
def _refusals(repo: str, endpoint: str | None) -> Iterator[None]:
    """What the hub and the way to it say, as sentences. Of the disk's refusals none is caught."""
    from huggingface_hub import constants, errors

    hub = (endpoint or constants.ENDPOINT).partition("://")[2]
    try:
        yield
    except errors.GatedRepoError as error:
        raise UsageError(
            f"'{repo}' is only for those who accepted its terms: do so on its page at {hub}, then "
            "give a token of that account, as HF_TOKEN or by `hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UsageError(
            f"{hub} has no model '{repo}', or not for everybody: check the name, or give a token, "
            "as HF_TOKEN or by `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(f"'{repo}' has no such revision: leave it out") from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        raise MachineError(f"{hub} answered {code} to '{repo}': try again later") from error
    except (errors.OfflineModeIsEnabled, errors.HTTPError) as error:  # type: ignore[attr-defined]
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise MachineError(
            f"this machine has no way to {hub} ({said:.120}): connect it and ask again, or bring "
            "the files here by hand"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise MachineError(
            f"the connection to {hub} ended early: start the download again, and it goes on"
        ) from error
