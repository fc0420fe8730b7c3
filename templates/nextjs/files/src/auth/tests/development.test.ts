/** What is Next's own in the settings: its files, and the page at which people sign in. */

import assert from "node:assert/strict";
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { fromEnvironment } from "../settings";
import { environment } from "./harness";

describe("settings of Next", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "auth-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  test("CFG-05 a secret of development stays out of what production reads", () => {
    const before = process.cwd();
    process.chdir(mkdtempSync(join(folder, "development-")));
    try {
      const made = environment(folder)["AUTH_SECRET"] ?? "";
      writeFileSync(".env", `AUTH_SECRET=${made}\n`);
      const first = fromEnvironment({ AUTH_ENV: "development" });
      assert.notDeepEqual(first.secret, Buffer.from(made, "base64"));
      const kept = ".env.development.local";
      assert.ok(
        readFileSync(kept, "utf8").includes(first.secret.toString("base64")),
      );
      assert.equal(statSync(kept).mode & 0o777, 0o600);
      const again = fromEnvironment({ AUTH_ENV: "development" });
      assert.deepEqual(again.secret, first.secret);
    } finally {
      process.chdir(before);
    }
  });

  test("RED-01 people are sent to a page of this application only", () => {
    for (const path of [
      "https://evil.example",
      "//evil.example",
      "/\\\\evil.example",
    ]) {
      assert.throws(
        () =>
          fromEnvironment({ ...environment(folder), AUTH_SIGN_IN_PATH: path }),
        /AUTH_SIGN_IN_PATH/,
      );
    }
  });
});
