"""Defaults, then the file, then the environment; each value checked, each refusal one sentence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from riffapp import settings
from riffapp.errors import UsageError
from riffapp.settings import FIELDS, Settings
from tests.riffapp.conftest import Run

SAMPLES = {
    "checkpoint": ("mine", "mine"),
    "image_checkpoint": ("scenes", "scenes"),
    "device": ("cuda:1", "cuda:1"),
    "threads": ("3", 3),
    "plain": ("1", True),
    "models_dirs": (f"/a{os.pathsep}/b", (Path("/a"), Path("/b"))),
    "outputs": ("/finished", Path("/finished")),
    "name_pattern": ("{date}/{number}_{seed}", "{date}/{number}_{seed}"),
    "suffix": ("FLAC", ".flac"),
    "previews": ("no", False),
    "hosts": ("Studio.example.org, 10.0.0.7", ("studio.example.org", "10.0.0.7")),
    "password": ("open sesame", "open sesame"),
    "password_file": ("/secrets/word", Path("/secrets/word")),
}
IN_FILE = [name for name in SAMPLES if not FIELDS[name].instead and name != "password_file"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"RIFFAPP_HOME": str(tmp_path)}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / settings.FILE
        path.write_text(text, encoding="utf-8")
        return path

    return write


# ---- where values come from


def test_an_empty_environment_gives_the_defaults(env: dict[str, str], tmp_path: Path) -> None:
    assert settings.load(env) == Settings(home=tmp_path)


def test_the_table_has_every_setting_and_every_setting_a_sample() -> None:
    assert set(FIELDS) == {f.name for f in fields(Settings)}
    assert set(SAMPLES) == set(FIELDS) - {"home"}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_variable_is_read(env: dict[str, str], name: str, tmp_path: Path) -> None:
    text, value = SAMPLES[name]
    if name == "password_file":
        (tmp_path / "word").write_text("secret\n")
        text, value = str(tmp_path / "word"), tmp_path / "word"
    found = settings.load(env | {FIELDS[name].variable: text})
    assert getattr(found, name) == value
    assert settings.origins(env | {FIELDS[name].variable: text})[name].origin == (
        f"environment {FIELDS[name].variable}"
    )


@pytest.mark.parametrize("name", IN_FILE)
def test_what_is_saved_is_read_again_and_its_origin_is_the_file(
    env: dict[str, str], name: str
) -> None:
    text, value = SAMPLES[name]
    settings.save({name: True if name == "plain" else text}, settings.file_of(env))
    assert getattr(settings.load(env), name) == value
    assert settings.origins(env)[name].origin == "settings.toml"


def test_the_environment_goes_before_the_file(
    env: dict[str, str], write: Callable[[str], Path]
) -> None:
    write('device = "cuda"\nthreads = 2\n')
    found = settings.load(env | {"RIFFAPP_DEVICE": "cpu"})
    assert (found.device, found.threads) == ("cpu", 2)


def test_an_empty_variable_says_nothing(env: dict[str, str], write: Callable[[str], Path]) -> None:
    write("threads = 2\n")
    assert settings.load(env | {"RIFFAPP_THREADS": ""}).threads == 2


def test_a_file_of_another_place_is_read_instead_of_the_homes(
    env: dict[str, str], write: Callable[[str], Path], tmp_path: Path
) -> None:
    write("threads = 2\n")
    other = tmp_path / "other.toml"
    other.write_text("threads = 5\n")
    assert settings.load(env, file=other).threads == 5
    assert settings.origins(env, file=other)["threads"].origin == "other.toml"


def test_origins_say_default_and_what_each_setting_is(env: dict[str, str]) -> None:
    found = settings.origins(env)
    assert list(found) == list(FIELDS)
    assert found["home"].origin == "environment RIFFAPP_HOME"
    assert {one.origin for name, one in found.items() if name != "home"} == {"default"}
    assert all(one.words and "\n" not in one.words for one in found.values())


def test_the_home_is_the_platforms_folder_for_data_and_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    place = tmp_path / "share" / "riffapp"
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: place)
    found = settings.load({})
    assert (found.home, found.outputs) == (place, place / "outputs")
    assert settings.file_of({}) == place / "settings.toml"
    assert not place.exists()


def test_relative_paths_of_the_file_are_in_its_folder_and_of_variables_where_one_works(
    env: dict[str, str],
    write: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('outputs = "done"\nmodels_dirs = ["models", "~/more"]\n')
    monkeypatch.setenv("HOME", "/people/ann")
    found = settings.load(env)
    assert found.outputs == tmp_path / "done"
    assert found.models_dirs == (tmp_path / "models", Path("/people/ann/more"))
    monkeypatch.chdir("/")
    assert settings.load(env | {"RIFFAPP_OUTPUTS": "done"}).outputs == Path("/done")


def test_models_go_to_the_first_folder_of_models_and_are_looked_for_in_the_homes_too(
    tmp_path: Path,
) -> None:
    alone = Settings(home=tmp_path)
    assert (alone.models, alone.roots) == (tmp_path / "models", ())
    (tmp_path / "models").mkdir()
    assert alone.roots == (tmp_path / "models",)
    both = Settings(home=tmp_path, models_dirs=(Path("/a"), Path("/b")))
    assert both.models == Path("/a")
    assert both.roots == (Path("/a"), Path("/b"), tmp_path / "models")


def test_the_image_checkpoint_is_the_embedded_one_that_has_no_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from riffapp.studio import checkpoints

    monkeypatch.setattr(checkpoints, "EMBEDDED", tmp_path)
    for name, files in {"band": ("sound.json",), "scenes": ()}.items():
        (tmp_path / name).mkdir()
        for file in ("model_index.json", *files):
            (tmp_path / name / file).write_text("{}")
    assert Settings(home=tmp_path).image_checkpoint == "scenes"
    (tmp_path / "scenes" / "sound.json").write_text("{}")
    assert Settings(home=tmp_path).image_checkpoint == "loops"


def test_importing_and_loading_makes_no_folder_and_imports_nothing_heavy(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code = "import sys; from riffapp import settings; settings.load(); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"RIFFAPP_HOME": str(home)},
    )
    assert not {"torch", "numpy", "tomlkit", "streamlit"} & set(run.stdout.split())
    assert not home.exists()


# ---- refusals


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5", "³"])
def test_threads_that_are_no_whole_number_above_0_are_refused(threads: str) -> None:
    with pytest.raises(UsageError, match="RIFFAPP_THREADS is .* whole number from 1"):
        settings.load({"RIFFAPP_THREADS": threads})


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="RIFFAPP_DEVICE is 'tpu': known are auto, cpu, cuda, mps"):
        settings.load({"RIFFAPP_DEVICE": "tpu"})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("threads = true", "threads in settings.toml is 'True': give a whole number from 1 up"),
        ("checkpoint = 7", "checkpoint in settings.toml is '7': give words on one line"),
        ('checkpoint = "a\\nb"', "give words on one line"),
        ('previews = "perhaps"', "previews in settings.toml is 'perhaps': give true or false"),
        ("models_dirs = 7", f"give a list, or text parted by '{os.pathsep}'"),
        ('outputs = "~nobody-of-that-name/x"', "write the path out, without ~"),
        ('suffix = "wma"', "known are .wav, .flac, .ogg, .mp3"),
        ('hosts = ["http://a.example"]', "give names such as studio.example.org"),
        ('hosts = ["*"]', "give names such as studio.example.org"),
        ('name_pattern = "{seed}"', "it must hold {number}, so that names differ"),
        ('password = "x"', "password does not belong in settings.toml: set RIFFAPP_PASSWORD"),
        ('home = "/x"', "home does not belong in settings.toml: set RIFFAPP_HOME"),
    ],
)
def test_a_value_of_the_file_that_is_not_allowed_is_one_sentence(
    env: dict[str, str], write: Callable[[str], Path], line: str, words: str
) -> None:
    write(line + "\n")
    with pytest.raises(UsageError, match=re.escape(words)) as refused:
        settings.load(env)
    assert len(str(refused.value).splitlines()) == 1


def test_a_long_value_is_refused_in_short(env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"RIFFAPP_DEVICE is 'x{57}\.\.\.': known"):
        settings.load(env | {"RIFFAPP_DEVICE": "x" * 5000})


DAMAGED = ["threads = 2\ndevice = [\n", "threads = 2\ndevice cpu\n", "a = 1\na = 2\n"]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_file_is_one_sentence_with_the_line_and_is_never_overwritten(
    env: dict[str, str], write: Callable[[str], Path], text: str
) -> None:
    path = write(text)
    for ask in (
        lambda: settings.load(env),
        lambda: settings.origins(env),
        lambda: settings.remarks(env),
        lambda: settings.save({"threads": 3}, path),
    ):
        with pytest.raises(UsageError, match=r"settings.toml is no TOML: .*(line \d|end of doc)"):
            ask()
    assert path.read_text() == text


def test_a_file_that_is_no_text_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / settings.FILE).write_bytes(b"a = '\xff'")
    with pytest.raises(UsageError, match=r"settings.toml cannot be read \(not UTF-8\)"):
        settings.load(env)


def test_a_file_that_may_not_be_read_is_refused(
    env: dict[str, str], write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    write("threads = 2\n")
    monkeypatch.setattr(Path, "read_text", locked)
    with pytest.raises(UsageError, match=r"settings.toml cannot be read \(Permission denied\)"):
        settings.load(env)


def test_a_folder_in_the_place_of_the_file_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / settings.FILE).mkdir()
    with pytest.raises(UsageError, match=r"settings.toml cannot be read \(Is a directory\)"):
        settings.load(env)


# ---- writing


def test_saving_keeps_comments_unknown_lines_and_tables(write: Callable[[str], Path]) -> None:
    path = write('# mine\nthreads = 2  # of four\nfuture = "x"\n\n[table]\nkey = 1\n')
    settings.save({"threads": "3", "device": "cpu", "checkpoint": None}, path)
    assert path.read_text() == (
        '# mine\nthreads = 3  # of four\nfuture = "x"\ndevice = "cpu"\n\n[table]\nkey = 1\n'
    )


def test_none_removes_a_setting(env: dict[str, str]) -> None:
    path = settings.file_of(env)
    settings.save({"threads": 4, "device": "cpu"}, path)
    settings.save({"threads": None}, path)
    assert tomllib.loads(path.read_text()) == {"device": "cpu"}
    assert settings.origins(env)["threads"].origin == "default"


def test_values_are_written_as_toml_has_them(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.toml"
    changes = {"threads": "4", "previews": "off", "outputs": Path("~/loops"), "hosts": "a.b,c.d"}
    settings.save(changes, path)
    assert tomllib.loads(path.read_text()) == {
        "threads": 4,
        "previews": False,
        "outputs": "~/loops",
        "hosts": ["a.b", "c.d"],
    }


def test_a_change_that_is_refused_leaves_the_file_as_it_was(write: Callable[[str], Path]) -> None:
    path = write("threads = 2\n")
    with pytest.raises(UsageError, match="device is 'tpu': known are"):
        settings.save({"threads": 3, "device": "tpu"}, path)
    assert path.read_text() == "threads = 2\n"


def test_a_write_that_fails_leaves_the_file_whole_and_nothing_beside_it(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from audio.errors import MachineError

    path = write("threads = 2\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="No space left"):
        settings.save({"threads": 3}, path)
    assert path.read_text() == "threads = 2\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    kept, link = tmp_path / "dotfiles.toml", tmp_path / "settings.toml"
    kept.write_text("threads = 2\n")
    link.symlink_to(kept)
    settings.save({"threads": 3}, link)
    assert link.is_symlink()
    assert kept.read_text() == "threads = 3\n"


def test_an_unknown_setting_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'devise' is no setting: the nearest is 'device'"):
        settings.save({"devise": "cpu"}, tmp_path / "settings.toml")
    assert not (tmp_path / "settings.toml").exists()


def test_names_that_no_setting_has_are_remarked_on(
    env: dict[str, str], write: Callable[[str], Path]
) -> None:
    write('devise = "cpu"\n')
    assert settings.remarks(env | {"RIFFAPP_THREAD": "3", "OTHER": "1"}) == (
        "'devise' in settings.toml is no setting: the nearest is 'device'",
        "'RIFFAPP_THREAD' in the environment is no setting: the nearest is 'RIFFAPP_THREADS'",
    )
    assert settings.load(env).device == "auto"


# ---- secrets


def test_a_password_is_never_shown(env: dict[str, str]) -> None:
    secret = env | {"RIFFAPP_PASSWORD": "open sesame"}
    found = settings.load(secret)
    assert found.password == "open sesame"
    assert "sesame" not in repr(found)
    assert settings.origins(secret)["password"].value == "set"
    assert "sesame" not in repr(settings.origins(secret))
    assert settings.origins(env)["password"].value is None


def test_a_password_is_the_first_line_of_its_file(
    env: dict[str, str], write: Callable[[str], Path], tmp_path: Path
) -> None:
    write('password_file = "word"\n')
    (tmp_path / "word").write_text("open sesame\r\nsecond line\n")
    assert settings.load(env).password == "open sesame"
    shown = settings.origins(env)["password"]
    assert (shown.value, shown.origin) == ("set", "password_file")
    assert settings.load(env | {"RIFFAPP_PASSWORD": "other"}).password == "other"


def test_a_password_is_not_written_into_the_file(env: dict[str, str]) -> None:
    path = settings.file_of(env)
    with pytest.raises(UsageError, match="password does not belong in settings.toml"):
        settings.save({"password": "open sesame"}, path)
    assert not path.exists()


def test_a_refused_password_is_not_told(env: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        settings.load(env | {"RIFFAPP_PASSWORD": "open\nsesame"})
    assert str(refused.value) == "RIFFAPP_PASSWORD cannot be that: give words on one line"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "word has no password in its first line"), ("\n", "no password in its first line")],
)
def test_a_password_file_without_a_password_is_refused(
    env: dict[str, str], tmp_path: Path, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "word").write_text(content)
    with pytest.raises(UsageError, match=words):
        settings.load(env | {"RIFFAPP_PASSWORD_FILE": str(tmp_path / "word")})


# ---- riffapp config


def test_config_sets_shows_and_unsets(riffapp: Callable[..., Run], own_home: Path) -> None:
    run = riffapp("config", "set", "hosts", "a.example", "b.example")
    assert (run.code, run.out) == (0, "hosts  a.example, b.example  from settings.toml\n")
    shown = riffapp("config", "show", "--origin").out
    assert re.search(r"hosts +a\.example, b\.example\n +from settings\.toml; names", shown)
    assert "(RIFFAPP_HOSTS)" in shown
    assert riffapp("config", "unset", "hosts").out == "hosts  -  from default\n"
    assert tomllib.loads((own_home / "settings.toml").read_text()) == {}


def test_config_shows_one_json_document_without_secrets(
    riffapp: Callable[..., Run], own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFAPP_PASSWORD", "open sesame")
    run = riffapp("config", "show", "--json")
    assert "sesame" not in run.out + run.err
    found = json.loads(run.out)
    assert found["home"]["value"] == str(own_home)
    assert found["password"] == {
        "value": "set",
        "origin": "environment RIFFAPP_PASSWORD",
        "words": FIELDS["password"].words,
        "variable": "RIFFAPP_PASSWORD",
    }


def test_config_says_that_the_environment_still_holds(
    riffapp: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFAPP_THREADS", "1")
    run = riffapp("config", "set", "threads", "4")
    assert run.out == "threads  1  from environment RIFFAPP_THREADS\n"


def test_config_refuses_in_one_line(riffapp: Callable[..., Run]) -> None:
    run = riffapp("config", "set", "threads", "many")
    assert (run.code, run.err) == (
        2,
        "riffapp: threads is 'many': give a whole number from 1 up\n",
    )


def test_config_remarks_on_strange_names(riffapp: Callable[..., Run], own_home: Path) -> None:
    (own_home / "settings.toml").write_text("treads = 2\n")
    run = riffapp("config", "show")
    assert run.code == 0
    assert "note: 'treads' in settings.toml is no setting: the nearest is 'threads'" in run.err
