// A row for each track: mute, solo and gain.

const GAIN_DB = [-24, 6];

class Mixer {
  constructor(place, { onchange }) {
    this.place = place;
    this.onchange = onchange; // (tracks, settled)
    this.tracks = [];
  }

  // Rows are made anew only where there are other tracks.
  show(tracks) {
    const names = (of) => JSON.stringify(of.map((track) => track.name));
    const same = names(tracks) === names(this.tracks);
    this.tracks = tracks.map((track) => ({ ...track }));
    if (!same) this.place.replaceChildren(...this.tracks.map((_, i) => this.row(i)));
    this.place.hidden = tracks.length < 2;
    this.tell();
  }

  // The page gives its tracks again: what a hand has set since holds, unless the page sets another
  // value than it did before.
  follow(tracks, before) {
    const settings = ({ gain_db, muted, solo }) => JSON.stringify([gain_db, muted, solo]);
    const kept = (track) => {
      const given = before.find(({ name }) => name === track.name);
      const now = this.tracks.find(({ name }) => name === track.name);
      if (!given || !now || settings(given) !== settings(track)) return track;
      return { ...track, gain_db: now.gain_db, muted: now.muted, solo: now.solo };
    };
    this.show(tracks.map(kept));
  }

  row(i) {
    const { name } = this.tracks[i];
    const row = document.createElement("div");
    row.className = "row";
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", name);
    const title = document.createElement("span");
    title.className = "name";
    title.textContent = name;
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: GAIN_DB[0], max: GAIN_DB[1], step: 0.5 });
    slider.setAttribute("aria-label", `Gain of ${name}`);
    slider.addEventListener("input", () => this.set(i, { gain_db: Number(slider.value) }, false));
    slider.addEventListener("change", () => this.set(i, {}, true));
    slider.addEventListener("dblclick", () => this.set(i, { gain_db: 0 }, true));
    slider.title = "Double-click for 0 dB";
    const value = document.createElement("output");
    const toggles = [this.toggle(i, "Mute", "muted"), this.toggle(i, "Solo", "solo")];
    row.append(title, ...toggles, slider, value);
    return row;
  }

  toggle(i, word, field) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = field;
    button.textContent = word;
    button.setAttribute("aria-label", `${word} ${this.tracks[i].name}`);
    button.addEventListener("click", () => this.set(i, { [field]: !this.tracks[i][field] }, true));
    return button;
  }

  set(i, values, settled) {
    Object.assign(this.tracks[i], values);
    this.tell();
    this.onchange(this.tracks, settled);
  }

  tell() {
    const heard = factors(this.tracks);
    [...this.place.children].forEach((row, i) => {
      const { gain_db, muted, solo } = this.tracks[i];
      row.classList.toggle("silent", heard[i] === 0);
      row.querySelector(".muted").setAttribute("aria-pressed", muted);
      row.querySelector(".solo").setAttribute("aria-pressed", solo);
      const slider = row.querySelector("input");
      slider.value = gain_db;
      slider.setAttribute("aria-valuetext", decibels(gain_db));
      row.querySelector("output").textContent = decibels(gain_db);
    });
  }

  // Each row carries the colour of its wave.
  colour(dark) {
    [...this.place.children].forEach((row, i) => {
      row.style.setProperty("--lane", laneColour(i, dark));
    });
  }
}

function decibels(gain_db) {
  const size = Math.abs(gain_db).toFixed(1);
  return `${gain_db < 0 ? "−" : gain_db > 0 ? "+" : ""}${size} dB`;
}
