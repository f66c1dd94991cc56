const timers = new WeakMap(); // parentElement → { turn, timer }
const AGAIN_MS = 5000; // what the browser sends together with a click may be lost: then once more

export default function ({ parentElement, data, setTriggerValue }) {
  const { turn, after_ms: afterMs } = data;
  if (timers.get(parentElement)?.turn !== turn) {
    clearTimeout(timers.get(parentElement)?.timer);
    const waiting = { turn };
    const wakeAfter = (ms) => {
      waiting.timer = setTimeout(() => {
        waiting.timer = inTurn(() => {
          setTriggerValue("now", turn);
          wakeAfter(Math.max(AGAIN_MS, 2 * ms));
        });
      }, ms);
    };
    wakeAfter(afterMs);
    timers.set(parentElement, waiting);
  }
  return () => {
    clearTimeout(timers.get(parentElement)?.timer);
    timers.delete(parentElement);
  };
}
