// The index of an exported site: finds memes by words from small files, of which a query fetches a few.
// It has no part in the page, so that it runs outside a browser too.

// As `fold` in search_index.py.
export function fold(word) {
  const plain = word.normalize("NFKC").toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ");
  return plain.normalize("NFD").replace(/[\u0300-\u036f]/g, "").normalize("NFC");
}

// Scripts without spaces between words: each letter is a word, as on the served site.
const LETTERWISE = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\u30fc\\p{Script=Bopomofo}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const WORD = new RegExp(`(-?)([${LETTERWISE}]\\p{M}*|(?:(?![${LETTERWISE}])[\\p{L}\\p{N}])(?:(?![${LETTERWISE}])[\\p{L}\\p{N}\\p{M}'’])*|\\p{Emoji_Presentation})`, "gu");
const MOST_WORDS = 32;
const MIN_SPELLED = 4; // letters of a word that is corrected
const LONG_WORD = 8; // letters from which two edits are allowed
const MOST_READINGS = 12; // words that one stands for

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

const idf = (frequency, memes) => Math.log(1 + (memes - frequency + 0.5) / (frequency + 0.5));

export class SearchIndex {
  // `load` returns the bytes of a file of the index, by its name.
  constructor(load) {
    this.load = load;
    this.files = new Map();
  }

  async open() {
    this.table = JSON.parse(new TextDecoder().decode(await this.load("index.json")));
    this.stop = new Set(this.table.stop);
    return this;
  }

  // A file of the index, fetched once.
  file(name) {
    if (!this.files.has(name)) {
      const read = (async () => {
        const stream = new Blob([await this.load(name)]).stream().pipeThrough(new DecompressionStream("gzip"));
        return JSON.parse(await new Response(stream).text());
      })();
      read.catch(() => this.files.delete(name));
      this.files.set(name, read);
    }
    return this.files.get(name);
  }

  async facts() {
    if (!this.known) {
      const raw = await this.file(this.table.facts);
      const rows = new Map();
      let id = 0;
      raw.ids.forEach((step, at) => {
        id += step;
        // A day is counted from 1 January of the year 1, as Python's ordinals are.
        const year = new Date((raw.day[at] - 719163) * 86_400_000).getUTCFullYear();
        rows.set(id, { category: raw.categories[raw.category[at]], year: String(year), type: raw.types[Number(raw.type[at])], day: raw.day[at] });
      });
      this.known = rows;
    }
    return this.known;
  }

