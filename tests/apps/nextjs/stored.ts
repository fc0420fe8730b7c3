/**
 * Run in a Next app that is built, with the routes beside this file in it: nothing that a guard lets Ann see
 * is stored by Next and shown to others.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";

import { environment, Lab } from "./src/auth/tests/harness";

const PORT = process.argv[2] ?? "";
const secret = { AUTH_SECRET: randomBytes(32).toString("base64") };
const lab = new Lab(secret);
const { email, client } = await lab.member();
const cookie = [...client.cookies].map((pair) => pair.join("=")).join("; ");

const next = "node_modules/next/dist/bin/next";
const served = spawn(
  process.execPath,
  [next, "start", "-H", "127.0.0.1", "-p", PORT],
  {
    env: {
      ...process.env,
      ...environment("."),
      ...secret,
      DATABASE_URL: `sqlite:${lab.file}`,
    },
    stdio: ["ignore", "pipe", "inherit"],
  },
);
const gone = once(served, "exit");
const isStarted = new Promise<void>((resolve) => {
  served.stdout.on("data", (text) => {
    if (String(text).includes("authentication started")) resolve();
  });
});
try {
  await Promise.race([isStarted, gone]);
  const get = async (path: string, headers: Record<string, string>) => {
    const answer = await fetch(`http://127.0.0.1:${PORT}${path}`, { headers });
    return { status: answer.status, text: await answer.text() };
  };
  const signedIn = await get("/auth/me", { cookie });
  assert.equal(signedIn.status, 200);
  for (const kind of ["page", "static", "error"]) {
    const hers = await get(`/stored/${kind}/1`, { cookie });
    const others = await get(`/stored/${kind}/1`, {});
    assert.deepEqual([hers.status, others.status], [500, 500], kind);
    assert.ok(!hers.text.includes(email) && !others.text.includes(email));
  }
  // Where the guard keeps Next from storing, it works: Ann first, then somebody else.
  const hers = await get("/stored/timed/1", { cookie });
  assert.ok(hers.text.includes(email));
  assert.equal((await get("/stored/timed/1", {})).status, 401);
  console.log("nothing was stored");
} finally {
  served.kill();
  await gone;
  await lab.close();
}
