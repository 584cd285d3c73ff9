// A region of the piece: a time and a band of pitch, drawn with a pointer or moved by keys.
// {begin_s, end_s, low, high}; low and high are parts of the picture's height from its bottom.

const CLICK_PX = 4; // a pointer that moved less meant a place, not a region
const BAND_STEP = 1 / 32;
const ACROSS = ["ArrowLeft", "ArrowRight"];
const UPRIGHT = ["ArrowDown", "ArrowUp"];
const EDGES = {
  move: { label: "Region, moved as a whole", keys: [...ACROSS, ...UPRIGHT] },
  begin: { label: "Begin of the region", keys: ACROSS },
  end: { label: "End of the region", keys: ACROSS },
  low: { label: "Lowest pitch of the region", keys: UPRIGHT },
  high: { label: "Highest pitch of the region", keys: UPRIGHT },
};
const WAYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };

// The region after an edge went to a place; it stays in the piece, and no shorter than `least_s`.
function dragged(region, edge, { time_s, part }, { seconds, least_s }) {
  const { begin_s, end_s, low, high } = region;
  const within = (value, least, most) => Math.max(Math.min(value, most), least);
  if (edge === "begin") return { ...region, begin_s: within(time_s, 0, end_s - least_s) };
  if (edge === "end") return { ...region, end_s: within(time_s, begin_s + least_s, seconds) };
  if (edge === "low") return { ...region, low: within(part, 0, high - BAND_STEP) };
  if (edge === "high") return { ...region, high: within(part, low + BAND_STEP, 1) };
  const [length_s, height] = [end_s - begin_s, high - low];
  const from_s = within(time_s, 0, seconds - length_s);
  const bottom = within(part, 0, 1 - height);
  return { begin_s: from_s, end_s: from_s + length_s, low: bottom, high: bottom + height };
}

// One step of a key: a beat, or a 32nd of the height.
function stepped(region, edge, key, axis) {
  const way = WAYS[key];
  const across = ACROSS.includes(key);
  const step_s = stepOf(axis);
  const to = {
    time_s: (edge === "end" ? region.end_s : region.begin_s) + (across ? way * step_s : 0),
    part: (edge === "high" ? region.high : region.low) + (across ? 0 : way * BAND_STEP),
  };
  const least_s = Math.min(step_s, region.end_s - region.begin_s);
  return dragged(region, edge, to, { seconds: axis.seconds, least_s });
}

// What a pointer drew from one place to another: sideways only is all pitches, upwards only is all
// the time; times go to beats unless `free`.
function drawn(from, to, { axis, free, banded }) {
  const snap = (time_s) => (free ? time_s : snapped(time_s, axis));
  const ends = [from.time_s, to.time_s].sort((a, b) => a - b);
  let [begin_s, end_s] = ends.map(snap);
  if (Math.abs(to.x - from.x) < CLICK_PX) [begin_s, end_s] = [0, axis.seconds];
  if (end_s - begin_s < 1e-4) [begin_s, end_s] = beatAround((ends[0] + ends[1]) / 2, axis);
  let [low, high] = [from.part, to.part].sort((a, b) => a - b);
  if (!banded || Math.abs(to.y - from.y) < 2 * CLICK_PX) [low, high] = [0, 1];
  low = Math.min(low, 1 - BAND_STEP);
  return { begin_s, end_s, low, high: Math.max(high, low + BAND_STEP) };
}

// The beat that a moment lies in.
function beatAround(time_s, axis) {
  const step_s = Math.min(stepOf(axis), axis.seconds);
  const beat = Math.floor((time_s - axis.first_s) / step_s + 1e-6);
  const begin_s = Math.min(Math.max(axis.first_s + beat * step_s, 0), axis.seconds - step_s);
  return [begin_s, begin_s + step_s];
}

// "Bars 1.3 to 2.1, 200 to 2000 Hz": an end is where the region stops, so 2.1 is not in it.
function regionName({ begin_s, end_s, low, high }, axis, hz) {
  const [from, to] = [begin_s, end_s].map((time_s) => momentName(time_s, axis));
  const times = `${axis.beat_s ? "Bars " : ""}${from} to ${to}`;
  if (!hz) return times;
  if (low === 0 && high === 1) return `${times}, all pitches`;
  return `${times}, ${hzName(hzAt(low, hz))} to ${hzName(hzAt(high, hz))} Hz`;
}

