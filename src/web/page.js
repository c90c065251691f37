// Keeps the page current: requests it again every few seconds and changes only what differs, so that the scroll
// position, open details and the focus stay. What could not be refreshed is never shown as fresh.
"use strict";

(() => {
  const EVERY = 3000;
  const PATIENCE = 10000;
  const link = document.getElementById("link");
  let ahead = 0;        // the exporter's clock minus ours, in milliseconds
  let lost = null;      // when the first failed attempt began
  let timer = 0;
  let asking = false;

  const main = () => document.getElementById("main");
  const now = () => Date.now() + ahead;

  // The same texts as in page/time.rs.
  const two = (large, unit, small, smallUnit) => small ? `${large} ${unit} ${small} ${smallUnit}` : `${large} ${unit}`;
  function span(milliseconds) {
    const seconds = Math.max(0, Math.trunc(milliseconds / 1000));
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.trunc(seconds / 60)} min`;
    if (seconds < 86400) return two(Math.trunc(seconds / 3600), "h", Math.trunc(seconds % 3600 / 60), "min");
    return two(Math.trunc(seconds / 86400), "d", Math.trunc(seconds % 86400 / 3600), "h");
  }
  const words = {
    for: age => span(age),
    ago: age => Math.abs(age) < 1000 ? "now" : age > 0 ? `${span(age)} ago` : `in ${span(-age)}`,
    next: age => age > 30000 ? `${span(age)} overdue` : age >= 0 ? "due" : `in ${span(-age)}`,
  };

  function selecting() {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && selection.containsNode(main(), true);
  }

  function tick() {
    const at = now();
    if (!selecting()) {
      for (const time of document.querySelectorAll("time[data-tick]")) {
        const text = words[time.dataset.tick](at - Date.parse(time.dateTime));
        if (time.textContent !== text) time.textContent = text;
      }
    }
    say();
  }

  function say() {
    let text = "";
    if (lost !== null) {
      const since = new Date(lost).toLocaleTimeString();
      text = `Connection to the exporter lost since ${since}. What is shown is ${span(now() - main().dataset.now)} old.`;
      document.title = "Connection lost · aliyun-task-exporter";
    } else if (selecting()) {
      text = `Not refreshed while text is selected. What is shown is ${span(now() - main().dataset.now)} old.`;
    }
    document.body.classList.toggle("lost", lost !== null);
    link.hidden = text === "";
    if (link.textContent !== text) link.textContent = text;
  }

  // Makes `old` equal to `fresh`, keeping every node that can be kept.
  function morph(old, fresh) {
    if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    attributes(old, fresh);
    const wanted = [...fresh.childNodes];
    wanted.forEach((child, index) => {
      const known = child.id && [...old.children].find(other => other.id === child.id);
      const here = old.childNodes[index];
      if (known && known !== here) old.insertBefore(known, here);
      if (old.childNodes[index]) morph(old.childNodes[index], child);
      else old.append(child);
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  }

  function attributes(old, fresh) {
    const own = name => name === "open" && old.nodeName === "DETAILS";
    for (const { name } of [...old.attributes]) if (!own(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (!own(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }

  function show(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("main");
    if (!fresh) throw new Error("this is not the status page");
    if (fresh.dataset.build !== main().dataset.build) return location.reload();
    ahead = Number(fresh.dataset.now) - Date.now();
    if (selecting()) return;
    for (const id of ["top", "main"]) morph(document.getElementById(id), page.getElementById(id));
    document.title = page.title;
    document.querySelector("link[rel=icon]").href = page.querySelector("link[rel=icon]").href;
  }

  async function refresh() {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    const began = Date.now();
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const text = await answer.text();
      lost = null;
      show(text);
    } catch {
      lost ??= began;
    }
    asking = false;
    tick();
    if (!document.hidden) timer = setTimeout(refresh, EVERY);
  }

  ahead = Number(main().dataset.now) - Date.now();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { tick(); refresh(); } });
  document.addEventListener("selectionchange", say);
  addEventListener("online", refresh);
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
  timer = setTimeout(refresh, EVERY);
})();
