// A loop and its picture. Sound: one AudioBuffer that the audio thread repeats by itself, sample
// after sample, so there is no gap at the seam; the context runs at the file's own rate, so
// nothing is resampled either. Nothing is fetched: samples and pixels come with the page's data.

const FADE_S = 0.006; // a start or stop in mid-wave would click
const LATE_MS = 400; // a browser that lets sound start does it sooner than this
const MIN_LABEL_PX = 30;
const ROLES = ["button", "checkbox", "combobox", "option", "radio", "slider", "switch", "tab"];
const TAKES_SPACE = [
  ...["input", "textarea", "select", "button", "a", "summary", "[contenteditable]"],
  ...ROLES.map((role) => `[role=${role}]`),
].join();
const VOLUME_KEY = "riffapp.volume";

// From silence to full level, on dark and on light paper.
const DARK = ["#171514", "#35203f", "#8a2a55", "#ee6a35", "#fff0bd"];
const LIGHT = ["#f5f0e7", "#f3cfa8", "#e5874b", "#a3362f", "#2b0f20"];

const players = new Map(); // shadow root -> Player, in the order of the page's making
const contexts = new Map(); // rate in Hz -> AudioContext
const begun = new Set(); // takes that have started by themselves: once is enough
let current = null; // the player that Space means
let volume = remembered();

export default function ({ data, parentElement }) {
  let player = players.get(parentElement);
  if (!player?.figure.isConnected) {
    player?.close();
    player = new Player(parentElement);
    players.set(parentElement, player);
  }
  player.show(data);
  return () => {
    player.close();
    players.delete(parentElement);
  };
}

// What plays a loop from `offset_s` on; an offline context renders the very same.
export function graph(context, buffer, offset_s) {
  const source = new AudioBufferSourceNode(context, { buffer, loop: true });
  const gain = new GainNode(context, { gain: 0 });
  source.connect(gain).connect(context.destination);
  source.start(0, offset_s);
  return { source, gain };
}

class Player {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.figure = find("figure");
    this.screen = find(".screen");
    this.canvas = find("canvas");
    this.head = find(".head");
    this.pitch = find(".pitch");
    this.beats = find(".beats");
    this.button = find(".play");
    this.clock = find(".clock");
    this.slider = find("input");
    this.voice = null;
    this.offset_s = 0;
    this.slider.value = volume;
    this.button.addEventListener("click", () => this.toggle());
    this.slider.addEventListener("input", () => setVolume(Number(this.slider.value)));
    this.screen.addEventListener("click", (event) => this.seekTo(event));
    this.figure.addEventListener("keydown", (event) => this.step(event));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.screen);
  }

  show(data) {
    if (data.id !== this.data?.id) {
      this.stop();
      this.data = data;
      this.buffer = bufferOf(data);
      this.offset_s = 0;
      this.figure.dataset.samples = this.buffer.length;
      this.canvas.setAttribute("aria-label", data.alt);
      this.label();
      this.tell();
      if (data.play && !begun.has(data.id)) this.begin();
    }
    this.draw();
  }

  // The take that the last click asked for: into view, and heard without another click.
  begin() {
    begun.add(this.data.id);
    if (!navigator.userActivation?.hasBeenActive) return;
    const { top, bottom } = this.figure.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) {
      this.figure.scrollIntoView({ block: "nearest", behavior: "smooth" });
    }
    this.start();
  }

  toggle() {
    if (this.voice) this.pause();
    else this.start();
  }

  async start(offset_s = this.offset_s) {
    current?.pause();
    this.pause();
    current = this;
    const context = contextAt(this.buffer.sampleRate);
    if (!(await running(context)) || current !== this) return;
    this.pause(); // a second click may have come while the context woke up
    this.offset_s = offset_s;
    this.voice = graph(context, this.buffer, offset_s);
    this.voice.gain.gain.setTargetAtTime(volume ** 2, context.currentTime, FADE_S / 3);
    this.began_s = context.currentTime;
    this.figure.dataset.playing = "true";
    this.label();
    this.follow();
  }

  pause() {
    if (!this.voice) return;
    this.offset_s = this.position_s();
    const { source, gain } = this.voice;
    const now = source.context.currentTime;
    gain.gain.cancelScheduledValues(now);
    gain.gain.setTargetAtTime(0, now, FADE_S / 3);
    source.stop(now + 2 * FADE_S);
    this.voice = null;
    this.figure.dataset.playing = "false";
    this.label();
    this.tell();
  }

  stop() {
    this.pause();
    this.offset_s = 0;
    this.head.hidden = true;
  }

  close() {
    this.stop();
    this.sizes.disconnect();
    if (current === this) current = null;
  }

  seekTo(event) {
    const { left, width } = this.screen.getBoundingClientRect();
    const part = Math.min(Math.max((event.clientX - left) / width, 0), 0.9999);
    this.start(part * this.buffer.duration);
  }

  // Arrow keys move by one beat, round the circle.
  step(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || event.target === this.slider) return;
    event.preventDefault();
    const { duration } = this.buffer;
    const beat_s = duration / this.data.beats;
    const to_s = (this.position_s() + way * beat_s + duration) % duration;
    if (this.voice) this.start(to_s);
    else {
      this.offset_s = to_s;
      this.place();
      this.tell();
    }
  }

  position_s() {
    if (!this.voice) return this.offset_s;
    const { context } = this.voice.source;
    const heard_s = context.currentTime - this.began_s - (context.outputLatency || 0);
    return (this.offset_s + Math.max(heard_s, 0)) % this.buffer.duration;
  }

  follow() {
    if (!this.voice) return;
    this.place();
    this.tell();
    requestAnimationFrame(() => this.follow());
  }

  place() {
    this.head.hidden = false;
    this.head.style.left = `${(100 * this.position_s()) / this.buffer.duration}%`;
  }

  tell() {
    const { beats, meter, title } = this.data;
    const beat = Math.floor((this.position_s() / this.buffer.duration) * beats);
    const here = `bar ${Math.floor(beat / meter) + 1} · beat ${(beat % meter) + 1}`;
    const text = this.voice || this.offset_s > 0 ? here : title;
    if (this.clock.textContent !== text) this.clock.textContent = text;
  }

  label() {
    const word = this.voice ? "Pause" : "Play";
    this.button.querySelector("span").textContent = word;
    this.button.setAttribute("aria-label", `${word} ${this.data.name}`);
  }

  draw() {
    if (!this.data) return;
    const { clientWidth: width, clientHeight: height } = this.screen;
    if (!width) return;
    const dark = isDark(this.figure);
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(painted(this.data.picture, dark), 0, 0, this.canvas.width, this.canvas.height);
    drawGrid(pen, this.data, dark, ratio);
    labelBeats(this.beats, this.data, width);
    this.pitch.replaceChildren(
      ...this.data.pitches.map(([text, part]) => span(text, `bottom:${100 * part}%`)),
    );
  }
}

