"""Every model that is here is listed, with what can be known of it without loading it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riffapp.errors import UsageError
from riffapp.settings import Settings
from riffapp.studio import inventory, model_cards
from riffapp.studio.checkpoints import EMBEDDED, Instrument
from riffapp.studio.inventory import Hashes, Model
from tests.riffapp.conftest import Run
from tests.riffapp.test_weight_files import ATTENTION, FIRST, write

LORA = {f"lora_unet_{ATTENTION}.lora_down.weight": (4, 768)}
SD1 = {FIRST: (320, 4, 3, 3), "cond_stage_model.transformer.x": (1,)}
EMBEDDING = {"emb_params": (2, 768)}


@pytest.fixture
def found(tmp_path: Path) -> Settings:
    """Settings with a home and one folder of models, both empty."""
    root = tmp_path / "webui"
    root.mkdir()
    return Settings(home=tmp_path / "home", models_dirs=(root,))


def own(settings: Settings) -> dict[str, Model]:
    """What is not embedded, by name."""
    return {one.name: one for one in inventory.models(settings) if not one.is_embedded}


def root(settings: Settings) -> Path:
    return settings.models_dirs[0]


# ---- the list


def test_the_embedded_models_come_first_with_licence_and_family(found: Settings) -> None:
    loops, *others = inventory.models(found)
    assert (loops.kind, loops.name, loops.family) == ("checkpoint", "loops", "embedded")
    assert (loops.licence, loops.ok, loops.makes_sound) == ("GPL-3.0-or-later", True, True)
    assert loops.bytes == sum(p.stat().st_size for p in EMBEDDED.glob("loops/**/*") if p.is_file())
    (voice,) = (one for one in others if one.kind == "voice")
    assert (voice.name, voice.licence, voice.is_embedded) == ("espeak-ng", "GPL-3.0-or-later", True)
    assert all(one.is_embedded for one in others)


def test_each_kind_is_listed_from_the_place_where_people_are_told_to_put_it(
    found: Settings, tiny: Path
) -> None:
    shapes: dict[str, Any] = {
        "checkpoint": SD1,
        "vae": {"decoder.conv_in.weight": (8, 4, 3, 3), "x": (1,)},
        "lora": LORA,
        "embedding": EMBEDDING,
        "upscaler": {"conv_first.weight": (8, 3, 3, 3), "x": (1,)},
        "restorer": {"stylegan_decoder.x": (1,), "y": (1,)},
        "preview": {"x": (1,), "y": (1,)},
        "voice": {"x": (1,), "y": (1,)},
    }
    where = {place.kind: place.folder for place in inventory.places(found)}
    assert list(where) == list(shapes)
    for kind, tensors in shapes.items():
        if kind == "voice":
            write(where[kind] / "anna" / "model.safetensors", tensors)
            (where[kind] / "anna" / "config.json").write_text('{"model_type": "vits"}')
        else:
            write(where[kind] / f"my {kind}.safetensors", tensors)
    listed = own(found)
    assert {one.kind for one in listed.values()} == set(shapes)
    for kind in shapes:
        name = f"transformers:{where['voice'] / 'anna'}" if kind == "voice" else f"my {kind}"
        one = listed[name]
        assert (one.kind, one.ok, one.licence) == (kind, True, "not stated"), one.remark
        assert one.path.is_relative_to(where[kind])
        assert one.bytes > 0
    families = {kind: listed[f"my {kind}"].family for kind in ("checkpoint", "lora", "embedding")}
    assert set(families.values()) == {"SD 1.x"}
    assert not listed["my checkpoint"].makes_sound


def test_places_are_the_folders_that_are_there_in_either_tree(found: Settings) -> None:
    def folder(kind: str) -> Path:
        return next(one.folder for one in inventory.places(found) if one.kind == kind)

    assert folder("lora") == root(found) / "Lora"
    (root(found) / "models" / "loras").mkdir(parents=True)
    assert folder("lora") == root(found) / "models" / "loras"
    assert folder("checkpoint") == root(found) / "models" / "Stable-diffusion"
    assert folder("checkpoint").exists() is False


def test_without_a_folder_of_models_they_go_to_the_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for place in inventory.places(settings):
        assert place.folder.is_relative_to(tmp_path / "models")
        assert place.words
    write(tmp_path / "models" / "Lora" / "cat.safetensors", LORA)
    assert list(own(settings)) == ["cat"]


def test_a_folder_in_diffusers_layout_is_one_model(
    found: Settings, tiny: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny, root(found) / "Stable-diffusion" / "band")
    one = own(found)["band"]
    assert (one.ok, one.makes_sound, one.licence) == (True, True, "CC0-1.0")
    assert one.bytes == sum(p.stat().st_size for p in tiny.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("width", "family"), [(768, "SD 1.x"), (1024, "SD 2.x"), (2048, "SDXL"), (31, "")]
)
def test_a_folders_family_stands_in_its_configuration(
    found: Settings, tiny: Path, width: int, family: str
) -> None:
    folder = root(found) / "checkpoints" / "own"
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(
        json.dumps(config | {"cross_attention_dim": width})
    )
    assert own(found)["own"].family == family


def test_broken_files_are_listed_with_what_is_wrong(found: Settings) -> None:
    path = write(root(found) / "Lora" / "cat.safetensors", LORA)
    path.write_bytes(path.read_bytes()[:-1])
    (root(found) / "Lora" / "gone.safetensors").symlink_to("/nowhere/gone")
    (root(found) / "Lora" / "old.pt").write_bytes(b"\x80\x04N.")
    write(root(found) / "VAE" / "dog.safetensors", LORA)
    listed = own(found)
    assert {one.ok for one in listed.values()} == {False}
    assert "is incomplete" in listed["cat"].remark
    assert "a link to one that is gone" in listed["gone"].remark
    assert listed["gone"].bytes == 0
    assert "is a pickle" in listed["old"].remark
    assert listed["dog"].remark.startswith("VAE/dog.safetensors is a LoRA, not a VAE")


def test_a_file_is_read_again_when_it_or_what_lies_beside_it_changes(
    found: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(root(found) / "Lora" / "cat.safetensors", LORA)
    assert own(found)["cat"].licence == "not stated"
    path.with_suffix(".md").write_text("---\nlicense: mit\n---\n")
    assert own(found)["cat"].licence == "mit"

    read: list[str] = []
    examined = inventory._examined

    def counted(kind: Any, name: str, path: Path) -> Model:
        read.append(name)
        return examined(kind, name, path)

    monkeypatch.setattr(inventory, "_examined", counted)
    assert own(found)["cat"].licence == "mit"
    assert "cat" not in read
    path.write_bytes(path.read_bytes()[:-1])
    assert own(found)["cat"].ok is False


def test_the_checkpoint_of_the_settings_is_listed_wherever_it_lies(
    found: Settings, tiny: Path
) -> None:
    from dataclasses import replace

    listed = own(replace(found, checkpoint=str(tiny)))
    assert listed[str(tiny)].path == tiny
    inside = write(root(found) / "Stable-diffusion" / "a.safetensors", SD1)
    assert list(own(replace(found, checkpoint=str(inside)))) == ["a"]
    assert str(tiny) in own(replace(found, image_checkpoint=str(tiny)))


def test_a_folder_that_is_called_as_an_embedded_model_is_not_meant(
    found: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loops").mkdir()
    monkeypatch.chdir(tmp_path)
    assert own(found) == {}


def test_what_is_still_being_downloaded_is_not_listed(found: Settings) -> None:
    part = root(found) / "voices" / ".anna.part"
    part.mkdir(parents=True)
    (part / "config.json").write_text("{}")
    assert own(found) == {}


def test_voices_say_which_engine_reads_them(found: Settings) -> None:
    voices = root(found) / "voices"
    for name, config in {"a": {"model": "vits"}, "b": {"model": "xtts"}}.items():
        (voices / name).mkdir(parents=True)
        (voices / name / "config.json").write_text(json.dumps(config))
        (voices / name / "model.pth").write_bytes(b"\x80\x04N.")
    listed = own(found)
    assert listed[f"coqui:{voices / 'a'}"].licence == "not stated"
    assert listed[f"coqui:{voices / 'b'}"].licence.startswith("CPML (non-commercial")
    assert {one.ok for one in listed.values()} == {None}


# ---- cards


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [x]\n---\n# hello", "apache-2.0"),
        ("---\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("---\nlicense: other\nlicense_name: openrail++\n---\n", "openrail++"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\ntags: x\n---\nlicense: mit\n", "not stated"),
        ("license: mit\n", "not stated"),
        ("---\nlicense:\n---\n", "not stated"),
        ("", "not stated"),
    ],
)
def test_a_licence_is_read_from_the_model_card(tmp_path: Path, card: str, licence: str) -> None:
    (tmp_path / "README.md").write_text(card)
    assert model_cards.licence(tmp_path, {}) == licence
    (tmp_path / "cat.md").write_text(card)
    assert model_cards.licence(tmp_path / "cat.safetensors", {}) == licence


def test_the_header_goes_before_sound_json_and_that_before_the_card(tmp_path: Path) -> None:
    path = tmp_path / "cat.safetensors"
    path.with_suffix(".md").write_text("---\nlicense: mit\n---\n")
    assert model_cards.licence(path, {}) == "mit"
    path.with_suffix(".sound.json").write_text('{"licence": "CC0-1.0"}')
    assert model_cards.licence(path, {}) == "CC0-1.0"
    assert model_cards.licence(path, {"modelspec.license": "CC-BY-4.0"}) == "CC-BY-4.0"


def test_an_embeddings_word_is_its_name(found: Settings) -> None:
    write(root(found) / "embeddings" / "sub" / "funky.safetensors", EMBEDDING)
    assert own(found)["sub/funky"].words == ("funky",)


TAGS = json.dumps({"a": {"catx": 9, "a photo": 5, "rain": 4}, "b": {"catx": 1}})


@pytest.mark.parametrize(
    ("texts", "beside", "words"),
    [
        ({"modelspec.trigger_phrase": "catx, in rain"}, {}, ("catx", "in rain")),
        ({"ss_tag_frequency": TAGS, "ss_num_train_images": "10"}, {}, ("catx", "a photo")),
        ({"ss_tag_frequency": TAGS}, {}, ("catx", "a photo")),
        ({"ss_tag_frequency": "[]"}, {}, ()),
        ({"ss_tag_frequency": '{"a": {"x": "many"}}'}, {}, ()),
        ({"ss_tag_frequency": "{"}, {}, ()),
        ({}, {".json": {"activation text": "meow, meow"}}, ("meow",)),
        ({}, {".civitai.info": {"trainedWords": ["purr, hiss", 7]}}, ("purr", "hiss")),
        ({}, {".json": ["no object"]}, ()),
        ({"modelspec.trigger_phrase": "\x1b[31m" + "x" * 500}, {}, ("[31m" + "x" * 76,)),
    ],
)
def test_a_loras_triggers_are_what_people_wrote_of_it(
    found: Settings, texts: dict[str, str], beside: dict[str, Any], words: tuple[str, ...]
) -> None:
    path = write(root(found) / "Lora" / "cat.safetensors", LORA, texts)
    for suffix, content in beside.items():
        path.with_suffix(suffix).write_text(json.dumps(content))
    assert own(found)["cat"].words == words


def test_hostile_cards_take_no_time(tmp_path: Path) -> None:
    for card in ("---\nlicense: a" + " " * 10**6 + "b", "---" + "\n" * 10**6, "---\n" * 10**5):
        (tmp_path / "README.md").write_text(card)
        assert len(model_cards.licence(tmp_path, {})) <= model_cards.MAX_CHARS
    deep = tmp_path / "cat.json"
    deep.write_text("[" * 10**5)
    assert model_cards.words(tmp_path / "cat.safetensors", "lora", {}) == ()


# ---- hashes


def test_a_hash_is_computed_once_and_kept(found: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    path = write(root(found) / "Lora" / "cat.safetensors", LORA)
    assert own(found)["cat"].sha256 is None
    seen: list[tuple[int, int]] = []
    digest = Hashes(found.home).of(path, on_progress=lambda *state: seen.append(state))
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    assert own(found)["cat"].sha256 == digest

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    assert Hashes(found.home).of(path, on_progress=never) == digest
    path.write_bytes(path.read_bytes() + b"1")
    assert Hashes(found.home).known(path) is None


def test_a_file_of_the_same_size_but_another_time_is_hashed_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    hashes = Hashes(tmp_path / "home")
    first = hashes.of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(2, 2))
    assert hashes.known(path) is None
    assert hashes.of(path) != first


def test_a_folders_hash_is_what_recipes_name_it_by(
    tiny: Path, instrument: Instrument, tmp_path: Path
) -> None:
    assert Hashes(tmp_path).of(tiny) == instrument.checkpoint.sha256


def test_a_hash_can_be_stopped_and_then_nothing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"one")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Hashes(tmp_path).of(path, on_progress=stop)
    assert not (tmp_path / inventory.HASHES).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"a": 1}', "[[1]]"])
def test_damaged_hashes_are_computed_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    (tmp_path / inventory.HASHES).write_text(content.replace("a", str(path)))
    hashes = Hashes(tmp_path)
    assert hashes.known(path) is None
    assert hashes.known(path) is None
    assert hashes.of(path) == hashes.known(path)


def test_a_folder_that_lacks_weights_has_no_hash(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(tiny, folder)
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    assert Hashes(tmp_path).known(folder) is None
    with pytest.raises(UsageError, match="diffusion_pytorch_model.safetensors is missing"):
        Hashes(tmp_path).of(folder)


# ---- riffapp models


def test_models_list_shows_what_there_is(riffapp: Callable[..., Run], found: Settings) -> None:
    path = write(root(found) / "Lora" / "cat.safetensors", LORA, {"modelspec.license": "CC0"})
    bad = write(root(found) / "Lora" / "dog.safetensors", LORA)
    bad.write_bytes(b"")
    run = riffapp("models", "list", "--models-dir", root(found), "--kind", "LoRA")
    assert run.code == 0
    assert run.out.splitlines() == [
        "ok     cat  lora, SD 1.x, 0.0 MiB, CC0",
        f"         {path}",
        "BROKEN dog  lora, 0.0 MiB, not stated",
        "         Lora/dog.safetensors is empty: download it again",
    ]
    asked = ("models", "list", "--models-dir", root(found), "--kind", "lora", "--json")
    assert [one["sha256"] for one in json.loads(riffapp(*asked).out)] == [None, None]
    cat, dog = json.loads(riffapp(*asked, "--sha256").out)
    assert (len(cat["sha256"]), dog["sha256"]) == (64, None)


def test_models_check_says_each_and_ends_with_2_where_one_is_broken(
    riffapp: Callable[..., Run], tmp_path: Path
) -> None:
    good = write(tmp_path / "a" / "good.safetensors", LORA)
    bad = write(tmp_path / "a" / "bad.safetensors", LORA)
    assert riffapp("models", "check", good).code == 0
    bad.write_bytes(b"<html>")
    run = riffapp("models", "check", good, bad)
    assert run.code == 2
    assert f"{good}: whole: a LoRA (SD 1.x), 1 tensors, " in run.out
    assert "BROKEN a/bad.safetensors is a web page" in run.out
    run = riffapp("models", "check", good, "--kind", "vae", "--json")
    assert (run.code, json.loads(run.out)[0]["ok"]) == (2, False)


def test_models_where_names_a_folder_for_each_kind(
    riffapp: Callable[..., Run], own_home: Path
) -> None:
    run = riffapp("models", "where")
    assert f"lora       {own_home / 'models' / 'Lora'}\n" in run.out
    assert len(json.loads(riffapp("models", "where", "--json").out)) == 8


def test_an_unknown_kind_is_refused_with_the_nearest(riffapp: Callable[..., Run]) -> None:
    run = riffapp("models", "list", "--kind", "loras")
    assert run.code == 2
    assert "unknown kind of model 'loras': nearest 'lora'" in run.err
