// The curves of a layer's profile: which share is pruned at a threshold, and what is left.

import { interpolate } from "./plot.js";

/** The knots of a layer at which its curves have a byte count: each `every`-th, or all of them. */
export const byteKnotsOf = ({ sparsities, byte_counts }, every) =>
  byte_counts.length === sparsities.length ? sparsities : sparsities.filter((_, i) => i % every === 0);

/** The largest |w| that falls at a sparsity of a layer, and the sparsity at a threshold. */
export const thresholdAt = (layer, sparsity) => interpolate(layer.sparsities, layer.magnitudes, sparsity);

export function sparsityAt(layer, threshold) {
  const count = interpolate(layer.magnitudes, layer.sparsities, threshold) * layer.weights;
  return Math.floor(count + 1e-6) / layer.weights; // whole weights fall
}

export const energyAt = (layer, sparsity) => 1 - interpolate(layer.sparsities, layer.energies, sparsity);

export const bytesAt = (layer, sparsity) => interpolate(layer.byteKnots, layer.byte_counts, sparsity);

/** Whole weights of a layer, at least one of them kept. */
export const fractionOf = (layer, sparsity) =>
  Math.min(Math.round(sparsity * layer.weights), layer.weights - 1) / layer.weights;

/** Of each row alike; a half goes to the even number, as on the server. */
export function fractionOfRows({ columns }, sparsity) {
  const wanted = sparsity * columns;
  const half = Math.abs(wanted - Math.floor(wanted) - 0.5) < 1e-12;
  const count = half ? 2 * Math.round(wanted / 2) : Math.round(wanted);
  return Math.min(count, columns - 1) / columns;
}

/** How many weights of each bin are pruned at a sparsity. */
export function fallenAt({ counts, fallen }, sparsity) {
  if (!fallen) return counts.map(count => count * sparsity);
  const bins = counts.length;
  const at = sparsity * (fallen.length / bins - 1);
  const low = Math.floor(Math.min(at, fallen.length / bins - 2));
  const mix = i => fallen[i] + (at - low) * (fallen[i + bins] - fallen[i]);
  return counts.map((_, i) => mix(low * bins + i));
}

/** The threshold that prunes the share `sparsity` of all these layers together. */
export function globalThreshold(layers, sparsity) {
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
