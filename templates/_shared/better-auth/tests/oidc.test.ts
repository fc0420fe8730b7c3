/**
 * Sign-in at providers: each test is named after the control that it is about. It begins from a sign-in
 * that works, and changes one thing.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";

import { isLocalPath } from "../localPath[= js =]";
import { calls } from "../oidc/calls[= js =]";
import { type Preset, preset } from "../oidc/preset[= js =]";
import { PRESETS } from "../oidc/presets[= js =]";
import type { Settings as Providers } from "../oidc/settings[= js =]";
import { isSafe, variable } from "../oidc/settings[= js =]";
import { fromEnvironment } from "../settings[= js =]";
import {
  type Answer,
  type Client,
  environment,
  Lab,
  ORIGIN,
  PASSWORD,
} from "./harness[= js =]";
import {
  CLIENT,
  type Draft,
  Key,
  type Lies,
  Provider,
  SECRET,
} from "./provider[= js =]";

interface Changes extends Partial<Providers> {
  preset?: Partial<Preset>;
  maxAge?: number;
  acr?: string;
}

/** An application and its providers. */
class World {
  readonly provider = new Provider("https://id.test");
  readonly other = new Provider("https://other.test/");
  readonly lab: Lab;

  constructor(context: TestContext, changes: Changes = {}) {
    const { acr, maxAge, preset: known, ...oidc } = changes;
    const theirs = { clientId: CLIENT, clientSecret: SECRET };
    const providers = new Map([
      [
        "test",
        {
          preset: preset({ id: "test", name: "Test", ...known }),
          issuer: this.provider.issuer,
          acr,
          maxAge,
          ...theirs,
        },
      ],
      [
        "other",
        {
          preset: preset({ id: "other", name: "Other" }),
          issuer: this.other.issuer,
          ...theirs,
        },
      ],
    ]);
    this.lab = new Lab(
      {},
      (settings) => ({
        ...settings,
        oidc: { ...settings.oidc, providers, ...oidc },
      }),
      (address, asked) => {
        const { hostname } = new URL(address);
        const to = hostname === "id.test" ? this.provider : this.other;
        return to.answer(address, asked);
      },
    );
    context.after(() => this.lab.close());
  }

  client(): Promise<Client> {
    return this.lab.client();
  }

  /** Where a sign-in leads. */
  async begin(client: Client, what = "start", name = "test"): Promise<string> {
    const answer = await client.post(`/auth/oidc/${name}/${what}`);
    assert.equal(answer.status, 200, answer.text);
    return String(answer.body["location"]);
  }

  /** A browser that has been to the provider: the path that it comes back on. */
  async returning(client: Client, what = "start"): Promise<string> {
    return this.provider.consents(await this.begin(client, what));
  }

  async signIn(client: Client): Promise<Answer> {
    return comesBack(client, await this.returning(client));
  }

  /** Somebody who came from the provider. */
  async federated(sub = "s-ada", email = "ada@example.org"): Promise<Client> {
    this.provider.is(sub, email);
    const client = await this.client();
    assert.equal((await this.signIn(client)).status, 303);
    return client;
  }

  /** Refused without a session, and without a token request. */
  async refusesUnasked(client: Client, path: string): Promise<void> {
    const before = this.asked();
    refused(await comesBack(client, path), 400, "oidc_refused");
    assert.equal(this.asked(), before, path);
    assert.equal(await client.isSignedIn(), false, path);
  }

  /** Refused, whatever else was right. */
  async refuses(lies: Lies, what = JSON.stringify(lies)): Promise<void> {
    this.provider.lies = lies;
    const client = await this.client();
    const answer = await this.signIn(client);
    assert.equal(answer.status, 400, what);
    assert.equal(answer.body["code"], "oidc_refused", what);
    assert.equal(await client.isSignedIn(), false, what);
    this.provider.lies = {};
  }

  asked(): number {
    return this.provider.count("/token") + this.other.count("/token");
  }
}

/** From another site, as browsers say. */
function comesBack(client: Client, path: string): Promise<Answer> {
  return client.get(path, { "sec-fetch-site": "cross-site" });
}

function refused(answer: Answer, status: number, code: string): void {
  assert.deepEqual([answer.status, answer.body["code"]], [status, code]);
}

