// What is seen of a piece: picture or waveform, grid, playhead, clock.

class View {
  constructor(figure) {
    const find = (selector) => figure.querySelector(selector);
    this.figure = figure;
    this.stage = find(".stage");
    this.screen = find(".screen");
    this.canvas = find(".picture");
    this.strips = [find(".rest"), find(".done")];
    this.head = find(".head");
    this.ghost = find(".ghost");
    this.beats = find(".beats");
    this.pitch = find(".pitch");
    this.clock = find(".clock");
    this.picture = null; // loudness, once it is here
    this.lost = null; // the URL of a picture that cannot be had
    this.waves = []; // [{peaks, factor, faint}], one for each track
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.addEventListener("pointerleave", () => (this.ghost.hidden = true));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.stage);
  }

  show(face, axis) {
    this.face = face;
    this.axis = axis;
    this.figure.classList.toggle("selects", face.selects);
    this.canvas.setAttribute("aria-label", face.alt);
    const title = "Click to play from here";
    this.screen.title = face.selects ? `Drag to choose. ${title}` : title;
  }

  // Nothing of the piece before.
  clear() {
    this.picture = null;
    this.waves = [];
    this.head.hidden = true;
    this.reach(0);
  }

  // Fetches the picture. The old one stays until the new one can be painted, so nothing flickers.
  async look() {
    const url = this.face.picture;
    try {
      const found = url && (await pictureOf(await (await fetched(url)).blob()));
      if (this.face.picture !== url) return; // a later one is on its way
      this.picture = found;
    } catch (error) {
      this.lost = url;
      throw error;
    } finally {
      this.draw();
    }
    this.canvas.dataset.shows = url ?? "";
  }

  // Whether the waveform has to do for a picture.
  get bare() {
    const { picture } = this.face;
    return !picture || (this.lost === picture && !this.picture);
  }

  draw() {
    if (!this.face) return;
    const dark = isDark(this.figure);
    this.figure.dataset.dark = dark;
    this.figure.dataset.bare = this.bare;
    this.figure.dataset.strip = this.waves.length > 0;
    this.figure.dataset.pitched = this.face.pitches.length > 0 && !this.bare;
    this.figure.classList.toggle("layered", this.waves.length > 1);
    this.figure.style.setProperty("--lanes", this.waves.length);
    const screen = penOn(this.canvas);
    if (!screen) return;
    const { pen, width, height } = screen;
    if (this.picture) pen.drawImage(this.coloured(dark), 0, 0, width, height);
    drawGrid(screen, this.axis, this.bare ? [] : this.face.pitches, dark);
    for (const canvas of this.strips) {
      const strip = penOn(canvas);
      if (strip) drawWaves(strip, this.waves, dark);
    }
    labelTimes(this.beats, this.axis, width);
    const labels = this.face.pitches.map(([text, part]) => span(text, `bottom:${100 * part}%`));
    this.pitch.replaceChildren(...labels);
  }

  coloured(dark) {
    if (this.paint?.of !== this.picture || this.paint.dark !== dark) {
      this.paint = { of: this.picture, dark, canvas: painted(this.picture, dark) };
    }
    return this.paint.canvas;
  }

  place(at_s) {
    const { seconds, beat_s } = this.axis;
    // Who wants no motion gets the playhead beat by beat.
    const shown_s = still() && beat_s ? Math.floor(at_s / beat_s + 1e-6) * beat_s : at_s;
    const percent = Math.min((100 * shown_s) / seconds, 100);
    this.head.hidden = false;
    this.head.style.left = `${percent}%`;
    this.reach(percent);
  }

  reach(percent) {
    this.strips[1].style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
  }

  // Where the playhead is, or, before the first start, what the piece is.
  tell(at_s, begun) {
    const { first_s, beat_s, meter, seconds } = this.axis;
    const beat = beat_s ? Math.floor((at_s - first_s) / beat_s + 1e-6) : 0;
    const here = beat_s
      ? `bar ${barOf(beat, meter)} · beat ${beatOf(beat, meter)}`
      : `${clockName(at_s, 1)} of ${clockName(seconds, 1)}`;
    const text = begun ? here : this.face.title;
    if (this.clock.textContent === text) return;
    this.clock.textContent = text;
    const passed = [...this.beats.children].filter((label) => label.dataset.at <= at_s + 1e-6);
    for (const label of this.beats.children) {
      label.classList.toggle("now", begun && label === passed.at(-1));
    }
  }

  // What lies under the pointer.
  hover(event) {
    const { left, top, width, height } = this.screen.getBoundingClientRect();
    const across = (event.clientX - left) / width;
    const up = 1 - (event.clientY - top) / height;
    this.ghost.hidden = event.pointerType === "touch" || across < 0 || across > 1;
    const { hz, picture } = this.face;
    const pitch = hz && picture && up >= 0 ? ` · ${hzName(hzAt(Math.min(up, 1), hz))} Hz` : "";
    const at_s = across * this.axis.seconds;
    this.ghost.firstElementChild.textContent = placeName(at_s, this.axis) + pitch;
    this.ghost.style.left = `${100 * across}%`;
    this.ghost.classList.toggle("late", across > 0.7);
  }

  close() {
    this.sizes.disconnect();
  }
}

function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
