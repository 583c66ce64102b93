// Debian's Chromium, what every journey does with it, and what is looked at on every page.
import { mkdir, readFile, rm, mkdtemp } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Where the pictures of a run go; nothing is compared with them, they are there to be looked at. */
const PICTURES = process.env.E2E_PICTURES ?? fileURLToPath(new URL("../target/e2e", import.meta.url));
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 900 };

/** A browser without anything from before. Whatever a page does against its own policy fails the journey. */
export async function startBrowser() {
  const profile = await mkdtemp(join(tmpdir(), "nightbeat-chromium-"));
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", `--crash-dumps-dir=${profile}`,
    ],
  });
  return {
    /** Somebody with a browser of their own. */
    async person({ phone = false, javaScript = true, theme = "light" } = {}) {
      const context = await browser.newContext({
        viewport: phone ? PHONE : DESK,
        javaScriptEnabled: javaScript,
        colorScheme: theme,
        timezoneId: "Europe/Madrid",
        locale: "en-GB",
        reducedMotion: "reduce",
      });
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      page.faults = [];
      page.on("pageerror", (error) => page.faults.push(`error on ${page.url()}: ${error.message}`));
      page.on("console", (message) => {
        const isPolicy = /Content Security Policy/i.test(message.text());
        if (isPolicy) page.faults.push(`policy on ${page.url()}: ${message.text()}`);
      });
      return page;
    },
    async stop() {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** Nothing went wrong on any page so far. */
export function isSound(page) {
  assert.deepEqual(page.faults, []);
}

/** The whole page as a picture, light and dark. */
export async function picture(page, name) {
  await mkdir(PICTURES, { recursive: true });
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    await page.screenshot({ path: join(PICTURES, `${name}-${theme}.png`), fullPage: true });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** No violation that axe-core finds, in both themes. Its script comes from outside, past the page's policy. */
export async function isAccessible(page) {
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    // One for all: when a session ends, Chromium takes the page's virtual authenticators away.
    page.axeSession ??= await page.context().newCDPSession(page);
    const session = page.axeSession;
    const evaluate = async (expression) => {
      const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
        expression, awaitPromise: true, returnByValue: true,
      });
      assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
      return result.value;
    };
    await evaluate(AXE);
    const found = await evaluate(`axe.run(document, { resultTypes: ["violations"] }).then((it) =>
      it.violations.map((one) => ({ rule: one.id, help: one.help, where: one.nodes.map((node) => node.html + " " + node.failureSummary) })))`);
    assert.deepEqual(found, [], `${page.url()} in ${theme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** Nothing sticks out to the right: a phone does not scroll sideways. */
export async function fits(page) {
  const [wide, room] = await page.evaluate(() => [
    document.documentElement.scrollWidth, document.documentElement.clientWidth,
  ]);
  assert.ok(wide <= room, `${page.url()} is ${wide} px wide, there are ${room}`);
}

export const OWNER = { email: "ada@example.org", password: "correct horse battery" };

/** The first account and project, through the setup link; ends on the project's page. */
export async function setUp(page, server, project = "Home") {
  await page.goto(server.setupLink);
  await page.getByLabel("E-mail address").fill(OWNER.email);
  await page.getByLabel(/^Password/).fill(OWNER.password);
  await page.getByLabel("Name of the project").fill(project);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Your keys" }).waitFor();
  const key = await page.locator("dd code").first().textContent();
  await page.goto(`${server.url}/`);
  await page.getByRole("heading", { name: project, level: 1 }).waitFor();
  return { apiKey: key, project: new URL(page.url()).pathname };
}

/** A person signs in with a password. */
export async function signIn(page, server, { email, password }) {
  await page.goto(`${server.url}/sign-in`);
  await page.getByLabel("E-mail address").first().fill(email);
  await page.getByLabel("Password").first().fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** A heartbeat made by the API, when a journey is about something else; what the API says of it. */
export async function makeHeartbeat(server, apiKey, body) {
  const answer = await fetch(`${server.url}/api/v1/heartbeats`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  assert.equal(answer.status, 201, JSON.stringify(said));
  return said;
}

/** What a job does at its end. */
export async function signal(url, body) {
  const answer = await fetch(url, body === undefined ? {} : { method: "POST", body });
  assert.equal(answer.status, 200, await answer.text());
}
