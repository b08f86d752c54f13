// The search page: the words and filters of the address, results while one types, more on demand.
import { FileError, fetching, script } from "./files.js";
import { watch } from "./grid.js";
import { withoutMarks } from "./query.js";
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
const filters = document.querySelector("[data-filters]");
const folded = document.querySelector("[data-folded]");
const sort = document.querySelector("[data-sort]");
const folder = new URL(document.querySelector("script[data-index]").dataset.index, document.baseURI);

const aside = document.querySelector("[data-aside]");
const slips = document.querySelector("[data-slips]");

const load = fetching(folder);
counted.dataset.started = ""; // chosen.js says so where this script was not loaded

let opened;
const index = () =>
  (opened ??= new SearchIndex(load).open().catch((error) => {
    opened = undefined;
    throw error;
  }));

const state = () => ({ q: field.value.trim().replace(/\s+/g, " "), ...Object.fromEntries([...selects, sort].map((one) => [one.name, one.value])) });

function read() {
  const values = new URLSearchParams(location.search);
  field.value = values.get("q") ?? "";
  for (const one of [...selects, sort]) choose(one, values.get(one.name) ?? "");
  if (selects.some((one) => one.value)) filters.open = true;
}

function choose(select, value) {
  if (value && ![...select.options].some((one) => one.value === value)) select.append(new Option(value, value));
  select.value = value;
}

function writeAddress() {
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

// --- by meaning: the text encoder is fetched when a visitor first searches ---

const AFTER_TYPING = 400; // milliseconds: what is typed on is not searched by meaning
const PATIENCE = 500; // milliseconds that results by words wait for those by meaning, once the encoder is there
let meaning; // a promise of the index of vectors
let vectors; // that index, once it is there
let encoder;
let refused = ""; // why this browser cannot search by meaning

// Whether to fetch megabytes unasked: not where the visitor or the network says to save.
const { saveData, effectiveType } = navigator.connection ?? {};
const mayLoad = () => !saveData && !/2g/.test(effectiveType ?? "");

const BY_WORDS = "memes are found by their words.";
const WITHOUT_MEANING = {
  offline: `Search by meaning has not been fetched, as the network is away: ${BY_WORDS}`,
  missing: `A part of search by meaning is missing on this site: ${BY_WORDS}`,
  server: `This site's host has an error, so search by meaning was not fetched: ${BY_WORDS}`,
  damaged: `A part of search by meaning is damaged on this site: ${BY_WORDS}`,
};

function openMeaning(words) {
  return (meaning ??= (async () => {
    if (typeof WebAssembly !== "object") throw new Error("there is no WebAssembly");
    const [{ MeaningIndex }, { Encoder }] = await script(Promise.all([import("./meaning.js"), import("./encoder.js")]), "meaning.js");
    const found = await new MeaningIndex(load, (text) => encoder.embed(text)).open(words.table.meaning.table);
    encoder = new Encoder(new URL("encoder/", folder), found.table.encoder, (share) => tell(`Loading search by meaning: ${Math.floor(share * 100)}\u00a0%`));
    await encoder.ready;
    tell("");
    return (vectors = found);
  })());
}

// Says why there is no search by meaning. It is tried again where another attempt may help, at once with the network.
function without(error) {
  console.warn(error);
  forgetMeaning();
  const kind = error instanceof FileError ? error.kind : "";
  if (kind === "updated") return tell(UPDATED);
  if (kind) return tell(WITHOUT_MEANING[kind], "Try again", () => (tell("Loading search by meaning…"), refresh()));
  refused = typeof WebAssembly === "object" ? `Search by meaning could not be started in this browser, which may lack memory: ${BY_WORDS}` : `This browser has no WebAssembly, without which it cannot search by meaning: ${BY_WORDS}`;
  tell(refused);
}

function forgetMeaning() {
  encoder?.close();
  encoder = meaning = vectors = undefined;
}

// A line about search by meaning.
const tell = (text, label, act) => write(aside, text, label, act);

// Fills a line, with a button where the visitor decides.
function write(line, text, label = "", act) {
  line.hidden = !text && !label;
  line.textContent = text;
  if (!label) return;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: label });
  button.addEventListener("click", act);
  line.append(" ", button);
}

// Whether somebody looks at the results, so that they must not be put in another order.
const isReading = () => scrollY > 200 || Boolean(document.querySelector("dialog[open]")) || results.contains(document.activeElement);

let latest = 0;
let answer;
let shown = 0;

const UPDATED = "This site was updated since the page was loaded. Load the page again.";
const FAILED = {
  offline: "This site cannot be reached. The search goes on when it can.",
  missing: "A part of the search is missing on this site. If it is being updated, load the page again in a minute.",
  server: "This site's host has an error, so the search cannot go on. Load the page again in a minute.",
  damaged: "A part of the search is damaged on this site. If it is being updated, load the page again in a minute.",
  updated: UPDATED,
};
let waits = false; // for the network
addEventListener("online", () => waits && refresh());

