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

// Blinks slowly, one change in .8 s: far from what could harm anybody. A key, a button, or the wish for less motion ends it.
const blink = document.querySelector("[data-blink]");
if (blink && flip && first && others.length) {
  let timer;
  blink.hidden = false;
  blink.addEventListener("click", () => {
    const on = blink.getAttribute("aria-pressed") !== "true";
    blink.setAttribute("aria-pressed", String(on));
    clearInterval(timer);
    if (on) timer = setInterval(() => flip.click(), 800);
    else if (flip.getAttribute("aria-pressed") === "true") flip.click();
  });
}

// Zooms into every picture at the same place, which the pointer or the arrow keys move.
const magnify = document.querySelector("[data-magnify]");
const compared = document.querySelector("[data-compare]");
const STEPS = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }; // per cent
const isMagnified = () => Boolean(compared?.classList.contains("magnified"));
let aim = [50, 50];
function look(x, y) {
  aim = [x, y].map((one) => Math.min(100, Math.max(0, one)));
  compared.style.setProperty("--x", `${aim[0]}%`);
  compared.style.setProperty("--y", `${aim[1]}%`);
}
if (magnify && compared?.querySelector("[data-pane] img")) {
  magnify.hidden = false;
  magnify.addEventListener("click", () => {
    magnify.setAttribute("aria-pressed", String(compared.classList.toggle("magnified")));
  });
  compared.addEventListener("pointermove", (event) => {
    const pane = event.target.closest("[data-pane]");
    if (!pane || !isMagnified()) return;
    const { left, top, width, height } = pane.getBoundingClientRect();
    look((100 * (event.clientX - left)) / width, (100 * (event.clientY - top)) / height);
  });
  compared.addEventListener("click", (event) => {
    if (isMagnified() && event.target.closest("[data-pane] a")) event.preventDefault();
  });
}

let leaving = false; // a key that is held down decides only once
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", () => (leaving = true));
addEventListener("pageshow", () => (leaving = false));

document.addEventListener(
  "keydown",
  (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches?.("input:not([type=checkbox]), textarea, select, video")) return;
    if (isMagnified() && (STEPS[event.key] || event.key === "Escape")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const [right, down] = STEPS[event.key] ?? [];
      if (event.key === "Escape") magnify.click();
      else look(aim[0] + right, aim[1] + down);
      return;
    }
    if (event.repeat || leaving) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!target || target.hidden || target.checkVisibility?.() === false) return;
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
