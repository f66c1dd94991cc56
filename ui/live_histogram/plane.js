// The small plane: the measured curve of the method at hand, score against bytes of real files, and
// on it the own point: hollow where it is estimated, filled where it was measured, its trail faint.

import { byteSize, make, whole } from "./controls.js";
import { MARGIN, Plot, interpolate, niceTicks } from "./plot.js";
import { clearEstimates, measuredScore, showEstimates, watchStrip } from "./strip.js";
import { _ } from "./texts.js";

/** A share as an estimate; null where it is not known, nothing where it does not change. */
const shareText = value =>
  value === undefined ? undefined : value === null ? "…" : `≈ ${(100 * value).toFixed(1)} %`;

const LONGEST_TRAIL = 12;
const DEEPEST = 0.12; // how far below the best point the picture begins, unless the own one is lower
const trails = new Map(); // model → the measured places of the own point, the latest last

export class SmallPlane {
  /** `redraw` draws the page's picture, and with it this one. */
  constructor(tell, redraw) {
    this.tell = tell;
    this.stage = make("div", { class: "plane" });
    this.title = make("strong");
    this.note = make("small");
    this.says = make("p", { class: "says", role: "status" });
    this.element = make("div", {}, make("header", {}, this.title, this.note), this.stage, this.says);
    this.plot = new Plot(this.stage, redraw, { ...MARGIN, left: 64 });
    this.buttons = [];
    this.stop = watchStrip(redraw);
  }

  close() {
    this.stop();
    this.plot.observer.disconnect();
  }

  update(data) {
    const before = this.data;
    this.data = data;
    this.title.textContent = _("{metric} against bytes", { metric: data.metric });
    clearEstimates(data.of);
    if (JSON.stringify(before?.points) !== JSON.stringify(data.points)) this.place();
  }

  /** A button on each measured point: a click applies its recipe; arrow keys go along the curve. */
  place() {
    for (const { button } of this.buttons) button.remove();
    this.buttons = this.data.points.map((point, i) => {
      const button = make("button", { type: "button", class: "point", tabindex: i ? "-1" : "0" });
      button.title = _("{recipe}: {score} at {size}. Click to apply.", {
        recipe: point.words, score: this.text(point.value), size: byteSize(point.bytes),
      });
      button.setAttribute("aria-label", button.title);
      button.onclick = () => this.tell({ recipe: point.id });
      button.onkeydown = event => this.walk(event, i);
      this.stage.append(button);
      return { button, point };
    });
  }

