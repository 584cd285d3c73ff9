// What sounds: tracks on one clock. A short piece is decoded and repeated by the audio thread,
// sample after sample, in a context at the file's own rate; a long one streams from its URL.

const FADE_S = 0.006; // a start or stop in mid-wave would click
const LEAD = 1024; // samples between the decision and the first sample, to schedule all tracks in
const LATE_MS = 400; // a browser that lets sound start does it sooner than this
// As floats 5 minutes of stereo are 106 MB at 44.1 kHz. A 30-minute mix would be 635 MB, so a piece
// beyond this is never decoded as a whole: an <audio> element streams it.
const DECODED_S = 300;
const DRIFT_S = 0.03; // how far streamed tracks may part before they are set together again
const PEAKS = 1200; // parts of a waveform

const contexts = new Map(); // rate in Hz -> AudioContext

// All buffers from sample `offset` on, at one moment, each through its own gain (a factor) into
// `master`, which is silent until somebody opens it. What plays and what renders offline is this.
export function graph(context, buffers, gains, offset = 0, { loops = true, when_s = 0 } = {}) {
  const master = new GainNode(context, { gain: 0 });
  master.connect(context.destination);
  const tracks = buffers.map((buffer, i) => {
    const source = new AudioBufferSourceNode(context, { buffer, loop: loops });
    const gain = new GainNode(context, { gain: gains[i] });
    source.connect(gain).connect(master);
    source.start(when_s, offset / buffer.sampleRate);
    return { source, gain };
  });
  return { tracks, master };
}

// A piece in memory. Positions are seconds; inside they are whole samples.
class Decoded {
  constructor(buffers, loops) {
    this.buffers = buffers; // of one length
    this.loops = loops;
    this.voice = null;
    this.onended = () => {};
  }

  get rate() {
    return this.buffers[0].sampleRate;
  }

  get samples() {
    return this.buffers[0].length;
  }

  get context() {
    return contextAt(this.rate);
  }

  // What repeats: the whole, or a span [begin_s, end_s] of it, from sample `first` on. A span is
  // cut out rather than given as loopStart and loopEnd: those are seconds, and at 44.1 kHz
  // n / rate * rate is not n for one n in seven, which would cost the seam its exactness.
  piece(span) {
    if (!span) return { buffers: this.buffers, first: 0, length: this.samples };
    const [first, last] = span.map((s) => Math.round(s * this.rate));
    return { buffers: this.buffers.map((b) => cut(b, first, last)), first, length: last - first };
  }

  // From `at_s` on, or, where that is null, from where it is.
  play(at_s, { gains, level, span }) {
    const { context, rate } = this;
    const when_s = context.currentTime + LEAD / rate;
    const position_s = at_s ?? this.positionAt(when_s);
    if (this.voice) hush(this.voice, when_s);
    const { buffers, first, length } = this.piece(span);
    const from = Math.round(position_s * rate) - first;
    const offset = from >= 0 && from < length ? from : 0;
    const loops = this.loops || Boolean(span);
    const voice = graph(context, buffers, gains, offset, { loops, when_s });
    voice.master.gain.setTargetAtTime(level, when_s, FADE_S / 3);
    voice.tracks[0].source.onended = () => {
      if (this.voice?.master !== voice.master) return;
      this.voice = null;
      this.onended();
    };
    this.voice = { ...voice, when_s, first, offset, length, rate, loops };
  }

  // `times` rounds from sample `offset` on, by the same graph, with nothing after it.
  async render(times, offset, { gains, span }) {
    const { buffers, length } = this.piece(span);
    const channels = Math.max(...buffers.map((buffer) => buffer.numberOfChannels));
    const context = new OfflineAudioContext(channels, times * length, this.rate);
    const loops = this.loops || Boolean(span);
    graph(context, buffers, gains, offset, { loops }).master.gain.value = 1;
    const heard = await context.startRendering();
    const samples = Array.from({ length: channels }, (_, i) => heard.getChannelData(i));
    return { length: heard.length, samples };
  }

  pause() {
    if (this.voice) hush(this.voice, this.context.currentTime);
    this.voice = null;
  }

  release() {
    this.buffers = [];
  }

  // Other samples of the same piece: a preview became sharper. The circle turns on.
  adopt(buffers) {
    this.buffers = buffers;
  }

  position_s() {
    return this.positionAt(this.context.currentTime - (this.context.outputLatency || 0));
  }

  positionAt(time_s) {
    const { when_s, first, offset, length, rate, loops } = this.voice;
    const gone = offset + Math.max(time_s - when_s, 0) * rate;
    return (first + (loops ? gone % length : Math.min(gone, length))) / rate;
  }

  mix(gains) {
    this.voice?.tracks.forEach(({ gain }, i) => glide(gain, gains[i] ?? 0));
  }

  level(to) {
    if (this.voice) glide(this.voice.master, to);
  }
}

// A long piece: the same manners, but the seam is the browser's, and tracks keep together to
// within DRIFT_S, not to the sample.
class Streamed {
  constructor(urls, { loops, rate }) {
    const facts = { preload: "metadata", loop: loops };
    this.elements = urls.map((url) => Object.assign(new Audio(url), facts));
    this.rate = rate;
    this.voice = null;
    this.onended = () => {};
    this.elements[0].addEventListener("ended", () => this.end());
  }

  end() {
    if (!this.voice) return;
    this.pause();
    this.onended();
  }