/** The path with other parameters. `null` takes one out. */
function changed(path: string, values: Record<string, string | null>): string {
  const url = new URL(path, ORIGIN);
  for (const [name, value] of Object.entries(values)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url.pathname + url.search;
}

async function identities(client: Client): Promise<string[]> {
  const { body } = await client.get("/auth/identities");
  const found = body["identities"] as { provider: string }[];
  return found.map(({ provider }) => provider);
}

const now = () => Math.floor(Date.now() / 1000);

/** An ID token with other claims; `undefined` takes one out. */
const claims =
  (values: Record<string, unknown>) =>
  (draft: Draft): void => {
    Object.assign(draft.claims, values);
  };

describe("the way to a provider and back", () => {
  test("OIC-01 what is asked is complete and fresh", async (t) => {
    const world = new World(t);
    const seen = new Set<string>();
    for (let number = 0; number < 3; number += 1) {
      const location = await world.begin(await world.client());
      const asked = new URL(location).searchParams;
      assert.equal(asked.get("response_type"), "code");
      assert.equal(
        asked.get("redirect_uri"),
        `${ORIGIN}/auth/oidc/test/callback`,
      );
      assert.equal(asked.get("scope"), "openid email");
      assert.equal(asked.get("code_challenge_method"), "S256");
      assert.equal(asked.get("client_id"), CLIENT);
      assert.ok(!location.includes("secret"));
      for (const name of ["state", "nonce", "code_challenge"]) {
        const [value = "", ...others] = asked.getAll(name);
        assert.ok(value.length === 43 && others.length === 0, name);
        seen.add(value);
      }
    }
    assert.equal(seen.size, 9);
  });

  test("OIC-02 without its state an answer is none", async (t) => {
    const world = new World(t);
    world.provider.isLax = true;
    const other = new URL(await world.begin(await world.client()));
    for (const change of [null, "", other.searchParams.get("state"), "A"]) {
      const client = await world.client();
      const path = await world.returning(client);
      await world.refusesUnasked(client, changed(path, { state: change }));
      await world.refusesUnasked(client, `${path}&state=A`);
      assert.equal((await comesBack(client, path)).status, 303);
    }
  });

  test("OIC-03 an answer belongs to the browser that began", async (t) => {
    const world = new World(t);
    world.provider.isLax = true;
    const begun = await world.client();
    await world.begin(begun);
    for (const victim of [await world.client(), begun]) {
      const path = await world.returning(await world.client());
      await world.refusesUnasked(victim, path);
    }
  });

  test("OIC-04 an answer counts once and not for long", async (t) => {
    const world = new World(t);
    world.provider.isLax = true;
    const client = await world.client();
    for (const spoilt of [{}, { error: "access_denied" }, { code: "" }]) {
      const path = await world.returning(client);
      const { status } = await comesBack(client, changed(path, spoilt));
      assert.equal(status, Object.keys(spoilt).length > 0 ? 400 : 303);
      await client.post("/auth/logout");
      await world.refusesUnasked(client, path);
    }
    const late = await world.returning(client);
    world.lab.rows(`UPDATE auth_transaction SET expiresAt = '2020-01-01'`);
    await world.refusesUnasked(client, late);
    for (let number = 0; number < 7; number += 1) await world.begin(client);
    const [open] = world.lab.rows("SELECT COUNT(*) AS n FROM auth_transaction");
    assert.equal(open?.["n"], 5);
  });

  test("OIC-05 OIC-06 an answer is that of the provider that was asked", async (t) => {
    const world = new World(t);
    world.provider.isLax = true;
    const client = await world.client();
    const crossed = (await world.returning(client)).replace(
      "/test/",
      "/other/",
    );
    await world.refusesUnasked(client, crossed);
    for (const iss of [null, "https://evil.test", "https://id.test/"]) {
      const path = changed(await world.returning(client), { iss });
      await world.refusesUnasked(client, path);
    }
  });

  test("OIC-07 a code takes the verifier of its transaction", async (t) => {
    const world = new World(t);
    const client = await world.client();
    const [one, two] = [
      await world.returning(client),
      await world.returning(client),
    ];
    const code = new URL(two, ORIGIN).searchParams.get("code");
    refused(
      await comesBack(client, changed(one, { code })),
      400,
      "oidc_refused",
    );
    assert.equal((await comesBack(client, two)).status, 303);
  });

  test("OIC-24 OIC-27 tokens and codes stay where they are", async (t) => {
    const world = new World(t);
    const client = await world.client();
    const answer = await world.signIn(client);
    assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
    const shown = [
      answer,
      await client.get("/auth/me"),
      await client.get("/auth/export"),
    ];
    assert.ok(
      !shown.some(({ cookies, text }) =>
        /sentinel|eyJ/.test(text + cookies.join()),
      ),
    );
    for (const table of [
      "auth_account",
      "auth_identity",
      "auth_session",
      "auth_audit",
    ]) {
      const kept = JSON.stringify(world.lab.rows(`SELECT * FROM ${table}`));
      assert.ok(!/sentinel|eyJ/.test(kept), table);
    }
  });

  test("OIC-25 what a provider answers in place of tokens is refused", async (t) => {
    const world = new World(t);
    for (const answer of [
      (said: Record<string, unknown>) => delete said["id_token"],
      (said: Record<string, unknown>) => (said["id_token"] = 7),
      (said: Record<string, unknown>) => (said["token_type"] = "mac"),
      (said: Record<string, unknown>) => delete said["access_token"],
    ])
      await world.refuses({ answer }, answer.toString());
    world.provider.instead.set("/token", () =>
      Promise.resolve(
        Response.json({ error: "server_error" }, { status: 400 }),
      ),
    );
    const answer = await world.signIn(await world.client());
    refused(answer, 502, "provider_unavailable");
  });

  test("RED-01 only a path of this site is gone to", async (t) => {
    for (const path of ["/", "/a/", "/a?b=//c", "/a/b#c"])
      assert.ok(isLocalPath(path), path);
    for (const path of [
      "",
      "a",
      "//evil.test",
      "/\\evil.test",
      "/a/../b",
      "/%2e%2e/x",
      "/%2f/x",
      "/a\t",
      "https://evil.test",
      `/${"a".repeat(2_048)}`,
    ])
      assert.ok(!isLocalPath(path), path);
    const world = new World(t);
    for (const [next, there] of [
      ["/notes?a=1", "/notes?a=1"],
      ["//evil.test", "/"],
    ] as const) {
      const client = await world.client();
      const begun = await client.post("/auth/oidc/test/start", { next });
      const path = world.provider.consents(String(begun.body["location"]));
      const answer = await comesBack(client, path);
      assert.equal(answer.headers.get("location"), there);
    }
  });

  test("CSR-02 a sign-in is begun on this site", async (t) => {
    const world = new World(t);
    const client = await world.client();
    const foreign = { origin: "https://evil.test" };
    const answer = await client.post("/auth/oidc/test/start", {}, foreign);
    refused(answer, 403, "foreign_request");
    refused(
      await client.get("/auth/oidc/test/start"),
      405,
      "method_not_allowed",
    );
    refused(
      await client.post("/auth/oidc/none/start"),
      404,
      "provider_unknown",
    );
  });
[%- if 'apple' in providers %]

  test("OIC-25 a posted answer does nothing by itself", async (t) => {
    const world = new World(t, { preset: { formPost: true } });
    const client = await world.client();
    const location = await world.begin(client);
    assert.equal(
      new URL(location).searchParams.get("response_mode"),
      "form_post",
    );
    const [path = "", query = ""] = world.provider
      .consents(location)
      .split("?");
    const form = {
      "content-type": "application/x-www-form-urlencoded",
      cookie: "",
    };
    const foreign = { ...form, origin: "https://appleid.apple.com" };
    const answer = await client.post(path, `${query}&user=evil`, foreign);
    const there = answer.headers.get("location") ?? "";
    assert.equal(answer.status, 303);
    assert.ok(there.startsWith(`${path}?`) && !there.includes("evil"));
    assert.equal(world.asked(), 0);
    assert.equal((await comesBack(client, there)).status, 303);
    assert.ok(await client.isSignedIn());
    const other = await client.post(
      "/auth/oidc/other/callback",
      query,
      foreign,
    );
    refused(other, 405, "method_not_allowed");
  });
[%- endif %]
});

describe("ID tokens", () => {
  test("OIC-08 OIC-11 OIC-12 a token is for this sign-in", async (t) => {
    const world = new World(t);
    for (const lie of [
      { nonce: undefined },
      { nonce: "another" },
      { iss: undefined },
      { iss: "https://id.test/" },
      { iss: ["https://id.test"] },
      { aud: undefined },
      { aud: "another" },
      { aud: [] },
      { aud: [CLIENT, "another"] },
      { aud: [CLIENT, "another"], azp: CLIENT },
      { azp: "another" },
      { at_hash: "another" },
    ])
      await world.refuses({ token: claims(lie) }, JSON.stringify(lie));
    world.provider.lies = { token: claims({ aud: [CLIENT], azp: CLIENT }) };
    assert.equal((await world.signIn(await world.client())).status, 303);
  });

  test("OIC-09 OIC-10 OIC-16 a token is signed by a key of the issuer", async (t) => {
    const world = new World(t);
    const stranger = new Key("one");
    await world.refuses({ finish: (token) => `${token.slice(0, -8)}AAAAAAAA` });
    await world.refuses({ finish: (token) => token.replace(/[^.]*$/, "") });
    await world.refuses({
      finish: (token) => {
        const [header = "", body = ""] = token.split(".");
        const read = (part: string): Record<string, unknown> =>
          JSON.parse(Buffer.from(part, "base64url").toString()) as Record<
            string,
            unknown
          >;
        return stranger.signed({ header: read(header), claims: read(body) });
      },
    });
    for (const header of [
      { alg: "none" },
      { alg: "HS256" },
      { alg: "ES384" },
      { alg: undefined },
      { crit: ["b64"], b64: false },
      { kid: "another" },
    ])
      await world.refuses({
        token: (draft) => Object.assign(draft.header, header),
      });
    await world.refuses({
      finish: (token) => {
        const [, body = ""] = token.split(".");
        const said = JSON.parse(
          Buffer.from(body, "base64url").toString(),
        ) as Record<string, unknown>;
        const header = {
          alg: "ES256",
          jwk: stranger.jwk,
          jku: "https://evil.test/keys",
        };
        return stranger.signed({ header, claims: said });
      },
    });
    assert.equal((await world.signIn(await world.client())).status, 303);
  });

  test("OIC-13 OIC-14 times and subjects are what they should be", async (t) => {
    const world = new World(t);
    for (const lie of [
      { exp: now() - 90 },
      { exp: undefined },
      { exp: "9999999999" },
      { exp: 1e20 },
      { iat: undefined },
      { iat: now() - 700 },
      { iat: now() + 120 },
      { nbf: now() + 120 },
      { sub: undefined },
      { sub: "" },
      { sub: 7 },
      { sub: "a".repeat(256) },
      { sub: "a\0" },
    ])
      await world.refuses({ token: claims(lie) }, JSON.stringify(lie));
  });

  test("OIC-14 UserInfo counts only for whom the token is about", async (t) => {
    const world = new World(t);
    const token = claims({ email: undefined, email_verified: undefined });
    const own = {
      sub: "s-ada",
      email: "ada@example.org",
      email_verified: true,
    };
    for (const said of [
      { ...own, sub: "s-eve" },
      { ...own, sub: undefined },
      { ...own, email: 7 },
    ]) {
      world.provider.userInfo = said;
      await world.refuses({ token }, JSON.stringify(said));
    }
    world.provider.userInfo = own;
    world.provider.lies = { token };
    const client = await world.client();
    assert.equal((await world.signIn(client)).status, 303);
    assert.equal((await client.get("/auth/me")).body["email"], own.email);
  });

  test("OIC-15 new keys are found, made up ones cost nothing, old ones go", async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const world = new World(t);
    assert.equal((await world.signIn(await world.client())).status, 303);
    t.mock.timers.tick(31_000);
    world.provider.keys = [new Key("two")];
    assert.equal((await world.signIn(await world.client())).status, 303);
    assert.equal(world.provider.count("/keys"), 2);
    const token = (draft: Draft) =>
      Object.assign(draft.header, { kid: "none" });
    for (let number = 0; number < 3; number += 1)
      await world.refuses({ token });
    assert.equal(world.provider.count("/keys"), 2);
    world.provider.shown = { keys: [new Key("two").jwk] };
    t.mock.timers.tick(3_600_000);
    await world.refuses({}, "a key that was withdrawn");
  });

  test("OIC-26 how lately and how strongly is looked at", async (t) => {
    const world = new World(t, { acr: "strong", maxAge: 60 });
    const right = { acr: "strong", auth_time: now() };
    for (const lie of [
      { acr: undefined },
      { acr: "weak" },
      { acr: ["strong"] },
      { auth_time: undefined },
      { auth_time: now() - 150 },
      { auth_time: now() + 3_600 },
    ])
      await world.refuses(
        { token: claims({ ...right, ...lie }) },
        JSON.stringify(lie),
      );
    world.provider.lies = { token: claims(right) };
    const client = await world.client();
    const location = new URL(await world.begin(client));
    assert.equal(location.searchParams.get("max_age"), "60");
    assert.equal(location.searchParams.get("acr_values"), "strong");
    assert.equal((await world.signIn(client)).status, 303);
  });
});

