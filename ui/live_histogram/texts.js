// The words of the pictures in the reader's language; the server sends them, by their English.

let texts = {};

/** Take the texts of a language; none are English. */
export function speak(found) {
  texts = found;
}

/** A text for the reader, its {placeholders} filled in. */
export function _(text, values = {}) {
  return (texts[text] ?? text).replace(/\{(\w+)\}/g, (_whole, name) => values[name]);
}
