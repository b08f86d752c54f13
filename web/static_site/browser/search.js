// The index of an exported site: finds memes by words from small files, of which a query fetches a few.
// It has no part in the page, so that it runs outside a browser too.
import { FileError, asJson, contentOf, packedJson, script } from "./files.js";
import { parse } from "./query.js";
import { cutoff, fuse, proposals, weighted } from "./ranking.js";
import { LONG_WORD, MIN_SPELLED, compare, distance, fold, isContracted, isEmoji, isLetterwise, numbersOf, rowsOf, sequenceOf, wordsIn, wordsOf } from "./words.js";

const VERSION = 4; // of the index, as in search_index.py
const MOST_READINGS = 12; // words that one stands for
const MAX_SHARE = 0.5; // of the memes: more frequent words say nothing beside others
const MOST_SCORED = 300; // memes with all words that are ranked; those after them are newest first
const DEEPER = 4;
const SENTENCE = 6; // words beside a phrase from which a query is a sentence that quotes; as in pipeline.py

const idf = (frequency, memes) => Math.log(1 + (memes - frequency + 0.5) / (frequency + 0.5));

// The height of a step of a word's scores; as `_levels` in search_index.py.
const step = (frequency, memes) => idf(frequency, memes) / Math.max(9, Math.round((127 * idf(frequency, memes)) / idf(1, memes)));

// The number of memes with a word, or with one that it stands for.
const frequencyOf = (reading) => Math.max(0, ...reading.terms.map(([, [frequency]]) => frequency));

// Whether memes may say a phrase that do not have it as it is typed: letters of scripts without spaces have no slips.
const maySlip = (phrase) => sequenceOf(phrase).some(({ word }) => !isLetterwise(word));

const add = (sums, id, value) => sums.set(id, (sums.get(id) ?? 0) + value);

// The scores of the memes that have a word; of the terms that it stands for, the best counts.
function scoresOf(reading, memes) {
  const best = new Map();
  for (const [, [frequency, steps, levels]] of reading.terms) {
    const weight = step(frequency, memes) * (reading.exact ? 1 : 0.7);
    let id = 0;
    steps.forEach((more, at) => {
      id += more;
      const score = weight * levels[at];
      if (score > (best.get(id) ?? 0)) best.set(id, score);
    });
  }
  return best;
}

// The words of a query that have one weight, in order of appearance: [{ text, weight }].
function groupsOf(said) {
  const found = new Map();
  for (const { value, weight } of said) found.set(weight, [...(found.get(weight) ?? []), value]);
  return [...found].map(([weight, values]) => ({ text: values.join(" "), weight }));
}

export class SearchIndex {
  // `load` returns the bytes of a file of the index, by its name.
  constructor(load) {
    this.load = load;
    this.files = new Map();
  }

  async open() {
    this.table = await contentOf(this.load, "index.json", asJson);
    if (this.table.version !== VERSION) throw new FileError("index.json", "updated");
    this.stop = new Set(this.table.stop);
    this.keys = this.table.keys.split("\n");
    return this;
  }

