// Quantize: step through bit-widths, drag the ends of the range; levels and SQNR move along.
// What follows no formula of ours (floats, signs, a layer's own step) comes from the core as levels.

import {
  bestShare, decibel, energy, noise, parameters, percentileShare, quantileOf, rounded,
} from "./affine.js";
import {
  byteSize, chips, draggable, everyFrame, isBusy, make, percent, readouts, scaleSwitch, slider, whole,
  write,
} from "./controls.js";
import { OPEN, NoiseRow } from "./noise_row.js";
import { SmallPlane } from "./plane.js";
import { Plot, countScale, themeColours } from "./plot.js";
import { _ } from "./texts.js";

const MOST_TICKS = 128; // more even levels than this are a band of green

export class Quantize {
  constructor(root, profiles, tell, constants) {
    this.layers = profiles.layers;
    this.constants = constants;
    this.root = root;
    this.tell = tell;
    this.draw = everyFrame(root, () => this.drawNow());
    this.build();
  }

  build() {
    this.stage = make("div", { class: "stage" });
    this.ends = [make("div", { class: "grip" }), make("div", { class: "grip" })];
    this.numbers = readouts([
      _("levels"), _("scale"), _("clipped"), _("SQNR of rounding these"), _("weights, packed"),
    ]);
    this.stepper = make("div", { class: "stepper" });
    this.title = make("strong");
    this.zeroNote = make("small");
    this.scale = scaleSwitch(() => {
      this.logarithmic = !this.logarithmic;
      this.plot.forget();
      this.draw();
    });
    this.setting = make("span");
    this.cut = make("span", { class: "pruned" }, _("clipped"));
    this.legend = make("div", { class: "legend" },
      make("span", { class: "original" }, _("weights")),
      make("span", { class: "quantized" }, _("levels")), this.cut);
    this.rows = this.layers.map(layer => new NoiseRow(layer));
    this.plane = new SmallPlane(this.tell, this.draw);
    this.root.replaceChildren(
      make("div", { class: "split" },
        make("section", { class: "main" },
          make("header", {}, this.title, this.zeroNote, this.legend, this.scale.element),
          this.stage, this.numbers.element,
          make("div", { class: "bar" }, this.setting, this.stepper)),
        make("section", { class: "side" },
          make("header", {}, make("strong", {}, _("SQNR of each layer, dB"))),
          make("div", { class: "rows" }, ...this.rows.map(row => row.element)),
          this.plane.element)));
    this.plot = new Plot(this.stage, () => this.draw());
    this.stage.append(...this.ends);
    const release = () => this.release();
    draggable(this.stage, {
      move: event => this.setLimit(Math.abs(this.plot.toValue(event.clientX))),
      release,
      cancel: () => this.cancel(),
      within: event => this.plot.covers(event),
      focus: this.ends[1],
    });
    this.describeEnds = this.ends.map((end, i) =>
      slider(end, i ? _("Upper end of the range") : _("Lower end of the range"), {
        range: () => this.limitRange(),
        set: rank => this.setLimit(this.magnitudes[Math.round(rank)]),
        release,
      }));
  }

  /** The choices of bits, or of formats: `values` with their `texts`. */
  bind({ setting, values, texts }) {
    const release = () => this.release();
    this.chips = chips(setting, values, value => texts[values.indexOf(value)], value => {
      this.choose(value);
      this.release();
    });
    this.stepper.replaceChildren(this.chips.element);
    this.describeStepper = slider(this.setting, _("{setting} of a weight", { setting }), {
      range: () => {
        const index = values.indexOf(this.chosen);
        const text = texts[index] ?? "";
        return { min: 0, max: values.length - 1, value: index, step: 1, big: 3, text };
      },
      set: index => this.choose(values[index]),
      release,
    });
    write(this.setting, setting.toLowerCase());
    this.bound = [setting, ...values].join();
  }

  /** By weights, from the middle one on: between two of them the percentile stays the same. */
  limitRange() {
    const { magnitudes } = this;
    const max = magnitudes.length - 1;
    const above = magnitudes.findIndex(w => w >= this.limit * 0.9999);
    const value = above < 0 ? max : above;
    const text = _("clipped at ±{limit}", { limit: this.limit.toPrecision(3) });
    return { min: Math.floor(max / 2), max, value, step: 1, big: Math.max(2, max / 20), text };
  }