async function refresh({ typed = false, again = false } = {}) {
  const mine = ++latest;
  const { q, ...filters } = state();
  const is = () => mine === latest;
  try {
    const words = await index();
    const options = { ...filters, prefix: typed };
    waits = false;
    const byMeaning = q && words.table.meaning && !refused ? async () => words.search(q, { ...options, meaning: await openMeaning(words) }) : undefined;
    let drawn = false;
    const byWords = words.search(q, { ...options, exactly: true });
    if (byMeaning && vectors && !typed) {
      const first = await Promise.race([byMeaning().catch(() => byWords), new Promise((done) => setTimeout(done, PATIENCE))]);
      if (!is()) return;
      if (first) {
        await draw(first, is);
        if (first.byMeaning) return;
        drawn = true;
      }
    }
    if (!drawn) await draw(await byWords, is);
    if (!is()) return;
    if (typed) await new Promise((done) => setTimeout(done, AFTER_TYPING));
    await addSlips(await byWords, () => words.search(q, options), { is, again });
    if (!byMeaning || !is()) return;
    const join = async () => {
      let found;
      try {
        found = await byMeaning();
      } catch (error) {
        if (!is()) return;
        if (error.kind === "missing" && !again) throw error;
        waits = error.kind === "offline";
        return without(error);
      }
      if (!is()) return;
      if (isReading()) return tell("", "Show results by meaning, too", () => (tell(""), draw(found, is)));
      await draw(found, is);
    };
    const joined = () => join().catch(failed);
    const failed = (error) => is() && fail(error, { typed, again });
    if (meaning || mayLoad()) await joined();
    else tell("", `Search by meaning, too (${Math.ceil(words.table.meaning.bytes / 1e6)} MB, once)`, () => (tell("Loading search by meaning…"), joined()));
  } catch (error) {
    if (is()) fail(error, { typed, again });
  }
}

// Adds the memes that say a phrase with a slip to an answer that has those that say it as it is typed.
async function addSlips(first, search, { is, again }) {
  if (!is() || first.isWhole) return;
  let whole;
  try {
    whole = await search();
  } catch (error) {
    if (!is()) return;
    if (error.kind === "missing" && !again) throw error; // the site was updated since the page was loaded
    console.warn(error);
    waits = error.kind === "offline";
    return write(slips, `A part of the search could not be loaded: what says ${first.phrases.length > 1 ? "these phrases" : "the phrase"} with a slip is not here.`);
  }
  if (!is() || answer !== first) return; // it is searched by meaning already
  const more = whole.total - first.total;
  if (!more && whole.hits.every(({ id }, at) => id === first.hits[at]?.id)) {
    first.isWhole = true; // what is shown stays as it is
    counted.textContent = counts(first);
  } else if (isReading()) {
    const found = more > 0 ? `${more.toLocaleString("en")} more ${more === 1 ? "meme says" : "memes say"} this with a slip.` : "";
    write(slips, found, "Show all results", () => draw(whole, is));
  } else await draw(whole, is);
}

function fail(error, { typed, again }) {
  const kind = error instanceof FileError ? error.kind : "damaged";
  if (!again && kind === "missing") {
    opened = undefined; // the site was updated since the page was loaded
    forgetMeaning();
    return refresh({ typed, again: true });
  }
  console.warn(error);
  waits = kind === "offline";
  answer = undefined;
  results.replaceChildren(); // those of other words
  folded.hidden = nothing.hidden = true;
  showing.hidden = false;
  showing.textContent = waits && !navigator.onLine ? "You are offline, and these words were not searched before." : FAILED[kind];
  counted.textContent = "Search failed";
}

// Shows an answer, unless another one was asked for meanwhile.
async function draw(found, is) {
  if (!is()) return;
  answer = found;
  shown = 0;
  fillFilters();
  counted.textContent = counts(found);
  write(slips, "");
  fold(found);
  const notes = [...found.corrected.map(([word, other]) => `No meme has “${word}”, so “${other}” was searched.`), ...found.unknown.map((word) => `No meme has “${word}”.`)];
  notes.push(...found.notices, ...found.wordless.map((phrase) => `“${phrase}” has no word to look for.`));
  showing.hidden = !notes.length;
  showing.textContent = notes.join("\n");
  nothing.hidden = found.hits.length > 0;
  results.dataset.by = found.byMeaning ? "meaning" : "words";
  const items = await page();
  if (!is() || found !== answer) return;
  const focused = results.contains(document.activeElement) && document.activeElement.href;
  results.replaceChildren(...items);
  watch();
  // Whoever reached a card by keys while the next answer was on its way stays on its meme.
  if (focused) [...results.querySelectorAll("a")].find((one) => one.href === focused)?.focus();
}

