// Cards of memes by their number, from the files that the search of an exported site has.
import { contentOf, fetching, packedJson } from "./files.js";

const load = fetching(new URL("search/cards/", document.baseURI));
const many = Number(document.documentElement.dataset.static); // of a file
const files = new Map();

// The card of a meme; undefined for one that the site no longer has. Rejected where it cannot be fetched.
export async function cardOf(id) {
  const name = `${Math.floor(id / many)}.dat`;
  if (!files.has(name)) files.set(name, contentOf(load, name, packedJson));
  files.get(name).catch(() => files.delete(name));
  const html = (await files.get(name).catch((error) => (error.kind === "missing" ? {} : Promise.reject(error))))[id];
  if (!html) return undefined;
  const template = document.createElement("template");
  template.innerHTML = html; // made by the export, from escaped texts
  return template.content.querySelector(".card");
}

// The title, the page and the thumbnail of memes, by id; without those that are not there.
export async function detailsOf(ids) {
  const cards = await Promise.all(ids.map((id) => cardOf(id).catch(() => undefined)));
  const found = {};
  cards.forEach((card, at) => {
    if (!card) return;
    const link = card.querySelector("a.picture");
    const image = link.querySelector("img");
    found[ids[at]] = {
      title: image ? image.alt : link.textContent.trim(),
      page: new URL(link.getAttribute("href"), document.baseURI).href,
      thumbnail: image ? new URL(image.getAttribute("src"), document.baseURI).href : undefined,
    };
  });
  return found;
}
