// The index of an exported site: finds memes by words from small files, of which a query fetches a few.
// It has no part in the page, so that it runs outside a browser too.
import { filterOf, operatorsOf } from "./operators.js";
import { cutoff, fuse, proposals } from "./ranking.js";
import { LONG_WORD, MIN_SPELLED, compare, distance, sequenceOf, wordsOf } from "./words.js";

const MOST_READINGS = 12; // words that one stands for
const MAX_SHARE = 0.5; // of the memes: more frequent words say nothing beside others
const MOST_SCORED = 300; // memes with all words that are ranked; those after them are newest first
const DEEPER = 4;

const idf = (frequency, memes) => Math.log(1 + (memes - frequency + 0.5) / (frequency + 0.5));

// The number of memes with a word, or with one that it stands for.
const frequencyOf = (reading) => Math.max(0, ...reading.terms.map(([, [frequency]]) => frequency));

const add = (sums, id, value) => sums.set(id, (sums.get(id) ?? 0) + value);

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

  // Finds memes: { hits: [{ id, matches, words, meant }], total, facets, corrected }. Without words, all of them, newest
  // first. With `meaning`, a MeaningIndex, they are also found by what they mean and ranked as the served site does.
  async search(typed, { category = "", year = "", type = "", sort = "", prefix = false, meaning } = {}) {
    const { text: query, operators } = operatorsOf(typed);
    const words = wordsOf(query);
    const [facts, ...readings] = await Promise.all([this.facts(), ...words.map((word, at) => this.reading(word, { prefix: prefix && at === words.length - 1 && /\S$/.test(query) }))]);
    const filter = filterOf(operators, [...new Set([...facts.values()].map((fact) => fact.category))]);
    const wanted = readings.filter((one) => !one.excluded);
    const spoken = wanted.filter((one) => !this.stop.has(one.key));
    const required = spoken.length ? spoken : wanted;
    const few = wanted.filter((one) => frequencyOf(one) <= MAX_SHARE * this.table.memes);
    const scored = few.length ? few : wanted;
    const scores = new Map();
    const held = new Map();
    const information = new Map(); // the inverse document frequencies of the words that a meme has, summed
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
          if (scored.includes(one)) add(scores, id, score);
          else add(scores, id, 0);
          add(information, id, idf(frequencyOf(one), this.table.memes));
          if (required.includes(one)) (held.get(id) ?? held.set(id, []).get(id)).push(one);
        }
      }
    }
    const everything = !wanted.length;
    let ids = (everything ? [...facts.keys()] : [...scores.keys()]).filter((id) => !banned.has(id) && facts.has(id));
    // Words in so many memes that the index has no list of them are in every match.
    const unlisted = required.filter((one) => one.terms.length && one.terms.every(([, [frequency, steps]]) => frequency && !steps.length));
    if (unlisted.length) for (const id of ids) (held.get(id) ?? held.set(id, []).get(id)).push(...unlisted);
    const holdsAll = (id) => everything || (held.get(id)?.length ?? 0) === required.length;
    const passes = (id, without) => {
      const fact = facts.get(id);
      return filter.passes(fact) && (without === "category" || !category || fact.category === category || fact.category.startsWith(`${category} - `)) && (without === "year" || !year || fact.year === year) && (without === "type" || !type || fact.type === type);
    };
    let matched = holdsAll;
    let rank;
    if (meaning && !everything) {
      const text = query.replace(/(^|\s)-\S+/g, "$1");
      const found = await this.rankByMeaning(meaning, text, { ids, scores, information, holdsAll, wanted, scored, passes, banned, facts });
      if (found) {
        matched = (id) => holdsAll(id) || found.relevant.has(id);
        rank = found.rank;
        ids = [...new Set([...ids.filter(holdsAll), ...rank.keys()])];
      }
    }
    const facets = {};
    for (const name of ["category", "year", "type"]) {
      const counts = new Map();
      for (const id of ids) if (matched(id) && passes(id, name)) counts.set(facts.get(id)[name], (counts.get(facts.get(id)[name]) ?? 0) + 1);
      facets[name] = counts;
    }
    const newest = (one, other) => facts.get(other).day - facts.get(one).day || other - one;
    const best = rank ? (one, other) => (rank.get(one) ?? Infinity) - (rank.get(other) ?? Infinity) || newest(one, other) : (one, other) => scores.get(other) - scores.get(one) || one - other;
    const order = sort === "newest" || everything ? newest : best;
    const kept = ids.filter((id) => passes(id)).sort((one, other) => matched(other) - matched(one) || order(one, other));
    return {
      hits: kept.map((id) => ({ id, matches: matched(id), words: (held.get(id) ?? []).map((one) => (one.exact ? one.typed : one.keys[0])) })),
      total: kept.filter(matched).length,
      facets,
      byMeaning: Boolean(rank),
      ignored: filter.ignored,
      corrected: wanted.filter((one) => !one.exact && one.keys.length && !one.keys.some((key) => key.startsWith(one.key))).map((one) => [one.typed, one.keys[0]]),
      unknown: wanted.filter((one) => !one.keys.length).map((one) => one.typed),
    };
  }

  // The ranking by all signals: { rank: places by id, relevant: ids above the cut-off }; undefined for a text that the
  // encoder cannot read.
  async rankByMeaning(meaning, text, { ids, scores, information, holdsAll, wanted, scored, passes, banned, facts }) {
    const direction = await meaning.direction(text);
    if (!direction) return undefined;
    const { weights, smoothing, depth, covered, least_phrase: least, relevance } = meaning.table;
    const byWords = [...ids].sort((one, other) => scores.get(other) - scores.get(one) || one - other);
    const matching = byWords.filter(holdsAll).slice(0, MOST_SCORED);
    const near = await meaning.fetch(direction, [...new Set([...matching, ...byWords])]);
    const pool = [...new Set([...near, ...byWords.slice(0, depth), ...matching])].filter((id) => facts.has(id) && !banned.has(id));
    const idfOf = (one) => idf(frequencyOf(one), this.table.memes);
    const sum = (all) => all.map(idfOf).reduce((one, other) => one + other, 0);
    const bound = sum(scored.filter(frequencyOf));
    const terms = new Map(wanted.map((one) => [one.key, one.terms[0]?.[0] ?? one.key]));
    const sequence = sequenceOf(text).map((key) => terms.get(key) ?? key);
    const saying = sequence.length >= least ? new Set(pool.filter((id) => meaning.says(id, sequence))) : new Set();
    const candidates = pool.map((id) => {
      const signals = meaning.scores(id, direction);
      if (bound) signals["lexical.all"] = (scores.get(id) ?? 0) / bound;
      if (saying.size) signals["phrase.ocr"] = meaning.says(id, sequence) === undefined ? undefined : Number(saying.has(id));
      return { id, signals };
    });
    const ranked = (some, wide, always) => {
      const proposed = proposals(some, weights, covered, wide);
      return fuse(some.filter(({ id }) => proposed.has(id) || always.has(id)), weights, smoothing);
    };
    const known = new Set(matching);
    const asked = { held: (id) => information.get(id) ?? 0, idf: sum(wanted), words: wanted.length, model: relevance };
    let all, relevant;
    for (let wide = depth; ; wide *= DEEPER) {
      all = ranked(candidates, wide, known);
      relevant = new Set(all.slice(0, cutoff(all, asked)).map(({ id }) => id));
      if ([...relevant].filter((id) => !known.has(id)).length < wide || all.length === candidates.length) break;
    }
    // What matches does not depend on the filters; weaker hits are the best of those that pass them.
    const shown = all.every(({ id }) => passes(id)) ? all : ranked(candidates.filter(({ id }) => passes(id) || relevant.has(id)), depth, new Set([...known, ...relevant]));
    return { rank: new Map(shown.filter((one) => one.score > 0).map(({ id }, at) => [id, at])), relevant };
  }

  // The HTML of a meme's card.
  async card(id) {
    return (await this.file(`cards/${Math.floor(id / this.table.cards)}.dat`))[id];
  }
}
