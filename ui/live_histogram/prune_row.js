// Prune: the bar of one layer.

import { draggable, make, percent, slider, whole, write } from "./controls.js";
import { _ } from "./texts.js";

/** One layer's bar beside the histogram: drag it, or click its name to draw that layer. */
export class LayerRow {
  constructor(layer, view) {
    this.layer = layer;
    this.view = view;
    this.name = make("button", { type: "button", class: "name" }, layer.name);
    this.name.title = _("Draw the weights of {layer}", { layer: layer.name });
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
    this.describe = slider(this.bar, _("Sparsity of {layer}", { layer: layer.name }), {
      range: () => this.range(),
      set: value => view.setLayer(layer, value / 100),
      release,
    });
  }

  range() {
    const value = Math.round(1000 * this.sparsity) / 10;
    const step = Math.max(0.1, 100 / this.layer.weights); // at least one weight
    return { min: 0, max: 100 * this.view.constants.most, value, step, big: 5, text: `${value} %` };
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
