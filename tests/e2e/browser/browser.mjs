// Real Chromium: `browser.mjs SCENARIO '{"url": …}'` plays a scenario and prints what was seen as JSON.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.BROWSER_MODULES, "package.json"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const ARGS = [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

// Words that stand on two lines. What is longer than 24 characters may have to: an id, a long name.
function brokenWords() {
  const broken = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const style = getComputedStyle(node.parentElement);
    if (node.parentElement.closest("script, .sr, option") || style.visibility === "hidden") continue;
    // A long heading may be broken after a hyphen.
    const words = node.parentElement.closest("h1") ? /[\p{Script=Latin}\p{N}_.]+/gu : /[\p{Script=Latin}\p{N}][\p{Script=Latin}\p{N}_.-]*/gu;
    for (const { 0: word, index } of node.data.matchAll(words)) {
      if (word.length > 24) continue;
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const lines = new Set([...range.getClientRects()].filter(rect => rect.width > 0).map(rect => Math.round(rect.top)));
      if (lines.size > 1) broken.add(word);
    }
  }
  return [...broken];
}

// What sticks out to the right of the window.
const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

async function axe(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}: ${nodes[0].failureSummary}`);
}

async function opened(browser, { url, width = 1440, height = 900, scheme = "light", locale = "en-US", script = true }) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: scheme, locale, javaScriptEnabled: script,
  });
  const page = await context.newPage();
  const errors = [];
  page.on("console", message => { if (["error", "warning"].includes(message.type())) errors.push(message.text()); });
  page.on("pageerror", error => errors.push(String(error)));
  await page.goto(url, { waitUntil: "load" });
  return { context, page, errors };
}

const SCENARIOS = {
  // Each page at each width: broken words, what sticks out, and what axe finds.
  async look(browser, { urls, widths, axeWidths, schemes, locales, pictures }) {
    const seen = [];
    for (const [name, url] of Object.entries(urls)) for (const locale of locales) for (const scheme of schemes) {
      const { context, page, errors } = await opened(browser, { url, scheme, locale });
      // So that nothing changes between two looks, and nothing is hidden from them.
      await page.locator("#pause").click();
      await page.evaluate(() => { for (const details of document.querySelectorAll("details")) details.open = true; });
      for (const width of widths) {
        await page.setViewportSize({ width, height: 900 });
        const broken = await page.evaluate(brokenWords);
        const violations = axeWidths.includes(width) ? await axe(page) : [];
        seen.push({ name, locale, scheme, width, broken, overflow: await page.evaluate(overflow), violations });
        if (pictures) await page.screenshot({ path: join(pictures, `${name}-${locale}-${scheme}-${width}.png`), fullPage: true });
      }
      if (errors.length) seen.push({ name, locale, scheme, width: 0, broken: [], overflow: 0, violations: errors });
      await context.close();
    }
    return seen;
  },

  // A reader in the middle of the page, with something opened and something in focus, while it updates.
  async live(browser, { url, seconds, width }) {
    const { page, errors } = await opened(browser, { url, width });
    await page.evaluate(() => {
      globalThis.shift = 0;
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.evaluate(() => document.querySelector("details > summary").click());
    const link = page.locator("#targets a.main").nth(1);
    await link.focus();
    await page.locator("input[name=q]").evaluate(input => { input.value = "typed"; });
    const look = () => page.evaluate(() => ({
      now: Number(document.getElementById("main").dataset.now),
      scroll: scrollY,
      open: document.querySelectorAll("details[open]").length,
      focus: document.activeElement.getAttribute("href"),
      typed: document.querySelector("input[name=q]").value,
      rows: [...document.querySelectorAll("#targets tbody tr")].map(row => row.id),
      shift: globalThis.shift,
      changes: document.getElementById("changes").hidden ? "" : document.getElementById("changes").textContent,
    }));
    // Scrolling is slow to settle; a shift counts from here on.
    await page.waitForTimeout(700);
    await page.evaluate(() => { globalThis.shift = 0; });
    const before = await look();
    await page.waitForTimeout(seconds * 1000);
    const after = await look();
    await page.locator("#pause").click();
    const paused = await look();
    await page.waitForTimeout(4000);
    const still = await look();
    return { before, after, paused, still, errors };
  },

  // Rows that come and go are offered, and shown when the reader wants them.
  async rearrange(browser, { url }) {
    const { page, errors } = await opened(browser, { url });
    await page.locator("#changes").waitFor({ state: "visible", timeout: 30000 });
    const rows = () => page.evaluate(() => [...document.querySelectorAll("[data-keyed] > *")].map(row => `${row.className}#${row.id}`));
    const before = await rows();
    await page.locator("#changes").click();
    const after = await rows();
    return { before, after, hidden: await page.locator("#changes").isHidden(), errors };
  },

  // A search by keyboard, then a row's page, then one that is not there.
  async search(browser, { url, text, absent, script }) {
    const { page, errors } = await opened(browser, { url, script });
    await page.locator("input[name=q]").fill(text);
    await page.keyboard.press("Enter");
    await page.waitForURL(/[?&]q=/);
    const found = { url: page.url(), rows: await page.locator("#targets tbody tr").count() };
    await page.locator("#targets tbody a.main").first().click();
    await page.waitForLoadState();
    const single = { url: page.url(), title: await page.locator("h1").textContent() };
    const answer = await page.goto(absent);
    const lost = { status: answer.status(), title: await page.locator("h1").textContent() };
    // Chromium itself says so of every answer that is an error.
    return { found, single, lost, errors: errors.filter(text => !text.includes("status of 404")) };
  },
};

const [scenario, settings] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "chromium-"));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS, env: { ...process.env, HOME: profile },
});
try {
  console.log(JSON.stringify(await SCENARIOS[scenario](browser, JSON.parse(settings))));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
