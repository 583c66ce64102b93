// Accounts: made by a mailed link, opened at a provider, given another address; and the end of a project and of an
// account.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startMailbox, startProvider, startServer } from "../server.mjs";
import { fits, isAccessible, isSound, makeHeartbeat, OWNER, picture, setUp, signal, signIn, startBrowser } from "../browser.mjs";

const FAY = { email: "fay@example.org", password: "a long passphrase of hers" };

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

/** A page as everybody must be able to read it, on a desk and on a phone. */
async function isReadable(page, name) {
  await isAccessible(page);
  await fits(page);
  await picture(page, name);
  const desk = page.viewportSize();
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await picture(page, `${name}-phone`);
  await page.setViewportSize(desk);
}

test("whom the provider knows comes in, sees the projects, and goes out again", async (t) => {
  const provider = await startProvider(OWNER.email);
  t.after(() => provider.stop());
  const server = await startServer(provider.environment);
  t.after(() => server.stop());
  const ada = await browser.person();
  await setUp(ada, server);

  const page = await browser.person();
  await page.goto(`${server.url}/`);
  await isReadable(page, "30-sign-in-provider");
  await page.getByRole("link", { name: "Sign in with Keyring" }).click();
  await page.getByRole("link", { name: `Sign in as ${OWNER.email}` }).click();
  await page.getByRole("heading", { name: "Home", level: 1 }).waitFor();
  await page.goto(`${server.url}/profile`);
  await page.getByText("at the OpenID Connect provider").first().waitFor();
  await page.getByRole("button", { name: "Sign out here" }).click();
  await page.getByRole("heading", { name: "Sign in", level: 1 }).waitFor();
  const refused = await page.goto(`${server.url}/profile`);
  assert.match(refused.url(), /\/sign-in/);
  isSound(page);
});

test("an account is made by the link in a mail, and gets another address", async (t) => {
  const mailbox = await startMailbox();
  t.after(() => mailbox.stop());
  const server = await startServer({ NIGHTBEAT_SIGN_UP: "open", ...mailbox.environment });
  t.after(() => server.stop());
  const page = await browser.person();
  await page.goto(`${server.url}/sign-in`);
  await page.getByRole("link", { name: "Sign up" }).click();
  await isReadable(page, "31-sign-up");
  await page.getByLabel("E-mail address").fill(FAY.email);
  await page.getByRole("button", { name: "Mail me a link" }).click();
  await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
  await isReadable(page, "32-sign-up-sent");
  await page.goto(await mailbox.link());
  await page.getByText(FAY.email).waitFor();
  await isReadable(page, "33-sign-up-link");
  await page.getByLabel(/^Password/).fill(FAY.password);
  await page.getByRole("button", { name: "Create the account" }).click();
  await page.getByRole("heading", { name: "New project" }).waitFor();

  await page.goto(`${server.url}/profile`);
  await page.getByRole("link", { name: /Change your address/ }).click();
  await page.getByLabel("Another address").fill("fay.new@example.org");
  await page.getByRole("button", { name: "Change the address" }).click();
  await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
  await page.goto(await mailbox.link());
  await isReadable(page, "34-address");
  await page.getByRole("button", { name: "Use this address" }).click();
  await page.getByText("Yours is").waitFor();
  await isReadable(page, "35-account");
  assert.match(await page.locator("main").textContent(), /fay\.new@example\.org/);

  const again = await browser.person();
  await signIn(again, server, { ...FAY, email: "fay.new@example.org" });
  await again.getByRole("link", { name: "fay.new@example.org" }).waitFor();
  isSound(page);
});

test("a project is deleted, and then the account", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  const { apiKey, project } = await setUp(page, server);
  const job = await makeHeartbeat(server, apiKey, { name: "nightly backup", schedule: { every: 86_400 } });
  await signal(job.ping_url);

  await page.goto(`${server.url}/profile/account`);
  await page.getByText("is yours alone").waitFor();
  await isReadable(page, "36-account-kept");
  await page.getByRole("link", { name: "delete it" }).click();
  await page.getByRole("heading", { name: "Delete the project" }).waitFor();
  await isReadable(page, "37-project-delete");
  await page.getByLabel(/^Type/).fill("Something else");
  await page.getByRole("button", { name: "Delete the project" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel(/^Type/).fill("Home");
  await page.getByRole("button", { name: "Delete the project" }).click();
  await page.waitForURL((url) => !url.pathname.startsWith(project));
  assert.equal((await fetch(job.ping_url)).status, 404);
  const gone = await page.goto(server.url + project);
  assert.equal(gone.status(), 404);

  await page.goto(`${server.url}/profile/account`);
  await page.getByLabel(/^Type/).fill(OWNER.email);
  await page.getByRole("button", { name: "Delete my account" }).click();
  await page.getByRole("heading", { name: "Your account is deleted" }).waitFor();
  await isReadable(page, "38-account-deleted");
  await signIn(page, server, OWNER);
  await page.getByRole("alert").waitFor();
  isSound(page);
});
