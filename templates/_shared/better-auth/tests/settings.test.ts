/** What production does not start with; the tables; the command line. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { getMigrations } from "better-auth/db/migration";

[% if module.tokens -%]
import { Access } from "../bearer/access[= js =]";
[% endif -%]
import { adapter, open } from "../db[= js =]";
import { options } from "../engine[= js =]";
import { Outbox } from "../mail[= js =]";
[%- if module.oidc %]
import { calls } from "../oidc/calls[= js =]";
import { Oidc } from "../oidc/metadata[= js =]";
[%- endif %]
import { act, trail } from "../operator[= js =]";
import { Hasher } from "../passwords[= js =]";
import { fromEnvironment } from "../settings[= js =]";
import { Keys } from "../throttle[= js =]";
import { environment, Lab } from "./harness[= js =]";

describe("settings", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "auth-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const refused = (overrides: Record<string, string>, name: string) => {
    assert.throws(
      () => fromEnvironment({ ...environment(folder), ...overrides }),
      new RegExp(name),
    );
  };

  test("CFG-01 nothing that is needed has a default", () => {
    for (const name of [
      "AUTH_SECRET",
      "AUTH_BASE_URL",
      "AUTH_MAIL_FROM",
      "DATABASE_URL",
      "SMTP_URL",
[%- if module.tokens %]
      "AUTH_TOKEN_KEY",
[%- endif %]
    ]) {
      refused({ [name]: "" }, name);
    }
  });

  test("CFG-02 a secret is random", () => {
    for (const value of [
      "short",
      "a".repeat(64),
      "0123456789abcdef".repeat(4),
      Buffer.from(
        "a text of words that is long enough, and no secret",
      ).toString("base64"),
      Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString(
        "base64",
      ),
    ]) {
      refused({ AUTH_SECRET: value }, "AUTH_SECRET");
    }
  });

  test("CFG-03 production refuses what is for development", () => {
    for (const [name, value] of [
      ["AUTH_ENV", "dev"],
      ["AUTH_BASE_URL", "http://app.example.com"],
      ["AUTH_BASE_URL", "https://app.example.com/path"],
      ["AUTH_BASE_URL", "https://APP.example.com"],
      ["SMTP_URL", "smtp://mail.example.com"],
      ["SMTP_URL", "file:///tmp/mail"],
      ["DATABASE_URL", "sqlite::memory:"],
      ["DATABASE_URL", "postgres://localhost/app"],
      ["AUTH_TRUSTED_PROXIES", "0.0.0.0/0"],
      ["AUTH_TRUSTED_PROXIES", "::/0"],
      ["AUTH_TRUSTED_PROXIES", "proxy"],
    ] as const) {
      refused({ [name]: value }, name);
    }
  });

  test("CFG-04 limits have bounds", () => {
    for (const value of ["0", "-1", "1e3", "99999999999", "x", "14"]) {
      refused(
        { AUTH_PASSWORD_MIN_LIMIT: value === "14" ? "8" : value },
        "AUTH_PASSWORD_MIN_LIMIT",
      );
    }
    refused({ AUTH_LOGIN_FAILURE_LIMIT: "1000" }, "AUTH_LOGIN_FAILURE_LIMIT");
  });

  test("CFG-06 a session outlives a change of the secret that names the old one", async () => {
    const given = environment(folder);
    const other = environment(folder);
    const lab = new Lab({ AUTH_SECRET: given["AUTH_SECRET"] ?? "" });
    const { client } = await lab.member();
    const secrets = {
      AUTH_SECRET: other["AUTH_SECRET"] ?? "",
      DATABASE_URL: `sqlite:${lab.file}`,
    };
    const next = new Lab({
      ...secrets,
      AUTH_OLD_SECRETS: given["AUTH_SECRET"] ?? "",
    });
    const moved = await next.client();
    for (const [name, value] of client.cookies) moved.cookies.set(name, value);
    assert.equal(await moved.isSignedIn(), true);
    const without = new Lab(secrets);
    const nobody = await without.client();
    for (const [name, value] of client.cookies) nobody.cookies.set(name, value);
    assert.equal(await nobody.isSignedIn(), false);
    await Promise.all([next.close(), without.close(), lab.close()]);
  });

  test("the tables are those that the library expects", async () => {
    const settings = fromEnvironment(environment(folder));
    const database = open(settings.database);
    const parts = {
      settings,
      mail: new Outbox(settings),
      hasher: new Hasher(),
      keys: new Keys(settings),
[%- if module.oidc %]
      oidc: new Oidc(settings.oidc, calls(settings.oidc)),
[%- endif %]
[%- if module.tokens %]
      access: new Access(settings),
[%- endif %]
    };
    const given = { ...options(parts, adapter(database)), database };
    const { toBeCreated, toBeAdded } = await getMigrations(given);
    assert.deepEqual([toBeCreated, toBeAdded], [[], []]);
    database.close();
  });
});

describe("the operator", () => {
  test("SES-11 SES-15 accounts are closed, and sessions ended, at once", async () => {
    const lab = new Lab();
    const { email, client } = await lab.member();
    const other = await lab.member();
    const database = open(lab.file);
    act(database, "disable", email);
    assert.equal(await client.isSignedIn(), false);
    assert.equal((await client.login(email)).status, 401);
    assert.equal(await other.client.isSignedIn(), true);
    act(database, "enable", email);
    assert.equal(await client.isSignedIn(), false);
    assert.equal((await client.login(email)).status, 200);
    act(database, "revoke", undefined);
    assert.equal(await client.isSignedIn(), false);
    assert.equal(await other.client.isSignedIn(), false);
    assert.throws(
      () => act(database, "revoke", "nobody@example.com"),
      /no such user/,
    );
    assert.match(trail(database, email).join("\n"), /account_disabled/);
    database.close();
    await lab.close();
  });
});
