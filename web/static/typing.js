// Help while typing: results as one types, categories, operators with a line of help, and earlier searches.
import { base, visit } from "./site.js";

const OPERATORS = [
  ['"…"', "says exactly these words"],
  ["category:", "only this category"],
  ["-", "leave out memes with this word"],
  ["after:", "added in or after this year, as 2022 or 2022-06"],
  ["before:", "added before this year"],
  ["type:", "gif, video or image"],
  ["tag:", "a tag that the curator gave"],
  ["has:", "ocr or description"],
  ["like:", "similar to the meme with this number"],
];
const VALUES = {
  type: [["gif", "moving pictures"], ["video", "videos"], ["image", "still pictures"]],
  has: [["ocr", "text was read in the picture"], ["description", "somebody described it"]],
};
const DEBOUNCE = 160; // milliseconds
const MOST = 8; // suggestions
const KEPT = 8; // earlier searches

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
const quoted = (name) => (/^[\p{L}\p{N}_]+$/u.test(name) ? name : `"${name.replace(/(["\\])/g, "\\$1")}"`);

function recent() {
  try {
    return JSON.parse(localStorage.getItem("recent") ?? "[]").filter((one) => typeof one === "string");
  } catch {
    return [];
  }
}

function remember(query) {
  if (!query) return;
  try {
    localStorage.setItem("recent", JSON.stringify([query, ...recent().filter((one) => one !== query)].slice(0, KEPT)));
  } catch {
    // Private windows may keep nothing.
  }
}

const lists = {}; // of names, each asked for once
const namesOf = (name) =>
  (lists[name] ??= fetch(`${base}/api/${name}`)
    .then((answer) => (answer.ok ? answer.json() : { hits: [] }))
    .then((found) => found.hits)
    .catch(() => []));
const categories = () => namesOf("categories");

// The part of the query that the caret stands in: from the last space outside quotation marks.
export function partAt(text, caret) {
  let start = 0;
  let inQuotes = false;
  for (let at = 0; at < caret; at++) {
    if (text[at] === '"' && text[at - 1] !== "\\") inQuotes = !inQuotes;
    else if (/\s/.test(text[at]) && !inQuotes) start = at + 1;
  }
  let end = caret;
  while (end < text.length && !/\s/.test(text[end])) end++;
  return { start, end, part: text.slice(start, caret) };
}

