// Words of queries in an exported site, as the index has them.

// As `fold` in index_files.py.
const LETTERS = { ß: "ss", ς: "σ", đ: "d", ø: "o", ł: "l", æ: "ae", œ: "oe", ı: "i" };

export function fold(word) {
  const plain = word.normalize("NFKC").toLowerCase().replace(/[ßςđøłæœı]/g, (letter) => LETTERS[letter]);
  return plain.normalize("NFD").replace(/[\u0300-\u036f]/g, "").normalize("NFC");
}

// A word as quoted phrases have it: in lower case, with its accents and its ending. As `word_as_written` in analyzer.py.
export function asWritten(word) {
  const plain = word.normalize("NFKC").toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ").normalize("NFKC");
  const read = plain.replace(/[\u00ad\u200c-\u200f\u2060\u2066-\u2069\ufeff\ufe0f\u0640'’\s\p{Emoji_Modifier}]/gu, "").replaceAll("i\u0307", "i");
  return read.replaceAll("\u0e4d\u0e32", "\u0e33").replaceAll("\u0ecd\u0eb2", "\u0eb3");
}

// Scripts without spaces between words: each letter is a word, as on the served site.
const SCRIPTS = ["Han", "Hiragana", "Katakana", "Bopomofo", "Yi", "Hangul", "Thai", "Lao", "Khmer", "Myanmar", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Javanese", "Balinese"];
const LETTERWISE = `${SCRIPTS.map((name) => `\\p{Script=${name}}`).join("")}\\u30fc\\uff70`;
const MARKS = "\\p{M}\\u0e33\\u0eb3\\uff9e\\uff9f\\u200c\\u200d";
const UNREAD = "\\u00ad\\u200c-\\u200f\\u2060\\u2066-\\u2069\\ufeff\\u0640";
const LETTER = `(?:(?![${LETTERWISE}])[\\p{L}\\p{N}])`;
const PART = `(?:(?![${LETTERWISE}])[\\p{L}\\p{N}\\p{M}${UNREAD}])`;
// An emoji of one or more code points: as EMOJI in emoji.py.
const CHANGED = "(?=\\p{So})(?![©®™])\\p{Extended_Pictographic}[\\ufe0f\\p{Emoji_Modifier}\\u{e0020}-\\u{e007f}]*";
const EMOJI = `\\p{Regional_Indicator}{2}|[0-9#*]\\ufe0f?\\u20e3|${CHANGED}(?:\\u200d${CHANGED})*`;
const WORD = new RegExp(`(?=[\\p{L}\\p{N}])[${LETTERWISE}][${MARKS}]*|${EMOJI}|${LETTER}${PART}*(?:['’]${PART}+)*`, "gu");
const EMOJI_ALONE = new RegExp(`^(?:${EMOJI})`, "u");
const HANGUL = /\p{Script=Hangul}/u;
const MOST_WORDS = 32;
export const MIN_SPELLED = 4; // letters of a word that is corrected
export const LONG_WORD = 8; // letters from which two edits are allowed
const ROW = new RegExp(`(?:[${LETTERWISE}][${MARKS}]*){2,}`, "gu");
const CONTRACTION = /^(?:(?:do|does|did|is|are|was|were|ca|wo|could|would|should|has|have|had|must|might|need|ai)nt|(?:i|you|we|they|yall)(?:ve|d|ll|re|m)|(?:he|she|it|that|who|what|there|here|where|how|when|why|let)(?:s|d|ll))$/;

// Rows of two letters or more where words have no spaces: without quotation marks, too, they are asked for as they stand.
export const rowsOf = (text) => text.match(ROW) ?? [];

// A letter of a script without spaces, which is a word.
const LETTERS_ALONE = new RegExp(`^[${LETTERWISE}]`, "u");
export const isLetterwise = (word) => LETTERS_ALONE.test(word);

export const isEmoji = ({ typed }) => EMOJI_ALONE.test(typed);

// Contractions, and words with another apostrophe, are not misspelt: as `correct_spelling` has it.
export const isContracted = ({ typed, key }) => /['’]/.test(typed) || CONTRACTION.test(key);

// The words of a text, in order and without repetition: { key, typed }.
export function wordsOf(text) {
  const found = new Map();
  for (const [typed] of text.matchAll(WORD)) {
    const key = fold(asWritten(typed));
    if (key && !found.has(key)) found.set(key, { key, typed });
  }
  return [...found.values()].slice(0, MOST_WORDS);
}

// All words of a text as written, in order and with repetitions, and the first ones of its Korean words.
export function sequenceOf(text) {
  const found = [];
  let end = -1;
  for (const { 0: typed, index } of text.matchAll(WORD)) {
    const word = asWritten(typed);
    const begins = HANGUL.test(word) && !(end === index && HANGUL.test(found.at(-1)?.word ?? ""));
    if (word) found.push({ word, begins });
    end = index + typed.length;
  }
  return found;
}

// The numbers of a text, as `as_text` in index_files.py writes them.
const DIGITS = new Map([...Array(92).keys()].map((at) => at + 35).filter((code) => !"\\'".includes(String.fromCharCode(code))).map((code, digit) => [code, digit]));
const BASE = DIGITS.size / 2;

export function numbersOf(text) {
  const found = [];
  let number = 0;
  let place = 1;
  for (let at = 0; at < text.length; at++) {
    const digit = DIGITS.get(text.charCodeAt(at));
    if (digit < BASE) {
      found.push(number + digit * place);
      [number, place] = [0, 1];
    } else {
      number += (digit - BASE) * place;
      place *= BASE;
    }
  }
  return found;
}

// The words of a text that `front_coded` in index_files.py made.
export function wordsIn(text) {
  const found = [];
  let last = "";
  for (const [, shared, rest] of text.matchAll(/([A-Z])([^A-Z]*)/g)) found.push((last = last.slice(0, shared.charCodeAt(0) - 65) + rest));
  return found;
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
