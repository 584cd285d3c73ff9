// Drawing on a picture, in the picture's own pixels. What is drawn lies on a canvas of its own,
// transparent where nothing is; Python is given that canvas as a PNG whenever the pointer lifts.

const SHOWN = "#f0388c"; // a mask, while it is drawn: Python is given it in white
const UNDO_BYTES = 96 * 1024 * 1024;
const UNDO_STEPS = 30;

const sketches = new Map(); // shadow root -> Sketch

export default function ({ data, parentElement, setStateValue }) {
  let sketch = sketches.get(parentElement);
  if (!sketch?.figure.isConnected) {
    sketch = new Sketch(parentElement);
    sketches.set(parentElement, sketch);
  }
  sketch.send = setStateValue;
  sketch.show(data);
  return () => sketches.delete(parentElement);
}

class Sketch {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.figure = find("figure");
    this.stage = find(".stage");
    this.picture = find(".picture");
    this.layer = find(".layer");
    this.brush = this.layer.getContext("2d", { willReadFrequently: true });
    this.ring = find(".ring");
    this.news = find(".news");
    this.said = find(".said");
    this.hue = find(".hue input");
    this.size = find(".width input");
    this.numbers = find(".numbers");
    this.buttons = ["undo", "clear", "invert"].map((name) => find(`.${name}`));
    this.tools = [...root.querySelectorAll("[data-tool]")];
    this.tool = "brush";
    this.past = [];
    this.turn = 0; // of what was sent: an earlier PNG never overtakes a later one
    this.listen(find(".erase"));
  }

  listen(erase) {
    const on = (element, type, then) => element.addEventListener(type, then);
    for (const button of this.tools) on(button, "click", () => this.choose(button.dataset.tool));
    const [undo, clear, invert] = this.buttons;
    on(undo, "click", () => this.undo());
    on(clear, "click", () => this.change(() => this.wipe()));
    on(invert, "click", () => this.change(() => this.invert()));
    on(this.layer, "pointerdown", (event) => this.begin(event));
    on(this.layer, "pointermove", (event) => this.move(event));
    on(this.layer, "pointerup", () => this.end());
    on(this.layer, "pointercancel", () => this.cancel());
    on(this.layer, "pointerleave", () => (this.ring.hidden = true));
    on(this.figure, "keydown", (event) => this.key(event));
    on(this.picture, "error", () => this.tell("The picture could not be loaded: reload the page."));
    on(erase, "click", () => this.rectangleByNumbers("destination-out"));
    on(this.numbers, "submit", (event) => {
      event.preventDefault();
      this.rectangleByNumbers("source-over");
    });
  }

  // What the page says now. Another id is another picture, or a drawing that came from elsewhere.
  show(data) {
    const before = this.data;
    this.data = data;
    this.figure.classList.toggle("covers", !data.colours);
    this.figure.querySelector(".hue").hidden = !data.colours;
    this.figure.querySelector(".invert").hidden = data.colours;
    if (data.id === before?.id) return;
    const { width, height } = data;
    Object.assign(this.layer, { width, height });
    this.stage.style.setProperty("--aspect", width / height);
    this.picture.src = data.picture;
    this.picture.alt = data.alt;
    this.size.max = Math.max(8, Math.round(Math.max(width, height) / 3));
    this.size.value = Math.max(4, Math.round(Math.min(width, height) / 8));
    this.numbers.w.value = Math.round(width / 2);
    this.numbers.h.value = Math.round(height / 2);
    this.past = [];
    this.stroke = null;
    this.tell("");
    this.label();
    if (data.drawing) this.load(data.drawing, data.id);
  }

  async load(url, id) {
    const image = new Image();
    image.src = url;
    await image.decode();
    if (id !== this.data.id || this.past.length) return;
    this.brush.drawImage(image, 0, 0);
    if (!this.data.colours) this.tint();
    this.label();
  }

  // A mask from elsewhere, whatever its colour, in the one that masks have here.
  tint() {
    this.paint("source-in", () => this.brush.fillRect(0, 0, this.layer.width, this.layer.height));
  }

  choose(tool) {
    this.tool = tool;
    for (const button of this.tools)
      button.setAttribute("aria-pressed", button.dataset.tool === tool);
  }

  // ---- one change, with what was there before kept

  keep() {
    const { width, height } = this.layer;
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    copy.getContext("2d").drawImage(this.layer, 0, 0);
    this.past.push(copy);
    const each = 4 * width * height;
    const most = Math.max(1, Math.min(UNDO_STEPS, Math.floor(UNDO_BYTES / each)));
    this.past = this.past.slice(-most);
  }

  change(draw) {
    this.keep();
    draw();
    this.give();
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    this.back(before);
    this.give();
  }

  back(canvas) {
    this.wipe();
    this.brush.drawImage(canvas, 0, 0);
  }

  wipe() {
    this.brush.clearRect(0, 0, this.layer.width, this.layer.height);
  }

  invert() {
    this.paint("source-out", () => this.brush.fillRect(0, 0, this.layer.width, this.layer.height));
  }

  paint(operation, draw) {
    const { brush } = this;
    brush.globalCompositeOperation = operation;
    brush.fillStyle = brush.strokeStyle = this.data.colours ? this.hue.value : SHOWN;
    brush.lineCap = brush.lineJoin = "round";
    draw();
    brush.globalCompositeOperation = "source-over";
  }

  // ---- pointer

  at(event) {
    const box = this.layer.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.layer.width;
    return { x, y: ((event.clientY - box.top) / box.height) * this.layer.height };
  }

  begin(event) {
    if (event.button !== 0 || this.stroke) return;
    event.preventDefault();
    this.layer.setPointerCapture(event.pointerId);
    this.keep();
    const from = this.at(event);
    this.stroke = { id: event.pointerId, from, last: from };
    if (this.tool !== "rectangle") this.line(from, from);
  }

  move(event) {
    this.follow(event);
    const { stroke } = this;
    if (stroke?.id !== event.pointerId) return;
    const seen = event.getCoalescedEvents?.() ?? [];
    for (const one of seen.length ? seen : [event]) {
      const to = this.at(one);
      if (this.tool === "rectangle") this.box(stroke.from, to);
      else this.line(stroke.last, to);
      stroke.last = to;
    }
  }

  end() {
    if (!this.stroke) return;
    this.stroke = null;
    this.give();
  }

  cancel() {
    if (!this.stroke) return;
    this.stroke = null;
    this.back(this.past.pop());
  }

  line(from, to) {
    this.paint(this.tool === "eraser" ? "destination-out" : "source-over", () => {
      this.brush.lineWidth = Number(this.size.value);
      this.brush.beginPath();
      this.brush.moveTo(from.x, from.y);
      this.brush.lineTo(to.x, to.y);
      this.brush.stroke();
    });
  }

  // While it is drawn it stands on what was there before it.
  box(from, to) {
    this.back(this.past.at(-1));
    const [x, y] = [Math.min(from.x, to.x), Math.min(from.y, to.y)].map(Math.floor);
    const [r, b] = [Math.max(from.x, to.x), Math.max(from.y, to.y)].map(Math.ceil);
    this.paint("source-over", () => this.brush.fillRect(x, y, r - x, b - y));
  }

  follow(event) {
    const box = this.stage.getBoundingClientRect();
    const scale = this.layer.getBoundingClientRect().width / this.layer.width;
    const { style } = this.ring;
    style.width = style.height = `${Math.max(2, this.size.value * scale)}px`;
    style.left = `${event.clientX - box.left}px`;
    style.top = `${event.clientY - box.top}px`;
    this.ring.hidden = this.tool === "rectangle" || event.pointerType === "touch";
  }

  // ---- keyboard

  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      this.undo();
    }
  }

  rectangleByNumbers(operation) {
    const [x, y, w, h] = ["x", "y", "w", "h"].map((name) => Number(this.numbers[name].value));
    if (![x, y, w, h].every(Number.isFinite) || w <= 0 || h <= 0) {
      this.tell("Give left, top, width and height in pixels.");
      return;
    }
    this.tell("");
    this.change(() => this.paint(operation, () => this.brush.fillRect(x, y, w, h)));
  }

  // ---- to Python, and in words

  give() {
    const covered = this.label();
    const [id, turn] = [this.data.id, ++this.turn];
    if (!covered) {
      this.send("layer", { id, png: null });
      return;
    }
    this.given().toBlob((blob) => {
      const reader = new FileReader();
      reader.onload = () => {
        if (turn === this.turn && id === this.data.id)
          this.send("layer", { id, png: reader.result });
      };
      reader.readAsDataURL(blob);
    });
  }

  given() {
    if (this.data.colours) return this.layer;
    const { width, height } = this.layer;
    const white = Object.assign(document.createElement("canvas"), { width, height });
    const brush = white.getContext("2d");
    brush.drawImage(this.layer, 0, 0);
    brush.globalCompositeOperation = "source-in";
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, width, height);
    return white;
  }

  // How much is covered, 0 .. 1; also said for who cannot see it.
  label() {
    const { width, height } = this.layer;
    const pixels = new Uint8Array(this.brush.getImageData(0, 0, width, height).data.buffer);
    let count = 0;
    for (let i = 3; i < pixels.length; i += 4) count += pixels[i] > 0;
    const share = count / (width * height);
    const what = this.data.colours ? "drawn on" : "masked";
    const text = count ? `${Math.max(1, Math.round(100 * share))} % of the picture is ${what}.` : "";
    this.said.textContent = text || (this.data.colours ? "Nothing is drawn yet." : "No mask yet.");
    this.layer.setAttribute("aria-label", this.said.textContent);
    const [undo, clear] = this.buttons;
    undo.disabled = !this.past.length;
    clear.disabled = !count;
    return share;
  }

  tell(text) {
    this.news.textContent = text;
    this.news.hidden = !text;
  }
}
