// The page of an API (PATH/docs) in a browser without a window. The host is at WEFT_URL.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { chromium } from "playwright-core";

const host = process.env.WEFT_URL;
const pages = ["/api/docs", "/values/docs", "/places/docs", "/feed/docs"];

/** The largest number of keys for one step: a page has fewer places to stop at. */
const KEYS_MAX = 400;

let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

after(() => browser?.close());

/**
 * Opens a page, runs `use`, and checks that the page has reported nothing, broken no policy, and
 * sent no request to another host. `expected` are the statuses of responses that the browser
 * reports as errors.
 */
async function opened(path, options, use, expected = []) {
  const context = await browser.newContext(options);
  const faults = [];
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    const status = /status of (\d+)/.exec(message.text())?.[1];
    const isExpected = message.text().startsWith("Failed to load resource") && expected.includes(Number(status));
    if (!isExpected) faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (origin !== host) faults.push(`request: ${request.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const answer = await page.goto(host + path);
  assert.equal(answer.status(), 200);
  await page.locator("#operations article").first().waitFor();
  await use(page);
  assert.deepEqual(faults, []);
  await context.close();
}

/** Presses a key until the focused element matches a selector. */
async function focusBy(page, key, selector) {
  for (let count = 0; count < KEYS_MAX; count++) {
    await page.keyboard.press(key);
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
  }
  assert.fail(`no ${selector} after ${KEYS_MAX} times ${key}`);
}

/** Opens an operation and moves to a field of its form. */
async function focusField(page, operation, field) {
  await focusBy(page, "Tab", `#${operation} > summary`);
  await page.keyboard.press("Enter");
  await focusBy(page, "Tab", `#${operation} form ${field}`);
}

/** Sends the form of an operation, and returns the text of its answer. */
async function send(page, operation) {
  await focusBy(page, "Tab", `#${operation} form button`);
  await page.keyboard.press("Enter");
  const answer = page.locator(`#${operation} form [aria-live] strong`);
  await answer.waitFor();
  return page.locator(`#${operation} form [aria-live]`).innerText();
}

test("a call is filled in, sent and answered with the keyboard alone", () =>
  opened("/api/docs", {}, async (page) => {
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await focusField(page, "left", "input");
    await page.keyboard.type("kettle");
    const answer = await send(page, "left");
    assert.match(answer, /GET \/api\/stock\/kettle/);
    assert.match(answer, /200 OK/);
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    assert.equal(focused, "Send");
  }));

test("a body is written with the keyboard, and a wrong one has an error with its pointer", () =>
  opened(
    "/api/docs",
    {},
    async (page) => {
      await focusField(page, "place", "textarea");
      await page.keyboard.press("Control+A");
      await page.keyboard.type('{"lines":[{"sku":"cup","quantity":"two"}]}');
      const answer = await send(page, "place");
      assert.match(answer, /400/);
      assert.match(answer, /\/lines\/0\/quantity/);
      assert.match(answer, /an integer from 0 to 4294967295/);
    },
    [400],
  ));

test("the whole of each page fits on a phone", async () => {
  for (const path of pages) {
    await opened(path, { viewport: { width: 390, height: 844 } }, async (page) => {
      await openAll(page);
      const [needed, given] = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return [scrollWidth, clientWidth];
      });
      assert(needed <= given, `${path}: ${needed} of ${given} pixels`);
    });
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`no page has a serious fault of accessibility in its ${colorScheme} colours`, async () => {
    for (const path of pages) {
      await opened(path, { colorScheme }, async (page) => {
        if (path === "/api/docs") await openAll(page);
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        const texts = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0].html}`);
        assert.deepEqual(texts, [], path);
      });
    }
  });
}

async function openAll(page) {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
}
