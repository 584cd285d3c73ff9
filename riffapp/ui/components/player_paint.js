// Pictures: the spectrogram in the page's colours, the beat grid upon it, and waveforms.

// From silence to full level, on dark and on light paper.
const DARK = ["#171514", "#35203f", "#8a2a55", "#ee6a35", "#fff0bd"];
const LIGHT = ["#f5f0e7", "#f3cfa8", "#e5874b", "#a3362f", "#2b0f20"];
// One for each track; against the paper each has a contrast of 4.5 and more.
const LANES_DARK = [
  ...["#ff8a5c", "#58c9b6", "#b9a2ff", "#f2c14e"],
  ...["#7db7ff", "#ff93bd", "#a6d672", "#cbbba8"],
];
const LANES_LIGHT = [
  ...["#b23c17", "#0f766e", "#6b46c1", "#8f6400"],
  ...["#1d5fa8", "#b0296b", "#4b7716", "#6b5d4d"],
];
const MAX_PIXELS = 8192; // across; a longer picture is read at this width
const BAR_PX = 3; // of a waveform, the gap included

// The picture's loudness 0..255, rows from the top: loud is dark in it, of stereo (green is left,
// blue is right; mono is grey) the louder side counts.
async function pictureOf(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const width = Math.min(bitmap.width, MAX_PIXELS);
  const { height } = bitmap;
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = pen.getImageData(0, 0, width, height);
  const loud = new Uint8Array(width * height);
  for (let i = 0; i < loud.length; i++) loud[i] = 255 - Math.min(data[4 * i + 1], data[4 * i + 2]);
  return { width, height, loud };
}

// The picture in colour, as a canvas of its own size.
function painted({ width, height, loud }, dark) {
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

// A pen on a canvas that is as fine as the screen; null where the canvas is not shown.
function penOn(canvas) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  if (!clientWidth || !clientHeight) return null;
  canvas.width = Math.round(clientWidth * ratio);
  canvas.height = Math.round(clientHeight * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.imageSmoothingQuality = "high";
  return { pen, width: clientWidth, height: clientHeight };
}

function drawGrid({ pen, width, height }, axis, pitches, dark) {
  const line = (x, y, w, h, strength) => {
    pen.fillStyle = dark ? `rgba(255,255,255,${strength})` : `rgba(40,20,0,${strength})`;
    pen.fillRect(Math.round(x), Math.round(y), w, h);
  };
  for (const { at_s, strong } of linesOf(axis, width)) {
    line((at_s * width) / axis.seconds, 0, 1, height, strong ? 0.4 : 0.13);
  }
  for (const [, part] of pitches) line(0, height * (1 - part), width, 1, 0.1);
}

// Waves one below the other, each in its colour: [{peaks, factor, faint}]. The loudest sample of
// all tracks fills its lane, so a quiet piece shows as well, and layers compare.
function drawWaves({ pen, width, height }, waves, dark) {
  const top = Math.max(...waves.map(({ peaks }) => peaks.top), 1e-4);
  const lane = height / waves.length;
  const bars = Math.max(Math.floor(width / BAR_PX), 1);
  waves.forEach(({ peaks, factor, faint }, i) => {
    pen.fillStyle = laneColour(i, dark);
    pen.globalAlpha = faint ? 0.3 : 1;
    const middle = (i + 0.5) * lane;
    for (let bar = 0; bar < bars; bar++) {
      const peak = Math.min((peaks.between(bar / bars, (bar + 1) / bars) * factor) / top, 1);
      const size = Math.max(peak * (lane - 4), 1);
      pen.beginPath();
      pen.roundRect((bar * width) / bars, middle - size / 2, BAR_PX - 1, size, 1);
      pen.fill();
    }
  });
  pen.globalAlpha = 1;
}

function laneColour(i, dark) {
  const lanes = dark ? LANES_DARK : LANES_LIGHT;
  return lanes[i % lanes.length];
}

function labelTimes(place, axis, width) {
  const fitting = marksOf(axis, width).filter(({ at_s }) => width * (1 - at_s / axis.seconds) > 24);
  const labels = fitting.map(({ at_s, text, strong }) => {
    const label = span(text, `left:${(100 * at_s) / axis.seconds}%`);
    label.classList.toggle("bar-start", strong);
    label.dataset.at = at_s;
    return label;
  });
  place.replaceChildren(...labels);
}

function span(text, style) {
  const made = document.createElement("span");
  made.textContent = text;
  made.style.cssText = style;
  return made;
}

function isDark(element) {
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  pen.fillStyle = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  pen.fillRect(0, 0, 1, 1);
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  return red + green + blue < 3 * 128;
}
