// Prune: drag a threshold line, the sparsity, or the bar of one layer.
//
// By magnitude a line parts kept from pruned weights. By other methods they lie mixed, and there is
// no line; a profile then says how many of each bin have fallen. N:M has nothing to drag.

import {
  byteSize, chips, draggable, everyFrame, isBusy, make, percent, readouts, slider, whole, write,
} from "./controls.js";
import { Plot, countScale, interpolate, themeColours } from "./plot.js";

const SNAPS = [0.5, 0.8, 0.9, 0.95, 0.99];
const MOST = 0.999; // the sparsity that the number input beside it allows, too
const BYTES_EVERY = 5; // the curves have a byte count at every fifth knot

/** The largest |w| that falls at a sparsity of a layer, and the sparsity at a threshold. */
const thresholdAt = (layer, sparsity) => interpolate(layer.sparsities, layer.magnitudes, sparsity);

function sparsityAt(layer, threshold) {
  const count = interpolate(layer.magnitudes, layer.sparsities, threshold) * layer.weights;
  return Math.floor(count + 1e-6) / layer.weights; // whole weights fall
}

const energyAt = (layer, sparsity) => 1 - interpolate(layer.sparsities, layer.energies, sparsity);

const bytesAt = (layer, sparsity) => interpolate(layer.byteKnots, layer.byte_counts, sparsity);

/** Whole weights of a layer, at least one of them kept. */
const fractionOf = (layer, sparsity) =>
  Math.min(Math.round(sparsity * layer.weights), layer.weights - 1) / layer.weights;

/** Of each row alike; a half goes to the even number, as on the server. */
function fractionOfRows({ columns }, sparsity) {
  const wanted = sparsity * columns;
  const half = Math.abs(wanted - Math.floor(wanted) - 0.5) < 1e-12;
  const count = half ? 2 * Math.round(wanted / 2) : Math.round(wanted);
  return Math.min(count, columns - 1) / columns;
}

/** How many weights of each bin are pruned at a sparsity. */
function fallenAt({ counts, fallen }, sparsity) {
  if (!fallen) return counts.map(count => count * sparsity);
  const bins = counts.length;
  const at = sparsity * (fallen.length / bins - 1);
  const low = Math.floor(Math.min(at, fallen.length / bins - 2));
  const mix = i => fallen[i] + (at - low) * (fallen[i + bins] - fallen[i]);
  return counts.map((_, i) => mix(low * bins + i));
}

/** The threshold that prunes the share `sparsity` of all these layers together. */
function globalThreshold(layers, sparsity) {
  const wanted = sparsity * layers.reduce((sum, layer) => sum + layer.weights, 0);
  let [low, high] = [0, Math.max(...layers.map(layer => layer.magnitudes.at(-1)))];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    const fallen = layers.reduce((sum, l) => sum + sparsityAt(l, middle) * l.weights, 0);
    if (fallen < wanted) low = middle;
    else high = middle;
  }
  return high;
}

export class Prune {
  constructor(root, profiles, tell) {
    this.layers = profiles.layers;
    for (const layer of this.layers) {
      layer.byteKnots =
        layer.byte_counts.length === layer.sparsities.length
          ? layer.sparsities
          : layer.sparsities.filter((_, i) => i % BYTES_EVERY === 0);
    }
    this.root = root;
    this.tell = tell;
    this.logarithmic = true;
    this.draw = everyFrame(root, () => this.drawNow());
    this.build();
  }

  build() {
    this.stage = make("div", { class: "stage" });
    this.plus = make("div", { class: "grip" });
    this.minus = make("div", { class: "grip", "aria-hidden": "true" });
    this.track = make("div", { class: "track" }, make("div", { class: "fill" }));
    this.rows = this.layers.map(layer => new LayerRow(layer, this));
    this.numbers = readouts(["threshold t", "sparsity", "energy kept", "whole file"]);
    this.chips = chips("Sparsity", SNAPS, value => `${100 * value} %`, value => this.jump(value));
    this.legend = make("div", { class: "legend" },
      make("span", { class: "kept" }, "kept"), make("span", { class: "pruned" }, "pruned"));
    this.scaleButton = make("button", { type: "button", class: "chip" }, "log");
    this.scaleButton.title = "Counts on a logarithmic or a linear scale";
    this.scaleButton.onclick = () => this.toggleScale();
    this.title = make("strong");
    this.hint = make("small");
    this.root.replaceChildren(
      make("div", { class: "split" },
        make("section", { class: "main" },
          make("header", {}, this.title, this.legend, this.scaleButton),
          this.stage, this.numbers.element,
          make("div", { class: "bar" }, make("span", {}, "sparsity"), this.track, this.chips.element)),
        make("section", { class: "side" },
          make("header", {}, make("strong", {}, "Sparsity of each layer"),
            this.hint),
          make("div", { class: "rows" }, ...this.rows.map(row => row.element)))));
    this.plot = new Plot(this.stage, () => this.draw());
    this.stage.append(this.minus, this.plus);
    this.bind();
  }

