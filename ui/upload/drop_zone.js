// The component: a zone to drop files on, buttons that do the same, how far it is, what went wrong.

const zones = new WeakMap(); // parentElement → its zone

class Zone {
  constructor(root) {
    this.root = root;
    this.label = make("p", { class: "label", id: "label" });
    this.help = make("p", { class: "help", id: "help" });
    this.choose = make("button", { type: "button", "aria-describedby": "label help" });
    this.folder = make("button", { type: "button", "aria-describedby": "label help" });
    this.bar = make("progress", { max: 1, value: 0, "aria-labelledby": "label" });
    this.amount = make("span", { class: "amount" });
    this.cancel = make("button", { type: "button" });
    this.going = make("div", { class: "going" }, this.bar, this.amount, this.cancel);
    this.status = make("p", { role: "status" });
    this.error = make("p", { role: "alert" });
    this.input = make("input", { type: "file", hidden: "", tabindex: -1 });
    this.folderInput = make("input", { type: "file", webkitdirectory: "", hidden: "", tabindex: -1 });
    const words = make("div", { class: "words" }, this.label, this.help);
    this.zone = make("div", { class: "zone", role: "group", "aria-labelledby": "label" });
    this.zone.append(words, this.choose, this.folder, this.input, this.folderInput);
    root.replaceChildren(this.zone, this.going, this.status, this.error);
    this.going.hidden = true;
    this.listen();
  }

  listen() {
    this.choose.onclick = () => this.input.click();
    this.folder.onclick = () => this.folderInput.click();
    this.cancel.onclick = () => this.controller?.abort();
    for (const input of [this.input, this.folderInput]) {
      input.onchange = () => {
        const found = chosen(input);
        input.value = ""; // the same file may be chosen again
        if (found.length) this.take(found);
      };
    }
    this.zone.ondragover = event => {
      event.preventDefault();
      this.zone.classList.add("over");
    };
    this.zone.ondragleave = () => this.zone.classList.remove("over");
    this.zone.ondrop = async event => {
      event.preventDefault();
      this.zone.classList.remove("over");
      this.take(await dropped(event.dataTransfer, this.place.most));
    };
  }

  /** What the server says anew with every run: texts, limits, where to send files. */
  update(place, tell) {
    this.place = place;
    this.tell = tell;
    this.label.textContent = place.label;
    this.help.textContent = place.help;
    this.choose.textContent = place.several ? _("Choose files") : _("Choose a file");
    this.folder.textContent = _("Choose a folder");
    this.cancel.textContent = _("Cancel");
    this.folder.hidden = !place.several;
    this.input.multiple = place.several;
    this.input.accept = place.suffixes.map(suffix => suffix.slice(suffix.lastIndexOf("."))).join();
  }

  async take(found) {
    if (this.controller) return; // one after the other
    const { place } = this;
    const { entries, passedOver, error } = select(found, place);
    const bytes = entries?.reduce((sum, { file }) => sum + file.size, 0);
    this.say("", error ?? "");
    if (error) return;
    this.controller = new AbortController();
    this.begin(bytes);
    try {
      const reason = await whyNot(place, bytes, entries.length);
      if (reason) throw new Error(reason);
      const ids = await sendAll(place, entries, this.controller, gone => this.show(gone, bytes));
      this.say(summary(entries, bytes, passedOver, place), "");
      inTurn(() => this.tell(ids));
    } catch (caught) {
      this.say(caught.message ? "" : _("Cancelled."), caught.message);
    } finally {
      this.end();
    }
  }

  begin(bytes) {
    this.going.hidden = false;
    this.choose.disabled = this.folder.disabled = true;
    this.show(0, bytes);
    this.cancel.focus({ preventScroll: true });
  }

  end() {
    const focused = this.cancel.getRootNode().activeElement === this.cancel;
    this.controller = undefined;
    this.going.hidden = true;
    this.choose.disabled = this.folder.disabled = false;
    if (focused) this.choose.focus({ preventScroll: true });
  }

  show(gone, bytes) {
    const share = bytes ? Math.min(1, gone / bytes) : 0;
    this.bar.value = share;
    const values = { percent: Math.floor(100 * share), gone: inMb(gone, this.place), all: inMb(bytes, this.place) };
    this.amount.textContent = _("{percent} % · {gone} of {all} MB", values);
  }

  say(status, error) {
    this.status.textContent = status;
    this.error.textContent = error;
  }
}

const inMb = (bytes, { language }) =>
  (bytes / 1e6).toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** What stands there when all has arrived; names are shortened as the server shortens them. */
function summary(entries, bytes, passedOver, place) {
  const size = inMb(bytes, place);
  const name = [...entries[0].name].slice(-100).join("").replace(/\p{C}/gu, " "); // no marks that turn it round
  const said = entries.length === 1
    ? _("{name} has arrived: {size} MB.", { name, size })
    : _("{count} files have arrived: {size} MB.", { count: entries.length, size });
  if (!passedOver) return said;
  return `${said} ${_("Files of other kinds that were passed over: {count}.", { count: passedOver })}`;
}

export default function ({ parentElement, data, setStateValue }) {
  speak(data.texts);
  const root = parentElement.querySelector(".upload");
  const known = zones.get(parentElement);
  const zone = known?.root === root ? known : new Zone(root);
  zones.set(parentElement, zone);
  zone.update(data, ids => setStateValue("finished", ids));
  return () => {
    zone.controller?.abort();
    zones.delete(parentElement);
  };
}