describe("what providers say of themselves", () => {
  test("OIC-17 a description of another issuer is none", async (t) => {
    for (const describe of [
      (said: object) => ({ ...said, issuer: "https://evil.test" }),
      (said: object) => ({ ...said, issuer: "https://id.test/" }),
      (said: object) => ({ ...said, issuer: undefined }),
      (said: object) => [said],
      (said: object) => ({
        ...said,
        authorization_endpoint: "http://id.test/authorize",
      }),
    ]) {
      const world = new World(t);
      world.provider.lies = { describe };
      const client = await world.client();
      const answer = await client.post("/auth/oidc/test/start");
      refused(answer, 502, "provider_unavailable");
      assert.deepEqual(world.lab.rows("SELECT * FROM auth_transaction"), []);
      assert.ok(await world.begin(client, "start", "other"));
    }
  });

  test("OIC-18 many who wait for a dead provider wait once", async (t) => {
    const world = new World(t);
    const discovery = "/.well-known/openid-configuration";
    world.provider.instead.set(discovery, async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return Response.json({}, { status: 404 });
    });
    const clients = await Promise.all(
      Array.from({ length: 8 }, () => world.client()),
    );
    const answers = await Promise.all(
      clients.map((client) => client.post("/auth/oidc/test/start")),
    );
    for (const answer of answers) refused(answer, 502, "provider_unavailable");
    assert.ok(world.provider.count(discovery) <= 2);
  });

  test("OIC-18 calls are bounded, and follow nobody", async (t) => {
    const answers: RequestListener = ({ url }, response) => {
      if (url === "/redirect") response.writeHead(302, { location: "/" }).end();
      else if (url === "/broken") response.writeHead(500).end();
      else if (url === "/flood") response.end(Buffer.alloc((1 << 20) + 1));
      else if (url === "/") response.end("{}");
      else response.write(" ");
    };
    const server = createServer(answers).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const settings = {
      providers: new Map(),
      authorities: undefined,
      timeout: 1,
      transaction: 600,
      keys: 1,
      cooldown: 1,
    };
    const ask = (path: string, development = true) =>
      calls({ ...settings, development })(
        `http://127.0.0.1:${String(port)}${path}`,
        { method: "GET", headers: {} },
      );
    assert.equal(await (await ask("/")).text(), "{}");
    await assert.rejects(ask("/redirect"), /status 302/);
    await assert.rejects(ask("/broken"), /status 500/);
    await assert.rejects(ask("/flood"), /more than a MiB/);
    await assert.rejects(ask("/silence"), /no answer in time/);
    await assert.rejects(ask("/", false), /without TLS/);
  });

  test("CFG-03 a provider that is not safe keeps it from starting", () => {
    assert.ok(isSafe("http://localhost:8080", true));
    for (const address of ["http://localhost:8080", "ftp://id.test", "id.test"])
      assert.ok(!isSafe(address, false), address);
    const folder = mkdtempSync(join(tmpdir(), "auth-"));
    const given = environment(folder);
    rmSync(folder, { recursive: true });
    const [one] = PRESETS;
    assert.ok(one && fromEnvironment(given).oidc.providers.has(one.id));
    const wrong: [string, string][] = [
      [variable(one, "CLIENT_ID"), ""],
      [variable(one, "CLIENT_SECRET"), ""],
      ["AUTH_OIDC_CA_FILE", "/dev/null"],
      ["AUTH_OIDC_TIMEOUT_SECONDS", "6"],
    ];
[%- if providers | length > 1 or 'github' not in providers %]
    const issued = PRESETS.find(({ id }) => id !== "github") ?? one;
    const issuer = variable(issued, "ISSUER");
    for (const value of [
      "http://id.test",
      "https://id.test?x",
      "https://a@id.test",
      "id",
    ])
      wrong.push([issuer, value]);
[%- endif %]
    for (const [name, value] of wrong)
      assert.throws(
        () => fromEnvironment({ ...given, [name]: value }),
        new RegExp(name),
      );
  });
});

