// The viewer: a meme over the grid. Left and right lead through the grid, Esc leads back to the card.
import { links, more } from "./grid.js";
import { equip } from "./meme.js";
import { notify } from "./site.js";

const SLIDE_SECONDS = 5;
let dialog, stage, place;
let every = []; // the links of the grid that is leafed through
let at = -1;
let grid; // the grid that the viewer was opened from, and its card
let origin;
let title; // of the page behind
let latest = 0;
let slides;
const parts = new Map(); // by address, the parts of pages that were asked for

function part(address, name) {
  const key = `${address}?part=${name}`;
  if (!parts.has(key)) {
    const asked = fetch(key).then(async (answer) => {
      if (!answer.ok) throw new Error(answer.status);
      return answer.text();
    });
    asked.catch(() => parts.delete(key));
    parts.set(key, asked);
  }
  return parts.get(key);
}

const fragment = (html) => new DOMParser().parseFromString(html, "text/html").body;

function build() {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("viewer.css", import.meta.url).href });
  const loaded = new Promise((resolve) => (style.onload = style.onerror = resolve));
  document.head.append(style);
  dialog = document.createElement("dialog");
  dialog.className = "viewer";
  dialog.innerHTML = `<header><span data-place aria-live="polite"></span>
    <button type="button" data-do="p" aria-pressed="false" title="Slide show (p)">▶ Slide show</button>
    <button type="button" data-do="i" aria-pressed="true" title="Facts (i)">Facts</button>
    <button type="button" data-do="Escape" aria-label="Close" title="Close (Esc)">✕</button></header>
    <button type="button" class="turn back" data-do="ArrowLeft" aria-label="Previous meme" title="Previous (←)">‹</button>
    <div class="stage"></div>
    <button type="button" class="turn on" data-do="ArrowRight" aria-label="Next meme" title="Next (→)">›</button>`;
  document.body.append(dialog);
  stage = dialog.querySelector(".stage");
  place = dialog.querySelector("[data-place]");
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) act(button.dataset.do);
    const similar = event.target.closest("[data-similar]");
    if (similar) {
      event.preventDefault();
      alike();
    }
  });
  dialog.addEventListener("keydown", keys);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  swipes();
  return loaded;
}

// --- what is shown ---

// Stands there until the meme is loaded: the thumbnail, at once.
function standIn(link) {
  const article = document.createElement("article");
  article.className = "meme";
  const image = link.querySelector("img");
  const ratio = image ? image.width && image.getAttribute("width") / image.getAttribute("height") : 1;
  article.innerHTML = `<figure><div class="frame"></div></figure><div class="facts"></div>`;
  article.querySelector("figure").style.cssText = `--ratio: ${ratio}; --width: ${image?.getAttribute("width") ?? 400}px`;
  if (image) article.querySelector(".frame").append(Object.assign(new Image(), { src: image.currentSrc || image.src, alt: image.alt }));
  return article;
}

async function show(to) {
  if (to < 0 || to >= every.length) return;
  at = to;
  const link = every[at];
  const mine = ++latest;
  place.textContent = `${at + 1} of ${every.length}${grid?.querySelector(":scope > .last a[data-next]") ? "+" : ""}`;
  dialog.querySelector(".back").disabled = at === 0;
  history.replaceState({ viewer: true }, "", link.href);
  stage.replaceChildren(standIn(link));
  if (at >= every.length - 4 && grid?.id === "results") more().then((grew) => grew && (every = links(grid)));
  try {
    const article = fragment(await part(link.pathname, "meme")).querySelector(".meme");
    if (mine !== latest) return;
    const why = link.closest(".card").querySelector(".why");
    if (why) {
      const reasons = why.cloneNode(true);
      reasons.className = "reasons";
      reasons.querySelector(".where")?.remove();
      article.querySelector(".actions").after(reasons);
    }
    dialog.setAttribute("aria-label", article.dataset.title);
    document.title = article.dataset.title;
    const image = article.querySelector("[data-zoom]");
    const small = link.querySelector("img");
    if (image && small) image.closest(".frame").style.backgroundImage = `url("${small.currentSrc || small.src}")`;
    stage.replaceChildren(article);
    equip(article);
    for (const next of [every[at + 1], every[at - 1]]) if (next) prefetch(next);
  } catch {
    if (mine === latest) notify("This meme could not be loaded. Try again.");
  }
}