  update(data, view) {
    this.data = data;
    this.view = view;
    this.points = Array.from(view.points);
    if (!isBusy(this.root)) this.wish = null;
    this.magnitudes = this.points.map(Math.abs).filter(w => w > 0).sort((a, b) => a - b);
    this.leaveZerosOut();
    this.reach = Math.max(this.magnitudes.at(-1) ?? 0, 1e-9);
    if (this.bound !== [data.choices.setting, ...data.choices.values].join()) this.bind(data.choices);
    this.plot.forget();
    write(this.title, data.title);
    write(this.cut, data.zeroed ? _("become zero") : _("clipped"));
    this.cut.hidden = data.draws === "levels" && !data.zeroed;
    this.stage.classList.toggle("still", !this.drags);
    this.draw();
  }

  /** Exact zeros would tower over all other bars: a note tells how many they are. */
  leaveZerosOut() {
    const counts = Array.from(this.view.counts);
    const zeros = this.points.filter(w => w === 0).length / Math.max(1, this.points.length);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const middle = counts.length >> 1;
    this.counts = counts.map((count, i) => i === middle ? Math.max(0, count - zeros * total) : count);
    write(this.zeroNote, zeros ? _("{share} are 0, not drawn", { share: percent(zeros) }) : "");
    this.logarithmic ??= zeros > 0;
  }

  /** The settings in force: the server's, with what is dragged over them. */
  get now() {
    return { ...this.data.step, ...this.wish };
  }

  get chosen() {
    return this.wish?.[this.data.choices.field] ?? this.data.choices.chosen;
  }

  /** Whether the drawn levels have ends that can be dragged. */
  get drags() {
    return this.data.draws === "affine" && this.now.bits !== this.constants.float;
  }

  /** Whether the wish has effects that only the core can compute. */
  get open() {
    return Boolean(this.wish) && !this.data.foresees;
  }

  choose(value) {
    this.wish = { ...this.wish, [this.data.choices.field]: value };
    this.draw();
  }

  /** Clip at ±limit: the step says it as the percentile of |w| that lies within. */
  setLimit(limit) {
    if (!this.drags) return;
    const least = this.constants.least_percentile;
    const within = this.magnitudes.filter(w => w <= limit).length;
    const percentile = (100 * within) / Math.max(1, this.magnitudes.length);
    this.wish = {
      ...this.wish,
      clipping: "percentile",
      percentile: Math.max(least, Math.min(100, Math.round(100 * percentile) / 100)),
      limit: Math.max(limit, this.quantile(least / 100)), // the step clips no more
    };
    this.draw();
  }

  cancel() {
    this.wish = null;
    this.draw();
  }

  release() {
    if (!this.wish) return;
    const { limit: _drawn, ...settings } = this.wish;
    this.tell(settings);
  }

  /** Range of the drawn weights as the settings choose it, and the share of the full one. */
  range() {
    const { bits, scheme, clipping, percentile, limit } = this.now;
    const [low, high] = [Math.min(...this.points, 0), Math.max(...this.points, 0)];
    if (clipping === "mse") {
      const { clips } = this.constants;
      const share = bestShare(this.points, () => [low, high], bits, scheme, clips);
      return { low: low * share, high: high * share };
    }
    if (clipping === "min_max") return { low, high };
    const cut = limit ?? this.quantile(percentile / 100);
    return { low: Math.max(low, -cut), high: Math.min(high, cut) };
  }

  quantile(share) {
    return quantileOf(this.magnitudes, share);
  }

  drawNow() {
    if (!this.data) return;
    const colours = themeColours(this.root, this.constants.roles);
    const key = [colours.original, this.plot.width].join();
    if (key !== this.key) this.plot.forget();
    this.key = key;
    const scale = countScale(this.counts, this.logarithmic);
    this.scale.show(this.logarithmic);
    const edge = this.reach * 1.05;
    this.plot.setRange(-edge, edge);
    this.plot.clear();
    this.plot.axes(colours, { x: _("weight w"), y: _("weights per bin"), yTicks: scale.ticks });
    const bars = this.plot.bars(scale.heights, colours.original, { from: -edge, to: edge });
    this.plot.stamp(bars);
    this.ends.forEach(end => (end.hidden = !this.drags));
    if (this.data.draws === "levels") this.drawCoded(colours);
    else if (this.drags) this.drawLevels(colours);
    else this.fill(["–", "–", "–", _("exact")]);
    this.chips.mark(this.chosen);
    this.describeStepper();
    this.plane.draw(colours, this.wish && { at: this.followsCurve ? this.now.bits : undefined });
  }

  /** Whether the settings are those that the curve was measured with. */
  get followsCurve() {
    if (!this.data.plane) return false;
    return !this.open && Object.entries(this.data.plane.settings).every(([k, v]) => this.now[k] === v);
  }

