// Makes the pages quicker to use; every page works without it. What is not needed at once is imported when it is.
import { forget, links, move, restore, unfold, watch } from "./grid.js";

const root = document.documentElement;
export const base = root.dataset.base;
const isStatic = root.dataset.static !== undefined; // an exported site: files, and nobody who answers
const box = document.querySelector("[data-search]");
const field = box?.querySelector("input[type=search]");
const quietly = (promise) => promise.catch(() => {});
const plain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button);

// A short message at the bottom of the page.
export function notify(message, seconds = 5) {
  document.querySelector(".busy")?.remove();
  const note = document.createElement("p");
  note.className = "busy";
  note.setAttribute("role", "status");
  note.textContent = message;
  (document.querySelector("dialog[open]") ?? document.body).append(note);
  if (seconds) setTimeout(() => note.remove(), seconds * 1000);
}

// Loads another page of this site into the place of this one, so that the search box keeps the focus.
let asking;
export async function visit(address, { replace = false, keepScroll = false, patient = false } = {}) {
  asking?.abort();
  asking = new AbortController();
  const answer = await fetch(address, { signal: asking.signal });
  if (!answer.ok) return patient || location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("main").replaceWith(page.getElementById("main"));
  document.title = page.title;
  if (address !== location.href) history[replace ? "replaceState" : "pushState"]({ visited: true }, "", address);
  if (!keepScroll) scrollTo(0, 0);
  watch();
}

// --- a picture to search with: chosen, pasted or dragged anywhere ---

const picture = () => import("./picture.js");
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-choose]")) return;
  event.preventDefault();
  const input = document.createElement("input");
  input.type = "file";
  input.accept = "image/*,video/*";
  input.addEventListener("change", async () => (await picture()).searchWith(input.files[0], box));
  input.click();
});
document.addEventListener("paste", async (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => /^(image|video)\//.test(one.type));
  if (!file || isStatic) return;
  event.preventDefault();
  (await picture()).searchWith(file, box);
});
let entered = 0;
const holdsFile = (event) => !isStatic && [...(event.dataTransfer?.types ?? [])].includes("Files");
const dragged = (by) => (event) => holdsFile(event) && document.body.classList.toggle("dragging", (entered += by) > 0);
document.addEventListener("dragenter", dragged(1));
document.addEventListener("dragleave", dragged(-1));
document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
document.addEventListener("drop", async (event) => {
  if (!holdsFile(event)) return;
  event.preventDefault();
  entered = 0;
  document.body.classList.remove("dragging");
  const file = event.dataTransfer.files[0];
  (await picture()).searchWith(file, box);
});

// --- clicks ---

const viewer = () => import("./viewer.js");
// It takes a meme from its page, which must be one of ours: beside another generator's pages, links lead to these.
const { elsewhere } = root.dataset;
// Whoever points at a card, or reaches it by keys, may open it: the viewer is loaded before the click.
for (const name of ["pointerover", "pointerdown", "focusin"])
  document.addEventListener(name, (event) => !elsewhere && event.target.closest?.(".card") && quietly(viewer()), { passive: true });
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a");
  if (!link || !plain(event) || event.defaultPrevented) return;
  const { size, theme } = link.dataset;
  if (!elsewhere && link.matches(".card > a.picture")) {
    event.preventDefault();
    viewer().then((loaded) => loaded.open(link)).catch(() => location.assign(link.href));
  } else if (link.dataset.back !== undefined && history.length > 1) {
    event.preventDefault();
    history.back(); // what was typed and selected is still there
  } else if (link.dataset.random !== undefined) {
    event.preventDefault();
    random();
  } else if (link.matches("a.variants") && link.closest(".grid") && !isStatic) {
    event.preventDefault();
    unfold(link).catch(() => location.assign(link.href));
  } else if (link.dataset.soft !== undefined) {
    event.preventDefault();
    visit(link.href, { keepScroll: true }).catch(() => location.assign(link.href));
  } else if (size || theme) {
    event.preventDefault();
    const [name, value] = size ? ["size", size] : ["theme", theme];
    root.dataset[name] = value;
    if (isStatic) keepChoice(name, value);
    else document.cookie = `${name}=${value}; path=${base || "/"}; max-age=31536000; samesite=lax`;
    for (const one of document.querySelectorAll(`a[data-${name}]`)) one.toggleAttribute("aria-current", false);
    for (const one of document.querySelectorAll(`a[data-${name}=${value}]`)) one.setAttribute("aria-current", "true");
    if (size === "large") for (const one of document.querySelectorAll(".card img")) one.sizes = "480px";
  }
});