  loaded() {
    const failure = new Unreadable("it is gone, or nothing that this browser can read");
    const loaded = (element) =>
      new Promise((resolve, reject) => {
        element.addEventListener("loadedmetadata", resolve, { once: true });
        element.addEventListener("error", () => reject(failure), { once: true });
      });
    return Promise.all(this.elements.map(loaded));
  }

  get samples() {
    return Math.round(this.elements[0].duration * this.rate);
  }

  get context() {
    return contextAt(this.rate);
  }

  play(at_s, { gains, level, span }) {
    const { context } = this;
    this.master ??= this.connected(context);
    const inside = !span || (at_s >= span[0] && at_s < span[1]);
    for (const element of this.elements) {
      element.currentTime = inside ? at_s : span[0];
      element.play().catch(() => this.end());
    }
    clearInterval(this.voice?.timer);
    this.voice = { timer: setInterval(() => this.tend(span), 40) };
    this.mix(gains);
    this.level(level);
  }

  connected(context) {
    const master = new GainNode(context, { gain: 0 });
    master.connect(context.destination);
    this.gains = this.elements.map((element) => {
      const gain = new GainNode(context);
      const source = new MediaElementAudioSourceNode(context, { mediaElement: element });
      source.connect(gain).connect(master);
      return gain;
    });
    return master;
  }

  tend(span) {
    const [leader, ...others] = this.elements;
    if (span && leader.currentTime >= span[1]) leader.currentTime = span[0];
    for (const other of others) {
      const apart_s = Math.abs(other.currentTime - leader.currentTime);
      if (apart_s > DRIFT_S) other.currentTime = leader.currentTime;
    }
  }

  pause() {
    if (!this.voice) return;
    clearInterval(this.voice.timer);
    this.voice = null;
    glide(this.master, 0);
    setTimeout(() => {
      if (!this.voice) for (const element of this.elements) element.pause();
    }, 2000 * FADE_S);
  }

  // Lets go of the connections.
  release() {
    for (const element of this.elements) {
      element.pause();
      element.removeAttribute("src");
      element.load();
    }
  }

  position_s() {
    return this.elements[0].currentTime;
  }

  mix(gains) {
    this.gains?.forEach((gain, i) => glide(gain, gains[i] ?? 0));
  }

  level(to) {
    if (this.voice) glide(this.master, to);
  }
}

// Fades a voice out from `when_s` on; it ends by itself.
function hush({ tracks, master }, when_s) {
  master.gain.cancelScheduledValues(when_s);
  master.gain.setTargetAtTime(0, when_s, FADE_S / 3);
  for (const { source } of tracks) source.stop(when_s + 2 * FADE_S);
}

function glide({ gain, context }, to) {
  gain.cancelScheduledValues(context.currentTime);
  gain.setTargetAtTime(to, context.currentTime, FADE_S);
}

// Files as buffers of one length: a shorter loop repeats within the longest, a shorter sound ends.
function buffersOf(files, loops) {
  const [{ rate }] = files;
  const other = files.find((file) => file.rate !== rate);
  if (other) throw new Unreadable(`its layers differ in rate (${rate} and ${other.rate} Hz)`);
  const length = Math.max(...files.map(({ waves }) => waves[0].length));
  return files.map(({ waves }) => {
    const buffer = new AudioBuffer({ length, numberOfChannels: waves.length, sampleRate: rate });
    waves.forEach((wave, channel) => {
      const end = loops ? length : 1;
      for (let at = 0; at < end; at += wave.length) buffer.copyToChannel(wave, channel, at);
    });
    return buffer;
  });
}

function cut(buffer, first, last) {
  const { numberOfChannels, sampleRate } = buffer;
  const piece = new AudioBuffer({ length: last - first, numberOfChannels, sampleRate });
  for (let i = 0; i < numberOfChannels; i++) {
    piece.copyToChannel(buffer.getChannelData(i).subarray(first, last), i);
  }
  return piece;
}

// The factor of each track as it is heard: a solo silences all that are not.
function factors(tracks) {
  const alone = tracks.some((track) => track.solo);
  const heard = (track) => (alone ? track.solo : true) && !track.muted;
  return tracks.map((track) => (heard(track) ? 10 ** (track.gain_db / 20) : 0));
}

// How loud a buffer is along its way: the loudest samples of equal parts.
class Peaks {
  constructor(buffer) {
    this.parts = new Float32Array(Math.min(PEAKS, buffer.length));
    for (let i = 0; i < buffer.numberOfChannels; i++) this.add(buffer.getChannelData(i));
    this.top = this.parts.reduce((a, b) => Math.max(a, b), 0);
  }

  add(wave) {
    const { parts } = this;
    for (let part = 0, i = 0; part < parts.length; part++) {
      const end = Math.floor(((part + 1) * wave.length) / parts.length);
      for (; i < end; i++) parts[part] = Math.max(parts[part], Math.abs(wave[i]));
    }
  }

  between(from, to) {
    const first = Math.floor(from * this.parts.length);
    const last = Math.max(Math.ceil(to * this.parts.length), first + 1);
    return this.parts.subarray(first, last).reduce((a, b) => Math.max(a, b), 0);
  }
}

function contextAt(rate) {
  if (!contexts.has(rate)) contexts.set(rate, new AudioContext({ sampleRate: rate }));
  return contexts.get(rate);
}

// Whether the context runs; a browser that wants a click first leaves it suspended.
async function running(context) {
  if (context.state === "running") return true;
  const late = new Promise((resolve) => setTimeout(resolve, LATE_MS));
  await Promise.race([context.resume(), late]);
  return context.state === "running";
}