describe("whose account an identity opens", () => {
  test("OIC-19 an account is found by issuer and subject alone", async (t) => {
    const world = new World(t);
    const ada = await world.federated();
    const { id } = (await ada.get("/auth/me")).body;
    assert.deepEqual((await ada.get("/auth/me")).body["amr"], ["fed"]);
    const again = await world.federated("s-ada", "new@example.org");
    assert.equal((await again.get("/auth/me")).body["id"], id);
    for (const sub of ["S-ada", "s-ada ", " s-ada"]) {
      const other = await world.federated(sub, world.lab.email());
      assert.notEqual((await other.get("/auth/me")).body["id"], id);
    }
  });

  test("OIC-20 an address alone opens nothing", async (t) => {
    const world = new World(t);
    const { email } = await world.lab.member();
    world.provider.is("s-eve", email.toUpperCase());
    refused(await world.signIn(await world.client()), 409, "account_exists");
    for (const lie of [
      { email_verified: false },
      { email_verified: "true" },
      { email_verified: 1 },
      { email: "nobody" },
    ]) {
      world.provider.is("s-new", "new@example.org", lie);
      refused(
        await world.signIn(await world.client()),
        403,
        "email_unverified",
      );
    }
    assert.deepEqual(world.lab.rows("SELECT * FROM auth_identity"), []);
  });

  test("OIC-21 what a stranger set up for an address goes", async (t) => {
    const world = new World(t);
    const stranger = await world.client();
    const email = "ada@example.org";
    await stranger.post("/auth/register", { email, password: PASSWORD });
    const token = await world.lab.token(email);
    const ada = await world.federated("s-ada", email);
    refused(await stranger.login(email), 401, "invalid_credentials");
    refused(
      await stranger.post("/auth/verify", { token }),
      400,
      "token_invalid",
    );
    assert.ok(await ada.isSignedIn());
  });

  test("OIC-22 linking is asked for by who is signed in, in one session", async (t) => {
    const world = new World(t);
    const { client, email } = await world.lab.member();
    const stale = client.copy();
    const path = await world.returning(client, "link");
    const thief = await world.client();
    refused(await thief.post("/auth/oidc/test/link"), 401, "not_signed_in");
    await world.refusesUnasked(thief, path);
    const next = await world.returning(client, "link");
    await client.login(email);
    refused(await comesBack(client, next), 400, "oidc_refused");
    const third = await world.returning(client, "link");
    assert.equal((await comesBack(client, third)).status, 303);
    assert.deepEqual(await identities(client), ["test"]);
    assert.equal(await stale.isSignedIn(), false);
    const eve = await world.lab.member();
    const taken = await world.returning(eve.client, "link");
    refused(await comesBack(eve.client, taken), 409, "identity_taken");
    world.lab.rows("UPDATE auth_session SET authenticatedAt = '2020-01-01'");
    refused(await client.post("/auth/oidc/test/link"), 403, "reauth_required");
    refused(
      await client.call("DELETE", "/auth/oidc/test/link"),
      403,
      "reauth_required",
    );
  });

  test("OIC-22 OIC-23 a link is taken away, but not the last way in", async (t) => {
    const world = new World(t);
    const ada = await world.federated();
    const elsewhere = await world.federated();
    const path = "/auth/oidc/test/link";
    refused(await ada.call("DELETE", path), 409, "last_login_method");
    refused(
      await ada.call("DELETE", "/auth/oidc/other/link"),
      404,
      "identity_unknown",
    );
    await ada.post("/auth/password/forgot", { email: "ada@example.org" });
    const token = await world.lab.token("ada@example.org");
    await ada.post("/auth/password/reset", { token, password: PASSWORD });
    assert.equal(await elsewhere.isSignedIn(), false);
    assert.equal((await ada.login("ada@example.org")).status, 200);
    const other = await world.federated();
    assert.equal((await ada.call("DELETE", path)).status, 200);
    assert.deepEqual(await identities(ada), []);
    assert.equal(await other.isSignedIn(), false);
    refused(await world.signIn(await world.client()), 409, "account_exists");
  });

  test("OIC-26 proving anew takes a sign-in of the same person", async (t) => {
    const world = new World(t);
    const ada = await world.federated();
    world.lab.rows("UPDATE auth_session SET authenticatedAt = '2020-01-01'");
    refused(await ada.post("/close"), 403, "reauth_required");
    const location = new URL(await world.begin(ada, "reauth"));
    assert.equal(location.searchParams.get("prompt"), "login");
    for (const lie of [
      { sub: "s-eve" },
      { auth_time: now() - 3_600 },
      { auth_time: undefined },
    ]) {
      world.provider.lies = { token: claims(lie) };
      const answer = await comesBack(ada, await world.returning(ada, "reauth"));
      refused(answer, 400, "oidc_refused");
    }
    world.provider.lies = {};
    const before = ada.copy();
    assert.equal(
      (await comesBack(ada, await world.returning(ada, "reauth"))).status,
      303,
    );
    assert.equal((await ada.post("/close")).status, 200);
    assert.equal(await before.isSignedIn(), false);
  });

  test("SES-13 coming from an open browser is no fresh sign-in", async (t) => {
    const world = new World(t);
    world.provider.is("s-ada", "ada@example.org", { auth_time: now() - 7_200 });
    const client = await world.client();
    assert.equal((await world.signIn(client)).status, 303);
    refused(await client.post("/close"), 403, "reauth_required");
    const cannot = new World(t, { preset: { reauth: false } });
    const other = await cannot.federated();
    refused(
      await other.post("/auth/oidc/test/reauth"),
      409,
      "reauth_unsupported",
    );
  });

  test("SES-03 SES-11 a sign-in renews the session, and opens no disabled account", async (t) => {
    const world = new World(t);
    const ada = await world.federated();
    const before = ada.copy();
    assert.equal((await world.signIn(ada)).status, 303);
    assert.equal(await before.isSignedIn(), false);
    world.lab.rows("UPDATE auth_user SET disabledAt = '2020-01-01'");
    refused(await world.signIn(await world.client()), 400, "oidc_refused");
  });

  test("RAC-04 parallel answers make one account", async (t) => {
    const world = new World(t);
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => world.client()),
    );
    const paths = await Promise.all(
      clients.map((client) => world.returning(client)),
    );
    const answers = await Promise.all(
      [...clients, ...clients].map((client, index) =>
        comesBack(client.copy(), paths[index % 4] ?? ""),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [303, 303, 303, 303, 400, 400, 400, 400]);
    for (const table of ["auth_user", "auth_identity"])
      assert.equal(world.lab.rows(`SELECT * FROM ${table}`).length, 1);
  });
[%- if 'github' in providers %]

  test("OIC-19 OIC-20 where there is no ID token, the API says who it is", async (t) => {
    const endpoints = {
      authorize: "https://id.test/authorize",
      token: "https://id.test/token",
      user: "https://id.test/user",
      emails: "https://id.test/emails",
    };
    const world = new World(t, {
      preset: { endpoints, secretInBody: true, reauth: false },
    });
    const own = { email: "ada@example.org", primary: true, verified: true };
    for (const [said, addresses, status] of [
      [{ id: "7" }, [own], 502],
      [{}, [own], 502],
      [{ id: 7 }, {}, 502],
      [{ id: 7 }, [], 403],
      [{ id: 7 }, [{ ...own, primary: false }], 403],
      [{ id: 7 }, [{ ...own, verified: false }], 403],
      [{ id: 7 }, [own], 303],
      [{ id: 7 }, [], 303],
    ] as const) {
      const client = await world.client();
      const location = await world.begin(client);
      assert.ok(!location.includes("nonce"));
      world.provider.instead.set("/user", () =>
        Promise.resolve(Response.json(said)),
      );
      world.provider.instead.set("/emails", () =>
        Promise.resolve(Response.json(addresses)),
      );
      world.provider.lies = { answer: (answer) => delete answer["id_token"] };
      const answer = await comesBack(client, world.provider.consents(location));
      assert.equal(answer.status, status, JSON.stringify([said, addresses]));
    }
    assert.equal(
      world.lab.rows("SELECT subject FROM auth_identity")[0]?.["subject"],
      "7",
    );
    const redeemed = world.provider.heard.find(({ path }) => path === "/token");
    assert.ok(
      redeemed?.form.has("client_secret") && redeemed.form.has("code_verifier"),
    );
  });
[%- endif %]
});
