// The player: a piece, its picture, and all that a hand can do with them. The sources player_*.js
// stand before this one in the same module; player.py joins them.

const TAKES_SPACE = [
  ...["input", "textarea", "select", "button", "a", "summary", "[contenteditable]"],
  ...["button", "checkbox", "combobox", "option", "radio", "slider", "switch", "tab"].map(
    (role) => `[role=${role}]`,
  ),
].join();
const VOLUME_KEY = "riffapp.volume";
const SETTLE_MS = 300; // keys come in flocks; the page hears of the last one
const PARTED_MS = 3000; // a player that comes back within this was only drawn anew
const KEYS = "Space plays and pauses, left and right arrow move by a beat, Home goes to the start.";
const REGION_KEYS =
  " Shift and an arrow choose a region and move its end or its top, Escape clears it.";
const HINT = "Drag over the picture to choose a region, or press Shift + →.";

const players = new Map(); // shadow root -> Player, in the order of the page's making
const begun = new Set(); // pieces that have started by themselves: once is enough
let parted = null; // {id, offset_s, at_ms}: what played as its player was taken off the page
let current = null; // the player that Space means
let volume = remembered();

export default function ({ data, parentElement, setStateValue }) {
  let player = players.get(parentElement);
  if (!player?.figure.isConnected) {
    player?.close();
    player = new Player(parentElement.querySelector("figure"));
    players.set(parentElement, player);
  }
  player.send = setStateValue;
  player.show(data);
  return () => {
    player.close();
    players.delete(parentElement);
  };
}

class Player {
  constructor(figure) {
    const find = (selector) => figure.querySelector(selector);
    this.figure = figure;
    this.button = find(".play");
    this.slider = find(".volume input");
    this.news = find(".news p");
    this.again = find(".again");
    this.keys = find(".keys");
    this.panel = find(".chosen");
    this.said = find(".said");
    this.round = find(".round");
    this.clear = find(".clear");
    this.slider.value = volume;
    this.offset_s = 0;
    this.sound = null; // what plays, once it is here
    this.wanted = false; // pressed while the sound was still on its way
    this.rounds = false; // whether the region repeats
    this.unsent = {};
    this.view = new View(figure);
    this.mixer = new Mixer(find(".mixer"), {
      onchange: (tracks, settled) => this.mixed(tracks, settled),
    });
    this.selection = new Selection(find(".stage"), find(".screen"), {
      onchange: (region, settled) => this.chose(region, settled),
      onclick: (time_s) => this.start(time_s),
    });
    this.button.addEventListener("click", () => this.toggle());
    this.again.addEventListener("click", () => this.load());
    this.slider.addEventListener("input", () => setVolume(Number(this.slider.value)));
    this.round.addEventListener("click", () => this.setRound(!this.rounds));
    this.clear.addEventListener("click", () => this.selection.set(null, true));
    figure.addEventListener("keydown", (event) => this.key(event));
    figure.renderOffline = (times, offset = 0) => this.renderOffline(times, offset);
  }

  // What the page says now: another piece, or the same one with sharper picture and sound.
  show(data) {
    const before = this.data;
    const other = data.id !== before?.id;
    this.data = data;
    if (other) this.begin();
    else this.mixer.follow(data.tracks, before.tracks);
    this.keys.textContent = KEYS + (data.selects ? REGION_KEYS : "");
    this.panel.hidden = !data.selects;
    this.lay();
    if (other || urlsOf(data) !== urlsOf(before)) this.load();
    if (other || data.picture !== before.picture) this.look();
  }

  // All that depends on how long the piece is.
  lay() {
    const { sound } = this;
    this.axis = axisOf(this.data, sound ? sound.samples / sound.rate : 0);
    this.view.show(this.data, this.axis);
    this.selection.show(this.facts());
    this.describeRegion();
    this.label();
    this.tell();
    this.mixed(this.mixer.tracks, false);
  }

