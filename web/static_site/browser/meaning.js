// Search by meaning in an exported site: the vectors of the memes that are near to a query, and their scores by signal.
// It has no part in the page: `load` returns the bytes of a file by its name, `embed` the row of a text ([d]).

import { asJson, contentOf, unpacked } from "./files.js";

const MORE_LISTS = 8; // lists of memes with the words, beside those that are near by meaning
const LEADING = 20; // memes with the words whose lists are wanted

export class MeaningIndex {
  constructor(load, embed) {
    this.load = load;
    this.embed = embed;
    this.lists = new Map();
    this.memes = new Map(); // by id: { words, rows: { field: [[list, row], …] } }
  }

  // `name` is that of the table.
  async open(name) {
    this.table = asJson(await this.unpacked(name));
    const { dimensions } = this.table;
    const [whitening, centroids, listOf] = await Promise.all([this.unpacked(this.table.whitening), this.unpacked(this.table.centroids), this.unpacked(this.table.list_of)]);
    this.whitening = rows(whitening, Int16Array, dimensions);
    this.centroids = rows(centroids, Int8Array, dimensions);
    const { steps, lists } = asJson(listOf);
    let id = 0;
    this.listOf = new Map(lists.map((list, at) => [(id += steps[at]), list]));
    return this;
  }

  unpacked(name) {
    return contentOf(this.load, name, unpacked);
  }

  // The direction of some texts, [{ text, weight }], as long as the share of their letters that the encoder reads;
  // undefined for none.
  async direction(groups) {
    const read = groups.map(({ text, weight }) => ({ weight, ...readable(text, this.table.encoder?.reads) })).filter(({ text }) => text);
    if (!read.length) return undefined;
    const { dimensions } = this.table;
    const sum = new Float32Array(dimensions);
    for (const { text, weight } of read) {
      const row = await this.whitened(text);
      for (let at = 0; at < dimensions; at++) sum[at] += weight * row[at];
    }
    const length = Math.hypot(...sum);
    const share = read.reduce((all, one) => all + one.share * one.weight, 0) / read.reduce((all, one) => all + one.weight, 0);
    return length ? sum.map((value) => (value / length) * share) : undefined;
  }

  // The whitened direction of a text, of length 1.
  async whitened(text) {
    const [row, { dimensions }] = [await this.embed(text), this.table];
    const found = new Float32Array(dimensions);
    const unit = 1 / (Math.hypot(...row) || 1);
    const { values, scales } = this.whitening; // the mean, then the matrix
    for (let at = 0; at < dimensions; at++) {
      const centered = (row[at] * unit - values[at] * scales[0]) * scales[at + 1];
      const from = (at + 1) * dimensions;
      for (let to = 0; to < dimensions; to++) found[to] += centered * values[from + to];
    }
    const length = Math.hypot(...found) || 1;
    return found.map((value) => value / length);
  }

  // Fetches what the best memes for a direction are in, and the first of `leading`, ids of memes with the words.
  async fetch(direction, leading) {
    const { probes, lists } = this.table;
    const near = lists.map((_, at) => [product(this.centroids, at, direction), at]).sort(([one], [other]) => other - one);
    const wanted = new Set(near.slice(0, probes).map(([, at]) => at));
    for (const id of leading.slice(0, LEADING)) if (wanted.size < probes + MORE_LISTS) wanted.add(this.listOf.get(id));
    wanted.delete(undefined);
    wanted.delete(-1);
    await Promise.all([...wanted].map((at) => this.list(at)));
    return [...wanted].flatMap((at) => this.lists.get(at).ids);
  }

  async list(at) {
    if (this.lists.has(at)) return;
    const raw = await this.unpacked(this.table.lists[at][0]);
    const length = new DataView(raw).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(raw, 4, length)));
    const packed = rows(raw.slice(4 + length), Int8Array, this.table.dimensions);
    let row = 0;
    const own = head.ids.map((id, place) => ({ id, words: head.words[place], rows: {} }));
    for (const [field, counts] of Object.entries(head.counts)) {
      counts.forEach((count, place) => {
        own[place].rows[field] = [packed, row, count];
        row += count;
      });
    }
    for (const one of own) this.memes.set(one.id, one);
    this.lists.set(at, { ids: head.ids });
  }

  // The scores of a meme by semantic signals; those of memes whose list is not there are 0.
  scores(id, direction) {
    const found = {};
    const known = this.memes.get(id);
    for (const signal of Object.keys(this.table.weights)) {
      if (!signal.startsWith("semantic.")) continue;
      const field = signal.slice("semantic.".length);
      if (!known) found[signal] = 0;
      else if (known.rows[field]?.[2]) {
        const [packed, first, count] = known.rows[field];
        const each = Array.from({ length: count }, (_, at) => product(packed, first + at, direction)).sort((one, other) => other - one);
        const best = each.slice(0, this.table.best[field] ?? 1);
        found[signal] = best.reduce((sum, one) => sum + one, 0) / best.length;
      }
    }
    return found;
  }

  // Whether the text in a meme's picture has these terms in a row; undefined without such a text.
  says(id, terms) {
    const words = this.memes.get(id)?.words;
    return words ? ` ${words} `.includes(` ${terms.join(" ")} `) : undefined;
  }
}

// Rows of whole numbers after the scale of each.
function rows(raw, kind, dimensions) {
  const count = raw.byteLength / (4 + dimensions * kind.BYTES_PER_ELEMENT);
  return { scales: new Float32Array(raw.slice(0, 4 * count)), values: new kind(raw.slice(4 * count)), dimensions };
}

function product({ scales, values, dimensions }, row, direction) {
  let sum = 0;
  const from = row * dimensions;
  for (let at = 0; at < dimensions; at++) sum += values[from + at] * direction[at];
  return sum * scales[row];
}

// What an encoder reads of a text, and the share of its letters; as `search/encoders/coverage.py`.
export function readable(text, scripts) {
  if (!scripts || /^[\x00-\x7f]*$/.test(text)) return { text: text.trim(), share: 1 };
  const read = [...scripts, "Common", "Inherited"].map((name) => `\\p{Script=${name}}`).join("");
  const unread = new RegExp(`(?:(?![${read}])\\p{L}[\\p{M}\\u0640\\u30fc\\uff70\\uff9e\\uff9f\\u3005\\u200c\\u200d]*)+`, "gu");
  const kept = text.replace(unread, " ").trim().replace(/\s+/g, " ");
  const letters = (one) => (one.match(/\p{L}/gu) ?? []).length;
  if (kept === text.trim().replace(/\s+/g, " ")) return { text: /[\p{L}\p{N}]/u.test(kept) ? kept : "", share: 1 };
  return letters(kept) ? { text: kept, share: letters(kept) / letters(text) } : { text: "", share: 0 };
}
