/**
 * The audit trail: one row and one log line for each thing that happened to an account.
 *
 * Neither holds a secret, and an address without account appears as a keyed hash: people type
 * passwords into the wrong field (ASVS 16.2.5).
 */

import type { Rows } from "./db[= js =]";
import type { GenericEndpointContext } from "better-auth";
import type { Parts } from "./parts[= js =]";
import { hit } from "./throttle[= js =]";
import { now } from "./time[= js =]";
import { visit } from "./visit[= js =]";

// Refusals are recorded at most this often per minute, source and kind.
const REFUSALS_PER_MINUTE = 10;

const MODEL = "authAudit";

export interface About {
  userId?: string | undefined;
  /** Of somebody who may have no account. */
  email?: string | undefined;
  /** Why it failed. */
  reason?: string | undefined;
}

/** One JSON object a line, ASCII only: no text of a client breaks out of its line (ASVS 16.4.1). */
export function log(
  level: "INFO" | "WARNING" | "ERROR",
  fields: Record<string, string | undefined>,
): void {
  const line = JSON.stringify({ time: now().toISOString(), level, ...fields });
  const escaped = (char: string) =>
    `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  process.stdout.write(`${line.replace(/[^\x20-\x7e]/g, escaped)}\n`);
}

/** A fault inside. The kind alone: an error's text may hold what was sent. */
export function fault(what: string, error: unknown): void {
  log("ERROR", {
    message: what,
    error: error instanceof Error ? error.name : typeof error,
  });
}

/**
 * Records what a request did; with a reason, what failed. Inside a transaction, both happen or neither
 * (ASVS 2.3.3).
 */
export async function record(
  rows: Rows,
  parts: Parts,
  event: string,
  about: About = {},
): Promise<void> {
  const { ip, agent, requestId } = visit();
  const { email, reason = "", userId } = about;
  const subject =
    email === undefined
      ? undefined
      : parts.keys.of("audit", email).slice(0, 16);
  const outcome = reason === "" ? "success" : "failure";
  const kept = {
    event,
    outcome,
    reason,
    userId,
    subject,
    ip,
    userAgent: agent,
    requestId,
  };
  await rows.create({ model: MODEL, data: { at: now(), ...kept } });
  log("INFO", kept);
}

/** Records that a protection said no. */
export async function refusal(
  ctx: Pick<GenericEndpointContext, "context">,
  parts: Parts,
  event: string,
  reason: string,
  userId?: string,
): Promise<void> {
  await ctx.context.adapter.transaction(async (rows) => {
    const counter = parts.keys.ofSource(
      `refusal:${event}:${reason}`,
      visit().ip,
    );
    const verdict = await hit(rows, counter, REFUSALS_PER_MINUTE, 60);
    if (verdict.isAllowed) await record(rows, parts, event, { userId, reason });
  });
}
