// Where alerts go: a channel is made, and its test shows what the receiver really said.
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startServer } from "../server.mjs";
import { isAccessible, isSound, picture, setUp, startBrowser } from "../browser.mjs";

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

/** A receiver that refuses until it is told otherwise. */
async function startReceiver() {
  const receiver = { answer: [410, "this hook is gone"], got: [] };
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      receiver.got.push(Buffer.concat(parts).toString());
      const [status, text] = receiver.answer;
      response.writeHead(status).end(text);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  receiver.url = `http://127.0.0.1:${server.address().port}/hook`;
  receiver.stop = () => server.close();
  return receiver;
}

test("a webhook is added, and tested until it works", async (t) => {
  const server = await startServer();
  const receiver = await startReceiver();
  t.after(() => Promise.all([server.stop(), receiver.stop()]));
  const page = await browser.person();
  const { project } = await setUp(page, server);
  await page.goto(`${server.url}${project}/channels`);
  await isAccessible(page);
  await picture(page, "30-channels");
  await page.getByRole("link", { name: /webhook/i }).click();
  await isAccessible(page);
  await page.getByLabel("Name", { exact: true }).fill("pager");
  await page.getByLabel(/^URL/i).fill(receiver.url);
  await page.getByRole("button", { name: /Add|Create|Save/ }).click();
  await page.getByRole("heading", { name: "pager", level: 1 }).waitFor();

  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("It was not accepted").waitFor();
  await page.getByText("this hook is gone").first().waitFor();
  await picture(page, "31-channel-refused");
  receiver.answer = [200, "thank you"];
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("It was accepted").waitFor();
  await isAccessible(page);
  await picture(page, "32-channel");
  assert.equal(receiver.got.length, 2);
  isSound(page);
});

test("a heartbeat is made and edited with the keyboard alone", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  await setUp(page, server);
  const press = (key) => page.keyboard.press(key);
  const focused = () => page.evaluate(() => {
    const it = document.activeElement;
    return (it.labels?.[0]?.textContent ?? it.textContent ?? "").trim();
  });
  /** Goes on to what is called so, as somebody does who hears what has the focus. */
  const goTo = async (name) => {
    const passed = [];
    for (let step = 0; step < 80; step += 1) {
      await press("Tab");
      const here = await focused();
      if (here === name) return;
      passed.push(here);
    }
    assert.fail(`no ${name} among: ${passed.join(" | ")}`);
  };
  await page.reload();
  await press("Tab");
  assert.equal(await focused(), "To the content");
  await press("Enter");
  await goTo("New heartbeat");
  await press("Enter");
  await page.getByLabel("Name", { exact: true }).waitFor();
  await page.keyboard.type("Typed only");
  await goTo("Create");
  await press("Enter");
  await page.getByRole("heading", { name: "Typed only", level: 1 }).waitFor();
  await goTo("Edit");
  await press("Enter");
  await page.getByLabel("Grace").first().waitFor();
  await goTo("Grace");
  await page.keyboard.type("5");
  await goTo("Save");
  await press("Enter");
  await page.getByRole("heading", { name: "Typed only", level: 1 }).waitFor();
  isSound(page);
});
