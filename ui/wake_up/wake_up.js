const timers = new WeakMap(); // parentElement → { turn, timer }

export default function ({ parentElement, data, setTriggerValue }) {
  const { turn, after_ms: afterMs } = data;
  if (timers.get(parentElement)?.turn !== turn) {
    clearTimeout(timers.get(parentElement)?.timer);
    const waiting = { turn };
    waiting.timer = setTimeout(() => {
      waiting.timer = inTurn(() => setTriggerValue("now", turn));
    }, afterMs);
    timers.set(parentElement, waiting);
  }
  return () => {
    clearTimeout(timers.get(parentElement)?.timer);
    timers.delete(parentElement);
  };
}