// How many memes match, in the served site's words.
function counts({ hits, total, phrases, asksMore, isWhole }) {
  const weaker = hits.length - total;
  const many = (one, more) => `${total.toLocaleString("en")} ${total === 1 ? one : more}`;
  if (total && phrases.length) return `${asksMore ? many("match that", "matches that") : many("meme", "memes")} ${total === 1 ? "says" : "say"} ${phrases.length > 1 ? "all of this" : "this"}`;
  if (total) return many("match", "matches") + (weaker ? ` · ${weaker.toLocaleString("en")} weaker` : "");
  const nothing = selects.some((one) => one.value) ? "With these filters, nothing" : "Nothing";
  if (phrases.length && !isWhole) return `${nothing} says exactly this. Looking for slips…`;
  if (!weaker) return phrases.length ? `${nothing} says this.` : "No results";
  if (!phrases.length || asksMore) return "No exact match. Best guesses:";
  // What is found by its meaning alone has none of the words.
  const near = hits.slice(0, PAGE).some(({ hasWords }) => hasWords) ? "Similar words:" : "Best guesses:";
  return `${nothing} says ${phrases.length > 1 ? "all of this" : "this"}. ${near}`;
}

// A phrase is a promise: where memes say it, those that do not are folded away.
const isFolded = ({ phrases, total }) => Boolean(phrases.length && total);
const listed = (of) => (isFolded(of) ? of.hits.slice(0, of.total) : of.hits);

function fold(found) {
  const others = isFolded(found) ? found.hits.slice(found.total) : [];
  folded.hidden = !others.length;
  folded.open = false;
  folded.querySelector("ul").replaceChildren();
  folded.querySelector("summary").textContent = `${others.length.toLocaleString("en")} ${others.length === 1 ? "meme has" : "memes have"} similar words${found.byMeaning ? " or a similar meaning" : ""}`;
  folded.querySelector("a").href = `${location.pathname}?${new URLSearchParams({ q: withoutMarks(state().q) })}`;
}

folded.addEventListener("toggle", async () => {
  const of = answer;
  if (!folded.open || folded.querySelector("ul").children.length) return;
  const cards = await cardsOf(of.hits.slice(of.total, of.total + PAGE));
  if (of === answer) folded.querySelector("ul").replaceChildren(...cards.filter(Boolean));
});

// The numbers in the filters take facts about all memes, so they are there once the filters are open.
async function fillFilters() {
  const of = answer;
  if (!filters.open || !of) return;
  const facets = await of.facets().catch(() => undefined);
  if (facets && of === answer) for (const one of selects) fill(one, facets[one.name]);
}
filters.addEventListener("toggle", fillFilters);

// The cards of the next hits, and the button for those after them.
async function page() {
  const [from, of] = [shown, answer];
  const all = listed(of);
  const hits = all.slice(from, from + PAGE);
  const cards = await cardsOf(hits);
  shown = from + hits.length;
  const items = [];
  cards.forEach((card, at) => {
    if (from + at === of.total && of.total) items.push(tile("less", "Weaker matches"));
    if (card) items.push(card);
  });
  if (shown < all.length) {
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
  } else if (all.length) items.push(tile("last", "That is all."));
  return items;
}

// A card that cannot be fetched is a tile that says so.
async function cardsOf(hits) {
  const words = await index();
  const unseen = () => tile("less", navigator.onLine ? "A meme could not be loaded." : "Offline: a meme that was not seen before.");
  return Promise.all(hits.map((hit) => words.card(hit.id).then((html) => item(html, hit), (error) => (error.kind === "missing" ? undefined : unseen()))));
}

function item(html, hit) {
  if (!html) return undefined; // the site was updated a moment ago
  const template = document.createElement("template");
  template.innerHTML = html; // made by the export, from escaped texts
  const card = template.content.querySelector(".card");
  const words = [...new Set(hit.words)].slice(0, 3);
  if (card && (words.length || hit.says.length)) {
    const quoted = (some) => some.map((one) => `“${one}”`).join(", ");
    const textContent = hit.says.length ? `says ${quoted(hit.says)}` : `has ${quoted(words)}`;
    const reason = Object.assign(document.createElement("span"), { className: "reason", textContent });
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
    writeAddress();
    refresh({ typed: true });
  }, DEBOUNCE);
});
for (const one of [...selects, sort]) {
  one.addEventListener("change", () => {
    writeAddress();
    refresh();
  });
}
box.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  writeAddress();
  refresh();
});
addEventListener("popstate", (event) => {
  if (event.state?.viewer || document.querySelector("dialog[open]")) return;
  const before = JSON.stringify(state());
  read();
  if (before !== JSON.stringify(state())) refresh();
});

read();
if (globalThis.DecompressionStream) refresh();
else {
  counted.textContent = "Search failed";
  showing.hidden = false;
  showing.textContent = "This browser is too old to search here. It can show the categories and all memes.";
}
if (!field.value) field.focus();
