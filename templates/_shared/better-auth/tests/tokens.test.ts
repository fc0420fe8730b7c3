/** Attacks on tokens for programs. */

import assert from "node:assert/strict";
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { after, before, describe, test } from "node:test";

import { CompactSign, decodeJwt, decodeProtectedHeader, SignJWT } from "jose";

import { freshKey } from "../bearer/keys[= js =]";
import { open } from "../db[= js =]";
import { act } from "../operator[= js =]";
import { digest } from "../random[= js =]";
import { type Client, environment, Lab, ORIGIN, PASSWORD } from "./harness[= js =]";
import { fromEnvironment } from "../settings[= js =]";

const KEY = freshKey();

/** A lab whose key is known here. */
function withKey(overrides: Record<string, string> = {}): Lab {
  return new Lab({ AUTH_TOKEN_KEY: KEY, ...overrides });
}

function privateKey(text: string): KeyObject {
  const key = Buffer.from(text, "base64");
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  scope: string;
  token_type: string;
}

/** What a program gets that has no cookies and is no browser. */
async function ask(lab: Lab, email: string, more: Record<string, string> = {}) {
  const fields = { grant: "password", email, password: PASSWORD, ...more };
  return (await lab.client()).post("/auth/token", fields, { origin: "" });
}

async function issued(
  lab: Lab,
  email: string,
  more: Record<string, string> = {},
): Promise<Tokens> {
  const answer = await ask(lab, email, more);
  assert.equal(answer.status, 200, answer.text);
  return answer.body as unknown as Tokens;
}

async function call(lab: Lab, token: string, path = "/api") {
  const headers = { authorization: `Bearer ${token}`, origin: "" };
  const client = await lab.client();
  return client.call(
    path === "/api" ? "POST" : "GET",
    path,
    undefined,
    headers,
  );
}

async function works(lab: Lab, token: string): Promise<boolean> {
  return (await call(lab, token)).status === 200;
}

async function isRefused(lab: Lab, token: string): Promise<boolean> {
  const { status, body, headers } = await call(lab, token);
  const challenge = headers.get("www-authenticate") ?? "";
  return (
    status === 401 &&
    body["code"] === "token_invalid" &&
    challenge.includes("invalid_token")
  );
}

async function refresh(
  lab: Lab,
  token: string,
  more: Record<string, string> = {},
) {
  const fields = { refresh_token: token, ...more };
  return (await lab.client()).post("/auth/token/refresh", fields);
}

async function refreshed(lab: Lab, token: string): Promise<Tokens> {
  const answer = await refresh(lab, token);
  assert.equal(answer.status, 200, answer.text);
  return answer.body as unknown as Tokens;
}

type Changes = Record<string, unknown>;

/** The token with changes, signed by the application's own key. `undefined` takes a part out. */
function forged(
  token: string,
  claims: Changes,
  header: Changes = {},
): Promise<string> {
  const payload = JSON.stringify({ ...decodeJwt(token), ...claims });
  const text = new TextEncoder().encode(payload);
  const head = { ...decodeProtectedHeader(token), ...header };
  const crit = Object.fromEntries(
    Object.keys(head).map((name) => [name, true]),
  );
  return new CompactSign(text)
    .setProtectedHeader(head as { alg: string })
    .sign(privateKey(KEY), { crit });
}

async function devices(client: Client) {
  const { body } = await client.get("/auth/devices");
  return body["devices"] as { id: string; device: string; current: boolean }[];
}

