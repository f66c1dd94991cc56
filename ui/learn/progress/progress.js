const STORE = "compress-explorer-lessons"; // in the browser's localStorage: a list of "lesson/step"
const FORGOTTEN = `${STORE}-forgotten`; // the last word to forget by: each is followed once

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // no storage
  }
}

function load() {
  try {
    const found = JSON.parse(read(STORE));
    return Array.isArray(found) ? found.filter(key => typeof key === "string") : [];
  } catch {
    return []; // somebody else's text in it
  }
}

function save(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    // a private window: progress lasts as long as the page
  }
}

export default function ({ data, setStateValue }) {
  if (data.forget && read(FORGOTTEN) !== data.forget) {
    save(FORGOTTEN, data.forget);
    save(STORE, "[]");
  }
  const before = load();
  const done = [...new Set([...before, ...(data.add ?? [])])].sort();
  if (done.length > before.length) save(STORE, JSON.stringify(done));
  if (data.tells && JSON.stringify(done) !== JSON.stringify(data.known)) setStateValue("done", done);
}
