// Searches with a picture, together with the words in the search box.
import { base, notify } from "./site.js";

export async function searchWith(file, box) {
  if (!file) return;
  notify("Searching with the picture…", 0);
  const form = new FormData();
  form.append("picture", file, file.name || "pasted");
  form.append("q", box?.elements.q?.value ?? "");
  form.append("category", box?.elements.category?.value ?? "");
  try {
    const answer = await fetch(`${base}/upload`, { method: "POST", body: form });
    if (answer.ok) return location.assign(answer.url);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    notify([...page.querySelectorAll("main h1, main h1 + p")].map((one) => one.textContent.trim()).join(" ") || "The search with this picture failed.");
  } catch {
    notify("The server cannot be reached. Try again.");
  }
}
