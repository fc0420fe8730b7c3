/** Attacks on sessions, cookies and guards. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { createHash } from "node:crypto";

import { Lab, ORIGIN, PASSWORD } from "./harness[= js =]";

const SESSION = "__Host-auth-session";

describe("sessions", () => {
  let lab: Lab;
  before(() => {
    lab = new Lab();
  });
  after(() => lab.close());

  test("SES-01 SES-02 a session's token is random, and stored as its hash", async () => {
    const { client } = await lab.member();
    const [token = ""] = (client.cookies.get(SESSION) ?? "").split(".");
    assert.equal(Buffer.from(token, "base64url").length, 32);
    const stored = lab
      .rows("SELECT token FROM auth_session")
      .map((row) => row["token"]);
    assert.ok(
      stored.includes(createHash("sha256").update(token).digest("hex")),
    );
    assert.ok(!stored.includes(token));
  });

  test("SES-02 what stands in the table opens nothing", async () => {
    const { client } = await lab.member();
    const stored = lab
      .rows("SELECT token FROM auth_session")
      .map((row) => String(row["token"]));
    const signature = (client.cookies.get(SESSION) ?? "").split(".")[1] ?? "";
    for (const token of stored) {
      client.cookies.set(SESSION, `${token}.${signature}`);
      assert.equal(await client.isSignedIn(), false);
    }
  });

  test("SES-03 a sign-in takes no identifier over, and ends the one before", async () => {
    const { email, client } = await lab.member();
    const before = client.copy();
    client.cookies.set("__Host-auth-other", "x");
    await client.login(email);
    assert.notEqual(client.cookies.get(SESSION), before.cookies.get(SESSION));
    assert.equal(await before.isSignedIn(), false);
    assert.equal(await client.isSignedIn(), true);
  });

  test("SES-04 a password that is entered again renews the session", async () => {
    const { client } = await lab.member();
    const before = client.copy();
    assert.equal(
      (await client.post("/auth/reauth", { password: PASSWORD })).status,
      200,
    );
    assert.equal(await before.isSignedIn(), false);
  });

  test("SES-05 a token counts in one cookie of that name alone", async () => {
    const { client } = await lab.member();
    const value = client.cookies.get(SESSION) ?? "";
    const nobody = await lab.client();
    const claims: Record<string, string>[] = [
      { authorization: `Bearer ${value}` },
      { cookie: `${SESSION}=${value}; ${SESSION}=other` },
      { cookie: `auth-session=${value}` },
      { "x-session": value },
    ];
    for (const headers of claims) {
      assert.equal((await nobody.get("/auth/me", headers)).status, 401);
    }
    assert.equal(
      (await nobody.get(`/auth/me?${SESSION}=${value}`)).status,
      401,
    );
  });

  test("SES-08 signing out ends the session on the server", async () => {
    const { client } = await lab.member();
    const copy = client.copy();
    const answer = await client.post("/auth/logout");
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("clear-site-data") ?? "", /cookies/);
    assert.equal(await copy.isSignedIn(), false);
  });

  // The trail has a logout only where there was a session to end.
  test("RAC-05 what was logged out at that moment does not go on", async () => {
    const renewals = {
      "/auth/reauth": { password: PASSWORD },
      "/auth/password": {
        currentPassword: PASSWORD,
        newPassword: "nine grey otters swim",
      },
    };
    for (const [path, body] of Object.entries(renewals)) {
      const { email, client } = await lab.member();
      const copy = client.copy();
      await Promise.all([client.post(path, body), copy.post("/auth/logout")]);
      const of = (table: string, more = "") =>
        lab.rows(
          `SELECT 1 FROM ${table} JOIN auth_user u ON u.id = userId WHERE u.email = '${email}' ${more}`,
        ).length;
      const ended = of("auth_audit", "AND event = 'logout'");
      assert.equal(of("auth_session") + ended, 1);
    }
  });

  test("SES-09 SES-12 sessions are listed without tokens, and end at once", async () => {
    const { email, client } = await lab.member();
    const other = await lab.client();
    await other.login(email);
    const list = await client.get("/auth/sessions");
    const sessions = list.body["sessions"] as {
      id: string;
      current: boolean;
    }[];
    assert.equal(sessions.length, 2);
    for (const cookie of [client, other].map(
      (each) => each.cookies.get(SESSION) ?? "",
    )) {
      assert.ok(!list.text.includes(cookie.split(".")[0] ?? ""));
    }
    const theirs = sessions.find((session) => !session.current)?.id ?? "";
    assert.equal(
      (await client.call("DELETE", `/auth/sessions/${theirs}`)).status,
      200,
    );
    assert.equal(await other.isSignedIn(), false);
    assert.equal(await client.isSignedIn(), true);
  });

  test("SES-12 nobody ends another's session", async () => {
    const mine = await lab.member();
    const theirs = await lab.member();
    const list = await theirs.client.get("/auth/sessions");
    const [session] = list.body["sessions"] as { id: string }[];
    const answer = await mine.client.call(
      "DELETE",
      `/auth/sessions/${session?.id ?? ""}`,
    );
    assert.equal(answer.body["code"], "session_unknown");
    assert.equal(await theirs.client.isSignedIn(), true);
  });

  test("SES-10 another password ends every other session and link", async () => {
    const { email, client } = await lab.member();
    const other = await lab.client();
    await other.login(email);
    await other.post("/auth/password/forgot", { email });
    const token = await lab.token(email, 2);
    const before = client.copy();
    const fields = {
      currentPassword: PASSWORD,
      newPassword: "eleven loud badgers dig",
    };
    assert.equal((await client.post("/auth/password", fields)).status, 200);
    assert.equal(await other.isSignedIn(), false);
    assert.equal(await before.isSignedIn(), false);
    assert.equal(await client.isSignedIn(), true);
    const reset = await other.post("/auth/password/reset", {
      token,
      password: "nine grey otters swim",
    });
    assert.equal(reset.status, 400);
  });

  test("SES-11 an account that is deleted is gone", async () => {
    const { email, client } = await lab.member();
    const other = await lab.client();
    await other.login(email);
    assert.equal((await client.call("DELETE", "/auth/account")).status, 200);
    assert.equal(await other.isSignedIn(), false);
    assert.equal((await other.login(email)).status, 401);
    assert.equal(
      lab.rows(`SELECT id FROM auth_user WHERE email = '${email}'`).length,
      0,
    );
  });

  test("SES-14 guards close by default, under every spelling of a path", async () => {
    const nobody = await lab.client();
    const paths = [
      "/private",
      "/private/",
      "/PRIVATE",
      "/private?x",
      "//private",
      "/%70rivate",
    ];
    for (const path of [
      ...paths,
      "/auth/me",
      "/auth/export",
      "/auth/sessions",
    ]) {
      const answer = await nobody.get(path);
      assert.ok(
        [401, 404].includes(answer.status),
        `${path}: ${String(answer.status)}`,
      );
    }
    const { client } = await lab.member();
    assert.equal((await client.get("/private")).status, 200);
  });

  test("SES-14 a guard closes when its database does not answer", async () => {
    const own = new Lab();
    const { client } = await own.member();
    own.rows("ALTER TABLE auth_session RENAME TO away");
    assert.equal((await client.get("/private")).status, 503);
    own.rows("ALTER TABLE away RENAME TO auth_session");
    assert.equal((await client.get("/private")).status, 200);
    await own.close();
  });

  test("CKE-01 CKE-02 CKE-03 the cookie is the browser's alone", async () => {
    const { email, client } = await lab.member();
    const answer = await client.login(email);
    const [line = ""] = answer.cookies;
    for (const part of ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]) {
      assert.ok(line.includes(part), line);
    }
    assert.ok(line.startsWith(`${SESSION}=`) && !/domain/i.test(line));
    const token = line.slice(line.indexOf("=") + 1).split(".")[0] ?? "";
    assert.ok(!answer.text.includes(token));
  });

  test("CSR-02 CSR-03 requests from other sites are refused", async () => {
    const { email, client } = await lab.member();
    const foreign: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { origin: "http://app.example.com" },
      { origin: "null" },
      { origin: "", "sec-fetch-site": "cross-site" },
      { origin: "", "sec-fetch-site": "same-site" },
      { referer: "https://app.example.com.evil.example/" },
      { origin: "" },
    ];
    for (const headers of foreign) {
      for (const path of ["/auth/logout", "/close"]) {
        const answer = await client.post(path, {}, headers);
        assert.equal(
          answer.body["code"],
          "foreign_request",
          `${path} ${JSON.stringify(headers)}`,
        );
      }
    }
    const login = await (
      await lab.client()
    ).post(
      "/auth/login",
      { email, password: PASSWORD },
      { origin: "https://evil.example" },
    );
    assert.equal(login.status, 403);
    assert.equal(await client.isSignedIn(), true);
    assert.equal(
      (await client.post("/close", {}, { origin: ORIGIN })).status,
      200,
    );
  });

  test("CSR-04 reading changes nothing, and no header makes it write", async () => {
    const { client } = await lab.member();
    await client.get("/auth/logout", { "x-http-method-override": "POST" });
    await client.get("/auth/account", { "x-http-method-override": "DELETE" });
    assert.equal(await client.isSignedIn(), true);
  });

  test("CSR-05 INP-05 bodies are JSON, and no field comes twice", async () => {
    const { email } = await lab.member();
    const client = await lab.client();
    const body = JSON.stringify({ email, password: PASSWORD });
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/json5",
      "",
    ]) {
      const answer = await client.post("/auth/login", body, {
        "content-type": type,
      });
      assert.equal(answer.status, 415, type);
    }
    const twice = `{"email":"x@example.com","email":"${email}","password":"${PASSWORD}"}`;
    assert.equal((await client.post("/auth/login", twice)).status, 400);
  });

  test("INP-03 INP-04 fields are texts of bounded size", async () => {
    const { email } = await lab.member();
    const client = await lab.client();
    for (const password of [[PASSWORD], { a: PASSWORD }, 1, true, null]) {
      const answer = await client.post("/auth/login", { email, password });
      assert.equal(
        answer.body["code"],
        "invalid_fields",
        JSON.stringify(password),
      );
    }
    const large = await client.post("/auth/login", {
      email,
      password: "x".repeat(70_000),
    });
    assert.equal(large.status, 413);
    const long = await client.post("/auth/login", {
      email,
      password: "x".repeat(2_000),
    });
    assert.equal(long.body["code"], "password_too_long");
  });

  test("HDR-01 HDR-02 HDR-03 HDR-05 answers are protected, and say nothing of the inside", async () => {
    const { client } = await lab.member();
    for (const path of ["/auth/me", "/auth/verify?token=x", "/auth/nothing"]) {
      const { headers } = await client.get(path);
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("referrer-policy"), "no-referrer");
      assert.equal(headers.get("x-powered-by"), null);
    }
    const broken = await client.post("/auth/login", "{");
    assert.deepEqual(Object.keys(broken.body), ["code", "message"]);
  });

  test("CFG-08 the library's own routes do not answer", async () => {
    const { email, client } = await lab.member();
    for (const path of [
      "/auth/get-session",
      "/auth/list-sessions",
      "/auth/ok",
      "/auth/current-user",
    ]) {
      assert.equal((await client.get(path)).status, 404, path);
    }
    const given = { email, password: PASSWORD, name: "x" };
    for (const path of [
      "/auth/sign-in/email",
      "/auth/sign-up/email",
      "/auth/record-refusal",
    ]) {
      assert.equal((await client.post(path, given)).status, 404, path);
    }
  });
});

describe("lifetimes", () => {
  test("SES-06 a session without requests ends", async (context) => {
    const lab = new Lab({ AUTH_SESSION_IDLE_SECONDS: "60" });
    const { client } = await lab.member();
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    context.mock.timers.tick(59_000);
    assert.equal(await client.isSignedIn(), true);
    context.mock.timers.tick(59_000);
    assert.equal(await client.isSignedIn(), true);
    context.mock.timers.tick(61_000);
    assert.equal(await client.isSignedIn(), false);
    context.mock.timers.reset();
    await lab.close();
  });

  test("SES-07 no request makes a session last longer", async (context) => {
    const lab = new Lab({
      AUTH_SESSION_ABSOLUTE_SECONDS: "120",
      AUTH_SESSION_IDLE_SECONDS: "90",
    });
    const { client } = await lab.member();
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    context.mock.timers.tick(80_000);
    assert.equal(await client.isSignedIn(), true);
    context.mock.timers.tick(45_000);
    assert.equal(await client.isSignedIn(), false);
    context.mock.timers.reset();
    await lab.close();
  });

  test("SES-13 what is sensitive takes a password that was entered lately", async (context) => {
    const lab = new Lab({ AUTH_REAUTH_SECONDS: "60" });
    const { client } = await lab.member();
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    context.mock.timers.tick(61_000);
    const calls = [
      () => client.post("/auth/email", { email: "new@example.com" }),
      () => client.post("/auth/sessions/revoke-others"),
      () => client.call("DELETE", "/auth/account"),
      () => client.get("/auth/export"),
      () => client.post("/close"),
    ];
    for (const call of calls)
      assert.equal((await call()).body["code"], "reauth_required");
    await client.post("/auth/reauth", { password: PASSWORD });
    assert.equal((await client.post("/close")).status, 200);
    context.mock.timers.reset();
    await lab.close();
  });

  test("RST-02 a link ends by itself", async (context) => {
    const lab = new Lab({ AUTH_RESET_TOKEN_SECONDS: "60" });
    const { email, client } = await lab.member();
    await client.post("/auth/password/forgot", { email });
    const token = await lab.token(email, 2);
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    context.mock.timers.tick(61_000);
    const answer = await client.post("/auth/password/reset", {
      token,
      password: "nine grey otters swim",
    });
    assert.equal(answer.status, 400);
    context.mock.timers.reset();
    await lab.close();
  });

  test("SES-12 the oldest session makes room", async () => {
    const lab = new Lab({ AUTH_SESSIONS_LIMIT: "2" });
    const { email, client } = await lab.member();
    const others = [await lab.client(), await lab.client()];
    for (const other of others) await other.login(email);
    assert.equal(await client.isSignedIn(), false);
    for (const other of others) assert.equal(await other.isSignedIn(), true);
    await lab.close();
  });
});
