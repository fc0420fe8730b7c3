/** Attacks on sign-up, mailed links and addresses. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Lab, PASSWORD } from "./harness[= js =]";

describe("accounts", () => {
  let lab: Lab;
  before(() => {
    lab = new Lab();
  });
  after(() => lab.close());

  test("REG-01 a sign-up does not tell whether there is an account", async () => {
    const { email } = await lab.member();
    const known = await (
      await lab.client()
    ).post("/auth/register", { email, password: PASSWORD });
    const fresh = await (
      await lab.client()
    ).post("/auth/register", { email: lab.email(), password: PASSWORD });
    assert.equal(known.status, 202);
    assert.deepEqual(known.body, fresh.body);
    const [, told] = await lab.mails(email, 2);
    assert.match(told?.text ?? "", /has an account already/);
    assert.doesNotMatch(told?.text ?? "", /token=/);
  });

  test("REG-01 a sign-up under an address that is taken changes nothing", async () => {
    const { email } = await lab.member();
    const other = { email, password: "another phrase of mine" };
    await (await lab.client()).post("/auth/register", other);
    assert.equal((await (await lab.client()).login(email)).status, 200);
    assert.equal(
      (await (await lab.client()).login(email, other.password)).status,
      401,
    );
  });

  test("REG-04 forgotten passwords and resends answer alike for everybody", async () => {
    const { email } = await lab.member();
    for (const path of ["/auth/password/forgot", "/auth/verify/resend"]) {
      const known = await (await lab.client()).post(path, { email });
      const unknown = await (
        await lab.client()
      ).post(path, { email: lab.email() });
      assert.equal(known.status, 202);
      assert.deepEqual(known.body, unknown.body);
    }
  });

  test("REG-05 no field of a sign-up reaches other columns", async () => {
    const email = lab.email();
    const extra = {
      emailVerified: true,
      epoch: 7,
      id: "mine",
      disabledAt: null,
      name: "x",
    };
    const client = await lab.client();
    await client.post("/auth/register", {
      email,
      password: PASSWORD,
      ...extra,
      disabledAt: 1,
    });
    const columns = "emailVerified, epoch, name, id = 'mine' AS mine";
    const sql = `SELECT ${columns} FROM auth_user WHERE email = '${email}'`;
    const expected = { emailVerified: 0, epoch: 0, name: "", mine: 0 };
    assert.deepEqual({ ...lab.rows(sql)[0] }, expected);
  });

  test("RAC-01 parallel sign-ups make one account", async () => {
    const email = lab.email();
    const client = await lab.client();
    const call = () =>
      client.post("/auth/register", { email, password: PASSWORD });
    await Promise.all([call(), call(), call(), call()]);
    assert.equal(
      lab.rows(`SELECT id FROM auth_user WHERE email = '${email}'`).length,
      1,
    );
  });

  test("EML-01 an address that was not confirmed opens nothing", async () => {
    const email = lab.email();
    const client = await lab.client();
    await client.post("/auth/register", { email, password: PASSWORD });
    const answer = await client.login(email);
    assert.equal(answer.status, 403);
    assert.equal(answer.body["code"], "email_unverified");
    assert.equal(await client.isSignedIn(), false);
  });

  test("EML-02 the database has no mailed token", async () => {
    const email = lab.email();
    await (
      await lab.client()
    ).post("/auth/register", { email, password: PASSWORD });
    const token = await lab.token(email);
    assert.equal(Buffer.from(token, "base64url").length, 32);
    assert.doesNotMatch(
      JSON.stringify(lab.rows("SELECT * FROM auth_token")),
      new RegExp(token),
    );
  });

  test("EML-03 a link works once, and a newer one replaces it", async () => {
    const { email } = await lab.member();
    const client = await lab.client();
    await client.post("/auth/password/forgot", { email });
    const older = await lab.token(email, 2);
    await client.post("/auth/password/forgot", { email });
    const newer = await lab.token(email, 3);
    const set = (token: string) =>
      client.post("/auth/password/reset", {
        token,
        password: "nine grey otters swim",
      });
    assert.equal((await set(older)).status, 400);
    assert.equal((await set(newer)).status, 200);
    assert.equal((await set(newer)).status, 400);
  });

  test("EML-04 looking at a link uses nothing up", async () => {
    const email = lab.email();
    const client = await lab.client();
    await client.post("/auth/register", { email, password: PASSWORD });
    const token = await lab.token(email);
    for (let looks = 0; looks < 3; looks += 1) {
      assert.equal(
        (await (await lab.client()).get(`/auth/verify?token=${token}`)).status,
        200,
      );
    }
    assert.equal((await client.post("/auth/verify", { token })).status, 200);
  });

  test("EML-05 a token works for its purpose alone, and a blank one for none", async () => {
    const { email, client } = await lab.member();
    await client.post("/auth/password/forgot", { email });
    const token = await lab.token(email, 2);
    assert.equal((await client.post("/auth/verify", { token })).status, 400);
    assert.equal(
      (await client.post("/auth/email/confirm", { token })).status,
      400,
    );
    for (const blank of ["", " ", "%"]) {
      const answer = await client.post("/auth/password/reset", {
        token: blank,
        password: PASSWORD,
      });
      assert.equal(answer.body["code"], "token_invalid");
    }
  });

  test("OIC-21 a stranger's password does not survive the owner's confirmation", async () => {
    const email = lab.email();
    const stranger = await lab.client();
    await stranger.post("/auth/register", { email, password: PASSWORD });
    const token = await lab.token(email);
    const owner = await lab.client();
    const asked = await owner.post("/auth/verify", { token });
    assert.equal(asked.body["code"], "password_required");
    const guessed = await owner.post("/auth/verify", {
      token,
      password: "not that one at all",
    });
    assert.equal(guessed.status, 401);
    assert.equal((await stranger.login(email)).status, 403);
  });

  test("EML-06 the old address is told, and stays until the new one is proven", async () => {
    const { email, client } = await lab.member();
    const next = lab.email();
    assert.equal(
      (await client.post("/auth/email", { email: next })).status,
      202,
    );
    const [, notice] = await lab.mails(email, 2);
    assert.match(notice?.text ?? "", /another e-mail address/);
    assert.equal((await (await lab.client()).login(email)).status, 200);
    const other = await lab.member();
    const token = await lab.token(next);
    assert.equal(
      (await other.client.post("/auth/email/confirm", { token })).status,
      400,
    );
    assert.equal(
      (await client.post("/auth/email/confirm", { token })).status,
      200,
    );
    assert.equal((await (await lab.client()).login(email)).status, 401);
    assert.equal((await (await lab.client()).login(next)).status, 200);
  });

  test("EML-08 an address is one address, without lines of its own", async () => {
    const client = await lab.client();
    for (const email of [
      "a@example.com,b@example.com",
      "a@example.com\r\nBcc: b@example.com",
      "A <a@example.com>",
      '"a b"@example.com',
      "a@example",
      "ä@example.com",
    ]) {
      const answer = await client.post("/auth/register", {
        email,
        password: PASSWORD,
      });
      assert.equal(answer.body["code"], "email_invalid", email);
    }
  });

  test("RST-04 links are of the configured origin, whatever the request says", async () => {
    const { email } = await lab.member();
    const client = await lab.client();
    const headers = {
      "x-forwarded-host": "evil.example",
      forwarded: "host=evil.example",
    };
    await client.post("/auth/password/forgot", { email }, headers);
    const [, letter] = await lab.mails(email, 2);
    assert.match(
      letter?.text ?? "",
      /https:\/\/app\.example\.com\/[% if ui == "pages" %]account\/reset-password[% else %]auth\/password\/reset[% endif %]\?token=/,
    );
    assert.doesNotMatch(letter?.text ?? "", /evil/);
  });

  test("INP-01 two spellings of an address are one account", async () => {
    const { email } = await lab.member();
    assert.equal(
      (await (await lab.client()).login(` ${email.toUpperCase()} `)).status,
      200,
    );
  });

  test("RST-05 RST-08 a reset signs nobody in, and the owner is told", async () => {
    const { email, client } = await lab.member();
    await client.post("/auth/password/forgot", { email });
    const visitor = await lab.client();
    const given = {
      token: await lab.token(email, 2),
      password: "nine grey otters swim",
    };
    assert.equal(
      (await visitor.post("/auth/password/reset", given)).status,
      200,
    );
    assert.equal(await visitor.isSignedIn(), false);
    const letters = await lab.mails(email, 3);
    assert.match(
      letters.at(-1)?.text ?? "",
      /was replaced by way of a mailed link/,
    );
  });

  test("RAC-02 of parallel resets with one token, one succeeds", async () => {
    const { email } = await lab.member();
    const client = await lab.client();
    await client.post("/auth/password/forgot", { email });
    const token = await lab.token(email, 2);
    const words = ["one", "two", "three", "four"];
    const calls = words.map((word) =>
      client.post("/auth/password/reset", {
        token,
        password: `${word} grey otters swim by`,
      }),
    );
    const statuses = (await Promise.all(calls))
      .map(({ status }) => status)
      .sort();
    assert.deepEqual(statuses, [200, 400, 400, 400]);
  });
});
