// What else a word of a quoted phrase may be: typed with a slip, run together with its neighbours, or taken apart.
// As `search/query/quotes.py`; `phrase_index.py` writes what it needs.
import { LONG_WORD, MIN_SPELLED, distance, isContracted, isLetterwise, numbersOf, wordsIn } from "./words.js";

const MOST_VARIANTS = 12; // of a word
const MOST_JOINED = 4; // words that are looked for as one
const MIN_SPLIT = 3; // letters of each part of a word that is looked for in two parts
const MIN_DAMAGED = 6; // letters of a word that may differ by any letter
const LONG_DAMAGED = 10; // letters of a word that may differ by any two
const MIN_NEIGHBORS = 3; // words of a phrase from which a slip in a short word is put right
const DAMAGE = "~"; // before a word that is none, and may be another one that OCR has damaged
const CONFUSED = "o0 l1 i1 il s5 b8 z2 g9 m,rn w,vv d,cl uv ce qg hn tf".split(" ").map((pair) => (pair.includes(",") ? pair.split(",") : [...pair]));

// Which words a library has; of the others one in fifty seems to be there. As `word_filter` in phrase_index.py.
export class WordFilter {
  constructor({ size, hashes, bits }) {
    Object.assign(this, { size, hashes });
    this.bits = Uint8Array.from(atob(bits), (one) => one.charCodeAt(0));
  }

  has(word) {
    const [one, other] = [hash(word, 0x811c9dc5), (hash(word, 0x1234567) | 1) >>> 0];
    for (let at = 0; at < this.hashes; at++) {
      const bit = (one + at * other) % this.size;
      if (!(this.bits[bit >> 3] & (1 << (bit & 7)))) return false;
    }
    return true;
  }
}

function hash(word, start) {
  let found = start;
  for (let at = 0; at < word.length; at++) found = Math.imul(found ^ word.charCodeAt(at), 0x01000193) >>> 0;
  return found;
}

// A word with one letter, or all letters of a kind, as OCR may take it.
function confused(word) {
  const found = new Set();
  for (const [first, second] of CONFUSED) {
    for (const [one, other] of [[first, second], [second, first]]) {
      for (let start = word.indexOf(one); start >= 0; start = word.indexOf(one, start + 1)) found.add(word.slice(0, start) + other + word.slice(start + one.length));
      if (word.split(one).length > 2) found.add(word.replaceAll(one, other));
    }
  }
  return [...found];
}

// What a word may be that no meme has, besides itself; [] for words that exist.
export class Slips {
  constructor({ words, memes, is_whole: isWhole }) {
    const all = wordsIn(words);
    const numbers = numbersOf(memes);
    const own = [...all.keys()].filter((at) => numbers[at]);
    // The most frequent first, then in the order of their letters, as they are.
    this.words = own.sort((one, other) => (numbers[other] >> 1) - (numbers[one] >> 1) || one - other).map((at) => all[at]);
    this.damaged = new Set(all.filter((_, at) => numbers[at] & 1));
    this.known = new Set(this.words);
    this.english = new Set(all.filter((_, at) => !numbers[at]));
    this.isWhole = isWhole;
  }

  // As a WordFilter, without its errors, of words of letters of ASCII where all of these are here.
  has(word) {
    return word.startsWith(DAMAGE) ? this.damaged.has(word.slice(1)) : this.known.has(word);
  }

  // `count` is the number of the words of the phrase: neighbours tell which word a slip stands for.
  of(word, count) {
    if (/[^\x00-\x7f]/.test(word) || this.known.has(word)) return [];
    const isWord = this.english.has(word) || isContracted({ typed: word, key: word });
    let found = [];
    if (!isWord && word.length >= (count < MIN_NEIGHBORS ? MIN_SPELLED : 2)) {
      const near = this.near(word, word.length >= LONG_WORD ? 2 : 1).slice(0, MOST_VARIANTS);
      found = near.filter(([edits]) => edits === near[0][0]).map(([, one]) => one);
    }
    if (!isWord && word.length >= (count < MIN_NEIGHBORS ? 2 : 1)) {
      found.push(...confused(word).filter((one) => this.damaged.has(one)));
      if (word.length >= MIN_DAMAGED) found.push(...this.near(word, word.length >= LONG_DAMAGED ? 2 : 1).slice(0, 4 * MOST_VARIANTS).map(([, one]) => one).filter((one) => this.damaged.has(one)));
    }
    return [...new Set(found)].slice(0, MOST_VARIANTS - 1);
  }

  // Words of the library by edits, then by how frequent they are: [[edits, word], …].
  near(word, most) {
    const found = this.words.map((one) => [distance(word, one, most), one]).filter(([edits]) => edits <= most);
    return found.sort(([one], [other]) => one - other);
  }
}

// Whether a phrase may have words that are run together or in two parts.
export const mayBeSpaced = (words) => words.some((word, at) => word.length >= 2 * MIN_SPLIT || (at > 0 && !isLetterwise(word) && !isLetterwise(words[at - 1])));

// The phrase with some neighbours run together: [{ at, places }], of which the place `at` is new.
export function joined(words, places, filter) {
  const found = [];
  for (let first = 0; first < words.length; first++) {
    for (let last = first + 2; last <= Math.min(first + MOST_JOINED, words.length); last++) {
      if (words.slice(first, last).some(isLetterwise)) continue; // such a letter is a word, whatever is beside it
      const one = words.slice(first, last).join("");
      const known = [one].filter((word) => filter.has(word)).concat(confused(one).filter((word) => filter.has(DAMAGE + word)));
      if (known.length) found.push({ at: first, places: [...places.slice(0, first), known, ...places.slice(last)] });
    }
  }
  return found;
}

// The phrase with a word in two parts.
export function split(words, places, filter) {
  const found = [];
  words.forEach((word, at) => {
    for (let cut = MIN_SPLIT; cut <= word.length - MIN_SPLIT; cut++) {
      const parts = [word.slice(0, cut), word.slice(cut)];
      if (parts.every((part) => filter.has(part))) found.push({ at, places: [...places.slice(0, at), ...parts.map((part) => [part]), ...places.slice(at + 1)] });
    }
  });
  return found;
}
