const APART_MS = 100; // the browser sends what comes at once together, as if of one fragment
const timers = new WeakMap(); // parentElement → { turn, timer }
let last = -APART_MS; // when a fragment was woken last

export default function ({ parentElement, data, setTriggerValue }) {
  const wake = () => {
    const early = last + APART_MS - performance.now();
    if (early > 0) {
      start(early);
      return;
    }
    last = performance.now();
    setTriggerValue("now", data.turn);
  };
  const start = (ms) => timers.set(parentElement, { turn: data.turn, timer: setTimeout(wake, ms) });

  if (timers.get(parentElement)?.turn !== data.turn) {
    clearTimeout(timers.get(parentElement)?.timer);
    start(data.after_ms);
  }
  return () => {
    clearTimeout(timers.get(parentElement)?.timer);
    timers.delete(parentElement);
  };
}