  bind() {
    const release = () => this.release();
    const drag = event => this.setThreshold(Math.abs(this.plot.toValue(event.clientX)));
    const cancel = () => this.cancel();
    const within = event => this.plot.covers(event);
    draggable(this.stage, { move: drag, release, cancel, within, focus: this.plus });
    const keys = {
      range: () => this.sparsityRange(),
      set: value => this.setSparsity(value / 100),
      release,
    };
    this.describeGrip = slider(this.plus, "Threshold", { ...keys, range: () => this.gripRange() });
    this.describeTrack = slider(this.track, "Sparsity", keys);
    draggable(this.track, {
      move: event => {
        const box = this.track.getBoundingClientRect();
        this.setSparsity(Math.round(1000 * ((event.clientX - box.left) / box.width)) / 1000);
      },
      release,
      cancel,
    });
  }

  sparsityRange() {
    const value = Math.round(1000 * this.shown.sparsity) / 10;
    const text = `${value} % of the weights pruned`;
    const weights = this.moving.reduce((sum, layer) => sum + layer.weights, 0);
    const step = Math.max(0.1, 100 / Math.max(1, weights)); // at least one weight
    return { min: 0, max: 100 * MOST, value, step, big: 5, text };
  }

  /** The grip moves by the sparsity, too: a step of magnitude would mean another share each time. */
  gripRange() {
    return { ...this.sparsityRange(), text: `threshold ${this.shown.threshold.toPrecision(3)}` };
  }

  /** New numbers from the server: exact ones take the place of the estimates. */
  update(data) {
    this.data = data;
    this.drawn = this.layers.find(layer => layer.name === data.layer) || this.layers[0];
    if (!isBusy(this.root)) this.wish = null;
    this.plot.forget();
    this.root.classList.toggle("mixed", this.mixed);
    this.root.classList.toggle("fixed", this.fixed);
    for (const track of [this.track, ...this.rows.map(row => row.bar)]) {
      track.setAttribute("aria-disabled", this.fixed);
    }
    write(this.hint, this.fixed ? "as the pattern leaves it" : "drag any");
    write(this.title, `Weights of ${data.layer}`);
    this.draw();
  }

  /** The layers that the page's control moves. */
  get moving() {
    return this.layers.filter((layer, i) => this.data.layers[i].moves);
  }

  /** Whether kept and pruned weights of the drawn layer lie on both sides of any line. */
  get mixed() {
    return Boolean(this.data.kept);
  }

  /** Whether the method has no share that one could drag. */
  get fixed() {
    return this.data.method === "N:M";
  }

  setThreshold(threshold) {
    if (this.mixed) return;
    const t = Math.min(threshold, this.drawn.limit);
    if (!this.moving.includes(this.drawn)) { // it has a step of its own: that one is under the finger
      this.setLayer(this.drawn, sparsityAt(this.drawn, t));
    } else if (this.data.by === "threshold") this.ask({ threshold: Math.min(t, this.largest() * 0.9999) });
    else if (this.data.scope === "global") this.setSparsity(this.sharePruned(t));
    else this.setSparsity(sparsityAt(this.drawn, t));
  }

  largest() {
    return Math.max(...this.moving.map(layer => layer.limit));
  }

  sharePruned(threshold) {
    const weights = this.moving.reduce((sum, layer) => sum + layer.weights, 0);
    const fallen = this.moving.reduce((sum, l) => sum + sparsityAt(l, threshold) * l.weights, 0);
    return fallen / weights;
  }

