"""The small tokenizer keeps what it was taught in one piece."""

from __future__ import annotations

from pathlib import Path

from sdcore.train.tokens import END, LENGTH, START, load_tokenizer, write_tokenizer

WORDS = ("house", "drums", "drumming", "bass", "bassline", "c", "#", "minor", ",", "1", "2")


def test_every_taught_word_is_one_token(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, WORDS)
    tokenizer = load_tokenizer(tmp_path)
    for word in WORDS:
        assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1, word


def test_a_word_never_taught_still_has_its_letters(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, WORDS)
    tokens = load_tokenizer(tmp_path)("zebra", add_special_tokens=False)["input_ids"]
    assert len(tokens) > 1


def test_padding_begins_and_ends_as_clip_does(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, WORDS)
    tokenizer = load_tokenizer(tmp_path)
    ids = tokenizer("C# minor", padding="max_length", max_length=LENGTH)["input_ids"]
    names = tokenizer.convert_ids_to_tokens(ids)
    assert names[:5] == [START, "c</w>", "#</w>", "minor</w>", END]
    assert set(names[5:]) == {END}
    assert len(ids) == LENGTH
