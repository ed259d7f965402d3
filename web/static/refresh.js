// Fetches the page again every few seconds and puts its <main> in place, keeping what the reader opened. Without
// JavaScript the page reloads itself by a meta element.
(() => {
  const seconds = Number(document.currentScript.dataset.seconds) || 5;
  async function refresh() {
    const selected = String(getSelection() || "") !== "";
    if (document.hidden || selected) return;
    const answer = await fetch(location.href, {cache: "no-store", credentials: "same-origin"});
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("main"), now = document.querySelector("main");
    if (!next || !now) return;
    for (const d of next.querySelectorAll("details[id]")) {
      const old = document.getElementById(d.id);
      if (old) d.open = old.open;
    }
    const scrolled = [...now.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
    now.replaceWith(next);
    next.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    const footer = page.querySelector("footer");
    if (footer) document.querySelector("footer").replaceWith(footer);
    document.title = page.title;
  }
  setInterval(() => refresh().catch(() => {}), seconds * 1000);
})();