// --- typing ---

if (!isStatic) field?.addEventListener("focus", () => quietly(import("./typing.js").then((loaded) => loaded.help(box, field))), { once: true });
document.addEventListener("input", (event) => {
  if (!event.target.matches?.("[data-filter]")) return;
  const wanted = event.target.value.trim().toLocaleLowerCase();
  const items = [...document.querySelectorAll("[data-filtered] > li")];
  for (const item of items) item.hidden = !item.dataset.name.toLocaleLowerCase().includes(wanted);
  const found = items.filter((item) => !item.hidden).length;
  document.querySelector("[data-found]").textContent = found < items.length ? `${found} of ${items.length}` : found;
  document.querySelector("[data-none]").hidden = found > 0;
});

// --- a random meme ---

async function random() {
  if (!isStatic) return location.assign(`${base}/random`);
  try {
    const text = async (address) => (await fetch(new URL(address, document.baseURI))).text();
    const parsed = async (address) => new DOMParser().parseFromString(await text(address), "text/html");
    const home = await parsed("index.html");
    const last = Number(home.querySelector("[data-pages]")?.dataset.pages ?? 1);
    const page = 1 + Math.floor(Math.random() * last);
    const chosen = [...(page === 1 ? home : await parsed(`pages/${page}/index.html`)).querySelectorAll("#results a.picture")];
    location.assign(new URL(chosen[Math.floor(Math.random() * chosen.length)].getAttribute("href"), document.baseURI));
  } catch {
    notify("No meme could be loaded. Try again.");
  }
}

function keepChoice(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Private windows may keep nothing.
  }
}

// --- keys ---

const KEYS = {
  "/": () => (field?.focus(), field?.select()),
  "?": () => import("./keys.js").then((loaded) => loaded.show()),
  r: () => random(),
  s: (card) => {
    if (card) location.assign(`${card.querySelector("a.picture").href}#alike`);
    else document.getElementById("alike")?.scrollIntoView();
  },
  c: (card) => import("./meme.js").then((loaded) => (card ? loaded.copyCard(card) : loaded.copyPage())),
  z: () => document.querySelector("[data-zoom-button]")?.click(),
  f: (card) => {
    const id = (card ?? document.querySelector("main .meme"))?.dataset.id;
    if (id) import("./favorites.js").then((loaded) => loaded.toggle(id));
  },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches?.("input, textarea, select, video");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (history.length > 1 && document.querySelector(".meme")) history.back();
  } else if (!typing && KEYS[event.key] && (event.key === "/" || isStatic || !location.pathname.startsWith(`${base}/curator`))) {
    event.preventDefault();
    KEYS[event.key](document.activeElement?.closest?.(".card"));
  } else if (!typing && event.key.startsWith("Arrow") && links().length) {
    const next = move(event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
});

// --- Back and Forward between what this script has shown ---

addEventListener("popstate", async (event) => {
  if (event.state?.viewer) return viewer().then((loaded) => loaded.reopen());
  if (document.querySelector("dialog.viewer[open]")) return (await viewer()).closed();
  if (forget()) visit(location.href, { replace: true }).catch(() => location.reload());
});

restore();
watch();
if (document.querySelector("main .meme")) quietly(import("./meme.js").then((loaded) => loaded.equip(document.querySelector("main .meme"))));
if (document.querySelector("[data-favorites]")) quietly(import("./favorites.js").then((loaded) => loaded.show()));
if (isStatic && navigator.serviceWorker && !root.querySelector("script[data-index^=memetica]")) quietly(navigator.serviceWorker.register(new URL("sw.js", document.baseURI)));
