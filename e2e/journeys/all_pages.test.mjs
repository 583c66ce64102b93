// Every page, on a desk and on a phone, light and dark: readable by everybody, and nothing sticks out.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startServer } from "../server.mjs";
import { fits, isAccessible, isSound, makeHeartbeat, picture, setUp, signal, startBrowser } from "../browser.mjs";

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

/** What restic says at its end; the numbers differ from night to night. */
const restic = (files, bytes) => `{"message_type":"summary","files_new":3,"files_changed":2,"files_unmodified":${files},`
  + `"dirs_new":0,"dirs_changed":1,"dirs_unmodified":9,"data_blobs":4,"tree_blobs":2,"data_added":${bytes},`
  + `"total_files_processed":${files},"total_bytes_processed":${bytes * 40},"total_duration":12.5,"snapshot_id":"a1b2c3d4"}\n`;

test("a schedule is edited, and the page says what changes", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  const { apiKey, project } = await setUp(page, server);
  const made = await makeHeartbeat(server, apiKey, { name: "nightly backup", schedule: { every: 86_400 } });
  await page.goto(`${server.url}${project}/heartbeats/${made.slug}/edit`);
  await page.getByLabel("Like a systemd timer").check();
  await page.getByLabel("OnCalendar, one a line").fill("Mon..Fri 02:30");
  await page.getByLabel(/^Time zone/).fill("Europe/Madrid");
  await page.locator("#preview").getByText("02:30").first().waitFor();
  await page.getByLabel("OnCalendar, one a line").fill("Mon..Fry 02:30");
  await page.locator("#preview .problem").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").first().waitFor();
  await page.getByLabel("OnCalendar, one a line").fill("Mon..Fri 02:30");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "nightly backup", level: 1 }).waitFor();
  await page.getByText(/02:30/).first().waitFor();
  isSound(page);
});

/** A status page of all heartbeats; its id. */
async function makeStatusPage(page, server, project) {
  await page.goto(`${server.url}${project}/settings/status-pages`);
  await page.getByLabel("Title").fill("Everything");
  await page.getByLabel(/^Address of your own/).fill("everything");
  await page.getByRole("button", { name: "Make it public" }).click();
  const change = await page.getByRole("link", { name: "Change Everything" }).getAttribute("href");
  return change.split("/").at(-1);
}

test("every page is accessible and fits, on a desk and on a phone", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const desk = await browser.person();
  const { apiKey, project } = await setUp(desk, server);
  const made = await makeHeartbeat(server, apiKey, {
    name: "nightly backup of the archive", schedule: { cron: "30 3 * * *", timezone: "Europe/Madrid" },
    tags: ["nas", "important"], rules: ["files_total > 100"], description: "restic to the NAS",
  });
  for (let night = 0; night < 7; night += 1) {
    await signal(`${made.ping_url}/start`);
    await signal(made.ping_url, restic(12_000 + night * 35, 4_000_000 + night * 70_000));
  }
  await signal(made.ping_url, restic(0, 0)); // Nothing was read: a rule does not hold.
  const channel = await fetch(`${server.url}/api/v1/channels`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "phone", kind: "ntfy", settings: { topic: "a-topic-of-my-own" } }),
  });
  const { id } = await channel.json();
  assert.equal(channel.status, 201);
  const shown = await makeStatusPage(desk, server, project);
  const incidents = await fetch(`${server.url}/api/v1/incidents`, { headers: { authorization: `Bearer ${apiKey}` } });
  const [incident] = (await incidents.json()).items;
  const one = `${project}/heartbeats/${made.slug}`;
  const start = `${project}/start`;
  const paths = {
    list: project, heartbeat: one, edit: `${one}/edit`, "new": `${project}/heartbeats/new`,
    incidents: `${project}/incidents`, channels: `${project}/channels`, channel: `${project}/channels/${id}`,
    maintenance: `${project}/maintenance`, settings: `${project}/settings`,
    keys: `${project}/settings/keys`, log: `${project}/settings/log`, members: `${project}/settings/members`,
    incident: `${project}/incidents/${incident.id}`, "status-pages": `${project}/settings/status-pages`,
    "status-page": `${project}/settings/status-pages/${shown}`, status: "/status/everything",
    start: `${start}?step=heartbeat`, "start-line": `${start}?step=line&h=${made.slug}`,
    "start-channel": `${start}?step=channel&kind=ntfy`, "start-test": `${start}/channel/${id}`,
    "start-done": `${start}?step=done`,
    "project-delete": `${project}/settings/delete`, profile: "/profile", account: "/profile/account", reports: "/profile/reports", docs: "/docs", "docs-signals": "/docs/signals", nowhere: "/nowhere",
  };
  const cookies = await desk.context().cookies();
  const phone = await browser.person({ phone: true });
  await phone.context().addCookies(cookies);
  const wrong = [];
  for (const [name, path] of Object.entries(paths)) {
    for (const [page, where] of [[desk, "desk"], [phone, "phone"]]) {
      const answer = await page.goto(server.url + path);
      assert.equal(answer.status(), name === "nowhere" ? 404 : 200, path);
      for (const look of [fits, isAccessible]) await look(page).catch((error) => wrong.push(error.message));
      await picture(page, `all-${name}-${where}`);
    }
  }
  assert.deepEqual(wrong, []);
  isSound(desk);
  isSound(phone);
});
