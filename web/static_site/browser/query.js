// The query language of the served site, as `search/query/parser.py` reads it: words, quoted phrases and operators.
const OPERATORS = ["category", "before", "after", "type", "tag", "has", "like", "variants"];
const ALIASES = { since: "after", until: "before", filetype: "type", folder: "category", similar: "like" };
const MOST_CHARACTERS = 2000;
const WEIGHT = "[0-9]{1,3}(?:\\.[0-9]{1,2})?";
const QUOTED = `[([{]*(-?(?:${OPERATORS.concat(Object.keys(ALIASES)).join("|")}):|-|${WEIGHT}:(?:like:)?)?"((?:[^"\\\\]|\\\\.)*)"[.,;:!?…)\\]}]*(?=\\s|$)`;
const PIECE = new RegExp(`${QUOTED}|\\S+`, "giu");
const LEAD = new RegExp(`^(?:(-)(?=[^-]|$)|(${WEIGHT}):(?=[^\\p{L}\\p{N}_]?|$)(?=\\D|$))?(?:([A-Za-z]+):)?`, "u");
const INVISIBLE = /[\u00ad\u200e\u200f\u2060\u2066-\u2069\ufeff]/g;
const MARKS = /[“”„‟«»‹›＂〝〞❝❞]/g;
const SINGLE_MARKS = /(?<![\p{L}\p{N}_’])‘((?:[^‘’]|’(?=[\p{L}\p{N}_]))+)’(?![\p{L}\p{N}_])/gu;

// The parts of a query: [{ kind: "word", "phrase" or an operator, value, excluded, typed }].
export function parse(typed) {
  const plain = typed.normalize("NFC").replace(INVISIBLE, "").replace(/(?![\u200c\u200d])[\p{C}\p{Z}]/gu, " ");
  const marked = plain.replace(SINGLE_MARKS, '"$1"').replace(MARKS, '"').replace(/[「『]/g, ' "').replace(/[」』]/g, '" ');
  const joined = marked.replace(/(?<!\\)"{2,}/g, '"').trim().replace(/\s+/g, " ").slice(0, MOST_CHARACTERS);
  return [...joined.matchAll(PIECE)].map(part).filter(Boolean);
}

function part([piece, lead, quoted]) {
  const whole = quoted === undefined ? piece.replaceAll('"', "") : (lead ?? "");
  const [begun, minus, weight, name] = LEAD.exec(whole);
  const value = quoted === undefined ? whole.slice(begun.length) : quoted.replace(/\\(.)/g, "$1").trim();
  const operator = name && (ALIASES[name.toLowerCase()] ?? name.toLowerCase());
  const excluded = Boolean(minus);
  if (operator && OPERATORS.includes(operator) && value) return { kind: operator, value, excluded, typed: piece };
  if (quoted !== undefined) return value ? { kind: "phrase", value, excluded, weight, typed: piece } : undefined;
  if (!value && !name) return whole ? { kind: "word", value: whole, excluded: false, typed: piece } : undefined;
  return { kind: "word", value: name ? whole.slice((minus ?? "").length + (weight ? weight.length + 1 : 0)) : value, excluded, weight, typed: piece };
}

// The query with the words of its quoted phrases as words.
export const withoutMarks = (typed) => parse(typed).map((one) => (one.kind === "phrase" && !one.excluded ? one.value : one.typed)).join(" ");
