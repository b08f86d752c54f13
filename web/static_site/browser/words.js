// Words of queries in an exported site, as the index has them.

// As `fold` in search_index.py.
export function fold(word) {
  const plain = word.normalize("NFKC").toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ");
  return plain.normalize("NFD").replace(/[\u0300-\u036f]/g, "").normalize("NFC");
}

// Scripts without spaces between words: each letter is a word, as on the served site.
const LETTERWISE = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\u30fc\\p{Script=Bopomofo}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const WORD = new RegExp(`(-?)([${LETTERWISE}]\\p{M}*|(?:(?![${LETTERWISE}])[\\p{L}\\p{N}])(?:(?![${LETTERWISE}])[\\p{L}\\p{N}\\p{M}'’])*|\\p{Emoji_Presentation})`, "gu");
const MOST_WORDS = 32;
export const MIN_SPELLED = 4; // letters of a word that is corrected
export const LONG_WORD = 8; // letters from which two edits are allowed

// The words of a query, in order and without repetition: { key, typed, excluded }.
export function wordsOf(query) {
  const found = new Map();
  for (const match of query.matchAll(WORD)) {
    const before = query[match.index - 1];
    const excluded = match[1] === "-" && (before === undefined || /\s/.test(before));
    const key = fold(match[2].replace(/['’]/g, ""));
    if (key && !found.has(key)) found.set(key, { key, typed: match[2], excluded });
  }
  return [...found.values()].slice(0, MOST_WORDS);
}

// The number of edits between two words, at most `most`; a swap of neighbors is one (optimal string alignment).
export function distance(one, other, most) {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let before = [];
  let last = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    let least = row;
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1];
      let cost = Math.min(last[column] + 1, next[column - 1] + 1, last[column - 1] + (same ? 0 : 1));
      if (row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]) cost = Math.min(cost, before[column - 2] + 1);
      next.push(cost);
      least = Math.min(least, cost);
    }
    if (least > most) return most + 1;
    [before, last] = [last, next];
  }
  return last[other.length];
}

// By code points, as Python compares texts.
export function compare(one, other) {
  const [left, right] = [[...one], [...other]];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (left[at] !== right[at]) return left[at].codePointAt(0) - right[at].codePointAt(0);
  }
  return left.length - right.length;
}

// The keys of all words of a text, in order and with repetitions.
export function sequenceOf(text) {
  return [...text.matchAll(WORD)].map((match) => fold(match[2].replace(/['’]/g, ""))).filter(Boolean);
}
