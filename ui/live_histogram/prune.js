// Prune: drag a threshold line, the sparsity, or the bar of one layer.
//
// By magnitude, a line separates kept from pruned weights. By other methods they are mixed, and there
// is no line; a profile then tells how many of each bin are pruned. N:M has nothing to drag.

import {
  byteSize, chips, draggable, everyFrame, isBusy, make, percent, readouts, scaleSwitch, slider, write,
} from "./controls.js";
import { SmallPlane } from "./plane.js";
import { Plot, countScale, themeColours } from "./plot.js";
import { byteKnotsOf, fallenAt, globalThreshold, sparsityAt } from "./prune_curves.js";
import { Estimate } from "./prune_estimate.js";
import { LayerRow } from "./prune_row.js";
import { _ } from "./texts.js";

export class Prune {
  constructor(root, profiles, tell, constants) {
    this.layers = profiles.layers;
    this.constants = constants;
    for (const layer of this.layers) layer.byteKnots = byteKnotsOf(layer, constants.bytes_every);
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
    this.numbers = readouts([_("threshold t"), _("sparsity"), _("energy kept"), this.constants.bytes_of]);
    this.chips = chips(_("Sparsity"), this.constants.snaps, value => `${100 * value} %`,
      value => this.jump(value));
    this.legend = make("div", { class: "legend" },
      make("span", { class: "kept" }, _("kept")), make("span", { class: "pruned" }, _("pruned")));
    this.scale = scaleSwitch(() => this.toggleScale());
    this.title = make("strong");
    this.hint = make("small");
    this.plane = new SmallPlane(this.tell, this.draw);
    this.root.replaceChildren(
      make("div", { class: "split" },
        make("section", { class: "main" },
          make("header", {}, this.title, this.legend, this.scale.element),
          this.stage, this.numbers.element,
          make("div", { class: "bar" }, make("span", {}, _("sparsity")), this.track, this.chips.element)),
        make("section", { class: "side" },
          make("header", {}, make("strong", {}, _("Sparsity of each layer")),
            this.hint),
          make("div", { class: "rows" }, ...this.rows.map(row => row.element)),
          this.plane.element)));
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
    this.describeGrip = slider(this.plus, _("Threshold"), { ...keys, range: () => this.gripRange() });
    this.describeTrack = slider(this.track, _("Sparsity"), keys);
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
    const text = _("{value} % of the weights pruned", { value });
    const weights = this.moving.reduce((sum, layer) => sum + layer.weights, 0);
    const step = Math.max(0.1, 100 / Math.max(1, weights)); // at least one weight
    return { min: 0, max: 100 * this.constants.most, value, step, big: 5, text };
  }

  /** The grip moves by the sparsity, too: a step of magnitude would mean another share each time. */
  gripRange() {
    const text = _("threshold {value}", { value: this.shown.threshold.toPrecision(3) });
    return { ...this.sparsityRange(), text };
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
    write(this.hint, this.fixed ? _("as the pattern leaves it") : _("drag any"));
    write(this.title, _("Weights of {layer}", { layer: data.layer }));
    this.draw();
  }

  /** The layers that the page's control moves. */
  get moving() {
    return this.layers.filter((layer, i) => this.data.layers[i].moves);
  }

