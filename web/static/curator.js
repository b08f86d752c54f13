// One key per decision. Every key belongs to a button or a link of the page, which works without this script.

const help = document.querySelector("[data-help]");
const flip = document.querySelector("[data-flip]");
const first = document.querySelector("img[data-first]");
const others = [...document.querySelectorAll("img[data-other]")];

if (help) {
  help.hidden = false;
  help.addEventListener("click", () => {
    const keys = document.getElementById("keys");
    keys.hidden = !keys.hidden;
    help.setAttribute("aria-expanded", String(!keys.hidden));
  });
}

// Flipped by hand, not by a timer: one picture in the place of the other shows what changed, without flashing.
if (flip && first && others.length) {
  flip.hidden = false;
  for (const other of others) other.dataset.own = other.getAttribute("src");
  flip.addEventListener("click", () => {
    const flipped = flip.getAttribute("aria-pressed") !== "true";
    flip.setAttribute("aria-pressed", String(flipped));
    for (const other of others) {
      // The frame keeps its size, so that equal parts stay in place.
      const { width, height } = other.getBoundingClientRect();
      other.style.width = flipped ? `${width}px` : "";
      other.style.height = flipped ? `${height}px` : "";
      other.src = flipped ? first.getAttribute("src") : other.dataset.own;
      other.closest("figure").classList.toggle("flipped", flipped);
    }
  });
}

let leaving = false; // a key that is held down decides only once
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", () => (leaving = true));
addEventListener("pageshow", () => (leaving = false));

document.addEventListener(
  "keydown",
  (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || leaving) return;
    if (event.target.matches?.("input:not([type=checkbox]), textarea, select, video")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!target || target.hidden) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (target.matches("a")) leaving = true;
    target.click();
  },
  true,
);

// A page that waits for work reloads itself, unless somebody is typing.
const waiting = document.querySelector("[data-reload]");
if (waiting) {
  setInterval(() => {
    if (!leaving && !document.querySelector("input:focus, textarea:focus")) location.reload();
  }, 1000 * waiting.dataset.reload);
}

document.documentElement.dataset.keys = "ready"; // keys work from here on

// Prefetches the next group.
const next = document.querySelector('a[data-key="ArrowRight"]');
if (next && document.querySelector("[data-group]")) {
  const hint = document.createElement("link");
  hint.rel = "prefetch";
  hint.href = next.href;
  document.head.append(hint);
}