describe("access tokens", () => {
  let lab: Lab;
  before(() => {
    lab = withKey();
  });
  after(() => lab.close());

  test("JWT-01 only what our key signed counts", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    assert.equal(await works(lab, token), true);
    const [head = "", payload = "", signature = ""] = token.split(".");
    const stranger = await new SignJWT(decodeJwt(token))
      .setProtectedHeader(decodeProtectedHeader(token) as { alg: string })
      .sign(privateKey(freshKey()));
    for (const text of [
      `${head}.${payload}.`,
      `${head}.${payload}`,
      `${head}.${payload}.${signature.slice(0, -2)}AA`,
      `${head}.${payload.slice(0, -2)}AA.${signature}`,
      stranger,
      "x",
      "..",
    ]) {
      assert.equal(await isRefused(lab, text), true, text);
    }
  });

  test("JWT-02 the algorithm is ours", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    const header = decodeProtectedHeader(token);
    const spki = createPublicKey(privateKey(KEY)).export({
      format: "pem",
      type: "spki",
    });
    const confused = await new SignJWT(decodeJwt(token))
      .setProtectedHeader({ ...header, alg: "HS256" })
      .sign(new TextEncoder().encode(String(spki)));
    const none = Buffer.from(JSON.stringify({ ...header, alg: "none" }));
    const unsigned = `${none.toString("base64url")}.${token.split(".")[1] ?? ""}.`;
    for (const text of [confused, unsigned])
      assert.equal(await isRefused(lab, text), true, text);
  });

  test("JWT-03 JWT-04 JWT-05 JWT-09 a header names our key, our type, and nothing else", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwk = other.publicKey.export({ format: "jwk" });
    const headers: Changes[] = [
      { kid: undefined },
      { kid: "../../etc/passwd" },
      { kid: "' OR 1=1 --" },
      { jwk },
      { jku: "https://evil.test/keys" },
      { x5u: "https://evil.test/keys" },
      { crit: ["exp"], exp: 1 },
      { typ: undefined },
      { typ: "JWT" },
      { cty: "JWT" },
    ];
    assert.equal(await works(lab, await forged(token, {})), true);
    for (const header of headers) {
      const text = await forged(token, {}, header);
      assert.equal(await isRefused(lab, text), true, JSON.stringify(header));
    }
    const brought = await new SignJWT(decodeJwt(token))
      .setProtectedHeader({
        ...decodeProtectedHeader(token),
        alg: "ES256",
        jwk,
      })
      .sign(other.privateKey);
    assert.equal(await isRefused(lab, brought), true);
  });

  test("JWT-06 JWT-07 JWT-08 each claim is there and right", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    const later = Math.floor(Date.now() / 1000) + 300;
    const wrong: Changes[] = [
      { exp: undefined },
      { exp: String(later) },
      { exp: 9e99 },
      { exp: true },
      { nbf: undefined },
      { nbf: later },
      { iat: undefined },
      { iat: later },
      { iss: undefined },
      { iss: "https://evil.test" },
      { iss: [ORIGIN] },
      { iss: `${ORIGIN}/` },
      { aud: undefined },
      { aud: "https://evil.test" },
      { aud: [] },
      { aud: { a: ORIGIN } },
      { sub: undefined },
      { sub: "a\0b" },
      { sub: "somebody" },
      { sid: "other" },
      { ver: 7 },
      { ver: "0" },
    ];
    assert.equal(await works(lab, await forged(token, { exp: later })), true);
    for (const claims of wrong) {
      const text = await forged(token, claims);
      assert.equal(await isRefused(lab, text), true, JSON.stringify(claims));
    }
  });

  test("JWT-06 a token is over when it says", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    const now = Math.floor(Date.now() / 1000);
    assert.equal(
      await works(lab, await forged(token, { exp: now - 15 })),
      true,
    );
    const late = await forged(token, { exp: now - 31 });
    assert.equal(await isRefused(lab, late), true);
  });

  test("JWT-10 SES-10 SES-11 SES-15 what ends a program ends its tokens at once", async () => {
    const database = open(lab.file);
    const ends: Record<
      string,
      (client: Client, tokens: Tokens, email: string) => unknown
    > = {
      revoke: (_client, { refresh_token: token }) =>
        lab
          .client()
          .then((program) => program.post("/auth/token/revoke", { token })),
      "revoke by the access token": (_client, { access_token: token }) =>
        lab
          .client()
          .then((program) => program.post("/auth/token/revoke", { token })),
      device: async (client) => {
        const [first] = await devices(client);
        return client.call("DELETE", `/auth/devices/${first?.id ?? ""}`);
      },
      "a new password": (client) =>
        client.post("/auth/password", {
          currentPassword: PASSWORD,
          newPassword: "eleven loud badgers dig",
        }),
      "all other sessions": (client) =>
        client.post("/auth/sessions/revoke-others"),
      deletion: (client) => client.call("DELETE", "/auth/account"),
      disable: (_client, _tokens, email) => act(database, "disable", email),
      "an operator": (_client, _tokens, email) =>
        act(database, "revoke", email),
    };
    for (const [what, end] of Object.entries(ends)) {
      const { email, client } = await lab.member();
      const tokens = await issued(lab, email);
      assert.equal(await works(lab, tokens.access_token), true, what);
      await end(client, tokens, email);
      assert.equal(await isRefused(lab, tokens.access_token), true, what);
      const answer = await refresh(lab, tokens.refresh_token);
      assert.equal(answer.body["code"], "invalid_grant", what);
    }
    database.close();
  });

  test("JWT-10 RST-03 a new password by mail, and a new address, end programs", async () => {
    const { email, client } = await lab.member();
    const first = await issued(lab, email);
    await client.post("/auth/password/forgot", { email });
    const password = "nine grey otters swim";
    const reset = { token: await lab.token(email, 2), password };
    assert.equal(
      (await client.post("/auth/password/reset", reset)).status,
      200,
    );
    assert.equal(await isRefused(lab, first.access_token), true);
    await client.login(email, password);
    const second = await issued(lab, email, { password });
    const next = lab.email();
    await client.post("/auth/email", { email: next });
    const confirm = { token: await lab.token(next) };
    assert.equal(
      (await client.post("/auth/email/confirm", confirm)).status,
      200,
    );
    assert.equal(await isRefused(lab, second.access_token), true);
  });

  test("JWT-10 what a session gave ends with it", async () => {
    const { client } = await lab.member();
    const { body } = await client.post("/auth/token", { grant: "session" });
    const tokens = body as unknown as Tokens;
    assert.equal(await works(lab, tokens.access_token), true);
    await client.post("/auth/logout");
    assert.equal(await isRefused(lab, tokens.access_token), true);
    const answer = await refresh(lab, tokens.refresh_token);
    assert.equal(answer.body["code"], "invalid_grant");
  });

  test("JWT-10 programs outlive the end of another session", async () => {
    const { email, client } = await lab.member();
    const phone = await lab.client();
    await phone.login(email);
    const { refresh_token: token } = await issued(lab, email);
    const { body } = await client.get("/auth/sessions");
    const sessions = body["sessions"] as { id: string; current: boolean }[];
    const other = sessions.find(({ current }) => !current)?.id ?? "";
    const ended = await client.call("DELETE", `/auth/sessions/${other}`);
    assert.equal(ended.status, 200);
    const following = await refreshed(lab, token);
    assert.equal(await works(lab, following.access_token), true);
  });

  test("JWT-11 a token is short-lived and says little", async () => {
    const { email } = await lab.member();
    const answer = await issued(lab, email);
    const claims = decodeJwt(answer.access_token);
    assert.equal(decodeProtectedHeader(answer.access_token).typ, "at+jwt");
    assert.equal((claims.exp ?? 0) - (claims.iat ?? 0), answer.expires_in);
    assert.equal(answer.expires_in, 600);
    assert.ok(!JSON.stringify(claims).includes(email.split("@")[0] ?? ""));
    assert.equal(answer.token_type, "Bearer");
  });

  test("JWT-13 a token stands in one header, and nowhere else", async () => {
    const { email, client } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    const nobody = await lab.client();
    assert.equal((await client.get("/auth/token/me")).status, 401);
    const missing = await nobody.get("/auth/token/me");
    assert.equal(missing.headers.get("www-authenticate"), "Bearer");
    const queried = await nobody.get(`/auth/token/me?access_token=${token}`);
    assert.equal(queried.status, 401);
    for (const authorization of [
      token,
      `Basic ${token}`,
      `Bearer  ${token}`,
      "Bearer",
    ]) {
      const answer = await nobody.get("/auth/token/me", { authorization });
      assert.equal(answer.status, 401, authorization);
    }
    // Nor does a token open what takes a session, nor a session what takes a token.
    const authorization = `Bearer ${token}`;
    assert.equal((await nobody.get("/private", { authorization })).status, 401);
    assert.equal((await nobody.get("/auth/me", { authorization })).status, 401);
    assert.equal((await client.get("/api/any")).status, 401);
  });

  test("JWT-13 beside a session, a wrong token is wrong", async () => {
    const { client } = await lab.member();
    const authorization = "Bearer wrong";
    const answer = await client.get("/auth/devices", { authorization });
    assert.equal(answer.body["code"], "token_invalid");
  });

  test("JWT-14 long tokens are refused unread", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    const long = await forged(token, { more: "a".repeat(8_000) });
    assert.equal(await isRefused(lab, long), true);
  });

  test("JWT-15 scopes are granted and asked for, and a sign-in is fresh", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email, {
      scope: "write",
    });
    const answer = await call(lab, token);
    assert.equal(answer.status, 403);
    assert.equal(answer.body["code"], "insufficient_scope");
    assert.match(answer.headers.get("www-authenticate") ?? "", /scope="read"/);
    const { body } = await call(lab, token, "/auth/token/me");
    assert.equal(body["scope"], "write");
    for (const scope of ["admin", "", "read admin"]) {
      const refused = await ask(lab, email, { scope });
      assert.equal(refused.body["code"], "invalid_scope", scope);
    }
    const odd = await forged(token, { scope: ["read"] });
    assert.equal((await call(lab, odd)).status, 403);
    assert.equal((await call(lab, token, "/api/fresh")).status, 200);
    const now = Math.floor(Date.now() / 1000);
    for (const time of [now - 1_900, -1]) {
      const stale = await forged(token, { auth_time: time });
      const { body, headers } = await call(lab, stale, "/api/fresh");
      assert.equal(body["code"], "insufficient_user_authentication");
      assert.match(headers.get("www-authenticate") ?? "", /max_age="\d+"/);
    }
  });

  test("an answer to a program stays out of caches", async () => {
    const { email } = await lab.member();
    const { access_token: token } = await issued(lab, email);
    const answer = await call(lab, token, "/api/any");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.deepEqual(Object.keys(answer.body).sort(), [
      "authTime",
      "device",
      "id",
      "scope",
    ]);
  });
});

