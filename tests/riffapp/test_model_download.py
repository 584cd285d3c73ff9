"""Models come from the hub whole or not at all, and go on where they were stopped.

The hub is a small server on this machine, which answers as huggingface.co does: the list of a
repository's files with sizes and hashes, and each file at its commit, from any byte on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from riffapp.errors import MachineError, UsageError
from riffapp.studio.model_check import check
from riffapp.studio.model_download import download
from tests.riffapp.conftest import Run
from tests.riffapp.test_weight_files import ATTENTION, write

COMMIT = "c" * 40
LARGE = 1000  # bytes from which on a file is one of git-LFS


class Hub:
    """Repositories by name, each of files by name; what was asked; how it is to fail."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.tokens: set[str] = set()
        # repository: (status, the hub's own code for it)
        self.refused: dict[str, tuple[int, str]] = {}
        self.breaks_after: int | None = None
        self.knows_ranges = True
        self.served: dict[str, bytes] = {}
        self.endpoint = ""

    def listing(self, repo: str) -> dict[str, Any]:
        return {
            "id": repo,
            "sha": COMMIT,
            "siblings": [_sibling(name, data) for name, data in self.repos[repo].items()],
        }


def _sibling(name: str, data: bytes) -> dict[str, Any]:
    said: dict[str, Any] = {"rfilename": name, "size": len(data)}
    said["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    if len(data) >= LARGE:
        digest = hashlib.sha256(data).hexdigest()
        said["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
    return said


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(path)
            hub.tokens.add(self.headers.get("Authorization", ""))
            parts = path.strip("/").split("/")
            is_list = parts[:2] == ["api", "models"]
            repo = "/".join(parts[2:4] if is_list else parts[:2])
            if repo in hub.refused:
                self._refuse(*hub.refused[repo])
            elif repo not in hub.repos:
                self._refuse(404, "RepoNotFound")
            elif is_list and parts[4:5] == ["revision"] and parts[5] != "main":
                self._refuse(404, "RevisionNotFound")
            elif is_list:
                self._send(200, json.dumps(hub.listing(repo)).encode())
            else:
                assert parts[2:4] == ["resolve", COMMIT]
                self._file(hub.served.get(path, hub.repos[repo]["/".join(parts[4:])]))

        def _refuse(self, status: int, code: str) -> None:
            self._send(status, b'{"error": "no"}', {"X-Error-Code": code})

        def _file(self, data: bytes) -> None:
            asked = self.headers.get("Range", "")
            hub.ranges.append(asked)
            start, headers = 0, {}
            if asked and hub.knows_ranges:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self._send(206 if headers else 200, data[start:], headers, most=hub.breaks_after)

        def _send(
            self,
            status: int,
            data: bytes,
            headers: dict[str, str] | None = None,
            most: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:most])

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants, file_download

    found = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    found.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 512)
    monkeypatch.setattr(file_download.time, "sleep", lambda _: None)  # between its own tries
    for name in ("HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def lora(tmp_path: Path) -> bytes:
    shapes = {f"lora_unet_{ATTENTION}.lora_down.weight": (4, 768)}
    return write(tmp_path / "made" / "x.safetensors", shapes).read_bytes()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "models" / "Lora"


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


class Stop(Exception):
    pass


def stopping_at(share: float) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        if done >= total * share:
            raise Stop

    return on_progress


# ---- what comes


def test_a_file_comes_with_its_card_and_is_whole(hub: Hub, lora: bytes, into: Path) -> None:
    card = b"---\nlicense: mit\n---\n"
    hub.repos["ann/cats"] = {"cat.safetensors": lora, "README.md": card, "x.png": b"1"}
    seen: list[tuple[int, int]] = []
    path = download(
        "ann/cats",
        into=into,
        endpoint=hub.endpoint,
        on_progress=lambda *state: seen.append(state),
    )
    assert path == into / "cat.safetensors"
    assert path.read_bytes() == lora
    assert names(into) == ["cat.md", "cat.safetensors"]
    assert check(path, "lora").ok is True
    total = len(lora) + len(card)
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_model_in_diffusers_layout_becomes_a_folder_of_what_is_read(
    hub: Hub, tiny: Path, into: Path
) -> None:
    files = {name: (tiny / name).read_bytes() for name in names(tiny)}
    unet = files.pop("unet/diffusion_pytorch_model.safetensors")
    hub.repos["ann/band"] = files | {
        "README.md": b"---\nlicense: cc0-1.0\n---\n",
        "unet/diffusion_pytorch_model.fp16.safetensors": unet,
        "vae/diffusion_pytorch_model.fp16.safetensors": b"x" * 5000,
        "unet/diffusion_pytorch_model.bin": b"pickle",
        "band-all-in-one.safetensors": b"x" * 5000,
        "safety_checker/model.safetensors": b"x" * 5000,
        "handler.py": b"import os",
    }
    path = download("ann/band", into=into, endpoint=hub.endpoint)
    assert path == into / "band"
    assert set(names(path)) == {*files, "README.md"} | {
        "unet/diffusion_pytorch_model.fp16.safetensors"
    }
    assert check(path, "checkpoint").ok is True
    assert names(into) == [f"band/{name}" for name in names(path)]


def test_weights_with_a_configuration_become_a_folder(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/voice"] = {
        "config.json": b'{"model_type": "vits"}',
        "model.safetensors": lora,
        "vocab.txt": b"a",
        "pytorch_model.bin": b"pickle",
    }
    path = download("ann/voice", into=into, endpoint=hub.endpoint)
    assert names(path) == ["config.json", "model.safetensors", "vocab.txt"]


def test_one_of_several_is_named_in_full_or_by_its_page(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/pets"] = {"cats/cat v1.5.safetensors": lora, "dog.safetensors": lora[::-1]}
    for ref in (
        "ann/pets/cats/cat v1.5.safetensors",
        "https://huggingface.co/ann/pets/blob/main/cats/cat v1.5.safetensors?download=true",
    ):
        path = download(ref, into=into, endpoint=hub.endpoint)
        assert path == into / "cat v1.5.safetensors"
        assert path.read_bytes() == lora
        path.unlink()


def test_a_file_that_is_called_as_all_are_gets_the_models_name(
    hub: Hub, lora: bytes, into: Path
) -> None:
    hub.repos["ann/cats"] = {"pytorch_lora_weights.safetensors": lora, "sound.json": b"{}"}
    path = download("https://huggingface.co/ann/cats/", into=into, endpoint=hub.endpoint)
    assert path == into / "cats.safetensors"
    assert names(into) == ["cats.safetensors", "cats.sound.json"]


def test_what_is_there_whole_is_not_fetched_again(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora, "README.md": b"# cats"}
    download("ann/cats", into=into, endpoint=hub.endpoint)
    (into / "cat.md").write_text("my own notes")
    fetched = len(hub.ranges)
    assert download("ann/cats", into=into, endpoint=hub.endpoint) == into / "cat.safetensors"
    assert len(hub.ranges) == fetched
    assert (into / "cat.md").read_text() == "my own notes"


def test_another_file_of_that_name_stays(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    into.mkdir(parents=True)
    (into / "cat.safetensors").write_bytes(b"mine")
    with pytest.raises(UsageError, match="cat.safetensors is there already and is something else"):
        download("ann/cats", into=into, endpoint=hub.endpoint)
    assert (into / "cat.safetensors").read_bytes() == b"mine"


def test_a_token_goes_to_the_hub(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    download("ann/cats", into=into, endpoint=hub.endpoint, token="hf_secret")
    assert hub.tokens == {"Bearer hf_secret"}


# ---- stopped, broken off, damaged


def test_what_the_callback_raises_stops_it_and_it_goes_on_from_there(
    hub: Hub, lora: bytes, into: Path
) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    with pytest.raises(Stop):
        download("ann/cats", into=into, endpoint=hub.endpoint, on_progress=stopping_at(0.5))
    assert not (into / "cat.safetensors").exists()
    (part,) = into.rglob("*.part/*")
    have = part.stat().st_size
    assert 0 < have < len(lora)
    assert part.read_bytes() == lora[:have]
    assert download("ann/cats", into=into, endpoint=hub.endpoint).read_bytes() == lora
    assert hub.ranges == ["", f"bytes={have}-"]
    assert names(into) == ["cat.safetensors"]


def test_a_folder_goes_on_with_the_files_that_it_lacks(hub: Hub, tiny: Path, into: Path) -> None:
    hub.repos["ann/band"] = {name: (tiny / name).read_bytes() for name in names(tiny)}
    with pytest.raises(Stop):
        download("ann/band", into=into, endpoint=hub.endpoint, on_progress=stopping_at(0.7))
    assert not (into / "band").exists()
    assert "model_index.json" not in names(into / ".band.part")  # it would be taken for whole
    before = [path for path in hub.asked if "/resolve/" in path]
    download("ann/band", into=into, endpoint=hub.endpoint)
    after = [path for path in hub.asked if "/resolve/" in path][len(before) :]
    assert len(before) > 1
    assert set(before) & set(after) <= {before[-1]}
    assert names(into / "band") == names(tiny)
    assert hub.asked[-1].endswith("/model_index.json")


def test_a_server_that_cannot_go_on_begins_anew(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    with pytest.raises(Stop):
        download("ann/cats", into=into, endpoint=hub.endpoint, on_progress=stopping_at(0.5))
    hub.knows_ranges = False
    assert download("ann/cats", into=into, endpoint=hub.endpoint).read_bytes() == lora


def test_a_connection_that_breaks_is_gone_on_with_by_itself(
    hub: Hub, lora: bytes, into: Path
) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    hub.breaks_after = 1500
    assert download("ann/cats", into=into, endpoint=hub.endpoint).read_bytes() == lora
    assert len(hub.ranges) > 3


def test_a_connection_that_never_brings_anything_is_said(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    hub.breaks_after = 0
    with pytest.raises(MachineError, match=r"no way to 127.0.0.1:\d+ \(.+\): connect it and ask"):
        download("ann/cats", into=into, endpoint=hub.endpoint)
    assert not (into / "cat.safetensors").exists()
    hub.breaks_after = None
    assert download("ann/cats", into=into, endpoint=hub.endpoint).read_bytes() == lora


def test_a_file_that_is_shorter_than_it_should_be_is_said_and_gone_on_with(
    hub: Hub, lora: bytes, into: Path
) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    hub.served = {f"/ann/cats/resolve/{COMMIT}/cat.safetensors": lora[:-10]}
    with pytest.raises(MachineError, match="ended early: start the download again, and it goes on"):
        download("ann/cats", into=into, endpoint=hub.endpoint)
    hub.served = {}
    assert download("ann/cats", into=into, endpoint=hub.endpoint).read_bytes() == lora
    assert hub.ranges[-1] == f"bytes={len(lora) - 10}-"


def test_bytes_that_are_not_the_hubs_never_take_the_place(
    hub: Hub, lora: bytes, into: Path
) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora, "README.md": b"# cats"}
    for name, data in hub.repos["ann/cats"].items():
        hub.served = {f"/ann/cats/resolve/{COMMIT}/{name}": bytes(len(data))}
        with pytest.raises(MachineError, match=f"what came of {name} is not what the hub has"):
            download("ann/cats", into=into, endpoint=hub.endpoint)
        assert not (into / "cat.safetensors").exists()
    hub.served = {}
    assert download("ann/cats", into=into, endpoint=hub.endpoint).read_bytes() == lora


def test_a_part_of_another_version_is_not_gone_on_with(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": bytes(len(lora))}
    with pytest.raises(Stop):
        download("ann/cats", into=into, endpoint=hub.endpoint, on_progress=stopping_at(0.5))
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    assert download("ann/cats", into=into, endpoint=hub.endpoint).read_bytes() == lora
    assert names(into) == ["cat.safetensors"]


def test_two_at_once_do_not_write_into_one_file(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    refusals: list[str] = []

    def second(done: int, total: int) -> None:
        if not refusals:
            with pytest.raises(UsageError) as refused:
                download("ann/cats", into=into, endpoint=hub.endpoint)
            refusals.append(str(refused.value))

    path = download("ann/cats", into=into, endpoint=hub.endpoint, on_progress=second)
    assert refusals == ["cat.safetensors is being downloaded already: wait until that is done"]
    assert path.read_bytes() == lora


# ---- refusals


@pytest.mark.parametrize(
    "ref", ["", "cats", "../../etc", "ann/../cats", "https://evil.example/ann/cats", "a b/c"]
)
def test_what_is_no_id_is_refused_before_anything_is_asked(hub: Hub, into: Path, ref: str) -> None:
    with pytest.raises(UsageError, match="is no id of the hub|has no"):
        download(ref, into=into, endpoint=hub.endpoint)
    assert not any("/resolve/" in path for path in hub.asked)
    assert not into.exists()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["model.bin", "config.json"], r"holds pickles alone \(model.bin\), which can run code"),
        (["README.md"], "holds no weights: give a model"),
        (["a.safetensors", "b.safetensors"], "has 2 models: name one, as in ann/x/a.safetensors"),
    ],
)
def test_a_repository_that_cannot_be_meant_is_refused(
    hub: Hub, into: Path, files: list[str], words: str
) -> None:
    hub.repos["ann/x"] = dict.fromkeys(files, b"1")
    with pytest.raises(UsageError, match=words):
        download("ann/x", into=into, endpoint=hub.endpoint)


def test_a_file_that_is_not_there_is_refused_with_those_that_are(hub: Hub, into: Path) -> None:
    hub.repos["ann/x"] = {f"{n}.safetensors": b"1" for n in range(10)} | {"a.pt": b"1"}
    with pytest.raises(UsageError, match=r"has no a.pt in safetensors: it has 0.* and 2 more"):
        download("ann/x/a.pt", into=into, endpoint=hub.endpoint)


def _with(hub: Hub, name: str) -> None:
    hub.repos["ann/x"] = {
        "model_index.json": b"{}",
        "unet/diffusion_pytorch_model.safetensors": b"1",
        name: b"evil",
    }


@pytest.mark.parametrize("name", ["/evil.json", "a\\..\\evil.json", "evil\n.json", "evil\0.json"])
def test_a_name_that_no_file_may_have_is_refused(hub: Hub, into: Path, name: str) -> None:
    _with(hub, name)
    with pytest.raises(UsageError, match="which no file may be: leave it"):
        download("ann/x", into=into, endpoint=hub.endpoint)
    assert not into.exists()


@pytest.mark.parametrize(
    "name", ["../../evil.json", "unet/../../../evil.json", "../evil.safetensors", "x/evil.json"]
)
def test_what_lies_in_no_folder_that_is_read_is_passed_over(
    hub: Hub, into: Path, tmp_path: Path, name: str
) -> None:
    _with(hub, name)
    download("ann/x", into=into, endpoint=hub.endpoint)
    assert len(names(into)) == 2
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (404, "RepoNotFound", UsageError, "has no model 'ann/x', or not for everybody"),
        (401, "RepoNotFound", UsageError, "has no model 'ann/x', or not for everybody"),
        (403, "GatedRepo", UsageError, "'ann/x' is only for those who accepted its terms"),
        (503, "", MachineError, "answered 503 to 'ann/x': try again later"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    hub: Hub, into: Path, status: int, code: str, kind: type[Exception], words: str
) -> None:
    hub.refused["ann/x"] = (status, code)
    with pytest.raises(kind, match=words) as refused:
        download("ann/x", into=into, endpoint=hub.endpoint)
    assert len(str(refused.value).splitlines()) == 1


def test_a_revision_that_is_not_there_is_refused(hub: Hub, lora: bytes, into: Path) -> None:
    hub.repos["ann/x"] = {"a.safetensors": lora}
    with pytest.raises(UsageError, match="'ann/x' has no such revision"):
        download("ann/x/blob/v2/a.safetensors", into=into, endpoint=hub.endpoint)


def test_without_a_way_to_the_hub_it_says_so(into: Path) -> None:
    with pytest.raises(MachineError, match=r"no way to 127.0.0.1:9 \(.+\): connect it and ask"):
        download("ann/x", into=into, endpoint="http://127.0.0.1:9")
    assert not into.exists()


def test_where_the_hub_is_switched_off_it_says_so(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi, errors

    def off(*_: Any, **__: Any) -> None:
        raise errors.OfflineModeIsEnabled("offline mode is enabled")

    monkeypatch.setattr(HfApi, "model_info", off)
    with pytest.raises(
        MachineError, match=r"huggingface.co \(offline mode is enabled\): connect it"
    ):
        download("ann/x", into=into)


def test_without_space_nothing_is_fetched(
    hub: Hub, lora: bytes, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["ann/x"] = {"a.safetensors": lora}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(MachineError, match=r"has 0.0 GiB free, and 0.0 GiB are to come"):
        download("ann/x", into=into, endpoint=hub.endpoint)
    assert hub.ranges == []


def test_a_full_disk_is_the_disks_own_refusal(
    hub: Hub, lora: bytes, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["ann/x"] = {"a.safetensors": lora}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        download("ann/x", into=into, endpoint=hub.endpoint)
    assert not (into / "a.safetensors").exists()


# ---- riffapp models get


def test_models_get_fetches_and_checks(
    hub: Hub,
    lora: bytes,
    riffapp: Callable[..., Run],
    own_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import constants, hf_api

    hub.repos["ann/cats"] = {"cat.safetensors": lora}
    for module in (constants, hf_api.constants):
        monkeypatch.setattr(module, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    run = riffapp("models", "get", "ann/cats", "--kind", "lora")
    path = own_home / "models" / "Lora" / "cat.safetensors"
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith(f"{path}: whole: a LoRA (SD 1.x), 1 tensors, ")
    run = riffapp("models", "get", "ann/cats", "--kind", "vae")
    assert run.code == 2
    assert "is a LoRA, not a VAE: move it" in run.out
