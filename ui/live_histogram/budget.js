// Budget: drag the share of all weights that may stay; every layer gets its rank from it.

import { chips, draggable, everyFrame, isBusy, make, percent, readouts, slider, whole } from "./controls.js";
import { SmallPlane } from "./plane.js";
import { Plot, interpolate, themeColours } from "./plot.js";
import { _ } from "./texts.js";
import { WeightsRow } from "./weights_row.js";

export class Budget {
  constructor(root, profiles, tell, constants) {
    this.constants = constants;
    this.layers = profiles.layers;
    this.total = this.layers.reduce((sum, layer) => sum + layer.weights, 0);
    const { budgets } = this.layers[0];
    this.least = budgets[0];
    this.shares = Array.from(budgets, (_, i) =>
      this.layers.reduce((sum, layer) => sum + layer.counts[i], 0) / this.total);
    this.means = Array.from(budgets, (_, i) =>
      this.layers.reduce((sum, layer) => sum + layer.energies[i], 0) / this.layers.length);
    this.root = root;
    this.tell = tell;
    this.draw = everyFrame(root, () => this.drawNow());
    this.build();
  }

  build() {
    this.stage = make("div", { class: "stage" });
    this.grip = make("div", { class: "grip" });
    this.numbers = readouts([_("weights kept"), _("mean energy kept"), _("weights")]);
    const snaps = this.constants.snaps.filter(snap => snap >= this.least);
    this.chips = chips(_("Budget"), snaps, value => `${Math.round(100 * value)} %`, value => {
      this.set(value);
      this.release();
    });
    this.rows = this.layers.map(layer => new WeightsRow(layer));
    this.others = make("div", { class: "others" });
    this.plane = new SmallPlane(this.tell, this.draw);
    this.root.replaceChildren(
      make("div", { class: "split" },
        make("section", { class: "main" },
          make("header", {}, make("strong", {}, _("Energy that a budget keeps")),
            make("div", { class: "legend" },
              make("span", { class: "compressed" }, _("mean of the layers")),
              make("span", { class: "original" }, _("each layer")))),
          this.stage, this.numbers.element,
          make("div", { class: "bar" }, make("span", {}, _("budget")), this.chips.element)),
        make("section", { class: "side" },
          make("header", {}, make("strong", {}, _("Weights kept in each layer")),
            make("small", {}, _("and its rank"))),
          make("div", { class: "rows" }, ...this.rows.map(row => row.element), this.others),
          this.plane.element)));
    this.plot = new Plot(this.stage, () => this.draw());
    this.stage.append(this.grip);
    const release = () => this.release();
    draggable(this.stage, {
      move: event => this.set(this.plot.toValue(event.clientX)),
      release,
      cancel: () => {
        this.wish = null;
        this.draw();
      },
      within: event => this.plot.covers(event),
      focus: this.grip,
    });
    this.describe = slider(this.grip, _("Budget"), {
      range: () => ({
        min: 100 * this.least, max: 100, value: 100 * this.budget, step: 0.5, big: 5,
        text: _("{share} of the weights", { share: percent(this.budget) }),
      }),
      set: value => this.set(value / 100),
      release,
    });
  }

  set(budget) {
    this.wish = Math.max(this.least, Math.min(1, Math.round(1000 * budget) / 1000));
    this.draw();
  }

  release() {
    if (this.wish) this.tell({ budget: this.wish });
  }

  update(data) {
    this.data = data;
    if (!isBusy(this.root)) this.wish = null;
    this.others.replaceChildren(...this.exceptions());
    this.draw();
  }

  /** The rows of the layers that have a step of their own: no budget moves them. */
  exceptions() {
    const names = Object.keys(this.data.layers).filter(name => !this.layers.some(l => l.name === name));
    return names.map(name => {
      const row = new WeightsRow({ name, weights: this.data.layers[name].dense_weights });
      row.fill({ rank: 0, ...this.exact(name) }, "");
      return row.element;
    });
  }

  get budget() {
    return this.wish ?? this.data.budget;
  }

  /** What the budget would leave of a layer: that of the knot below, which is sure to fit. */
  estimate(layer) {
    let knot = 0;
    while (knot + 1 < layer.budgets.length && layer.budgets[knot + 1] <= this.wish + 1e-6) knot += 1;
    return { rank: layer.ranks[knot], weights: layer.counts[knot] };
  }

  /** Each layer's rank and weights, and of all together the share and the mean energy. */
  get shown() {
    if (!this.wish) {
      const rows = this.layers.map(({ name }) => ({ rank: 0, ...this.exact(name) }));
      return { rows, share: this.data.budget, energy: this.data.energy };
    }
    const rows = this.layers.map(layer => this.estimate(layer));
    const energy = interpolate(this.layers[0].budgets, this.means, this.wish);
    return { rows, share: this.wish, energy };
  }

  exact(name) {
    const { rank, weights } = this.data.layers[name];
    return { rank: rank[0] ?? 0, weights };
  }

  drawNow() {
    if (!this.data) return;
    const colours = themeColours(this.root, this.constants.roles);
    const { plot, shown } = this;
    const ticks = [0, 0.25, 0.5, 0.75, 1];
    plot.setRange(0, Math.max(1, this.data.budget) * 1.02);
    plot.clear();
    plot.axes(colours, {
      x: _("share of the weights that is kept"), y: _("energy kept"),
      yTicks: ticks.map(at => ({ at, text: percent(at, 0) })),
      xTicks: ticks,
    });
    const budgets = Array.from(this.layers[0].budgets);
    plot.context.globalAlpha = 0.45;
    for (const layer of this.layers) plot.curve(budgets, Array.from(layer.energies), colours.original);
    plot.context.globalAlpha = 1;
    plot.curve(this.shares, this.means, colours.compressed);
    plot.mark(shown.share, colours.text, { text: "" });
    this.grip.style.transform = `translateX(${plot.toPixel(shown.share)}px)`;
    this.fill(shown);
    this.plane.draw(colours, this.wish && { bytes: this.bytes(shown.rows), macs: "…" });
  }

  /** Of the whole file: each layer's bytes go with its weights. */
  bytes(rows) {
    return this.layers.reduce((sum, { name }, i) => {
      const { weights, bytes } = this.data.layers[name];
      return sum + bytes * (rows[i].weights / weights - 1);
    }, this.data.bytes);
  }

  fill({ rows, share, energy }) {
    const about = this.wish ? "≈ " : "";
    const kept = this.wish ? share * this.total : rows.reduce((sum, row) => sum + row.weights, 0);
    this.numbers.fill([
      (this.wish ? "≤ " : "") + percent(share), about + percent(energy),
      (this.wish ? "≤ " : "") + _("{part} of {all}", { part: whole(kept), all: whole(this.total) }),
    ]);
    this.numbers.element.children[2].classList.toggle("worse", kept > this.total);
    this.rows.forEach((row, i) => row.fill(rows[i], about));
    this.chips.mark(this.constants.snaps.find(snap => Math.abs(snap - (this.wish ?? share)) < 5e-4));
    this.root.dataset.value = share;
    this.root.dataset.energy = energy;
    this.describe();
    if (!this.wish) this.plot.sayNumbers(_("Energy that a budget keeps"), this.numbers);
  }
}