describe("keys", () => {
  test("JWT-12 keys are exchanged, and only their public halves are told", async () => {
    const lab = withKey();
    const { email } = await lab.member();
    const { access_token: old } = await issued(lab, email);
    const next = {
      DATABASE_URL: `sqlite:${lab.file}`,
      AUTH_TOKEN_KEY: freshKey(),
    };
    const both = new Lab({ ...next, AUTH_TOKEN_OLD_KEYS: KEY });
    const without = new Lab(next);
    const published = async (from: Lab) => {
      const answer = await (await from.client()).get("/auth/jwks.json");
      assert.equal(answer.headers.get("cache-control"), "no-store");
      return answer.body["keys"] as Changes[];
    };
    const [first] = await published(lab);
    assert.deepEqual(Object.keys(first ?? {}).sort(), [
      "alg",
      "crv",
      "kid",
      "kty",
      "use",
      "x",
      "y",
    ]);
    const counts = [both, without].map(
      async (each) => (await published(each)).length,
    );
    assert.deepEqual(await Promise.all(counts), [2, 1]);
    assert.equal(await works(both, old), true);
    const { access_token: fresh } = await issued(both, email);
    assert.equal(await works(both, fresh), true);
    assert.equal(await isRefused(without, old), true);
    assert.equal(await works(without, fresh), true);
    await Promise.all([both.close(), without.close(), lab.close()]);
  });

  const written = (key: KeyObject) =>
    key.export({ format: "der", type: "pkcs8" }).toString("base64");
  /** The key with this private number. */
  const numbered = (hex: string) => {
    const d = Buffer.from(hex.padStart(64, "0"), "hex");
    const pair = createECDH("prime256v1");
    pair.setPrivateKey(d);
    const point = pair.getPublicKey();
    const [x, y] = [point.subarray(1, 33), point.subarray(33)];
    const text = (part: Buffer) => part.toString("base64url");
    const jwk = { kty: "EC", crv: "P-256", d: text(d), x: text(x), y: text(y) };
    return written(createPrivateKey({ key: jwk, format: "jwk" }));
  };

  test("JWT-12 weak keys end the start", () => {
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    const p256k = generateKeyPairSync("ec", {
      namedCurve: "secp256k1",
    }).privateKey;
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;
    const ed25519 = generateKeyPairSync("ed25519").privateKey;
    const keys = ["x", "!", `${KEY}!`, KEY.slice(4)];
    for (const key of [p384, p256k, rsa, ed25519]) keys.push(written(key));
    // RFC 6979 A.2.5.
    keys.push(
      numbered(
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
      ),
    );
    const weak = { ...environment("/tmp"), AUTH_TOKEN_KEY: numbered("07") };
    assert.throws(() => fromEnvironment(weak), /does not look random/);
    for (const name of ["AUTH_TOKEN_KEY", "AUTH_TOKEN_OLD_KEYS"]) {
      for (const key of keys) {
        assert.throws(
          () => fromEnvironment({ ...environment("/tmp"), [name]: key }),
          new RegExp(`^SettingError: ${name}`),
          key,
        );
      }
    }
  });
});