  setSparsity(sparsity) {
    if (this.fixed) return;
    const kept = Math.max(0, Math.min(MOST, Math.round(1000 * sparsity) / 1000));
    if (this.data.by === "threshold" && this.data.method === "magnitude") {
      this.ask({ threshold: globalThreshold(this.moving, kept) });
    } else this.ask({ sparsity: kept });
  }

  /** One layer alone, by its bar. */
  setLayer(layer, sparsity) {
    if (this.fixed) return;
    const kept = Math.max(0, Math.min(MOST, Math.round(1000 * sparsity) / 1000));
    this.ask({ sparsity: kept, layer: layer.name });
  }

  jump(sparsity) {
    this.setSparsity(sparsity);
    this.release();
  }

  ask(wish) {
    this.wish = wish;
    this.draw();
  }

  release() {
    if (this.wish) this.tell(this.wish);
  }

  cancel() {
    this.wish = null;
    this.draw();
  }

  toggleScale() {
    this.logarithmic = !this.logarithmic;
    write(this.scaleButton, this.logarithmic ? "log" : "linear");
    this.plot.forget();
    this.draw();
  }

  /** What the wish would do, or the exact numbers where there is none. */
  get shown() {
    const rows = this.data.layers;
    if (!this.wish) {
      const at = rows[this.layers.indexOf(this.drawn)];
      const { sparsity, threshold } = this.data;
      return { rows, sparsity, threshold, energy: at.energy, bytes: this.data.bytes, exact: true };
    }
    const made = this.layers.map((layer, i) => this.estimate(layer, rows[i]));
    const bytes = made.reduce((sum, row) => sum + row.bytes, this.data.rest_bytes);
    const drawn = made[this.layers.indexOf(this.drawn)];
    const counted = this.layers.map((layer, i) => [layer, made[i]]).filter(([l]) => this.asked(l));
    const total = counted.reduce((sum, [layer]) => sum + layer.weights, 0);
    const fallen = counted.reduce((sum, [layer, row]) => sum + row.sparsity * layer.weights, 0);
    return {
      rows: made,
      sparsity: this.wish.sparsity ?? fallen / total,
      threshold: this.lineAt(),
      energy: drawn.energy,
      bytes,
      exact: false,
    };
  }

  /** Whether the present wish is about this layer. */
  asked(layer) {
    return this.wish.layer ? this.wish.layer === layer.name : this.moving.includes(layer);
  }

  /** Where the threshold line of the drawn layer stands. */
  lineAt() {
    if (this.mixed) return 0;
    if (!this.asked(this.drawn)) {
      return thresholdAt(this.drawn, this.data.layers[this.layers.indexOf(this.drawn)].sparsity);
    }
    if (this.wish.threshold !== undefined) return this.wish.threshold;
    if (this.wish.layer || this.data.scope !== "global") {
      return thresholdAt(this.drawn, fractionOf(this.drawn, this.wish.sparsity));
    }
    return this.common();
  }

  /** The one threshold of all moving layers, found once a frame. */
  common() {
    if (this.commonOf !== this.wish) {
      this.commonOf = this.wish;
      this.commonIs = globalThreshold(this.moving, this.wish.sparsity);
    }
    return this.commonIs;
  }

  estimate(layer, exact) {
    if (!this.asked(layer)) return exact;
    const sparsity = this.sparsityOf(layer);
    const energy = this.data.method === "random" ? 1 - sparsity : energyAt(layer, sparsity);
    // the curve counts without what the file knows better: take that from the last exact number
    const ratio = exact.bytes / bytesAt(layer, exact.sparsity);
    return { ...exact, sparsity, energy, bytes: bytesAt(layer, sparsity) * ratio };
  }

  sparsityOf(layer) {
    const { sparsity, threshold, layer: alone } = this.wish;
    if (threshold !== undefined) return sparsityAt(layer, threshold);
    if (layer.columns) return fractionOfRows(layer, sparsity);
    const each = alone || this.data.scope !== "global";
    return each ? fractionOf(layer, sparsity) : sparsityAt(layer, this.common());
  }

  drawNow() {
    if (!this.data) return;
    const colours = themeColours(this.root);
    const { counts, limit } = this.drawn;
    const key = [this.drawn.name, this.logarithmic, colours.kept, this.plot.width].join();
    if (key !== this.key) this.plot.forget();
    this.key = key;
    const shown = this.shown;
    const scale = countScale(counts, this.logarithmic);
    this.plot.setRange(-limit, limit);
    this.plot.clear();
    this.plot.axes(colours, { x: "weight w", y: "weights per bin", yTicks: scale.ticks });
    this.drawBars(shown, scale.heights, colours);
    this.fill(shown);
  }

