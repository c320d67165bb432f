// What a form does beside being sent: the message or the mistake it came back with has the focus, and leaving it with
// changes that are not saved asks. Without it only that is missing.
"use strict";

(() => {
  // A browser gives the focus to nothing in a frame of another site by itself.
  document.querySelector("[autofocus]")?.focus();

  const form = document.querySelector("form[data-asks]");
  if (!form) return;

  const written = () => new URLSearchParams(new FormData(form)).toString();
  const before = written();
  let sending = false;

  form.addEventListener("submit", () => { sending = true; });
  addEventListener("pageshow", () => { sending = false; });
  addEventListener("beforeunload", (event) => {
    if (!sending && ("unsaved" in form.dataset || written() !== before)) event.preventDefault();
  });
})();
