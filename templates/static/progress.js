// A page that renews itself: it asks for itself again and puts in place what differs, all of it at once, so that no
// two of its numbers are of different moments. What has the focus keeps it. Without it the page only stands still.
"use strict";

(() => {
  const body = document.body;
  if (!body.dataset.renew) return;

  function renew(old, fresh) {
    if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(document.importNode(fresh, true));
    } else if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
    } else if (old.nodeType === Node.ELEMENT_NODE) {
      for (const { name } of [...old.attributes]) {
        if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
      }
      for (const { name, value } of fresh.attributes) {
        if (old.getAttribute(name) !== value) old.setAttribute(name, value);
      }
      const before = [...old.childNodes];
      const after = [...fresh.childNodes];
      before.slice(after.length).forEach((one) => one.remove());
      after.forEach((one, place) => {
        if (place < before.length) renew(before[place], one);
        else old.append(document.importNode(one, true));
      });
    }
  }

  function end() {
    // Nothing of what stands here may look alive.
    const alarm = document.createElement("p");
    alarm.className = "alarm";
    alarm.setAttribute("role", "alert");
    alarm.textContent = body.dataset.ended;
    document.getElementById("main").prepend(alarm);
    document.title = `${body.dataset.ended} – Upbridge`;
    body.classList.add("ended");
  }

  async function ask() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", ask, { once: true });
      return;
    }
    try {
      const response = await fetch(body.dataset.renew, { cache: "no-store", credentials: "omit" });
      if (response.status === 410) {
        end();
        return;
      }
      if (response.ok) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        renew(body, fresh.body);
        document.title = fresh.title;
      }
    } catch {
      // No connection right now: the next turn asks again, and until then the page says how old it is.
      const updated = document.getElementById("updated");
      if (!updated.textContent.startsWith(body.dataset.lost)) updated.prepend(`${body.dataset.lost} `);
    }
    setTimeout(ask, body.dataset.pause * 1000);
  }

  setTimeout(ask, 2000);
})();
