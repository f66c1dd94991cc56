// Files on their way to the server: each is the body of a request of its own, a few at a time.

const AT_ONCE = 3;
const LONGEST_NAME = 400; // characters: the server shortens it further

/** A name as a header may hold it; of a long one the end, which has the suffix. */
function inHeader(name) {
  const whole = name.replace(/[\ud800-\udfff]/gu, "\ufffd"); // half of a pair cannot be encoded
  return encodeURIComponent([...whole].slice(-LONGEST_NAME).join(""));
}

const textOf = (response, otherwise) => {
  try {
    return JSON.parse(response).error ?? otherwise;
  } catch {
    return otherwise;
  }
};

const isGone = () => _("The connection to the server broke off: try again.");

/** Why the server would not take these bytes in so many files; nothing if it would. */
async function whyNot(place, bytes, files) {
  const address = new URL(place.address, document.baseURI);
  address.search = new URLSearchParams({ bytes, files });
  try {
    const response = await fetch(address, { headers: { [place.header]: "" } });
    return response.ok ? undefined : textOf(await response.text(), isGone());
  } catch {
    return isGone();
  }
}

/** Send a file; resolves to its id. `signal` stops it, `moved` hears how many bytes have gone. */
function send(place, { file, name }, signal, moved) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far it is
    const fail = text => reject(new Error(text));
    request.upload.onprogress = event => moved(event.loaded);
    request.onload = () =>
      request.status === 200
        ? resolve(JSON.parse(request.response).id)
        : fail(textOf(request.response, isGone()));
    // A server that refuses a long body closes the connection before the browser reads why.
    request.onerror = async () => fail((await whyNot(place, file.size, 1)) ?? isGone());
    request.onabort = () => fail("");
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", new URL(place.address, document.baseURI));
    request.setRequestHeader(place.header, inHeader(name));
    request.send(file);
  });
}

/** Send all; resolves to their ids in order. If one fails, none of them stays on the server. */
async function sendAll(place, entries, controller, moved) {
  const ids = [];
  const gone = entries.map(() => 0);
  const waiting = [...entries.keys()];
  const work = async () => {
    while (waiting.length && !controller.signal.aborted) {
      const i = waiting.shift();
      ids[i] = await send(place, entries[i], controller.signal, bytes => {
        gone[i] = bytes;
        moved(gone.reduce((sum, each) => sum + each, 0));
      });
    }
  };
  const works = Array.from({ length: AT_ONCE }, work);
  try {
    await Promise.all(works);
    if (controller.signal.aborted) throw new Error("");
    return ids;
  } catch (error) {
    controller.abort();
    await Promise.allSettled(works);
    takeBack(place, ids.filter(Boolean));
    throw error;
  }
}

/** Delete files on the server that nobody waits for any more. */
function takeBack(place, ids) {
  for (const id of ids) {
    const address = new URL(`${place.address}/${id}`, document.baseURI);
    fetch(address, { method: "DELETE", headers: { [place.header]: "" }, keepalive: true }).catch(() => {});
  }
}
