/** Attacks on passwords and on the limits of guessing. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { PW } from "../commonPasswords[= js =]";
import { Hasher } from "../passwords[= js =]";
import { parseIp } from "../visit[= js =]";
import { sourceOf } from "../throttle[= js =]";
import { Lab, PASSWORD } from "./harness[= js =]";

describe("passwords", () => {
  let lab: Lab;
  before(() => {
    lab = new Lab();
  });
  after(() => lab.close());

  const register = async (password: string, email = lab.email()) =>
    (await (await lab.client()).post("/auth/register", { email, password }))
      .body["code"];

  test("PWD-01 PWD-09 a hash is argon2id, and a weaker one is renewed", async () => {
    const { email } = await lab.member();
    const hash = () => {
      const sql = `SELECT password FROM auth_account JOIN auth_user ON auth_user.id = userId WHERE email = '${email}'`;
      return String(lab.rows(sql)[0]?.["password"]);
    };
    assert.match(hash(), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const { hash: weak } = await import("@node-rs/argon2");
    const made = await weak(PASSWORD, {
      memoryCost: 1024,
      timeCost: 1,
      parallelism: 1,
    });
    lab.rows(
      `UPDATE auth_account SET password = '${made}' WHERE userId = (SELECT id FROM auth_user WHERE email = '${email}')`,
    );
    assert.equal((await (await lab.client()).login(email)).status, 200);
    assert.match(hash(), /m=19456,t=2,p=1/);
  });

  test("PWD-02 PWD-03 length is counted in characters, and nothing is cut", async () => {
    assert.equal(await register("x".repeat(4) + "ab"), "password_too_short");
    assert.equal(await register("😀".repeat(8)), "password_too_short");
    assert.equal(await register("ab".repeat(129)), "password_too_long");
    const email = lab.email();
    const long = `${"long words, ".repeat(10)}end`;
    const client = await lab.client();
    await client.post("/auth/register", { email, password: long });
    await client.post("/auth/verify", { token: await lab.token(email) });
    assert.equal((await client.login(email, long.slice(0, 72))).status, 401);
    assert.equal((await client.login(email, long)).status, 200);
  });

  test("PWD-05 common passwords are refused, in every case", async () => {
    const common = PW.split("\n").filter(
      (line) => line.length >= 15 && !line.startsWith("#"),
    );
    for (const password of [
      common[10] ?? "",
      (common[500] ?? "").toUpperCase(),
      common.at(-5) ?? "",
    ]) {
      assert.equal(await register(password), "password_common", password);
    }
  });

  test("PWD-07 what is made of the account's own words is refused", async () => {
    const email = "augusta.lovelace@example.com";
    for (const password of [
      email,
      "app.example.com",
      "augusta.lovelace",
      "lovelace lovelace",
    ]) {
      assert.equal(
        await register(password, email),
        "password_contextual",
        password,
      );
    }
    assert.equal(await register("lovelace wrote the first", email), undefined);
  });

  test("PWD-08 another password takes the one that is there", async () => {
    const { client } = await lab.member();
    const fields = {
      currentPassword: "not that one at all",
      newPassword: "eleven loud badgers dig",
    };
    assert.equal((await client.post("/auth/password", fields)).status, 401);
  });

  test("PWD-12 a password is compared as it is", async () => {
    const { email } = await lab.member();
    for (const password of [
      PASSWORD.toUpperCase(),
      `${PASSWORD} `,
      ` ${PASSWORD}`,
    ]) {
      assert.equal(
        (await (await lab.client()).login(email, password)).status,
        401,
      );
    }
  });

  test("REG-02 failures of a sign-in look alike", async () => {
    const { email } = await lab.member();
    const client = await lab.client();
    const wrong = await client.login(email, "not that one at all");
    const nobody = await client.login(lab.email(), "not that one at all");
    assert.equal(wrong.status, 401);
    assert.deepEqual(wrong.body, nobody.body);
  });

  test("THR-01 an account closes for a while, whoever asks and whatever is right", async () => {
    const { email } = await lab.member();
    for (let tries = 0; tries < 5; tries += 1) {
      await (await lab.client()).login(email, "not that one at all");
    }
    const answer = await (await lab.client()).login(email);
    assert.equal(answer.status, 429);
    assert.ok(Number(answer.headers.get("retry-after")) > 0);
    const spelled = await (await lab.client()).login(email.toUpperCase());
    assert.equal(spelled.status, 429, "THR-05");
  });

  test("THR-02 THR-03 a source that tries many accounts is slowed down", async () => {
    const client = await lab.client();
    client.ip = "203.0.113.7";
    const statuses = [];
    for (let tries = 0; tries < 12; tries += 1) {
      const spoofed = {
        "x-forwarded-for": `192.0.2.${String(tries)}, ${client.ip}`,
      };
      const given = { email: lab.email(), password: "not that one at all" };
      statuses.push((await client.post("/auth/login", given, spoofed)).status);
    }
    assert.deepEqual(statuses.slice(-2), [429, 429]);
  });

  test("THR-04 a household is one source, however its address is written", () => {
    assert.equal(sourceOf("2001:db8::1"), sourceOf("2001:db8::ffff:1"));
    assert.notEqual(sourceOf("2001:db8:0:1::1"), sourceOf("2001:db8:0:2::1"));
    assert.equal(parseIp("::ffff:192.0.2.1"), "192.0.2.1");
    assert.equal(parseIp("[2001:DB8:0:0::1]:443"), "2001:db8::1");
    assert.equal(parseIp("192.0.2.1:80"), "192.0.2.1");
    assert.equal(parseIp("x"), undefined);
  });

  test("THR-06 parallel guesses do not slip through", async () => {
    const { email } = await lab.member();
    const clients = await Promise.all(
      Array.from({ length: 12 }, () => lab.client()),
    );
    const answers = await Promise.all(
      clients.map((client) => client.login(email, "not that one at all")),
    );
    assert.equal(answers.filter(({ status }) => status === 401).length, 5);
  });

  test("THR-08 requests for mail are limited", async () => {
    const client = await lab.client();
    const statuses = [];
    for (let tries = 0; tries < 21; tries += 1) {
      statuses.push(
        (await client.post("/auth/password/forgot", { email: lab.email() }))
          .status,
      );
    }
    assert.equal(statuses.at(-1), 429);
  });

  test("RAC-05 a sign-in that is under way does not outlive the end of all sessions", async () => {
    const { email, client } = await lab.member();
    const late = await lab.client();
    const [answer] = await Promise.all([
      late.login(email),
      client.post("/auth/sessions/revoke-others"),
    ]);
    // Before it or after it, and then it is no session of before.
    assert.ok([200, 401].includes(answer.status));
    lab.rows(`UPDATE auth_user SET epoch = epoch + 1 WHERE email = '${email}'`);
    assert.equal(await late.isSignedIn(), false);
  });

  test("THR-09 a password that is replaced while it is tried gives no new guesses", async (t) => {
    const { email } = await lab.member();
    lab.rows(`UPDATE auth_user SET failedLogins = 7 WHERE email = '${email}'`);
    const verify = t.mock.method(Hasher.prototype, "verify", () => {
      lab.rows(
        `UPDATE auth_account SET password = 'another' WHERE userId = (SELECT id FROM auth_user WHERE email = '${email}')`,
      );
      return Promise.resolve(true);
    });
    await (await lab.client()).login(email);
    assert.equal(verify.mock.callCount(), 1);
    const sql = `SELECT failedLogins FROM auth_user WHERE email = '${email}'`;
    assert.equal(lab.rows(sql)[0]?.["failedLogins"], 7);
  });

  test("STO-02 the database keeps what may be there once", () => {
    assert.throws(() =>
      lab.rows("INSERT INTO auth_user SELECT * FROM auth_user LIMIT 1"),
    );
    assert.throws(() =>
      lab.rows(
        "INSERT INTO auth_session SELECT 'x', 'y', 'nobody', epoch, createdAt, updatedAt, authenticatedAt, lastSeenAt, expiresAt, '', '' FROM auth_session LIMIT 1",
      ),
    );
  });

  test("LOG-01 LOG-02 the trail tells what happened, without secrets", async () => {
    const { email, client } = await lab.member();
    await client.login(email, "a very wrong password");
    const trail = lab.rows("SELECT * FROM auth_audit");
    const events = trail.map((row) => row["event"]);
    for (const event of [
      "register",
      "email_verified",
      "session_created",
      "login",
    ]) {
      assert.ok(events.includes(event), event);
    }
    const text = JSON.stringify(trail);
    assert.ok(
      !text.includes(PASSWORD) && !text.includes("a very wrong password"),
    );
    assert.ok(!text.includes(email));
  });
});
