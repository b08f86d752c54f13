// The ranking of an exported site: the served site's convex combination of signals, and its relevance cut-off.
// As `search/ranking/fusion.py` and `search/ranking/relevance.py`; a test compares the results of both.

import { wordsOf } from "./words.js";

const NEAR_MISSES = [2, 8];

// Scores of candidates, best first, ties by the lower id: [{ id, score, signals }]. `candidates` are { id, signals }: by the
// name of a signal its score, undefined where the candidate has nothing to compare; its weight then goes to the others.
export function fuse(candidates, weights, smoothing) {
  const names = Object.keys(weights).filter((name) => candidates.some((one) => name in one.signals));
  const total = names.reduce((sum, name) => sum + weights[name], 0);
  const ranked = candidates.map(({ id, signals }) => {
    let present = 0;
    let score = 0;
    for (const name of names) {
      if (signals[name] === undefined) continue;
      present += weights[name];
      score += weights[name] * Math.min(1, Math.max(0, signals[name]));
    }
    return { id, signals, score: (score * (1 + smoothing)) / (present + smoothing * total) };
  });
  return ranked.sort((one, other) => other.score - one.score || one.id - other.id);
}

// What each word adds to a score of 0 to 1, by the word: words with a weight of their own are scored by themselves, and
// the weighted mean counts. `groups` are [{ text, weight }], `information` returns the inverse document frequency of a word.
export function weighted(groups, words, information) {
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  const found = new Map();
  for (const { text, weight } of groups) {
    const keys = new Set(wordsOf(text).map(({ key }) => key));
    const own = words.filter((one) => keys.has(one.key));
    const bound = own.reduce((sum, one) => sum + information(one), 0);
    for (const one of own) found.set(one, (found.get(one) ?? 0) + weight / total / bound);
  }
  return found;
}

// The number of hits of a ranking, from the best on, that are relevant. `held` is the sum of the inverse document
// frequencies of a query's words that a meme has, `idf` that of all `words`, `model` { weights, bias, line }.
export function cutoff(ranked, { held, idf, words, model }) {
  if (!words || !ranked.length) return 0;
  const length = Math.log1p(words);
  const shares = ranked.map((one) => held(one.id) / Math.max(idf, 1e-9));
  const hasAll = shares.map((share) => share > 1 - 1e-6);
  const near = ranked.filter((_, at) => !hasAll[at]).slice(...NEAR_MISSES).map((one) => one.score);
  const level = near.length ? near.reduce((sum, score) => sum + score, 0) / near.length : 0;
  const [first, second] = [ranked[0].score, ranked[1]?.score ?? 0];
  let least = Infinity;
  let relevant = 0;
  ranked.forEach((one, at) => {
    const semantic = Object.entries(one.signals).filter(([name, score]) => name.startsWith("semantic.") && score !== undefined);
    const alone = one.score === first ? first - second : 0;
    const features = [
      shares[at],
      hasAll[at] ? 1 : 0,
      held(one.id) / 10,
      Math.min(1, Math.max(0, ...semantic.map(([, score]) => score))),
      0, // how well the picture fits the words: the browser has no image encoder
      length,
      (alone / Math.max(one.score, 1e-9)) * length,
      Math.max(one.score - level, 0) * length,
    ];
    least = Math.min(least, features.reduce((sum, value, place) => sum + value * model.weights[place], model.bias));
    if (least > model.line) relevant = at + 1;
  });
  return relevant;
}

// The candidates that each signal proposes: its `depth` best, among those that it may propose. `covered` names for a
// field those that a meme must not have to be proposed by it.
export function proposals(candidates, weights, covered, depth) {
  const found = new Set();
  for (const name of Object.keys(weights)) {
    const others = (covered[name.replace("semantic.", "")] ?? []).map((field) => `semantic.${field}`);
    const able = candidates.filter(({ signals }) => signals[name] !== undefined && (name.startsWith("semantic.") || signals[name] > 0) && !others.some((other) => signals[other] !== undefined));
    able.sort((one, other) => other.signals[name] - one.signals[name] || one.id - other.id);
    for (const one of able.slice(0, depth)) found.add(one.id);
  }
  return found;
}
