// Factorize: drag the rank along the singular values.

import {
  count, draggable, everyFrame, isBusy, make, percent, readouts, slider, whole, write,
} from "./controls.js";
import { SmallPlane } from "./plane.js";
import { Plot, interpolate, niceTicks, themeColours } from "./plot.js";
import { _ } from "./texts.js";
import { WeightsRow } from "./weights_row.js";

const SPECTRUM = {
  channel: layer => _("Singular values of {layer}, as outputs × inputs", { layer }),
  spatial: layer => _("Singular values of {layer}, as kernel columns × kernel rows", { layer }),
  tucker: layer => _("Singular values of {layer}, along its outputs", { layer }),
};

export class Factorize {
  constructor(root, profiles, tell, constants) {
    this.constants = constants;
    this.layer = profiles.layers[0];
    this.full = this.layer.full;
    this.root = root;
    this.tell = tell;
    this.draw = everyFrame(root, () => this.drawNow());
    this.build();
  }

  build() {
    this.stage = make("div", { class: "stage" });
    this.grip = make("div", { class: "grip" });
    this.numbers = readouts([_("rank"), _("energy kept"), _("weights"), _("MACs")]);
    this.title = make("strong");
    this.legend = make("div", { class: "legend" },
      make("span", { class: "kept" }, _("kept")), make("span", { class: "pruned" }, _("dropped")),
      make("span", { class: "compressed" }, _("energy kept at rank r")));
    this.rows = make("div", { class: "rows" });
    this.plane = new SmallPlane(this.tell, this.draw);
    this.root.replaceChildren(
      make("div", { class: "split" },
        make("section", { class: "main" },
          make("header", {}, this.title, this.legend), this.stage, this.numbers.element),
        make("section", { class: "side" },
          make("header", {}, make("strong", {}, _("Weights kept in each layer")),
            make("small", {}, _("and its rank"))),
          this.rows, this.plane.element)));
    this.plot = new Plot(this.stage, () => this.draw());
    this.stage.append(this.grip);
    const release = () => this.wish && this.tell({ rank: this.wish });
    const set = rank => {
      this.wish = Math.max(1, Math.min(this.full, Math.round(rank)));
      this.draw();
    };
    const move = event => set(this.plot.toValue(event.clientX));
    const cancel = () => {
      this.wish = null;
      this.draw();
    };
    const within = event => this.plot.covers(event);
    draggable(this.stage, { move, release, cancel, within, focus: this.grip });
    this.describe = slider(this.grip, _("Rank"), {
      range: () => ({
        min: 1, max: this.full, value: this.rank, step: 1, big: Math.max(2, Math.round(this.full / 20)),
        text: _("rank {rank} of {full}", { rank: this.rank, full: this.full }),
      }),
      set,
      release,
    });
  }

  update(data) {
    this.data = data;
    if (!isBusy(this.root)) this.wish = null;
    this.plot.forget();
    write(this.title, SPECTRUM[data.form](this.layer.name));
    this.fillRows(data.layers);
    this.draw();
  }

  /** A row for each layer that can have factors; the drawn one moves with the wish. */
  fillRows(layers) {
    this.others = Object.entries(layers).map(([name, layer]) => {
      const row = new WeightsRow({ name, weights: layer.dense_weights });
      row.fill({ rank: layer.rank[0] ?? 0, weights: layer.weights }, "");
      row.element.classList.toggle("drawn", name === this.layer.name);
      return row;
    });
    this.rows.replaceChildren(...this.others.map(row => row.element));
  }

  get rank() {
    return this.wish ?? this.data.rank;
  }

  /** What the wish would do, or the exact numbers where there is none. */
  get shown() {
    const { data, layer, rank, full, wish } = this;
    const dense = { weights: data.dense_weights, macs: data.dense_macs };
    if (!wish) return { ...data, plain: data.inner === 0 };
    if (rank === full) return { inner: 0, energy: 1, ...dense, plain: true };
    const at = curve => interpolate(layer.ranks, curve, rank);
    return {
      inner: Math.ceil(at(layer.inner) - 1e-3), energy: at(layer.energies),
      weights: at(layer.counts), macs: at(layer.macs), plain: false,
    };
  }

