/**
 * Counters that slow guessing down. They live in the database, and each decision is made in one
 * transaction that writes, so parallel requests cannot slip through (ASVS 15.4.2).
 *
 * Keys are HMACs: the table holds neither addresses nor accounts.
 */

import { createHmac } from "node:crypto";
import { isIP } from "node:net";

import type { Rows } from "./db[= js =]";
import { throttled } from "./problem[= js =]";
import { key, type Policy, type Settings } from "./settings[= js =]";
import { after, now } from "./time[= js =]";

// A back-off level is forgotten after a day without attempts; the cap on the account is not.
const FORGET_SECONDS = 86_400;
// Failures that stay below the limit are forgotten five minutes after the first.
const FAILURE_WINDOW_SECONDS = 300;
// The longest wait (NIST SP 800-63B-4 3.2.2).
const MAX_BACKOFF_SECONDS = 3_600;

const MODEL = "authThrottle";

interface Counter {
  key: string;
  count: number;
  windowStart: Date;
  blockedUntil: Date | null;
  expiresAt: Date;
}

/** What a counter found: how long to wait, and whether it is the first refusal of a window. */
export class Verdict {
  readonly seconds: number;
  readonly isFirst: boolean;

  constructor(seconds = 0, isFirst = false) {
    this.seconds = seconds;
    this.isFirst = isFirst;
  }

  get isAllowed(): boolean {
    return this.seconds <= 0;
  }

  check(): void {
    if (!this.isAllowed) throw throttled(this.seconds);
  }
}

/** Makes the keys of the counters. */
export class Keys {
  readonly #key: Buffer;

  constructor(settings: Settings) {
    this.#key = key(settings.secret, "throttles");
  }

  of(what: string, whom: string): string {
    return createHmac("sha256", this.#key)
      .update(`${what}\0${whom}`, "utf8")
      .digest("hex");
  }

  ofSource(what: string, ip: string): string {
    return this.of(what, sourceOf(ip));
  }
}

/** One IPv4 address or one IPv6 /64: a household gets a whole /64. */
export function sourceOf(ip: string): string {
  if (isIP(ip) !== 6) return ip;
  const [left = "", right] = ip.split("::", 2);
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const gap = Array.from(
    { length: right === undefined ? 0 : 8 - head.length - tail.length },
    () => "0",
  );
  return `${[...head, ...gap, ...tail].slice(0, 4).join(":")}::/64`;
}

async function find(rows: Rows, counter: string): Promise<Counter | undefined> {
  const where = [{ field: "key", value: counter }];
  const found = await rows.findOne<Counter>({ model: MODEL, where });
  return found && found.expiresAt > now() ? found : undefined;
}

async function put(rows: Rows, counter: Counter): Promise<void> {
  const { key, count, windowStart, blockedUntil, expiresAt } = counter;
  await clear(rows, key);
  await rows.create({
    model: MODEL,
    data: { key, count, windowStart, blockedUntil, expiresAt },
  });
}

/** Counts one event and refuses from the (`limit` + 1)th within `window` seconds. */
export async function hit(
  rows: Rows,
  counter: string,
  limit: number,
  window: number,
): Promise<Verdict> {
  const found = await find(rows, counter);
  if (!found) {
    await rows.deleteMany({
      model: MODEL,
      where: [{ field: "expiresAt", operator: "lte", value: now() }],
    });
    const expiresAt = after(window);
    await put(rows, {
      key: counter,
      count: 1,
      windowStart: now(),
      blockedUntil: null,
      expiresAt,
    });
    return new Verdict();
  }
  const count = found.count + 1;
  await put(rows, { ...found, count });
  return count <= limit
    ? new Verdict()
    : new Verdict(until(found.expiresAt), count === limit + 1);
}

function until(moment: Date): number {
  return Math.max(1, Math.ceil((moment.getTime() - now().getTime()) / 1000));
}

/** Takes back one event: it turned out not to be what is counted. */
export async function refund(rows: Rows, counter: string): Promise<void> {
  const found = await find(rows, counter);
  if (found && found.count > 0)
    await put(rows, { ...found, count: found.count - 1 });
}

/**
 * Counts one password guess before it is evaluated. From the `loginFailures`th on, each allowed guess
 * closes the account for twice as long as the last (ASVS 6.3.1). While it is closed nothing is
 * evaluated or counted, so nobody learns whether a guess was right.
 */
export async function guess(
  rows: Rows,
  counter: string,
  policy: Policy,
): Promise<Verdict> {
  const found = await find(rows, counter);
  if (found?.blockedUntil && found.blockedUntil > now())
    return new Verdict(until(found.blockedUntil));
  const isOld =
    found &&
    found.count < policy.loginFailures &&
    found.windowStart <= after(-FAILURE_WINDOW_SECONDS);
  const kept = isOld ? undefined : found;
  const count = (kept?.count ?? 0) + 1;
  const over = count - policy.loginFailures;
  const wait = Math.min(
    policy.loginBackoff * 2 ** Math.min(over, 12),
    MAX_BACKOFF_SECONDS,
  );
  await put(rows, {
    key: counter,
    count,
    windowStart: kept?.windowStart ?? now(),
    blockedUntil: over >= 0 ? after(wait) : null,
    expiresAt: after(FORGET_SECONDS),
  });
  return new Verdict();
}

/** Forgets a counter: the password was proven, or replaced by way of the mailbox. */
export async function clear(rows: Rows, counter: string): Promise<void> {
  await rows.deleteMany({
    model: MODEL,
    where: [{ field: "key", value: counter }],
  });
}
