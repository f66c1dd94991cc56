// The drawing core: a canvas with axes, bars that change colour at a position, ticks, lines.

import { _ } from "./texts.js";

export const MARGIN = { left: 52, right: 14, top: 12, bottom: 44 };

/** The theme's colours by role, also as --kept … for the style sheet: the first of its chart colours
 * are the app's colour code, in the order of the roles. */
export function themeColours(element, names) {
  const style = getComputedStyle(element);
  const chart = style.getPropertyValue("--st-chart-categorical-colors").split(",");
  const roles = Object.fromEntries(names.map((role, i) => [role, chart[i].trim()]));
  if (element.dataset.colours !== roles.kept) {
    element.dataset.colours = roles.kept;
    for (const role of names) element.style.setProperty(`--${role}`, roles[role]);
  }
  return {
    ...roles,
    text: style.getPropertyValue("--st-text-color").trim(),
    grid: style.getPropertyValue("--st-border-color").trim(),
    font: style.fontFamily,
  };
}

export class Plot {
  /** A canvas of the full width of `host`; `redraw` is called when its size or theme changed. */
  constructor(host, redraw, margin = MARGIN) {
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    host.append(this.canvas);
    this.host = host;
    this.space = margin;
    this.context = this.canvas.getContext("2d");
    this.observer = new ResizeObserver(() => {
      this.resize();
      redraw();
    });
    this.observer.observe(host);
    this.resize();
  }

  /** What the picture shows now, in a sentence for those who do not see it. */
  say(sentence) {
    if (this.canvas.getAttribute("aria-label") !== sentence) this.canvas.setAttribute("aria-label", sentence);
  }

  /** Its title and the read-outs below it, in such a sentence. */
  sayNumbers(title, numbers) {
    this.say(_("{title}: {numbers}.", { title, numbers: numbers.said() }));
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.host.getBoundingClientRect();
    this.fontSize = 0.8 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    const scale = Math.max(1, this.fontSize / 12);
    this.margin = Object.fromEntries(Object.entries(this.space).map(([k, v]) => [k, v * scale]));
    this.width = Math.max(width, 120);
    this.height = Math.max(height, 120);
    this.ratio = ratio;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.layers = new Map(); // pictures that a drag only clips
  }

  get area() {
    const { left, right, top, bottom } = this.margin;
    return { x: left, y: top, width: this.width - left - right, height: this.height - top - bottom };
  }

  setRange(low, high) {
    this.low = low;
    this.high = high;
  }

  /** Data value → pixel from the left, and back, along the x axis. */
  toPixel(value) {
    return this.area.x + ((value - this.low) / (this.high - this.low)) * this.area.width;
  }

  toValue(clientX) {
    const left = this.canvas.getBoundingClientRect().left;
    return this.low + ((clientX - left - this.area.x) / this.area.width) * (this.high - this.low);
  }

  /** Whether an event lies over the picture itself, not over the axes' words. */
  covers(event) {
    const box = this.canvas.getBoundingClientRect();
    const { x, y, width, height } = this.area;
    const [left, top] = [event.clientX - box.left - x, event.clientY - box.top - y];
    return left >= 0 && left <= width && top >= 0 && top <= height;
  }

  clear() {
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
  }

  /** Forget prepared pictures: the data, the colours or the scale are others now. */
  forget() {
    this.layers.clear();
  }

  /** The bars in one colour, drawn once and then copied: `heights` are fractions of the area. */
  bars(heights, colour, { from = this.low, to = this.high, gap = 0 } = {}) {
    const found = this.layers.get(colour);
    if (found) return found;
    const layer = document.createElement("canvas");
    layer.width = this.canvas.width;
    layer.height = this.canvas.height;
    const context = layer.getContext("2d");
    const { y, height } = this.area;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = colour;
    const step = (to - from) / heights.length;
    heights.forEach((share, i) => {
      const left = this.toPixel(from + i * step);
      const right = this.toPixel(from + (i + 1) * step);
      const tall = share > 0 ? Math.max(1, share * height) : 0;
      context.fillRect(left, y + height - tall, Math.max(right - left - gap, 0.6), tall);
    });
    this.layers.set(colour, layer);
    return layer;
  }

  /** Copy a prepared picture, only between two values of the x axis. */
  stamp(layer, from = this.low, to = this.high) {
    const left = Math.max(0, this.toPixel(from));
    const right = Math.min(this.width, this.toPixel(to));
    if (right <= left) return;
    this.context.save();
    this.context.beginPath();
    this.context.rect(left, 0, right - left, this.height);
    this.context.clip();
    this.context.drawImage(layer, 0, 0, this.width, this.height);
    this.context.restore();
  }

