/** Attacks on what stands behind the pages: forms, ways back, headers. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import { isLocalPath } from "../localPath";
import { fence } from "../pages/fence";
import { type Answer, type Client, Lab, PASSWORD } from "./harness";

const FORM = {
  "content-type": "application/x-www-form-urlencoded",
  accept: "text/html,*/*;q=0.8",
};

function send(
  client: Client,
  path: string,
  fields: Record<string, string> | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = new URLSearchParams(fields).toString();
  return client.post(path, body, { ...FORM, ...headers });
}

const location = (answer: Answer) => answer.headers.get("location") ?? "";

function isLed(answer: Answer, to: string): void {
  assert.equal(answer.status, 303, answer.text);
  assert.equal(location(answer), to);
}

/** The headers that a request for a path is answered with. */
function fenced(url: string): Map<string, string> {
  const headers = new Map<string, string>();
  const request = new IncomingMessage(new Socket());
  request.url = url;
  const response = {
    setHeader: (name: string, value: unknown) =>
      headers.set(name.toLowerCase(), String(value)),
  } as unknown as Parameters<typeof fence>[1];
  fence(request, response);
  assert.equal(
    request.headers["content-security-policy"],
    headers.get("content-security-policy"),
  );
  return headers;
}

describe("pages", () => {
  const lab = new Lab();
  after(() => lab.close());

  test("a form does what the endpoint does, and leads to a page", async () => {
    const { email, client } = await lab.member();
    isLed(
      await send(client, "/auth/logout", {}),
      "/account/sign-in?done=signed-out",
    );
    assert.equal(await client.isSignedIn(), false);
    const fields = { email, password: PASSWORD };
    isLed(await send(client, "/auth/login", fields), "/account");
    assert.equal(await client.isSignedIn(), true);
  });

  test("CSR-02 a form of another site is refused", async () => {
    const { email, client } = await lab.member();
    const claims: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "", "sec-fetch-site": "cross-site" },
      { origin: "" },
    ];
    for (const headers of claims) {
      const answer = await send(client, "/auth/logout", {}, headers);
      assert.equal(answer.status, 403);
    }
    assert.equal(await client.isSignedIn(), true);
    const stranger = await lab.client();
    const fields = { email, password: PASSWORD };
    const foreign = { origin: "https://evil.example" };
    const answer = await send(stranger, "/auth/login", fields, foreign);
    assert.equal(answer.status, 403);
    assert.equal(await stranger.isSignedIn(), false);
  });

  test("CSR-05 only what a browser sends from a page is read as a form", async () => {
    const { email } = await lab.member();
    const client = await lab.client();
    const fields = { email, password: PASSWORD };
    const others: Record<string, string>[] = [
      { accept: "*/*" },
      { "content-type": "text/plain" },
      { "content-type": "multipart/form-data; boundary=x" },
    ];
    for (const headers of others) {
      const answer = await send(client, "/auth/login", fields, headers);
      assert.equal(answer.status, 415);
    }
    assert.equal(await client.isSignedIn(), false);
  });

  test("RED-01 a way back stays on this site", async () => {
    const { email } = await lab.member();
    for (const next of [
      "//evil.example",
      "/\\evil.example",
      "/%2f/evil.example",
      "/a/../..//evil.example",
      "https://evil.example",
      "javascript:alert(1)",
      "/\tevil",
      "",
    ]) {
      assert.equal(isLocalPath(next), false, next);
      const fields = { email, password: PASSWORD, next };
      const client = await lab.client();
      isLed(await send(client, "/auth/login", fields), "/account");
      const wrong = await send(client, "/auth/login", {
        ...fields,
        password: "wrong",
      });
      assert.doesNotMatch(location(wrong), /evil|next/);
    }
    const fields = { email, password: PASSWORD, next: "/notes?page=2" };
    const answer = await send(await lab.client(), "/auth/login", fields);
    isLed(answer, "/notes?page=2");
  });

  test("PWD-10 a refusal keeps the address for a minute, and never the password", async () => {
    const email = lab.email();
    const client = await lab.client();
    const fields = { email, password: "short" };
    const answer = await send(client, "/auth/register", fields);
    isLed(answer, "/account/sign-up?problem=password_too_short");
    const shown = [...answer.headers].join();
    assert.doesNotMatch(shown, /=short/);
    assert.ok(!shown.includes(email));
    const kept = answer.cookies.find((line) => line.includes("auth-form"));
    const [pair = "", ...attributes] = (kept ?? "").split("; ");
    const value = pair.slice(pair.indexOf("=") + 1);
    assert.equal(Buffer.from(value, "base64url").toString(), email);
    assert.deepEqual(attributes.sort(), [
      "HttpOnly",
      "Max-Age=60",
      "Path=/",
      "SameSite=Strict",
      "Secure",
    ]);
  });

  test("REG-02 forms tell no account from none", async () => {
    const { email } = await lab.member();
    const led = async (path: string, fields: Record<string, string>) =>
      location(await send(await lab.client(), path, fields));
    const password = "not the right one at all";
    for (const path of ["/auth/login", "/auth/password/forgot"]) {
      const known = await led(path, { email, password });
      const other = lab.email();
      assert.equal(await led(path, { email: other, password }), known);
    }
  });

  test("INP-03 and INP-05 forms are small, and their fields come once", async () => {
    const client = await lab.client();
    const twice = "email=a%40example.com&email=b%40example.com&password=x";
    assert.equal((await send(client, "/auth/login", twice)).status, 422);
    const broken = client.post("/auth/login", "email=%ff&password=x", FORM);
    assert.equal((await broken).status, 422);
    const large = { email: "a@example.com", password: "x".repeat(70_000) };
    assert.equal((await send(client, "/auth/login", large)).status, 413);
    const fields = { email: "a@example.com" };
    isLed(
      await send(client, "/auth/login", fields),
      "/account/sign-in?problem=empty&at=password",
    );
  });

  test("SES-13 a form that needs a fresh password leads to where it is entered", async () => {
    const stale = new Lab({ AUTH_REAUTH_SECONDS: "1" });
    try {
      const { client } = await stale.member();
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      isLed(
        await send(client, "/auth/account/delete", { confirmed: "yes" }),
        "/account/reauth?next=%2Faccount%2Fdelete",
      );
      assert.equal(await client.isSignedIn(), true);
    } finally {
      await stale.close();
    }
  });

  test("HDR-02 pages are fenced, each with a nonce of its own", () => {
    for (const path of ["/account", "/account/verify?token=x"]) {
      const headers = fenced(path);
      const policy = headers.get("content-security-policy") ?? "";
      assert.match(policy, /script-src 'self' 'nonce-[\w-]{22}' /);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.equal(headers.get("referrer-policy"), "no-referrer");
      assert.equal(headers.get("cache-control"), "no-store");
      const other = fenced(path).get("content-security-policy");
      assert.notEqual(policy, other);
    }
    assert.equal(fenced("/accounts").size, 0);
  });

  test("CFG-08 the contract names pages that are there", () => {
    const contract = readFileSync(
      join(import.meta.dirname, "../contract.toml"),
      "utf8",
    );
    const named = [...contract.matchAll(/^[A-Z_]+ = .*"(\/account[^"]*)"/gm)];
    assert.ok(named.length >= 15);
    for (const [, path = ""] of named) {
      const page = join(import.meta.dirname, "../../app", path, "page.tsx");
      assert.ok(existsSync(page), path);
    }
  });
});
