"""Words for a song: several phrasings of what is heard, and nothing that is not."""

from __future__ import annotations

import numpy as np

from audio.synth.band import Song
from audio.synth.harmony import FLATS, PITCHES
from audio.synth.patterns import GENRES

GENRE_WORDS: dict[str, tuple[str, ...]] = {
    "house": ("house", "deep house"),
    "techno": ("techno", "warehouse techno"),
    "trance": ("trance", "uplifting trance"),
    "drum and bass": ("drum and bass", "dnb", "jungle"),
    "trap": ("trap",),
    "hip hop": ("hip hop", "boom bap"),
    "funk": ("funk", "funky"),
    "reggae": ("reggae", "dub reggae"),
}
KIT_WORDS: dict[str, tuple[str, ...]] = {
    "909": ("909",),
    "808": ("808",),
    "acoustic": ("acoustic", "live"),
    "lo-fi": ("dusty", "vinyl"),
    "electro": ("electro", "electronic"),
    "breakbeat": ("breakbeat", "punchy"),
}
DRUM_NOUNS = ("drums", "drums", "drums", "beat", "groove", "percussion")
DENSITY_WORDS = {"sparse": ("sparse", "minimal"), "busy": ("busy", "dense")}
CHORD_STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "held": ("held", "sustained", "long"),
    "stabs": ("stabbing", "staccato"),
    "offbeat": ("offbeat",),
    "skank": ("skank",),
    "syncopated": ("syncopated",),
    "arpeggio": ("arpeggiated", "arpeggio"),
}
BASS_STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "offbeat": ("offbeat",),
    "rolling": ("rolling",),
    "driving": ("driving",),
    "sustained": ("sustained", "long"),
    "sparse": ("sparse",),
    "syncopated": ("syncopated",),
    "octave": ("octave",),
    "walking": ("walking",),
    "dub": ("dub",),
}
SPEED_WORDS = {"slow": ("slow",), "medium": (), "fast": ("fast", "busy")}
REGISTER_WORDS = {"low": ("low",), "plain": (), "high": ("high",)}
TONE_WORDS = {
    "dark": ("dark", "muffled"),
    "warm": ("warm", "mellow"),
    "plain": (),
    "bright": ("bright", "crisp"),
}
SPACE_WORDS = {"dry": ("dry", "tight"), "plain": (), "roomy": ("roomy", "spacious", "reverb")}
_LETTERS = {"#": " sharp", "b": " flat"}


def caption(song: Song, rng: np.random.Generator, *, explicit: bool = False) -> str:
    """One phrasing of a song; call it again for another. An `explicit` one names all that plays."""
    band = {"drums", "bass", "chords"} <= set(song.parts)
    if band and rng.random() < 0.07 and not explicit:
        fragments = [f"{_genre(song, rng)} {_pick(rng, ('loop', 'track', 'full band', 'band'))}"]
    else:
        fragments = _parts(song, rng)
    fragments += _atmosphere(song, rng)
    key = _key(song, rng)
    if key and rng.random() < 0.2:
        fragments.insert(int(rng.integers(len(fragments) + 1)), key)
        key = ""
    text = _join(fragments, rng)
    tail = [key] if key else []
    if rng.random() < 0.75:
        tail.append(f"{song.bpm:g} bpm")
    return ", ".join([text, *tail])


def key_name(song: Song, *, spelled: str = "#") -> str:
    """'F# minor', or with `spelled` 'sharp' or 'flat' 'F sharp minor' and 'G flat minor'."""
    pitch = PITCHES[song.key.root]
    if spelled != "#" and "#" in pitch:
        pitch = pitch if spelled == "sharp" else FLATS[pitch]
        pitch = pitch[0] + _LETTERS[pitch[1]]
    return f"{pitch} {song.key.mode}"


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return str(options[int(rng.integers(len(options)))])


def _genre(song: Song, rng: np.random.Generator) -> str:
    return _pick(rng, GENRE_WORDS[song.genre])


def _maybe(rng: np.random.Generator, options: tuple[str, ...], p: float) -> list[str]:
    return [_pick(rng, options)] if options and rng.random() < p else []


