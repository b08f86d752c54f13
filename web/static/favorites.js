// Favorites: the numbers of memes, kept in this browser and nowhere else.
import { favorites, FAVORITES, label } from "./meme.js";
import { base, notify, visit } from "./site.js";

export { favorites };

const MOST = 500;

export function keep(ids) {
  try {
    localStorage.setItem(FAVORITES, JSON.stringify(ids.slice(0, MOST)));
    return true;
  } catch {
    notify("Your browser keeps nothing for this site, so there are no favorites.");
    return false;
  }
}

// Adds a meme, newest first, or takes it out.
export function toggle(id) {
  const ids = favorites();
  const known = ids.includes(id);
  if (!keep(known ? ids.filter((one) => one !== id) : [id, ...ids])) return;
  notify(known ? "No longer a favorite." : "Added to your favorites, in this browser.", 3);
  for (const button of document.querySelectorAll("[data-favorite]")) label(button);
}

// Shows the favorites on their page; a page that was opened with numbers shows those of somebody else.
export function show() {
  const page = document.querySelector("[data-favorites]");
  if (!page) return;
  if (page.dataset.favorites === "own") {
    const ids = favorites();
    if (ids.length) return visit(`${base}/favorites?ids=${ids.join(".")}`, { replace: true }).then(show);
    page.querySelector("[data-none]").hidden = false;
    page.querySelector("[data-wait]").hidden = true;
    return;
  }
  const add = page.querySelector("[data-add]");
  const ids = page.dataset.favorites.split(".");
  const own = favorites();
  if (!add || ids.every((one) => own.includes(one))) return;
  add.hidden = false;
  add.addEventListener("click", () => {
    if (!keep([...new Set([...own, ...ids])])) return;
    add.hidden = true;
    notify("Added to your favorites, in this browser.", 3);
  });
}
