// What one drags: pointer, keyboard and ARIA of a slider, and one drawing per animation frame.

import { _ } from "./texts.js";

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

/** Mark the component's root while a drag or a key is in progress: answers must not undo it. */
function setBusy(element, busy) {
  element.closest(".live")?.toggleAttribute("data-busy", busy);
}

export const isBusy = root => root.hasAttribute("data-busy");

/**
 * Let a pointer drag on `element`: `move(event)` while it is down, `release()` when it lets go,
 * `cancel()` on Escape. `within(event)` says whether a press there moves at once; on a grip it
 * waits for the pointer to move. `focus` is the slider that the arrow keys move from then on.
 */
export function draggable(element, { move, release, cancel, within, focus = element }) {
  let pointer = null;
  let moved = false;
  const end = () => {
    pointer = null;
    setBusy(element, false);
    window.removeEventListener("keydown", escape);
  };
  const escape = event => {
    if (event.key !== "Escape") return;
    end();
    cancel();
  };
  element.onpointerdown = event => {
    const grip = event.target.closest(".grip");
    if (event.button !== 0 || pointer !== null || (within && !grip && !within(event))) return;
    pointer = event.pointerId;
    moved = !grip;
    element.setPointerCapture(pointer);
    focus.focus({ preventScroll: true });
    setBusy(element, true);
    window.addEventListener("keydown", escape);
    if (moved) move(event);
    event.preventDefault(); // no text selection
  };
  element.onpointermove = event => {
    if (event.pointerId !== pointer) return;
    moved = true;
    move(event);
  };
  const stop = event => {
    if (event.pointerId !== pointer) return;
    end();
    if (moved) release();
  };
  element.onpointerup = stop;
  element.onpointercancel = event => {
    if (event.pointerId !== pointer) return;
    end(); // the browser scrolls instead
    cancel();
  };
}

/**
 * Make `element` an ARIA slider that the keyboard moves.
 * `range()` gives {min, max, value, step, big, text}; `set(value)` moves it, `release()` tells.
 */
export function slider(element, label, { range, set, release }) {
  let timer = 0;
  element.tabIndex = 0;
  element.setAttribute("aria-label", label);
  const tell = () => {
    if (!timer) return;
    clearTimeout(timer);
    timer = 0;
    setBusy(element, false);
    release();
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
    setBusy(element, true);
    clearTimeout(timer);
    timer = setTimeout(tell, QUIET_MS);
  };
  element.onblur = tell;
  return () => {
    const { min, max, value, text } = range();
    element.setAttribute("role", "slider"); // no slider is without a value
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

/** A row of read-outs, label over number; returns the element, a function that fills them, and one
 * that says them in a line. */
export function readouts(names) {
  const cells = names.map(name => make("dd", {}, "–"));
  const items = names.map((name, i) => make("div", {}, make("dt", {}, name), cells[i]));
  return {
    element: make("dl", { class: "readouts" }, ...items),
    fill: texts => texts.forEach((text, i) => write(cells[i], text)),
    said: () => names.map((name, i) => `${name} ${cells[i].textContent}`).join(_(", ")),
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

/** A button that switches counts between a logarithmic and a linear scale. */
export function scaleSwitch(toggle) {
  const button = make("button", { type: "button", class: "chip" });
  button.title = _("Counts on a logarithmic or a linear scale");
  button.onclick = toggle;
  return { element: button, show: logarithmic => write(button, logarithmic ? _("log") : _("linear")) };
}

export const percent = (fraction, digits = 1) => `${(100 * fraction).toFixed(digits)} %`;

/** Decimal units, as files are sold: 41.2 KB is 41,200 bytes. */
export function byteSize(count) {
  if (count < 1000) return `${Math.round(count)} B`;
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} GB`;
  return count < 1e6 ? `${(count / 1000).toFixed(1)} KB` : `${(count / 1e6).toFixed(2)} MB`;
}

export const whole = count => Math.round(count).toLocaleString("en-US");

/** 2,293,000 as 2.29 M, as the line over the page says it. */
export function count(number) {
  if (number < 10000) return whole(number);
  return number < 1e6 ? `${(number / 1e3).toFixed(1)} K` : `${(number / 1e6).toFixed(2)} M`;
}
