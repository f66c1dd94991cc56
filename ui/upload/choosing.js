// Which files were chosen or dropped: those of the accepted kinds, with their paths in a folder.

/** What was dropped, as { file, name }; folders are walked through, up to `most` files. */
async function dropped(transfer, most) {
  const roots = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...transfer.files].map(file => ({ file, name: file.name }));
  if (!roots.length) return plain;
  const found = [];
  const walk = async entry => {
    if (found.length > most) return;
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ file, name: entry.fullPath.replace(/^\//, "") });
      return;
    }
    const reader = entry.createReader();
    for (;;) { // a reader gives a hundred at a time
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const each of some) await walk(each);
    }
  };
  for (const root of roots) await walk(root);
  return found;
}

/** What an input holds, as { file, name }. */
const chosen = input =>
  [...input.files].map(file => ({ file, name: file.webkitRelativePath || file.name }));

const isAccepted = (name, suffixes) => suffixes.some(suffix => name.toLowerCase().endsWith(suffix));

/** The files to send, or why there are none: { entries, passedOver, error }. */
function select(found, { suffixes, several, most }) {
  const entries = found.filter(({ name }) => isAccepted(name, suffixes));
  const passedOver = found.length - entries.length;
  if (!entries.length) {
    const kinds = suffixes.join(", ");
    return { error: _("No file of the accepted kinds ({kinds}) was chosen.", { kinds }) };
  }
  if (entries.length > most) return { error: _("More than {most} files.", { most }) };
  if (!several && found.length > 1) return { error: _("Choose one file.") };
  return { entries, passedOver };
}
