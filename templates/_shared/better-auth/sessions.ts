/** The sessions of the signed-in user: to look at, and to end. */

import * as audit from "./audit[= js =]";
[%- if module.tokens %]
import { carryOver } from "./bearer/families[= js =]";
[%- endif %]
import type { Rows } from "./db[= js =]";
import { get, post, remove } from "./endpoint[= js =]";
import type { Parts } from "./parts[= js =]";
import { Problem } from "./problem[= js =]";
import * as store from "./store[= js =]";
import { after, now, unix } from "./time[= js =]";
import { type Account, current, fresh, type SessionRow } from "./user[= js =]";

// By the first mark that fits: later marks stand in the texts of earlier ones as well.
const CLIENTS = [
  ["Edg", "Edge"],
  ["OPR/", "Opera"],
  ["Firefox/", "Firefox"],
  ["FxiOS/", "Firefox"],
  ["CriOS/", "Chrome"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
] as const;
const SYSTEMS = [
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Android", "Android"],
  ["Windows", "Windows"],
  ["Mac OS X", "macOS"],
  ["CrOS", "ChromeOS"],
  ["Linux", "Linux"],
] as const;

[% if ui == "pages" -%]
/** An entry of the list. */
export type Session = Awaited<ReturnType<typeof sessionsOf>>[number];

[% endif -%]
/** Those that a request could still use (ASVS 7.5.2), without their tokens. */
export async function sessionsOf(rows: Rows, parts: Parts, user: Account) {
  const found = await rows.findMany<SessionRow>({
    model: "session",
    where: [
      { field: "userId", value: user.id },
      { field: "epoch", value: user.epoch },
      { field: "expiresAt", operator: "gt", value: now() },
      {
        field: "lastSeenAt",
        operator: "gt",
        value: after(-parts.settings.policy.sessionIdle),
      },
    ],
    sortBy: { field: "lastSeenAt", direction: "desc" },
  });
  return found.map((row) => ({
    id: row.id,
    current: row.id === user.session,
    device: device(row.userAgent),
    ip: row.ipAddress,
    userAgent: row.userAgent,
    createdAt: unix(row.createdAt),
    lastSeenAt: unix(row.lastSeenAt),
    expiresAt: unix(row.expiresAt),
  }));
}

/** What most clients claim to be, in words. */
export function device(agent: string): string {
  const client = CLIENTS.find(([mark]) => agent.includes(mark))?.[1];
  const system = SYSTEMS.find(([mark]) => agent.includes(mark))?.[1];
  if (client && system) return `${client} on ${system}`;
  // Tools begin with their name: `curl/8.5.0`.
  const tool = agent.split(/[/ ]/, 1).join("");
  return client ?? system ?? (tool === "" ? "unknown device" : tool);
}

/** With another epoch, a login that is under way fails; sessions that stay are given it. */
[% if module.oidc %]export [% endif %]async function raiseEpoch(rows: Rows, user: Account): Promise<void> {
  const same = [
    { field: "id", value: user.id },
    { field: "epoch", value: user.epoch },
  ];
  const raised = await rows.incrementOne({
    model: "user",
    where: same,
    increment: { epoch: 1 },
  });
  if (!raised) throw new Problem("not_signed_in");
  const mine = [
    { field: "userId", value: user.id },
    { field: "epoch", value: user.epoch },
  ];
  await rows.updateMany({
    model: "session",
    where: mine,
    update: { epoch: user.epoch + 1 },
  });
}

export function sessionEndpoints(parts: Parts) {
  return {
    sessions: get("/sessions", async (ctx) => {
      const user = await current(ctx, parts);
      return { sessions: await sessionsOf(ctx.context.adapter, parts, user) };
    }),

    // Ends one session of the user. One of somebody else's looks like one that does not exist.
    revokeOne: remove("/sessions/:id", async (ctx) => {
      const user = await fresh(ctx, parts);
      const id = String((ctx.params as Record<string, string>)["id"]);
      await ctx.context.adapter.transaction(async (rows) => {
        await raiseEpoch(rows, user);
[%- if module.tokens %]
        // Programs are none of this, but for those that were signed in from that session.
        await carryOver(rows, user.id, user.epoch);
[%- endif %]
        const mine = [
          { field: "userId", value: user.id },
          { field: "id", value: id },
        ];
        const ended = await rows.deleteMany({ model: "session", where: mine });
        if (ended === 0) throw new Problem("session_unknown");
        await audit.record(rows, parts, "session_revoked", { userId: user.id });
      });
      if (id === user.session) store.forget(ctx);
      return { status: "revoked" };
    }),

    // Ends every session but this one, and keeps a login that is under way from becoming one.
    revokeOthers: post("/sessions/revoke-others", {}, async (ctx) => {
      const user = await fresh(ctx, parts);
      const revoked = await ctx.context.adapter.transaction(async (rows) => {
        await raiseEpoch(rows, user);
        const others = [
          { field: "userId", value: user.id },
          { field: "id", operator: "ne" as const, value: user.session },
        ];
        const ended = await rows.deleteMany({
          model: "session",
          where: others,
        });
        await audit.record(rows, parts, "sessions_revoked", {
          userId: user.id,
        });
        return ended;
      });
      return { status: "revoked", revoked };
    }),
  };
}
