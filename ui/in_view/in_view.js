const NEAR = "100px"; // below the window: what comes soon is drawn before it is there
const observers = new WeakMap(); // parentElement → its observer

export default function ({ parentElement, setTriggerValue }) {
  const watched = parentElement.querySelector(".in-view");
  if (observers.has(parentElement) || !watched) return;
  const observer = new IntersectionObserver(
    entries => {
      if (!entries.some(entry => entry.isIntersecting)) return;
      observer.disconnect();
      inTurn(() => setTriggerValue("seen", true));
    },
    { rootMargin: NEAR, scrollMargin: NEAR },
  );
  observers.set(parentElement, observer);
  observer.observe(watched);
  return () => {
    observer.disconnect();
    observers.delete(parentElement);
  };
}
