// Selecting many: Shift-click and Shift with an arrow key select a range, a button all or none. The boxes work without it.

const picks = (within) => [...within.querySelectorAll("[data-pick]")];
let anchor; // where a range begins

// Says on the buttons how many are selected.
export function count() {
  for (const group of document.querySelectorAll("[data-select]")) {
    const boxes = picks(group);
    const chosen = boxes.filter((one) => one.checked).length;
    for (const place of group.querySelectorAll("[data-count]")) place.textContent = chosen || "";
    for (const bar of group.querySelectorAll("[data-bar]")) bar.classList.toggle("idle", !chosen);
    const all = group.querySelector("[data-all]");
    if (!all) continue;
    all.hidden = false;
    all.textContent = chosen < boxes.length ? "Select all" : "Select none";
  }
}

function range(to, checked) {
  const boxes = picks(to.closest("[data-select]"));
  const [from, until] = [boxes.indexOf(anchor), boxes.indexOf(to)].sort((one, other) => one - other);
  if (from >= 0) for (const one of boxes.slice(from, until + 1)) one.checked = checked;
}

document.addEventListener("click", (event) => {
  const all = event.target.closest?.("[data-all]");
  if (all) {
    const boxes = picks(all.closest("[data-select]"));
    const checked = boxes.some((one) => !one.checked);
    for (const one of boxes) one.checked = checked;
    return count();
  }
  // A click on a label is followed by one on its box, without the Shift key in some browsers.
  const label = event.shiftKey && event.target.closest?.("label");
  const box = event.target.closest?.("[data-pick]") ?? (label ? label.querySelector("[data-pick]") : undefined);
  if (!box) return;
  if (label && event.target !== box) {
    event.preventDefault();
    box.checked = !box.checked;
  }
  if (event.shiftKey && anchor && anchor !== box) range(box, box.checked);
  anchor = box;
  count();
});

document.addEventListener("keydown", (event) => {
  const box = event.target.closest?.("[data-pick]");
  if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
  // In the curator's lists, whose boxes are far down, an arrow key begins with the first.
  if (!box && event.target === document.body && document.documentElement.dataset.keys) {
    const first = event.key === "ArrowDown" && document.querySelector("form[data-select] [data-pick]");
    if (!first) return;
    event.preventDefault();
    return first.focus();
  }
  if (!box) return;
  const boxes = picks(box.closest("[data-select]"));
  const next = boxes[boxes.indexOf(box) + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  next.focus();
  if (event.shiftKey) {
    anchor ??= box;
    next.checked = box.checked;
  }
  anchor = next;
  count();
}, true);

// Of two clicks on a button the second does nothing, while the first is on its way.
const PATIENCE = 10_000; // milliseconds
let sent = -Infinity;
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (event.timeStamp - sent < PATIENCE) event.preventDefault();
  else sent = event.timeStamp;
});
addEventListener("pageshow", () => (sent = -Infinity));

// On the visitors' pages: x selects the card that has the focus, X also those since the last one, a all, m and t lead to what is done with them, u undoes
// what was just done.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.documentElement.dataset.keys) return;
  if (event.target.matches?.("input:not([type=checkbox]), textarea, select, video")) return;
  const box = event.target.closest?.(".card")?.querySelector("[data-pick]");
  if (box && event.key === "x") box.click();
  if (box && event.key === "X") {
    range(box, true);
    anchor = box;
    count();
  }
  if (event.key === "u") document.querySelector('.done [data-key="u"]')?.click();
  if (event.key === "a") document.querySelector("#bulk [data-all]")?.click();
  const field = document.querySelector("#bulk:not(.idle)") && { m: "bulk-category", t: "bulk-tag" }[event.key];
  if (!field) return;
  event.preventDefault();
  document.getElementById(field).focus();
});

// The first button of the form moves: of what is typed as a tag, Enter makes a tag.
document.getElementById("bulk-tag")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  event.target.form.querySelector("[value=tag]").click();
});

addEventListener("pageshow", count);
count();
