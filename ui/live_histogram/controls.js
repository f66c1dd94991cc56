// What one drags: pointer, keyboard and ARIA of a slider, and one drawing per animation frame.

const QUIET_MS = 350; // after the last key press, before the server is told

/** A function that asks for `draw` in the next animation frame, once however often it is called,
 * and not at all where `root` has left the page by then. */
export function everyFrame(root, draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (root.isConnected) draw();
    });
  };
}

/** Let a pointer drag on `element`: `move(event)` while it is down, `release()` when it lets go.
 * `focus` is the slider that the arrow keys move from then on. */
export function draggable(element, { move, release, focus = element }) {
  let pointer = null;
  element.onpointerdown = event => {
    if (event.button !== 0 || pointer !== null) return;
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
    focus.focus({ preventScroll: true });
    move(event);
    event.preventDefault(); // no text selection
  };
  element.onpointermove = event => {
    if (event.pointerId === pointer) move(event);
  };
  const stop = event => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    release();
  };
  element.onpointerup = stop;
  element.onpointercancel = stop;
}

/**
 * Make `element` an ARIA slider that the keyboard moves.
 * `range()` gives {min, max, value, step, big, text}; `set(value)` moves it, `release()` tells.
 */
export function slider(element, label, { range, set, release }) {
  let timer = 0;
  element.tabIndex = 0;
  element.setAttribute("role", "slider");
  element.setAttribute("aria-label", label);
  const tell = () => {
    clearTimeout(timer);
    if (timer) release();
    timer = 0;
  };
  element.onkeydown = event => {
    const { min, max, value, step, big } = range();
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    let next;
    if (by) next = value + by * (event.shiftKey ? big : step);
    else if (event.key === "PageUp") next = value + big;
    else if (event.key === "PageDown") next = value - big;
    else if (event.key === "Home") next = min;
    else if (event.key === "End") next = max;
    else return;
    event.preventDefault();
    set(Math.min(max, Math.max(min, next)));
    clearTimeout(timer);
    timer = setTimeout(tell, QUIET_MS);
  };
  element.onblur = tell;
  return () => {
    const { min, max, value, text } = range();
    element.setAttribute("aria-valuemin", min);
    element.setAttribute("aria-valuemax", max);
    element.setAttribute("aria-valuenow", value);
    element.setAttribute("aria-valuetext", text);
  };
}

/** An element with a class, attributes and children (elements or text). */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Write text only where it differs: an unchanged node costs no layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A row of read-outs, label over number; returns the element and a function that fills them. */
export function readouts(names) {
  const cells = names.map(name => make("dd", {}, "–"));
  const items = names.map((name, i) => make("div", {}, make("dt", {}, name), cells[i]));
  return {
    element: make("dl", { class: "readouts" }, ...items),
    fill: texts => texts.forEach((text, i) => write(cells[i], text)),
  };
}

/** Buttons that jump to a value; the chosen one is marked. */
export function chips(label, values, text, choose) {
  const buttons = values.map(value => {
    const button = make("button", { type: "button", class: "chip" }, text(value));
    button.onclick = () => choose(value);
    return button;
  });
  return {
    element: make("div", { class: "chips", role: "group", "aria-label": label }, ...buttons),
    mark: chosen =>
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", values[i] === chosen)),
  };
}

export const percent = (fraction, digits = 1) => `${(100 * fraction).toFixed(digits)} %`;

/** Decimal units, as files are sold: 41.2 KB is 41,200 bytes. */
export function byteSize(count) {
  if (count < 1000) return `${Math.round(count)} B`;
  return count < 1e6 ? `${(count / 1000).toFixed(1)} KB` : `${(count / 1e6).toFixed(2)} MB`;
}

export const whole = count => Math.round(count).toLocaleString("en-US");
