// Quantize: the noise of one layer.

import { make, write } from "./controls.js";
import { _ } from "./texts.js";

export const OPEN = "…"; // what the browser cannot foresee

/** One layer's signal-to-noise ratio as a bar. */
export class NoiseRow {
  constructor(layer) {
    this.bar = make("div", { class: "fill" });
    this.number = make("span", { class: "number" });
    this.element = make("div", { class: "row plain" }, make("span", { class: "name" }, layer.name),
      make("div", { class: "track", "aria-hidden": "true" }, this.bar), this.number);
  }

  fill({ value, exact, open }, most) {
    this.bar.style.transform = `scaleX(${Math.max(0, Math.min(1, (value ?? 0) / most))})`;
    const text = value === null ? _("exact") : `${exact ? "" : "≈ "}${value.toFixed(1)}`;
    write(this.number, open ? OPEN : text);
  }
}
