// What several components tell in one tick, the browser sends together, as if all were of one
// fragment, and only that one runs. So each gets a turn of its own.
const APART_MS = 100;

/** Call `tell` as soon as nobody else has told anything for a while; returns the timer. */
function inTurn(tell) {
  const now = performance.now();
  const at = Math.max(now, (globalThis.lastTurn ?? 0) + APART_MS);
  globalThis.lastTurn = at;
  return setTimeout(tell, at - now);
}
