// Who says a quoted phrase: from the places of each pair of neighbouring words, as `phrase_index.py` writes them.
// As `search/query/quotes.py`: words as written, whatever their case; typed without accents, they may have any.
import { script } from "./files.js";
import { compare, fold, sequenceOf } from "./words.js";

const MOST_WORDS = 64;
const LOSS = 4; // words of a phrase in which one of a single letter may be lost
const PLACES = 2 ** 20; // of a meme: a place in all texts is one number, id * PLACES + place
const slipsScript = () => script(import("./slips.js"), "slips.js");
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

  // The words of a phrase, what counts as each, and the Korean word that must begin it; undefined without a word.
  async read(phrase) {
    const all = sequenceOf(phrase.replace(ENDING, "")).slice(0, MOST_WORDS);
    if (!all.length) return undefined;
    const words = all.map(({ word }) => word);
    return { words, accents: await this.accents(words), begins: all[0].begins && words.length <= this.table.short ? words[0] : undefined };
  }

  // The ids of the memes that have a phrase as it is typed, also where OCR has damaged a word of it; undefined for one without a word.
  async writing(phrase) {
    const asked = await this.read(phrase);
    return asked && this.sayingAll(asked.words.map((word) => [word]), asked.accents, asked);
  }

  // The ids of the memes that say a phrase; undefined for one without a word.
  async saying(phrase) {
    const asked = await this.read(phrase);
    if (!asked) return undefined;
    const { words, accents, begins } = asked;
    const { WordFilter, joined, mayBeSpaced, split } = await slipsScript();
    const slips = await Promise.all(words.map((word, at) => this.readings(word, words, at, accents)));
    const places = words.map((word, at) => [word, ...slips[at]]);
    const found = await this.sayingAll(places, accents, { begins });
    const add = async (other, at) => {
      for (const id of await this.sayingAll(other, accents, { first: at })) found.add(id);
    };
    // Where spaces are lost, or stand within a word: few phrases have words that may be there.
    if (mayBeSpaced(words)) {
      const spelled = await this.spelled; // fetched where a word is in no meme
      const isKnown = spelled?.isWhole && words.every((word) => /^[\x00-\x7f]*$/.test(word));
      const known = isKnown ? spelled : (this.filter ??= new WordFilter(await this.file(`${this.table.of_words}-0.dat`)));
      await Promise.all([...joined(words, places, known), ...split(words, places, known)].map((one) => add(one.places, one.at)));
    }
    // In a longer phrase OCR may lose a word of a single letter.
    for (let at = 0; words.length >= LOSS && at < words.length; at++) if (/^[a-z0-9]$/.test(words[at])) await add(places.filter((_, place) => place !== at), Math.max(0, at - 1));
    return found;
  }

  // What a word of a phrase may be besides itself, where no meme has it.
  async readings(word, words, at, accents) {
    if (!this.table.english || /[^a-z0-9]/.test(word)) return [];
    // Of its two pairs the one that `sayingAll` looks at comes first.
    const beside = [at + 1 < words.length && [word, words[at + 1]], at > 0 && [words[at - 1], word]];
    for (const pair of at % 2 ? beside.reverse() : beside) if (pair && (await this.entry([pair[0]], [pair[1]], accents)).count) return [];
    if (await this.frequency(word)) return [];
    const { Slips } = await slipsScript();
    this.spelled ??= this.file(`${this.table.of_words}-1.dat`).then((raw) => new Slips(raw));
    this.spelled.catch(() => (this.spelled = undefined));
    return (await this.spelled).of(word, words.length);
  }

  // The ids of the memes that have a word of each place in a row. `begins` is a Korean word that must begin there; the
  // pairs about the place `first` are asked for first, as others need not be where these are not.
  async sayingAll(places, accents, { begins, first } = {}) {
    const chains = [];
    if (first !== undefined && places.length > 1) {
      for (const at of [first, first - 1]) {
        if (at < 0 || at + 1 >= places.length) continue;
        if (!(await this.entry(places[at], places[at + 1], accents)).count) return new Set();
      }
    }
    if (places.length > 1) chains.push(...(await this.pairs(places, accents)));
    // Particles are attached to Korean words, so that a short one begins as it was typed, and ends otherwise.
    if (begins) chains.push({ at: 0, covers: [0], isNeeded: true, ...(await this.entry([this.table.start + begins], [], () => true)) });
    if (!chains.length) return new Set(await this.places(await this.entry(places[0], [], accents)));
    if (chains.some((one) => !one.count)) return new Set();
    const found = await this.chained(chains, places.length);
    const ids = new Set();
    for (const begin of found) if ((begin % PLACES) + places.length > this.table.name_at) ids.add(Math.floor(begin / PLACES));
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
    const { count } = await this.entry([word], [], (typed, written) => typed === written);
    return count;
  }

  // The pairs of a phrase that are looked at: each word is in one of every other pair. Where one of these has a long list,
  // the pairs between them too, whose lists may be shorter.
  async pairs(places, accents) {
    const last = places.length - 2;
    const isNeeded = (at) => at % 2 === 0 || at === last;
    const fetched = (some) => Promise.all(some.map(async (at) => ({ at, covers: [at, at + 1], ...(await this.entry(places[at], places[at + 1], accents)) })));
    const all = [...places.keys()].slice(0, -1);
    const needed = await fetched(all.filter(isNeeded));
    return needed.every((one) => one.count) && needed.some((one) => one.isLong) ? [...needed, ...(await fetched(all.filter((at) => !isNeeded(at))))] : needed;
  }

  // What the index has of the pairs of some words, or of words alone: { count, parts: lists of places, or names of files
  // with one }.
  async entry(ones, others, accents) {
    const steps = others.length || ones[0].startsWith(this.table.start) ? 2 : 1;
    const found = new Map(); // by the two words as written
    for (const one of ones) {
      for (const other of others.length ? others : [""]) {
        const shard = await this.shard(`${fold(one)} ${fold(other)}`);
        for (const first of variants(shard, one, accents)) {
          for (const second of other ? variants(shard[first], other, accents) : [""]) {
            if (shard[first][second] !== undefined) found.set(`${first} ${second}`, shard[first][second]);
          }
        }
      }
    }
    let count = 0;
    const parts = [];
    for (const own of found.values()) {
      const [number, length] = typeof own === "string" ? own.split(" ").map(Number) : [undefined, own.length];
      count += length / steps;
      parts.push(number === undefined ? own : `${this.table.long}-${number}.dat`);
    }
    return { count, parts, steps, isLong: parts.some((part) => typeof part === "string") };
  }

  async shard(key) {
    if (!this.table.keys) return {};
    let low = 0;
    let high = this.keys.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compare(this.keys[middle], key) <= 0) low = middle;
      else high = middle - 1;
    }
    return this.file(`${this.table.shards}-${low}.dat`);
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