  /** Whether no line separates the kept from the pruned weights of the drawn layer. */
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
    const kept = Math.max(0, Math.min(this.constants.most, Math.round(1000 * sparsity) / 1000));
    if (this.data.by === "threshold" && this.data.method === "magnitude") {
      this.ask({ threshold: globalThreshold(this.moving, kept) });
    } else this.ask({ sparsity: kept });
  }

  /** One layer alone, by its bar. */
  setLayer(layer, sparsity) {
    if (this.fixed) return;
    const kept = Math.max(0, Math.min(this.constants.most, Math.round(1000 * sparsity) / 1000));
    this.ask({ sparsity: kept, layer: layer.name });
  }

  jump(sparsity) {
    this.setSparsity(sparsity);
    this.release();
  }

  ask(wish) {
    this.wish = wish;
    this.estimate = new Estimate(this, wish);
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
    const made = this.layers.map((layer, i) => this.estimate.of(layer, rows[i]));
    const bytes = made.reduce((sum, row) => sum + row.bytes, this.data.rest_bytes);
    const drawn = made[this.layers.indexOf(this.drawn)];
    const counted = this.layers
      .map((layer, i) => [layer, made[i]])
      .filter(([layer]) => this.estimate.concerns(layer));
    const total = counted.reduce((sum, [layer]) => sum + layer.weights, 0);
    const fallen = counted.reduce((sum, [layer, row]) => sum + row.sparsity * layer.weights, 0);
    return {
      rows: made,
      sparsity: this.wish.sparsity ?? fallen / total,
      threshold: this.estimate.line,
      energy: drawn.energy,
      bytes,
      exact: false,
    };
  }

  /** What the wish means for the whole network. */
  whole({ rows, bytes }) {
    const total = this.layers.reduce((sum, layer) => sum + layer.weights, 0);
    const zeros = this.layers.reduce((sum, layer, i) => sum + rows[i].sparsity * layer.weights, 0);
    const share = zeros / total; // later steps may make more zeros: nobody foresees them here
    return { bytes, at: share, sparsity: this.data.zeros_follow ? share : null };
  }

  drawNow() {
    if (!this.data) return;
    const colours = themeColours(this.root, this.constants.roles);
    const { counts, limit } = this.drawn;
    const key = [this.drawn.name, this.logarithmic, colours.kept, this.plot.width].join();
    if (key !== this.key) this.plot.forget();
    this.key = key;
    const shown = this.shown;
    const scale = countScale(counts, this.logarithmic);
    this.plot.setRange(-limit, limit);
    this.plot.clear();
    this.plot.axes(colours, { x: _("weight w"), y: _("weights per bin"), yTicks: scale.ticks });
    this.drawBars(shown, scale.heights, colours);
    this.scale.show(this.logarithmic);
    this.fill(shown);
    this.plane.draw(colours, shown.exact ? null : this.whole(shown));
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
    const [left, right] = t > 0 ? ["−t", "+t"] : ["", _("drag")];
    plot.mark(t, colours.text, { text: right, dash: [4, 3] });
    plot.mark(-t, colours.text, { text: left, dash: [4, 3], side: "left" });
    this.plus.style.transform = `translateX(${plot.toPixel(t)}px)`;
    this.minus.style.transform = `translateX(${plot.toPixel(-t)}px)`;
  }

  /** What is left of each bin of the drawn layer, exact where no wish is about it. */
  keptCounts(sparsity) {
    if (!this.wish || !this.estimate.concerns(this.drawn)) return this.data.kept;
    const { counts } = this.drawn;
    return fallenAt(this.drawn, sparsity).map((fallen, i) => Math.max(0, counts[i] - fallen));
  }

  fill(shown) {
    const about = shown.exact ? "" : "≈ ";
    const t = this.mixed ? _("none") : shown.threshold.toFixed(4);
    const sparsity = percent(shown.sparsity);
    this.numbers.fill([t, sparsity, percent(shown.energy), about + byteSize(shown.bytes)]);
    this.track.firstChild.style.transform = `scaleX(${shown.sparsity})`;
    this.chips.mark(this.constants.snaps.find(snap => Math.abs(snap - shown.sparsity) < 5e-4));
    this.rows.forEach((row, i) => row.fill(shown.rows[i], row.layer === this.drawn));
    this.root.dataset.value = shown.threshold;
    this.root.dataset.sparsity = shown.sparsity;
    this.describeGrip();
    this.describeTrack();
    if (shown.exact) this.plot.sayNumbers(this.title.textContent, this.numbers);
  }
}
