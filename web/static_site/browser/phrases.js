// Who says a quoted phrase: from the places of each pair of neighbouring words, as `phrase_index.py` writes them.
// As `search/query/quotes.py`: words as written, whatever their case; typed without accents, they may have any.
import { compare, fold, sequenceOf } from "./words.js";

const MOST_WORDS = 64;
const LOSS = 4; // words of a phrase in which one of a single letter may be lost
const PLACES = 2 ** 20; // of a meme: a place in all texts is one number, id * PLACES + place
const ENDING = /\.(?:avif|bmp|gif|jfif|jpe?g|png|svg|webp|m4v|mov|mp4|webm)$/i;

export class PhraseIndex {
  // `file` returns the content of a file of the index, by its name.
  constructor(file) {
    this.file = file;
  }

  async open(name) {
    this.table = await this.file(name);
    this.keys = this.table.keys.split("\n");
    return this;
  }

  // The ids of the memes that say a phrase; undefined for one without a word.
  async saying(phrase) {
    const all = sequenceOf(phrase.replace(ENDING, "")).slice(0, MOST_WORDS);
    if (!all.length) return undefined;
    const accents = await this.accents(all.map(({ word }) => word));
    const found = await this.sayingAll(all, accents);
    if (all.length < LOSS) return found;
    // In a longer phrase OCR may lose a word of a single letter.
    for (const lost of all) {
      if (!/^[a-z0-9]$/.test(lost.word)) continue;
      for (const id of await this.sayingAll(all.filter((one) => one !== lost), accents)) found.add(id);
    }
    return found;
  }

  // The ids of the memes that have all of these words in a row.
  async sayingAll(all, accents) {
    const words = all.map(({ word }) => word);
    const chains = [];
    if (words.length > 1) chains.push(...(await this.pairs(words, accents)));
    // Particles are attached to Korean words, so that a short one begins as it was typed, and ends otherwise.
    if (all[0].begins && words.length <= this.table.short) {
      chains.push({ at: 0, covers: [0], isNeeded: true, ...(await this.entry(this.table.start + words[0], "", () => true)) });
    }
    if (!chains.length) return new Set(await this.places(await this.entry(words[0], "", accents)));
    if (chains.some((one) => !one.count)) return new Set();
    const begins = await this.chained(chains, words.length);
    const ids = new Set();
    for (const begin of begins) if ((begin % PLACES) + words.length > this.table.name_at) ids.add(Math.floor(begin / PLACES));
    return ids;
  }

  // Which words as written count as a typed one.
  async accents(words) {
    const own = async (word) => this.table.accented && (await this.frequency(word)) >= this.table.common; // of a language whose accents tell words apart
    const isOwn = new Map();
    for (const word of new Set(words.map(fold).concat(words))) isOwn.set(word, await own(word));
    const hasAccents = words.some((word) => fold(word) !== word) || words.every((word) => isOwn.get(word));
    return (typed, written) => typed === written || (written === fold(typed) && !isOwn.get(written)) || (!hasAccents && fold(written) === typed);
  }

  async frequency(word) {
    const { count } = await this.entry(word, "", (typed, written) => typed === written);
    return count;
  }

  pairs(words, accents) {
    return Promise.all(words.slice(1).map(async (word, at) => ({ at, covers: [at, at + 1], ...(await this.entry(words[at], word, accents)) })));
  }

  // What the index has of a pair: { count, parts: lists of places, or names of files with one }.
  async entry(one, other, accents) {
    const key = `${fold(one)} ${fold(other)}`;
    let low = 0;
    let high = this.keys.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compare(this.keys[middle], key) <= 0) low = middle;
      else high = middle - 1;
    }
    const shard = this.table.keys ? await this.file(`${this.table.shards}-${low}.dat`) : {};
    const steps = other || one.startsWith(this.table.start) ? 2 : 1;
    const parts = [];
    let count = 0;
    for (const first of variants(shard, one, accents)) {
      for (const second of other ? variants(shard[first], other, accents) : [""]) {
        const own = shard[first][second];
        if (own === undefined) continue;
        const [number, length] = typeof own === "string" ? own.split(" ").map(Number) : [undefined, own.length];
        count += length / steps;
        parts.push(number === undefined ? own : `${this.table.long}-${number}.dat`);
      }
    }
    return { count, parts, steps, isLong: parts.some((part) => typeof part === "string") };
  }

  // The places of an entry as numbers; those of a word alone are ids.
  async places({ parts, steps }) {
    const found = [];
    for (const part of parts) {
      const numbers = typeof part === "string" ? await this.file(part) : part;
      let id = 0;
      for (let at = 0; at < numbers.length; at += steps) {
        id += numbers[at];
        found.push(steps === 2 ? id * PLACES + numbers[at + 1] : id);
      }
    }
    return found;
  }

  // Where a phrase begins. Of the long lists only those are fetched without which a word would not be looked at.
  async chained(chains, words) {
    const chosen = chains.filter((one) => one.isNeeded || !one.isLong);
    const covered = new Set(chosen.flatMap((one) => one.covers));
    const long = chains.filter((one) => !chosen.includes(one)).sort((one, other) => one.count - other.count);
    for (let word = 0; word < words; word++) {
      if (covered.has(word)) continue;
      const best = long.find((one) => one.covers.includes(word));
      chosen.push(best);
      for (const other of best.covers) covered.add(other);
    }
    chosen.sort((one, other) => one.count - other.count);
    let found;
    for (const one of chosen) {
      const begins = new Set((await this.places(one)).map((place) => place - one.at));
      found = found ? found.filter((place) => begins.has(place)) : [...begins];
      if (!found.length) break;
    }
    return found;
  }
}

// The words of a part of the index that count as a typed one.
function variants(words, typed, accents) {
  if (!words) return [];
  const key = fold(typed);
  const found = [...new Set([typed, key])].filter((word) => Object.hasOwn(words, word) && accents(typed, word));
  for (const word of Object.keys(words)) {
    if (/[^\x00-\x7f]/.test(word) && !found.includes(word) && fold(word) === key && accents(typed, word)) found.push(word);
  }
  return found;
}
