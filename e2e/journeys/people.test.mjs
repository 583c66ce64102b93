// Who may come in, and how: invitations and roles, the second step, passkeys.
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startServer } from "../server.mjs";
import { isAccessible, isSound, makeHeartbeat, OWNER, picture, setUp, signIn, startBrowser } from "../browser.mjs";

const BEN = { email: "ben@example.org", password: "another long passphrase" };

let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.stop(); });

/** The code of an authenticator app (RFC 6238: SHA-1, 30 s, 6 digits), so many steps from now. */
function code(secret, steps = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/\s/g, "")].map((it) => alphabet.indexOf(it).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", key).update(counter).digest();
  const at = hash.at(-1) & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

test("somebody is invited to look, and only looks", async (t) => {
  const server = await startServer({ NIGHTBEAT_SIGN_UP: "invitation" });
  t.after(() => server.stop());
  const ada = await browser.person();
  const { apiKey, project } = await setUp(ada, server);
  await makeHeartbeat(server, apiKey, { name: "nightly backup", schedule: { every: 86_400 } });
  await ada.goto(`${server.url}${project}/settings/members`);
  await isAccessible(ada);
  await ada.getByLabel("E-mail address").fill(BEN.email);
  await ada.getByLabel("Role", { exact: true }).selectOption("read-only");
  await ada.getByRole("button", { name: "Make a link" }).click();
  const link = await ada.locator("[role=status] code").textContent();
  await picture(ada, "20-members");

  const ben = await browser.person();
  await ben.goto(link);
  await isAccessible(ben);
  await ben.getByLabel(/^Password/).fill(BEN.password);
  await ben.getByRole("button", { name: "Create an account, and join" }).click();
  await ben.goto(`${server.url}${project}`);
  await ben.getByRole("link", { name: "nightly backup" }).click();
  await ben.getByRole("heading", { name: "nightly backup", level: 1 }).waitFor();
  assert.equal(await ben.locator("#url").count(), 0, "a signal URL is no business of his");
  assert.equal(await ben.getByRole("button", { name: "Pause" }).count(), 0);
  const refused = await ben.goto(`${server.url}${project}/heartbeats/new`);
  assert.ok([403, 404].includes(refused.status()), `${refused.status()}`);
  isSound(ada);
  isSound(ben);
});

test("a second step after the password, and a recovery code in its place", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  await setUp(page, server);
  await page.goto(`${server.url}/profile`);
  await isAccessible(page);
  await picture(page, "21-profile");
  await page.goto(`${server.url}/profile/second-step`);
  await page.getByRole("button", { name: "Set it up" }).click();
  const secret = await page.locator("ol code").textContent();
  await isAccessible(page);
  await picture(page, "22-second-step");
  await page.getByLabel("Code").fill(code(secret));
  await page.getByRole("button", { name: "Turn it on" }).click();
  const recovery = await page.locator("[role=status] li code").first().textContent();

  const elsewhere = await browser.person();
  await signIn(elsewhere, server, OWNER);
  await elsewhere.getByRole("heading", { name: "Second step" }).waitFor();
  await isAccessible(elsewhere);
  await elsewhere.getByLabel(/^Code/).fill("000000");
  await elsewhere.getByRole("button", { name: "Sign in" }).click();
  await elsewhere.getByRole("alert").waitFor();
  await elsewhere.getByLabel(/^Code/).fill(code(secret, 1));
  await elsewhere.getByRole("button", { name: "Sign in" }).click();
  await elsewhere.getByRole("heading", { name: "Home", level: 1 }).waitFor();

  const lost = await browser.person();
  await signIn(lost, server, OWNER);
  await lost.getByLabel(/^Code/).fill(recovery);
  await lost.getByRole("button", { name: "Sign in" }).click();
  await lost.getByRole("heading", { name: "Home", level: 1 }).waitFor();
  isSound(page);
});

test("a passkey signs in without a password", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const page = await browser.person();
  const devices = await page.context().newCDPSession(page);
  await devices.send("WebAuthn.enable");
  await devices.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  await setUp(page, server);
  await page.goto(`${server.url}/profile/passkeys`);
  await page.getByLabel("Name of the new one").fill("laptop");
  await page.getByRole("button", { name: "Make a passkey" }).click();
  await page.getByRole("cell", { name: "laptop" }).waitFor();
  await isAccessible(page);
  await picture(page, "23-passkeys");

  await page.goto(`${server.url}/profile`);
  await page.getByRole("button", { name: "Sign out here" }).click();
  await page.goto(`${server.url}/sign-in`);
  await isAccessible(page);
  await picture(page, "24-sign-in");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByRole("button", { name: "Use my passkey" }).click();
  await page.getByRole("heading", { name: "Home", level: 1 }).waitFor();
  isSound(page);
});
