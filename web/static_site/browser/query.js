// The query language of the served site, as `search/query/parser.py` reads it: words, quoted phrases and operators.
const OPERATORS = ["category", "before", "after", "type", "tag", "has", "like", "variants"];
const ALIASES = { since: "after", until: "before", filetype: "type", folder: "category", similar: "like" };
const MOST_CHARACTERS = 2000;
const MOST_WEIGHT = 10;
const LEAST_SIMILARITY = 0.82; // of two names; below, a word before a colon is not a misspelled operator
const WEIGHT = "[0-9]{1,3}(?:\\.[0-9]{1,2})?";
const QUOTED = `[([{]*(-?(?:${OPERATORS.join("|")}):|-|${WEIGHT}:(?:like:)?)?"((?:[^"\\\\]|\\\\.)*)"[.,;:!?…)\\]}]*(?=\\s|$)`;
const PIECE = new RegExp(`${QUOTED}|\\S+`, "giu");
const LEAD = new RegExp(`^(?:(-)(?=[^-]|$)|(${WEIGHT}):(?=[\\p{L}_]|[^\\x00-\\x7f]|$))?(?:([A-Za-z]+):)?`, "u");
const INVISIBLE = /[\u00ad\u200e\u200f\u2060\u2066-\u2069\ufeff]|(?<!🏴[\u{e0020}-\u{e007f}]*)[\u{e0020}-\u{e007f}]/gu;
const FANCY = /[\uff01-\uffee\u{1d400}-\u{1d7ff}]|(?=\p{L})[\u2102-\u2134]/gu; // letters in another width or typeface
const MARKS = /[“”„‟«»‹›＂〝〞❝❞]/g;
const SINGLE_MARKS = /(?<![\p{L}\p{N}_’])‘((?:[^‘’]|’(?=[\p{L}\p{N}_]))+)’(?![\p{L}\p{N}_])/gu;
const BARE = /^[^\s"\\]+$/;

// The parts of a query, and a sentence for each that could not be used as it was meant:
// { parts: [{ kind: "word", "phrase" or an operator, value, excluded, weight, typed }], notices }.
export function parse(typed) {
  const plain = typed.slice(0, 2 * MOST_CHARACTERS).replace(INVISIBLE, "").replace(FANCY, (letter) => letter.normalize("NFKC")).normalize("NFC").replace(/(?![\u200c\u200d\u{e0020}-\u{e007f}])[\p{C}\p{Z}]/gu, " ");
  const marked = plain.replace(SINGLE_MARKS, '"$1"').replace(MARKS, '"').replace(/[「『]/g, ' "').replace(/[」』]/g, '" ');
  const joined = marked.replace(/(?<!\\)"{2,}/g, '"').trim().replace(/\s+/g, " ");
  let read = joined.slice(0, MOST_CHARACTERS);
  if (joined.length > MOST_CHARACTERS && joined[MOST_CHARACTERS] !== " " && read.includes(" ")) read = read.slice(0, read.lastIndexOf(" ")); // not half a word
  const notices = [];
  const parts = [...read.trim().matchAll(PIECE)].map((match) => part(match, notices)).filter(Boolean);
  if (joined.length > MOST_CHARACTERS || typed.length > 2 * MOST_CHARACTERS) notices.push(`The query is long: its first ${MOST_CHARACTERS.toLocaleString("en")} characters were searched for.`);
  return { parts, notices: [...notices, ...ofOtherLanguages(parts)] };
}

// A sentence for each OR and NOT in capitals, which are operators in other search engines.
function ofOtherLanguages(parts) {
  const words = parts.map((one) => (one.kind === "word" ? one.value : ""));
  const found = [];
  if (words.every((word) => word === word.toUpperCase())) return found; // somebody writes everything in capitals
  if (words.slice(1, -1).includes("OR")) found.push("“OR” was read as a word: what matches has all words.");
  if (words.slice(0, -1).includes("NOT")) found.push(`“NOT” was read as a word: -${parts[words.indexOf("NOT") + 1].typed} leaves out what has the word.`);
  return found;
}

function part([piece, lead, quoted], notices) {
  const isQuoted = quoted !== undefined;
  const whole = isQuoted ? (lead ?? "") : piece.replaceAll('"', "");
  const [begun, minus, given, written] = LEAD.exec(whole);
  let value = isQuoted ? quoted.replace(/\\(.)/g, "$1").trim() : whole.slice(begun.length);
  if (!isQuoted && !value && !written) return whole ? { kind: "word", value: whole, excluded: false, weight: 1, typed: whole } : undefined;
  const typed = isQuoted ? piece : whole;
  const name = (written ?? "").toLowerCase();
  const isKnown = OPERATORS.includes(name);
  if (name && !isKnown) {
    const meant = ALIASES[name] ?? nearest(name, OPERATORS, 1, LEAST_SIMILARITY)[0];
    if (meant && value && !value.startsWith("//")) notices.push(`There is no operator ${name}:, so “${typed}” was read as words. Did you mean ${meant}:?`);
  } else if (name && !value) notices.push(`${name}: needs its value right behind the colon, so it was read as a word.`);
  let weight = Number(given ?? 1);
  if (!(weight > 0 && weight <= MOST_WEIGHT)) {
    notices.push(`The weight of “${typed}” was read as 1: weights are above 0 and at most ${MOST_WEIGHT}.`);
    weight = 1;
  }
  const excluded = Boolean(minus);
  if (!isKnown || !value) {
    if (!isQuoted && name) value = whole.slice(begun.length - written.length - 1);
    return value ? { kind: isQuoted ? "phrase" : "word", value, excluded, weight, typed: shown({ kind: isQuoted ? "phrase" : "word", value, excluded, weight }) } : undefined;
  }
  if (weight !== 1 && name !== "like") {
    notices.push(`The weight of “${typed}” was left out: words and like: have weights, ${name}: has none.`);
    weight = 1;
  }
  return { kind: name, value, excluded, weight, typed: shown({ kind: name, value, excluded, weight }) };
}

// A part as it can be typed.
function shown({ kind, value, excluded, weight }) {
  const isBare = kind === "word" || (kind !== "phrase" && BARE.test(value));
  const text = isBare ? value : `"${value.replace(/(["\\])/g, "\\$1")}"`;
  return `${excluded ? "-" : weight === 1 ? "" : `${weight}:`}${kind === "word" || kind === "phrase" ? "" : `${kind}:`}${text}`;
}

// The names that are most like one, best first: by the share of their letters that both have in order.
export function nearest(name, names, most, least) {
  const found = names.map((other) => [similarity(name, other), other]).filter(([share]) => share >= least);
  return found.sort(([one], [other]) => other - one).slice(0, most).map(([, other]) => other);
}

function similarity(one, other) {
  let row = new Array(other.length + 1).fill(0);
  for (const letter of one) {
    const next = [0];
    for (let at = 0; at < other.length; at++) next.push(letter === other[at] ? row[at] + 1 : Math.max(next[at], row[at + 1]));
    row = next;
  }
  return (2 * row[other.length]) / (one.length + other.length || 1);
}

// The query with the words of its quoted phrases as words.
export const withoutMarks = (typed) => parse(typed).parts.map((one) => (one.kind === "phrase" && !one.excluded ? one.value : one.typed)).join(" ");