describe("refresh tokens", () => {
  let lab: Lab;
  before(() => {
    lab = withKey();
  });
  after(() => lab.close());

  const events = (event: string) =>
    lab.rows(`SELECT 1 FROM auth_audit WHERE event = '${event}'`).length;

  test("RFT-01 RFT-02 a refresh token works once, and a second use ends the family", async () => {
    const { email } = await lab.member();
    const first = await issued(lab, email);
    const second = await refreshed(lab, first.refresh_token);
    const third = await refreshed(lab, second.refresh_token);
    assert.equal(await works(lab, third.access_token), true);
    const again = await refresh(lab, first.refresh_token);
    assert.deepEqual(
      [again.status, again.body["code"]],
      [400, "invalid_grant"],
    );
    assert.equal(await isRefused(lab, third.access_token), true);
    assert.equal((await refresh(lab, third.refresh_token)).status, 400);
    assert.equal(events("token_reuse"), 1);
  });

  test("RFT-03 of parallel uses one succeeds, and the family ends", async () => {
    const { email } = await lab.member();
    const { refresh_token: token } = await issued(lab, email);
    const uses = Array.from({ length: 8 }, () => refresh(lab, token));
    const answers = await Promise.all(uses);
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, ...Array.from({ length: 7 }, () => 400)]);
    const next = answers.find(({ status }) => status === 200)?.body;
    assert.equal(
      (await refresh(lab, String(next?.["refresh_token"]))).status,
      400,
    );
  });

  test("RFT-04 the database holds hashes", async () => {
    const { email } = await lab.member();
    const { refresh_token: token } = await issued(lab, email);
    assert.equal(Buffer.from(token, "base64url").length, 32);
    const hash = `SELECT 1 FROM auth_refresh_token WHERE tokenHash = '${digest(token)}'`;
    assert.equal(lab.rows(hash).length, 1);
    for (const table of [
      "auth_refresh_token",
      "auth_token_family",
      "auth_audit",
    ]) {
      const rows = JSON.stringify(lab.rows(`SELECT * FROM ${table}`));
      assert.ok(!rows.includes(token), table);
    }
  });

  test("RFT-06 the end of a program tells nothing", async () => {
    const { email } = await lab.member();
    const tokens = await issued(lab, email);
    for (const token of ["x", tokens.access_token, tokens.access_token]) {
      const program = await lab.client();
      const answer = await program.post("/auth/token/revoke", { token });
      assert.deepEqual(
        [answer.status, answer.body],
        [200, { status: "revoked" }],
      );
    }
    assert.equal(await isRefused(lab, tokens.access_token), true);
  });

  test("RFT-07 tokens go in bodies and stay out of caches", async () => {
    const { email } = await lab.member();
    const answer = await ask(lab, email);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    const token = String(answer.body["refresh_token"]);
    const path = `/auth/token/refresh?refresh_token=${token}`;
    const program = await lab.client();
    assert.equal((await program.post(path)).status, 422);
    assert.equal((await program.get(path)).status, 405);
    assert.equal((await refresh(lab, token)).status, 200);
  });

  test("RFT-08 a scope is narrowed and never widened", async () => {
    const { email } = await lab.member();
    const { refresh_token: token } = await issued(lab, email, {
      scope: "read",
    });
    const wider = await refresh(lab, token, { scope: "read write" });
    assert.equal(wider.body["code"], "invalid_scope");
    // That used nothing up.
    const narrow = await refresh(lab, token, { scope: "read" });
    assert.equal(narrow.body["scope"], "read");
  });

  test("SES-09 SES-12 devices are listed and ended by their owner only", async () => {
    const { email, client } = await lab.member();
    const eve = await lab.member();
    const tokens = await issued(lab, email, { device: "My phone" });
    await issued(lab, email, { device: "Laptop" });
    const listed = await devices(client);
    const names = listed.map(({ device }) => device).sort();
    assert.deepEqual(names, ["Laptop", "My phone"]);
    const phone = listed.find(({ device }) => device === "My phone")?.id ?? "";
    const laptop = listed.find(({ device }) => device === "Laptop")?.id ?? "";
    const theirs = await eve.client.call("DELETE", `/auth/devices/${phone}`);
    assert.equal(theirs.body["code"], "device_unknown");
    const own = { authorization: `Bearer ${tokens.access_token}`, origin: "" };
    const program = await lab.client();
    const remove = (id: string) =>
      program.call("DELETE", `/auth/devices/${id}`, undefined, own);
    const { body } = await program.get("/auth/devices", own);
    const current = (body["devices"] as typeof listed).filter(
      (each) => each.current,
    );
    assert.deepEqual(
      current.map(({ id }) => id),
      [phone],
    );
    assert.equal((await remove(laptop)).body["code"], "device_unknown");
    assert.equal((await remove(phone)).status, 200);
    assert.equal(await isRefused(lab, tokens.access_token), true);
  });

  test("an export names devices", async () => {
    const { email, client } = await lab.member();
    await issued(lab, email, { device: "My phone" });
    const { body } = await client.get("/auth/export");
    const [device] = body["devices"] as { device: string }[];
    assert.equal(device?.device, "My phone");
  });

  test("THR-01 EML-01 programs meet the same limits as browsers", async () => {
    const { email } = await lab.member();
    const password = "another quiet meadow there";
    for (let tries = 0; tries < 5; tries += 1)
      assert.equal((await ask(lab, email, { password })).status, 401);
    assert.equal((await ask(lab, email)).status, 429);
    const unverified = lab.email();
    const fields = { email: unverified, password: PASSWORD };
    await (await lab.client()).post("/auth/register", fields);
    const answer = await ask(lab, unverified);
    assert.equal(answer.body["code"], "email_unverified");
  });

  test("CSR-02 a session gives tokens to this site only", async () => {
    const { client } = await lab.member();
    const fields = { grant: "session" };
    const foreign = { origin: "https://evil.test" };
    const answer = await client.post("/auth/token", fields, foreign);
    assert.equal(answer.body["code"], "foreign_request");
    assert.equal((await client.post("/auth/token", fields)).status, 200);
    const nobody = await lab.client();
    const refused = await nobody.post("/auth/token", fields);
    assert.equal(refused.body["code"], "not_signed_in");
  });

  test("INP-04 fields of tokens are texts, and a device has a name", async () => {
    const { email } = await lab.member();
    const wrong: Record<string, unknown>[] = [
      { grant: "client_credentials" },
      { grant: "password" },
      { device: 7 },
      { device: " " },
      { device: "a\u202eb" },
      { device: "a".repeat(101) },
    ];
    for (const more of wrong) {
      const fields =
        more["grant"] === undefined
          ? { grant: "password", email, password: PASSWORD, ...more }
          : more;
      const answer = await (await lab.client()).post("/auth/token", fields);
      assert.equal(answer.body["code"], "invalid_fields", JSON.stringify(more));
    }
  });
});