function drawGrid(pen, { beats, meter, pitches }, dark, ratio) {
  const { width, height } = pen.canvas;
  const line = (x, y, w, h, strength) => {
    pen.fillStyle = dark ? `rgba(255,255,255,${strength})` : `rgba(40,20,0,${strength})`;
    pen.fillRect(Math.round(x), Math.round(y), w, h);
  };
  for (let beat = 1; beat < beats; beat++) {
    line((beat * width) / beats, 0, ratio, height, beat % meter ? 0.13 : 0.4);
  }
  for (const [, part] of pitches) line(0, height * (1 - part), width, ratio, 0.1);
}

// Bars always; beats between them where there is room to read them.
function labelBeats(place, { beats, meter }, width) {
  const every = width / beats >= MIN_LABEL_PX ? 1 : meter;
  const labels = [];
  for (let beat = 0; beat < beats; beat += every) {
    const [bar, rest] = [Math.floor(beat / meter) + 1, beat % meter];
    const label = span(rest ? `${bar}.${rest + 1}` : `${bar}`, `left:${(100 * beat) / beats}%`);
    if (!rest) label.className = "bar-start";
    labels.push(label);
  }
  place.replaceChildren(...labels);
}

function span(text, style) {
  const made = document.createElement("span");
  made.textContent = text;
  made.style.cssText = style;
  return made;
}

// Loudness 0..255, rows from the top, as a coloured canvas of the picture's own size.
function painted({ width, height, pixels }, dark) {
  const loud = bytesOf(pixels);
  const colours = palette(dark ? DARK : LIGHT);
  const image = new ImageData(width, height);
  const rgba = new Uint32Array(image.data.buffer);
  for (let i = 0; i < loud.length; i++) rgba[i] = colours[loud[i]];
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function palette(stops) {
  const strip = new OffscreenCanvas(256, 1).getContext("2d");
  const fill = strip.createLinearGradient(0, 0, 256, 0);
  stops.forEach((colour, i) => fill.addColorStop(i / (stops.length - 1), colour));
  strip.fillStyle = fill;
  strip.fillRect(0, 0, 256, 1);
  return new Uint32Array(strip.getImageData(0, 0, 256, 1).data.buffer);
}

function isDark(element) {
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  pen.fillStyle = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  pen.fillRect(0, 0, 1, 1);
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  return red + green + blue < 3 * 128;
}

function bufferOf({ rate, channels }) {
  const waves = channels.map((text) => new Int16Array(bytesOf(text).buffer));
  const shape = { length: waves[0].length, numberOfChannels: waves.length, sampleRate: rate };
  const buffer = new AudioBuffer(shape);
  waves.forEach((wave, i) => buffer.copyToChannel(Float32Array.from(wave, (v) => v / 32768), i));
  return buffer;
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
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

function remembered() {
  try {
    const kept = Number.parseFloat(localStorage.getItem(VOLUME_KEY));
    return kept >= 0 && kept <= 1 ? kept : 0.85;
  } catch {
    return 0.85; // storage may be forbidden
  }
}

function setVolume(to) {
  volume = to;
  for (const { slider, voice } of players.values()) {
    slider.value = to;
    voice?.gain.gain.setTargetAtTime(to ** 2, voice.source.context.currentTime, 0.02);
  }
  try {
    localStorage.setItem(VOLUME_KEY, to);
  } catch {
    // then the next visit starts at the usual volume
  }
}

// Space plays and pauses wherever it has no other meaning.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey) return;
  const at = event.composedPath()[0];
  if (at instanceof Element && at.matches(TAKES_SPACE)) return;
  const player = current ?? players.values().next().value;
  if (!player) return;
  event.preventDefault();
  player.toggle();
});
