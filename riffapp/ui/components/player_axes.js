// The two axes: beats and bars, or seconds where no beat is known; and pitch.

const MIN_LABEL_PX = 34;
const MIN_LINE_PX = 7;
const NICE_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

// The time axis of a piece: `beat_s` is null where no beat is known, bar 1 begins at `first_s`. The
// sound itself says how long it is; until it is here the page does, or nobody.
function axisOf({ seconds: told_s, beats, meter, first_beat_s }, sound_s) {
  const seconds = sound_s || told_s || 1;
  const [first_s, beat_s] = beats ? [first_beat_s, seconds / beats] : [0, null];
  return { seconds, meter, first_s, beat_s };
}

// What an arrow key moves by.
function stepOf({ seconds, beat_s }) {
  return beat_s ?? (seconds > 60 ? 5 : seconds / 20);
}

// The beat next to a moment; the ends of the piece count as beats.
function snapped(time_s, { seconds, first_s, beat_s }) {
  if (!beat_s) return time_s;
  const beat = first_s + Math.round((time_s - first_s) / beat_s) * beat_s;
  const marks = [beat, 0, seconds].filter((mark) => mark >= 0 && mark <= seconds + 1e-6);
  return marks.reduce((a, b) => (Math.abs(b - time_s) < Math.abs(a - time_s) ? b : a));
}

// "2.3" is the third beat of the second bar, "2.3.50" half a beat later; or "0:01.25".
function momentName(time_s, { meter, first_s, beat_s }) {
  if (!beat_s) return clockName(time_s, 2);
  const hundredths = Math.round((100 * (time_s - first_s)) / beat_s);
  const beat = Math.floor(hundredths / 100);
  const rest = hundredths - 100 * beat;
  const finer = rest ? `.${String(rest).padStart(2, "0")}` : "";
  return `${barOf(beat, meter)}.${beatOf(beat, meter)}${finer}`;
}

// As short as a pointer is coarse: the beat, or the tenth of a second.
function placeName(time_s, { meter, first_s, beat_s }) {
  if (!beat_s) return clockName(time_s, 1);
  const beat = Math.floor((time_s - first_s) / beat_s + 1e-6);
  return `${barOf(beat, meter)}.${beatOf(beat, meter)}`;
}

function barOf(beat, meter) {
  return Math.floor(beat / meter) + 1;
}

function beatOf(beat, meter) {
  return beat - Math.floor(beat / meter) * meter + 1;
}

function clockName(time_s, digits) {
  const minutes = Math.floor(time_s / 60 + 1e-9);
  const rest = (time_s - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return `${minutes}:${rest}`;
}

// Seconds as short as they may be: "0.5 s", from a minute on "1:30".
function tickName(at_s, step_s, seconds) {
  if (seconds >= 60) return clockName(at_s, 0);
  return `${at_s.toFixed(step_s < 1 ? 1 : 0)} s`;
}

// [{at_s, text, strong}]: bars always, beats between them where there is room to read them.
function marksOf(axis, width) {
  const { seconds, meter, first_s, beat_s } = axis;
  const room = (step_s) => (width * step_s) / seconds >= MIN_LABEL_PX;
  if (!beat_s) {
    const step_s = NICE_S.find(room) ?? 1200;
    const count = Math.ceil(seconds / step_s - 1e-6);
    return Array.from({ length: count }, (_, i) => {
      return { at_s: i * step_s, text: tickName(i * step_s, step_s, seconds), strong: false };
    });
  }
  let every = room(beat_s) ? 1 : meter;
  while (!room(every * beat_s) && every * beat_s < seconds) every *= 2;
  const marks = [];
  for (let beat = 0; first_s + beat * beat_s < seconds - 0.01 * beat_s; beat += every) {
    const strong = beat % meter === 0;
    const text = strong ? `${barOf(beat, meter)}` : `${barOf(beat, meter)}.${beatOf(beat, meter)}`;
    marks.push({ at_s: first_s + beat * beat_s, text, strong });
  }
  return marks;
}

// [{at_s, strong}]: lines to draw, as many as stay apart.
function linesOf({ seconds, meter, first_s, beat_s }, width) {
  if (!beat_s) return [];
  let every = 1;
  while ((width * every * beat_s) / seconds < MIN_LINE_PX) every *= every === 1 ? meter : 2;
  const lines = [];
  for (let beat = -Math.floor(first_s / beat_s / every) * every; ; beat += every) {
    const at_s = first_s + beat * beat_s;
    if (at_s > seconds - 0.01 * beat_s) return lines;
    if (at_s > 0.01 * beat_s) lines.push({ at_s, strong: beat % meter === 0 });
  }
}

// HTK mels, as the picture's rows are spaced: part 0 is its bottom, 1 its top.
function hzAt(part, [low_hz, high_hz]) {
  const [low, high] = [mel(low_hz), mel(high_hz)];
  return 700 * (10 ** ((low + part * (high - low)) / 2595) - 1);
}

function mel(hz) {
  return 2595 * Math.log10(1 + hz / 700);
}

// Two digits say as much as a hand can aim.
function hzName(hz) {
  return `${Number(hz.toPrecision(2))}`;
}