  // A file of the index, fetched once.
  file(name) {
    if (!this.files.has(name)) {
      const read = contentOf(this.load, name, packedJson);
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
        rows.set(id, { id, category: raw.categories[raw.category[at]], year: String(year), type: raw.types[Number(raw.type[at])], day: raw.day[at], has: Number(raw.has[at]) });
      });
      const tags = new Map(Object.entries(raw.tags).map(([name, ids]) => [name, new Set(ids)]));
      const variants = new Map(raw.variants.flatMap((ids) => ids.map((one) => [one, ids[0]])));
      this.known = Object.assign(rows, { categories: raw.categories, tags, variants, ids: rows });
    }
    return this.known;
  }

  // The shard that a word is in, if any is.
  shard(key) {
    let low = 0;
    let high = this.keys.length - 1;
    if (!this.table.keys) return undefined;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compare(this.keys[middle], key) <= 0) low = middle;
      else high = middle - 1;
    }
    return this.file(`${this.table.shards}-${low}.dat`);
  }

  async postings(terms, shard) {
    const found = [];
    for (const term of terms) {
      const own = shard.terms[term];
      const [frequency, steps, levels] = typeof own === "number" ? await this.file(`${this.table.long}-${own}.dat`) : own;
      found.push([term, [frequency, numbersOf(steps), numbersOf(levels)]]);
    }
    return found;
  }

  // The term of a word that most memes have, which has no list of them; undefined for others.
  everywhere(key) {
    if (!Object.hasOwn(this.table.everywhere, key)) return undefined;
    const [frequency, term] = this.table.everywhere[key];
    return [[term, [frequency, [], []]]];
  }

  // What a word stands for: itself, or the words that begin with it, or those that are spelt nearly like it.
  async reading(word, { prefix = false } = {}) {
    const known = this.everywhere(word.key);
    if (known) return { ...word, exact: true, keys: [word.key], terms: known };
    const shard = await this.shard(word.key);
    const exact = shard && Object.hasOwn(shard.words, word.key) ? shard.words[word.key] : undefined;
    if (exact) return { ...word, exact: true, keys: [word.key], terms: await this.postings(exact, shard) };
    if (!shard || isEmoji(word)) return { ...word, keys: [], terms: [] };
    let keys = [];
    if (prefix || word.key.length > 2) keys = Object.keys(shard.words).filter((one) => one.startsWith(word.key)).slice(0, MOST_READINGS);
    if (!keys.length && word.key.length >= MIN_SPELLED && !isContracted(word)) {
      const most = word.key.length >= LONG_WORD ? 2 : 1;
      const near = wordsIn(await this.file(this.table.words)).map((one) => [distance(word.key, one, most), one]).filter(([edits]) => edits <= most);
      const least = Math.min(...near.map(([edits]) => edits));
      keys = near.filter(([edits]) => edits === least).map(([, one]) => one).slice(0, 3);
    }
    const terms = new Map();
    for (const key of keys) {
      const own = this.everywhere(key) ? undefined : await this.shard(key);
      for (const [term, found] of this.everywhere(key) ?? (await this.postings(own.words[key], own))) terms.set(term, found);
    }
    return { ...word, exact: false, keys, terms: [...terms] };
  }

  // The memes that say all of some phrases, or with `exactly` those that have them as they are typed; undefined where none
  // of these has a word.
  async saying(phrases, { exactly = false } = {}) {
    if (!phrases.length) return undefined;
    const index = await this.phraseIndex();
    const sets = (await Promise.all(phrases.map((one) => (exactly ? index.writing(one) : index.saying(one))))).filter(Boolean);
    return sets.length ? sets.reduce((all, one) => new Set([...all].filter((id) => one.has(id)))) : undefined;
  }

  async phraseIndex() {
    const { PhraseIndex } = await script(import("./phrases.js"), "phrases.js");
    this.phrases ??= new PhraseIndex((name) => this.file(name)).open(this.table.phrases);
    this.phrases.catch(() => (this.phrases = undefined));
    return this.phrases;
  }

  // A typed query, understood: its words with what they stand for, who says its phrases, and who is left out.
  async understand(typed, { prefix, exactly }) {
    const { parts, notices } = parse(typed);
    const said = parts.filter((one) => !one.excluded && (one.kind === "word" || one.kind === "phrase"));
    const out = parts.filter((one) => one.excluded && (one.kind === "word" || one.kind === "phrase"));
    const text = said.map((one) => one.value).join(" ");
    const phrases = said.filter((one) => one.kind === "phrase" && wordsOf(one.value).length).map((one) => one.value);
    const beside = said.filter((one) => !phrases.length || one.kind === "word").map((one) => one.value).join(" ");
    const words = wordsOf(text);
    const isBegun = prefix && /[^\s"”“]$/.test(typed);
    const read = (some) => Promise.all(some.map((word, at) => this.reading(word, { prefix: isBegun && at === words.length - 1 })));
    const [wanted, saying, inRows, ...left] = await Promise.all([
      read(words),
      this.saying(phrases, { exactly }),
      this.saying(rowsOf(beside)),
      ...out.map(async (one) => (one.kind === "phrase" || rowsOf(one.value).length ? this.saying([one.value]) : this.holding(await read(wordsOf(one.value))))),
    ]);
    const own = new Set(wordsOf(beside).map((one) => one.key));
    const others = [...own].filter((key) => !this.stop.has(key)).length;
    return {
      text,
      groups: groupsOf(said),
      notices,
      phrases,
      saying,
      isWhole: !exactly || !saying || !phrases.some(maySlip),
      inRows,
      operators: parts.filter((one) => one.kind !== "word" && one.kind !== "phrase"),
      wanted,
      beside: wanted.filter((one) => own.has(one.key)),
      asksMore: others > 0,
      isSentence: others >= SENTENCE && others > wordsOf(phrases.join(" ")).length,
      wordless: said.concat(out).filter((one) => one.kind === "phrase" && !wordsOf(one.value).length).map((one) => one.value),
      banned: new Set(left.flatMap((one) => [...(one ?? [])])),
    };
  }

  // The memes that have all of some words.
  holding(readings) {
    const sets = readings.map((one) => new Set(scoresOf(one, this.table.memes).keys()));
    return sets.length ? sets.reduce((all, one) => new Set([...all].filter((id) => one.has(id)))) : new Set();
  }

  // Finds memes: { hits: [{ id, matches, words, says, hasWords }], total, facets, phrases, … }. Without words, all of them, newest first.
  // With `meaning`, a MeaningIndex, they are also found by what they mean and ranked as the served site does.
  // With `exactly`, quoted phrases are said by the memes that have them as they are typed, for which less is fetched;
  // `isWhole` is false where other memes may say them with a slip, or damaged.
  async search(typed, { category = "", year = "", type = "", sort = "", prefix = false, exactly = false, meaning } = {}) {
    const asked = await this.understand(typed, { prefix, exactly });
    const { wanted, saying, inRows, asksMore, banned } = asked;
    const spoken = asked.beside.filter((one) => !this.stop.has(one.key) && !isEmoji(one));
    const required = spoken.length ? spoken : asked.beside;
    const few = wanted.filter((one) => frequencyOf(one) <= MAX_SHARE * this.table.memes);
    const scored = few.length ? few : wanted;
    // What a word adds to a score, its weight included: a share of what a meme with all words can have.
    const shares = weighted(asked.groups, scored.filter(frequencyOf), (one) => idf(frequencyOf(one), this.table.memes));
    const scores = new Map();
    const held = new Map();
    const information = new Map(); // the inverse document frequencies of the words that a meme has, summed
    const telling = wanted.some((one) => !this.stop.has(one.key)) ? wanted.filter((one) => !this.stop.has(one.key)) : wanted;
    const named = new Set(); // memes with a word of the query, in quotation marks or not
    for (const one of wanted) {
      for (const [id, score] of scoresOf(one, this.table.memes)) {
        if (telling.includes(one)) named.add(id);
        add(scores, id, scored.includes(one) ? score * (shares.get(one) ?? 0) : 0);
        add(information, id, idf(frequencyOf(one), this.table.memes));
        if (required.includes(one)) (held.get(id) ?? held.set(id, []).get(id)).push(one);
      }
    }
    for (const id of saying ?? []) add(scores, id, 0); // where a word is damaged, it is no word of the meme
    const everything = !asked.text;
    // Facts about all memes are large, and needed only to filter and sort by them.
    const facts = everything || category || year || type || sort || asked.operators.length ? await this.facts() : undefined;
    const filter = asked.operators.length ? (await script(import("./operators.js"), "operators.js")).filterOf(asked.operators, facts) : { passes: () => true, notices: [] };
    let ids = (everything ? [...facts.keys()] : [...scores.keys()]).filter((id) => !banned.has(id));
    // Words in so many memes that the index has no list of them are in every match.
    const unlisted = required.filter((one) => one.terms.length && one.terms.every(([, [frequency, steps]]) => frequency && !steps.length));
    if (unlisted.length) for (const id of ids) (held.get(id) ?? held.set(id, []).get(id)).push(...unlisted);
    const holdsAll = (id) => everything || ((held.get(id)?.length ?? 0) === required.length && (inRows?.has(id) ?? true));
    const exact = saying ? (id) => saying.has(id) && (!asksMore || holdsAll(id)) : holdsAll;
    const passesIn = (known, id, without) => {
      const fact = known.get(id);
      return Boolean(fact) && filter.passes(fact) && (without === "category" || !category || fact.category === category || fact.category.startsWith(`${category} - `)) && (without === "year" || !year || fact.year === year) && (without === "type" || !type || fact.type === type);
    };
    const passes = (id) => !facts || passesIn(facts, id);
    let matched = exact;
    let rank;
    if (meaning && !everything) {
      const found = await this.rankByMeaning(meaning, asked.groups, { ids, scores, information, exact, saying, wanted, passes, banned });
      if (found) {
        const fits = saying ? (id) => asksMore && saying.has(id) && found.relevant.has(id) : (id) => found.relevant.has(id);
        matched = (id) => exact(id) || fits(id);
        rank = found.rank;
        ids = [...new Set([...ids.filter((id) => exact(id) || saying?.has(id)), ...rank.keys()])];
      }
    }
    // Matches that are too many to be ranked are newest first.
    const known = facts ?? (rank && ids.some((id) => !rank.has(id)) ? await this.facts() : undefined);
    const newest = (one, other) => (known ? (known.get(other)?.day ?? 0) - (known.get(one)?.day ?? 0) : 0) || other - one;
    const best = rank ? (one, other) => (rank.get(one) ?? Infinity) - (rank.get(other) ?? Infinity) || newest(one, other) : (one, other) => scores.get(other) - scores.get(one) || one - other;
    const order = sort === "newest" || everything ? newest : best;
    const says = (id) => Number(Boolean(!asked.isSentence && saying?.has(id)));
    const kept = ids.filter(passes).sort((one, other) => matched(other) - matched(one) || says(other) - says(one) || order(one, other));
    return {
      hits: kept.map((id) => ({ id, matches: matched(id), words: (held.get(id) ?? []).map((one) => (one.exact ? one.typed : one.keys[0])), says: saying?.has(id) ? asked.phrases : [], hasWords: named.has(id) })),
      total: kept.filter(matched).length,
      phrases: saying ? asked.phrases : [],
      asksMore,
      wordless: asked.wordless,
      facets: async () => this.facets(ids.filter(matched), passesIn),
      byMeaning: Boolean(rank),
      isWhole: asked.isWhole,
      notices: [...asked.notices, ...filter.notices, ...(facts?.size && asked.operators.length && ![...facts.values()].some(filter.passes) ? [asked.operators.length - filter.notices.length > 1 ? "No meme fits all of these filters; leave one out." : "No meme fits this filter."] : [])],
      corrected: wanted.filter((one) => !one.exact && one.keys.length && !one.keys.some((key) => key.startsWith(one.key))).map((one) => [one.typed, one.keys[0]]),
      unknown: wanted.filter((one) => !one.keys.length).map((one) => one.typed),
    };
  }

  // How many of the matches have each value that results can be filtered by, whatever that filter is now.
  async facets(ids, passesIn) {
    const facts = await this.facts();
    const facets = {};
    for (const name of ["category", "year", "type"]) {
      const counts = (facets[name] = new Map());
      for (const id of ids) if (passesIn(facts, id, name)) add(counts, facts.get(id)[name], 1);
    }
    return facets;
  }

  // The ranking by all signals: { rank: places by id, relevant: ids above the cut-off }; undefined for a text that the
  // encoder cannot read.
  async rankByMeaning(meaning, groups, { ids, scores, information, exact, saying, wanted, passes, banned }) {
    const direction = await meaning.direction(groups);
    if (!direction) return undefined;
    const { weights, smoothing, depth, covered, least_phrase: least, relevance } = meaning.table;
    const byWords = [...ids].sort((one, other) => scores.get(other) - scores.get(one) || one - other);
    const matching = byWords.filter((id) => exact(id) || saying?.has(id)).slice(0, MOST_SCORED);
    const near = await meaning.fetch(direction, [...new Set([...matching, ...byWords])]);
    const pool = [...new Set([...near, ...byWords.slice(0, depth), ...matching])].filter((id) => !banned.has(id));
    const idfOf = (one) => idf(frequencyOf(one), this.table.memes);
    const sum = (all) => all.map(idfOf).reduce((one, other) => one + other, 0);
    const terms = new Map(wanted.map((one) => [one.key, one.terms[0]?.[0] ?? one.key]));
    const rows = groups.map(({ text, weight }) => ({ weight, terms: sequenceOf(text).map(({ word }) => terms.get(fold(word)) ?? fold(word)) }));
    const long = rows.filter((one) => one.terms.length >= least);
    const total = long.reduce((all, { weight }) => all + weight, 0);
    const inRow = new Map(pool.map((id) => [id, long.reduce((all, one) => all + one.weight * Number(Boolean(meaning.says(id, one.terms))), 0) / total]));
    const isSaid = total > 0 && [...inRow.values()].some(Boolean);
    // Every signal has the weight of the words with the most of it.
    const highest = (some) => Math.max(...some.map(({ weight }) => weight));
    const boosted = isSaid ? { ...weights, "phrase.ocr": (weights["phrase.ocr"] * highest(long)) / highest(rows) } : weights;
    const isScored = wanted.some(frequencyOf);
    const candidates = pool.map((id) => {
      const signals = meaning.scores(id, direction);
      if (isScored) signals["lexical.all"] = scores.get(id) ?? 0;
      if (isSaid) signals["phrase.ocr"] = meaning.says(id, []) === undefined ? undefined : inRow.get(id);
      return { id, signals };
    });
    const ranked = (some, wide, always) => {
      const proposed = proposals(some, boosted, covered, wide);
      return fuse(some.filter(({ id }) => proposed.has(id) || always.has(id)), boosted, smoothing);
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
