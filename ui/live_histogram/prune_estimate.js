// Prune: what a wish would do, by the curves of the profiles, until the server has the exact numbers.

import {
  bytesAt, energyAt, fractionOf, fractionOfRows, globalThreshold, sparsityAt, thresholdAt,
} from "./prune_curves.js";

export class Estimate {
  constructor(view, wish) {
    this.view = view;
    this.wish = wish;
  }

  /** Whether the wish is about this layer. */
  concerns(layer) {
    return this.wish.layer ? this.wish.layer === layer.name : this.view.moving.includes(layer);
  }

  /** Where the threshold line of the drawn layer stands. */
  get line() {
    const { mixed, drawn, layers, data } = this.view;
    if (mixed) return 0;
    if (!this.concerns(drawn)) return thresholdAt(drawn, data.layers[layers.indexOf(drawn)].sparsity);
    if (this.wish.threshold !== undefined) return this.wish.threshold;
    if (this.wish.layer || data.scope !== "global") {
      return thresholdAt(drawn, fractionOf(drawn, this.wish.sparsity));
    }
    return this.common;
  }

  /** The one threshold of all moving layers, found once. */
  get common() {
    this.found ??= globalThreshold(this.view.moving, this.wish.sparsity);
    return this.found;
  }

  /** A layer's row, from its last exact one. */
  of(layer, exact) {
    if (!this.concerns(layer)) return exact;
    const sparsity = this.sparsityOf(layer);
    const energy = this.view.data.method === "random" ? 1 - sparsity : energyAt(layer, sparsity);
    // the curve counts without what the file knows better: take that from the last exact number
    const ratio = exact.bytes / bytesAt(layer, exact.sparsity);
    return { ...exact, sparsity, energy, bytes: bytesAt(layer, sparsity) * ratio };
  }

  sparsityOf(layer) {
    const { sparsity, threshold, layer: alone } = this.wish;
    if (threshold !== undefined) return sparsityAt(layer, threshold);
    if (layer.columns) return fractionOfRows(layer, sparsity);
    const each = alone || this.view.data.scope !== "global";
    return each ? fractionOf(layer, sparsity) : sparsityAt(layer, this.common);
  }
}