  walk(event, i) {
    const by = { ArrowRight: -1, ArrowLeft: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    const next = by && this.buttons[i + by];
    if (!next) return;
    event.preventDefault();
    for (const { button } of this.buttons) button.tabIndex = button === next.button ? 0 : -1;
    next.button.focus();
  }

  text(value) {
    return this.data.is_share ? `${(100 * value).toFixed(2)} %` : value.toPrecision(4);
  }

  /** What a wish comes to: as far from what was measured as the curve says; null: not known. */
  estimate(wish) {
    const { at, bytes, best, worst } = this.data;
    const bytesThere = wish.bytes ?? this.along("at", "bytes", at, wish.at, bytes);
    const own = measuredScore(this.data.of);
    if (!own) return { bytes: bytesThere, value: null };
    const value = wish.at === undefined || at === null
      ? this.along("bytes", "value", bytes, wish.bytes, own.value)
      : this.along("at", "value", at, wish.at, own.value);
    return { bytes: bytesThere, value: value && Math.max(worst, Math.min(best, value)) };
  }

  /** From `start`, what the curve's `y` changes between two places of its `x`; null beyond it. */
  along(x, y, from, to, start) {
    const known = this.data.points.filter(point => point[x] !== null);
    if (known.length < 2 || from === null || to === undefined) return null;
    const sorted = known.toSorted((a, b) => a[x] - b[x]);
    if (to < 0.99 * sorted[0][x] || to > 1.01 * sorted.at(-1)[x]) return null;
    const curve = place => interpolate(sorted.map(p => p[x]), sorted.map(p => p[y]), place);
    return start + curve(to) - curve(from);
  }

  /** Draw it; `wish` is what is dragged: {at, bytes, sparsity, macs}, or null. */
  draw(colours, wish) {
    if (!this.data) return;
    const own = wish ? this.estimate(wish) : this.measured();
    if (wish) this.tellStrip(own, wish);
    else clearEstimates(this.data.of);
    this.scale(own);
    const { plot } = this;
    plot.clear();
    plot.axes(colours, {
      x: _("stored bytes"), y: this.data.metric.toLowerCase(), yTicks: this.ticks(),
      xTicks: this.byteTicks(), xText: power => byteSize(10 ** power).replace(/\.0+(?= )/, ""),
    });
    this.drawCurve(colours);
    this.drawTrail(colours);
    this.drawOwn(own, colours, Boolean(wish));
    const { length } = this.data.points;
    this.note.textContent = length ? _("click a point") : _("no curve is measured yet");
    this.speak(own, Boolean(wish));
  }

  /** Where the own point stands: the state that the server shows, its score once it is there. */
  measured() {
    const { of, bytes } = this.data;
    const found = measuredScore(of);
    if (found) this.remember(found);
    return { bytes, value: null, ...found };
  }

  tellStrip({ bytes, value }, { sparsity, macs }) {
    showEstimates({
      score: value === null ? "…" : `≈ ${this.text(value)}`,
      bytes: bytes === null ? "…" : `≈ ${byteSize(bytes)}`,
      sparsity: shareText(sparsity),
      macs,
    });
  }

  remember(measured) {
    const trail = trails.get(this.data.model) ?? [];
    trails.set(this.data.model, trail);
    const place = { of: this.data.of, bytes: this.data.bytes, value: measured.value };
    if (trail.at(-1)?.of === place.of) trail.pop();
    trail.push(place);
    if (trail.length > LONGEST_TRAIL) trail.shift();
  }

  /** Both axes: all points of the curve that lie near the best, and the own one wherever it is. */
  scale(own) {
    const { points, bytes, original_bytes: original, is_share: isShare } = this.data;
    const all = [...points.map(p => p.bytes), bytes, own.bytes ?? bytes, original];
    this.plot.setRange(Math.log10(Math.min(...all)) - 0.08, Math.log10(Math.max(...all)) + 0.08);
    const values = points.map(p => p.value).concat(own.value ?? []);
    const best = values.length ? Math.max(...values) : 1;
    const floor = isShare ? best - DEEPEST : Math.min(...values);
    const low = Math.min(own.value ?? floor, Math.max(floor, Math.min(...values, best)));
    const room = Math.max(0.01 * Math.abs(best), (best - low) * 0.1);
    [this.low, this.high] = [low - room, best + room];
  }

  share(value) {
    return (value - this.low) / (this.high - this.low);
  }

  ticks() {
    return niceTicks(this.low, this.high, 4)
      .filter(value => !this.data.is_share || value <= 1.0001)
      .map(value => ({
        at: this.share(value),
        text: this.data.is_share ? `${+(100 * value).toFixed(1)} %` : String(+value.toPrecision(3)),
      }));
  }

  byteTicks() {
    const { low, high } = this.plot;
    const steps = high - low > 1.7 ? [1] : high - low > 0.7 ? [1, 3] : [1, 1.5, 2, 3, 5, 7];
    const powers = Array.from({ length: 12 }, (_, i) => i);
    const all = powers.flatMap(power => steps.map(step => power + Math.log10(step)));
    return all.filter(tick => tick > low && tick < high);
  }

  drawCurve(colours) {
    const { plot } = this;
    const shown = this.data.points.map(p => ({ x: Math.log10(p.bytes), ...p }));
    const sorted = shown.toSorted((a, b) => a.x - b.x);
    plot.within(() => {
      plot.curve(sorted.map(p => p.x), sorted.map(p => this.share(p.value)), colours[this.data.role]);
      for (const p of sorted) {
        plot.whisker(p.x, this.share(p.low), this.share(p.high), colours[this.data.role]);
        plot.dot(p.x, this.share(p.value), 3, colours[this.data.role]);
      }
    });
    for (const { button, point } of this.buttons) {
      const { left, top } = plot.place(Math.log10(point.bytes), this.share(point.value));
      button.hidden = this.share(point.value) < 0;
      button.style.transform = `translate(${left}px, ${top}px)`;
    }
  }

  drawTrail(colours) {
    const trail = (trails.get(this.data.model) ?? []).filter(place => place.of !== this.data.of);
    this.plot.within(() => {
      this.plot.context.globalAlpha = 0.35;
      for (const p of trail) this.plot.dot(Math.log10(p.bytes), this.share(p.value), 4, colours.text);
      this.plot.context.globalAlpha = 1;
    });
  }

  drawOwn({ bytes, value, low, high }, colours, isEstimate) {
    if (value === null || bytes === null) return;
    const x = Math.log10(bytes);
    if (low !== undefined) this.plot.whisker(x, this.share(low), this.share(high), colours.text);
    this.plot.dot(x, this.share(value), 6, colours.text, isEstimate);
    this.element.dataset.own = `${bytes} ${value} ${isEstimate ? "estimate" : "measured"}`;
  }

  /** The picture in sentences, for those who do not see it. */
  speak(own, isEstimate) {
    if (isEstimate) return; // not sixty times a second
    const { points } = this.data;
    const curve = points.length ? [] : [_("No curve of this method is measured for this model yet.")];
    const text = [...curve, this.whereabouts(own)].join(" ");
    if (this.says.textContent !== text) this.says.textContent = text;
    this.plot.say(_("{title}: {n} measured points. {text}", {
      title: this.title.textContent, n: points.length, text,
    }));
  }

  /** Where one stands, or why nobody knows yet. */
  whereabouts({ bytes, value, n }) {
    const { metric, measurable } = this.data;
    if (value !== null) {
      const found = { score: this.text(value), size: byteSize(bytes), n: whole(n) };
      return _("You are at {score} in {size}, n = {n}.", found);
    }
    return measurable ? _("{metric} is being measured.", { metric }) : _("There are no test images.");
  }
}
