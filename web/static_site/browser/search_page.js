// The search page: the words and filters of the address, results while one types, more on demand.
import { watch } from "./grid.js";
import { SearchIndex } from "./search.js";

const PAGE = 30;
const DEBOUNCE = 120; // milliseconds
const field = document.getElementById("q");
const box = document.querySelector("[data-search]");
const results = document.getElementById("results");
const counted = document.querySelector("[data-counted]");
const showing = document.querySelector("[data-showing]");
const nothing = document.querySelector("[data-nothing]");
const selects = [...document.querySelectorAll("[data-facet]")];
const sort = document.querySelector("[data-sort]");
const folder = new URL(document.querySelector("script[data-index]").dataset.index, document.baseURI);

let opened;
const index = () =>
  (opened ??= new SearchIndex(async (name) => {
    const answer = await fetch(new URL(name, folder));
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    return answer.arrayBuffer();
  })
    .open()
    .catch((error) => {
      opened = undefined;
      throw error;
    }));

const state = () => ({ q: field.value.trim().replace(/\s+/g, " "), ...Object.fromEntries([...selects, sort].map((one) => [one.name, one.value])) });

function read() {
  const values = new URLSearchParams(location.search);
  field.value = values.get("q") ?? "";
  for (const one of [...selects, sort]) choose(one, values.get(one.name) ?? "");
}

function choose(select, value) {
  if (value && ![...select.options].some((one) => one.value === value)) select.append(new Option(value, value));
  select.value = value;
}

function write() {
  const values = new URLSearchParams(Object.entries(state()).filter(([, value]) => value));
  const address = new URL(location.href);
  address.search = values.toString();
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

function fill(select, counts) {
  const chosen = select.value;
  const rows = [...counts].sort(([one, few], [other, many]) => (select.name === "year" ? other.localeCompare(one) : many - few || one.localeCompare(other)));
  select.length = 1;
  for (const [value, memes] of rows) select.append(new Option(`${value} (${memes.toLocaleString("en")})`, value));
  choose(select, chosen);
}

let latest = 0;
let answer;
let shown = 0;

async function refresh({ typed = false } = {}) {
  const mine = ++latest;
  const { q, ...filters } = state();
  try {
    const found = await (await index()).search(q, { ...filters, prefix: typed });
    if (mine !== latest) return;
    answer = found;
    shown = 0;
    for (const one of selects) fill(one, found.facets[one.name]);
    const weaker = found.hits.length - found.total;
    counted.textContent = [
      found.total || !weaker ? `${found.total.toLocaleString("en")} ${found.total === 1 ? "match" : "matches"}` : "No exact match",
      weaker ? `${weaker.toLocaleString("en")} weaker` : "",
    ].filter(Boolean).join(" · ");
    showing.hidden = !found.corrected.length && !found.unknown.length;
    showing.textContent = [...found.corrected.map(([word, other]) => `No meme has “${word}”, so “${other}” was searched.`), ...found.unknown.map((word) => `No meme has “${word}”.`)].join(" ");
    nothing.hidden = found.hits.length > 0;
    const items = await page();
    if (mine !== latest) return;
    results.replaceChildren(...items);
    watch();
  } catch (error) {
    if (mine !== latest) return;
    console.warn(error);
    counted.textContent = navigator.onLine ? "The search could not be loaded. Load the page again." : "You are offline, and these words were not searched before.";
  }
}

// The cards of the next hits, and the button for those after them.
async function page() {
  const [from, of] = [shown, answer];
  const hits = of.hits.slice(from, from + PAGE);
  const cards = await Promise.all(hits.map(async (hit) => item(await (await index()).card(hit.id), hit)));
  shown = from + hits.length;
  const items = [];
  cards.forEach((card, at) => {
    if (from + at === of.total && of.total) items.push(tile("less", "Weaker matches"));
    if (card) items.push(card);
  });
  if (shown < of.hits.length) {
    const more = tile("last", "");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "More memes →" });
    button.addEventListener("click", async () => {
      const next = await page();
      if (of !== answer) return;
      more.replaceWith(...next);
      watch();
      next.find((one) => one.matches(".card"))?.querySelector("a.picture").focus();
    });
    more.append(button);
    items.push(more);
  } else if (of.hits.length) items.push(tile("last", "That is all."));
  return items;
}

function item(html, hit) {
  if (!html) return undefined; // the site was updated a moment ago
  const template = document.createElement("template");
  template.innerHTML = html; // made by the export, from escaped texts
  const card = template.content.querySelector(".card");
  const words = [...new Set(hit.words)].slice(0, 3);
  if (card && words.length) {
    const reason = Object.assign(document.createElement("span"), { className: "reason", textContent: `has ${words.map((word) => `“${word}”`).join(", ")}` });
    card.querySelector(".category")?.replaceWith(reason);
  }
  return card;
}

function tile(kind, text) {
  const one = document.createElement("li");
  one.className = `tile ${kind}`;
  if (text) one.append(Object.assign(document.createElement("span"), { textContent: text }));
  return one;
}

let waiting;
field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    write();
    refresh({ typed: true });
  }, DEBOUNCE);
});
for (const one of [...selects, sort]) {
  one.addEventListener("change", () => {
    write();
    refresh();
  });
}
box.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  write();
  refresh();
});
addEventListener("popstate", (event) => {
  if (event.state?.viewer || document.querySelector("dialog[open]")) return;
  const before = JSON.stringify(state());
  read();
  if (before !== JSON.stringify(state())) refresh();
});

read();
refresh();
if (!field.value) field.focus();
