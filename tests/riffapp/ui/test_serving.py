"""Files to the browser: only whole ones, only to whom they belong, always as what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from audio import files
from audio.types import Clip
from riffapp.database import Database
from riffapp.gallery import File, Gallery, Made, Work
from riffapp.jobs.store import Store
from riffapp.ui import serving
from riffapp.ui.guard import VISITOR

ANN, BEN = "a" * 32, "b" * 32


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "home")


@pytest.fixture
def clip() -> Clip:
    wave = np.sin(np.arange(4410) / 20).astype(np.float32)[None] * 0.5
    return Clip(samples=wave, rate=44100)


@pytest.fixture
def work(database: Database, tmp_path: Path, clip: Clip) -> Work:
    sound, text = tmp_path / "ein Lied #1.flac", tmp_path / "notes.txt"
    files.write(sound, clip)
    text.write_text("<script>alert(1)</script>")
    made = Made(
        kind="loop",
        title="a",
        words="",
        task="{}",
        files=(File(role="sound", path=sound), File(role="text", path=text)),
    )
    gallery = Gallery(database)
    gallery.add(made, owner=ANN, job=1, number=0)
    (found,) = gallery.of_job(1)
    return found


def client(
    database: Database, visitor: str, *, at: str = "203.0.113.7", host: str = "127.0.0.1"
) -> TestClient:
    app = Starlette(routes=serving.routes(database))
    return TestClient(app, cookies={VISITOR: visitor}, client=(at, 5000), base_url=f"http://{host}")


def test_a_work_s_file_comes_as_it_lies_on_the_disk(database: Database, work: Work) -> None:
    answer = client(database, ANN).get(serving.url(work, 0))
    assert answer.status_code == 200
    assert answer.content == work.files[0].path.read_bytes()
    assert answer.headers["content-type"] == "audio/flac"
    assert "attachment" not in answer.headers.get("content-disposition", "")


def test_a_download_has_the_file_s_name(database: Database, work: Work) -> None:
    answer = client(database, ANN).get(serving.url(work, 0, download=True))
    assert "attachment" in answer.headers["content-disposition"]
    assert "ein%20Lied%20%231.flac" in answer.headers["content-disposition"]


def test_a_part_of_a_file_can_be_had(database: Database, work: Work) -> None:
    answer = client(database, ANN).get(serving.url(work, 0), headers={"Range": "bytes=4-9"})
    assert answer.status_code == 206
    assert answer.content == work.files[0].path.read_bytes()[4:10]


def test_any_format_is_played_as_wav_sample_for_sample(
    database: Database, work: Work, tmp_path: Path
) -> None:
    answer = client(database, ANN).get(serving.url(work, 0, wav=True))
    (tmp_path / "played.wav").write_bytes(answer.content)
    played, lying = files.read(tmp_path / "played.wav"), files.read(work.files[0].path)
    assert answer.headers["content-type"] == "audio/wav"
    assert np.array_equal(played.samples, lying.samples)


def test_text_is_never_taken_for_a_page(database: Database, work: Work) -> None:
    answer = client(database, ANN).get(serving.url(work, 1))
    assert answer.headers["content-type"].startswith("text/plain")


def test_nobody_gets_what_is_not_theirs_but_the_machine_itself(
    database: Database, work: Work
) -> None:
    assert client(database, BEN).get(serving.url(work, 0)).status_code == 404
    there = client(database, BEN, at="127.0.0.1")
    assert there.get(serving.url(work, 0)).status_code == 200
    proxied = there.get(serving.url(work, 0), headers={"X-Forwarded-For": "203.0.113.7"})
    assert proxied.status_code == 404
    named = client(database, BEN, at="127.0.0.1", host="studio.example")
    assert named.get(serving.url(work, 0)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/riffapp/files/1/2",
        "/riffapp/files/99/0",
        "/riffapp/files/1/x",
        f"/riffapp/files/{'9' * 40}/0",
    ],
)
def test_what_is_not_there_is_404(database: Database, work: Work, path: str) -> None:
    assert client(database, ANN).get(path).status_code == 404


def test_a_file_that_is_gone_from_the_disk_is_404(database: Database, work: Work) -> None:
    work.files[0].path.unlink()
    assert client(database, ANN).get(serving.url(work, 0)).status_code == 404


def test_what_forms_goes_to_its_owner_alone(database: Database) -> None:
    job = Store(database).submit(ANN, "loop", "{}", title="a")
    live = database.home / "live"
    live.mkdir()
    (live / f"{job}.png").write_bytes(b"picture")
    path = serving.live_url(job, ".png", 1)
    answer = client(database, ANN).get(path)
    assert answer.content == b"picture" and answer.headers["cache-control"] == "no-store"
    assert client(database, BEN, at="127.0.0.1").get(path).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["1.txt", "x.png", "..%2Friffapp.db", "%2e%2e/riffapp.db", "1.png%00", "9" * 40 + ".png"],
)
def test_no_name_reaches_other_files(database: Database, name: str) -> None:
    Store(database).submit(ANN, "loop", "{}", title="a")
    assert client(database, ANN).get(f"{serving.LIVES}/{name}").status_code == 404
    assert client(database, ANN).get(f"{serving.GIVEN}/{name}").status_code == 404


def test_an_input_comes_to_whoever_knows_its_hash(database: Database) -> None:
    inputs = database.home / "inputs"
    inputs.mkdir()
    path = inputs / ("0" * 64 + ".wav")
    path.write_bytes(b"RIFF")
    assert client(database, BEN).get(serving.input_url(path)).content == b"RIFF"
    assert client(database, BEN).get(f"{serving.GIVEN}/{'1' * 64}.wav").status_code == 404
