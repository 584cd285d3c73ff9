// The samples of a WAV file as floats, exactly: 16 bits are v / 32768 and nothing else, so what is
// heard is what lies in the file. decodeAudioData would resample and hide how it rounds.

const EXTENSIBLE = 0xfffe;

// By format code and bits: what turns the bytes of whole frames into numbers, and full scale.
const CODINGS = {
  "1/16": [(bytes) => new Int16Array(bytes), 2 ** 15],
  "1/24": [int24, 2 ** 23],
  "1/32": [(bytes) => new Int32Array(bytes), 2 ** 31],
  "3/32": [(bytes) => new Float32Array(bytes), 1],
  "3/64": [(bytes) => new Float64Array(bytes), 1],
};

class Unreadable extends Error {}

// {rate, waves}: Hz, and a Float32Array for each channel. Throws Unreadable with the reason.
function readWav(bytes) {
  const view = new DataView(bytes);
  if (bytes.byteLength < 12 || nameAt(view, 0) !== "RIFF" || nameAt(view, 8) !== "WAVE") {
    throw new Unreadable("it is no WAV file");
  }
  let format = null;
  for (const { name, start, size } of chunks(view)) {
    if (name === "fmt " && size >= 16) format = formatAt(view, start, size);
    if (name !== "data") continue;
    if (!format) throw new Unreadable("its WAV file does not say how it is coded");
    const frame = (format.channels * format.bits) / 8;
    const whole = size - (size % frame);
    if (whole === 0) throw new Unreadable("its WAV file is empty");
    return { rate: format.rate, waves: wavesOf(bytes.slice(start, start + whole), format) };
  }
  throw new Unreadable("its WAV file ends before the samples");
}

// A file that was written as a stream may give too large a size: then a chunk ends with the file.
function* chunks(view) {
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const size = Math.min(view.getUint32(at + 4, true), view.byteLength - at - 8);
    yield { name: nameAt(view, at), start: at + 8, size };
    at += 8 + size + (size % 2);
  }
}

function formatAt(view, start, size) {
  const given = view.getUint16(start, true);
  const code = given === EXTENSIBLE && size >= 26 ? view.getUint16(start + 24, true) : given;
  const channels = view.getUint16(start + 2, true);
  const rate = view.getUint32(start + 4, true);
  const bits = view.getUint16(start + 14, true);
  const coding = CODINGS[`${code}/${bits}`];
  if (!coding || !channels || !rate) {
    throw new Unreadable(`its WAV coding is not known here (format ${code}, ${bits} bits)`);
  }
  return { channels, rate, bits, coding };
}

function wavesOf(bytes, { channels, coding: [numbers, scale] }) {
  const values = numbers(bytes);
  const length = values.length / channels;
  return Array.from({ length: channels }, (_, channel) => {
    const wave = new Float32Array(length);
    for (let i = 0, at = channel; i < length; i++, at += channels) wave[i] = values[at] / scale;
    return wave;
  });
}

function int24(bytes) {
  const parts = new Uint8Array(bytes);
  const values = new Int32Array(parts.length / 3);
  for (let i = 0, at = 0; i < values.length; i++, at += 3) {
    // Through the top of 32 bits and back down, which brings the sign along.
    values[i] = ((parts[at] << 8) | (parts[at + 1] << 16) | (parts[at + 2] << 24)) >> 8;
  }
  return values;
}

function nameAt(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}
