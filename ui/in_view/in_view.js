const NEAR = "400px"; // below the window: what comes soon is drawn before it is there
const FIRST_MS = 1000; // after which it is told again that somebody waits
const observers = new WeakMap(); // parentElement → its observer

export default function ({ parentElement, setTriggerValue }) {
  const watched = parentElement.querySelector(".in-view");
  if (observers.has(parentElement) || !watched) return;
  let timer = 0;
  // The server may lose it: while a whole page is drawn anew, nobody listens to its old parts.
  const tell = again => {
    timer = inTurn(() => {
      setTriggerValue("seen", true);
      timer = setTimeout(() => tell(2 * again), again);
    });
  };
  const observer = new IntersectionObserver(
    entries => {
      if (!entries.some(entry => entry.isIntersecting)) return;
      observer.disconnect();
      tell(FIRST_MS);
    },
    { rootMargin: NEAR, scrollMargin: NEAR },
  );
  observers.set(parentElement, observer);
  observer.observe(watched);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
    observers.delete(parentElement);
  };
}
