/** Random values, and what of them is stored. */

import { createHash, randomBytes } from "node:crypto";

/** Bytes of the operating system's randomness, as text for URLs and cookies. */
export function random(bytes = 32): string {
  return randomBytes(bytes).toString("base64url");
}

/** A copy of the database holds this, which opens nothing (ASVS 6.5.2, 11.5.1). */
export function digest(value: string): string {
  return createHash("sha256").update(value, "utf8").digest("hex");
}