  drawNow() {
    if (!this.data) return;
    const { plot, layer, rank, full } = this;
    const colours = themeColours(this.root, this.constants.roles);
    const key = [colours.kept, plot.width].join();
    if (key !== this.key) plot.forget();
    this.key = key;
    const top = Math.max(layer.values[0], 1e-30);
    const heights = Array.from({ length: full }, (_, i) =>
      interpolate(layer.ranks, layer.values, i + 1) / top);
    const yTicks = [0, 0.25, 0.5, 0.75, 1].map(at => ({ at, text: percent(at, 0) }));
    plot.setRange(0.5, full + 0.5);
    plot.clear();
    plot.axes(colours, { x: _("index i of the singular value"), y: _("σᵢ / σ₁ · energy"), yTicks,
      xTicks: rankTicks(full) });
    const gap = full < 80 ? 1 : 0;
    plot.stamp(plot.bars(heights, colours.kept, { gap }), 0.5, rank + 0.5);
    plot.stamp(plot.bars(heights, colours.pruned, { gap }), rank + 0.5, full + 0.5);
    plot.curve(Array.from(layer.ranks), Array.from(layer.energies), colours.compressed);
    this.drawBreakEven(colours);
    plot.mark(rank + 0.5, colours.text, { text: "" });
    this.grip.style.transform = `translateX(${plot.toPixel(rank + 0.5)}px)`;
    const shown = this.shown;
    this.fill(shown);
    this.plane.draw(colours, this.wish && this.whole(shown));
  }

  /** What the wish means for the whole network. */
  whole({ weights, macs }) {
    const own = this.data.layers[this.layer.name];
    const bytes = this.data.bytes + own.bytes * (weights / own.weights - 1);
    return { bytes, macs: `≈ ${count(this.data.all_macs + macs - this.data.macs)}` };
  }

  drawBreakEven(colours) {
    const { plot, full, data } = this;
    const at = data.break_even;
    const text = at ? _("break-even {at}: larger from here", { at }) : _("larger at any rank");
    plot.shade(at + 0.5, full + 0.5, colours.pruned);
    if (at < full) {
      plot.mark(at + 0.5, colours.pruned, { text, dash: [2, 3], width: 2, down: 0.3 });
    }
  }

  fill({ inner, energy, weights, macs, plain }) {
    const { rank, full, data } = this;
    const ranks = data.form === "tucker" ? `r_in ${inner}, r_out ${rank}` : `${rank}`;
    this.numbers.fill([
      plain ? _("{full}, not factorized", { full }) : _("{part} of {all}", { part: ranks, all: full }),
      data.aware ? _("{share} of outputs", { share: percent(energy) }) : percent(energy),
      _("{part} of {all}", { part: whole(weights), all: whole(data.dense_weights) }),
      _("{part} of {all}", { part: whole(macs), all: whole(data.dense_macs) }),
    ]);
    const cells = this.numbers.element.children;
    cells[2].classList.toggle("worse", weights > data.dense_weights);
    cells[3].classList.toggle("worse", macs > data.dense_macs);
    const row = this.others.find(({ layer }) => layer.name === this.layer.name);
    row?.fill({ rank: plain ? 0 : inner, weights }, this.wish ? "≈ " : "");
    this.root.dataset.value = rank;
    this.root.dataset.energy = energy;
    this.root.dataset.weights = weights;
    this.root.dataset.macs = macs;
    this.describe();
    if (!this.wish) this.plot.sayNumbers(this.title.textContent, this.numbers);
  }
}

function rankTicks(full) {
  if (full < 10) return Array.from({ length: full }, (_, i) => i + 1);
  return [1, ...niceTicks(1, full, 8)];
}