describe("lifetimes of tokens", () => {
  test("RFT-05 a refresh token ends by itself", async (context) => {
    const lab = withKey({
      AUTH_TOKEN_REFRESH_IDLE_SECONDS: "60",
      AUTH_TOKEN_REFRESH_ABSOLUTE_SECONDS: "100",
    });
    const { email } = await lab.member();
    const idle = await issued(lab, email);
    const used = await issued(lab, email);
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    context.mock.timers.tick(59_000);
    const second = await refreshed(lab, used.refresh_token);
    assert.ok(second.expires_in <= 41);
    context.mock.timers.tick(2_000);
    const over = await refresh(lab, idle.refresh_token);
    assert.equal(over.body["code"], "invalid_grant");
    context.mock.timers.tick(40_000);
    const ended = await refresh(lab, second.refresh_token);
    assert.equal(ended.body["code"], "invalid_grant");
    context.mock.timers.reset();
    await lab.close();
  });

  test("SES-12 the oldest program makes room", async () => {
    const lab = withKey({ AUTH_SESSIONS_LIMIT: "2" });
    const { email } = await lab.member();
    const first = await issued(lab, email);
    const others = [await issued(lab, email), await issued(lab, email)];
    assert.equal(await isRefused(lab, first.access_token), true);
    for (const { access_token: token } of others)
      assert.equal(await works(lab, token), true);
    await lab.close();
  });
});
