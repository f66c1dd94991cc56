const timers = new WeakMap(); // parentElement → { turn, timer }

export default function ({ parentElement, data, setTriggerValue }) {
  const waiting = timers.get(parentElement);
  if (waiting?.turn !== data.turn) {
    clearTimeout(waiting?.timer);
    const timer = setTimeout(() => setTriggerValue("now", data.turn), data.after_ms);
    timers.set(parentElement, { turn: data.turn, timer });
  }
  return () => {
    clearTimeout(timers.get(parentElement)?.timer);
    timers.delete(parentElement);
  };
}
