// The component: one root a place on the page, kept over reruns; profiles are fetched once.

import { Budget } from "./budget.js";
import { make } from "./controls.js";
import { Factorize } from "./factorize.js";
import { PlaneAlone } from "./plane_alone.js";
import { Prune } from "./prune.js";
import { Quantize } from "./quantize.js";
import { _, speak } from "./texts.js";

const VIEWS = { prune: Prune, quantize: Quantize, factorize: Factorize, budget: Budget, plane: PlaneAlone };
const mounted = new WeakMap(); // parentElement → what stands in it
const profiles = new Map(); // address → a promise of what it holds

/** A blob of ours: the length of a JSON header, the header, then the float32 arrays it names. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = 4 + length;
  const revive = entry =>
    Object.fromEntries(Object.entries(entry).map(([name, value]) => {
      const array = value !== null && typeof value === "object";
      return [name, array ? new Float32Array(buffer, start + value.offset, value.length) : value];
    }));
  return { layers: header.layers.map(revive) };
}

async function fetchProfiles(address) {
  const response = await fetch(new URL(address, document.baseURI));
  if (!response.ok) {
    const { status } = response;
    throw new Error(_("{address} answered {status}; reload the page", { address, status }));
  }
  return unpack(await response.arrayBuffer());
}

function profilesAt(address) {
  if (!profiles.has(address)) {
    const found = fetchProfiles(address);
    found.catch(() => profiles.delete(address));
    profiles.set(address, found);
  }
  return profiles.get(address);
}

export function mount({ parentElement, data, setTriggerValue }) {
  speak(data.texts);
  const root = parentElement.querySelector(".live");
  const place = mounted.get(parentElement) ?? { serial: data.serial, wishes: [] };
  mounted.set(parentElement, place);
  place.tell = wish => {
    place.serial += 1;
    place.wishes.push({ ...wish, serial: place.serial });
    setTriggerValue("release", place.wishes); // of two quick releases only the last gets through
  };
  show(root, place, data).catch(error => root.replaceChildren(String(error)));
  const unlink = linkTo(root);
  return () => {
    unlink();
    close(place.view);
    mounted.delete(parentElement);
  };
}

/** A link before everything else on the page: from there the tab key would pass navigation, recipe
 * and the line of numbers, some 30 stops, before it came to what can be dragged. Returns how to
 * take it away. */
function linkTo(root) {
  const link = make("a", { href: "#", class: "to-picture" }, _("To the picture"));
  link.onclick = event => {
    event.preventDefault();
    const seen = what => [...root.querySelectorAll(what)].find(part => part.checkVisibility());
    (seen("[role=slider]") ?? seen("button"))?.focus();
  };
  document.querySelector(".to-picture")?.remove();
  document.body.prepend(link);
  return () => link.remove();
}

function close(view) {
  view?.plot?.observer.disconnect();
  view?.plane.close();
}

async function show(root, place, data) {
  const [layers, drawn] = await Promise.all([data.profiles, data.view].map(a => a && profilesAt(a)));
  place.wishes = place.wishes.filter(wish => wish.serial > data.serial);
  if (place.wishes.length) return; // a later move is on its way to the server
  place.serial = Math.max(place.serial, data.serial);
  if (!place.view || place.address !== data.profiles || place.language !== data.language) {
    close(place.view);
    place.view = new VIEWS[data.mode](root, layers, wish => place.tell(wish), data.constants);
    place.address = data.profiles;
    place.language = data.language;
  }
  root.classList.toggle("alone", !data.plane); // one tensor of no network: nothing stands beside it
  if (data.plane) place.view.plane.update(data.plane);
  place.view.update(data, drawn?.layers[0]);
}