// Returns suggestions as { text, help, insert (in place of the part) or query (in place of everything) }.
async function suggest(text, caret) {
  const { part } = partAt(text, caret);
  if (!text.trim()) {
    const earlier = recent().map((query) => ({ text: query, help: "earlier search", query }));
    return [...earlier.slice(0, 4), ...OPERATORS.map(([operator, help]) => ({ text: operator, help, insert: operator === '"…"' ? '"' : operator }))].slice(0, MOST);
  }
  const [, minus, operator, value] = /^(-?)(?:([a-z]+):)?"?(.*)$/is.exec(part);
  const wanted = fold(value.replace(/"$/, ""));
  if (operator && VALUES[operator.toLowerCase()]) {
    return VALUES[operator.toLowerCase()].filter(([one]) => one.startsWith(wanted) && one !== wanted).map(([one, help]) => ({ text: one, help, insert: `${minus}${operator}:${one} ` }));
  }
  if (operator?.toLowerCase() === "tag") {
    const tags = (await namesOf("tags")).filter(({ tag }) => fold(tag).includes(wanted) && fold(tag) !== wanted);
    return tags.slice(0, MOST).map(({ tag, memes }) => ({ text: tag, help: memes === 1 ? "1 meme" : `${memes.toLocaleString()} memes`, insert: `${minus}tag:${quoted(tag)} ` }));
  }
  const ofCategories = operator?.toLowerCase() === "category";
  if (!ofCategories && (operator || wanted.length < 2)) return [];
  const scored = (await categories())
    .map((one) => ({ ...one, key: fold(one.category) }))
    .filter(({ key }) => key.includes(wanted))
    .sort((one, other) => other.key.startsWith(wanted) - one.key.startsWith(wanted) || other.memes - one.memes);
  const found = scored.map((one) => ({
    text: one.category,
    help: ofCategories ? `${one.memes.toLocaleString()} memes` : "only this category",
    insert: `${minus}category:${quoted(one.category)} `,
  }));
  if (ofCategories) return found.slice(0, MOST);
  const operators = OPERATORS.filter(([one]) => one.startsWith(wanted)).map(([one, help]) => ({ text: one, help, insert: minus + one }));
  const earlier = recent().filter((query) => fold(query).startsWith(fold(text)) && query !== text).map((query) => ({ text: query, help: "earlier search", query }));
  return [...operators, ...earlier.slice(0, 2), ...found.slice(0, 3)].slice(0, MOST);
}

// Makes the search box a combobox (WAI-ARIA) and shows results while one types.
export function help(box, field) {
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = "suggestions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  box.append(list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" })) field.setAttribute(name, value);

  let options = [];
  let chosen = -1;
  const close = () => {
    list.hidden = true;
    chosen = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const choose = (to) => {
    chosen = to;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
    if (chosen >= 0) field.setAttribute("aria-activedescendant", list.children[chosen].id);
    else field.removeAttribute("aria-activedescendant");
  };
  const refresh = async () => {
    const text = field.value;
    const found = await suggest(text, field.selectionStart ?? text.length);
    if (text !== field.value || document.activeElement !== field) return;
    options = found;
    list.replaceChildren(
      ...options.map((one, at) => {
        const item = document.createElement("li");
        item.id = `suggestion-${at}`;
        item.setAttribute("role", "option");
        const note = document.createElement("small");
        note.textContent = one.help;
        item.append(one.text, note);
        return item;
      }),
    );
    choose(-1);
    list.hidden = !options.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
  };
  const take = (option) => {
    if (option.query !== undefined) field.value = option.query;
    else {
      const { start, end } = partAt(field.value, field.selectionStart ?? field.value.length);
      field.setRangeText(option.insert, start, end, "end");
    }
    close();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // --- results while typing ---
  let shown = new URL(location.href).searchParams.get("q") ?? "";
  let waiting;
  const live = () => {
    clearTimeout(waiting);
    const query = field.value.trim();
    if (query === shown || query.endsWith(":") || query === "-") return;
    waiting = setTimeout(async () => {
      const values = new URLSearchParams([...new FormData(box)].filter(([, value]) => value));
      const replace = history.state?.typed === true || Boolean(new URL(location.href).searchParams.get("q"));
      try {
        shown = query;
        await visit(`${base}/${values.size ? `?${values}` : ""}`, { replace, patient: true });
        history.replaceState({ ...history.state, typed: true }, "");
      } catch {
        // A later letter asks again.
      }
    }, DEBOUNCE);
  };

  field.addEventListener("input", () => {
    refresh();
    live();
  });
  field.addEventListener("click", refresh);
  field.addEventListener("blur", () => {
    close();
    remember(field.value.trim());
  });
  field.addEventListener("keydown", (event) => {
    const count = list.hidden ? 0 : options.length;
    if (count && event.key === "ArrowDown") choose(chosen + 1 < count ? chosen + 1 : -1);
    else if (count && event.key === "ArrowUp") choose(chosen < 0 ? count - 1 : chosen - 1);
    else if (count && (event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(options[chosen]);
    else if (count && event.key === "Escape") close();
    else if (event.key === "ArrowDown" && !count) return refresh();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const at = [...list.children].indexOf(event.target.closest("li"));
    if (at >= 0) take(options[at]);
  });
  box.addEventListener("submit", (event) => {
    remember(field.value.trim());
    if (field.value.trim() !== shown || !document.getElementById("results")) return;
    event.preventDefault(); // its results are there already
    clearTimeout(waiting);
    field.blur();
  });
  if (document.activeElement === field) refresh();
}