// The rectangle on the picture. Its owner shows it {axis, hz, banded, bare, selects} and hears of
// `onchange(region, settled)` and `onclick(time_s)`.
class Selection {
  constructor(stage, screen, { onchange, onclick }) {
    this.stage = stage;
    this.screen = screen;
    this.box = stage.querySelector(".region");
    this.span = stage.querySelector(".span"); // its time, on the waveform
    this.onchange = onchange;
    this.onclick = onclick;
    this.region = null;
    this.drag = null;
    this.facts = null;
    this.handles = Object.entries(EDGES).map(([edge, facts]) => this.handle(edge, facts));
    this.box.append(...this.handles);
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.moved(event));
    stage.addEventListener("pointerup", () => this.up());
    stage.addEventListener("pointercancel", () => this.back());
  }

  handle(edge, { label, keys }) {
    const made = document.createElement("div");
    made.className = `handle ${edge}`;
    made.dataset.edge = edge;
    made.tabIndex = 0;
    made.setAttribute("role", "slider");
    made.setAttribute("aria-label", label);
    made.setAttribute("aria-orientation", keys === UPRIGHT ? "vertical" : "horizontal");
    made.addEventListener("keydown", (event) => {
      if (!keys.includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      this.set(stepped(this.region, edge, event.key, this.facts.axis), true);
    });
    return made;
  }

  place(event) {
    const { left, top, width, height } = this.screen.getBoundingClientRect();
    const clamp = (part) => Math.min(Math.max(part, 0), 1);
    const across = clamp((event.clientX - left) / width);
    const part = clamp(1 - (event.clientY - top) / height);
    return { time_s: across * this.facts.axis.seconds, part, x: event.clientX, y: event.clientY };
  }

  down(event) {
    if (event.button !== 0 || !this.facts || event.target.closest("button")) return;
    const edge = event.target.dataset.edge ?? "new";
    const whole = !this.screen.contains(event.target); // begun on the waveform: no band
    this.drag = { edge, whole, from: this.place(event), before: this.region, live: false };
    if (this.facts.selects) this.stage.setPointerCapture(event.pointerId);
  }

  moved(event) {
    if (!this.drag || !this.facts.selects) return;
    const { edge, whole, from, before } = this.drag;
    const to = this.place(event);
    this.drag.live ||= Math.hypot(to.x - from.x, to.y - from.y) >= CLICK_PX;
    if (!this.drag.live) return;
    const { axis } = this.facts;
    const free = event.altKey;
    if (edge === "new") {
      this.set(drawn(from, to, { axis, free, banded: this.facts.banded && !whole }), false);
      return;
    }
    const gone_s = edge === "move" ? before.begin_s - from.time_s : 0;
    const time_s = free ? to.time_s + gone_s : snapped(to.time_s + gone_s, axis);
    const part = edge === "move" ? before.low + to.part - from.part : to.part;
    const least_s = Math.min(stepOf(axis) / (free ? 32 : 1), before.end_s - before.begin_s);
    this.set(dragged(before, edge, { time_s, part }, { seconds: axis.seconds, least_s }), false);
  }

  up() {
    if (!this.drag) return;
    const { live, from } = this.drag;
    this.drag = null;
    if (live) this.set(this.region, true);
    else this.onclick(from.time_s);
  }

  // Takes back what the pointer has drawn so far.
  back() {
    if (!this.drag) return false;
    const { before } = this.drag;
    this.drag = null;
    this.set(before, true);
    return true;
  }

  set(region, settled) {
    this.region = region;
    this.show();
    this.onchange(region, settled);
  }

  // Shift and an arrow, wherever the player has the focus: the end and the top of the region.
  grow(key, at_s) {
    const { axis, banded } = this.facts;
    const edge = ACROSS.includes(key) ? "end" : "high";
    if (edge === "high" && !banded) return;
    if (this.region) this.set(stepped(this.region, edge, key, axis), true);
    else {
      const [begin_s, end_s] = beatAround(at_s, axis);
      this.set({ begin_s, end_s, low: 0, high: 1 }, true);
    }
  }

  show(facts = this.facts) {
    this.facts = facts;
    const { region, box, span } = this;
    const { axis, hz, banded, bare } = facts;
    box.hidden = !region;
    span.hidden = !region || bare; // there the rectangle itself lies on the waveform
    if (!region) return;
    const { begin_s, end_s, low, high } = region;
    for (const { style } of [box, span]) {
      style.left = `${(100 * begin_s) / axis.seconds}%`;
      style.width = `${(100 * (end_s - begin_s)) / axis.seconds}%`;
    }
    box.style.bottom = `${100 * low}%`;
    box.style.height = `${100 * (high - low)}%`;
    const text = regionName(region, axis, hz);
    const values = { move: begin_s, begin: begin_s, end: end_s, low: 100 * low, high: 100 * high };
    for (const handle of this.handles) {
      const { edge } = handle.dataset;
      const vertical = edge === "low" || edge === "high";
      handle.hidden = vertical && !banded;
      handle.setAttribute("aria-valuemin", 0);
      handle.setAttribute("aria-valuemax", vertical ? 100 : axis.seconds);
      handle.setAttribute("aria-valuenow", values[edge].toFixed(2));
      handle.setAttribute("aria-valuetext", edgeName(edge, text, region, axis, hz));
    }
  }
}

function edgeName(edge, text, region, axis, hz) {
  if (edge === "begin") return momentName(region.begin_s, axis);
  if (edge === "end") return momentName(region.end_s, axis);
  if (edge === "move") return text;
  return hz ? `${hzName(hzAt(region[edge], hz))} Hz` : `${Math.round(100 * region[edge])} %`;
}
