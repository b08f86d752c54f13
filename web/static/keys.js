// The list of keys, shown by `?`.
const KEYS = [
  ["/", "search"],
  ["← → ↑ ↓", "move between memes, or to the next in the viewer"],
  ["Enter", "open"],
  ["Esc", "back"],
  ["s", "similar memes"],
  ["c", "copy the picture"],
  ["f", "add to your favorites, or take out"],
  ["z", "zoom"],
  ["i", "facts, in the viewer"],
  ["p", "slide show, in the viewer"],
  ["d", "download, in the viewer"],
  ["r", "a random meme"],
  ["?", "this list"],
];

const CURATOR_KEYS = [
  ["x", "select the meme that has the focus, or not"],
  ["X", "select also those between it and the last one"],
  ["a", "select all on this page, or none"],
  ["m", "move those that are selected"],
  ["t", "tag those that are selected"],
  ["u", "undo what was just done"],
];

let dialog;
export function show() {
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    dialog.innerHTML = '<h2 id="keys-title">Keys</h2><dl class="table"></dl><form method="dialog"><button class="button" autofocus>Close</button></form>';
    const keys = document.querySelector("#bulk") ? [...KEYS, ...CURATOR_KEYS] : KEYS;
    for (const [key, does] of keys) {
      const row = document.createElement("div");
      row.innerHTML = "<dt><kbd></kbd></dt><dd></dd>";
      row.querySelector("kbd").textContent = key;
      row.querySelector("dd").textContent = does;
      dialog.querySelector("dl").append(row);
    }
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    document.body.append(dialog);
  }
  dialog.showModal();
}
