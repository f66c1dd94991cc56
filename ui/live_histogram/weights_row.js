// Factorize: the weights that one layer keeps.

import { make, percent, write } from "./controls.js";
import { _ } from "./texts.js";

/** One layer: the share of its weights that its factors have, and the rank. */
export class WeightsRow {
  constructor(layer) {
    this.layer = layer;
    this.bar = make("div", { class: "fill keeps" });
    this.number = make("span", { class: "number" });
    this.rank = make("small");
    this.element = make("div", { class: "row" }, make("span", { class: "name" }, layer.name),
      make("div", { class: "track still", "aria-hidden": "true" }, this.bar), this.number, this.rank);
  }

  fill({ rank, weights }, about) {
    const share = weights / this.layer.weights;
    this.bar.style.transform = `scaleX(${Math.min(1, share)})`;
    this.bar.classList.toggle("over", share > 1);
    write(this.number, about + percent(share, 0));
    write(this.rank, rank ? _("rank {rank}", { rank: Math.round(rank) }) : _("whole"));
  }
}
