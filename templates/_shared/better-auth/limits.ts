/** Limits of what one source or one address may cause. */

import * as audit from "./audit[= js =]";
import type { Rows } from "./db[= js =]";
import type { Context } from "./endpoint[= js =]";
import type { Parts } from "./parts[= js =]";
import { hit } from "./throttle[= js =]";
import { visit } from "./visit[= js =]";

/** Limits how often one source may do something in a minute. */
export async function perSource(
  ctx: Context,
  parts: Parts,
  what: string,
  limit: number,
): Promise<void> {
  const counter = parts.keys.ofSource(what, visit().ip);
  const verdict = await ctx.context.adapter.transaction((rows) =>
    hit(rows, counter, limit, 60),
  );
  if (verdict.isFirst) await audit.refusal(ctx, parts, "throttled", what);
  verdict.check();
}

/** Whether an address may get another mail that anybody can cause. If not, the answer is the same. */
export async function mayMail(
  rows: Rows,
  parts: Parts,
  email: string,
): Promise<boolean> {
  const counter = parts.keys.of("mail", email);
  return (await hit(rows, counter, parts.settings.policy.mailAddress, 60))
    .isAllowed;
}
