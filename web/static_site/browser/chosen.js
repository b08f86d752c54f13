// Before the page is drawn: the colors and the size of pictures that this browser chose. Shows what needs a script.
{
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    for (const name of ["theme", "size"]) {
      const value = localStorage.getItem(name);
      if (value && /^[a-z]+$/.test(value)) root.dataset[name] = value;
    }
  } catch {
    // Private windows may keep nothing.
  }
  document.addEventListener("DOMContentLoaded", () => {
    // Modules have run by now: a search page whose script did not would say for ever that it loads.
    const counted = document.querySelector("[data-counted]:not([data-started])");
    if (counted) {
      counted.textContent = "Search failed";
      const showing = document.querySelector("[data-showing]");
      showing.hidden = false;
      showing.textContent = "The search could not be loaded. Load the page again.";
    }
    for (const one of document.querySelectorAll("[data-scripted]")) one.hidden = false;
    for (const name of ["theme", "size"]) {
      for (const one of document.querySelectorAll(`a[data-${name}]`)) {
        if (one.dataset[name] === root.dataset[name]) one.setAttribute("aria-current", "true");
        else one.removeAttribute("aria-current");
      }
    }
  });
}
