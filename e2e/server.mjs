// A Nightbeat of its own for each journey: the real binary, an empty database, a port that is free.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env.NIGHTBEAT_BINARY ?? fileURLToPath(new URL("../target/debug/nightbeat", import.meta.url));
const READY_WITHIN_MS = 30_000;

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