async function prefetch(link) {
  const image = fragment(await part(link.pathname, "meme").catch(() => "")).querySelector("[data-zoom]");
  if (image) new Image().src = image.src;
}

async function alike() {
  const facts = stage.querySelector(".facts");
  const link = every[at];
  let found = stage.querySelector("#alike");
  if (!found) {
    try {
      found = fragment(await part(link.pathname, "alike")).querySelector("#alike");
    } catch {
      return notify("Similar memes could not be loaded. Try again.");
    }
    if (link !== every[at]) return;
    found.querySelector("h2") ?? found.append("Nothing is similar to this meme.");
    (facts ?? stage).append(found);
  }
  dialog.classList.remove("bare");
  found.scrollIntoView({ block: "start" });
  found.querySelector("a.picture")?.focus();
}

// --- opening and closing ---

export async function open(link) {
  if (dialog?.open) {
    // A similar meme, chosen in the viewer: from here on its shelf is leafed through.
    grid = link.closest(".grid");
    every = links(grid);
    return show(every.indexOf(link));
  }
  const loaded = dialog ? undefined : build();
  grid = link.closest(".grid");
  origin = link;
  title = document.title;
  every = links(grid);
  history.pushState({ viewer: true }, "", link.href);
  await loaded;
  dialog.showModal();
  return show(every.indexOf(link));
}

// Forward, after the viewer was closed by Back.
export function reopen() {
  if (dialog?.open) return;
  const link = links().find((one) => one.href === location.href);
  if (!link) return location.reload();
  history.back();
  addEventListener("popstate", () => open(link), { once: true });
}

function leave() {
  history.back();
}

// The address is that of the grid again.
export function closed() {
  const card = every[at]?.closest("dialog") ? origin : every[at];
  latest++;
  play(false);
  dialog.close();
  stage.replaceChildren();
  document.title = title;
  card?.focus();
  card?.scrollIntoView({ block: "nearest" });
}

// --- keys, buttons and swipes ---

function play(on = !slides) {
  clearInterval(slides);
  slides = on ? setInterval(() => (at + 1 < every.length ? show(at + 1) : play(false)), SLIDE_SECONDS * 1000) : undefined;
  dialog.classList.toggle("playing", on);
  dialog.querySelector("[data-do=p]").setAttribute("aria-pressed", String(on));
}

function act(key) {
  const on = (selector) => stage.querySelector(selector)?.click();
  if (key === "Escape") stage.querySelector(".zoomed") ? on("[data-zoom-button]") : leave();
  else if (key === "ArrowRight") show(at + 1);
  else if (key === "ArrowLeft") show(at - 1);
  else if (key === "i") {
    const bare = dialog.classList.toggle("bare");
    dialog.querySelector("[data-do=i]").setAttribute("aria-pressed", String(!bare));
  } else if (key === "p") play();
  else if (key === "s") alike();
  else if (key === "c") on("[data-copy-picture]:not([hidden])") ?? (stage.querySelector("[data-copy-picture]:not([hidden])") || on("[data-copy]"));
  else if (key === "z") on("[data-zoom-button]");
  else if (key === "f") on("[data-favorite]");
  else if (key === "d") on("a[download]");
  else return false;
  return true;
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, video")) return;
  if (event.key !== "Escape" && act(event.key)) event.preventDefault();
  if (event.key === "Escape" && stage.querySelector(".zoomed")) {
    event.preventDefault();
    act("Escape");
  }
}

function swipes() {
  let from;
  stage.addEventListener("touchstart", (event) => (from = event.touches.length === 1 ? event.touches[0] : undefined), { passive: true });
  stage.addEventListener("touchend", (event) => {
    if (!from || stage.querySelector(".zoomed") || event.target.closest(".shelf")) return;
    const across = event.changedTouches[0].clientX - from.clientX;
    const down = event.changedTouches[0].clientY - from.clientY;
    if (Math.abs(across) > 50 && Math.abs(across) > 2 * Math.abs(down)) show(at + (across < 0 ? 1 : -1));
    else if (down > 110 && Math.abs(across) < 50 && stage.scrollTop <= 0) leave();
  });
}