  // The shard that a word is in, if any is.
  shard(key) {
    let low = 0;
    let high = this.table.shards.length - 1;
    if (high < 0) return undefined;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compare(this.table.shards[middle][0], key) <= 0) low = middle;
      else high = middle - 1;
    }
    return this.file(this.table.shards[low][1]);
  }

  async postings(terms, shard) {
    const found = [];
    for (const term of terms) {
      const own = shard.terms[term];
      found.push([term, typeof own === "string" ? await this.file(own) : own]);
    }
    return found;
  }

  // What a word stands for: itself, or the words that begin with it, or those that are spelt nearly like it.
  async reading(word, { prefix = false } = {}) {
    const shard = await this.shard(word.key);
    const exact = shard?.words[word.key];
    if (exact) return { ...word, exact: true, keys: [word.key], terms: await this.postings(exact, shard) };
    if (!shard) return { ...word, keys: [], terms: [] };
    let keys = [];
    if (prefix || word.key.length > 2) keys = Object.keys(shard.words).filter((one) => one.startsWith(word.key)).slice(0, MOST_READINGS);
    if (!keys.length && word.key.length >= MIN_SPELLED) {
      const most = word.key.length >= LONG_WORD ? 2 : 1;
      const near = (await this.file(this.table.words)).map((one) => [distance(word.key, one, most), one]).filter(([edits]) => edits <= most);
      const least = Math.min(...near.map(([edits]) => edits));
      keys = near.filter(([edits]) => edits === least).map(([, one]) => one).slice(0, 3);
    }
    const terms = new Map();
    for (const key of keys) {
      const own = await this.shard(key);
      for (const [term, found] of await this.postings(own.words[key], own)) terms.set(term, found);
    }
    return { ...word, exact: false, keys, terms: [...terms] };
  }

  // Finds memes: { hits: [{ id, matches, words }], total, facets, corrected }. Without words, all of them, newest first.
  async search(query, { category = "", year = "", type = "", sort = "", prefix = false } = {}) {
    const words = wordsOf(query);
    const [facts, ...readings] = await Promise.all([this.facts(), ...words.map((word, at) => this.reading(word, { prefix: prefix && at === words.length - 1 && /\S$/.test(query) }))]);
    const wanted = readings.filter((one) => !one.excluded);
    const spoken = wanted.filter((one) => !this.stop.has(one.key));
    const required = spoken.length ? spoken : wanted;
    const scores = new Map();
    const held = new Map();
    const banned = new Set();
    for (const one of readings) {
      const best = new Map(); // of the terms that a word stands for, the best counts
      for (const [, [frequency, steps, levels]] of one.terms) {
        const weight = idf(frequency, this.table.memes) / 255;
        let id = 0;
        steps.forEach((step, at) => {
          id += step;
          const score = weight * levels[at] * (one.exact ? 1 : 0.7);
          if (score > (best.get(id) ?? 0)) best.set(id, score);
        });
      }
      for (const [id, score] of best) {
        if (one.excluded) banned.add(id);
        else {
          scores.set(id, (scores.get(id) ?? 0) + score);
          if (required.includes(one)) (held.get(id) ?? held.set(id, []).get(id)).push(one);
        }
      }
    }
    const everything = !wanted.length;
    const ids = (everything ? [...facts.keys()] : [...scores.keys()]).filter((id) => !banned.has(id) && facts.has(id));
    const matched = (id) => everything || (held.get(id)?.length ?? 0) === required.length;
    // Words in so many memes that the index has no list of them are in every match.
    const unlisted = required.filter((one) => one.terms.length && one.terms.every(([, [frequency, steps]]) => frequency && !steps.length));
    if (unlisted.length) for (const id of ids) (held.get(id) ?? held.set(id, []).get(id)).push(...unlisted);
    const passes = (id, without) => {
      const fact = facts.get(id);
      return (without === "category" || !category || fact.category === category || fact.category.startsWith(`${category} - `)) && (without === "year" || !year || fact.year === year) && (without === "type" || !type || fact.type === type);
    };
    const facets = {};
    for (const name of ["category", "year", "type"]) {
      const counts = new Map();
      for (const id of ids) if (matched(id) && passes(id, name)) counts.set(facts.get(id)[name], (counts.get(facts.get(id)[name]) ?? 0) + 1);
      facets[name] = counts;
    }
    const newest = (one, other) => facts.get(other).day - facts.get(one).day || other - one;
    const best = (one, other) => scores.get(other) - scores.get(one) || one - other;
    const order = sort === "newest" || everything ? newest : best;
    const kept = ids.filter((id) => passes(id)).sort((one, other) => matched(other) - matched(one) || order(one, other));
    return {
      hits: kept.map((id) => ({ id, matches: matched(id), words: (held.get(id) ?? []).map((one) => (one.exact ? one.typed : one.keys[0])) })),
      total: kept.filter(matched).length,
      facets,
      corrected: wanted.filter((one) => !one.exact && one.keys.length && !one.keys.some((key) => key.startsWith(one.key))).map((one) => [one.typed, one.keys[0]]),
      unknown: wanted.filter((one) => !one.keys.length).map((one) => one.typed),
    };
  }

  // The HTML of a meme's card.
  async card(id) {
    return (await this.file(`cards/${Math.floor(id / this.table.cards)}.dat`))[id];
  }
}

// By code points, as Python compares texts.
function compare(one, other) {
  const [left, right] = [[...one], [...other]];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (left[at] !== right[at]) return left[at].codePointAt(0) - right[at].codePointAt(0);
  }
  return left.length - right.length;
}
