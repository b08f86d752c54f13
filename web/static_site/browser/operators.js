// The operators of a query in an exported site, as `search/query/filters.py` understands them; `like:` needs a server.
import { nearest } from "./query.js";

const TYPES = ["image", "gif", "video"];
const THINGS = ["ocr", "description"];
const UNIX = 719163; // the day 1 January 1970, counted from 1 January of the year 1
const SEPARATOR = " - "; // between a category and one below it

// As `name_key` in search/meme.py.
const fold = (name) => name.toLowerCase().normalize("NFC").replaceAll("i\u0307", "i").replaceAll("\u0131", "i").trim().replace(/\s+/g, " ");

// What the operators let pass, and a sentence for each that was left out: { passes: (fact) => …, notices }.
// `known` has what there is: { categories, tags, variants, ids }.
export function filterOf(operators, known) {
  const notices = [];
  const all = [];
  const either = {}; // a meme has one category and one type: several of them are alternatives
  for (const one of operators) {
    const test = testOf(one, known);
    if (typeof test === "string") notices.push(`${one.typed} was left out: ${test}`);
    else if (one.excluded) all.push((fact) => !test(fact));
    else if (one.kind === "category" || one.kind === "type") (either[one.kind] ??= []).push(test);
    else all.push(test);
  }
  const groups = Object.values(either);
  return { passes: (fact) => all.every((test) => test(fact)) && groups.every((tests) => tests.some((test) => test(fact))), notices };
}

// The test of an operator without its minus, or the reason why it is left out.
function testOf({ kind, value, excluded }, known) {
  if (kind === "category") return ofCategory(fold(value), known.categories);
  if (kind === "type" || kind === "has") {
    const [names, what] = kind === "type" ? [TYPES, "types"] : [THINGS, "values of has"];
    const wanted = value.toLowerCase().split("|");
    const wrong = wanted.find((one) => !names.includes(one));
    if (wrong !== undefined) return `“${wrong}” is not one of the ${what}: ${names.join(", ")}.`;
    return kind === "type" ? (fact) => wanted.includes(fact.type) : (fact) => wanted.some((one) => fact.has & (1 << THINGS.indexOf(one)));
  }
  if (kind === "tag") {
    const wanted = value.split("|").map(fold);
    const wrong = wanted.find((one) => !known.tags.has(one));
    if (wrong !== undefined) return `no meme has the tag “${wrong}”.${suggested(nearest(wrong, [...known.tags.keys()], 3, 0.5))}`;
    return (fact) => wanted.some((one) => known.tags.get(one).has(fact.id));
  }
  if (kind === "before" || kind === "after") return ofTime(kind, value, excluded);
  if (kind === "like" && excluded) return "nothing can be asked to be unlike a meme.";
  if (!/^[0-9]{1,18}$/.test(value)) return "a meme is named by its number, as in like:17; its page shows it.";
  if (!known.ids.has(Number(value))) return `there is no meme ${value}.`;
  if (kind === "like") return "a site of files cannot compare memes. What is like a meme is on its page.";
  const group = known.variants.get(Number(value)) ?? Number(value);
  return (fact) => (known.variants.get(fact.id) ?? fact.id) === group;
}

function ofCategory(wanted, categories) {
  const branches = new Map(); // each category and those above it, by the folded name
  for (const name of categories) {
    const parts = name.split(SEPARATOR);
    for (let end = 1; end <= parts.length; end++) branches.set(fold(parts.slice(0, end).join(SEPARATOR)), parts.slice(0, end).join(SEPARATOR));
  }
  const lastOf = (name) => name.split(SEPARATOR).at(-1);
  const ends = branches.has(wanted) ? [wanted] : [...branches.keys()].filter((name) => lastOf(name) === wanted); // the last part, if one alone ends so
  if (ends.length > 1) return `there are several categories of that name: ${ends.slice(0, 5).map((name) => branches.get(name)).join("; ")}.`;
  if (!ends.length) {
    const byPart = new Map([...branches.keys()].map((name) => [lastOf(name), name]));
    const near = [...nearest(wanted, [...branches.keys()], 3, 0.5), ...nearest(wanted, [...byPart.keys()], 3, 0.6).map((part) => byPart.get(part))];
    return `there is no such category.${suggested([...new Set(near)].map((name) => branches.get(name)))}`;
  }
  return (fact) => fold(fact.category) === ends[0] || fold(fact.category).startsWith(ends[0] + SEPARATOR);
}

const suggested = (names) => (names.length ? ` The nearest: ${names.join("; ")}.` : "");

function ofTime(kind, value, excluded) {
  if (excluded) return "a time has no minus; use before: for after: and the other way round.";
  const [, year, month = "1", date = "1"] = /^(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?$/.exec(value) ?? [];
  const time = new Date(0);
  time.setUTCFullYear(Number(year), Number(month) - 1, Number(date)); // Date.UTC takes the year 24 for 1924
  if (!Number(year) || time.getUTCMonth() !== Number(month) - 1 || time.getUTCDate() !== Number(date)) return "write a year, a month or a day, as in 2024, 2024-06 or 2024-06-30.";
  const day = time.getTime() / 86_400_000 + UNIX;
  return kind === "before" ? (fact) => fact.day < day : (fact) => fact.day >= day;
}