  // A new piece begins as the page last knew it, and plays on where it was only drawn anew.
  begin() {
    this.pause();
    this.offset_s = 0;
    const { id, tracks, chosen } = this.data;
    const mine = (value) => (value?.id === id ? value : null);
    const mixed = mine(chosen.mixer)?.tracks;
    this.mixer.show(tracks.map((track, i) => ({ ...track, ...mixed?.[i] })));
    this.selection.region = mine(chosen.region);
    this.rounds = false;
    this.round.setAttribute("aria-pressed", false);
    this.sound?.release();
    this.sound = null;
    this.view.clear();
    delete this.figure.dataset.samples;
    if (parted?.id === id && performance.now() - parted.at_ms < PARTED_MS) {
      this.offset_s = parted.offset_s;
      this.wanted = true;
    }
  }

  // What a region can be here: without a picture, or the Hz of its rows, it is a time only.
  facts() {
    const { hz, selects } = this.data;
    const { bare } = this.view;
    return { axis: this.axis, hz: bare ? null : hz, banded: !bare && Boolean(hz), bare, selects };
  }

  // Fetches the sound. An older one stays until the new one can take over.
  async load() {
    this.coming?.abort();
    const { signal } = (this.coming = new AbortController());
    this.again.hidden = true;
    if (!this.data.tracks.length) return this.say("waiting", "There is no sound yet.");
    if (!this.sound) this.say("loading", "Loading the sound …");
    try {
      const sound = await soundOf(this.data, signal);
      if (signal.aborted) sound.release();
      else this.take(sound);
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  take(next) {
    const old = this.sound;
    if (old instanceof Decoded && next instanceof Decoded && old.rate === next.rate) {
      old.adopt(next.buffers);
      if (old.voice) old.play(null, this.manner()); // crosses over in a few milliseconds
    } else {
      const resume = this.playing || this.wanted;
      this.pause();
      this.wanted = resume;
      old?.release();
      this.sound = next;
      next.onended = () => this.ended();
    }
    this.peaks = next.buffers?.map((buffer) => new Peaks(buffer)) ?? [];
    this.figure.dataset.samples = next.samples;
    this.say("ready", "");
    this.lay();
    if (this.wanted) this.start();
    else if (this.data.play && !begun.has(this.data.id)) this.introduce();
  }

  // With an older sound in hand nothing is lost: the next one comes, or the piece is finished.
  fail(error) {
    if (this.sound) return;
    this.again.hidden = false;
    this.say("failed", `The sound cannot be loaded: ${reasonOf(error)}`);
  }

  async look() {
    try {
      await this.view.look();
    } catch (error) {
      if (this.view.picture) return;
      const text = `The picture cannot be loaded: ${reasonOf(error)}`;
      if (this.figure.dataset.state === "ready") this.news.textContent ||= text;
      this.lay(); // the waveform has its place, and a region has no band
    }
  }

  say(state, text) {
    this.figure.dataset.state = state;
    this.figure.dataset.ready = state === "ready";
    this.news.textContent = text;
    this.button.disabled = state === "failed" || state === "waiting";
  }

  // The piece that the last click asked for: into view, and heard without another click.
  introduce() {
    begun.add(this.data.id);
    if (!navigator.userActivation?.hasBeenActive) return;
    const { top, bottom } = this.figure.getBoundingClientRect();
    const behavior = still() ? "auto" : "smooth";
    if (top < 0 || bottom > innerHeight) this.figure.scrollIntoView({ block: "nearest", behavior });
    this.start();
  }

  get playing() {
    return Boolean(this.sound?.voice);
  }

  get position_s() {
    return this.playing ? this.sound.position_s() : this.offset_s;
  }

  toggle() {
    if (this.playing || this.wanted) this.pause();
    else this.start();
  }

  // How to play: loudness, mix, and the region where it repeats.
  manner() {
    const { region } = this.selection;
    const span = this.rounds && region ? [region.begin_s, region.end_s] : null;
    return { gains: factors(this.mixer.tracks), level: volume ** 2, span };
  }

  async start(at_s = this.offset_s) {
    if (current !== this) current?.pause();
    current = this;
    this.offset_s = at_s;
    this.wanted = !this.sound;
    const turn = (this.turn = {}); // whoever presses again while the context wakes up, or pauses
    if (this.wanted || !(await running(this.sound.context)) || this.turn !== turn) return;
    this.sound.play(at_s, this.manner());
    this.figure.dataset.playing = "true";
    this.label();
    this.follow();
  }

  pause() {
    this.wanted = false;
    this.turn = null;
    if (!this.playing) return;
    this.offset_s = this.position_s;
    this.sound.pause();
    this.rest();
  }

  // A piece that does not repeat has come to its end.
  ended() {
    this.offset_s = 0;
    this.rest();
    this.view.place(0);
  }

  rest() {
    this.figure.dataset.playing = "false";
    this.label();
    this.tell();
  }

  close() {
    if (this.playing) {
      parted = { id: this.data.id, offset_s: this.position_s, at_ms: performance.now() };
    }
    this.pause();
    this.sound?.release();
    this.sound = null;
    this.coming?.abort();
    clearTimeout(this.settling);
    this.view.close();
    if (current === this) current = null;
  }

  // To another place, playing on there.
  seek(to_s) {
    const { seconds } = this.axis;
    const least = this.data.loops ? (to_s + seconds) % seconds : Math.max(to_s, 0);
    this.offset_s = Math.min(least, seconds);
    if (this.playing) this.start();
    this.view.place(this.offset_s);
    this.tell();
  }

  key(event) {
    const { key, shiftKey } = event;
    if (event.target.matches("input") || event.ctrlKey || event.metaKey) return;
    const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (shiftKey && key in WAYS && this.data.selects) this.selection.grow(key, this.position_s);
    else if (!shiftKey && way) this.seek(this.position_s + way * stepOf(this.axis));
    else if (key === "Home") this.seek(0);
    else if (key === "Escape" && this.selection.region) {
      if (!this.selection.back()) this.selection.set(null, true);
    } else return;
    event.preventDefault();
  }

  follow() {
    cancelAnimationFrame(this.frame);
    if (!this.playing) return;
    this.view.place(this.position_s);
    this.tell();
    this.frame = requestAnimationFrame(() => this.follow());
  }

  tell() {
    this.view.tell(this.position_s, this.playing || this.offset_s > 0);
  }

  label() {
    const word = this.playing ? "Pause" : "Play";
    this.button.querySelector("span").textContent = word;
    this.button.setAttribute("aria-label", `${word} ${this.data.name}`);
    this.button.title = this.keys.textContent;
  }

  mixed(tracks, settled) {
    const heard = factors(tracks);
    this.sound?.mix(heard);
    const waves = this.sound ? this.peaks : [];
    this.view.waves = waves.map((peaks, i) => {
      return { peaks, factor: 10 ** (tracks[i].gain_db / 20), faint: heard[i] === 0 };
    });
    this.view.draw();
    this.mixer.colour(this.figure.dataset.dark === "true");
    if (!settled) return;
    const values = tracks.map(({ gain_db, muted, solo }) => ({ gain_db, muted, solo }));
    this.settle("mixer", { id: this.data.id, tracks: values });
  }

  chose(region, settled) {
    this.describeRegion();
    if (!settled) return;
    if (!region) this.setRound(false);
    else if (this.rounds && this.playing) this.start(this.position_s);
    this.settle("region", region && { id: this.data.id, ...region });
  }

  describeRegion() {
    const { region } = this.selection;
    this.said.textContent = region ? regionName(region, this.axis, this.facts().hz) : HINT;
    this.round.hidden = this.clear.hidden = !region;
  }

  setRound(to) {
    const changed = this.rounds !== to;
    this.rounds = to;
    this.round.setAttribute("aria-pressed", to);
    if (changed && this.playing) this.start(this.position_s);
  }

  // Tells the page, once the hand is at rest.
  settle(name, value) {
    clearTimeout(this.settling);
    this.unsent[name] = value;
    this.settling = setTimeout(() => {
      for (const [key, latest] of Object.entries(this.unsent)) this.send(key, latest);
      this.unsent = {};
    }, SETTLE_MS);
  }

  // `times` rounds of what sounds now, by the graph that plays: for whoever wants to measure it.
  async renderOffline(times, offset) {
    if (!(this.sound instanceof Decoded)) throw new Error("no sound is in memory");
    return this.sound.render(times, offset, this.manner());
  }
}

function urlsOf({ tracks }) {
  return tracks.map((track) => track.url).join("\n");
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
  for (const { slider, sound } of players.values()) {
    slider.value = to;
    sound?.level(to ** 2);
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
  if (at instanceof Element && at.matches(TAKES_SPACE) && !at.matches(".handle")) return;
  const player = current ?? players.values().next().value;
  if (!player || player.button.disabled) return;
  event.preventDefault();
  player.toggle();
});
