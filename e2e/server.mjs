// A Nightbeat of its own for each journey: the real binary, an empty database, a port that is free.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env.NIGHTBEAT_BINARY ?? fileURLToPath(new URL("../target/debug/nightbeat", import.meta.url));
const READY_WITHIN_MS = 30_000;

/** What the test kit's provider is called for the server: see `startProvider`. */
const PROVIDER = { client: "nightbeat", secret: "client-secret" };

/**
 * An OpenID Connect provider at which everybody is the person with this address; and what a server must be told to
 * trust it.
 */
export async function startProvider(email) {
  const child = spawn(join(dirname(BINARY), "examples", "oidc_provider"), [email], { stdio: ["pipe", "pipe", "inherit"] });
  const [issuer] = await once(createInterface({ input: child.stdout }), "line");
  return {
    environment: {
      NIGHTBEAT_OIDC_ISSUER: issuer,
      NIGHTBEAT_OIDC_CLIENT_ID: PROVIDER.client,
      NIGHTBEAT_OIDC_CLIENT_SECRET: PROVIDER.secret,
      NIGHTBEAT_OIDC_NAME: "Keyring",
    },
    async stop() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

/** A mail server that keeps what it is given; and what a server must be told to use it. */
export async function startMailbox() {
  const mails = [];
  const receiver = createServer((connection) => {
    let mail;
    const say = (text) => connection.write(`${text}\r\n`);
    say("220 mailbox");
    createInterface({ input: connection }).on("line", (line) => {
      if (mail !== undefined && line === ".") {
        // Quoted-printable: long lines are wrapped.
        mails.push(mail.replace(/=\n/g, "").replace(/=3D/g, "="));
        mail = undefined;
        say("250 taken");
      } else if (mail !== undefined) {
        mail += `${line}\n`;
      } else if (line.startsWith("DATA")) {
        mail = "";
        say("354 go on");
      } else if (line.startsWith("QUIT")) {
        connection.end("221 bye\r\n");
      } else {
        say("250 fine");
      }
    });
    connection.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  return {
    environment: {
      NIGHTBEAT_SMTP_HOST: "127.0.0.1",
      NIGHTBEAT_SMTP_PORT: `${receiver.address().port}`,
      NIGHTBEAT_SMTP_TLS: "none",
      NIGHTBEAT_SMTP_FROM: "nightbeat@example.org",
    },
    /** The link in the next mail. */
    async link() {
      const until = Date.now() + READY_WITHIN_MS;
      while (mails.length === 0) {
        if (Date.now() > until) throw new Error("no mail came");
        await new Promise((later) => setTimeout(later, 20));
      }
      return mails.shift().match(/http\S+\/nb_[\w-]+/)[0];
    },
    async stop() {
      receiver.close();
      await once(receiver, "close");
    },
  };
}

/** A port that nobody listens on. */
async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/**
 * Starts a server. `environment`: more settings, as NIGHTBEAT_… variables.
 * The pages are at `localhost`, which browsers trust as they trust https.
 */
export async function startServer(environment = {}) {
  const folder = await mkdtemp(join(tmpdir(), "nightbeat-e2e-"));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const child = spawn(
    BINARY,
    ["serve", "--listen", `127.0.0.1:${port}`, "--public-url", url, "--database", `sqlite:${folder}/beats.db`],
    {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, NIGHTBEAT_OUTGOING_ALLOW: "127.0.0.0/8", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const said = [];
  let setup;
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      said.push(line);
      setup ??= line.match(/http\S*\/setup\/\S+/)?.[0];
    });
  }
  const server = {
    url,
    said,
    get setupLink() {
      return setup;
    },
    async stop() {
      if (child.exitCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
  const until = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const ready = await fetch(`${url}/readyz`).then((answer) => answer.ok, () => false);
    if (ready && setup) return server;
    if (child.exitCode !== null || Date.now() > until) {
      await server.stop();
      throw new Error(`the server did not become ready:\n${said.join("\n")}`);
    }
    await new Promise((later) => setTimeout(later, 50));
  }
}
