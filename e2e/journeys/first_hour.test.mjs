// From an empty server to the first signal on the screen, and what happens when the job falls silent.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startServer } from "../server.mjs";
import { fits, isAccessible, isSound, makeHeartbeat, picture, setUp, signal, startBrowser } from "../browser.mjs";

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

test("from the setup link to the first signal that arrives on the open page", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  await page.goto(server.setupLink);
  await isAccessible(page);
  await picture(page, "01-setup");
  await setUp(page, server);
  await picture(page, "02-empty");
  await isAccessible(page);

  await page.getByRole("link", { name: "New heartbeat" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Nightly backup");
  await page.getByLabel("Like cron").check();
  await page.getByLabel("Cron expression").fill("30 3 * * *");
  await page.getByText(/At 03:30 every day/).first().waitFor();
  await picture(page, "03-new");
  await isAccessible(page);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Nightly backup", level: 1 }).waitFor();
  await page.getByText("Waiting for the first signal").waitFor();
  await picture(page, "04-waiting");

  await signal(await page.locator("#url").textContent());
  await page.locator("h1 + .mark.up").waitFor();
  assert.match(await page.title(), /^up: Nightly backup/);
  await picture(page, "05-first-signal");
  await isAccessible(page);
  isSound(page);
});

test("a job goes down and recovers while the list is open", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  const { apiKey, project } = await setUp(page, server);
  const every = (seconds, grace) => ({ schedule: { every: seconds }, grace });
  const calm = await makeHeartbeat(server, apiKey, { name: "weekly report", ...every(604_800, 86_400), tags: ["office"] });
  const job = await makeHeartbeat(server, apiKey, { name: "sync photos", ...every(3, 1), tags: ["nas"] });
  await signal(calm.ping_url);
  await signal(job.ping_url);
  await page.goto(server.url + project);
  const row = page.getByRole("row", { name: /sync photos/ });
  await row.locator(".mark.down").waitFor();
  assert.match(await page.title(), /down/);
  await picture(page, "06-down");
  await isAccessible(page);

  await row.getByRole("link", { name: "sync photos" }).click();
  await page.getByRole("region", { name: "Open incident" }).waitFor();
  await picture(page, "07-incident");
  await isAccessible(page);
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await page.getByText("no more repeats").waitFor();
  await page.getByRole("link", { name: "Heartbeats" }).first().click();

  await signal(job.ping_url);
  await row.locator(".mark.up").waitFor();
  isSound(page);
});

test("the same list on a phone", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person({ phone: true });
  const { apiKey, project } = await setUp(page, server);
  for (const name of ["nightly backup of the archive on the old NAS", "certificates", "vacuum"]) {
    const one = await makeHeartbeat(server, apiKey, { name, schedule: { every: 86_400 }, tags: ["home", "important"] });
    await signal(one.ping_url);
  }
  await page.goto(server.url + project);
  await page.getByRole("link", { name: "certificates" }).waitFor();
  await fits(page);
  await picture(page, "08-phone-list");
  await isAccessible(page);
  await page.getByRole("link", { name: "certificates" }).click();
  await page.getByRole("heading", { name: "certificates", level: 1 }).waitFor();
  await fits(page);
  await picture(page, "09-phone-heartbeat");
  isSound(page);
});

test("everything essential without JavaScript", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person({ javaScript: false });
  await setUp(page, server);
  await page.getByRole("link", { name: "New heartbeat" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Clean up");
  await page.getByLabel("Like cron").check();
  await page.getByLabel("Cron expression").fill("0 5 * * 7");
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByText(/Every Sunday|on Sunday/i).first().waitFor();
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Clean up", level: 1 }).waitFor();
  await page.getByRole("button", { name: "Send a test signal" }).click();
  await page.getByText("The test signal has arrived").waitFor();
  await signal(await page.locator("#url").textContent());
  await page.reload();
  await page.locator("h1 + .mark.up").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator("h1 + .mark.paused").waitFor();
  await page.getByRole("link", { name: "Heartbeats" }).first().click();
  await page.getByRole("searchbox").fill("clean");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: "Clean up" }).waitFor();
});
