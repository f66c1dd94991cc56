// The line of numbers over the page: estimates are laid over them while one drags, and the measured
// score is read from it. The server writes the line; an element that it renews has no estimate.

const cell = name => document.querySelector(`.strip [data-strip="${name}"]`);

/** Lay an estimate over each number that is named: {score: "≈ 98.1 %", bytes: …}. */
export function showEstimates(texts) {
  for (const [name, text] of Object.entries(texts)) {
    const found = text && cell(name);
    if (!found) continue;
    found.dataset.estimate = "";
    found.querySelector(".what").dataset.text = text;
  }
}

/** Take the estimates away from the numbers of this state; the others wait for theirs. */
export function clearEstimates(of) {
  for (const found of document.querySelectorAll(".strip [data-estimate]")) {
    if (found.dataset.of === of) delete found.dataset.estimate;
  }
}

/** The measured score of a state, {value, low, high, n}; null where it is not there (yet). */
export function measuredScore(of) {
  const found = cell("score");
  if (found?.dataset.of !== of || !found.dataset.values) return null;
  const [value, low, high, n] = found.dataset.values.split(" ").map(Number);
  return { value, low, high, n };
}

/** Call `changed` whenever the server has written numbers; returns how to stop it. */
export function watchStrip(changed) {
  const line = document.querySelector(".st-key-strip");
  const observer = new MutationObserver(changed);
  if (line) observer.observe(line, { childList: true, subtree: true });
  return () => observer.disconnect();
}
