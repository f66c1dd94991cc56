// The network as a row of boxes, as wide as their bytes; a click goes to the layer's numbers below.
// All words come from the server, in the reader's language.

const SHOWS = {
  sparsity: {
    colour: (layer, { pruned, kept }) => `color-mix(in srgb, ${pruned} ${100 * layer.sparsity}%, ${kept})`,
    at: [{ sparsity: 0 }, { sparsity: 1 }],
  },
  bits: {
    colour: (layer, { quantized, original }) =>
      `color-mix(in srgb, ${quantized} ${(100 * (32 - layer.bits)) / 31}%, ${original})`,
    at: [{ bits: 32 }, { bits: 1 }],
  },
};
let chosen = "sparsity"; // stays over reruns

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function goTo(name) {
  const rows = [...document.querySelectorAll(".layer-numbers tr[data-layer]")];
  const row = rows.find(found => found.dataset.layer === name);
  row?.scrollIntoView({ block: "center", behavior: "smooth" });
  row?.focus({ preventScroll: true });
}

function box(layer, { colour }, colours) {
  const { text, said, title } = layer.texts[chosen];
  const made = make("button", { type: "button", title, "aria-label": said },
    make("span", { class: "fill" }), make("span", { class: "name" }, layer.name),
    make("small", {}, text));
  made.classList.toggle("changed", layer.changed);
  made.style.flexGrow = layer.bytes;
  made.firstChild.style.background = colour(layer, colours);
  made.onclick = () => goTo(layer.name);
  return made;
}

function draw(root, data) {
  const shows = SHOWS[chosen];
  const { texts } = data;
  const switches = Object.keys(SHOWS).map(name => {
    const button = make("button", { type: "button", class: "chip", "aria-pressed": name === chosen },
      texts.shows[name]);
    button.onclick = () => {
      chosen = name;
      draw(root, data);
      root.querySelector("[aria-pressed=true]").focus();
    };
    return button;
  });
  const [low, high] = shows.at.map(end => shows.colour(end, data.colours));
  const scale = make("span", { class: "scale", "aria-hidden": "true" });
  scale.style.background = `linear-gradient(to right, ${low}, ${high})`;
  root.replaceChildren(
    make("div", { class: "head" }, make("strong", {}, texts.title),
      make("span", { role: "group", "aria-label": texts.colour }, ...switches),
      make("span", { class: "legend" }, texts.ends[chosen][0], scale, texts.ends[chosen][1]),
      make("span", { class: "legend" }, make("span", { class: "mark" }), texts.changed)),
    make("div", { class: "boxes", role: "group", "aria-label": texts.layers },
      ...data.layers.map(layer => box(layer, shows, data.colours))));
}

export default function ({ parentElement, data }) {
  draw(parentElement.querySelector(".layer-strip"), data);
}