  /** The levels of the core as they are, however they are spaced. */
  drawCoded(colours) {
    const { plot } = this;
    const { levels, level_count: count, scale, zeroed, group_sqnr_db: sqnr } = this.data;
    if (count > levels.length) plot.shade(levels[0], levels.at(-1), colours.quantized);
    else plot.ticks(levels.filter(v => v >= plot.low && v <= plot.high), colours.quantized);
    if (zeroed) plot.shade(-zeroed, zeroed, colours.pruned);
    this.fill(this.open ? [OPEN, OPEN, "–", OPEN] : [
      whole(count), scale.toPrecision(3), this.data.clips ? percent(this.data.clipped, 2) : "–",
      sqnr === null ? _("exact") : `${sqnr.toFixed(1)} dB`,
    ]);
  }

  drawLevels(colours) {
    const { bits, scheme } = this.now;
    const { low, high } = this.range();
    const found = parameters(low, high, bits, scheme);
    const { scale, zero, qMin, qMax } = found;
    const count = qMax - qMin + 1;
    const [bottom, top] = [(qMin - zero) * scale, (qMax - zero) * scale];
    const { plot } = this;
    if (count <= MOST_TICKS) {
      plot.ticks(Array.from({ length: count }, (_, i) => bottom + i * scale), colours.quantized);
    } else {
      plot.shade(bottom, top, colours.quantized);
    }
    plot.shade(-this.reach * 1.05, bottom, colours.pruned);
    plot.shade(top, this.reach * 1.05, colours.pruned);
    plot.mark(bottom, colours.text, { dash: [4, 3] });
    plot.mark(top, colours.text, { dash: [4, 3] });
    this.limit = Math.max(-bottom, top);
    this.ends[0].style.transform = `translateX(${plot.toPixel(Math.max(bottom, plot.low))}px)`;
    this.ends[1].style.transform = `translateX(${plot.toPixel(Math.min(top, plot.high))}px)`;
    this.describeEnds.forEach(describe => describe());
    this.fill(this.texts(found, bottom, top, count));
  }

  texts(found, bottom, top, count) {
    const { points } = this;
    const error = points.reduce((sum, w) => sum + (w - rounded(w, found)) ** 2, 0);
    const half = found.scale / 2;
    const clipped = points.filter(w => w < bottom - half || w > top + half).length / points.length;
    const about = this.wish ? "≈ " : "";
    const exact = this.data.group_sqnr_db;
    const sqnr = this.wish || exact === null ? decibel(energy(points), error) : exact;
    return [
      String(count), found.scale.toPrecision(3), percent(this.wish ? clipped : this.data.clipped, 2),
      sqnr === null ? _("exact") : `${about}${sqnr.toFixed(1)} dB`,
    ];
  }

  fill(texts) {
    this.numbers.fill([...texts, this.open ? OPEN : byteSize(this.packedBytes())]);
    const most = Math.max(...this.data.layers.map(layer => layer.sqnr_db ?? 0), 40);
    this.rows.forEach((row, i) => row.fill(this.noiseOf(i), most));
    this.root.dataset.value = this.chosen;
    this.root.dataset.limit = this.drags ? this.limit : "";
    if (!this.wish) this.plot.sayNumbers(this.title.textContent, this.numbers);
  }

  /** Weights of all layers at fixed width, with their scales. */
  packedBytes() {
    const { bits, scheme } = this.now;
    return this.layers.reduce((sum, layer, i) => {
      const width = this.data.layers[i].moves ? bits : this.data.layers[i].bits;
      const scales = width === this.constants.float ? 0 : layer.scales * (scheme === "asymmetric" ? 6 : 4);
      return sum + Math.ceil((layer.weights * width) / 8) + scales;
    }, 0);
  }

  /** The SQNR of a layer: exact, or while dragging that of its sample, on top of the noise that the
   * earlier steps have made. Of factors only the core can tell. */
  noiseOf(index) {
    const exact = this.data.layers[index];
    if (!this.wish || !exact.moves) return { value: exact.sqnr_db, exact: true };
    const layer = this.layers[index];
    if (this.open || layer.factors > 1) return { value: exact.sqnr_db, open: true };
    const { bits, scheme, clipping, percentile } = this.now;
    const { values, low, high, weights, signal, prior } = layer;
    if (bits === this.constants.float) return { value: decibel(signal, prior), exact: false };
    const range = i => [low[i], high[i]];
    let share = 1;
    if (clipping === "mse") share = bestShare(values, range, bits, scheme, this.constants.clips);
    else if (clipping === "percentile") share = percentileShare(layer, percentile);
    const rounding = (noise(values, range, share, bits, scheme) * weights) / values.length;
    return { value: decibel(signal, prior + rounding), exact: false };
  }
}
