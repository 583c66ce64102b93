// What a project shows to everybody: made by who manages it, seen by a stranger, taken down.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startServer } from "../server.mjs";
import { fits, isAccessible, isSound, makeHeartbeat, picture, setUp, signal, startBrowser } from "../browser.mjs";

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

test("a status page is made, seen by a stranger on a phone, and taken down", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  const { apiKey, project } = await setUp(page, server);
  const day = { schedule: { every: 86_400 }, tags: ["public"] };
  for (const name of ["Website backup", "Certificates", "Search index"]) {
    const made = await makeHeartbeat(server, apiKey, { name, ...day });
    for (let night = 0; night < 9; night += 1) await signal(made.ping_url);
    if (name === "Search index") await signal(`${made.ping_url}/fail`);
  }
  await makeHeartbeat(server, apiKey, { name: "Payroll", schedule: { every: 86_400 } });
  await page.goto(`${server.url}${project}/settings`);
  await page.getByRole("link", { name: "Status pages" }).click();
  await page.getByText("Nothing of this project is public.").waitFor();
  await isAccessible(page);
  await page.getByLabel("Title").fill("Our services");
  await page.getByLabel("It shows").selectOption("public");
  await page.getByLabel(/^Address of your own/).fill("our-services");
  await page.getByRole("button", { name: "Make it public" }).click();
  await page.getByRole("link", { name: "Our services", exact: true }).waitFor();
  await isAccessible(page);
  await picture(page, "60-status-pages");

  const stranger = await browser.person({ phone: true });
  await stranger.goto(`${server.url}/status/our-services`);
  await stranger.getByRole("heading", { name: "Our services", level: 1 }).waitFor();
  await stranger.getByText("1 down").waitFor();
  assert.match(await stranger.title(), /^1 down/);
  assert.equal(await stranger.getByText("Payroll").count(), 0);
  await fits(stranger);
  await isAccessible(stranger);
  await picture(stranger, "61-status-phone");
  const desk = await browser.person({ javaScript: false });
  await desk.goto(`${server.url}/status/our-services`);
  await desk.getByText("1 down").waitFor();
  await picture(desk, "62-status");

  await page.getByRole("link", { name: "Change Our services" }).click();
  await page.getByLabel("Title").fill("Services");
  await isAccessible(page);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "Services", exact: true }).waitFor();
  await stranger.reload();
  await stranger.getByRole("heading", { name: "Services", level: 1 }).waitFor();
  await page.getByRole("button", { name: "Take down Services" }).click();
  await page.getByText("Nothing of this project is public.").waitFor();
  await stranger.reload();
  await stranger.getByRole("heading", { name: "Nothing is shown here" }).waitFor();
  isSound(page);
  isSound(stranger);
});
