/** Attacks on guards of routes that are not the application's own. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Lab } from "./harness[= js =]";

describe("mounted applications", () => {
  let lab: Lab;
  before(() => {
    lab = new Lab();
  });
  after(() => lab.close());

  test("SES-14 a guard holds in an application that is mounted", async () => {
    const { client } = await lab.member();
    const nobody = await lab.client();
    assert.equal((await client.get("/inner/private")).status, 200);
    assert.equal((await nobody.get("/inner/private")).status, 401);
  });

  test("SES-14 a user whom no guard let through is an error", async () => {
    const { client } = await lab.member();
    assert.equal((await client.get("/unguarded")).status, 500);
  });
});
