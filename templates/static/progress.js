// Live progress: asks for the moving parts of the page and puts them in place. Without it the page is complete,
// it only stands still.
"use strict";

(() => {
  const page = document.getElementById("live");
  if (!page) return;

  const QUICK = 2000;
  const CALM = 15000;

  function show(answer) {
    for (const [id, text] of Object.entries(answer.texts)) {
      const element = document.getElementById(id);
      if (element && element.textContent !== text) element.textContent = text;
    }
    for (const [id, bar] of Object.entries(answer.bars)) {
      const element = document.getElementById(id);
      if (element) {
        element.max = bar.max;
        element.value = bar.value;
      }
    }
  }

  async function ask() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", ask, { once: true });
      return;
    }
    let pause = CALM;
    try {
      const response = await fetch(page.dataset.url, { cache: "no-store", credentials: "omit" });
      if (response.status === 410) {
        document.getElementById("updated").textContent = page.dataset.ended;
        return;
      }
      if (response.ok) {
        const answer = await response.json();
        show(answer);
        if (!answer.settled) pause = QUICK;
      }
    } catch {
      // no connection right now: the next turn asks again
    }
    setTimeout(ask, pause);
  }

  setTimeout(ask, QUICK);
})();