  drawBars(shown, heights, colours) {
    const { plot } = this;
    const own = shown.rows[this.layers.indexOf(this.drawn)].sparsity;
    if (this.mixed) {
      plot.stamp(plot.bars(heights, colours.pruned));
      plot.layers.delete(colours.kept); // its height follows the sparsity
      const kept = this.keptCounts(own);
      const top = Math.max(1, ...this.drawn.counts);
      const height = count =>
        this.logarithmic ? Math.log10(1 + count) / Math.log10(1 + top) : count / top;
      plot.stamp(plot.bars(Array.from(kept, height), colours.kept));
      return;
    }
    const t = shown.threshold;
    plot.stamp(plot.bars(heights, colours.kept));
    if (own > 0) plot.stamp(plot.bars(heights, colours.pruned), -t, t);
    plot.mark(t, colours.text, { text: "+t", dash: [4, 3] });
    plot.mark(-t, colours.text, { text: "−t", dash: [4, 3], side: "left" });
    this.plus.style.transform = `translateX(${plot.toPixel(t)}px)`;
    this.minus.style.transform = `translateX(${plot.toPixel(-t)}px)`;
  }

  /** What is left of each bin of the drawn layer, exact where no wish is about it. */
  keptCounts(sparsity) {
    if (!this.wish || !this.asked(this.drawn)) return this.data.kept;
    const { counts } = this.drawn;
    return fallenAt(this.drawn, sparsity).map((fallen, i) => Math.max(0, counts[i] - fallen));
  }

  fill(shown) {
    const about = shown.exact ? "" : "≈ ";
    const t = this.mixed ? "none" : shown.threshold.toFixed(4);
    const sparsity = percent(shown.sparsity);
    this.numbers.fill([t, sparsity, percent(shown.energy), about + byteSize(shown.bytes)]);
    this.track.firstChild.style.transform = `scaleX(${shown.sparsity})`;
    this.chips.mark(SNAPS.find(snap => Math.abs(snap - shown.sparsity) < 5e-4));
    this.rows.forEach((row, i) => row.fill(shown.rows[i], row.layer === this.drawn));
    this.root.dataset.value = shown.threshold;
    this.root.dataset.sparsity = shown.sparsity;
    this.describeGrip();
    this.describeTrack();
  }
}

/** One layer's bar beside the histogram: drag it, or click its name to draw that layer. */
class LayerRow {
  constructor(layer, view) {
    this.layer = layer;
    this.view = view;
    this.name = make("button", { type: "button", class: "name" }, layer.name);
    this.name.title = `Draw the weights of ${layer.name}`;
    this.name.onclick = () => view.tell({ draw: layer.name });
    this.bar = make("div", { class: "track" }, make("div", { class: "fill" }));
    this.number = make("span", { class: "number" });
    this.element = make("div", { class: "row" }, this.name, this.bar, this.number,
      make("small", {}, whole(layer.weights)));
    const release = () => view.release();
    const move = event => {
      const box = this.bar.getBoundingClientRect();
      view.setLayer(layer, (event.clientX - box.left) / box.width);
    };
    draggable(this.bar, { move, release, cancel: () => view.cancel() });
    this.describe = slider(this.bar, `Sparsity of ${layer.name}`, {
      range: () => this.range(),
      set: value => view.setLayer(layer, value / 100),
      release,
    });
  }

  range() {
    const value = Math.round(1000 * this.sparsity) / 10;
    const step = Math.max(0.1, 100 / this.layer.weights); // at least one weight
    return { min: 0, max: 100 * MOST, value, step, big: 5, text: `${value} %` };
  }

  fill({ sparsity }, drawn) {
    if (this.element.classList.contains("drawn") !== drawn) {
      this.element.classList.toggle("drawn", drawn);
    }
    if (sparsity === this.sparsity) return;
    this.sparsity = sparsity;
    this.bar.firstChild.style.transform = `scaleX(${sparsity})`;
    write(this.number, percent(sparsity));
    this.describe();
  }
}
