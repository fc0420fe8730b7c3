/** Why a sign-in at a provider came to nothing. */

import * as audit from "../audit[= js =]";
import type { Context } from "../endpoint[= js =]";
import type { Parts } from "../parts[= js =]";
import { Problem } from "../problem[= js =]";

/** What came back does not prove anything. The reason is a word for the audit trail. */
export class Refused extends Error {}

/** The provider does not answer, or not as one. */
export class Unavailable extends Error {}

/** Tells the operator, in words that hold nothing of what was sent. */
export function warn(what: string, why: string): void {
  audit.log("WARNING", { message: what, reason: why });
}

/** Records what failed within. The client is never told what the provider said (ASVS 16.5.1). */
export async function told<T>(
  ctx: Context,
  parts: Parts,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const [problem, reason] = meaning(error);
    if (problem.code !== "unavailable")
      await audit.refusal(ctx, parts, "oidc_refused", reason);
    throw problem;
  }
}

function meaning(error: unknown): [Problem, string] {
  if (error instanceof Refused)
    return [new Problem("oidc_refused"), error.message];
  if (error instanceof Unavailable)
    return [new Problem("provider_unavailable"), "unavailable"];
  // Something of our own, such as an identity that is somebody else's.
  if (error instanceof Problem) return [error, error.code];
  throw error;
}
