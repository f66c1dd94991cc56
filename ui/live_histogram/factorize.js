// Factorize: drag the rank along the singular values.

import { draggable, everyFrame, make, percent, readouts, slider, whole, write } from "./controls.js";
import { Plot, interpolate, niceTicks, themeColours } from "./plot.js";

export class Factorize {
  constructor(root, profiles, tell) {
    this.layer = profiles.layers[0];
    this.full = Math.min(this.layer.rows, this.layer.columns);
    this.root = root;
    this.tell = tell;
    this.draw = everyFrame(root, () => this.drawNow());
    this.build();
  }

  build() {
    this.stage = make("div", { class: "stage tall" });
    this.grip = make("div", { class: "grip" });
    this.numbers = readouts(["rank r", "energy kept", "weights", "MACs"]);
    this.title = make("strong", {}, `Singular values of ${this.layer.name}`);
    this.legend = make("div", { class: "legend" },
      make("span", { class: "kept" }, "kept"), make("span", { class: "pruned" }, "dropped"),
      make("span", { class: "compressed" }, "energy of the first r"));
    this.root.replaceChildren(
      make("section", { class: "main" },
        make("header", {}, this.title, this.legend), this.stage, this.numbers.element));
    this.plot = new Plot(this.stage, () => this.draw());
    this.stage.append(this.grip);
    const release = () => this.wish && this.tell({ rank: this.wish });
    const set = rank => {
      this.wish = Math.max(1, Math.min(this.full, Math.round(rank)));
      this.draw();
    };
    const move = event => set(this.plot.toValue(event.clientX));
    draggable(this.stage, { move, release, focus: this.grip });
    this.describe = slider(this.grip, "Rank", {
      range: () => ({
        min: 1, max: this.full, value: this.rank, step: 1, big: Math.max(2, Math.round(this.full / 20)),
        text: `rank ${this.rank} of ${this.full}`,
      }),
      set,
      release,
    });
  }

  update(data) {
    this.data = data;
    this.wish = null;
    this.plot.forget();
    this.draw();
  }

  get rank() {
    return this.wish ?? this.data.rank;
  }

  drawNow() {
    if (!this.data) return;
    const { plot, layer, rank, full } = this;
    const colours = themeColours(this.root);
    const key = [colours.kept, plot.width].join();
    if (key !== this.key) plot.forget();
    this.key = key;
    const top = Math.max(layer.values[0], 1e-30);
    const heights = Array.from({ length: full }, (_, i) =>
      interpolate(layer.ranks, layer.values, i + 1) / top);
    const yTicks = [0, 0.25, 0.5, 0.75, 1].map(at => ({ at, text: percent(at, 0) }));
    plot.setRange(0.5, full + 0.5);
    plot.clear();
    plot.axes(colours, { x: "index i of the singular value", y: "σᵢ / σ₁ · energy", yTicks,
      xTicks: rankTicks(full) });
    const gap = full < 80 ? 1 : 0;
    plot.stamp(plot.bars(heights, colours.kept, { gap }), 0.5, rank + 0.5);
    plot.stamp(plot.bars(heights, colours.pruned, { gap }), rank + 0.5, full + 0.5);
    plot.curve(Array.from(layer.ranks), Array.from(layer.energies), colours.compressed);
    plot.shade(this.data.break_even + 0.5, full + 0.5, colours.pruned);
    plot.mark(this.data.break_even + 0.5, colours.pruned, {
      text: `break-even ${this.data.break_even}: larger from here`, dash: [2, 3], width: 2, down: 0.3,
    });
    plot.mark(rank + 0.5, colours.text, { text: "" });
    this.grip.style.transform = `translateX(${plot.toPixel(rank + 0.5)}px)`;
    this.fill();
  }

  fill() {
    const { layer, rank, full, data } = this;
    const dense = layer.rows * layer.columns;
    const weights = rank < full ? rank * (layer.rows + layer.columns) : dense;
    const macs = (data.macs / dense) * weights; // each weight is used at as many positions
    const energy = interpolate(layer.ranks, layer.energies, rank);
    this.numbers.fill([
      rank < full ? `${rank} of ${full}` : `${full}, not factorized`,
      percent(energy),
      `${whole(weights)} of ${whole(dense)}`,
      `${whole(macs)} of ${whole(data.macs)}`,
    ]);
    this.numbers.element.children[2].classList.toggle("worse", weights > dense);
    this.root.dataset.value = rank;
    this.root.dataset.energy = energy;
    this.root.dataset.weights = weights;
    this.describe();
  }
}

function rankTicks(full) {
  if (full < 10) return Array.from({ length: full }, (_, i) => i + 1);
  return [1, ...niceTicks(1, full, 8)];
}