  axes(colours, { x, y, yTicks = [], xTicks = niceTicks(this.low, this.high), xText = label }) {
    const { context, fontSize } = this;
    const { x: left, y: top, width, height } = this.area;
    context.font = `${fontSize}px ${colours.font}`;
    context.fillStyle = colours.text;
    context.strokeStyle = colours.grid;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const { at, text } of yTicks) {
      const level = top + height * (1 - at);
      this.line(left, level, left + width, level);
      context.fillText(text, left - 6, level);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const tick of xTicks) context.fillText(xText(tick), this.toPixel(tick), top + height + 10);
    context.fillText(x, left + width / 2, top + height + 11 + 1.2 * fontSize);
    context.save();
    const above = context.measureText(y).actualBoundingBoxAscent; // Chinese rises above the line
    context.translate(Math.max(1, Math.ceil(above)), top + height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(y, 0, 0);
    context.restore();
    this.line(left, top + height, left + width, top + height);
  }

  line(x1, y1, x2, y2) {
    this.context.beginPath();
    this.context.moveTo(x1, y1);
    this.context.lineTo(x2, y2);
    this.context.stroke();
  }

  /** A vertical line at a value, with a word beside it. */
  mark(value, colour, { text = "", dash = [], width = 1.5, side = "right", down = 0 } = {}) {
    const { context } = this;
    const { x, y, width: wide, height } = this.area;
    const at = this.toPixel(value);
    context.save();
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    this.line(at, y, at, y + height);
    const space = context.measureText(text).width + 6;
    const left = side === "left" ? at - space > x : at + space > x + wide;
    context.textAlign = left ? "right" : "left";
    context.textBaseline = "top";
    context.fillText(text, at + (left ? -5 : 5), y + down * height);
    context.restore();
  }

  /** Short strokes below the axis, one a value. */
  ticks(values, colour) {
    const { context } = this;
    const { y, height } = this.area;
    context.fillStyle = colour;
    for (const value of values) context.fillRect(this.toPixel(value) - 1, y + height + 1, 2, 8);
  }

  /** A translucent band between two values. */
  shade(from, to, colour) {
    const { context } = this;
    const { y, height } = this.area;
    const [left, right] = [this.toPixel(Math.max(from, this.low)), this.toPixel(Math.min(to, this.high))];
    if (right <= left) return;
    context.save();
    context.globalAlpha = 0.16;
    context.fillStyle = colour;
    context.fillRect(left, y, right - left, height);
    context.restore();
  }

  /** Draw something that must not leave the area. */
  within(drawing) {
    const { context } = this;
    const { x, y, width, height } = this.area;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    drawing();
    context.restore();
  }

  /** Pixels from the left and the top of a value and a fraction of the area. */
  place(value, share) {
    return { left: this.toPixel(value), top: this.area.y + this.area.height * (1 - share) };
  }

  /** A point, full or hollow. */
  dot(value, share, radius, colour, hollow = false) {
    const { context } = this;
    const { left, top } = this.place(value, share);
    context.beginPath();
    context.arc(left, top, radius, 0, 2 * Math.PI);
    context.lineWidth = 2;
    context.strokeStyle = context.fillStyle = colour;
    if (hollow) context.stroke();
    else context.fill();
  }

  /** A thin upright line between two fractions of the area. */
  whisker(value, low, high, colour) {
    const [bottom, top] = [this.place(value, low), this.place(value, high)];
    this.context.strokeStyle = colour;
    this.context.lineWidth = 1;
    this.line(bottom.left, bottom.top, top.left, top.top);
  }

  /** A line through points; `ys` are fractions of the area. */
  curve(xs, ys, colour) {
    const { context } = this;
    const { y, height } = this.area;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.beginPath();
    xs.forEach((x, i) => context.lineTo(this.toPixel(x), y + height * (1 - ys[i])));
    context.stroke();
  }
}

/** Counts → heights in 0 … 1 and the ticks of the y axis, linear or by powers of ten. */
export function countScale(counts, logarithmic) {
  const top = Math.max(1, ...counts);
  if (!logarithmic) {
    const whole = niceTicks(0, top).filter(Number.isInteger);
    const ticks = whole.map(value => ({ at: value / top, text: short(value) }));
    return { heights: Array.from(counts, count => count / top), ticks };
  }
  const height = count => Math.log10(1 + count) / Math.log10(1 + top);
  const powers = Array.from({ length: Math.floor(Math.log10(top)) + 1 }, (_, i) => 10 ** i);
  const ticks = powers.map(value => ({ at: height(value), text: short(value) }));
  return { heights: Array.from(counts, height), ticks };
}

/** About `count` round numbers within low … high. */
export function niceTicks(low, high, count = 5) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(multiple => multiple * power >= rough) * power;
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
  return ticks;
}

const label = value => String(Number(value.toPrecision(3)) || 0).replace("-", "−");

function short(count) {
  if (count < 1000) return String(Math.round(count));
  return count < 1e6 ? `${+(count / 1e3).toPrecision(3)} K` : `${+(count / 1e6).toPrecision(3)} M`;
}

/** The y at x of a curve given by ascending xs, straight lines between them. */
export function interpolate(xs, ys, x) {
  const last = xs.length - 1;
  if (x < xs[0]) return ys[0]; // of equal xs the last counts
  if (x >= xs[last]) return ys[last];
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  const width = xs[high] - xs[low];
  return width ? ys[low] + ((ys[high] - ys[low]) * (x - xs[low])) / width : ys[low];
}
