// What a form does beside being sent: the message or the mistake it came back with has the focus, and leaving it with
// changes that are not saved asks. Without it only that is missing.
"use strict";

(() => {
  // A browser gives the focus to nothing in a frame of another site by itself.
  document.querySelector("[autofocus]")?.focus();

  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const field = document.getElementById(button.dataset.copies);
      field.select();
      // The clipboard of a frame of another site needs a leave that its page seldom has; the older way does not.
      if (document.execCommand("copy")) button.textContent = button.dataset.done;
    });
  }

  // A frame that its page has shut in may not download, and a browser says so in its console only.
  if (self.origin === "null") {
    for (const link of document.querySelectorAll("a[data-file]")) {
      link.addEventListener("click", () => {
        if (link.nextElementSibling?.matches(".no-download")) return;
        const said = document.createElement("span");
        said.className = "hint no-download";
        said.setAttribute("role", "status");
        said.textContent = document.getElementById("main").dataset.noDownload;
        link.after(" ", said);
      });
    }
  }

  const form = document.querySelector("form[data-asks]");
  if (!form) return;

  const written = () => new URLSearchParams(new FormData(form)).toString();
  const before = written();
  let sending = false;

  // Who types is not idle; and who comes back after a long while sees at once that the session has ended.
  let asked = Date.now();
  async function alive() {
    if (Date.now() - asked < 60000) return;
    asked = Date.now();
    const response = await fetch(form.dataset.alive, { cache: "no-store", credentials: "omit" }).catch(() => null);
    if (response?.status !== 410 || document.getElementById("ended")) return;
    const alarm = document.createElement("p");
    alarm.id = "ended";
    alarm.className = "alarm";
    alarm.setAttribute("role", "alert");
    alarm.textContent = form.dataset.ended;
    document.getElementById("main").prepend(alarm);
    alarm.scrollIntoView();
  }
  form.addEventListener("input", alive);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) alive(); });

  form.addEventListener("submit", () => { sending = true; });
  addEventListener("pageshow", () => { sending = false; });
  addEventListener("beforeunload", (event) => {
    if (!sending && ("unsaved" in form.dataset || written() !== before)) event.preventDefault();
  });
})();
