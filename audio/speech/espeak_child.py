"""espeak-ng in a process of its own: requests in on stdin, speech out on stdout.

Run as a script by `espeak_process`, with the paths of the library and of its data. It needs the
standard library only and imports nothing of ours, so that it runs in an isolated interpreter
wherever this package lies.

A request is a line of JSON; a reply is a line of JSON, and after it as many bytes as its `bytes`
says. The library's state carries over from one utterance into the next (phases, noise), so each is
spoken by a fork of the process that has spoken nothing: the same text gives the same samples.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

# espeak-ng/speak_lib.h
_SYNCHRONOUS, _PHONEME_EVENTS_IPA, _DONT_EXIT = 2, 0x3, 0x8000
_WORD, _PHONEME = 1, 7
_UTF8 = 1
_RATE, _PITCH = 1, 3


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def load(library: Path, data: Path) -> ctypes.CDLL:
    """The library, ready to speak. Raises OSError where it cannot be loaded or finds no data.

    The data is found by a relative path: the library has room for 160 characters of one.
    """
    espeak = ctypes.CDLL(str(library))
    os.chdir(data.parent)
    flags = _PHONEME_EVENTS_IPA | _DONT_EXIT
    if espeak.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data.name), flags) < 0:
        raise OSError(f"no data in {data}")
    return espeak


def voices(espeak: ctypes.CDLL, data: str) -> dict[str, Any]:
    """All voices, each with its languages from the first choice on, and the names of variants."""
    espeak.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    listed = espeak.espeak_ListVoices(None)
    found, i = [], 0
    while listed[i]:
        voice = listed[i].contents
        found.append(
            {
                "name": voice.name.decode().strip(),
                "file": voice.identifier.decode(),
                "languages": _languages(voice.languages),
            }
        )
        i += 1
    return {"voices": found, "variants": sorted(os.listdir(Path(data) / "voices" / "!v"))}


def _languages(address: int) -> list[tuple[int, str]]:
    """A list in C: a byte of priority and a string, again and again, to a zero byte."""
    found = []
    while priority := ctypes.string_at(address, 1)[0]:
        language = ctypes.string_at(address + 1)
        found.append((priority, language.decode()))
        address += len(language) + 2
    return found


def speak(espeak: ctypes.CDLL, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The events of an utterance, and its samples: 16 bit, native order, mono.

    Events are ["word", sample, position] and ["phone", sample, IPA]; `position` counts characters
    from 0, and an IPA of nothing is a pause.
    """
    events: list[tuple[str, int, int | str]] = []
    sound = bytearray()

    def heard(samples: Any, n: int, event: Any) -> int:
        if n > 0:
            sound.extend(ctypes.string_at(samples, 2 * n))
        i = 0
        while event[i].type:
            if event[i].type == _WORD:
                events.append(("word", event[i].sample, event[i].text_position - 1))
            elif event[i].type == _PHONEME:
                # 8 bytes have room for the most, not for all that is marked nasal twice
                ipa = bytes(event[i].id.string).decode(errors="ignore")
                events.append(("phone", event[i].sample, ipa))
            i += 1
        return 0

    callback = _Callback(heard)
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(request["voice"].encode()) != 0:
        return {"error": f"cannot read the voice {request['voice']}"}, b""
    espeak.espeak_SetParameter(_RATE, request["words_per_minute"], 0)
    espeak.espeak_SetParameter(_PITCH, request["pitch"], 0)
    text = request["text"].encode() + b"\0"
    if espeak.espeak_Synth(text, len(text), 0, 1, 0, _UTF8, None, None) != 0:
        return {"error": "cannot speak the text"}, b""
    return {"events": events}, bytes(sound)


def answer(out: BinaryIO, reply: dict[str, Any], payload: bytes = b"") -> None:
    """A reply, written and flushed."""
    out.write(json.dumps({**reply, "bytes": len(payload)}).encode() + b"\n")
    out.write(payload)
    out.flush()


def serve(library: Path, data: Path, requests: BinaryIO, out: BinaryIO) -> None:
    """Answers until there are no more requests, or until a fork dies of one."""
    try:
        espeak = load(library, data)
    except OSError as error:
        answer(out, {"error": f"cannot be loaded: {error}"})
        return
    for line in requests:
        request = json.loads(line)
        if request is None:
            answer(out, voices(espeak, data.name))
            continue
        child = os.fork()
        if child == 0:
            answer(out, *speak(espeak, request))
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            return


if __name__ == "__main__":
    # What the library prints must not reach the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.buffer, replies)
