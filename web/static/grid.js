// A grid of memes: it grows while one scrolls, is the same after Back, and shows variants and moving pictures in place.

const results = () => document.getElementById("results");
export const links = (within = document) => [...within.querySelectorAll(".card > a.picture")];

// --- more while scrolling ---

let place = location.pathname + location.search; // of the page whose grid is shown; the viewer changes the address
let loading;
const next = () => results()?.querySelector(":scope > .last a[data-next]");
const observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: "1200px" });

// Adds the next page to the grid; returns whether there was one.
export async function more() {
  const link = next();
  if (!link) return false;
  loading ??= append(link).finally(() => (loading = undefined));
  return loading;
}

async function append(link) {
  const answer = await fetch(link.href);
  if (!answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const known = new Set([...results().querySelectorAll(":scope > .card")].map((one) => one.dataset.id));
  const items = [...page.querySelectorAll("#results > li")].filter((one) => !known.has(one.dataset.id));
  link.closest("li").remove();
  results().append(...items);
  watch();
  return items.length > 0;
}

// Prepares what is new on the page.
export function watch() {
  place = location.pathname + location.search;
  document.querySelector("[data-pager]")?.toggleAttribute("hidden", Boolean(results()?.querySelector(":scope > .last")));
  observer.disconnect();
  if (next()) observer.observe(next());
  for (const badge of document.querySelectorAll("span[data-play]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = badge.className;
    Object.assign(button.dataset, badge.dataset);
    button.textContent = badge.firstChild.textContent;
    button.setAttribute("aria-label", badge.dataset.play === "gif" ? "Play this GIF" : "Play this video");
    badge.replaceWith(button);
  }
}

// --- the same place after Back ---

export function restore() {
  const entry = performance.getEntriesByType("navigation")[0];
  const stored = sessionStorage.getItem(`grid:${place}`);
  if (!results() || !stored || entry?.type !== "back_forward") return;
  const { html, scroll } = JSON.parse(stored);
  results().innerHTML = html;
  requestAnimationFrame(() => scrollTo(0, scroll));
}

addEventListener("pagehide", () => {
  if (!results()) return;
  try {
    sessionStorage.setItem(`grid:${place}`, JSON.stringify({ html: results().innerHTML, scroll: scrollY }));
  } catch {
    sessionStorage.clear(); // full: the scroll position is lost
  }
});

// Returns whether the address is of another page than the one shown.
export const forget = () => place !== location.pathname + location.search;

// --- variants, in a tray below the row of their card ---

export async function unfold(link) {
  const card = link.closest(".card");
  if (link.getAttribute("aria-expanded") === "true") return fold(card, link);
  const answer = await fetch(link.href);
  if (!answer.ok) return location.assign(link.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const others = [...page.querySelectorAll("#results > .card")].filter((one) => one.dataset.id !== card.dataset.id);
  for (const one of others) one.querySelector("a.variants")?.remove();
  const tray = document.createElement("li");
  tray.className = "tray";
  tray.dataset.of = card.dataset.id;
  tray.innerHTML = '<p class="shelf-head"><b></b><button type="button" class="button">Hide</button></p><ul class="grid shelf"></ul>';
  tray.querySelector("b").textContent = others.length === 1 ? "1 variant of this meme" : `${others.length} variants of this meme`;
  tray.querySelector("button").addEventListener("click", () => fold(card, link));
  tray.querySelector("ul").append(...others);
  let end = card; // the last card of the row
  while (end.nextElementSibling?.matches(".card") && end.nextElementSibling.offsetTop === card.offsetTop) end = end.nextElementSibling;
  end.after(tray);
  link.setAttribute("aria-expanded", "true");
  watch();
}

function fold(card, link) {
  document.querySelector(`.tray[data-of="${card.dataset.id}"]`)?.remove();
  link.setAttribute("aria-expanded", "false");
  link.focus();
}

// --- GIFs and videos: played while a mouse is over them, or by their badge ---

const still = matchMedia("(prefers-reduced-motion: reduce)");

function play(badge) {
  const picture = badge.closest(".card").querySelector(".picture");
  if (picture.querySelector("[data-moving]")) return;
  const moving = document.createElement(badge.dataset.play === "gif" ? "img" : "video");
  Object.assign(moving, { src: badge.dataset.src, alt: "", muted: true, loop: true, playsInline: true, autoplay: true });
  moving.dataset.moving = "";
  moving.className = "moving";
  picture.append(moving);
  badge.setAttribute("aria-pressed", "true");
}

function stop(badge) {
  badge.closest(".card").querySelector("[data-moving]")?.remove();
  badge.setAttribute("aria-pressed", "false");
}

const moved = (event) => event.pointerType === "mouse" && event.target.closest?.(".card")?.querySelector(":scope > [data-play]");
document.addEventListener("pointerover", (event) => {
  const badge = moved(event);
  if (badge && !still.matches) play(badge);
});
document.addEventListener("pointerout", (event) => {
  const badge = moved(event);
  if (badge && !badge.closest(".card").contains(event.relatedTarget)) stop(badge);
});
document.addEventListener("click", (event) => {
  const badge = event.target.closest?.("button[data-play]");
  if (!badge) return;
  if (badge.getAttribute("aria-pressed") === "true" && !matchMedia("(hover: hover)").matches) stop(badge);
  else if (badge.getAttribute("aria-pressed") === "true" && still.matches) stop(badge);
  else play(badge);
});

// --- arrow keys, in two dimensions ---

export function move(key) {
  const every = links();
  const here = every.indexOf(document.activeElement);
  if (here < 0) return every[0];
  if (key === "ArrowRight") return every[here + 1];
  if (key === "ArrowLeft") return every[here - 1];
  const from = every[here].getBoundingClientRect();
  const below = key === "ArrowDown";
  const center = from.left + from.width / 2;
  const distance = (at) => Math.abs(below ? at.top - from.bottom : from.top - at.bottom) * 3 + Math.abs(at.left + at.width / 2 - center);
  return every
    .map((link) => ({ link, at: link.getBoundingClientRect() }))
    .filter(({ at }) => (below ? at.top >= from.bottom - 1 : at.bottom <= from.top + 1))
    .sort((one, other) => distance(one.at) - distance(other.at))[0]?.link;
}
