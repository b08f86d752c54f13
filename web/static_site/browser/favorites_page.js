// The favorites of this browser; opened with numbers in its address, those of somebody else.
import { cardOf } from "./cards.js";
import { favorites, keep } from "./favorites.js";
import { watch } from "./grid.js";
import { notify } from "./site.js";

const MOST = 500;
const page = document.querySelector("[data-saved]");
const at = (name) => page.querySelector(`[data-${name}]`);
const own = favorites();
const given = (new URLSearchParams(location.search).get("ids") ?? "").split(".").filter((one) => /^[0-9]{1,18}$/.test(one));
const ids = [...new Set(given.length ? given : own)].slice(0, MOST);

if (!ids.length) at("none").hidden = false;
else {
  try {
    const cards = await Promise.all(ids.map((id) => cardOf(Number(id))));
    const found = cards.filter(Boolean);
    at("count").textContent = found.length.toLocaleString("en");
    document.getElementById("results").replaceChildren(...found);
    const gone = cards.length - found.length;
    at("gone").hidden = !gone;
    at("gone").textContent = gone === 1 ? "1 meme is no longer here." : `${gone} memes are no longer here.`;
    at("address").hidden = false;
    const address = new URL(location.href);
    address.search = `ids=${ids.join(".")}`;
    history.replaceState(history.state, "", address);
    at("add").hidden = ids.every((one) => own.includes(one));
    watch();
  } catch (error) {
    console.warn(error);
    at("failed").hidden = false;
  }
}
at("add").addEventListener("click", () => {
  if (!keep([...new Set([...own, ...ids])])) return;
  at("add").hidden = true;
  notify("Added to your favorites, in this browser.", 3);
});
at("wait").hidden = true;
