// Evenly spaced levels, as the core rounds to them: x ≈ scale · (q − zero_point).

/** q_min and q_max, as the core counts them. */
function codeRange(bits, scheme) {
  if (scheme === "asymmetric") return [0, 2 ** bits - 1];
  return bits === 1 ? [-1, 0] : [1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1];
}

/** Scale and zero point of a range, widened to hold zero: x ≈ scale · (q − zero_point). */
export function parameters(low, high, bits, scheme) {
  const [qMin, qMax] = codeRange(bits, scheme);
  const [a, b] = [Math.min(low, 0), Math.max(high, 0)];
  const width =
    scheme === "symmetric" ? Math.max(-a, b) / Math.max(qMax, -qMin) : (b - a) / (qMax - qMin);
  const scale = width > 1e-38 ? width : 1;
  const zero = scheme === "symmetric" ? 0 : Math.min(qMax, Math.max(qMin, Math.round(-a / scale)));
  return { scale, zero, qMin, qMax };
}

export function rounded(value, { scale, zero, qMin, qMax }) {
  const code = Math.min(qMax, Math.max(qMin, Math.round(value / scale) + zero));
  return (code - zero) * scale;
}

/** Σ(w − w′)² of values, each with the range low … high shrunk to `share` of it. */
export function noise(values, range, share, bits, scheme) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const [low, high] = range(i);
    const error = values[i] - rounded(values[i], parameters(low * share, high * share, bits, scheme));
    sum += error * error;
  }
  return sum;
}

export const energy = values => values.reduce((sum, value) => sum + value * value, 0);

export const decibel = (signal, error) => (error > 0 && signal > 0 ? 10 * Math.log10(signal / error) : null);

/** The share of the range with the least error, out of `shares`, the core's grid, widest first. */
export function bestShare(values, range, bits, scheme, shares) {
  let [best, least] = [1, Infinity];
  for (const share of shares) {
    const error = noise(values, range, share, bits, scheme);
    if (error < least) [best, least] = [share, error];
  }
  return best;
}

/** The value that the share `share` of ascending values do not exceed. */
export const quantileOf = (ascending, share) =>
  ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? 0;

/** How much of the full range the percentile of |w| is, over a sample with many ranges. */
export function percentileShare({ values, low, high }, percentile) {
  const shares = Array.from(values, (w, i) => Math.abs(w) / Math.max(-low[i], high[i], 1e-30));
  return quantileOf(shares.filter(share => share > 0).sort((a, b) => a - b), percentile / 100);
}