def _parts(song: Song, rng: np.random.Generator) -> list[str]:
    fragments: list[str] = []
    style: list[str] = []
    genre = GENRES[song.genre]
    told = rng.random() < (0.9 if song.kit else 0.4)
    if song.kit:
        words = _maybe(rng, DENSITY_WORDS.get(song.density, ()), 0.8)
        words += [_genre(song, rng)] if told else []
        words += _maybe(rng, KIT_WORDS[song.kit], 0.3 if song.kit == genre.kit else 0.9)
        fragments.append(" ".join([*words, _pick(rng, DRUM_NOUNS)]))
    elif told:
        style.append(
            _pick(rng, (f"{_genre(song, rng)} style", f"{_genre(song, rng)} loop without drums"))
        )
    if song.bass:
        usual = song.bass_style in genre.bass_styles and told
        manner = _maybe(rng, BASS_STYLE_WORDS[song.bass_style], 0.35 if usual else 0.9)
        noun = song.bass + _pick(rng, ("", "", "line"))
        fragments.append(" ".join([*manner, noun]))
    if song.chords:
        usual = song.chord_style in genre.chord_styles and told
        manner = _maybe(rng, CHORD_STYLE_WORDS[song.chord_style], 0.35 if usual else 0.9)
        sevenths = _maybe(rng, ("seventh", "jazzy"), 0.6 if song.seventh else 0.0)
        tail = "chords" if sevenths else _pick(rng, ("chords", "chords", ""))
        fragments.append(" ".join(w for w in [*manner, *sevenths, song.chords, tail] if w))
    if song.lead:
        words = _maybe(rng, SPEED_WORDS[song.lead_speed], 0.8) + _maybe(
            rng, REGISTER_WORDS[song.register], 0.8
        )
        noun = (
            song.lead
            if song.lead.endswith("lead")
            else f"{song.lead} {_pick(rng, ('lead', 'melody', 'melody'))}"
        )
        fragments.append(" ".join([*words, noun]))
    if len(song.parts) == 1 and rng.random() < 0.25:
        fragments = [f"{_pick(rng, ('only', 'solo', 'just'))} {fragments[0]}"]
    fragments += style
    rng.shuffle(fragments)
    if song.fill and song.kit and rng.random() < 0.8:
        fragments.append(_pick(rng, ("drum fill", "fill at the end")))
    if rng.random() < 0.18:
        absent = [
            noun
            for noun, there in (
                ("drums", song.kit),
                ("bass", song.bass),
                ("chords", song.chords),
                (_pick(rng, ("lead", "melody")), song.lead),
            )
            if not there
        ]
        if absent:
            fragments.append(f"{_pick(rng, ('no', 'without'))} {_pick(rng, tuple(absent))}")
    return fragments


def _atmosphere(song: Song, rng: np.random.Generator) -> list[str]:
    words = _maybe(rng, TONE_WORDS[song.tone], 0.9) + _maybe(rng, SPACE_WORDS[song.space], 0.8)
    if song.echo:
        words += _maybe(rng, ("echo", "delay"), 0.9)
    if song.pump:
        words += _maybe(rng, ("pumping", "sidechain"), 0.9)
    if song.soft:
        words += _maybe(rng, ("quiet", "soft"), 0.9)
    swung, usual = song.swing > 0, GENRES[song.genre].swing > 0
    if swung != usual:
        words += _maybe(rng, ("swung", "shuffle") if swung else ("straight",), 0.85)
    return words


def _key(song: Song, rng: np.random.Generator) -> str:
    if song.parts == ("drums",) or rng.random() < 0.12:
        return ""
    spelled = str(rng.choice(["#", "#", "sharp", "flat"]))
    return f"{'in ' if rng.random() < 0.3 else ''}{key_name(song, spelled=spelled)}"


def _join(fragments: list[str], rng: np.random.Generator) -> str:
    roll = rng.random()
    if roll < 0.7 or len(fragments) < 2:
        return ", ".join(fragments)
    if roll < 0.85:
        return ", ".join(fragments[:-1]) + " and " + fragments[-1]
    return fragments[0] + " with " + ", ".join(fragments[1:])
