// Keeps the page current: requests it again every few seconds and changes only what differs, so that the scroll
// position, open details and the focus stay. Values change in place; rows come and go only when the reader wants it, or
// when nothing has been touched for a minute. What could not be refreshed is never shown as fresh.
"use strict";

(() => {
  const EVERY = 3000;
  const PATIENCE = 10000;
  const UNATTENDED = 60000;
  const link = document.getElementById("link");
  const pause = document.getElementById("pause");
  const button = document.getElementById("changes");
  const main = () => document.getElementById("main");
  const words = JSON.parse(main().dataset.words);
  let ahead = 0;        // the exporter's clock minus ours, in milliseconds
  let lost = null;      // when the first failed attempt began
  let timer = 0;
  let asking = false;
  let paused = false;
  let latest = null;    // the page as it would be with all its rows
  let changes = 0;      // rows that have come or gone since
  let touched = Date.now();

  const now = () => Date.now() + ahead;
  const put = (pattern, text) => pattern.replace("{}", () => text);

  // The same as in page/time.rs.
  const two = (large, unit, small, smallUnit) => small ? `${large} ${unit} ${small} ${smallUnit}` : `${large} ${unit}`;
  function span(milliseconds) {
    const seconds = Math.max(0, Math.trunc(milliseconds / 1000));
    if (seconds < 60) return `${seconds} ${words.seconds}`;
    if (seconds < 3600) return `${Math.trunc(seconds / 60)} ${words.minutes}`;
    if (seconds < 86400) return two(Math.trunc(seconds / 3600), words.hours, Math.trunc(seconds % 3600 / 60), words.minutes);
    return two(Math.trunc(seconds / 86400), words.days, Math.trunc(seconds % 86400 / 3600), words.hours);
  }
  const said = {
    for: age => span(age),
    ago: age => Math.abs(age) < 1000 ? words.now : age > 0 ? put(words.ago, span(age)) : put(words.in, span(-age)),
    next: age => age > 30000 ? put(words.overdue, span(age)) : age >= 0 ? words.due : put(words.in, span(-age)),
  };

  function selecting() {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && selection.containsNode(main(), true);
  }

  function tick() {
    const at = now();
    if (!selecting()) {
      for (const time of document.querySelectorAll("time[data-tick]")) {
        const text = said[time.dataset.tick](at - Date.parse(time.dateTime));
        if (time.textContent !== text) time.textContent = text;
      }
    }
    say();
  }

  // A screen reader is told what has happened, but not each second how old that is.
  const age = document.createElement("span");
  age.setAttribute("aria-hidden", "true");
  let told = "";

  function say() {
    let text = "";
    if (lost !== null) {
      text = put(words.lost, new Date(lost).toLocaleTimeString());
      document.title = `${words.lostTitle} · aliyun-task-exporter`;
    } else if (paused) {
      text = words.pausedFor;
    } else if (selecting()) {
      text = words.selected;
    }
    document.body.classList.toggle("lost", lost !== null);
    link.hidden = text === "";
    age.textContent = span(now() - main().dataset.now);
    if (told !== text) {
      told = text;
      link.replaceChildren(text, age);
    }
    const offer = changes > 0 ? put(words.changed, changes) : "";
    button.hidden = offer === "";
    if (button.textContent !== offer) button.textContent = offer;
  }

  // Makes `old` equal to `fresh`, keeping every node that can be kept; unless `all`, rows neither come nor go.
  function morph(old, fresh, all) {
    if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    attributes(old, fresh);
    if (!all && old.dataset.keyed !== undefined) return keep(old, fresh);
    if (!all && old.dataset.held !== undefined && shape(old) !== shape(fresh)) {
      changes += 1;
      return;
    }
    const wanted = [...fresh.childNodes];
    const known = new Map([...old.children].filter(child => child.id).map(child => [child.id, child]));
    wanted.forEach((child, index) => {
      const same = child.id && known.get(child.id);
      const here = old.childNodes[index];
      if (same && same !== here) old.insertBefore(same, here ?? null);
      if (old.childNodes[index]) morph(old.childNodes[index], child, all);
      else old.append(child);
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  }

  const shape = element => [...element.children].map(child => child.nodeName).join();

  // A row that is gone stays, marked as such; a new one is counted.
  function keep(old, fresh) {
    const rows = new Map([...fresh.children].map(row => [row.id, row]));
    for (const row of old.children) {
      const now = rows.get(row.id);
      rows.delete(row.id);
      if (now) morph(row, now, false);
      else row.classList.add("gone");
      changes += now ? 0 : 1;
    }
    changes += rows.size;
  }

  function attributes(old, fresh) {
    const own = name => name === "open" && old.nodeName === "DETAILS" || old === pause;
    for (const { name } of [...old.attributes]) if (!own(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (!own(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }

  const parse = text => new DOMParser().parseFromString(text, "text/html");

  function show(text) {
    const page = parse(text);
    const fresh = page.getElementById("main");
    if (!fresh) throw new Error("this is not the status page");
    if (fresh.dataset.build !== main().dataset.build) return location.reload();
    ahead = Number(fresh.dataset.now) - Date.now();
    if (selecting()) return;
    latest = text;
    const unattended = Date.now() - touched > UNATTENDED;
    if (unattended) touched = Date.now();
    apply(page, unattended);
  }

  function apply(page, all) {
    changes = 0;
    const label = page.getElementById("pause");
    if (label) label.textContent = pause.textContent;
    // What is typed into the form stays.
    page.querySelector("form.search")?.replaceWith(document.querySelector("form.search")?.cloneNode(true) ?? "");
    for (const id of ["top", "main"]) morph(document.getElementById(id), page.getElementById(id), all);
    document.title = page.title;
    document.querySelector("link[rel=icon]").href = page.querySelector("link[rel=icon]").href;
  }

  async function refresh() {
    clearTimeout(timer);
    if (asking || paused || document.hidden) return;
    asking = true;
    const began = Date.now();
    try {
      const answer = await fetch(location.pathname + location.search, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok && answer.status !== 404) throw new Error(`status ${answer.status}`);
      const text = await answer.text();
      lost = null;
      if (!paused) show(text);
    } catch {
      lost ??= began;
    }
    asking = false;
    tick();
    if (!document.hidden && !paused) timer = setTimeout(refresh, EVERY);
  }

  function rearrange() {
    if (latest !== null) apply(parse(latest), true);
    tick();
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? words.resume : words.pause;
    tick();
    refresh();
  });
  button.addEventListener("click", () => { rearrange(); });
  for (const event of ["pointermove", "pointerdown", "keydown", "scroll", "wheel", "touchstart"]) {
    addEventListener(event, () => { touched = Date.now(); }, { passive: true });
  }
  ahead = Number(main().dataset.now) - Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    tick();
    refresh();
  });
  document.addEventListener("selectionchange", say);
  addEventListener("online", refresh);
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
  timer = setTimeout(refresh, EVERY);
})();
