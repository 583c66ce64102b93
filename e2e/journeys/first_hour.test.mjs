// From an empty server to the first signal on the screen, and what happens when the job falls silent.
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startServer } from "../server.mjs";
import {
  OWNER, fits, isAccessible, isSound, makeHeartbeat, picture, setUp, signal, startBrowser,
} from "../browser.mjs";

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

test("from the setup link to the first signal on the screen, and a channel that works", async (t) => {
  const server = await startServer();
  const receiver = createServer((request, response) => response.end("thank you")).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  t.after(() => Promise.all([server.stop(), receiver.close()]));
  const page = await browser.person();
  await page.goto(server.setupLink);
  await isAccessible(page);
  await picture(page, "01-setup");
  await page.getByLabel("E-mail address").fill(OWNER.email);
  await page.getByLabel(/^Password/).fill(OWNER.password);
  await page.getByLabel("Name of the project").fill("Home");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Home is there", level: 1 }).waitFor();
  await isAccessible(page);
  await picture(page, "02-created");

  await page.getByRole("link", { name: "Make the first heartbeat" }).click();
  await page.getByLabel("Name of the job").fill("Nightly backup");
  // In the browser's zone, which the page did not know when it was made.
  await page.getByText("At 03:30 every day, Europe/Madrid").waitFor();
  assert.equal(await page.getByLabel(/^Time zone/).inputValue(), "Europe/Madrid");
  await page.getByLabel("Once a week, at any time").check();
  await page.getByText(/every 7 days|every week/i).first().waitFor();
  await page.getByLabel("Every day at").check();
  await page.getByLabel("At what time").fill("02:15");
  await page.getByText(/At 02:15 every day/).first().waitFor();
  await isAccessible(page);
  await picture(page, "03-first-heartbeat");
  await page.getByRole("button", { name: "Go on" }).click();

  await page.getByText("Waiting for the first signal of Nightly backup").waitFor();
  await isAccessible(page);
  await picture(page, "04-waiting");
  assert.match(await page.locator("#line-2").textContent(), /^15 2 \* \* \*/);
  const line = await page.locator("#line-1").textContent();
  await signal(line.match(/http\S+/)[0]);
  await page.getByText("Nightly backup: it arrived").waitFor();
  assert.match(await page.title(), /^It arrived/);
  await isAccessible(page);
  await picture(page, "05-arrived");
  await page.getByRole("link", { name: "Go on" }).click();

  await page.getByRole("heading", { name: "Where do alerts go?" }).waitFor();
  await isAccessible(page);
  await picture(page, "06-channel-kinds");
  await page.getByRole("link", { name: /webhook/i }).click();
  await page.getByLabel("Name", { exact: true }).fill("pager");
  await page.getByLabel(/^URL/i).fill(`http://127.0.0.1:${receiver.address().port}/hook`);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("heading", { name: "Does it arrive?" }).waitFor();
  await isAccessible(page);
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("It was accepted").waitFor();
  await page.getByText("thank you").waitFor();
  await isAccessible(page);
  await picture(page, "07-channel-tested");
  await page.getByRole("link", { name: "Go on" }).click();

  await page.getByRole("heading", { name: "You are set up" }).waitFor();
  await isAccessible(page);
  await picture(page, "08-done");
  await page.getByRole("link", { name: "To the heartbeats" }).click();
  await page.getByRole("row", { name: /Nightly backup/ }).locator(".mark.up").waitFor();
  isSound(page);
});

test("each first step can be left out, and come back to", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person({ phone: true });
  const { project } = await setUp(page, server);
  await picture(page, "09-empty");
  await isAccessible(page);
  await page.getByRole("link", { name: "Make the first heartbeat" }).click();
  await page.getByRole("heading", { name: "What should be watched?" }).waitFor();
  await page.getByText("At 03:30 every day, Europe/Madrid").waitFor();
  await fits(page);
  await picture(page, "09-phone-first-heartbeat");
  await page.getByRole("link", { name: "Later" }).click();
  await page.getByRole("heading", { name: "Where do alerts go?" }).waitFor();
  await fits(page);
  await page.getByRole("link", { name: "Later" }).click();
  await page.getByRole("heading", { name: "Almost there" }).waitFor();
  await fits(page);
  await page.getByRole("link", { name: "Make a heartbeat" }).click();
  await page.getByLabel("Name of the job").fill("Sync");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText("Waiting for the first signal of Sync").waitFor();
  await fits(page);
  await picture(page, "09-phone-waiting");
  // Somewhere else, and back: what is done is done.
  await page.goto(`${server.url}${project}/start`);
  await page.getByText("Waiting for the first signal of Sync").waitFor();
  await signal((await page.locator("#line-1").textContent()).match(/http\S+/)[0]);
  await page.getByText("Sync: it arrived").waitFor();
  await page.goto(`${server.url}${project}/start`);
  await page.getByRole("heading", { name: "Where do alerts go?" }).waitFor();
  await page.goto(`${server.url}${project}`);
  await page.getByText("Nobody is told yet").waitFor();
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
  await picture(page, "10-down");
  await isAccessible(page);

  await row.getByRole("link", { name: "sync photos" }).click();
  await page.getByRole("region", { name: "Open incident" }).waitFor();
  await picture(page, "11-incident");
  await isAccessible(page);
  await page.getByLabel(/^A note with it/).fill("Looking at it");
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await page.getByText("no more repeats").waitFor();
  await page.getByText("Looking at it").first().waitFor();
  await page.getByRole("link", { name: "Timeline and notes" }).click();
  await page.getByLabel("Write a note").fill("The card was full.\nMoved the oldest year.");
  await page.getByRole("button", { name: "Add it" }).click();
  await page.getByText("Moved the oldest year.").waitFor();
  await picture(page, "12-incident-notes");
  await isAccessible(page);
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
  await picture(page, "13-phone-list");
  await isAccessible(page);
  await page.getByRole("link", { name: "certificates" }).click();
  await page.getByRole("heading", { name: "certificates", level: 1 }).waitFor();
  await fits(page);
  const today = await page.locator(".year rect").last().boundingBox();
  assert.ok(today.x + today.width <= page.viewportSize().width, "the newest days show first");
  await picture(page, "14-phone-heartbeat");
  isSound(page);
});

test("everything essential without JavaScript", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person({ javaScript: false });
  const { project } = await setUp(page, server);
  await page.getByRole("link", { name: "Make the first heartbeat" }).click();
  await page.getByLabel("Name of the job").fill("Sync");
  await page.getByLabel("Every hour").check();
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByText(/every (1 )?hour/i).first().waitFor();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText("Waiting for the first signal of Sync").waitFor();
  await signal((await page.locator("#line-1").textContent()).match(/http\S+/)[0]);
  await page.getByRole("link", { name: "Look again" }).click();
  await page.getByText("Sync: it arrived").waitFor();
  await page.goto(`${server.url}${project}`);
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
