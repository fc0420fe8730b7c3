/** Passwords: what is accepted, and how they are hashed. */

import { hash, verify } from "@node-rs/argon2";

import { PW } from "./commonPasswords[= js =]";
import { Problem } from "./problem[= js =]";
import { random } from "./random[= js =]";
import type { Settings } from "./settings[= js =]";

const MAX_CHARACTERS = 256;
const MAX_BYTES = 1_024;
// Each takes 19 MiB while it runs.
const SLOTS = 4;
const MAX_WAITING = 256;

// Argon2id is the library's default. 19 MiB, two passes: a row of the floor in ASVS 5.0, appendix C.
const PARAMETERS = {
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
  outputLen: 32,
};
const CURRENT = "$argon2id$v=19$m=19456,t=2,p=1$";

/** Common passwords that meet the length policy, in lower case (ASVS 6.2.4). */
const COMMON: ReadonlySet<string> = new Set(
  PW.split("\n").filter(
    (line) => line !== "" && !line.startsWith("#!comment:"),
  ),
);

/** In NFC, and nothing else: never trimmed, folded or cut (ASVS 6.2.8). */
export function normalized(text: string): string {
  if (Buffer.byteLength(text, "utf8") > MAX_BYTES)
    throw new Problem("password_too_long");
  return text.normalize("NFC");
}

/** Refuses what is too short or long, known to attackers, or made of words of the account. */
export function check(
  password: string,
  settings: Settings,
  email: string,
): void {
  const { length } = Array.from(password);
  if (length < settings.policy.passwordMin)
    throw new Problem("password_too_short");
  if (length > MAX_CHARACTERS) throw new Problem("password_too_long");
  if (COMMON.has(password.toLowerCase())) throw new Problem("password_common");
  const text = letters(password);
  if (context(settings, email).some((word) => isMadeOf(text, letters(word)))) {
    throw new Problem("password_contextual");
  }
}

/** The words that an attacker would try first for this account. */
function context(settings: Settings, email: string): string[] {
  const [local = "", domain = ""] = email.split("@");
  const host = new URL(settings.baseUrl).host;
  return [
    email,
    local,
    domain,
    host,
    settings.appName,
    ...local.split(/[^\p{L}\p{N}]+/u),
  ];
}

function letters(text: string): string {
  return text.toLowerCase().replace(/\P{L}/gu, "");
}

/** The word once or repeated; a password that merely contains a word is fine (ASVS 6.2.11). */
function isMadeOf(text: string, word: string): boolean {
  if (word.length < 3 || text.length < word.length) return false;
  return text === word.repeat(Math.floor(text.length / word.length));
}

export function isOutdated(stored: string): boolean {
  return !stored.startsWith(CURRENT);
}

/** Hashes passwords on threads of their own, a bounded number at a time. */
export class Hasher {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  // Verified when there is no account, so that the answer takes as long (ASVS 6.3.8).
  readonly #decoy: Promise<string> = hash(random(), PARAMETERS);

  /** Checks a new password for an account and hashes it. */
  hashNew(
    password: string,
    settings: Settings,
    email: string,
  ): Promise<string> {
    check(password, settings, email);
    return this.hash(password);
  }

  hash(password: string): Promise<string> {
    return this.#run(() => hash(password, PARAMETERS));
  }

  /** Compares with the stored hash, or does the same work against the decoy and says no. */
  async verify(
    password: string,
    stored: string | null | undefined,
  ): Promise<boolean> {
    const decoy = await this.#decoy;
    const matches = await this.#run(() => isMatch(stored ?? decoy, password));
    return matches && typeof stored === "string";
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= SLOTS) {
      if (this.#waiting.length >= MAX_WAITING) throw new Problem("unavailable");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }
}

async function isMatch(stored: string, password: string): Promise<boolean> {
  try {
    return await verify(stored, password);
  } catch {
    // What is stored is no hash.
    return false;
  }
}
