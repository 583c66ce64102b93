// What strangers write is text, wherever it is shown; and what browsers are told that pages may do.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startServer } from "../server.mjs";
import { isSound, makeHeartbeat, setUp, signal, startBrowser } from "../browser.mjs";

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

const CALL = "window.pwned=1";
/** Ways to run something, and ways out of where a text may stand. */
const BEGINNINGS = ["", "\"", "'", "\">", "'>", "</pre>", "</title>", "</script>", "-->", "]]>"];
const WAYS = [
  `<script>${CALL}</script>`, `<img src=x onerror=${CALL}>`, `<svg onload=${CALL}>`,
  `<details open ontoggle=${CALL}>x`, `<input autofocus onfocus=${CALL}>`, `<body onload=${CALL}>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>">`, `<a href="javascript:${CALL}" id=clickme>x</a>`,
  `<math><mi xlink:href="data:x,<script>${CALL}</script>">`, ` onmouseover=${CALL} x=`,
  `<div hx-get="/" hx-trigger="load" hx-on:load="${CALL}">`, `<style>@import 'javascript:${CALL}'</style>`,
  `<meta http-equiv=refresh content="0;url=javascript:${CALL}">`, `<object data="javascript:${CALL}">`,
  `<video><source onerror=${CALL}></video>`, `{{constructor.constructor('${CALL}')()}}`, `\${${CALL}}`,
  `<base href="javascript:${CALL}//">`, `<form action="javascript:${CALL}"><button id=clickme>x`,
  `<link rel=stylesheet href="data:text/css,*{}" onload=${CALL}>`,
];
const PAYLOADS = BEGINNINGS.flatMap((beginning) => WAYS.map((way) => beginning + way));

test("two hundred ways to run a script in every field that a stranger or a member fills", async (t) => {
  assert.equal(PAYLOADS.length, 200);
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  const { apiKey, project } = await setUp(page, server);
  const slugs = [];
  const each = 10;
  for (let at = 0; at < PAYLOADS.length; at += each) {
    const some = PAYLOADS.slice(at, at + each);
    const made = await makeHeartbeat(server, apiKey, {
      name: some[0], description: some.join("\n"), schedule: { every: 86_400 },
      tags: some.slice(1, 4).map((it) => it.replace(/[,\s]/g, "_").slice(0, 50)),
    });
    slugs.push(made.slug);
    for (const payload of some) {
      await signal(made.ping_url, payload);
      const answer = await fetch(`${made.ping_url}/log`, { headers: { "user-agent": encodeURIComponent(payload).slice(0, 3) + payload.replace(/[^\x20-\x7e]/g, "") } });
      assert.equal(answer.status, 200);
    }
    const failing = await fetch(`${made.ping_url}/fail`, { method: "POST", body: some.join("\n") });
    assert.equal(failing.status, 200);
  }
  // Notes: ten payloads on each incident.
  const ask = (path, body) => fetch(`${server.url}/api/v1${path}`, {
    method: body ? "POST" : "GET", body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
  });
  const incidents = (await (await ask("/incidents")).json()).items;
  assert.equal(incidents.length, slugs.length);
  for (const [at, { id }] of incidents.entries()) {
    const text = PAYLOADS.slice(at * each, (at + 1) * each).join("\n");
    assert.equal((await ask(`/incidents/${id}/notes`, { text })).status, 201);
  }
  // Two status pages: titles, a tag, and all names.
  for (const [title, path] of [[PAYLOADS[20], "first"], [PAYLOADS[41], "second"]]) {
    await page.goto(`${server.url}${project}/settings/status-pages`);
    await page.getByLabel("Title").fill(title.slice(0, 100));
    if (path === "second") await page.getByLabel("It shows").selectOption({ index: 3 });
    await page.getByLabel(/^Address of your own/).fill(path);
    await page.getByRole("button", { name: "Make it public" }).click();
    await page.getByRole("link", { name: title.slice(0, 100), exact: true }).waitFor();
  }
  const look = async (path) => {
    const answer = await page.goto(server.url + path);
    assert.equal(answer.status(), 200, path);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) {
        details.removeAttribute("name"); // Of those that share one, only one is open.
        details.open = true;
      }
    });
    assert.equal(await page.evaluate(() => window.pwned), undefined, `a script ran on ${path}`);
    assert.equal(await page.locator("#clickme, [onerror], [onload], [onfocus], [hx-on\\:load]").count(), 0, path);
  };
  for (const path of ["", "/incidents", "/channels", "/maintenance"]) await look(project + path);
  for (const path of ["/settings/status-pages", "/settings/log", "/start?step=done"]) await look(project + path);
  for (const { id } of incidents) await look(`${project}/incidents/${id}`);
  for (const path of ["/status/first", "/status/second"]) await look(path);
  for (const slug of slugs) await look(`${project}/heartbeats/${slug}`);
  for (const slug of slugs.slice(0, 5)) await look(`${project}/start?step=line&h=${slug}`);
  await look(`${project}/heartbeats/${slugs[0]}/edit`);
  await look(`${project}?q=${encodeURIComponent(PAYLOADS[3])}`);
  isSound(page);
});

test("what pages tell browsers", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  const { project } = await setUp(page, server);
  for (const path of ["/sign-in", project, `${project}/heartbeats/new`, "/docs", "/nowhere", "/status/nowhere"]) {
    const answer = await page.request.get(server.url + path, { headers: { accept: "text/html" } });
    const policy = answer.headers()["content-security-policy"] ?? "";
    assert.doesNotMatch(policy, /unsafe/, path);
    assert.match(policy, /default-src 'none'/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
    assert.equal(answer.headers()["x-content-type-options"], "nosniff", path);
  }
  const [cookie] = await page.context().cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Lax"]);
});
