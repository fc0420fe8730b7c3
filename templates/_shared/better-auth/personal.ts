/** What the module holds about a user: to take away, and to delete. */

import * as audit from "./audit[= js =]";
[%- if module.tokens %]
import { shown } from "./bearer/devices[= js =]";
import * as families from "./bearer/families[= js =]";
[%- endif %]
import { get, remove } from "./endpoint[= js =]";
import { perSource } from "./limits[= js =]";
[%- if module.oidc %]
import * as identities from "./oidc/identities[= js =]";
[%- endif %]
import type { Parts } from "./parts[= js =]";
import { Problem } from "./problem[= js =]";
import { sessionsOf } from "./sessions[= js =]";
import { notify } from "./signIn[= js =]";
import { forget } from "./store[= js =]";
import { fresh, type UserRow } from "./user[= js =]";

const MAX_EVENTS = 10_000;
const DELETED = "Your account was deleted.";

interface AuditRow {
  at: Date;
  event: string;
  outcome: string;
  reason: string;
  ip: string;
  userAgent: string;
}

export function personalEndpoints(parts: Parts) {
  return {
    // Everything this module holds about the user, without what could open the account.
    exportAccount: get("/export", async (ctx) => {
      const user = await fresh(ctx, parts);
      await perSource(ctx, parts, "export", parts.settings.policy.tokenSource);
      ctx.setHeader(
        "Content-Disposition",
        'attachment; filename="account.json"',
      );
      return ctx.context.adapter.transaction(async (rows) => {
        await audit.record(rows, parts, "data_exported", { userId: user.id });
        const row = await rows.findOne<UserRow>({
          model: "user",
          where: [{ field: "id", value: user.id }],
        });
        if (!row) throw new Problem("not_signed_in");
        const { id, email, emailVerified, passwordChangedAt, createdAt } = row;
        const trail = await rows.findMany<AuditRow>({
          model: "authAudit",
          where: [{ field: "userId", value: user.id }],
          sortBy: { field: "at", direction: "desc" },
          limit: MAX_EVENTS,
        });
        const events = trail.map(
          ({ at, event, outcome, reason, ip, userAgent }) => {
            return { at, event, outcome, reason, ip, userAgent };
          },
        );
        const account = {
          id,
          email,
          emailVerified,
          passwordChangedAt,
          createdAt,
        };
        return {
          account,
[%- if module.oidc %]
          identities: await identities.of(rows, user.id),
[%- endif %]
          sessions: await sessionsOf(rows, parts, user),
[%- if module.tokens %]
          devices: (await families.of(rows, user.id)).map(shown),
[%- endif %]
          events,
        };
      });
    }),

    // Deletes the account with its sessions and links. The audit trail stays.
    deleteAccount: remove("/account", async (ctx) => {
      const user = await fresh(ctx, parts);
      await ctx.context.adapter.transaction(async (rows) => {
        const same = [
          { field: "id", value: user.id },
          { field: "epoch", value: user.epoch },
        ];
        const deleted = await rows.deleteMany({ model: "user", where: same });
        if (deleted === 0) throw new Problem("not_signed_in");
        await audit.record(rows, parts, "account_deleted", { userId: user.id });
      });
      await notify(ctx, parts, user.email, DELETED);
      forget(ctx);
      return { status: "deleted" };
    }),
  };
}
